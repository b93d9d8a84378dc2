"""Data of the weight explorer: two pictures of each unit, and the bars that they predict."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from demos.tuning import apart


class Picture(NamedTuple):
    """Of the units of a layer: a picture of each, and what it promises of bars at each angle."""

    pixels: Float[Tensor, "unit row column"]
    by_angle: Float[Tensor, "unit angle"]


def explorer_data(
    degrees: Float[Tensor, " angle"],
    networks: Mapping[str, tuple[Float[Tensor, "unit angle"], Mapping[str, Picture]]],
) -> dict[str, Any]:
    """What `<readout-weights>` reads: of each network the drives, measured, and the pictures.

    Weights are in hundredths of the largest of their picture; drives in hundredths of the way from
    the least to the most that a unit or a picture gives at any angle. `best` is the angle of the
    most, and `off` how far a picture's is from the unit's, in degrees.
    """
    return {
        "degrees": degrees.tolist(),
        "networks": [
            _network(name, degrees, measured, pictures)
            for name, (measured, pictures) in networks.items()
        ],
    }


def _network(
    name: str, degrees: Tensor, measured: Tensor, pictures: Mapping[str, Picture]
) -> dict[str, Any]:
    best = _best(degrees, measured)
    promised = {kind: _best(degrees, picture.by_angle) for kind, picture in pictures.items()}
    off = {kind: apart(angles, best) for kind, angles in promised.items()}
    units = [
        {
            "measured": _course(measured[n]),
            "best": best[n].item(),
            "pictures": {
                kind: {
                    "pixels": _hundredths(
                        picture.pixels[n] / picture.pixels[n].abs().max().clamp(1e-12)
                    ),
                    "predicted": _course(picture.by_angle[n]),
                    "best": promised[kind][n].item(),
                    "off": off[kind][n].item(),
                }
                for kind, picture in pictures.items()
            },
        }
        for n in range(len(measured))
    ]
    means = {kind: round(angles.mean().item()) for kind, angles in off.items()}
    return {"name": name, "units": units, "off": means}


def _best(degrees: Tensor, by_angle: Float[Tensor, "unit angle"]) -> Float[Tensor, " unit"]:
    # Not to be read off the courses: two angles may come out the same in hundredths.
    return degrees[by_angle.argmax(dim=1)]


def _course(values: Float[Tensor, " angle"]) -> str:
    least, most = values.min(), values.max()
    return _hundredths((values - least) / (most - least).clamp(1e-12))


def _hundredths(shares: Tensor) -> str:
    """Whole numbers with spaces between; as a JSON list each would get a line of the notebook."""
    return " ".join(map(str, (100 * shares).round().int().flatten().tolist()))
