"""Metrics that read the logits of a few tokens only.

Any function of the logits is a metric. One that says which `tokens` it reads spares a sweep the
unembedding of all the others, which can cost as much as the rest of it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class LogitDifference:
    """Logit of the right token minus that of the wrong one, for each example."""

    right: Int[Tensor, " batch"]
    wrong: Int[Tensor, " batch"]

    @property
    def tokens(self) -> Int[Tensor, "batch 2"]:
        return torch.stack([self.right, self.wrong], dim=1)

    def of(self, read: Float[Tensor, "*any batch 2"]) -> Float[Tensor, "*any batch"]:
        """The metric, from the logits of its `tokens`."""
        return read[..., 0] - read[..., 1]

    def __call__(self, logits: Float[Tensor, "batch d_vocab"]) -> Float[Tensor, " batch"]:
        return self.of(logits.gather(-1, self.tokens.to(logits.device)))
