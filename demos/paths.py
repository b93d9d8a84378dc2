"""Path patching: what reaches one part of a model from another, and what comes of it.

A sender writes what it wrote in the other run. What changes thereby is let through to the receivers
and to nothing else; from there on the model runs as it always does. There are two definitions of
what is let through:

- "ioi", Algorithm 1 of Wang et al. 2022, arXiv:2211.00593: every path that no other attention head
  lies on. Heads are frozen, feed-forward layers between sender and receiver answer to the change.
- "strict": the one edge from sender to receiver. Everything in between is frozen.

For a receiver at the last token, as the logits are, either needs that token alone, and no attention
at all: `path_patch` is as much faster than one forward pass for each sender.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.blocks import Block, Metric, Task, TwoRuns, Values, run_blocks, weights_of
from demos.measured import Measured
from demos.nodes import (
    EMBED,
    LETTERS,
    LOGITS,
    End,
    Head,
    HeadInput,
    Mlp,
    Node,
    Receiver,
    Sender,
    parse,
    rank,
)
from demos.patching import Direction, cells_at_once, token_pair
from demos.path_effects import Group, carry, finish
from demos.runs import Engine, check_engine

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Definition = Literal["ioi", "strict"]
Every = Literal["heads", "mlps", "all"]
Named = Node | str | tuple[int, int]  # a node, its text, or a plain (layer, head)


@dataclass(frozen=True, kw_only=True)
class PathSweep(Measured):
    """The metric with each sender's paths to the receivers patched.

    `values`: over the `senders`, in the order in which they were given. `base`: the metric of the
    run that was patched, which is the clean one when noising.
    """

    senders: tuple[Group, ...]
    receivers: tuple[Receiver, ...]
    definition: Definition
    direction: Direction

    @property
    def labels(self) -> list[str]:
        return [" + ".join(map(str, group)) for group in self.senders]

    @property
    def base(self) -> dict[str, Float[Tensor, " example"]]:
        return self.clean if self.direction == "noising" else self.corrupted

    def effects(self, metric: str | None = None) -> Float[Tensor, "sender example"]:
        """How far each sender moves the metric from that of the run that is patched."""
        return self.per_example(metric) - self.base[self._name(metric)]

    def by_head(self, n_layers: int, n_heads: int, metric: str | None = None) -> Tensor:
        """Mean effects as (layer, head), 0 where no head was a sender by itself."""
        table = torch.zeros(n_layers, n_heads)
        for group, effect in zip(self.senders, self.effects(metric).mean(dim=-1), strict=True):
            if len(group) == 1 and isinstance(group[0], Head):
                table[group[0]] = effect
        return table


def path_patch(
    model: "TransformerBridge",
    clean: Int[Tensor, "batch position"] | Sequence[str],
    corrupted: Int[Tensor, "batch position"] | Sequence[str],
    senders: Every | Named | Sequence[Named | Sequence[Named]],
    receivers: Named | Sequence[Named],
    metric: Metric | Mapping[str, Metric],
    definition: Definition = "ioi",
    *,
    direction: Direction = "noising",
    positions: Int[Tensor, "*batch"] | None = None,
    all_logits: bool = False,
    checkpoint: Path | str | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    loader: "Callable[[], TransformerBridge] | None" = None,
) -> PathSweep:
    """Patch the paths from each sender to the receivers and measure what the model says.

    `senders`: a list, each patched by itself: heads ("9.6"), feed-forward layers ("mlp 3"),
    "embed", or a list of several that are patched together; or every "heads", "mlps" or "all" that
    come before the last receiver.
    `receivers`: what is patched together: what heads read ("9.6 q", "9.6 k", "9.6 v"),
    feed-forward layers, or "logits".
    `definition`: "ioi" lets feed-forward layers between the two answer, "strict" nothing.
    `direction`: noising, as in Algorithm 1, patches the clean run with senders of the corrupted
    one; denoising the corrupted run with senders of the clean one.
    `positions`: where the senders are patched, for each example its own; everywhere without it.
    The other arguments are those of `demos.patching.sweep`; a metric that says which tokens it
    reads (`demos.metrics`) spares the unembedding of the others.

    Raises ValueError for a node that the model does not have, a sender that comes before no
    receiver, batches of different shapes and a model that this code does not know.
    """
    metrics = metric if isinstance(metric, Mapping) else {"metric": metric}
    clean, corrupted = token_pair(model, clean, corrupted)
    _check_choices(definition, direction, metrics)
    to = _receivers(receivers, model)
    groups = _groups(senders, to, model)
    task = PathTask(
        model=model.cfg.model_name,
        clean=clean,
        corrupted=corrupted,
        direction=direction,
        metrics=dict(metrics),
        all_logits=all_logits,
        loader=loader,
        weights=weights_of(model) if checkpoint or executor else None,
        receivers=tuple(map(str, to)),
        definition=definition,
        positions=_checked(positions, clean),
    )
    with torch.no_grad():
        work = task.prepare(model)
        check_engine(model, work.engine, work.base)
    order = sorted(range(len(groups)), key=lambda number: min(map(rank, groups[number])))
    blocks = plan(work, [groups[number] for number in order])
    done = run_blocks(task, work, blocks, checkpoint, progress, executor)
    found = {}
    for name, unchanged in work.base_values.items():
        values = unchanged.expand(len(groups), -1).clone()
        if done:
            values[order] = torch.cat([result[name] for result in done])
        found[name] = values
    return PathSweep(
        senders=tuple(groups),
        receivers=to,
        definition=definition,
        direction=direction,
        metrics=found,
        clean=work.clean_values,
        corrupted=work.corrupted_values,
    )


@dataclass(frozen=True)
class PathTask(Task):
    """What all blocks of senders have in common."""

    receivers: tuple[str, ...] = ("logits",)
    definition: Definition = "ioi"
    positions: Int[Tensor, "batch place"] | None = None

    def prepare(self, model: "TransformerBridge") -> "PathRuns":
        return PathRuns(self, Engine(model))


class PathRuns(TwoRuns):
    """The two runs of a path sweep."""

    job: PathTask

    @property
    def start(self) -> int:
        """The first position at which anything has to be computed."""
        n_positions = self.job.clean.shape[1]
        if self.job.positions is not None:
            return int(self.job.positions.min())
        only_last = self.job.receivers == ("logits",) and not self.job.all_logits
        return max(self.first, n_positions - 1) if only_last else self.first

    def compute(self, block: Block) -> Values:
        job, first = self.job, block.first
        groups = [tuple(_sender(name) for name in names) for names in block.cells]
        carried = carry(
            self.engine,
            self.base,
            self.source,
            groups,
            [_receiver(name) for name in job.receivers],
            first,
            through_mlps=job.definition == "ioi",
            at=job.positions,
        )
        final = finish(self.engine, self.base, carried, first, only_last=not job.all_logits)
        return self.measure_copies(final, first)


def plan(work: PathRuns, groups: Sequence[Group]) -> list[Block]:
    """The senders, those of the first layers first, in blocks that fit into memory."""
    n_positions = work.job.clean.shape[1]
    if work.first >= n_positions:  # clean and corrupted are the same tokens
        return []
    size = cells_at_once(work.engine, work.job, n_positions - work.start)
    named = [tuple(map(str, group)) for group in groups]
    return [Block(work.start, tuple(named[at : at + size])) for at in range(0, len(named), size)]


def _checked(
    positions: Tensor | None, tokens: Int[Tensor, "batch position"]
) -> Int[Tensor, "batch place"] | None:
    if positions is None:
        return None
    batch, length = tokens.shape
    found = positions.reshape(len(positions), -1).to(tokens.device)
    if len(found) != batch or found.is_floating_point() or (found < 0).any():
        raise ValueError(f"positions: {batch} rows of positions from 0, not {positions}")
    if (found >= length).any():
        raise ValueError(f"positions: the prompts end at {length - 1}, not {int(found.max())}")
    return found


def _check_choices(definition: str, direction: str, metrics: Mapping[str, Metric]) -> None:
    if definition not in get_args(Definition):
        raise ValueError(f"{definition!r} is no definition; choose ioi or strict")
    if direction not in get_args(Direction):
        raise ValueError(f"{direction!r} is no direction; choose denoising or noising")
    if not metrics:
        raise ValueError("nothing to measure; give a metric")


def _receivers(given: Any, model: "TransformerBridge") -> tuple[Receiver, ...]:
    one = isinstance(given, str | End) or _is_pair(given) or isinstance(given, HeadInput | Mlp)
    named = list(dict.fromkeys(_receiver(node) for node in ([given] if one else given)))
    if not named:
        raise ValueError("no receiver; name one, such as 'logits'")
    if LOGITS in named and len(named) > 1:
        others = ", ".join(str(node) for node in named if node is not LOGITS)
        raise ValueError(f"logits read everything; leave out either logits or {others}")
    _check_places(named, model)
    return tuple(named)


def _groups(given: Any, receivers: Sequence[Receiver], model: "TransformerBridge") -> list[Group]:
    last = max(map(rank, receivers))
    if given in get_args(Every):
        layers, heads = range(model.cfg.n_layers), range(model.cfg.n_heads)
        every: list[Sender] = []
        for layer in layers:
            every += [Head(layer, head) for head in heads] if given != "mlps" else []
            every += [Mlp(layer)] if given != "heads" else []
        groups = [(node,) for node in every if rank(node) < last]
        if not groups:
            raise ValueError(f"no sender comes before {', '.join(map(str, receivers))}")
        return groups
    one = isinstance(given, str | End | Head | Mlp) or _is_pair(given)
    groups = [_group(item) for item in ([given] if one else given)]
    if not groups or not all(groups):
        raise ValueError("no sender; name one, such as '9.6'")
    _check_places([node for group in groups for node in group], model)
    for group in groups:
        for node in group:
            if rank(node) >= last:
                names = ", ".join(map(str, receivers))
                raise ValueError(
                    f"no path leads from {node} to {names}: a sender lies in a layer before a "
                    "receiver's, a feed-forward layer behind the heads of its own"
                )
    return groups


def _group(given: Any) -> Group:
    one = isinstance(given, str | End | Head | Mlp) or _is_pair(given)
    return tuple(dict.fromkeys(_sender(node) for node in ([given] if one else given)))


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and all(isinstance(n, int) for n in given)


def _node(given: Any) -> Node:
    if isinstance(given, str):
        return parse(given)
    return Head(*given) if _is_pair(given) else given


def _sender(given: Any) -> Sender:
    node = _node(given)
    if isinstance(node, Head | Mlp) or node is EMBED:
        return node
    raise ValueError(f"{node} sends nothing; a sender is a head, a feed-forward layer or embed")


def _receiver(given: Any) -> Receiver:
    node = _node(given)
    if isinstance(node, HeadInput | Mlp) or node is LOGITS:
        return node
    if isinstance(node, Head):
        raise ValueError(f"{node} reads {', '.join(LETTERS)}; write '{node} q' for one of them")
    raise ValueError(f"{node} receives nothing; a receiver is what a head reads, an mlp or logits")


def _check_places(nodes: Iterable[Node], model: "TransformerBridge") -> None:
    n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
    for node in nodes:
        layer = 0 if isinstance(node, End) else node.layer
        head = node.head if isinstance(node, Head | HeadInput) else 0
        if not (0 <= layer < n_layers and 0 <= head < n_heads):
            raise ValueError(
                f"{node}: the model has layers 0 to {n_layers - 1} and heads 0 to {n_heads - 1}"
            )
