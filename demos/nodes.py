"""The parts of a model that a circuit is made of, and how they are written.

A head is written 9.6 (layer.head, both counted from 0), what it reads "9.6 q", "9.6 k" or "9.6 v",
a feed-forward layer "mlp 3"; "embed" is where every path begins and "logits" where it ends.
Nothing here imports torch.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Literal, NamedTuple, get_args

Letter = Literal["q", "k", "v"]
LETTERS: tuple[Letter, ...] = get_args(Letter)


class Head(NamedTuple):
    """An attention head, as a part that writes; also a plain pair (layer, head)."""

    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.head}"


class HeadInput(NamedTuple):
    """One of the three things that a head reads from the residual stream."""

    layer: int
    head: int
    letter: Letter

    def __str__(self) -> str:
        return f"{self.layer}.{self.head} {self.letter}"


class Mlp(NamedTuple):
    """A feed-forward layer."""

    layer: int

    def __str__(self) -> str:
        return f"mlp {self.layer}"


class End(Enum):
    """Where every path begins, and where it ends."""

    EMBED = "embed"
    LOGITS = "logits"

    def __str__(self) -> str:
        return self.value


EMBED, LOGITS = End.EMBED, End.LOGITS

Sender = Head | Mlp | Literal[End.EMBED]
Receiver = HeadInput | Mlp | Literal[End.LOGITS]
Node = Head | HeadInput | Mlp | End

_FORM = re.compile(
    r"(?P<layer>\d+)\.(?P<head>\d+)( (?P<letter>[qkv]))?|mlp (?P<mlp>\d+)|(?P<end>embed|logits)"
)


def parse(text: str) -> Node:
    """The node that a text names. Raises ValueError if it names none."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no node; a head is written 9.6, its input 9.6 q, 9.6 k or 9.6 v, "
            "a feed-forward layer mlp 3, the ends embed and logits"
        )
    if found["end"]:
        return End(found["end"])
    if found["mlp"]:
        return Mlp(int(found["mlp"]))
    layer, head = int(found["layer"]), int(found["head"])
    return HeadInput(layer, head, found["letter"]) if found["letter"] else Head(layer, head)


def rank(node: Node) -> int:
    """The order in which a forward pass comes to the nodes; heads of one layer stand side by side.

    The embedding is -1; the heads of layer l, and what they read, are 2l; its feed-forward layer is
    2l + 1; the logits come after every layer there may be.
    """
    if isinstance(node, End):
        return -1 if node is EMBED else 1 << 30
    return 2 * node.layer + isinstance(node, Mlp)


def senders(n_layers: int, n_heads: int) -> Iterator[Head | Mlp]:
    """All heads and feed-forward layers, in the order of a forward pass."""
    for layer in range(n_layers):
        for head in range(n_heads):
            yield Head(layer, head)
        yield Mlp(layer)
