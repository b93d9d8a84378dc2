"""Multiplications that a computation makes, the time they take alone, and the least it could do."""

import time
from collections import Counter
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from demos.forward import GPTConfig

aten = torch.ops.aten
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


class Products(TorchDispatchMode):
    """While it is entered it keeps the shapes of all matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[Shapes] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        factors = {aten.mm.default: args[:2], aten.bmm.default: args[:2]}.get(func)
        if func is aten.addmm.default:
            factors = args[1:3]
        if factors is not None:
            self.seen[tuple(factors[0].shape), tuple(factors[1].shape)] += 1
        return func(*args, **(kwargs or {}))

    @property
    def operations(self) -> int:
        """Floating-point operations: a multiplication and an addition for each pair of numbers."""
        return sum(2 * prod(left) * right[-1] * n for (left, right), n in self.seen.items())

    def seconds_alone(self, repeats: int = 3) -> float:
        """How long plain float32 products of the same shapes take, each as fast as it was seen."""
        total = 0.0
        for (left, right), n in self.seen.items():
            a, b = torch.randn(left), torch.randn(right)
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                a @ b
                seconds.append(time.perf_counter() - begun)
            total += min(seconds) * n
        return total


def least_operations(config: GPTConfig, batch: int, positions: int, first: int) -> int:
    """What an exact `resid_pre` sweep cannot do without, if the tokens at `first` alone differ.

    Two runs, the second from `first` on; then for each layer and position p the keys, values and
    query of p, everything behind it in the layers above, and in the last layer what the last
    position needs. A head's scores and its mixture are made of all keys up to the query.
    """
    heads = config.n_heads * config.d_head
    qkv, out = 3 * config.d_model * heads, config.d_model * heads
    mlp = (3 if config.gated else 2) * config.d_model * config.d_mlp
    last = config.n_layers - 1

    def attend(queries: range) -> int:
        return 2 * heads * sum(query + 1 for query in queries)

    def layers(number: int, start: int) -> int:
        """Layers below the last one, for the positions from `start` on."""
        rows = positions - start
        return number * (rows * (qkv + out + mlp) + attend(range(start, positions)))

    def end(keys: int) -> int:
        """The last layer with `keys` new keys and values, and the logits after the last token."""
        of_last = qkv // 3 + out + mlp + attend(range(positions - 1, positions))
        return keys * qkv * 2 // 3 + of_last + config.d_model * config.d_vocab

    total = layers(last, 0) + end(positions) + layers(last, first) + end(positions - first)
    for position in range(first, positions):
        rows = positions - position
        unchanged = rows - 1  # queries, keys and values of the patched layer that the run has
        for layer in range(int(position != first), last):
            total += layers(last - layer, position) - unchanged * qkv + end(rows)
        total += end(1)
    return 2 * batch * total
