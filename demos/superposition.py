"""Toy models of superposition: more features than dimensions, many small models trained at once.

A toy squeezes features x, sparse and between 0 and 1, through a few hidden dimensions and out
again: x' = ReLU(W^T W x + b). Its loss weighs the squared errors by importance. An axis `toy` runs
over independent models, so that all seeds and sparsities train in one batch.
Source: Elhage et al. 2022, arXiv:2209.10652, sections 2 and 3.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Toys:
    """Trained toys. `W[toy]` has a column for each feature: its direction in the hidden space."""

    W: Float[Tensor, "toy hidden feature"]
    b: Float[Tensor, "toy feature"]
    probability: Float[Tensor, " toy"]  # that a feature is active: 1 minus the sparsity
    importance: Float[Tensor, "toy feature"]
    linear: Bool[Tensor, " toy"]  # without the ReLU: the control
    loss: Float[Tensor, " toy"]  # after training, on data of its own

    def __getitem__(self, chosen: Bool[Tensor, " toy"] | Int[Tensor, " some"]) -> "Toys":
        return Toys(
            self.W[chosen],
            self.b[chosen],
            self.probability[chosen],
            self.importance[chosen],
            self.linear[chosen],
            self.loss[chosen],
        )


def sparse_features(
    probability: Float[Tensor, " toy"], batch: int, n_features: int, generator: torch.Generator
) -> Float[Tensor, "toy batch feature"]:
    """Each feature is 0, or with its toy's probability uniform on [0, 1], all independent."""
    drawn = torch.rand(len(probability), batch, n_features, generator=generator)
    probability = probability[:, None, None]
    # Given that a uniform number lies below p, it is uniform there.
    return torch.where(drawn < probability, drawn / probability, 0.0)


def reconstruct(
    x: Float[Tensor, "toy batch feature"],
    W: Float[Tensor, "toy hidden feature"],
    b: Float[Tensor, "toy feature"],
    linear: Bool[Tensor, " toy"],
) -> Float[Tensor, "toy batch feature"]:
    """What the toys give out: W^T W x + b, through a ReLU unless a toy is linear."""
    # A floor of minus infinity changes nothing, one of 0 is the ReLU.
    floor = torch.where(linear, -torch.inf, 0.0)[:, None, None]
    out: Tensor = torch.baddbmm(b[:, None], x @ W.mT, W)
    return out.maximum(floor)


def train_toys(
    probability: Float[Tensor, " toy"],
    importance: Float[Tensor, "toy feature"],
    n_hidden: int,
    seed: int,
    linear: Bool[Tensor, " toy"] | None = None,
    steps: int = 2000,
    batch: int = 256,
    learning_rate: float = 0.01,
) -> Toys:
    """Train a toy for each probability and row of importances, from random weights.

    Adam with a learning rate that falls to 0 along a cosine. Toys with equal settings differ by
    their initial weights and their data, so copies of a setting are its seeds.
    """
    n_toys, n_features = importance.shape
    generator = torch.Generator().manual_seed(seed)
    linear = torch.zeros(n_toys, dtype=torch.bool) if linear is None else linear
    spread = math.sqrt(2 / (n_features + n_hidden))
    W = (torch.randn(n_toys, n_hidden, n_features, generator=generator) * spread).requires_grad_()
    b = torch.zeros(n_toys, n_features, requires_grad=True)
    optimizer = torch.optim.Adam([W, b], lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def errors(size: int) -> Tensor:
        x = sparse_features(probability, size, n_features, generator)
        squared = (reconstruct(x, W, b, linear) - x).square().mean(dim=1)
        return (squared * importance).sum(dim=-1)

    for _ in range(steps):
        optimizer.zero_grad()
        # A rare feature gives a small gradient; Adam cannot tell, since toys share no parameter.
        torch.autograd.backward(errors(batch).sum())
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        loss = errors(16 * batch)
    return Toys(W.detach(), b.detach(), probability, importance, linear, loss)


def represented(W: Float[Tensor, "toy hidden feature"]) -> Bool[Tensor, "toy feature"]:
    """Whether each feature has a direction: a column longer than a half, where 1 is whole."""
    long: Tensor = W.norm(dim=1) > 0.5
    return long


def dimensionality(W: Float[Tensor, "toy hidden feature"]) -> Float[Tensor, "toy feature"]:
    """The share of a dimension that each feature has to itself, from 0 to 1.

    |W_i|^2 / sum_j (w_i . W_j)^2, w_i being W_i at length 1. A direction of its own gives 1, an
    antipodal pair 1/2 each, a regular pentagon 2/5; a column of zeros gives 0.
    Source: "The Geometry of Superposition".
    """
    unit = torch.nn.functional.normalize(W, dim=1)
    shared: Tensor = W.norm(dim=1).square() / (unit.mT @ W).square().sum(dim=-1).clamp(min=1e-12)
    return shared


def dimensions_per_feature(W: Float[Tensor, "toy hidden feature"]) -> Float[Tensor, " toy"]:
    """Hidden dimensions over the features that a toy represents, counted as |W|^2."""
    return W.shape[1] / W.square().sum(dim=(1, 2))


def interference(W: Float[Tensor, "toy hidden feature"]) -> Float[Tensor, " toy"]:
    """The largest cosine, in size, between two represented features; 0 where there are not two."""
    unit = torch.nn.functional.normalize(W, dim=1) * represented(W)[:, None]
    cosines = (unit.mT @ unit).abs()
    worst: Tensor = cosines.masked_fill(torch.eye(W.shape[2], dtype=torch.bool), 0).amax(dim=(1, 2))
    return worst


def polygon_error(W: Float[Tensor, "toy two feature"]) -> Float[Tensor, " toy"]:
    """How far the represented features of a plane are from a regular polygon, in degrees.

    The largest difference of a gap between neighbours from 360 degrees over their number.
    Raises ValueError if the hidden space is not a plane, or a toy represents nothing.
    """
    if W.shape[1] != 2:
        raise ValueError(f"a polygon lies in 2 dimensions, not in {W.shape[1]}")
    errors = []
    for columns, kept in zip(W, represented(W), strict=True):
        x, y = columns[:, kept]
        angles = torch.atan2(y, x).rad2deg().sort().values
        if len(angles) == 0:
            raise ValueError("a toy represents no feature, so there is nothing to be regular")
        gaps = torch.cat([angles[1:] - angles[:-1], angles[:1] + 360 - angles[-1:]])
        errors.append((gaps - 360 / len(angles)).abs().max())
    return torch.stack(errors)


PHASES = ("first only", "both, as a pair", "second only")


def phase(W: Float[Tensor, "toy one two"]) -> Int[Tensor, " toy"]:
    """What each toy of two features in one dimension does with them: an index into PHASES.

    -1 where it does something else: none of them, or both on the same side.
    """
    first, second = W[:, 0].unbind(dim=-1)
    kept = represented(W)
    found = torch.full((len(W),), -1)
    found[kept[:, 0] & ~kept[:, 1]] = 0
    found[~kept[:, 0] & kept[:, 1]] = 2
    found[kept.all(dim=-1) & (first * second < 0)] = 1
    return found


def phase_losses(
    probability: Float[Tensor, " toy"], importance: Float[Tensor, " toy"]
) -> Float[Tensor, "toy phase"]:
    """The losses of the three solutions in PHASES, in closed form. `importance`: of the second.

    A feature left out is guessed by its mean and costs its variance, p/3 - p^2/4. In a pair at full
    length, without a bias, an error is made only when both are active, with chance p^2; it is the
    smaller of the two values, whose mean square is 1/6, and both features suffer it.
    """
    left_out = probability / 3 - probability.square() / 4
    pair = (1 + importance) * probability.square() / 6
    return torch.stack([importance * left_out, pair, left_out], dim=-1)
