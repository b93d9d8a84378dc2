"""How much two sets share by chance alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import comb


@dataclass(frozen=True)
class RandomDraw:
    """`size` of `of` parts, drawn at random without putting back, `known` of which are marked.

    How many marked ones come up follows the hypergeometric distribution. Raises ValueError if more
    are drawn or marked than there are.
    """

    size: int
    known: int
    of: int

    def __post_init__(self) -> None:
        if not (0 <= self.size <= self.of and 0 <= self.known <= self.of):
            raise ValueError(f"{self.size} drawn and {self.known} marked of {self.of} parts")

    @cached_property
    def chances(self) -> tuple[float, ...]:
        """Of 0, 1, 2 ... marked parts."""
        ways = comb(self.of, self.size)
        return tuple(
            comb(self.known, n) * comb(self.of - self.known, self.size - n) / ways
            for n in range(min(self.size, self.known) + 1)
        )

    @property
    def mean(self) -> float:
        return self.size * self.known / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[int, int]:
        """The central 95 %: beyond each end lie at most 2.5 % of all draws."""
        below = list(accumulate(self.chances))
        low = next(n for n, total in enumerate(below) if total > 0.025)
        high = next(n for n, total in enumerate(below) if total >= 0.975 - 1e-12)
        return low, high

    def at_least(self, shared: int) -> float:
        """Chance that a draw shares as many or more."""
        return sum(self.chances[max(shared, 0) :])
