"""How many directions fit into a space if they need not be exactly perpendicular."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def random_directions(
    n: int, width: int, generator: torch.Generator
) -> Float[Tensor, "direction width"]:
    """Vectors of length 1, each direction equally likely."""
    vectors = torch.randn(n, width, generator=generator)
    return vectors / vectors.norm(dim=-1, keepdim=True)


def largest_cosine(directions: Float[Tensor, "direction width"]) -> float:
    """The largest |cosine| between two of these unit vectors: 0 if all are perpendicular.

    Raises ValueError if there are not two.
    """
    if len(directions) < 2:
        raise ValueError(f"a cosine needs two directions, not {len(directions)}")
    cosines = (directions @ directions.T).abs_()
    return cosines.fill_diagonal_(0).max().item()


def expected_largest_cosine(n: int, width: int) -> float:
    """What `largest_cosine` comes to for n random directions, roughly: sqrt(2 ln(n^2 / 2) / width).

    A cosine of two random directions is nearly normal with variance 1 / width, and this is how far
    the largest of n^2 / 2 such numbers lies out. True to a few per cent for n above some hundreds.
    """
    return math.sqrt(2 * math.log(n * n / 2) / width)


def directions_within(cosine: float, width: int) -> float:
    """How many random directions one may draw until two of them reach this |cosine|, roughly."""
    return math.sqrt(2) * math.exp(cosine**2 * width / 4)


def recovered_share(
    directions: Float[Tensor, "direction width"],
    held: Sequence[int],
    trials: int,
    generator: torch.Generator,
) -> Float[Tensor, "held trial"]:
    """How well one vector that is a sum of directions says which ones were added.

    For each number in `held`: add that many directions, picked at random, and read the sum by a
    product with every direction. The share of the added ones among as many largest products; 1 if
    all can be told from those that were not added.
    """
    shares = torch.zeros(len(held), trials)
    for row, k in enumerate(held):
        picks = torch.stack(
            [torch.randperm(len(directions), generator=generator)[:k] for _ in range(trials)]
        )
        products = torch.stack([directions[pick].sum(dim=0) for pick in picks]) @ directions.T
        read = products.topk(k, dim=-1).indices
        for trial in range(trials):
            shares[row, trial] = torch.isin(read[trial], picks[trial]).float().mean()
    return shares
