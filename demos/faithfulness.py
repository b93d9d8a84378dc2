"""Three questions that a circuit has to pass: is it enough, is it all, and is it needed?

A circuit is a set of parts of a model. Which parts, and what stands in for the others, is another
matter: `Ablation` says what a metric is when only some parts are kept, or only some are knocked
out. So heads, heads at positions and edges are all judged by the same code.

Source: Wang et al. 2022, arXiv:2211.00593, section 4, and its greedy search for completeness; the
scale from 0 to 1 is that of Hanna et al. 2024, arXiv:2403.17806, section 2.
"""

import random
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

Part = Hashable
Parts = frozenset[Part]


class Ablation(Protocol):
    """What the metric of each example is when parts of the model do not do their work.

    Many sets are asked for at once, because an implementation can share work between them.
    """

    def keep(self, sets: Sequence[Collection[Part]]) -> Float[Tensor, "set example"]:
        """Everything outside of a set is knocked out."""

    def knock_out(self, sets: Sequence[Collection[Part]]) -> Float[Tensor, "set example"]:
        """Only what is in a set is knocked out."""


@dataclass(frozen=True)
class Faithfulness:
    """The metric of each example in the whole model, the circuit alone, and with nothing left."""

    full: Float[Tensor, " example"]
    circuit: Float[Tensor, " example"]
    empty: Float[Tensor, " example"]

    @property
    def difference(self) -> float:
        """|F(M) - F(C)|, F being the mean of the metric: 0 is perfect (Wang et al. 2022)."""
        return abs(self.full.mean() - self.circuit.mean()).item()

    @property
    def share(self) -> float:
        """F(C) / F(M): how much of the model's metric the circuit has."""
        return (self.circuit.mean() / self.full.mean()).item()

    @property
    def recovered(self) -> float:
        """(F(C) - F(empty)) / (F(M) - F(empty)): 0 is nothing, 1 the whole model.

        Below 0 and above 1 are possible: a circuit may lack what works against the answer.
        Raises ValueError if knocking out everything changes nothing.
        """
        span = self.full.mean() - self.empty.mean()
        if span == 0:
            raise ValueError("knocking out everything changes nothing: there is no scale")
        return ((self.circuit.mean() - self.empty.mean()) / span).item()

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of `share`, over examples: (low, high)."""
        size = len(self.full)
        picks = torch.randint(size, (2000, size), generator=torch.Generator().manual_seed(0))
        full, circuit = (
            values.double()[picks].mean(dim=-1) for values in (self.full, self.circuit)
        )
        low, high = (circuit / full).quantile(torch.tensor([0.025, 0.975]).double())
        return low.item(), high.item()


def faithfulness(ablation: Ablation, circuit: Collection[Part]) -> Faithfulness:
    """Does the circuit alone do what the whole model does?"""
    (full,) = ablation.knock_out([()])
    circuit_alone, empty = ablation.keep([circuit, ()])
    return Faithfulness(full, circuit_alone, empty)


class Knockout(NamedTuple):
    """A set K that is taken from circuit and model alike, and the two means that are left."""

    removed: Parts
    circuit: float  # F(C \ K)
    model: float  # F(M \ K)

    @property
    def incompleteness(self) -> float:
        """|F(C \\ K) - F(M \\ K)|; large where the model has more of something than the circuit."""
        return abs(self.circuit - self.model)


def completeness(
    ablation: Ablation, circuit: Collection[Part], sets: Iterable[Collection[Part]]
) -> list[Knockout]:
    """Does the circuit behave as the model does when the same parts are missing from both?

    `sets`: sets K to remove; `random_subsets` makes some, classes of heads are others, and
    `greedy_set` searches for a bad one. Raises ValueError if a set has parts outside of the
    circuit.
    """
    circuit, removed = frozenset(circuit), [frozenset(one) for one in sets]
    for one in removed:
        if foreign := one - circuit:
            raise ValueError(f"{_names(foreign)} is not in the circuit, so it cannot be taken out")
    if not removed:
        return []
    alone = ablation.keep([circuit - one for one in removed]).mean(dim=-1)
    within = ablation.knock_out(removed).mean(dim=-1)
    return [
        Knockout(one, *pair)
        for one, *pair in zip(removed, alone.tolist(), within.tolist(), strict=True)
    ]


def random_subsets(circuit: Collection[Part], n: int, seed: int, share: float = 0.5) -> list[Parts]:
    """`n` subsets of a circuit; each part is in each with probability `share`."""
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
    parts = _ordered(circuit)
    return [frozenset(part for part in parts if chooser.random() < share) for _ in range(n)]


def greedy_set(
    ablation: Ablation,
    circuit: Collection[Part],
    *,
    steps: int,
    candidates: int,
    seed: int,
) -> Knockout:
    """The most incomplete set that a greedy search comes by.

    At each step `candidates` parts are drawn from those still in the circuit, and the one whose
    removal makes circuit and model differ most is removed. The worst set on the way is given back:
    a larger one need not be worse.
    Source: Wang et al. 2022, algorithm 2 of the appendix, which gives back the last set.
    """
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
    circuit, removed = frozenset(circuit), frozenset[Part]()
    found = completeness(ablation, circuit, [removed])
    for _ in range(min(steps, len(circuit))):
        rest = _ordered(circuit - removed)
        drawn = chooser.sample(rest, min(candidates, len(rest)))
        tried = completeness(ablation, circuit, [removed | {part} for part in drawn])
        found.append(max(tried, key=lambda knockout: knockout.incompleteness))
        removed = found[-1].removed
    return max(found, key=lambda knockout: knockout.incompleteness)


class Need(NamedTuple):
    """How far the metric moves when a part leaves the circuit from which `removed` has left."""

    removed: Parts
    change: float  # F(C \ (K and part)) - F(C \ K)


def minimality(
    ablation: Ablation,
    circuit: Collection[Part],
    sets: Mapping[Part, Sequence[Collection[Part]]] | None = None,
) -> dict[Part, Need]:
    """Does each part of the circuit matter, at least when some others are missing?

    `sets`: for each part, sets K to try; without any for it, a part is tried in the whole circuit.
    `without_each_class` makes the usual ones. The set where the part changes most is given back.
    Source: Wang et al. 2022, section 4.3, which asks for at least 1 % of F(M).
    Raises ValueError if a set is not within the circuit, or has the part itself.
    """
    circuit = frozenset(circuit)
    if not circuit:
        return {}
    given = sets or {}
    trials = [
        (part, frozenset(one)) for part in _ordered(circuit) for one in given.get(part) or [()]
    ]
    for part, removed in trials:
        if part in removed or not removed <= circuit:
            raise ValueError(f"{part}: what is removed before it must be other parts of C")
    # Many trials share a set; each is computed once.
    wanted = list(dict.fromkeys(circuit - one for part, k in trials for one in (k, k | {part})))
    mean = dict(zip(wanted, ablation.keep(wanted).mean(dim=-1).tolist(), strict=True))
    needs: dict[Part, Need] = {}
    for part, removed in trials:
        need = Need(removed, mean[circuit - removed - {part}] - mean[circuit - removed])
        if part not in needs or abs(need.change) > abs(needs[part].change):
            needs[part] = need
    return needs


def without_each_class(
    circuit: Collection[Part], classes: Mapping[str, Collection[Part]]
) -> dict[Part, list[Parts]]:
    """For each part: nothing removed, and the other members of its class removed.

    The second shows a part that others of its class stand in for.
    """
    parts = frozenset(circuit)
    sets: dict[Part, list[Parts]] = {part: [frozenset()] for part in parts}
    for members in classes.values():
        for part in parts & frozenset(members):
            if others := (parts & frozenset(members)) - {part}:
                sets[part].append(others)
    return sets


def random_circuits(
    parts: Iterable[Part], size: int, n: int, seed: int, key: Callable[[Part], str] = repr
) -> list[Parts]:
    """`n` sets of `size` parts, each drawn at random: what a circuit of that size must beat."""
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
    ordered = sorted(parts, key=key)
    return [frozenset(chooser.sample(ordered, size)) for _ in range(n)]


def _ordered(parts: Iterable[Part]) -> list[Part]:
    """In an order that no hash decides."""
    return sorted(parts, key=repr)


def _names(parts: Iterable[Part]) -> str:
    return ", ".join(str(part) for part in _ordered(parts))
