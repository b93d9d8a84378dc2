"""ACDC: cut every edge that can be cut without much harm, from the logits back.

Source: Conmy et al. 2023, arXiv:2304.14997, algorithm 1.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

from demos.circuit import Circuit
from demos.edge_graph import Edge, EdgeGraph
from demos.edge_runs import EdgeRuns, Mask
from demos.nodes import Node

# How far logits are from the clean ones: (batch, d_vocab) and (batch, d_vocab) to one number.
Damage = Callable[[Tensor, Tensor], Tensor]
# In which order the senders of one receiver are tried.
Order = Literal["latest first", "earliest first", "random"]
Level = Literal["edge", "node"]
MOST_AT_ONCE = 16


def kl_divergence(
    logits: Float[Tensor, "*any d_vocab"], clean: Float[Tensor, "*any d_vocab"]
) -> Float[Tensor, ""]:
    """KL divergence in nats from what the clean run predicts to what this one does; the mean."""
    expected, found = clean.log_softmax(dim=-1), logits.log_softmax(dim=-1)
    return (expected.exp() * (expected - found)).sum(dim=-1).mean()


def falling(metric: Callable[[Tensor], Tensor]) -> Damage:
    """How far the mean of a metric has fallen; below 0 where it has risen."""
    return lambda logits, clean: metric(clean).mean() - metric(logits).mean()


class Decision(NamedTuple):
    """What became of an edge, or of a node: how far the damage rises without it."""

    part: Edge | Node
    rise: float
    kept: bool
    damage: float  # of what is kept after the decision


@dataclass(frozen=True)
class Acdc:
    """What ACDC found, with every decision in the order in which it was made.

    Of a receiver from which nothing leads to the logits any more, all edges are cut untried: the
    damage cannot rise.
    """

    circuit: Circuit
    threshold: float
    damage: float
    decisions: tuple[Decision, ...]


def acdc(
    runs: EdgeRuns,
    threshold: float,
    damage: Damage = kl_divergence,
    *,
    level: Level = "edge",
    order: Order = "latest first",
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = False,
) -> Acdc:
    """Cut what raises the damage by less than a threshold, and keep it cut.

    Receivers come from the logits back, and of each its senders in the `order` given; `seed` is
    that of a random order. At node level senders are tried, from the last to the first, and all
    edges that leave one are cut together.
    `checkpoint`: a file in which finished decisions are kept, so that an interrupted run goes on
    where it stopped. Raises ValueError if another run's decisions are there.
    """
    if order not in get_args(Order) or level not in get_args(Level):
        raise ValueError(f"an order is one of {get_args(Order)}, a level one of {get_args(Level)}")
    run = _Run(runs, threshold, damage)
    store = None
    if checkpoint is not None:
        settings = [runs.digest, threshold, _name(damage), level, order, seed]
        store = _Store(Path(checkpoint), settings)
    groups = list(_groups(runs.graph, level, order, seed))
    with _bar(sum(map(len, groups)), progress) as bar:
        for number, group in enumerate(groups):
            if store and number < len(store.groups):
                run.repeat(group, store.groups[number])
            else:
                decided = run.decide(group)
                if store:
                    store.add(decided)
            bar.update(len(group))
    circuit = Circuit.of_mask(runs.graph, run.kept)
    return Acdc(circuit, threshold, run.damage_now, tuple(run.decisions))


def threshold_sweep(
    runs: EdgeRuns, thresholds: Iterable[float], damage: Damage = kl_divergence, **settings: Any
) -> list[Acdc]:
    """ACDC at each threshold, the largest (and fastest) first; `settings` are those of `acdc`."""
    return [
        acdc(runs, threshold, damage, **settings) for threshold in sorted(thresholds, reverse=True)
    ]


class _Trial(NamedTuple):
    """A part that may go, and where its edges stand in a mask."""

    part: Edge | Node
    rows: list[int]
    columns: list[int]


def _groups(graph: EdgeGraph, level: Level, order: Order, seed: int) -> Iterator[list[_Trial]]:
    """What is tried in one go: the edges of a receiver, or all the nodes."""
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret

    def ordered(trials: list[_Trial]) -> list[_Trial]:
        if order == "random":
            chooser.shuffle(trials)
        return trials[::-1] if order == "latest first" else trials

    if level == "node":
        nodes = []
        for column, node in enumerate(graph.senders):
            rows = np.flatnonzero(graph.possible[:, column]).tolist()
            nodes.append(_Trial(node, rows, [column] * len(rows)))
        yield ordered(nodes)
        return
    for row in reversed(range(len(graph.receivers))):
        receiver = graph.receivers[row]
        yield ordered(
            [
                _Trial(Edge(graph.senders[column], receiver), [row], [column])
                for column in np.flatnonzero(graph.possible[row]).tolist()
            ]
        )


class _Run:
    """What is kept so far, and the damage that it does."""

    def __init__(self, runs: EdgeRuns, threshold: float, damage: Damage) -> None:
        self.runs, self.threshold, self.damage = runs, threshold, damage
        self.kept: Mask = runs.everything
        self.damage_now = damage(runs.clean_logits, runs.clean_logits).item()
        self.decisions: list[Decision] = []
        self._heard: np.ndarray | None = None
        self._at_once = 1

    def decide(self, group: Sequence[_Trial]) -> list[Decision]:
        """Try all of a group.

        Most parts go. So several are cut one upon the other and measured together; up to the first
        that has to stay, these are the values of trying one at a time, and what comes after it is
        tried again.
        """
        begun, waiting = len(self.decisions), list(group)
        while waiting:
            batch = waiting[: self._at_once]
            if not self._matters(batch[0]):
                self._note(waiting.pop(0), 0.0, self.damage_now)
                continue
            for _trial, damage in zip(batch, self._damages(batch), strict=True):
                rise = damage - self.damage_now
                self._note(waiting.pop(0), rise, damage)
                if rise >= self.threshold:
                    self._at_once = max(1, self._at_once // 2)
                    break
            else:
                self._at_once = min(MOST_AT_ONCE, 2 * self._at_once)
        return self.decisions[begun:]

    def repeat(self, group: Sequence[_Trial], decided: Sequence[tuple[float, float]]) -> None:
        """Decisions that were made before: rise and damage of each."""
        for trial, (rise, damage) in zip(group, decided, strict=True):
            self._note(trial, rise, damage)

    def _note(self, trial: _Trial, rise: float, damage: float) -> None:
        """`damage`: without the trial's part, whether or not that is cut."""
        is_kept = rise >= self.threshold
        if not is_kept:
            if self._matters(trial):
                self._heard = None
            self.kept[trial.rows, trial.columns] = False
            self.damage_now = damage
        self.decisions.append(Decision(trial.part, rise, is_kept, self.damage_now))

    def _matters(self, trial: _Trial) -> bool:
        """Whether anything that leads to the logits hears the part."""
        if self._heard is None:
            self._heard = self.runs.heard(self.kept)
        return bool((self.kept[trial.rows, trial.columns] & self._heard[trial.rows]).any())

    def _damages(self, batch: Sequence[_Trial]) -> list[float]:
        """Without the first of a batch, without the first two, and so on."""
        masks = np.repeat(self.kept[None], len(batch), axis=0)
        for cell, trial in enumerate(batch):
            masks[cell:, trial.rows, trial.columns] = False
        clean = self.runs.clean_logits
        return [self.damage(logits, clean).item() for logits in self.runs.logits(masks)]


class _Store:
    """Finished groups of decisions in a file. ValueError if it holds those of another run."""

    def __init__(self, path: Path, settings: list[Any]) -> None:
        self.path, self.settings = path, settings
        self.groups: list[list[tuple[float, float]]] = []
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            if found["settings"] != settings:
                raise ValueError(f"{path} holds another run; name another file, or delete it")
            self.groups = [[tuple(one) for one in group] for group in found["groups"]]

    def add(self, decided: Sequence[Decision]) -> None:
        self.groups.append([(one.rise, one.damage) for one in decided])
        content = json.dumps({"settings": self.settings, "groups": self.groups})
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(content, "utf-8")
        unfinished.replace(self.path)


def _name(damage: Damage) -> str:
    return getattr(damage, "__qualname__", repr(type(damage)))


def _bar(total: int, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit="part", desc="ACDC", disable=not shown)
