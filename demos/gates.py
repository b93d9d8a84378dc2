"""Two transformers whose weights are set by hand: one computes AND of two bits, the other OR.

They read "a b =" and answer the third token. Head 0 fetches a, head 1 fetches b, and one
feed-forward layer joins them, so what each part does is known without an experiment. An
intervention that is tried on them is tested itself.
"""

from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from demos.models import tiny_model

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Gate = Literal["and", "or"]
ZERO, ONE, EQUALS = range(3)  # the vocabulary
# What each dimension of the stream stands for: the token, its position, what the heads fetched.
IS_ZERO, IS_ONE, IS_EQUALS, AT_A, AT_B, AT_END, A_ZERO, A_ONE, B_ZERO, B_ONE, OUT = range(11)
D_MODEL, D_HEAD = 12, 6
SHARP = 4.0  # a head looks at one position and leaves e^-39 to the others


def prompt(a: int, b: int) -> Int[Tensor, "1 3"]:
    return torch.tensor([[a, b, EQUALS]])


def answer(logits: Tensor) -> Tensor:
    """How much rather the model says 1 than 0, of each example."""
    return logits[..., ONE] - logits[..., ZERO]


def gate(kind: Gate) -> "TransformerBridge":
    """A model with one layer and two heads. Raises ValueError for another kind of gate."""
    if kind not in ("and", "or"):
        raise ValueError(f"a gate is 'and' or 'or', not {kind!r}")
    model = tiny_model(
        n_layers=1,
        n_heads=2,
        d_model=D_MODEL,
        d_head=D_HEAD,
        d_mlp=2,
        d_vocab=3,
        n_ctx=3,
        act_fn="relu",
        normalization_type="RMS",
    )
    native = model.original_model
    layer = native.layers[0]
    with torch.no_grad():
        for name, weights in native.named_parameters():
            weights.fill_(1.0 if ".ln" in name or "ln_out" in name else 0.0)
        for token, dimension in enumerate((IS_ZERO, IS_ONE, IS_EQUALS)):
            native.tok_embed.weight[token, dimension] = 1
        for position, dimension in enumerate((AT_A, AT_B, AT_END)):
            native.pos.weight[position, dimension] = 1
        for head, (place, zero, one) in enumerate(((AT_A, A_ZERO, A_ONE), (AT_B, B_ZERO, B_ONE))):
            first, second, third = (head * D_HEAD + n for n in range(3))
            layer.attn.q.weight[first, AT_END] = SHARP
            layer.attn.k.weight[first, place] = SHARP
            layer.attn.v.weight[second, IS_ZERO] = layer.attn.v.weight[third, IS_ONE] = READ_TOKEN
            layer.attn.o.weight[zero, second] = layer.attn.o.weight[one, third] = 1
        _join(layer.mlp, kind)
        native.head.weight[ONE, OUT] = 1
        native.head.weight[ZERO, AT_END] = 0.5
    return model


# The norm before a layer divides by the root mean square: of two ones among the twelve numbers of
# a token, and of four when both heads have written. Weights that read undo it.
READ_TOKEN = (2 / D_MODEL) ** 0.5
READ_BITS = (4 / D_MODEL) ** 0.5


def _join(mlp: torch.nn.Module, kind: Gate) -> None:
    """AND fires when both bits are 1. OR always fires, less what fires when both are 0."""
    bits, sign = ((A_ONE, B_ONE), 1) if kind == "and" else ((A_ZERO, B_ZERO), -1)
    for bit in bits:
        mlp.fc_in.weight[0, bit] = READ_BITS
    mlp.fc_in.weight[0, AT_END] = -READ_BITS  # fires above 1, that is when both are there
    mlp.fc_out.weight[OUT, 0] = sign
    if kind == "or":
        mlp.fc_in.weight[1, AT_END] = READ_BITS
        mlp.fc_out.weight[OUT, 1] = 1
