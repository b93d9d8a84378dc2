"""A circuit: some edges of a model's graph, as a value that can be compared, written and read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from demos.edge_graph import Edge, EdgeGraph, parse_edge
from demos.edge_runs import EdgeRuns, Mask
from demos.nodes import EMBED, LOGITS, Node


@dataclass(frozen=True)
class Circuit:
    """Edges of a graph. Two circuits are equal if graph and edges are.

    Raises ValueError for an edge that the graph does not have.
    """

    graph: EdgeGraph
    edges: frozenset[Edge]

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", frozenset(Edge(*edge) for edge in self.edges))
        self.mask  # noqa: B018 - names the edge that does not exist

    @classmethod
    def of_mask(cls, graph: EdgeGraph, mask: Bool[np.ndarray, "receiver sender"]) -> Circuit:
        return cls(graph, frozenset(graph.edges_of(mask & graph.possible)))

    @classmethod
    def whole(cls, graph: EdgeGraph) -> Circuit:
        return cls.of_mask(graph, graph.possible)

    @classmethod
    def of_nodes(cls, graph: EdgeGraph, nodes: Iterable[Node]) -> Circuit:
        """Every edge between some senders, and from them to the logits."""
        inside = set(nodes)
        mask = graph.outgoing(inside)
        for row, receiver in enumerate(graph.receivers):
            if receiver is not LOGITS and graph.owner(receiver) not in inside:
                mask[row] = False
        return cls.of_mask(graph, mask)

    @classmethod
    def of_scores(
        cls, graph: EdgeGraph, scores: Float[Tensor, "receiver sender"], size: int
    ) -> Circuit:
        """The `size` edges with the largest scores, whatever their sign.

        Raises ValueError if the graph does not have so many.
        """
        if not 0 <= size <= len(graph.edges):
            raise ValueError(f"{size} edges of {len(graph.edges)}")
        values = np.where(graph.possible, scores.abs().cpu().numpy(), -1.0)
        # Equal scores stay in the order of the pass, on every machine.
        best = np.argsort(-values, axis=None, kind="stable")[:size]
        mask = np.zeros_like(graph.possible)
        mask[np.unravel_index(best, mask.shape)] = True
        return cls.of_mask(graph, mask)

    @classmethod
    def at_random(cls, graph: EdgeGraph, size: int, seed: int) -> Circuit:
        """`size` edges drawn at random."""
        chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
        return cls(graph, frozenset(chooser.sample(graph.edges, size)))

    def __len__(self) -> int:
        return len(self.edges)

    def __contains__(self, edge: object) -> bool:
        return edge in self.edges

    @cached_property
    def mask(self) -> Mask:
        return self.graph.mask(self.edges)

    @property
    def nodes(self) -> frozenset[Node]:
        """What is on an edge, by the part that it belongs to; embedding and logits are included."""
        ends = [node for edge in self.edges for node in edge]
        return frozenset(self.graph.owner(node) for node in ends)

    @cached_property
    def pruned(self) -> Circuit:
        """Without the edges on no path from the embedding to the logits.

        An edge from which no path leads to the logits does nothing. A sender that hears nothing
        says what it says when all it reads comes from the reference run.
        """
        forward, backward = self._reach(EMBED, forward=True), self._reach(LOGITS, forward=False)
        owner = self.graph.owner
        kept = {
            edge
            for edge in self.edges
            if edge.sender in forward and owner(edge.receiver) in backward
        }
        return Circuit(self.graph, frozenset(kept))

    def _reach(self, start: Node, *, forward: bool) -> set[Node]:
        owner, reached = self.graph.owner, {start}
        place = {edge: self.graph.place(edge) for edge in self.edges}
        # Edges into earlier receivers come first, or last, so one turn is enough.
        for edge in sorted(self.edges, key=place.__getitem__, reverse=not forward):
            near, far = edge.sender, owner(edge.receiver)
            if not forward:
                near, far = far, near
            if near in reached:
                reached.add(far)
        return reached

    def overlap(self, other: Circuit) -> float:
        """Edges that both have, of those that either has (Jaccard); 1 if both are empty."""
        either = self.edges | other.edges
        return len(self.edges & other.edges) / len(either) if either else 1.0

    def to_json(self) -> str:
        """Stable: the same circuit has the same text."""
        listed = [str(edge) for edge in sorted(self.edges, key=self.graph.place)]
        return json.dumps({"graph": asdict(self.graph), "edges": listed}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Circuit:
        """Raises ValueError, saying where, for a text that `to_json` does not write."""
        try:
            given = json.loads(text)
            graph, listed = EdgeGraph(**given["graph"]), list(given["edges"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"a circuit is a JSON object with graph and edges, not this: {error}"
            ) from None
        return cls(graph, frozenset(parse_edge(edge) for edge in listed))

    def __str__(self) -> str:
        """A line for each receiver, from the logits back: "logits <- 9.6, mlp 10"."""
        place = self.graph.sender_index
        lines = []
        for receiver in reversed(self.graph.receivers):
            heard = [edge.sender for edge in self.edges if edge.receiver == receiver]
            if heard:
                names = ", ".join(str(node) for node in sorted(heard, key=place.__getitem__))
                lines.append(f"{receiver} <- {names}")
        return "\n".join(lines) or "no edges"


@dataclass(frozen=True)
class Ablated:
    """Edges or nodes knocked out, as `demos.faithfulness` asks about them.

    `metric`: takes the logits that `runs` keeps; gives a number for each example. At node level a
    part is a sender, and knocking it out cuts every edge that leaves it.
    """

    runs: EdgeRuns
    metric: Callable[[Tensor], Tensor]
    level: Literal["edge", "node"] = "edge"

    def _mask(self, parts: Collection) -> Mask:
        graph = self.runs.graph
        return graph.mask(parts) if self.level == "edge" else graph.outgoing(parts)

    def keep(self, sets: Sequence[Collection]) -> Float[Tensor, "set example"]:
        return self.runs.measure([self._mask(one) for one in sets], self.metric)

    def knock_out(self, sets: Sequence[Collection]) -> Float[Tensor, "set example"]:
        whole = self.runs.graph.possible
        return self.runs.measure([whole & ~self._mask(one) for one in sets], self.metric)
