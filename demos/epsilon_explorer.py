"""Data of the epsilon explorer: what attacks within a radius do to networks and to sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Example:
    """An image, what an attack made of it at each radius, and what is said of it."""

    original: Float[Tensor, "row column"]
    attacked: Float[Tensor, "radius row column"]
    seen: int  # its own label
    given: int  # the label that it gets in the training set
    robust: Sequence[int]  # what a robust network names it, radius by radius


@dataclass(frozen=True)
class Sweep:
    """One set of images, radius by radius: shares from 0 to 1, by the name of what they are of."""

    name: str
    radii: Sequence[float]
    chosen: float  # the radius at which the notebook asks its questions
    chance: float
    length: float  # mean L2 length of an image
    shares: Mapping[str, Sequence[float]]
    examples: Sequence[Example]


def explorer_data(sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """What `<readout-epsilon>` reads. Shares are in thousandths, pixels in hundredths.

    Raises ValueError if a list does not have one entry for each radius.
    """
    return {"sets": [_set(sweep) for sweep in sweeps]}


def _set(sweep: Sweep) -> dict[str, Any]:
    lists = {**sweep.shares} | {f"example {n}": one.robust for n, one in enumerate(sweep.examples)}
    for name, values in lists.items():
        if len(values) != len(sweep.radii):
            raise ValueError(
                f"{sweep.name}: {name!r} has {len(values)} entries for {len(sweep.radii)} radii"
            )
    return {
        "name": sweep.name,
        "radii": list(sweep.radii),
        "chosen": sweep.chosen,
        "chance": sweep.chance,
        "length": round(sweep.length, 2),
        "shares": {
            name: " ".join(str(round(1000 * share)) for share in shares)
            for name, shares in sweep.shares.items()
        },
        "examples": [
            {
                "seen": one.seen,
                "given": one.given,
                "robust": " ".join(map(str, one.robust)),
                "original": _hundredths(one.original),
                "attacked": [_hundredths(image) for image in one.attacked],
            }
            for one in sweep.examples
        ],
    }


def _hundredths(image: Tensor) -> str:
    """Whole numbers with spaces between; as a JSON list each would get a line of the notebook."""
    return " ".join(map(str, (100 * image).round().int().flatten().tolist()))
