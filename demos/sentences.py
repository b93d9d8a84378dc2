"""How probable whole sentences are: to a model, and to counts of words.

A score of a sentence is the sum of the log-probabilities of its tokens. Counts are the control:
what a table of pairs of tokens can tell needs no grammar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from demos.runs import Engine

TOKENS_AT_ONCE = 1024


def token_logprobs(
    engine: Engine, texts: Sequence[Sequence[int]], first: int
) -> list[Float[Tensor, " token"]]:
    """For each text the log-probability (nats) of each of its tokens, in the order of the texts.

    `first`: the token that is put before every text, so that its first token is judged too. Texts
    may differ in length: what is padded comes after a text, where a causal model does not see it.
    Raises ValueError for a text without tokens.
    """
    if not all(texts):
        raise ValueError("a text without tokens has no probability")
    found: dict[int, Tensor] = {}
    # Short texts with short ones, so that little is padded.
    waiting = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    while waiting:
        longest = len(texts[waiting[-1]])
        size = max(1, TOKENS_AT_ONCE // longest)
        batch, waiting = waiting[-size:], waiting[:-size]
        rows = [[first, *texts[n]] + [first] * (longest - len(texts[n])) for n in batch]
        tokens = torch.tensor(rows)
        with torch.no_grad():
            logits = engine.unembed(engine.run(tokens).resid_pre[-1][:, :-1])
            right = logits.gather(-1, tokens[:, 1:, None])[..., 0]
            logprobs = right - logits.logsumexp(dim=-1)
        for n, row in zip(batch, logprobs, strict=True):
            found[n] = row[: len(texts[n])].clone()
    return [found[n] for n in range(len(texts))]


@dataclass(frozen=True)
class Counts:
    """Tokens and pairs of tokens of a text, as a model of the next token.

    A token's probability is half its share among what followed the token before it, and half its
    share of the whole text, where every token of the vocabulary counts once more than it stands
    there. Without `pairs` only the second half is used, and the order of a sentence is nothing.
    """

    tokens: Counter[int]
    pairs: Counter[tuple[int, int]] | None
    d_vocab: int

    @classmethod
    def of(cls, text: Sequence[int], d_vocab: int, *, pairs: bool) -> Counts:
        return cls(Counter(text), Counter(pairwise(text)) if pairs else None, d_vocab)

    def logprob(self, text: Sequence[int]) -> float:
        """Of a whole text, in nats; its first token is judged by its share alone."""
        return sum(
            log(self._share(None if n == 0 else text[n - 1], text[n])) for n in range(len(text))
        )

    def _share(self, before: int | None, token: int) -> float:
        alone = (self.tokens[token] + 1) / (self.tokens.total() + self.d_vocab)
        if self.pairs is None or before is None or not self.tokens[before]:
            return alone
        return (self.pairs[before, token] / self.tokens[before] + alone) / 2


def preferred(good: float, bad: float) -> float:
    """1 if the good sentence scores higher, 0 if the bad one does, a half if neither."""
    return (good > bad) + (good == bad) / 2
