"""A transformer as a graph: what writes into the residual stream, what reads from it, every pair.

What a part reads is the sum of what all parts before it wrote. So the edge from a sender to a
receiver is one summand of what the receiver reads, and an edge can be cut by replacing that summand
alone. The nodes are those of `demos.nodes`. Source: Elhage et al. 2021 for the sum; Goldowsky-Dill
et al. 2023, arXiv:2304.05969, and Conmy et al. 2023, arXiv:2304.14997, for the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool

from demos.nodes import EMBED, LETTERS, LOGITS, End, Head, HeadInput, Mlp, Node, parse, rank

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

    from demos.forward import GPT


class Edge(NamedTuple):
    """What one part writes, as another reads it."""

    sender: Node
    receiver: Node

    def __str__(self) -> str:
        return f"{self.sender} -> {self.receiver}"


@dataclass(frozen=True)
class EdgeGraph:
    """The nodes and edges of a model, or of its upper layers.

    `mlps`: whether there are feed-forward layers. `split`: whether a head reads three things, its
    query, key and value input, or one. `first_layer`: the layers below it are one sender, called
    embed like the embedding that it is when nothing is below.
    """

    n_layers: int
    n_heads: int
    mlps: bool = True
    split: bool = True
    first_layer: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.first_layer < max(self.n_layers, 1):
            raise ValueError(
                f"first_layer is {self.first_layer}; the model has layers 0 to {self.n_layers - 1}"
            )

    @classmethod
    def of(
        cls, model: TransformerBridge | GPT, *, split: bool = True, first_layer: int = 0
    ) -> EdgeGraph:
        """The graph of a model. Raises ValueError if `demos.forward.GPT` does not cover it."""
        from demos.attention_only import as_gpt

        config = as_gpt(model).config
        return cls(config.n_layers, config.n_heads, config.d_mlp > 0, split, first_layer)

    @property
    def layers(self) -> range:
        return range(self.first_layer, self.n_layers)

    @cached_property
    def senders(self) -> tuple[Node, ...]:
        """What writes, in the order of a forward pass."""
        return (EMBED, *self._parts(split=False))

    @cached_property
    def receivers(self) -> tuple[Node, ...]:
        """What reads, in the order of a forward pass."""
        return (*self._parts(split=self.split), LOGITS)

    def _parts(self, *, split: bool) -> Iterator[Node]:
        for layer in self.layers:
            for head in range(self.n_heads):
                if split:
                    yield from (HeadInput(layer, head, letter) for letter in LETTERS)
                else:
                    yield Head(layer, head)
            if self.mlps:
                yield Mlp(layer)

    @cached_property
    def sender_index(self) -> dict[Node, int]:
        return {node: index for index, node in enumerate(self.senders)}

    @cached_property
    def receiver_index(self) -> dict[Node, int]:
        return {node: index for index, node in enumerate(self.receivers)}

    @cached_property
    def sender_ranks(self) -> np.ndarray:
        return np.array([rank(node) for node in self.senders])

    @cached_property
    def receiver_ranks(self) -> np.ndarray:
        return np.array([rank(node) for node in self.receivers])

    @cached_property
    def possible(self) -> Bool[np.ndarray, "receiver sender"]:
        """Which senders stand before which receivers: all the edges."""
        return self.sender_ranks[None] < self.receiver_ranks[:, None]

    def parents(self, receiver: Node) -> tuple[Node, ...]:
        """What the receiver reads from, in the order of a forward pass."""
        return tuple(
            node for node in self.senders if rank(node) < rank(self._known_receiver(receiver))
        )

    def heads_inputs(self, layer: int) -> list[Node]:
        """What the heads of a layer read, head by head."""
        heads = (Head(layer, head) for head in range(self.n_heads))
        return [node for head in heads for node in self.inputs(head)]

    def owner(self, receiver: Node) -> Node:
        """The sender whose output a receiver's input goes into."""
        return Head(*receiver[:2]) if isinstance(receiver, HeadInput) else receiver

    def inputs(self, sender: Node) -> tuple[Node, ...]:
        """The receivers whose inputs go into a sender's output; the embedding has none."""
        if isinstance(sender, End):
            return ()
        if isinstance(sender, Head) and self.split:
            return tuple(HeadInput(*sender, letter) for letter in LETTERS)
        return (sender,)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, by receiver and then by sender, both in the order of a forward pass."""
        return tuple(self.edges_of(self.possible))

    def edges_of(self, mask: Bool[np.ndarray, "receiver sender"]) -> Iterator[Edge]:
        for receiver, sender in np.argwhere(mask):
            yield Edge(self.senders[sender], self.receivers[receiver])

    def mask(self, edges: Iterable[Edge]) -> Bool[np.ndarray, "receiver sender"]:
        """Raises ValueError for an edge that this graph does not have."""
        mask = np.zeros_like(self.possible)
        for edge in edges:
            mask[self.place(edge)] = True
        return mask

    def place(self, edge: Edge) -> tuple[int, int]:
        """Where an edge stands in a mask: (receiver, sender). ValueError if it stands nowhere."""
        sender, receiver = edge
        at = self.sender_index.get(sender), self.receiver_index.get(receiver)
        if at[0] is None or at[1] is None or not self.possible[at[1], at[0]]:
            raise ValueError(f"the graph has no edge {Edge(sender, receiver)}")
        return at[1], at[0]

    def outgoing(self, nodes: Iterable[Node]) -> Bool[np.ndarray, "receiver sender"]:
        """The edges that leave some senders: a node is knocked out by cutting them all."""
        mask = np.zeros_like(self.possible)
        for node in nodes:
            if node not in self.sender_index:
                raise ValueError(f"the graph has no sender {node}")
            mask[:, self.sender_index[node]] = True
        return mask & self.possible

    def _known_receiver(self, receiver: Node) -> Node:
        if receiver not in self.receiver_index:
            raise ValueError(f"the graph has no receiver {receiver}")
        return receiver


def parse_edge(text: str) -> Edge:
    """The edge that a text such as "9.6 -> 10.0 q" names. ValueError if it names none."""
    sender, arrow, receiver = text.partition(" -> ")
    if not arrow:
        raise ValueError(f"{text!r} is no edge; one is written 9.6 -> 10.0 q")
    return Edge(parse(sender), parse(receiver))
