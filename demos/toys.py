"""Transformers small enough to be read: attention only, no MLP, no norm, no bias.

The architecture is that of Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits":
token embeddings make the residual stream, and positions are added only where queries and keys are
made. So a value never carries a position, a model without layers is a table of bigrams, and every
circuit is a product of weight matrices. A toy is trained in seconds (`demos.training`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Head = tuple[int, int]  # layer, index in it


class AttentionOnly(nn.Module):
    """A causal transformer of attention layers, with weights named as in TransformerLens.

    `n_layers=0` is the bigram model. `smeared`: each head mixes every key with the key one position
    earlier, in a proportion that it learns (Olsson et al. 2022, argument 2).
    The same `seed` gives the same weights and touches no other random state.
    """

    def __init__(
        self,
        d_vocab: int,
        n_ctx: int,
        n_layers: int,
        n_heads: int = 4,
        d_model: int = 64,
        d_head: int = 16,
        *,
        smeared: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.d_vocab, self.n_ctx = d_vocab, n_ctx
        self.n_layers, self.n_heads, self.d_model, self.d_head = n_layers, n_heads, d_model, d_head
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int, std: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * std)

        read = (n_layers, n_heads, d_model, d_head)
        self.W_E = normal(d_vocab, d_model, std=1)
        self.W_pos = normal(n_ctx, d_model, std=1)
        self.W_Q = normal(*read, std=d_model**-0.5)
        self.W_K = normal(*read, std=d_model**-0.5)
        self.W_V = normal(*read, std=d_model**-0.5)
        self.W_O = normal(n_layers, n_heads, d_head, d_model, std=(n_heads * d_head) ** -0.5)
        self.W_U = normal(d_model, d_vocab, std=d_model**-0.5)
        # sigmoid(0): key and previous key weigh the same before training
        self.smear = nn.Parameter(torch.zeros(n_layers, n_heads)) if smeared else None
        self.register_buffer("later", torch.ones(n_ctx, n_ctx, dtype=torch.bool).triu(1))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        return self.run(tokens)[0]

    def run(
        self, tokens: Int[Tensor, "batch pos"], without: Collection[Head] = ()
    ) -> tuple[Float[Tensor, "batch pos d_vocab"], list[Float[Tensor, "batch head query key"]]]:
        """Logits, and the attention pattern of every layer.

        `without`: heads that write nothing (zero ablation). Their patterns are still computed.
        """
        n = tokens.shape[1]
        residual = self.W_E[tokens]
        patterns = []
        for layer in range(self.n_layers):
            pattern = self.scores(layer, residual).masked_fill(self.later[:n, :n], -torch.inf)
            patterns.append(pattern.softmax(dim=-1))
            value = torch.einsum("bkd,hde->bhke", residual, self.W_V[layer])
            z = patterns[-1] @ value
            for head in range(self.n_heads):
                if (layer, head) in without:
                    z = z.index_fill(1, torch.tensor([head]), 0.0)
            residual = residual + torch.einsum("bhqe,hed->bqd", z, self.W_O[layer])
        return residual @ self.W_U, patterns

    def scores(
        self, layer: int, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch head query key"]:
        """Attention scores of a layer before mask and softmax."""
        placed = residual + self.W_pos[: residual.shape[1]]
        query = torch.einsum("bqd,hde->bhqe", placed, self.W_Q[layer])
        key = torch.einsum("bkd,hde->bhke", placed, self.W_K[layer])
        if self.smear is not None:
            own = self.smear[layer].sigmoid()[:, None, None]
            mixed = own * key[:, :, 1:] + (1 - own) * key[:, :, :-1]
            key = torch.cat([key[:, :, :1], mixed], dim=2)
        return query @ key.mT / math.sqrt(self.d_head)


def hand_built_induction(d_vocab: int, n_ctx: int, sharpness: float = 100.0) -> AttentionOnly:
    """A two-layer toy whose weights are set by hand, one head a layer: the textbook circuit.

    The stream has three parts: the token, the token before (written by head 0.0), and the answer
    (written by head 1.0). Head 0.0 attends to the previous position. Head 1.0 attends to where the
    token before equals the current token, and copies what stands there. With `sharpness` as its
    highest score, a head looks at nothing else; where nothing matches, head 1.0 looks everywhere.
    """
    token, before, answer = (slice(n * d_vocab, (n + 1) * d_vocab) for n in range(3))
    place = slice(3 * d_vocab, 3 * d_vocab + n_ctx)
    d_head = max(d_vocab, n_ctx)
    model = AttentionOnly(d_vocab, n_ctx, 2, 1, d_model=3 * d_vocab + n_ctx, d_head=d_head)
    strength = math.sqrt(sharpness * math.sqrt(d_head))  # query and key each bring one factor
    one = torch.eye(d_head)[:d_vocab]  # a token in a head's own space
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.W_E[:, token] = torch.eye(d_vocab)
        model.W_pos[:, place] = torch.eye(n_ctx)
        here = torch.eye(n_ctx, d_head)
        model.W_Q[0, 0, place] = strength * torch.cat([here[:1], here[:-1]])  # i asks for i - 1
        model.W_K[0, 0, place] = strength * here
        model.W_V[0, 0, token], model.W_O[0, 0, :d_vocab, before] = one, torch.eye(d_vocab)
        model.W_Q[1, 0, token], model.W_K[1, 0, before] = strength * one, strength * one
        model.W_V[1, 0, token], model.W_O[1, 0, :d_vocab, answer] = one, torch.eye(d_vocab)
        model.W_U[answer] = sharpness * torch.eye(d_vocab)
    return model


def as_bridge(model: AttentionOnly) -> TransformerBridge:
    """The same function as a TransformerLens bridge, for tools that patch by hook name.

    A bridge adds positions to the stream itself. So its stream is twice as wide: the toy's in the
    first half, positions in the second, which queries and keys read and values do not.
    Raises ValueError for smeared keys, which a bridge has not.
    """
    from demos.models import tiny_model

    if model.smear is not None:
        raise ValueError("a bridge has no smeared keys")
    bridge = tiny_model(
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        d_head=model.d_head,
        d_model=2 * model.d_model,
        d_vocab=model.d_vocab,
        n_ctx=model.n_ctx,
        attn_only=True,
        normalization_type=None,
    )
    weights = {
        name.replace("._original_component", ""): parameter
        for name, parameter in bridge.original_model.named_parameters()
    }
    half = model.d_model
    with torch.no_grad():
        for parameter in weights.values():
            parameter.zero_()
        weights["tok_embed.weight"][:, :half] = model.W_E
        weights["pos.weight"][:, half:] = model.W_pos
        weights["head.weight"][:, :half] = model.W_U.T
        for layer in range(model.n_layers):
            attention = f"layers.{layer}.attn"
            for name, matrices in (("q", model.W_Q), ("k", model.W_K), ("v", model.W_V)):
                rows = matrices[layer].transpose(1, 2).flatten(0, 1)  # (head * d_head, d_model)
                weights[f"{attention}.{name}.weight"][:, :half] = rows
                if name != "v":
                    weights[f"{attention}.{name}.weight"][:, half:] = rows
            weights[f"{attention}.o.weight"][:half] = model.W_O[layer].flatten(0, 1).T
    return bridge


def prefix_matching(
    pattern: Float[Tensor, "batch head query key"], period: int
) -> Float[Tensor, " head"]:
    """Share of attention that each head pays to the token that followed the earlier copy.

    The prompts are one token, then `period` tokens, then at least these again. Counted is from the
    second block: its first token can be matched with the first block's, its last one too.
    From 0 to 1. Raises ValueError if the prompts are shorter.
    Source: Olsson et al. 2022, arXiv:2209.11895, prefix matching.
    """
    if pattern.shape[-1] < 2 * period + 1:
        raise ValueError(
            f"a period of {period} needs {2 * period + 1} positions, not {pattern.shape[-1]}"
        )
    to_next = pattern.diagonal(1 - period, dim1=-2, dim2=-1)  # index 0 is query `period - 1`
    return to_next[..., 2 : period + 2].mean(dim=(0, -1))


def previous_token(
    pattern: Float[Tensor, "batch head query key"], last: int
) -> Float[Tensor, " head"]:
    """Share of attention that each head pays to the position before, from positions 1 to `last`."""
    return pattern.diagonal(-1, dim1=-2, dim2=-1)[..., :last].mean(dim=(0, -1))
