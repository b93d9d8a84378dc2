"""What travels along the paths between two sets of nodes, and what comes of it.

`carry` is the second of the three forward passes of path patching, `finish` the third; the first
is `Engine.run`, once for each of the two inputs.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.nodes import EMBED, LOGITS, Head, HeadInput, Mlp, Receiver, Sender, rank
from demos.runs import Engine, Run

Group = tuple[Sender, ...]  # nodes that send together
Change = Float[Tensor, "batch cell suffix d_model"]  # of the stream, at the positions from `first`


def carry(
    engine: Engine,
    base: Run,
    source: Run,
    groups: Sequence[Group],
    receivers: Sequence[Receiver],
    first: int,
    *,
    through_mlps: bool,
    at: Int[Tensor, "batch place"] | None = None,
) -> dict[Receiver, Change]:
    """How the stream changes at each receiver when a group of senders writes as in `source`.

    All other heads go on writing what they wrote in `base`. So do the feed-forward layers, unless
    `through_mlps`: then they answer to the change. `groups` are ordered by their first sender;
    nothing changes before position `first`. `at`: the positions from `first` on at which the
    senders write so; as no head carries a change from one position to another, no other changes.
    """
    starts = [min(map(rank, group)) for group in groups]
    assert starts == sorted(starts)
    batch, n_positions = base.tokens.shape
    places = torch.arange(first, n_positions, device=base.tokens.device) if at is None else at
    places = places.expand(batch, -1)
    change = torch.zeros(
        *(batch, len(groups), places.shape[1], engine.config.d_model), device=base.tokens.device
    )
    last = max(map(rank, receivers))
    carried: dict[Receiver, Change] = {}

    def receive(stage: int) -> None:
        here = [receiver for receiver in receivers if rank(receiver) == stage]
        if here:
            carried.update(dict.fromkeys(here, _suffix(change, places, first, n_positions)))

    if any(EMBED in group for group in groups):
        sent = _at(source.resid_pre[0] - base.resid_pre[0], places)
        change[:, [EMBED in group for group in groups]] += sent
    for layer in range(engine.n_layers):
        heads, mlp = Head(layer, 0), Mlp(layer)
        receive(rank(heads))
        sending = [(cell, n) for cell, group in enumerate(groups) for n in _heads(group, layer)]
        if sending:
            cells, of_layer = zip(*sending, strict=True)
            sent = _written(engine, base, source, layer, places)
            change.index_add_(1, _index(cells, change), sent[:, list(of_layer)])
        receive(rank(mlp))
        if rank(mlp) >= last:
            break
        if through_mlps and (active := sum(start < rank(mlp) for start in starts)):
            mid = _at(base.resid_mid[layer], places) + change[:, :active]
            answer = engine.feed_forward(layer, mid) - _at(base.mlp_out(layer), places)
            # A layer that sends does not answer: it writes what it is told to write.
            answer[:, [mlp in group for group in groups[:active]]] = 0
            change[:, :active] += answer
        if any(mlp in group for group in groups):
            sent = _at(source.mlp_out(layer) - base.mlp_out(layer), places)
            change[:, [mlp in group for group in groups]] += sent
    if LOGITS in receivers:
        carried[LOGITS] = _suffix(change, places, first, n_positions)
    return carried


def finish(
    engine: Engine,
    base: Run,
    carried: Mapping[Receiver, Change],
    first: int,
    *,
    only_last: bool,
) -> Float[Tensor, "batch cell suffix d_model"]:
    """What the final norm reads when the receivers, and they alone, read what was carried to them.

    From the receivers on the model runs as it always does, but a later receiver still reads only
    what was carried to it. With `only_last` the last position alone comes back.
    """
    if LOGITS in carried:
        final = base.resid_pre[-1][:, None, first:] + carried[LOGITS]
        return final[:, :, -1:] if only_last else final
    cells = next(iter(carried.values())).shape[1]
    by_layer = {
        layer: list(group)
        for layer, group in groupby(sorted(carried, key=rank), lambda node: node.layer)  # type: ignore[union-attr]
    }
    lowest, last = min(by_layer), engine.n_layers - 1
    x = base.resid_pre[lowest][:, None, first:].expand(-1, cells, -1, -1)
    for layer in range(lowest, engine.n_layers):
        ends_here = only_last and layer == last
        read = {
            (node.letter, node.head): _read(engine, base, node, carried[node], first)
            for node in by_layer.get(layer, ())
            if isinstance(node, HeadInput)
        }
        x = engine.attend(base, layer, first, x, last_query_only=ends_here, given=read)
        mid = x
        if (told := carried.get(Mlp(layer))) is not None:
            mid = base.resid_mid[layer][:, None, first:] + told
            mid = mid[:, :, -1:] if ends_here else mid
        x = x + engine.feed_forward(layer, mid)
    return x


def _read(
    engine: Engine, base: Run, node: HeadInput, change: Change, first: int
) -> Float[Tensor, "batch cell suffix d_head"]:
    """The query, key or value that a head makes of the changed stream."""
    block = engine.blocks[node.layer]
    x = block.ln1(base.resid_pre[node.layer][:, None, first:] + change)
    name = node.letter.upper()
    weight, bias = getattr(block.attn, f"W_{name}"), getattr(block.attn, f"b_{name}")
    made: Tensor = x @ weight[node.head] + bias[node.head]
    return made if node.letter == "v" else engine.rotated(made, first)


def _at(
    x: Float[Tensor, "batch position d_model"], places: Int[Tensor, "batch place"]
) -> Float[Tensor, "batch 1 place d_model"]:
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))[:, None]


def _suffix(
    change: Float[Tensor, "batch cell place d_model"],
    places: Int[Tensor, "batch place"],
    first: int,
    n_positions: int,
) -> Change:
    """A change at some places as one at all positions from `first` on: a copy."""
    batch, cells, _, d_model = change.shape
    whole = change.new_zeros(batch, cells, n_positions - first, d_model)
    where = (places - first)[:, None, :, None].expand_as(change)
    return whole.scatter_(2, where, change)


def _written(
    engine: Engine, base: Run, source: Run, layer: int, places: Int[Tensor, "batch place"]
) -> Float[Tensor, "batch head place d_model"]:
    """How differently each head of a layer writes in the two runs."""
    z = source.z[layer] - base.z[layer]
    z = z.gather(2, places[:, None, :, None].expand(-1, z.shape[1], -1, z.shape[-1]))
    written: Tensor = z @ engine.blocks[layer].attn.W_O
    return written


def _heads(group: Group, layer: int) -> list[int]:
    return [node.head for node in group if isinstance(node, Head) and node.layer == layer]


def _index(places: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(places, device=like.device)
