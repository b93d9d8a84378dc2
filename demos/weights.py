"""What the weights of attention heads say without running them on a text.

Conventions: vectors are rows, so a head's output is `x @ W_V @ W_O`, and its score of query vector
`q` and key vector `k` is `q @ W_Q @ W_K.T @ k`. Source: Elhage et al. 2021, "A Mathematical
Framework for Transformer Circuits".
"""

import torch
from jaxtyping import Float
from torch import Tensor

from demos.toys import AttentionOnly


def full_ov(model: AttentionOnly, layer: int) -> Float[Tensor, "head source output"]:
    """What each head adds to the logit of `output` where it attends to the token `source` alone."""
    return model.W_E @ model.W_V[layer] @ model.W_O[layer] @ model.W_U


def full_qk(model: AttentionOnly, layer: int) -> Float[Tensor, "head destination source"]:
    """The score that each head gives a token `source` seen from `destination`, positions apart.

    Divided by the root of d_head, as the softmax will see it.
    """
    query, key = model.W_E @ model.W_Q[layer], model.W_E @ model.W_K[layer]
    return query @ key.mT / model.d_head**0.5


def copying_score(matrix: Float[Tensor, "*any n n"]) -> Float[Tensor, "*any"]:
    """Sum of the eigenvalues over the sum of their sizes: 1 if all are positive, near 0 by chance.

    A matrix that copies has positive eigenvalues; one with positive eigenvalues need not copy.
    Source: Elhage et al. 2021, "Detecting Copying Behavior".
    """
    eigenvalues = torch.linalg.eigvals(matrix)
    return eigenvalues.sum(dim=-1).real / eigenvalues.abs().sum(dim=-1)


def self_promotion(matrix: Float[Tensor, "*any source output"]) -> Float[Tensor, "*any"]:
    """Share of tokens that are raised more than any other token when they are attended to."""
    n = matrix.shape[-1]
    return (matrix.argmax(dim=-1) == torch.arange(n)).double().mean(dim=-1)


def composition_scores(
    earlier: Float[Tensor, "sender d_model d_model"],
    later_qk: Float[Tensor, "receiver d_model d_model"],
    later_ov: Float[Tensor, "receiver d_model d_model"],
) -> dict[str, Float[Tensor, "receiver sender"]]:
    """How strongly each later head reads, as "Q", "K" or "V", what each earlier head writes.

    `earlier`: W_V @ W_O of the senders; `later_qk`: W_Q @ W_K.T and `later_ov`: W_V @ W_O of the
    receivers. The Frobenius norm of the product over the product of the norms: between 0 and 1. It
    has to be compared with `random_composition`, which is not 0.
    Source: Elhage et al. 2021, "Two-Layer Attention-Only Transformers", composition of heads.
    """
    senders = earlier[None]
    products = {
        "Q": senders @ later_qk[:, None],
        "K": senders @ later_qk.mT[:, None],
        "V": senders @ later_ov[:, None],
    }
    receivers = {"Q": later_qk, "K": later_qk, "V": later_ov}
    return {
        part: _norm(product) / (_norm(receivers[part])[:, None] * _norm(senders))
        for part, product in products.items()
    }


def random_composition(
    d_model: int, d_head: int, generator: torch.Generator, n: int = 200
) -> Float[Tensor, " n"]:
    """Composition scores of pairs of heads with independent normal weights."""

    def heads() -> Tensor:
        shape = (n, d_model, d_head)
        left, right = (torch.randn(shape, generator=generator) for _ in range(2))
        return left @ right.mT

    one, other = heads(), heads()
    return _norm(one @ other) / (_norm(one) * _norm(other))


def _norm(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix)
