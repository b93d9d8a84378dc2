"""Runs of a model in which some edges are cut: their senders are heard as in another run.

Everything that a receiver reads is the reference run's stream plus, over a kept edge each, how far
its sender is from the reference. That is exact, because the stream is a sum. Three things make it
fast, and change no value: only nodes from which a kept path leads to the logits are computed; what
stands below every cut is as in the clean run; and where only the last position is read on, only
that is computed. Many circuits, "cells", go through together.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.attention_only import as_gpt
from demos.edge_graph import EdgeGraph
from demos.forward import GPT, rotate
from demos.nodes import EMBED, LOGITS, Head, Mlp, rank

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Replacement = Literal["corrupted", "mean", "zero"]
Mask = Bool[np.ndarray, "receiver sender"]
# Numbers that the copies of one batch of cells may hold in their senders' outputs: 400 MB.
MOST_NUMBERS = 100_000_000
CELLS = 16  # that are measured at a time


class EdgeRuns:
    """A model and prompts, and a reference that is heard over every edge that is cut.

    `replacement`: `corrupted`, each example's partner in `corrupted`; `mean`, the mean over the
    rows of `corrupted`, position by position; `zero`, nothing. Biases that no part owns (those of
    attention layers) are always there.
    `all_logits`: keep the logits of all positions rather than of the last.
    Raises ValueError if the batches do not fit, or if the model has parts that a GPT has not.
    """

    def __init__(
        self,
        model: TransformerBridge | GPT,
        graph: EdgeGraph,
        clean: Int[Tensor, "batch position"],
        corrupted: Int[Tensor, "sample position"] | None = None,
        replacement: Replacement = "corrupted",
        *,
        all_logits: bool = False,
    ) -> None:
        _check(clean, corrupted, replacement)
        self.gpt, self.graph, self.clean = as_gpt(model), graph, clean
        self.replacement, self.corrupted, self.all_logits = replacement, corrupted, all_logits
        self.n_positions = clean.shape[1]
        with torch.no_grad():
            outputs = self._outputs(clean)
            self.reference = self._reference(outputs).expand_as(outputs)
            # How far each sender of the clean run is from its reference.
            self.distance: Float[Tensor, "sender batch position d_model"] = outputs - self.reference
            # What a receiver of each rank reads when all its edges are cut, and when none is.
            self._quiet = self._streams(self.reference)
            self._full = self._streams(outputs)
            self.clean_logits = self._unembed(self._full[rank(LOGITS)])

    # What the runs are made of

    def _outputs(self, tokens: Tensor) -> Float[Tensor, "sender batch position d_model"]:
        """What each sender writes in a plain run."""
        gpt, graph = self.gpt, self.graph
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = gpt.embed(tokens, positions)
        for block in gpt.blocks[: graph.first_layer]:
            x = block(x, positions)
        outputs = [x]
        for layer in graph.layers:
            block = gpt.blocks[layer]
            z = block.attn.mix(block.ln1(x), positions)
            written = z @ block.attn.W_O  # (batch, head, position, d_model)
            outputs += written.unbind(dim=1)
            x = x + written.sum(dim=1) + block.attn.b_O
            if graph.mlps:
                outputs.append(block.mlp(block.ln2(x)))
                x = x + outputs[-1]
        return torch.stack(outputs)

    def _reference(self, outputs: Tensor) -> Tensor:
        if self.replacement == "zero":
            return torch.zeros_like(outputs[:, :1])
        assert self.corrupted is not None
        others = self._outputs(self.corrupted)
        return others.mean(dim=1, keepdim=True) if self.replacement == "mean" else others

    def _streams(self, outputs: Tensor) -> dict[int, Float[Tensor, "batch position d_model"]]:
        """By rank of the receiver: the sum of all that is written before it."""
        graph = self.graph
        index, streams = graph.sender_index, {}
        x = outputs[index[EMBED]]
        for layer in graph.layers:
            streams[2 * layer] = x
            heads = [index[Head(layer, head)] for head in range(graph.n_heads)]
            x = x + outputs[heads].sum(dim=0) + self.gpt.blocks[layer].attn.b_O
            streams[2 * layer + 1] = x
            if graph.mlps:
                x = x + outputs[index[Mlp(layer)]]
        streams[rank(LOGITS)] = x
        return streams

    def _unembed(self, x: Tensor) -> Tensor:
        if not self.all_logits:
            x = x[..., -1, :]
        return self.gpt.ln_final(x) @ self.gpt.W_U + self.gpt.b_U

    # What is asked of them

    @property
    def everything(self) -> Mask:
        return self.graph.possible.copy()

    @torch.no_grad()
    def logits(self, kept: Bool[np.ndarray, "cell receiver sender"]) -> Tensor:
        """The logits when only these edges are kept: (cell, batch, d_vocab), of the last position,
        or with `all_logits` (cell, batch, position, d_vocab).
        """
        kept = kept & self.graph.possible
        work = _plan(self.graph, kept, self.all_logits)
        copied = self.distance[0].numel() * (1 + 4 * int(work.computed.sum()))
        vocabulary = 2 * self.clean_logits.numel()
        size = max(1, MOST_NUMBERS // (copied + vocabulary))
        return torch.cat(
            [_Pass(self, kept[at : at + size], work).logits() for at in range(0, len(kept), size)]
        )

    def heard(self, kept: Mask) -> Bool[np.ndarray, " receiver"]:
        """Which receivers have a kept path to the logits."""
        return _live(self.graph, kept, self.all_logits).inputs

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides what the runs compute."""
        digest = hashlib.sha256(repr((self.graph, self.gpt.config, self.replacement)).encode())
        tensors = [self.clean, *self.gpt.parameters()]
        for tensor in tensors if self.corrupted is None else [self.corrupted, *tensors]:
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def measure(
        self, kept: Sequence[Mask], metric: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "cell batch"]:
        """The metric of each example when only these edges are kept."""
        values = []
        for at in range(0, len(kept), CELLS):
            values += [metric(logits) for logits in self.logits(np.stack(kept[at : at + CELLS]))]
        if values and values[0].shape != (len(self.clean),):
            raise ValueError(
                f"the metric gives {tuple(values[0].shape)}, not one number an example"
            )
        return torch.stack(values)


@dataclass(frozen=True)
class _Live:
    """What has a kept path to the logits in some cell."""

    senders: Bool[np.ndarray, " sender"]
    everywhere: Bool[np.ndarray, " sender"]  # at all positions, rather than at the last
    inputs: Bool[np.ndarray, " receiver"]


def _live(graph: EdgeGraph, used: Mask, all_logits: bool) -> _Live:
    senders = np.zeros(len(graph.senders), dtype=bool)
    inputs = np.zeros(len(graph.receivers), dtype=bool)
    everywhere, all_positions = np.zeros_like(senders), np.zeros_like(inputs)
    inputs[-1], all_positions[-1] = True, all_logits
    for at in range(len(graph.senders) - 1, -1, -1):
        readers = used[:, at] & inputs
        if not readers.any():
            continue
        senders[at] = True
        everywhere[at] = (readers & all_positions).any()
        for node in graph.inputs(graph.senders[at]):
            index = graph.receiver_index[node]
            inputs[index] = True
            # Keys and values are read at all positions, whoever reads the head.
            is_local = isinstance(node, Mlp) or getattr(node, "letter", None) == "q"
            all_positions[index] = everywhere[at] or not is_local
    return _Live(senders, everywhere, inputs)


@dataclass(frozen=True)
class _Plan:
    """What has to be computed for some cells."""

    computed: Bool[np.ndarray, " sender"]  # by every cell anew
    everywhere: Bool[np.ndarray, " sender"]


def _plan(graph: EdgeGraph, kept: np.ndarray, all_logits: bool) -> _Plan:
    """Live senders above a cut; what stands below all cuts is as in the clean run."""
    live = _live(graph, kept.any(axis=0), all_logits)
    is_cut = (graph.possible & ~kept).any(axis=(0, 2)) & live.inputs
    lowest = graph.receiver_ranks[is_cut].min() if is_cut.any() else math.inf
    return _Plan(live.senders & (graph.sender_ranks >= lowest), live.everywhere)


class _Pass:
    """One pass of some cells through the layers."""

    def __init__(self, runs: EdgeRuns, kept: np.ndarray, plan: _Plan) -> None:
        self.runs, self.kept, self.plan = runs, kept, plan
        self.graph, self.gpt = runs.graph, runs.gpt
        self.last = slice(runs.n_positions - 1, None)
        # Of computed senders, how far each is from its reference: (cell, batch, position, d_model).
        self.moved: dict[int, Tensor] = {}

    def logits(self) -> Tensor:
        for layer in self.graph.layers:
            self._heads(layer)
            self._mlp(layer)
        at = slice(None) if self.runs.all_logits else self.last
        (final,) = self._read([len(self.graph.receivers) - 1], at)
        logits = self.runs._unembed(final)
        return logits.expand(len(self.kept), *logits.shape[1:])

    def _heads(self, layer: int) -> None:
        graph, plan, attention = self.graph, self.plan, self.gpt.blocks[layer].attn
        nodes = [Head(layer, head) for head in range(graph.n_heads)]
        at = {node: graph.sender_index[node] for node in nodes}
        live = [node for node in nodes if plan.computed[at[node]]]
        if not live:
            return
        where = slice(None) if any(plan.everywhere[at[node]] for node in live) else self.last
        q, k, v = self._queries_keys_values(layer, live, where)
        scores = q @ k.mT / math.sqrt(self.gpt.config.d_head)
        if self.gpt.config.causal and where != self.last:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        z = scores.softmax(dim=-1) @ v  # (head, cell, batch, position, d_head)
        written = z @ attention.W_O[[node.head for node in live]][:, None, None]
        for node, value in zip(live, written, strict=True):
            self.moved[at[node]] = value - self.runs.reference[at[node]][:, where]

    def _queries_keys_values(
        self, layer: int, heads: list[Head], where: slice
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Each (head, cell, batch, position, d_head), rotated; queries only `where` asked."""
        block, graph = self.gpt.blocks[layer], self.graph
        index = [head.head for head in heads]
        rows = [[graph.receiver_index[node] for node in graph.inputs(head)] for head in heads]
        found = []
        for letter, name in enumerate("QKV"):
            places = where if name == "Q" else slice(None)
            # A head that is not split reads one stream for all three.
            x = block.ln1(self._read([row[min(letter, len(row) - 1)] for row in rows], places))
            weight = getattr(block.attn, f"W_{name}")[index]  # (head, d_model, d_head)
            bias = getattr(block.attn, f"b_{name}")[index][:, None, None, None]
            value = (x.flatten(1, 3) @ weight).unflatten(1, x.shape[1:4]) + bias
            if name != "V" and self.gpt.config.positions == "rotary":
                positions = torch.arange(self.runs.n_positions, device=x.device)[places]
                value = rotate(value, positions, self.gpt.config.rotary_base)
            found.append(value)
        return found[0], found[1], found[2]

    def _mlp(self, layer: int) -> None:
        if not self.graph.mlps:
            return
        at = self.graph.sender_index[Mlp(layer)]
        if not self.plan.computed[at]:
            return
        where = slice(None) if self.plan.everywhere[at] else self.last
        block = self.gpt.blocks[layer]
        (x,) = self._read([self.graph.receiver_index[Mlp(layer)]], where)
        self.moved[at] = block.mlp(block.ln2(x)) - self.runs.reference[at][:, where]

    def _read(
        self, rows: list[int], where: slice
    ) -> Float[Tensor, "receiver cell batch position d_model"]:
        """What receivers of one rank read; one cell where all cells read the same."""
        runs, graph = self.runs, self.graph
        rank_here = int(graph.receiver_ranks[rows[0]])
        before = graph.sender_ranks < rank_here
        kept = self.kept[:, rows]  # (cell, receiver, sender)
        x = runs._quiet[rank_here][None, None, :, where]

        plain = kept & ~self.plan.computed
        wanted = plain.any(axis=(0, 1))
        missing = ~plain.all(axis=(0, 1)) & before
        if missing.sum() < wanted.sum():
            # Few are not as in the clean run: take those out of its stream.
            x = runs._full[rank_here][None, None, :, where]
            wanted, sign = missing, -1
            plain = ~plain
        else:
            sign = 1
        if wanted.any():
            x = x + sign * self._sum(plain, wanted, where)

        moved = [
            sender
            for sender in np.flatnonzero(kept.any(axis=(0, 1)) & self.plan.computed)
            if sender in self.moved
        ]
        if moved:
            parts = [self.moved[sender] for sender in moved]
            n_cells = max(part.shape[0] for part in parts)
            whole = where == slice(None)
            stacked = torch.stack(
                [(part if whole else part[:, :, -1:]).expand(n_cells, -1, -1, -1) for part in parts]
            )
            weights = torch.from_numpy(kept[:, :, moved]).to(stacked)  # (cell, receiver, sender)
            if n_cells == 1 and (kept == kept[:1]).all():
                weights = weights[:1]
            x = x + torch.einsum(
                "crs,scbpd->rcbpd", weights, stacked.expand(-1, len(weights), -1, -1, -1)
            )
        return x.expand(len(rows), *x.shape[1:])

    def _sum(
        self, weights: np.ndarray, senders: np.ndarray, where: slice
    ) -> Float[Tensor, "receiver cell batch position d_model"]:
        """The clean senders' distances from the reference, summed by weights of 0 and 1."""
        index = np.flatnonzero(senders)
        chosen = weights[:, :, index]
        if (chosen == chosen[:1]).all():
            chosen = chosen[:1]
        if (chosen == chosen[:, :1]).all():
            chosen = chosen[:, :1]
        # Senders stand in the order of the pass, so those before a receiver lie side by side.
        is_run = len(index) == index[-1] - index[0] + 1 if len(index) else True
        rows = slice(index[0], index[-1] + 1) if is_run and len(index) else index
        distance = self.runs.distance[rows][:, :, where]
        matrix = torch.from_numpy(chosen.transpose(1, 0, 2).copy()).to(distance)
        return (
            (matrix.flatten(0, 1) @ distance.flatten(1))
            .unflatten(0, matrix.shape[:2])
            .unflatten(-1, distance.shape[1:])
        )


def _check(clean: Tensor, corrupted: Tensor | None, replacement: str) -> None:
    if replacement not in ("corrupted", "mean", "zero"):
        raise ValueError(f"{replacement!r} replaces nothing; choose corrupted, mean or zero")
    if replacement == "zero":
        return
    if corrupted is None:
        raise ValueError(f"{replacement}: give the corrupted prompts that it is taken from")
    wanted = clean.shape if replacement == "corrupted" else (len(corrupted), clean.shape[1])
    if corrupted.shape != wanted:
        raise ValueError(
            f"clean is {tuple(clean.shape)} tokens, corrupted {tuple(corrupted.shape)}: "
            "an edge needs the same prompts and positions in both"
        )
