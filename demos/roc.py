"""How well parts that were found agree with parts that are known to matter: ROC curves.

Source: Conmy et al. 2023, arXiv:2304.14997, section 4 (edges of a published circuit are positives,
all others negatives).
"""

import itertools
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import NamedTuple


class Rates(NamedTuple):
    """A point of a ROC curve."""

    false_positive: float  # share of the parts outside of the known circuit that were found
    true_positive: float  # share of the known circuit that was found


def rates(found: Collection[Hashable], known: Collection[Hashable], of: int) -> Rates:
    """Where a circuit stands, among `of` parts.

    Raises ValueError unless there are both parts that belong to the known circuit and parts that do
    not.
    """
    found, known = set(found), set(known)
    if not 0 < len(known) < of:
        raise ValueError(f"{len(known)} of {of} parts are known: there is nothing to tell apart")
    return Rates(len(found - known) / (of - len(known)), len(found & known) / len(known))


def auc_of_points(points: Iterable[Rates]) -> float:
    """Area under the steps through the points, from (0, 0) to (1, 1); 1 is perfect.

    Steps never credit a method with a circuit that it did not find, so a single point says little
    more than the rectangle below it. A point that another one beats does not count.
    """
    area, reached = 0.0, 0.0
    ends = [*sorted(points), Rates(1.0, 1.0)]
    for point, after in itertools.pairwise(ends):
        reached = max(reached, point.true_positive)
        area += reached * (after.false_positive - point.false_positive)
    return area


def roc_of_scores(scores: Mapping[Hashable, float], known: Collection[Hashable]) -> list[Rates]:
    """The curve of all thresholds on the size of a score; equal scores come in together."""
    points, found = [Rates(0.0, 0.0)], set()
    by_size: dict[float, set[Hashable]] = {}
    for part, score in scores.items():
        by_size.setdefault(abs(score), set()).add(part)
    for size in sorted(by_size, reverse=True):
        found |= by_size[size]
        points.append(rates(found, known, len(scores)))
    return points


def auc_of_scores(scores: Mapping[Hashable, float], known: Collection[Hashable]) -> float:
    """Chance that a known part has a larger score than another one; ties count half."""
    points = roc_of_scores(scores, known)
    return sum(
        (after.false_positive - point.false_positive)
        * (after.true_positive + point.true_positive)
        / 2
        for point, after in itertools.pairwise(points)
    )
