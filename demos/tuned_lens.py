"""A lens fitted to the model: one affine map for each state of the stream, then the unembedding.

The logit lens reads every state as if it were the last. A tuned lens first translates it into the
last one's terms. Belrose et al. 2023, arXiv:2303.08112, fit the translation by gradient descent on
the KL divergence. Here it is a ridge regression in closed form, from each normed state to the last
normed one, which takes seconds; with the identity as its map it is the logit lens.

A *state* is the residual stream after so many layers: state 0 is the embedding, the last state is
what the final norm reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class TunedLens:
    """Row vectors: a normed state x reads as x @ maps[state] + offsets[state]."""

    maps: Float[Tensor, "state d_model d_model"]
    offsets: Float[Tensor, "state d_model"]

    def translate(
        self, normed: Float[Tensor, "state sample d_model"]
    ) -> Float[Tensor, "state sample d_model"]:
        return normed @ self.maps + self.offsets[:, None]


@dataclass(frozen=True)
class Reading:
    """What a lens says at each state and position."""

    top: Int[Tensor, "state sample"]  # the likeliest token
    confidence: Float[Tensor, "state sample"]  # its probability
    kl: Float[Tensor, "state sample"]  # from the model's own distribution to the lens's, nats


def normed_states(
    model: "TransformerBridge", residual: Float[Tensor, "state *any d_model"]
) -> Float[Tensor, "state sample d_model"]:
    """Each state after the model's final norm, positions in one row."""
    with torch.no_grad():
        return torch.stack([model.ln_final(state.flatten(0, -2)[None])[0] for state in residual])


def fit_lens(
    normed: Float[Tensor, "state sample d_model"],
    target: Float[Tensor, "sample d_model"] | None = None,
    penalties: Sequence[float] = (1e-3, 1e-2, 1e-1, 1.0),
    kept: float = 0.25,
) -> TunedLens:
    """The ridge regression of the last state, or of `target`, on each state over all samples.

    `penalties`: to choose from, in units of the mean variance of a state's entries times the number
    of samples. Each state gets the one with the least squared error on the last `kept` of the
    samples after a fit on the others. The offset is not penalized.
    Raises ValueError unless all penalties are positive.
    """
    if not penalties or min(penalties) <= 0:
        raise ValueError(f"penalties are positive, at least one, not {penalties}")
    target = normed[-1] if target is None else target
    cut = round(len(target) * (1 - kept))
    fitted = []
    for state in normed:
        tried = _ridges(state[:cut], target[:cut], penalties)
        errors = [
            (state[cut:] @ matrix + offset - target[cut:]).pow(2).mean().item()
            for matrix, offset in tried
        ]
        best = penalties[errors.index(min(errors))]
        fitted += _ridges(state, target, [best])
    return TunedLens(*(torch.stack(parts) for parts in zip(*fitted, strict=True)))


def shift_lens(normed: Float[Tensor, "state sample d_model"]) -> TunedLens:
    """A lens that may only move and stretch: the last state's mean and spread for each state's own.

    Between the logit lens, which does nothing, and a fitted map, which may also turn.
    """
    means = normed.mean(dim=1)
    spread = (normed - means[:, None]).pow(2).mean(dim=(1, 2)).sqrt()
    stretch = spread[-1] / spread
    maps = stretch[:, None, None] * torch.eye(normed.shape[-1])
    return TunedLens(maps, means[-1] - stretch[:, None] * means)


def _ridges(
    state: Float[Tensor, "sample d_model"],
    target: Float[Tensor, "sample d_model"],
    penalties: Sequence[float],
) -> list[tuple[Tensor, Tensor]]:
    """Map and offset for each penalty."""
    mean, target_mean = state.mean(dim=0), target.mean(dim=0)
    centred = state - mean
    gram, cross = centred.T @ centred, centred.T @ (target - target_mean)
    ridge = gram.diagonal().mean() * torch.eye(len(gram))
    maps = [torch.linalg.solve(gram + penalty * ridge, cross) for penalty in penalties]
    return [(matrix, target_mean - mean @ matrix) for matrix in maps]


def read(
    model: "TransformerBridge",
    normed: Float[Tensor, "state sample d_model"],
    lens: TunedLens | None = None,
) -> Reading:
    """What the lens says of each state; the logit lens if none is given.

    The last state needs no lens and is read without one: it is what the model itself says, and what
    the others are compared with. For models whose logits are linear in the normed stream.
    """
    translated = normed if lens is None else lens.translate(normed)
    own = log_probabilities(model, normed[-1])
    weights = own.exp()
    with torch.no_grad():
        # The mean logit under the model's own distribution is linear in the state: a product of
        # two short vectors instead of a sum over the vocabulary.
        direction, constant = weights @ model.W_U.T, weights @ model.b_U
        own_term = (weights * own).sum(dim=-1)
        tops, confidences, kls = [], [], []
        for state in (*translated[:-1], normed[-1]):  # one at a time: all of them take gigabytes
            logits = state @ model.W_U + model.b_U
            highest, top = logits.max(dim=-1)
            total = logits.logsumexp(dim=-1)
            tops.append(top)
            confidences.append((highest - total).exp())
            kls.append(own_term - (state * direction).sum(dim=-1) - constant + total)
    return Reading(torch.stack(tops), torch.stack(confidences), torch.stack(kls))


def log_probabilities(
    model: "TransformerBridge", normed: Float[Tensor, "sample d_model"]
) -> Float[Tensor, "sample d_vocab"]:
    """Of the next token, in nats, from states after the final norm."""
    with torch.no_grad():
        return (normed @ model.W_U + model.b_U).log_softmax(dim=-1)
