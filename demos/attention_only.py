"""A GPT of `demos.forward` from a model that lacks one of its parts: no norms, no neurons."""

from __future__ import annotations

from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from demos.forward import GPT, config_of

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


def as_gpt(model: TransformerBridge | GPT) -> GPT:
    """The model as a GPT that shares its weights; a GPT is given back as it is.

    A model without feed-forward layers gets some of no neurons (`d_mlp` is 0), which write zeros; a
    model without norms gets the identity in their places.
    Raises ValueError if the model has parts that a GPT has not.
    """
    if isinstance(model, GPT):
        return model
    attn_only = bool(getattr(model.cfg, "attn_only", False))
    has_norms = model.cfg.normalization_type is not None
    if not attn_only and has_norms:
        return GPT.from_bridge(model)

    cfg = SimpleNamespace(**vars(model.cfg))
    cfg.architecture = model.cfg.architecture
    if attn_only:
        cfg.d_mlp, cfg.act_fn, cfg.gated_mlp = 0, "relu", False
    if not has_norms:
        cfg.normalization_type = "LN"
    with torch.device("meta"):  # shapes only: the weights come from the model
        gpt = GPT(config_of(SimpleNamespace(cfg=cfg)))
    if not has_norms:
        gpt.ln_final = nn.Identity()
        for block in gpt.blocks:
            block.ln1, block.ln2 = nn.Identity(), nn.Identity()
    weights = {name: _weight(model, name, like) for name, like in gpt.named_parameters()}
    gpt.load_state_dict(weights, assign=True)
    return gpt.requires_grad_(False).eval()


def _weight(model: TransformerBridge, name: str, like: Tensor) -> Tensor:
    """A weight of the model by its name; zero where the model has no such part."""
    try:
        found = attrgetter(name)(model)
    except AttributeError:
        if ".mlp." not in name and ".ln2." not in name and ".b_" not in name and name != "b_U":
            raise
        found = None
    device = model.cfg.device
    return torch.zeros(like.shape, device=device) if found is None else found.detach()
