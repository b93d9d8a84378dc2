"""Item analysis for small groups, in plain Python: every formula, and None where it has no value.

Scores run from 0 to 1. A matrix has a row for each person and a column for each question, holds
first attempts at one version only, and is complete: a question that was not reached is missing, not
wrong, and its row is left out before. Sources: Wilson 1927; Moodle's statistics report; Kuder and
Richardson 1937; Cronbach 1951; Hake 1998; Brier 1950.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Scores = Sequence[Sequence[float]]  # (person, question), each from 0 to 1

Z = 1.959963984540054  # of a 95 % interval
FOR_DIFFICULTY, FOR_DISCRIMINATION, FOR_FLAGS = 3, 20, 50  # answers
FOR_RELIABILITY = (20, 10)  # people, questions
FOR_CALIBRATION = 10  # answers at a level of certainty
# What a member says with each level: under 2/3, 2/3 to 4/5, over 4/5.
PROBABILITIES = {1: 0.5, 2: 0.73, 3: 0.9}


class Interval(NamedTuple):
    low: float
    high: float


def not_enough(n: int, needed: int) -> str | None:
    """The sentence that stands in for a figure below its threshold; None from there on."""
    return f"not enough answers yet ({n} of {needed})" if n < needed else None


def wilson(right: float, n: int) -> Interval | None:
    """The 95 % interval of a share; None without answers."""
    if n == 0:
        return None
    p, z2 = right / n, Z * Z
    center = p + z2 / (2 * n)
    spread = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # Its ends are 0 and 1 exactly where none or all are right; floating point misses that.
    low, high = (center - spread) / (1 + z2 / n), (center + spread) / (1 + z2 / n)
    return Interval(0.0 if right == 0 else low, 1.0 if right == n else high)


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _covariance(x: Sequence[float], y: Sequence[float]) -> float:
    """The population covariance: both sides of every ratio below divide by n."""
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    return math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / len(x)


def _varies(values: Sequence[float]) -> bool:
    """Equal values have a variance of 0, which floating point can miss."""
    return any(value != values[0] for value in values)


def pearson(x: Sequence[float], y: Sequence[float]) -> float | None:
    """The correlation; None where one of the two does not vary."""
    if len(x) < 2 or not _varies(x) or not _varies(y):
        return None
    r = _covariance(x, y) / math.sqrt(_covariance(x, x) * _covariance(y, y))
    return max(-1.0, min(1.0, r))


def rests(scores: Scores, question: int) -> list[float]:
    """Each person's sum over the other questions. With the question left in, noise correlates."""
    return [math.fsum(row) - row[question] for row in scores]


def discrimination(scores: Scores, question: int) -> float | None:
    """The item-rest correlation: do those who get this right do better elsewhere?"""
    return pearson([row[question] for row in scores], rests(scores, question))


def discrimination_interval(scores: Scores, question: int) -> Interval | None:
    """95 % of it: by bootstrap with a fixed seed, by Fisher's transformation from 500 people on."""
    x, y = [row[question] for row in scores], rests(scores, question)
    r = pearson(x, y)
    if r is None:
        return None
    if len(x) >= 500:
        z, spread = math.atanh(max(-0.999999, min(0.999999, r))), Z / math.sqrt(len(x) - 3)
        return Interval(math.tanh(z - spread), math.tanh(z + spread))
    drawn, people = random.Random(0), range(len(x))  # noqa: S311  resampling, no secret
    found = []
    for _ in range(500):
        sample = drawn.choices(people, k=len(x))
        if (again := pearson([x[i] for i in sample], [y[i] for i in sample])) is not None:
            found.append(again)
    found.sort()
    if len(found) < 250:
        return None  # most samples do not vary at all
    return Interval(found[int(0.025 * len(found))], found[int(0.975 * len(found))])


def discriminative_efficiency(scores: Scores, question: int) -> float | None:
    """The covariance with the rest as a share of the most that these scores allow (Moodle)."""
    if not scores:
        return None
    x, y = [row[question] for row in scores], rests(scores, question)
    if not _varies(x) or not _varies(y):
        return None
    most = _covariance(sorted(x), sorted(y))
    return _covariance(x, y) / most if most else None


class Chosen(NamedTuple):
    """Those who chose one option: how many, and their mean score on the other questions."""

    n: int
    share: float
    mean_rest: float | None


def distractors(choices: Sequence[str], rest: Sequence[float]) -> dict[str, Chosen]:
    """For each option that was chosen: by how many, and how they did elsewhere."""
    table = {}
    for option in sorted(set(choices)):
        own = [score for choice, score in zip(choices, rest, strict=True) if choice == option]
        table[option] = Chosen(len(own), len(own) / len(choices), mean(own))
    return table


def miskeyed(table: dict[str, Chosen], key: str) -> list[str]:
    """Options whose choosers did better elsewhere than those of the key: is the key right?"""
    right = table[key].mean_rest if key in table else None
    if right is None:
        return []
    return [
        option
        for option, chosen in table.items()
        if option != key and chosen.mean_rest is not None and chosen.mean_rest > right
    ]


def alpha(scores: Scores) -> float | None:
    """Cronbach's alpha; KR-20 when every score is 0 or 1. It may be negative, and is not clipped.

    Population variances on both sides: mixing p q with the sample variance is the usual mistake.
    """
    k = len(scores[0]) if scores else 0
    totals = [math.fsum(row) for row in scores]
    if k < 2 or not totals or not _varies(totals):
        return None
    items = math.fsum(_covariance(column, column) for column in zip(*scores, strict=True))
    return k / (k - 1) * (1 - items / _covariance(totals, totals))


def is_dichotomous(scores: Scores) -> bool:
    return all(score in (0, 1) for row in scores for score in row)


def standard_error(scores: Scores) -> float | None:
    """The standard error of measurement of a total: s_T sqrt(1 - alpha)."""
    reliability = alpha(scores)
    if reliability is None:
        return None
    totals = [math.fsum(row) for row in scores]
    return math.sqrt(_covariance(totals, totals) * max(0.0, 1 - reliability))


def spearman_brown(reliability: float, length: float) -> float | None:
    """The reliability of a test `length` times as long."""
    below = 1 + (length - 1) * reliability
    return length * reliability / below if below else None


def normalized_gain(before: float, after: float) -> float | None:
    """The share of what could be gained that was gained (Hake). None if all were right before."""
    return None if before == 1 else (after - before) / (1 - before)


class Level(NamedTuple):
    """The answers given with one level of certainty."""

    n: int
    right: int | None  # None below the threshold
    share: float | None


def calibration(answers: Sequence[tuple[int, bool]]) -> dict[int, Level]:
    """By level of certainty, how many were right. `answers` are (certainty, correct)."""
    table = {}
    for level in PROBABILITIES:
        own = [correct for certainty, correct in answers if certainty == level]
        enough = len(own) >= FOR_CALIBRATION
        table[level] = Level(
            len(own), sum(own) if enough else None, sum(own) / len(own) if enough else None
        )
    return table


def brier(answers: Sequence[tuple[int, bool]]) -> float | None:
    """The mean squared distance between what was said and what was so: 0 best, 0.25 by chance."""
    return mean([(PROBABILITIES[certainty] - correct) ** 2 for certainty, correct in answers])


def from_enough(n: int, needed: int, figure: Callable[[], T]) -> T | None:
    """A figure from its threshold on. It is not even computed below."""
    return figure() if n >= needed else None
