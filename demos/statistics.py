"""How sure a measured number is: intervals of means and of shares, and agreement of two orders."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

Z95 = 1.959964  # half of the 95 % of a normal distribution lies this far on each side


def mean_interval(
    values: Float[Tensor, "*any sample"], resamples: int = 2000
) -> tuple[Float[Tensor, "*any"], Float[Tensor, "*any"]]:
    """95 % bootstrap interval of the mean over the last axis: (low, high).

    The resampling has a seed of its own, always the same: an interval is not part of the luck that
    another seed of the notebook tries. Raises ValueError without a sample.
    """
    size = values.shape[-1]
    if size == 0:
        raise ValueError("a mean needs at least one value")
    generator = torch.Generator().manual_seed(0)
    picks = torch.randint(size, (resamples, size), generator=generator)
    means = torch.stack([row[picks].mean(dim=-1) for row in values.reshape(-1, size)])
    ends = means.quantile(torch.tensor([0.025, 0.975]), dim=-1)
    return ends[0].reshape(values.shape[:-1]), ends[1].reshape(values.shape[:-1])


def share_interval(hits: int, of: int) -> tuple[float, float]:
    """95 % Wilson interval of a share; unlike the bootstrap it is honest at 0 and at 1.

    Raises ValueError unless 0 <= hits <= of and of > 0.
    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if not 0 <= hits <= of or of == 0:
        raise ValueError(f"{hits} of {of} is no share")
    share = hits / of
    middle = (share + Z95**2 / (2 * of)) / (1 + Z95**2 / of)
    half = Z95 * math.sqrt(share * (1 - share) / of + (Z95 / (2 * of)) ** 2) / (1 + Z95**2 / of)
    # At 0 and at 1 the ends are 0 and 1 exactly; floats miss them by a bit.
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def share_error(hits: int, of: int) -> float:
    """Standard error of a share."""
    if not 0 <= hits <= of or of == 0:
        raise ValueError(f"{hits} of {of} is no share")
    share = hits / of
    return math.sqrt(share * (1 - share) / of)


def rank_correlation(one: Float[Tensor, " sample"], other: Float[Tensor, " sample"]) -> float:
    """Spearman's rank correlation, from -1 to 1; equal values share the mean of their ranks.

    Raises ValueError if the two are not equally long, or if all values of one are equal, where no
    order can be compared.
    """
    if one.shape != other.shape or one.ndim != 1 or len(one) < 2:
        raise ValueError(f"two lists of values, equally long, not {one.shape} and {other.shape}")
    ranks = torch.stack([_ranks(one), _ranks(other)])
    centred = ranks - ranks.mean(dim=-1, keepdim=True)
    lengths = centred.norm(dim=-1)
    if lengths.min() == 0:
        raise ValueError("all values are equal, so they have no order")
    return ((centred[0] @ centred[1]) / lengths.prod()).clamp(-1, 1).item()


def _ranks(values: Float[Tensor, " sample"]) -> Float[Tensor, " sample"]:
    """Rank of each value from 0, in float64; ties get the mean of the ranks that they take up."""
    if not values.isfinite().all():
        raise ValueError("a value is not finite, so it has no rank")
    _, place, count = values.unique(sorted=True, return_inverse=True, return_counts=True)
    last = count.cumsum(dim=0) - 1
    return (last - (count - 1) / 2).double()[place]
