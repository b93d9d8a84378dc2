"""The logit lens: what would the model say if it stopped after this layer?

Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


def residual_stream(
    model: "TransformerBridge",
    tokens: Int[Tensor, "batch position"],
    positions: int | Sequence[int] | Int[Tensor, " batch"] = -1,
) -> Float[Tensor, "layer_plus_1 batch *chosen d_model"]:
    """The residual stream at the chosen positions: the embedding, then after each layer.

    `positions`: one for all prompts (the default is the last), several (an axis `chosen` appears),
    or a tensor with one for each prompt. Row `l` is the state before layer `l`, so row 0 is the
    embedding and the last row what the final norm reads. It has NOT been through that norm.
    """
    names = ["blocks.0.hook_resid_pre"]
    names += [f"blocks.{layer}.hook_resid_post" for layer in range(model.cfg.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, return_type=None, names_filter=names)
    chosen = (
        (torch.arange(len(tokens)), positions)
        if isinstance(positions, Tensor)
        else (slice(None), positions)
    )
    return torch.stack([cache[name][chosen] for name in names])


def read_logits(
    model: "TransformerBridge", residual: Float[Tensor, "*any d_model"]
) -> Float[Tensor, "*any d_vocab"]:
    """Final norm, then unembedding: the logit lens on residual vectors of any layer.

    On the last row of `residual_stream` these are the model's own logits. Hugging Face's
    `hidden_states[-1]` is past the final norm already and must not come here.
    """
    from transformer_lens.tools.analysis import logit_readout

    return logit_readout(model, residual, chunk_size=256).values


def logit_difference(
    logits: Float[Tensor, "*any batch d_vocab"], io: Int[Tensor, " batch"], s: Int[Tensor, " batch"]
) -> Float[Tensor, "*any batch"]:
    """Logit of the right name minus logit of the wrong one, for each prompt.

    Above 0 the model prefers the right name. Source: Wang et al. 2022, section 2.
    """
    prompt = torch.arange(len(io), device=logits.device)
    return logits[..., prompt, io] - logits[..., prompt, s]


def lens_logit_difference(
    model: "TransformerBridge",
    residual: Float[Tensor, "*any batch d_model"],
    io: Int[Tensor, " batch"],
    s: Int[Tensor, " batch"],
) -> Float[Tensor, "*any batch"]:
    """`logit_difference` of `read_logits`, without computing the rest of the vocabulary.

    For models whose logits are linear in the normed residual stream (no soft cap).
    """
    with torch.no_grad():
        normed = model.ln_final(residual.flatten(0, -2).unsqueeze(0)).view_as(residual)
        direction = (model.W_U[:, io] - model.W_U[:, s]).T  # (batch, d_model)
        return (normed * direction).sum(dim=-1) + model.b_U[io] - model.b_U[s]


def kl_to_final(
    logits: Float[Tensor, "layer_plus_1 batch d_vocab"],
) -> Float[Tensor, "layer_plus_1 batch"]:
    """KL divergence, in nats, from the last row's next-token distribution to each row's.

    0 where the lens already says what the model will say; KL(final || row).
    """
    rows = logits.log_softmax(dim=-1)
    final = rows[-1]
    return (final.exp() * (final - rows)).sum(dim=-1)
