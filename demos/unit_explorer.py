"""Data of the unit explorer: for each unit its weights, its tuning, its sources and its matches."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from demos.expanded import expanded_weights
from demos.tuning import angles, arcs, bars, preferred, selectivity
from demos.units import best_matches, shuffled, tuning_curves
from demos.vision import DigitNet

N_ANGLES = 24
LISTED = 4  # sources that are named


def explorer_data(
    nets: Mapping[str, DigitNet],
    others: Mapping[str, DigitNet],
    images: Float[Tensor, "image row column"],
    *,
    seed: int,
) -> dict[str, Any]:
    """What `<readout-units>` reads: first and top layer of each network, and all their units.

    `others`: networks in whose top layer a match is looked for, on every second image, and judged
    on the rest. Activations and weights are in hundredths of the largest of their kind.
    """
    generator = torch.Generator().manual_seed(seed)
    elsewhere = {name: _top(net, images) for name, net in others.items()}
    layers = []
    for name, net in nets.items():
        for layer in sorted({0, len(net.convolutions) - 1}):
            matched = elsewhere if layer else {}
            layers.append(
                {"name": f"{name}, layer {layer + 1}", "window": net.window(layer)}
                | {"units": _units(net, layer, images, matched, generator)}
            )
    return {"stimuli": list(_stimuli(5)), "layers": layers}


def _stimuli(side: int) -> dict[str, tuple[Tensor, float]]:
    """Stimuli for windows of a side, each with the turn after which it is itself again."""
    offsets = [side * n / 14 for n in range(-4, 5)]
    half, whole = angles(N_ANGLES), angles(N_ANGLES, turn=360)
    width = max(1.0, side / 7)
    return {
        "thin bars": (bars(side, half, offsets, width), 180),
        "thick bars": (bars(side, half, offsets, 2 * width), 180),
        "arcs": (arcs(side, whole, offsets, width, radius=side / 3), 360),
    }


def _units(
    net: DigitNet,
    layer: int,
    images: Tensor,
    others: Mapping[str, Tensor],
    generator: torch.Generator,
) -> list[dict[str, Any]]:
    module = net.convolutions[layer]
    twins = shuffled(module.weight, generator)
    curves, turns = {}, {}
    for stimulus, (shown, turn) in _stimuli(net.window(layer)).items():
        own = tuning_curves(net, layer, shown)
        curves[stimulus] = (own, tuning_curves(net, layer, shown, twins, module.bias))
        turns[stimulus] = turn
    # One scale for a unit, so that its stimuli and its shuffle can be compared.
    largest = torch.stack([torch.maximum(*pair).amax(dim=1) for pair in curves.values()]).amax(
        dim=0
    )
    pixels = expanded_weights(net, layer)
    sources = _sources(net, layer, images) if layer else None
    found = {}
    if others:
        mine = _top(net, images)
        choosing = (torch.arange(len(images)) % 2 == 0).repeat_interleave(
            mine.shape[1] // len(images)
        )
        found = {name: best_matches(mine, other, choosing) for name, other in others.items()}
    return [
        {
            "pixels": _hundredths(pixels[n], pixels[n].abs().max()),
            "tuning": {
                stimulus: {
                    "unit": _hundredths(own[n], largest[n]),
                    "shuffle": _hundredths(twin[n], largest[n]),
                    "selectivity": round(selectivity(own[n]).item(), 2),
                    "preferred": round(preferred(own[n], turns[stimulus]).item()),
                }
                for stimulus, (own, twin) in curves.items()
            },
            "sources": []
            if sources is None
            else [
                [int(source), round(100 * sources[n, source].item())]
                for source in sources[n].argsort(descending=True)[:LISTED]
            ],
            "matches": [
                [name, int(match[n]), round(100 * likeness[n].item())]
                for name, (match, likeness) in found.items()
            ],
        }
        for n in range(len(module.weight))
    ]


def _top(net: DigitNet, images: Tensor) -> Float[Tensor, "unit window"]:
    return net.activations(images, len(net.convolutions) - 1).transpose(0, 1).flatten(1)


def _sources(net: DigitNet, layer: int, images: Tensor) -> Float[Tensor, "unit source"]:
    """The spread of each source's part of a unit's sum, as a share of all its parts' spreads."""
    read, weight = net.read_by(images, layer), net.convolutions[layer].weight
    spread = torch.stack(
        [
            nn.functional.conv2d(read, one[:, None], groups=len(one)).std(dim=(0, 2, 3))
            for one in weight
        ]
    )
    return spread / spread.sum(dim=1, keepdim=True).clamp(min=1e-12)


def _hundredths(values: Tensor, largest: Tensor) -> str:
    """Whole numbers with spaces between; as a JSON list each would get a line of the notebook."""
    whole = (100 * values / largest.clamp(min=1e-12)).round().int()
    return " ".join(map(str, whole.flatten().tolist()))
