"""What two sets share by chance, against every draw there is."""

from itertools import combinations

import pytest

from demos.chance import RandomDraw


@pytest.mark.parametrize(("size", "known", "of"), [(3, 2, 6), (4, 4, 7), (0, 2, 5), (5, 5, 5)])
def test_chances_are_those_of_all_draws(size, known, of):
    draw = RandomDraw(size, known, of)
    shared = [sum(part < known for part in parts) for parts in combinations(range(of), size)]

    assert draw.chances == pytest.approx(
        [shared.count(n) / len(shared) for n in range(len(draw.chances))]
    )
    assert draw.mean == pytest.approx(sum(shared) / len(shared))
    assert draw.at_least(1) == pytest.approx(sum(n >= 1 for n in shared) / len(shared))
    assert draw.at_least(0) == pytest.approx(1)


def test_beyond_each_end_of_the_interval_lies_a_fortieth_at_most():
    draw = RandomDraw(20, 30, 100)
    low, high = draw.interval

    assert low < draw.mean < high
    assert sum(draw.chances[:low]) <= 0.025 < sum(draw.chances[: low + 1])
    assert draw.at_least(high + 1) <= 0.025 < draw.at_least(high)


def test_one_cannot_draw_more_than_there_are():
    with pytest.raises(ValueError, match="6 drawn and 2 marked of 5"):
        RandomDraw(6, 2, 5)
