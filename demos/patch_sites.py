"""Where a patch can be put, and the copies of a run that it makes.

Every site comes down to the residual stream: a patched head changes what its layer adds, so the
copies enter `Engine.resume` before an attention layer (`pre`) or behind it (`mid`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from demos.runs import Engine, Run

StreamSite = Literal["resid_pre", "resid_mid", "attn_out", "mlp_out"]
HeadSite = Literal["z", "q", "k", "v", "pattern"]
Site = Literal[StreamSite, HeadSite]

STREAM_SITES: tuple[str, ...] = get_args(StreamSite)
SITES: tuple[str, ...] = (*STREAM_SITES, *get_args(HeadSite))


class Cell(NamedTuple):
    """One patch: a layer, with a head at head sites; without a position, all positions."""

    layer: int
    position: int | None = None
    head: int | None = None


@dataclass(frozen=True)
class Copies:
    """Changed copies of a run, as `Engine.resume` takes them."""

    pre: dict[int, Float[Tensor, "batch cell suffix d_model"]]
    mid: dict[int, Float[Tensor, "batch cell suffix d_model"]]


def copies(
    engine: Engine, base: Run, source: Run, site: Site, cells: Iterable[Cell], first: int
) -> Copies:
    """The copies that `cells` make of `base`, in which each site is as in `source`.

    `cells` are ordered by layer and change nothing before position `first`.
    """
    made = Copies({}, {})
    for layer, group in groupby(cells, key=lambda cell: cell.layer):
        of_layer = list(group)
        if site in STREAM_SITES:
            changed = [_stream(base, source, site, cell, first) for cell in of_layer]
        else:
            patch = _HeadPatch(engine, base, source, site, layer, first)
            changed = [patch.stream(cell) for cell in of_layer]
        into = made.mid if site not in ("resid_pre", "mlp_out") else made.pre
        # What a feed-forward layer writes is first read by the next layer.
        into[layer + (site == "mlp_out")] = torch.stack(changed, dim=1)
    return made


def _stream(
    base: Run, source: Run, site: str, cell: Cell, first: int
) -> Float[Tensor, "batch suffix d_model"]:
    layer = cell.layer
    at = slice(None) if cell.position is None else cell.position - first
    match site:
        case "resid_pre":
            old, new = base.resid_pre[layer], source.resid_pre[layer][:, first:]
        case "resid_mid":
            old, new = base.resid_mid[layer], source.resid_mid[layer][:, first:]
        case "attn_out":
            old = base.resid_mid[layer]
            new = (base.resid_pre[layer] + source.attn_out(layer))[:, first:]
        case _:
            old = base.resid_pre[layer + 1]
            new = (base.resid_mid[layer] + source.mlp_out(layer))[:, first:]
    changed = old[:, first:].clone()
    changed[:, at] = new[:, at]
    return changed


class _HeadPatch:
    """One layer's heads with a part taken from another run."""

    def __init__(
        self, engine: Engine, base: Run, source: Run, site: str, layer: int, first: int
    ) -> None:
        self.engine, self.base, self.source = engine, base, source
        self.site, self.layer, self.first = site, layer, first
        self.W_O = engine.blocks[layer].attn.W_O

    def stream(self, cell: Cell) -> Float[Tensor, "batch suffix d_model"]:
        """The stream behind the attention layer when one head is as the cell says."""
        assert cell.head is not None
        new = self._z(cell.head, cell.position)
        old = self.base.z[self.layer][:, cell.head, self.first :]
        written = (new - old) @ self.W_O[cell.head]
        return self.base.resid_mid[self.layer][:, self.first :] + written

    def _z(self, head: int, position: int | None) -> Float[Tensor, "batch suffix d_head"]:
        """What the head gathers. Queries from `first` on; a position names a query, or a key."""
        base, source, layer, first = self.base, self.source, self.layer, self.first
        if self.site == "z":
            return _mixed(base.z[layer][:, head], source.z[layer][:, head], position)[:, first:]
        parts = {
            name: getattr(base, name)[layer][:, head] for name in ("q", "k", "v")
        }  # (batch, position, d_head)
        if self.site == "pattern":
            old = self.engine.pattern(parts["q"], parts["k"])
            new = self.engine.pattern(source.q[layer][:, head], source.k[layer][:, head])
            return (_mixed(old, new, position) @ parts["v"])[:, first:]
        other = getattr(source, self.site)[layer][:, head]
        parts[self.site] = _mixed(parts[self.site], other, position)
        return (self.engine.pattern(parts["q"], parts["k"]) @ parts["v"])[:, first:]


def _mixed(
    old: Float[Tensor, "batch position any"],
    new: Float[Tensor, "batch position any"],
    position: int | None,
) -> Float[Tensor, "batch position any"]:
    if position is None:
        return new
    changed = old.clone()
    changed[:, position] = new[:, position]
    return changed
