"""Transformers whose circuits are known, because their weights are written by hand.

Each comes with its program: the edges over which the answer is worked out. No norm stands between
the parts, so that every number can be followed on paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from demos.attention_only import as_gpt
from demos.circuit import Circuit
from demos.edge_graph import EdgeGraph, parse_edge
from demos.forward import GPT, GPTConfig
from demos.toys import as_bridge, hand_built_induction

Gate = Literal["and", "or", "enough"]
FLAG, PLACE, A, B, OUT, ONE, JUNK = 0, slice(1, 4), 4, 5, 6, 7, 8  # parts of a gate's stream
SHARPNESS = 40.0  # score of the position that a head looks for; the others have 0
CERTAINTY = 8.0  # logit of the right answer over the wrong one


@dataclass(frozen=True)
class HandCircuit:
    """A model, the edges that its program uses, and prompts: row by row, clean and corrupted.

    `constant`: edges of the program over which the same is said on clean and on corrupted prompts,
    such as where a position stands. Only a replacement from outside of the data can tell that they
    matter.
    """

    model: GPT
    program: Circuit
    constant: frozenset
    clean: Int[Tensor, "batch position"]
    corrupted: Int[Tensor, "batch position"]

    @property
    def graph(self) -> EdgeGraph:
        return self.program.graph

    @property
    def varying(self) -> Circuit:
        """The program without its constant edges."""
        return Circuit(self.graph, self.program.edges - self.constant)


def induction_toy(seed: int = 0, batch: int = 16, d_vocab: int = 12) -> HandCircuit:
    """Two heads that continue a repeated text (`demos.toys.hand_built_induction`).

    Clean prompts end with the second copy of a token that stood at the beginning; corrupted ones
    have other tokens, none of them twice.
    """
    period = 4
    toy = hand_built_induction(d_vocab, period + 1)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.stack([torch.randperm(d_vocab, generator=generator) for _ in range(batch)])
    again = torch.randint(period - 1, (batch, 1), generator=generator)
    clean = torch.cat([rows[:, :period], rows[:, :period].gather(1, again)], dim=1)
    corrupted = rows[:, period : 2 * period + 1]
    model = as_gpt(as_bridge(toy))
    # Where a token stands reaches head 0.0 over its query and its key.
    constant = "embed -> 0.0 q, embed -> 0.0 k"
    program = (
        f"{constant}, embed -> 0.0 v, embed -> 1.0 q, 0.0 -> 1.0 k, embed -> 1.0 v, 1.0 -> logits"
    )
    return _made(model, program, constant, clean, corrupted)


def gate_toy(gate: Gate = "and", *, threshold_by_head: bool = False) -> HandCircuit:
    """Two flags and a question mark: a gate of both flags, or of the first, decides the answer.

    Head 0.0 fetches the first flag and head 0.1 the second; feed-forward layer 0 computes the gate
    from them. Head 0.2 and layer 1 do things that nothing reads. `and`: relu(a + b - 1); `or`:
    relu(a + b) - relu(a + b - 1); `enough`: 1 - relu(1 - 2a), which is flat from one half on.
    `threshold_by_head`: the 1 of `and` is written by head 0.2, the same on every prompt, instead of
    standing in the bias.
    Raises ValueError for another gate with such a threshold.
    """
    if threshold_by_head and gate != "and":
        raise ValueError("only the and gate takes its threshold from a head")
    model = _empty(n_layers=2, n_heads=3, d_model=10)
    model.W_E[1, FLAG] = 1.0
    model.W_E[:, ONE] = 1.0
    model.W_pos[:, PLACE] = torch.eye(3)
    heads, first = model.blocks[0].attn, model.blocks[0].mlp
    for head, (place, read, write) in enumerate([(0, FLAG, A), (1, FLAG, B), (2, ONE, JUNK)]):
        heads.b_Q[head, 0] = 1.0  # whoever asks, the question is the same
        heads.W_K[head, 1 + place, 0] = SHARPNESS * heads.W_K.shape[-1] ** 0.5
        heads.W_V[head, read, 0] = heads.W_O[head, 0, write] = 1.0
    match gate:
        case "and":
            first.W_in[[A, B], 0], first.W_out[0, OUT] = 1.0, 1.0
            if threshold_by_head:
                first.W_in[JUNK, 0] = -1.0
            else:
                first.b_in[0] = -1.0
        case "or":
            first.W_in[[A, B], 0], first.W_out[0, OUT] = 1.0, 1.0
            first.W_in[[A, B], 1], first.W_out[1, OUT], first.b_in[1] = 1.0, -1.0, -1.0
        case "enough":
            first.W_in[A, 0], first.b_in[0] = -2.0, 1.0
            first.W_out[0, OUT], first.b_out[OUT] = -1.0, 1.0
    model.blocks[1].mlp.W_in[JUNK, 0] = model.blocks[1].mlp.W_out[0, JUNK + 1] = 1.0
    model.W_U[OUT, 1], model.b_U[1] = 2 * CERTAINTY, -CERTAINTY
    model.b_U[2] = -CERTAINTY
    constant = "embed -> 0.0 k, embed -> 0.1 k"
    varying = "embed -> 0.0 v, embed -> 0.1 v, 0.0 -> mlp 0, 0.1 -> mlp 0, mlp 0 -> logits"
    if gate == "enough":
        constant, varying = "embed -> 0.0 k", "embed -> 0.0 v, 0.0 -> mlp 0, mlp 0 -> logits"
    if threshold_by_head:
        constant += ", embed -> 0.2 v, 0.2 -> mlp 0"
    flags = [[1, 1], [1, 0], [0, 1]] if gate == "and" else [[1, 1]]
    clean = torch.tensor([[*pair, 2] for pair in flags])
    corrupted = torch.cat([1 - clean[:, :2], clean[:, 2:]], dim=1)  # both flags turned over
    return _made(model, f"{constant}, {varying}", constant, clean, corrupted)


def _empty(n_layers: int, n_heads: int, d_model: int) -> GPT:
    """A GPT of zeros without norms, for three positions and three tokens."""
    config = GPTConfig(
        n_layers, n_heads, d_model, d_head=2, d_mlp=2, d_vocab=3, n_ctx=3, activation="relu"
    )
    model = GPT(config)
    model.ln_final = nn.Identity()
    for block in model.blocks:
        block.ln1, block.ln2 = nn.Identity(), nn.Identity()
    model.requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.zero_()
    return model


def _made(model: GPT, program: str, constant: str, clean: Tensor, corrupted: Tensor) -> HandCircuit:
    graph = EdgeGraph.of(model)
    edges = {
        name: frozenset(map(parse_edge, text.split(", ")))
        for name, text in (("program", program), ("constant", constant))
    }
    return HandCircuit(model, Circuit(graph, edges["program"]), edges["constant"], clean, corrupted)
