"""Every edge's effect from a few gradients: edge attribution patching, with integrated gradients.

EAP (Syed et al. 2023, arXiv:2310.10348) takes the metric for a straight line: the effect of hearing
sender u as in the reference run over the edge to v is how far that moves u, times the slope of the
metric in what v reads. EAP-IG (Hanna et al. 2024, arXiv:2403.17806) averages the slope over runs on
inputs between the reference's and the clean one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from demos.edge_graph import Edge
from demos.edge_runs import EdgeRuns
from demos.forward import GPT, rotate
from demos.nodes import LOGITS, Mlp, rank

Metric = Callable[[Tensor], Tensor]


def edge_attribution(
    runs: EdgeRuns, metric: Metric, steps: int = 1
) -> Float[Tensor, "receiver sender"]:
    """Estimates of how far the metric's mean moves when an edge alone is cut; 0 where none is.

    `metric`: takes the logits that `runs` keeps; gives a number for each example, or one.
    `steps=1` is EAP, with the slope of the clean run. With more it is EAP-IG: slopes at k/steps of
    the way from the reference's input to the clean one, k from 1 to `steps`.
    """
    if steps < 1:
        raise ValueError(f"attribution takes at least one step, not {steps}")
    scores = torch.zeros(runs.graph.possible.shape, device=runs.clean.device)
    for k in range(1, steps + 1):
        scores -= _slopes(runs, metric, k / steps) / steps
    return scores


def node_scores(scores: Float[Tensor, "receiver sender"]) -> Float[Tensor, " sender"]:
    """Estimates of how far the metric moves when all edges that leave a sender are cut.

    Exactly what a gradient at the sender's output gives: it is the sum of those at its receivers.
    """
    return scores.sum(dim=0)


def edge_effects(runs: EdgeRuns, metric: Metric, edges: Iterable[Edge]) -> Float[Tensor, " edge"]:
    """How far the metric's mean moves when each edge alone is cut: what attribution estimates."""
    places = [runs.graph.place(edge) for edge in edges]
    whole = metric(runs.clean_logits).mean()
    effects = torch.zeros(len(places))
    # Edges into the same layer share all that stands below it.
    order = sorted(range(len(places)), key=lambda index: places[index])
    masks = []
    for index in order:
        mask = runs.everything
        mask[places[index]] = False
        masks.append(mask)
    if masks:
        effects[order] = (runs.measure(masks, metric).mean(dim=-1) - whole).cpu()
    return effects


def _slopes(runs: EdgeRuns, metric: Metric, share: float) -> Float[Tensor, "receiver sender"]:
    """How far each sender is from its reference, times the slope at each receiver's input."""
    graph, gpt = runs.graph, runs.gpt
    # What receivers make of what they read, with a gradient; a layer's heads side by side.
    made: dict[tuple[str, int], Tensor] = {}
    streams: dict[int, Tensor] = {}
    with torch.enable_grad():
        x = (runs.reference[0] + share * runs.distance[0]).detach().requires_grad_()
        for layer in graph.layers:
            block, streams[2 * layer] = gpt.blocks[layer], x
            x = x + _attention(gpt, layer, x, made)
            if graph.mlps:
                streams[2 * layer + 1] = x
                # A copy: where there is no norm, this is not the stream that goes on beside it.
                made["mlp", layer] = block.ln2(x).clone()
                x = x + block.mlp(made["mlp", layer])
        streams[rank(LOGITS)] = x
        made["logits", -1] = gpt.ln_final(x)
        logits = made["logits", -1] @ gpt.W_U + gpt.b_U
        value = metric(logits if runs.all_logits else logits[:, -1]).mean()
        gradients = torch.autograd.grad(value, list(made.values()), materialize_grads=True)
    return _scores(runs, dict(zip(made, gradients, strict=True)), streams)


def _attention(
    gpt: GPT, layer: int, x: Float[Tensor, "batch position d_model"], made: dict
) -> Float[Tensor, "batch position d_model"]:
    """What an attention layer adds; queries, keys and values are noted before the rotation."""
    config, block = gpt.config, gpt.blocks[layer]
    attention, read = block.attn, block.ln1(x).unsqueeze(1)
    for name in "QKV":
        bias = getattr(attention, f"b_{name}")[:, None]
        made[name, layer] = read @ getattr(attention, f"W_{name}") + bias
    q, k, v = (made[name, layer] for name in "QKV")
    if config.positions == "rotary":
        positions = torch.arange(x.shape[1], device=x.device)
        q, k = (rotate(part, positions, config.rotary_base) for part in (q, k))
    scores = q @ k.mT / math.sqrt(config.d_head)
    if config.causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    z = scores.softmax(dim=-1) @ v
    return z.transpose(1, 2).flatten(2) @ attention.W_O.flatten(0, 1) + attention.b_O


def _scores(
    runs: EdgeRuns, gradients: Mapping[tuple[str, int], Tensor], streams: Mapping[int, Tensor]
) -> Float[Tensor, "receiver sender"]:
    graph, gpt = runs.graph, runs.gpt
    scores = torch.zeros(len(graph.receivers), len(graph.senders), device=runs.clean.device)

    def fill(rows: list[int], place: int, norm: nn.Module, slopes: Tensor) -> None:
        """`slopes`: (receiver, batch, position, d_model), behind the norm."""
        before = int((graph.sender_ranks < place).sum())  # senders stand in order
        slopes = _through(norm, streams[place], slopes)
        scores[rows, :before] = slopes.flatten(1) @ runs.distance[:before].flatten(1).T

    for layer in graph.layers:
        block = gpt.blocks[layer]
        by_letter = [
            (gradients[name, layer] @ getattr(block.attn, f"W_{name}").mT).transpose(0, 1)
            for name in "QKV"
        ]  # each (head, batch, position, d_model)
        rows = [graph.receiver_index[node] for node in graph.heads_inputs(layer)]
        if graph.split:
            slopes = torch.stack(by_letter, dim=1).flatten(0, 1)  # q, k and v of a head in turn
        else:
            slopes = sum(by_letter[1:], by_letter[0])
        fill(rows, 2 * layer, block.ln1, slopes)
        if graph.mlps:
            row = graph.receiver_index[Mlp(layer)]
            fill([row], 2 * layer + 1, block.ln2, gradients["mlp", layer][None])
    fill([len(graph.receivers) - 1], rank(LOGITS), gpt.ln_final, gradients["logits", -1][None])
    return scores


def _through(
    norm: nn.Module,
    stream: Float[Tensor, "batch position d_model"],
    slopes: Float[Tensor, "receiver batch position d_model"],
) -> Float[Tensor, "receiver batch position d_model"]:
    """Slopes in front of a norm from those behind it."""
    with torch.enable_grad():
        read = stream.detach().expand_as(slopes).clone().requires_grad_()
        (before,) = torch.autograd.grad(norm(read), read, slopes)
    return before
