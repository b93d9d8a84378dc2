"""A reset network: a model whose weights are all there, and in disorder.

What a search finds in it is what the search finds without anything to find. Source: Conmy et al.
2023, arXiv:2304.14997, appendix L, for the control.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from demos.attention_only import as_gpt
from demos.forward import GPT

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


def reset(model: TransformerBridge | GPT, seed: int = 0) -> GPT:
    """A copy with the numbers of each matrix of heads and feed-forward layers shuffled within it.

    Each head's matrices are shuffled by themselves. Embedding, unembedding, biases and norms stay,
    so that tokens are still told apart and named; what works between them is gone.
    Raises ValueError if the model has parts that a GPT has not.
    """
    shuffled = copy.deepcopy(as_gpt(model))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in shuffled.blocks.named_parameters():
            if not name.rpartition(".")[2].startswith("W_"):
                continue
            for matrix in weight if weight.ndim == 3 else [weight]:
                order = torch.randperm(matrix.numel(), generator=generator).to(matrix.device)
                matrix.copy_(matrix.flatten()[order].view_as(matrix))
    return shuffled
