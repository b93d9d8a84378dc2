"""Train the toys of `demos.toys` in seconds, on data whose structure is known or counted.

Two kinds of data: random tokens said twice, of which only the repetition can be predicted, and
English words. A training run returns what was measured along the way.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from demos.toys import AttentionOnly

BOS = 0  # begins every repeated sequence: where a head may look that has nothing to find
RARE = 0  # the id of every word that is not in a vocabulary
WORD = re.compile(r"\w+|[^\w\s]|\n\n")
Measured = TypeVar("Measured")


def repeated_tokens(
    n: int, period: int | Sequence[int], d_vocab: int, n_ctx: int, generator: torch.Generator
) -> Int[Tensor, "n n_ctx"]:
    """BOS, then a block of different random tokens said again and again until the context is full.

    `period`: the length of the block, or several from which each sequence draws its own.
    The tokens are 1 to d_vocab - 1. Raises ValueError if a block needs more than there are.
    """
    periods = torch.tensor([period] if isinstance(period, int) else list(period))
    longest = int(periods.max())
    if not 0 < longest < d_vocab or int(periods.min()) < 1:
        raise ValueError(f"a block has 1 to {d_vocab - 1} different tokens, not {longest}")
    drawn = periods[torch.randint(len(periods), (n, 1), generator=generator)]
    block = torch.rand(n, d_vocab - 1, generator=generator).argsort(dim=1)[:, :longest] + 1
    said = block.gather(1, torch.arange(n_ctx - 1) % drawn)
    return torch.cat([torch.full((n, 1), BOS), said], dim=1)


@dataclass(frozen=True)
class Vocabulary:
    """The commonest words of a text by id; id RARE stands for all others."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str, size: int) -> "Vocabulary":
        common = Counter(WORD.findall(text)).most_common(size - 1)
        return cls(("<rare>", *(word for word, _ in common)))

    def encode(self, text: str) -> Int[Tensor, " position"]:
        ids = {word: number for number, word in enumerate(self.words)}
        return torch.tensor([ids.get(word, RARE) for word in WORD.findall(text)])


def windows(
    tokens: Int[Tensor, " position"], n_ctx: int, n: int, generator: torch.Generator
) -> Int[Tensor, "n n_ctx"]:
    """Stretches of a text that begin anywhere."""
    starts = torch.randint(len(tokens) - n_ctx + 1, (n, 1), generator=generator)
    return tokens[starts + torch.arange(n_ctx)]


def stretches(tokens: Int[Tensor, " position"], n_ctx: int) -> Int[Tensor, "stretch n_ctx"]:
    """The whole text, cut so that every token but the first is predicted once.

    Neighbours share one token; what does not fill the last stretch is left out.
    """
    return tokens.unfold(0, n_ctx, n_ctx - 1)


def token_losses(
    model: AttentionOnly, tokens: Int[Tensor, "batch pos"]
) -> "tuple[Tensor, Int[Tensor, 'batch pos_minus_1']]":
    """Loss in nats of each token but the first, and the model's likeliest token in its place."""
    logits = model(tokens[:, :-1])
    losses = nn.functional.cross_entropy(logits.mT, tokens[:, 1:], reduction="none")
    return losses, logits.argmax(dim=-1)


def train(
    model: AttentionOnly,
    batches: Iterator[Int[Tensor, "batch pos"]],
    steps: int,
    measure: Callable[[AttentionOnly], Measured] | None = None,
    every: int = 25,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.0,
    ignored: int | None = None,
) -> list[tuple[int, Measured]]:
    """Train in place to predict each next token; AdamW, the learning rate falling to 0 linearly.

    `ignored`: a token that nobody is asked to predict. `measure` is called without gradients before
    the first step, every so many, and after the last; returned are (steps done, what it returned).
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=weight_decay
    )
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    history = []
    for step in range(steps + 1):
        if measure is not None and (step % every == 0 or step == steps):
            with torch.no_grad():
                history.append((step, measure(model)))
        if step == steps:
            break
        tokens = next(batches)
        asked = tokens[:, 1:] != (-1 if ignored is None else ignored)
        losses, _ = token_losses(model, tokens)
        optimizer.zero_grad()
        losses[asked].mean().backward()
        optimizer.step()
        falling.step()
    return history
