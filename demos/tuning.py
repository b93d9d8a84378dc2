"""Stimuli drawn by formula, and how a unit's activation follows their angle."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SOFT = 0.5  # pixels over which an edge fades


def angles(n: int, turn: float = 180.0) -> Float[Tensor, " angle"]:
    """`n` angles in degrees from 0, evenly over a turn; a bar is itself again after half of one."""
    return torch.arange(n) * turn / n


def bars(
    side: int, degrees: Float[Tensor, " angle"], offsets: Sequence[float], width: float
) -> Float[Tensor, "angle offset row column"]:
    """Straight bars through a disc of `side` pixels, from 0 (black) to 1.

    0 degrees is level, and the angle grows anticlockwise. `offsets`: pixels from the middle to the
    bar, across it. `width`: of the bar, in pixels. Outside the disc all is black, so that no angle
    has longer bars than another.
    """
    east, north = _plane(side)
    turned = torch.deg2rad(degrees)[:, None, None]
    across = north * turned.cos() - east * turned.sin()
    away = (across[:, None] - torch.tensor(offsets)[:, None, None]).abs()
    return _inside(width / 2 - away) * _disc(east, north, side)


def arcs(
    side: int,
    degrees: Float[Tensor, " angle"],
    offsets: Sequence[float],
    width: float,
    radius: float,
) -> Float[Tensor, "angle offset row column"]:
    """Bars that bend with a radius in pixels; their middle bulges towards the angle."""
    east, north = _plane(side)
    turned = torch.deg2rad(degrees)[:, None, None]
    towards = east * turned.cos() + north * turned.sin()
    across = north * turned.cos() - east * turned.sin()
    centre = torch.tensor(offsets)[:, None, None] - radius
    away = (torch.hypot(towards[:, None] - centre, across[:, None]) - radius).abs()
    return _inside(width / 2 - away) * _disc(east, north, side)


def selectivity(
    tuning: Float[Tensor, "*any angle"],
) -> Float[Tensor, "*any"]:
    """1 for a unit that answers to one angle alone, 0 for one that answers to all alike.

    The length of the mean of the responses, each taken as a vector that points round the circle as
    its angle does (one less the circular variance). A unit that never answers has 0.
    Source: Ringach et al. 2002, doi:10.1523/JNEUROSCI.22-13-05639.2002.
    """
    return _resultant(tuning).abs() / tuning.sum(dim=-1).clamp(min=1e-12)


def preferred(tuning: Float[Tensor, "*any angle"], turn: float = 180.0) -> Float[Tensor, "*any"]:
    """The angle in degrees, from 0 to `turn`, round which the responses lie."""
    return torch.rad2deg(_resultant(tuning).angle()).remainder(360) * turn / 360


def apart(
    one: Float[Tensor, "*any"], other: Float[Tensor, "*any"], turn: float = 180.0
) -> Float[Tensor, "*any"]:
    """How far two angles are from one another round the circle, at most half a turn."""
    gap = (one - other).abs().remainder(turn)
    return torch.minimum(gap, turn - gap)


def peak_over_trough(
    tuning: Float[Tensor, "*any angle"], most: float = 100
) -> Float[Tensor, "*any"]:
    """Largest over smallest response, `most` where the smallest is near 0; 1 if there is none."""
    peak, trough = tuning.amax(dim=-1), tuning.amin(dim=-1)
    ratio = peak / torch.maximum(trough, peak / most)
    return torch.where(peak > 0, ratio, 1.0)


def _resultant(tuning: Tensor) -> Tensor:
    n = tuning.shape[-1]
    phase = torch.arange(n) * 2 * math.pi / n
    return (tuning * torch.polar(torch.ones(n), phase)).sum(dim=-1)


def _plane(side: int) -> tuple[Tensor, Tensor]:
    """Pixels right of the middle and above it."""
    middle = (side - 1) / 2
    place = torch.arange(side) - middle
    return place.expand(side, side), -place[:, None].expand(side, side)


def _inside(depth: Tensor) -> Tensor:
    return (depth / SOFT + 0.5).clamp(0, 1)


def _disc(east: Tensor, north: Tensor, side: int) -> Tensor:
    return _inside(side / 2 - torch.hypot(east, north))
