"""Units of a convolution: what they answer to, what their weights say, which of two nets are alike.

A unit here is a channel: the same weights at each place. `demos.vision` has the networks,
`demos.tuning` the stimuli.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from demos.vision import DigitNet


def shuffled(
    weight: Float[Tensor, "*unit source row column"], generator: torch.Generator
) -> Float[Tensor, "*unit source row column"]:
    """The same numbers in another order, for each unit its own: over sources and places alike."""
    flat = weight.flatten(-3)
    order = torch.rand(flat.shape, generator=generator).argsort(dim=-1)
    return flat.gather(-1, order).view(weight.shape)


def tuning_curves(
    net: DigitNet,
    layer: int,
    stimuli: Float[Tensor, "angle offset row column"],
    weight: Float[Tensor, "unit source row column"] | None = None,
    bias: Float[Tensor, " unit"] | None = None,
) -> Float[Tensor, "unit angle"]:
    """Activation at each angle, of the offset that excites most.

    `stimuli`: as wide as the window of the layer, so that each gives a unit one activation.
    `weight`, `bias`: of other units in the place of the layer's own, such as shuffled ones.
    """
    read = net.read_by(stimuli.flatten(0, 1), layer)
    own = net.convolutions[layer]
    drive = nn.functional.conv2d(
        read, own.weight if weight is None else weight, own.bias if bias is None else bias
    )
    if drive.shape[2:] != (1, 1):
        raise ValueError(
            f"stimuli of {net.window(layer)} x {net.window(layer)} pixels give one activation, "
            f"these of {stimuli.shape[2]} x {stimuli.shape[3]} do not"
        )
    return drive[..., 0, 0].relu().view(*stimuli.shape[:2], -1).amax(dim=1).T


def windows(
    images: Float[Tensor, "image row column"], side: int, stride: int
) -> Float[Tensor, "window row column"]:
    """All windows of the images, image by image, row by row, as a convolution visits them."""
    return images.unfold(1, side, stride).unfold(2, side, stride).reshape(-1, side, side)


def stroke_angles(
    patches: Float[Tensor, "window row column"],
) -> tuple[Float[Tensor, " window"], Float[Tensor, " window"]]:
    """The angle of the strokes in each window, 0 to 180 degrees, and how far they have only one.

    The second is the coherence of the structure tensor: 1 where all brightness changes along one
    line, 0 where it changes in all directions alike or not at all. Only what lies in the disc
    within the window counts.
    Source: Bigün and Granlund 1987, "Optimal Orientation Detection of Linear Symmetry".
    """
    east = (patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2]) / 2
    north = (patches[:, :-2, 1:-1] - patches[:, 2:, 1:-1]) / 2
    n = east.shape[-1]
    place = torch.arange(n) - (n - 1) / 2
    disc = torch.hypot(place[:, None], place) < (n + 1) / 2
    xx, yy, xy = (
        (product * disc).sum(dim=(1, 2)) for product in (east * east, north * north, east * north)
    )
    across = torch.atan2(2 * xy, xx - yy) / 2  # of the gradient, which is at right angles
    coherence = torch.hypot(xx - yy, 2 * xy) / (xx + yy).clamp(min=1e-12)
    return (torch.rad2deg(across) + 90).remainder(180), coherence


def mean_by_angle(
    responses: Float[Tensor, "window unit"], degrees: Float[Tensor, " window"], bins: int
) -> Float[Tensor, "unit bin"]:
    """Mean response to windows by their angle; bin 0 is centred on 0 degrees, of 180.

    Raises ValueError if a bin has no window.
    """
    which = (degrees * bins / 180).round().long().remainder(bins)
    counts = which.bincount(minlength=bins)
    if counts.min() == 0:
        raise ValueError(f"no window has an angle near {180 / bins * int(counts.argmin()):g}")
    sums = torch.zeros(bins, responses.shape[1]).index_add(0, which, responses)
    return (sums / counts[:, None]).T


def partial_drives(
    weight: Float[Tensor, "source row column"],
    read: Float[Tensor, "image source row column"],
    order: Sequence[int] | Int[Tensor, " source"],
) -> Float[Tensor, "kept image place"]:
    """What a unit adds up if only the first source counts, the first two, and so on in an order."""
    parts = torch.stack(
        [
            nn.functional.conv2d(read[:, [source]], weight[None, [source]])[:, 0].flatten(1)
            for source in map(int, order)
        ]
    )
    return parts.cumsum(dim=0)


def correlation(
    one: Float[Tensor, "*any sample"], other: Float[Tensor, "*any sample"]
) -> Float[Tensor, "*any"]:
    """Pearson's correlation over the last axis; 0 where one of the two does not vary."""
    one, other = (each - each.mean(dim=-1, keepdim=True) for each in (one, other))
    lengths = one.norm(dim=-1) * other.norm(dim=-1)
    return (one * other).sum(dim=-1) / lengths.clamp(min=1e-12)


def cross_correlation(
    one: Float[Tensor, "unit sample"], other: Float[Tensor, "match sample"]
) -> Float[Tensor, "unit match"]:
    """Correlation of each unit of one network with each of another, on the same samples."""
    one, other = (each - each.mean(dim=-1, keepdim=True) for each in (one, other))
    one, other = (each / each.norm(dim=-1, keepdim=True).clamp(min=1e-12) for each in (one, other))
    return one @ other.T


def best_matches(
    one: Float[Tensor, "unit sample"],
    other: Float[Tensor, "match sample"],
    choosing: Bool[Tensor, " sample"],
) -> tuple[Int[Tensor, " unit"], Float[Tensor, " unit"]]:
    """For each unit its best match in another network, and their correlation.

    The match is chosen on the samples of `choosing` and judged on the rest, so that the best of
    many is not credited with its luck.
    """
    match = cross_correlation(one[:, choosing], other[:, choosing]).argmax(dim=1)
    return match, correlation(one[:, ~choosing], other[match][:, ~choosing])
