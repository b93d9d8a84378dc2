"""Activation atlases: states laid out in the plane, cut into cells, and averaged in each.

Source: Carter et al. 2019, "Exploring Neural Networks with Activation Atlases". A *state* is a row
of numbers: the activations of all units of a layer at one place of an image, or the residual stream
at one position of a text.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from torch import Tensor

NONE = -1  # the cell of a state whose cell holds too few


def one_place_each(
    activations: Float[Tensor, "image unit row column"], generator: torch.Generator
) -> tuple[Float[Tensor, "image unit"], Int[Tensor, "image 2"]]:
    """The activations of each image at one place drawn at random, not at the edge, and the place.

    One only, as in the article: neighbouring places of an image see almost the same.
    Raises ValueError if there is no place that is not at the edge.
    """
    images, _, rows, columns = activations.shape
    if min(rows, columns) < 3:
        raise ValueError(f"{rows} x {columns} places have none that is not at the edge")
    drawn = [torch.randint(1, n - 1, (images,), generator=generator) for n in (rows, columns)]
    return activations[torch.arange(images), :, drawn[0], drawn[1]], torch.stack(drawn, dim=1)


def shuffled_units(
    states: Float[Tensor, "state unit"], generator: torch.Generator
) -> Float[Tensor, "state unit"]:
    """Each unit's values in another order, its own: its spread is kept, what it shares is gone."""
    return torch.stack(
        [column[torch.randperm(len(column), generator=generator)] for column in states.T], dim=1
    )


def flat_layout(states: Float[Tensor, "state unit"]) -> Float[Tensor, "state 2"]:
    """The two directions of largest variance, within the unit square."""
    return _within_square(PCA(2, svd_solver="full").fit_transform(states.numpy()))


def layout(
    states: Float[Tensor, "state unit"],
    *,
    seed: int,
    start: Float[Tensor, "state 2"] | None = None,
    iterations: int = 500,
    perplexity: float = 30,
    components: int = 30,
) -> Float[Tensor, "state 2"]:
    """t-SNE within the unit square, from `start`, or from places drawn at random with the seed.

    `perplexity`: how many neighbours a state is to keep, roughly. Of more than `components`
    dimensions the principal ones are taken first, as is usual.
    """
    rows = states.numpy()
    if rows.shape[1] > components:
        rows = PCA(components, svd_solver="covariance_eigh").fit_transform(rows)
    if start is None:
        first = np.random.default_rng(seed).normal(size=(len(rows), 2))
    else:
        first = (start - start.mean(dim=0)).numpy()
    first = first / first[:, 0].std() * 1e-4  # small, so that all may still pass one another
    found = TSNE(
        init=first.astype(np.float32),
        perplexity=perplexity,
        max_iter=iterations,
        random_state=seed,
        n_jobs=1,
    ).fit_transform(rows.astype(np.float32))
    return _within_square(found)


def _within_square(places: np.ndarray) -> Float[Tensor, "state 2"]:
    """Moved and scaled, both axes alike, so that the middle of the square is the middle."""
    found = torch.tensor(places, dtype=torch.float32)
    low, high = found.amin(dim=0), found.amax(dim=0)
    extent = (high - low).max().clamp(min=1e-12) * 1.0001  # the last one lies within, too
    return (found - (low + high) / 2) / extent + 0.5


def trustworthiness(
    states: Float[Tensor, "state unit"], places: Float[Tensor, "state 2"], neighbours: int = 10
) -> float:
    """1 if all that are near on the map are near as states; about 0.5 if places mean nothing.

    Source: Venna and Kaski 2001, doi:10.1007/3-540-44668-0_68.
    """
    return float(sklearn_trustworthiness(states.numpy(), places.numpy(), n_neighbors=neighbours))


def nearest_neighbours(
    states: Float[Tensor, "state any"], neighbours: int = 10
) -> Int[Tensor, "state neighbour"]:
    """The nearest others of each."""
    distances = torch.cdist(states, states)
    distances.fill_diagonal_(torch.inf)
    return distances.topk(neighbours, largest=False).indices


def shared_neighbours(
    one: Int[Tensor, "state neighbour"], other: Int[Tensor, "state neighbour"]
) -> Float[Tensor, " state"]:
    """Which share of each state's neighbours are its neighbours in the other space as well."""
    return (one[:, :, None] == other[:, None, :]).any(dim=2).float().mean(dim=1)


@dataclass(frozen=True)
class Cells:
    """The cells of a grid that hold enough states, in the order of rows from the top."""

    side: int  # of the grid, in cells
    of_state: Int[Tensor, " state"]  # which cell, or NONE
    row: Int[Tensor, " cell"]
    column: Int[Tensor, " cell"]
    count: Int[Tensor, " cell"]

    def __len__(self) -> int:
        return len(self.count)

    def mean(self, values: Float[Tensor, "state any"]) -> Float[Tensor, "cell any"]:
        """The mean of each cell's rows."""
        inside = self.of_state != NONE
        sums = torch.zeros(len(self), values.shape[1], dtype=values.dtype)
        sums.index_add_(0, self.of_state[inside], values[inside])
        return sums / self.count[:, None]

    def adjacent(self) -> Bool[Tensor, "cell cell"]:
        """Whether two cells touch, at a side or at a corner."""
        apart = torch.maximum(
            (self.row[:, None] - self.row).abs(), (self.column[:, None] - self.column).abs()
        )
        return apart == 1


def cut(places: Float[Tensor, "state 2"], side: int, least: int = 1) -> Cells:
    """A grid of side x side cells over the unit square; cells with fewer than `least` are dropped.

    Raises ValueError for a place outside the square, or if no cell holds enough.
    """
    if places.min() < 0 or places.max() > 1:
        raise ValueError("places lie within the unit square")
    column, row = (places * side).long().clamp(max=side - 1).T
    code = row * side + column
    count = code.bincount(minlength=side * side)
    kept = (count >= least).nonzero()[:, 0]
    if len(kept) == 0:
        raise ValueError(f"no cell of {side} x {side} holds {least} states")
    index = torch.full((side * side,), NONE)
    index[kept] = torch.arange(len(kept))
    return Cells(side, index[code], kept // side, kept % side, count[kept])


def nearest_cell(
    states: Float[Tensor, "state unit"], means: Float[Tensor, "cell unit"]
) -> Int[Tensor, " state"]:
    """The cell whose mean is nearest: where a state belongs that was not laid out."""
    return torch.cdist(states, means).argmin(dim=1)


def choose_among(
    allowed: Bool[Tensor, "row option"], generator: torch.Generator
) -> Int[Tensor, " row"]:
    """One allowed option of each row, drawn at random; NONE where there is none."""
    drawn = (torch.rand(allowed.shape, generator=generator) * allowed).max(dim=1)
    return torch.where(drawn.values > 0, drawn.indices, NONE)


def of_length(
    length: Float[Tensor, " row"], like: Float[Tensor, "row unit"], generator: torch.Generator
) -> Float[Tensor, "row unit"]:
    """A step of each length in a direction drawn at random, as many units as `like` has."""
    step = torch.randn(like.shape, generator=generator)
    return step * (length / step.norm(dim=1))[:, None]
