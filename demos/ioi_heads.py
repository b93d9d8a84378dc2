"""What attention heads do on IOI prompts: where they look, what they write, whom they serve.

All functions go over batches of prompts of different lengths and give the prompts back in one row,
batch after batch. Scores are those of Wang et al. 2022, arXiv:2211.00593, section 3 and appendix B.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from demos.metrics import LogitDifference
from demos.nodes import Head, HeadInput
from demos.paths import PathSweep, path_patch
from demos.prompts import IOIPrompts
from demos.runs import Engine, Run

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Place = str  # IO, S1, S1+1, S2 or END
Looks = dict[tuple[Place, Place], Float[Tensor, "prompt layer head"]]
# A name that a head copies is among so many of the likeliest tokens, as in the paper.
AMONG = 5


@dataclass(frozen=True)
class Effects:
    """How far senders move the logit difference of each prompt, and what it was."""

    labels: list[str]
    effects: Float[Tensor, "sender prompt"]
    base: Float[Tensor, " prompt"]

    @property
    def share(self) -> Float[Tensor, " sender"]:
        """Mean effect as a share of the mean logit difference; -1 takes all of it away."""
        return self.effects.mean(dim=1) / self.base.mean()

    def of(self, label: object) -> float:
        return self.share[self.labels.index(str(label))].item()

    def by_head(self, n_layers: int, n_heads: int) -> Float[Tensor, "layer head"]:
        """The shares of the heads; 0 where a head was no sender."""
        table = torch.zeros(n_layers, n_heads)
        for label, share in zip(self.labels, self.share, strict=True):
            layer, _, head = label.partition(".")
            table[int(layer), int(head)] = share
        return table


def effects(
    model: "TransformerBridge",
    pairs: Iterable[tuple[IOIPrompts, IOIPrompts]],
    senders: Any,
    receivers: Any,
    at: Place | None = None,
    definition: Any = "ioi",
) -> Effects:
    """`path_patch` over batches of clean and corrupted prompts, senders patched at one place."""
    found: list[PathSweep] = []
    for clean, corrupted in pairs:
        metric = LogitDifference(clean.io, clean.s)
        positions = None if at is None else clean.positions[at]
        found.append(
            path_patch(
                *(model, clean.tokens, corrupted.tokens, senders, receivers, metric, definition),
                positions=positions,
            )
        )
    return Effects(
        found[0].labels,
        torch.cat([sweep.effects() for sweep in found], dim=1),
        torch.cat([sweep.base["metric"] for sweep in found]),
    )


def looks(
    engine: Engine, runs: Sequence[Run], batches: Sequence[IOIPrompts], pairs: Iterable[tuple]
) -> Looks:
    """Share of attention of every head from one named place to another."""
    wanted = list(pairs)
    found: dict[tuple[Place, Place], list[Tensor]] = {pair: [] for pair in wanted}
    for run, batch in zip(runs, batches, strict=True):
        patterns = torch.stack(
            [engine.pattern(q, k) for q, k in zip(run.q, run.k, strict=True)], dim=1
        )  # (prompt, layer, head, query, key)
        row, places = torch.arange(len(batch.tokens)), batch.positions
        for query, key in wanted:
            found[query, key].append(patterns[row, :, :, places[query], places[key]])
    return {pair: torch.cat(shares) for pair, shares in found.items()}


def copying(
    engine: Engine, runs: Sequence[Run], batches: Sequence[IOIPrompts], head: Head
) -> tuple[float, float]:
    """How often a head that looks at a name alone makes it likely, and how often unlikely.

    The state of a name behind the first layer goes through the head's values and outputs, the final
    norm and the unembedding. The first number is the share of names that come out among the AMONG
    likeliest of all tokens, the second of those among the AMONG least likely (which the paper gets
    from the negated matrix).
    """
    attention = engine.blocks[head.layer].attn
    likely, unlikely = [], []
    for run, batch in zip(runs, batches, strict=True):
        row = torch.arange(len(batch.tokens))
        for place in ("IO", "S2"):
            at = batch.positions[place]
            value = engine.blocks[head.layer].ln1(run.resid_pre[1][row, at])
            value = value @ attention.W_V[head.head] + attention.b_V[head.head]
            logits = engine.unembed(value @ attention.W_O[head.head])
            own = logits.gather(1, batch.tokens[row, at, None])
            likely.append((logits > own).sum(dim=1) < AMONG)
            unlikely.append((logits < own).sum(dim=1) < AMONG)
    return torch.cat(likely).float().mean().item(), torch.cat(unlikely).float().mean().item()


def through_scale(
    engine: Engine,
    runs: Sequence[tuple[Run, Run]],
    batches: Sequence[IOIPrompts],
    head: Head,
) -> tuple[float, float]:
    """The direct effect of a head on the logit difference, in two parts that add up: (own, scale).

    `own` is what its change writes in the direction of the two names, with the final norm's scale
    as it was; `scale` is what it does by making everything in the stream louder or softer.
    Both in logits, mean over prompts; the head's output is taken from the second run of each pair.
    """
    own, total = [], []
    for (clean, corrupted), batch in zip(runs, batches, strict=True):
        z = (corrupted.z[head.layer] - clean.z[head.layer])[:, head.head, -1]
        change = z @ engine.blocks[head.layer].attn.W_O[head.head]
        final = clean.resid_pre[-1][:, -1]
        scale = _scale(engine, final)
        before, after = (_difference(engine, x, batch) for x in (final, final + change))
        # At a fixed scale the norm is linear, so the change is read by itself.
        frozen = _difference(engine, final + change, batch) * _scale(engine, final + change) / scale
        own.append(frozen - before)
        total.append(after - before)
    mean_own, mean_total = (torch.cat(parts).mean().item() for parts in (own, total))
    return mean_own, mean_total - mean_own


def _scale(engine: Engine, x: Float[Tensor, "prompt d_model"]) -> Float[Tensor, " prompt"]:
    norm = engine.gpt.ln_final
    x = x - x.mean(dim=-1, keepdim=True) if norm.centred else x
    return (x.pow(2).mean(dim=-1) + norm.eps).sqrt()


def _difference(
    engine: Engine, x: Float[Tensor, "prompt d_model"], batch: IOIPrompts
) -> Float[Tensor, " prompt"]:
    logits = engine.unembed_to(x[:, None], torch.stack([batch.io, batch.s], dim=1))[:, 0]
    return logits[:, 0] - logits[:, 1]


def direct_attribution(
    engine: Engine, zs: Float[Tensor, "layer prompt head d_head"], final: Tensor, batch: IOIPrompts
) -> Float[Tensor, "layer prompt head"]:
    """What each head writes at the last token in the direction of IO minus S, in logits.

    `final`: what the final norm reads there, (prompt, d_model), for its scale.
    """
    W_U, weight = engine.gpt.W_U, engine.gpt.ln_final.weight
    direction = (W_U[:, batch.io] - W_U[:, batch.s]).T * weight  # (prompt, d_model)
    if engine.gpt.ln_final.centred:
        direction = direction - direction.mean(dim=-1, keepdim=True)
    direction = direction / _scale(engine, final)[:, None]
    W_O = torch.stack([block.attn.W_O for block in engine.blocks])
    return torch.einsum("lphd,lhdm,pm->lph", zs, W_O, direction)


def class_of(head: Head, at_end: Mapping[Place, float], copies: float, anti: float) -> str:
    """What a head with a direct effect on the logits is, by where it looks and what it writes.

    `at_end`: its attention from the last token to IO, S1, S2 and END. `copies` and `anti`: what
    `copying` gives. A head that looks at its own place more than at the names is a relay: it can
    only pass on what others have brought there. One that looks at a name and neither copies nor
    suppresses it is "other".
    """
    subject = at_end["S1"] + at_end["S2"]
    if at_end["END"] > at_end["IO"] + subject:
        return "relay"
    if max(copies, anti) < 0.5:
        return "other"
    if copies >= 0.5:
        return "name mover" if at_end["IO"] > subject else "subject copier"
    return "negative name mover" if at_end["IO"] > subject else "subject suppressor"


@dataclass(frozen=True)
class Found:
    """Heads by class, each with the place at which it was found, and its effect as a share."""

    classes: dict[str, list[tuple[int, int, Place]]]
    effects: dict[tuple[int, int, Place], float]


def find_heads(
    model: "TransformerBridge",
    pairs: Sequence[tuple[IOIPrompts, IOIPrompts]],
    *,
    at_end: float = 0.03,
    at_s2: float = 0.01,
) -> Found:
    """The classes of demo 09, found again by path patching from the logits backwards.

    `at_end`, `at_s2`: the least share of the logit difference that a head must move to be counted,
    at the last token and at S2.
    """
    engine = Engine(model)
    batches = [clean for clean, _ in pairs]
    with torch.no_grad():
        runs = [engine.run(clean.tokens) for clean in batches]
    wanted = [("END", place) for place in ("IO", "S1", "S2", "END")]
    look = looks(engine, runs, batches, [*wanted, ("S2", "S1"), ("S2", "S1+1")])
    mean = {pair: shares.mean(dim=0) for pair, shares in look.items()}

    classes: dict[str, list[tuple[int, int, Place]]] = {}
    moved: dict[tuple[int, int, Place], float] = {}

    def count(name: str, head: Head, place: Place, share: float) -> None:
        classes.setdefault(name, []).append((*head, place))
        moved[*head, place] = share

    direct = effects(model, pairs, "heads", "logits")
    for head, share in _large(direct, at_end):
        looking = {place: mean["END", place][head].item() for _, place in wanted}
        name = class_of(head, looking, *copying(engine, runs, batches, head))
        if name not in ("other", "relay"):
            count(name, head, "END", share)
    movers = [HeadInput(*part[:2], "q") for part in classes.get("name mover", ())]
    for head, share in _large(effects(model, pairs, "heads", movers, "END"), at_end):
        s2 = mean["END", "S2"][head]
        if share < 0 and s2 > mean["END", "IO"][head] + mean["END", "S1"][head]:
            count("S-inhibition", head, "END", share)
    told = [HeadInput(*part[:2], "v") for part in classes.get("S-inhibition", ())]
    for head, share in _large(effects(model, pairs, "heads", told, "S2"), at_s2):
        if share < 0 and mean["S2", "S1+1"][head] > 0.2:
            count("induction", head, "S2", share)
        elif share < 0 and mean["S2", "S1"][head] > 0.3:
            count("duplicate token", head, "S2", share)
    return Found(classes, moved)


def _large(found: Effects, least: float) -> list[tuple[Head, float]]:
    pairs = zip(found.labels, found.share.tolist(), strict=True)
    return [
        (Head(*map(int, label.split("."))), share) for label, share in pairs if abs(share) >= least
    ]
