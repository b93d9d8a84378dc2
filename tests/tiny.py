"""Small models for tests that compare two ways to compute the same."""

from typing import Any

import torch

from demos.models import tiny_model

GPT2: dict[str, Any] = {}
LLAMA: dict[str, Any] = {"normalization_type": "RMS", "gated_mlp": True, "act_fn": "silu"}


def random_model(**settings: Any) -> Any:
    """A tiny model in which no weight is zero, biases and norms included."""
    made = tiny_model(**settings)
    with torch.no_grad():
        for parameter in made.original_model.parameters():
            parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return made
