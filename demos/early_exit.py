"""Stopping before the last layer: when it could be done, and rules that try.

A *state* is the residual stream after so many layers, from 0, the embedding. Leaving at state s
saves all layers above it. What counts is agreement with the model's own last prediction, not with
the truth. Source: Geva et al. 2022, arXiv:2203.14680, section 6; the authors' notebooks in
aviclu/ffn-values, early_exit.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def saturation(top: Int[Tensor, "state sample"]) -> Int[Tensor, " sample"]:
    """The first state from which the top token is the last one's and stays so."""
    agrees = top == top[-1]
    # Going back from the last state, until one differs.
    return len(top) - agrees.flip(0).long().cumprod(dim=0).sum(dim=0)


def leave(score: Float[Tensor, "state sample"], threshold: float) -> Int[Tensor, " sample"]:
    """The first state whose score reaches the threshold; the last one if none does."""
    reached = score >= threshold
    reached[-1] = True
    return reached.long().argmax(dim=0)


def agreement(
    top: Int[Tensor, "state sample"], left_at: Int[Tensor, " sample"]
) -> Bool[Tensor, " sample"]:
    """Whether the top token where one left is the one that the last state would have given."""
    return top.gather(0, left_at[None])[0] == top[-1]


def saved(
    top: Int[Tensor, "state sample"], left_at: Int[Tensor, " sample"]
) -> Int[Tensor, " sample"]:
    """Layers that need not be run."""
    return len(top) - 1 - left_at


def choose_threshold(
    score: Float[Tensor, "state sample"], top: Int[Tensor, "state sample"], wanted: float
) -> float:
    """The lowest threshold that agrees in at least a share `wanted` of these samples.

    Of those that this and every higher threshold keep to: agreement need not rise steadily.
    Infinity, at which nobody leaves early, if no finite one does.
    """
    lowest = float("inf")
    for threshold in score.unique().flip(0).tolist():
        if agreement(top, leave(score, threshold)).float().mean() < wanted:
            break
        lowest = threshold
    return lowest


def probe_scores(
    fitted: Float[Tensor, "state sample d_model"],
    agrees: Bool[Tensor, "state sample"],
    judged: Float[Tensor, "state other d_model"],
    penalty: float,
) -> Float[Tensor, "state other"]:
    """A linear guess, for each state by itself, of whether it already agrees with the last one.

    A ridge regression of `agrees` on the state's entries; `penalty` in units of their mean variance
    times the number of samples.
    """
    scores = []
    for states, right, others in zip(fitted, agrees, judged, strict=True):
        mean, base = states.mean(dim=0), right.float().mean()
        centred = states - mean
        gram = centred.T @ centred
        ridge = penalty * gram.diagonal().mean()
        gram.diagonal().add_(ridge)
        weights = torch.linalg.solve(gram, centred.T @ (right.float() - base))
        scores.append((others - mean) @ weights + base)
    return torch.stack(scores)
