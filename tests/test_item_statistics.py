"""Each formula against a value worked out by hand, or by the textbook's own definition."""

import math
import statistics as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import statistics as ours

# Six people, three questions. Totals: 3, 2, 2, 1, 1, 0.
SCORES = [[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (4, 8, 0.2152, 0.7848),  # the worked example of the study
        (0, 3, 0.0, 0.5615),
        (3, 3, 0.4385, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_wilson(right: int, n: int, low: float, high: float):
    assert ours.wilson(right, n) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_has_no_interval():
    assert ours.wilson(0, 0) is None


def test_discrimination_leaves_the_item_out():
    # Question 0: x = 1 1 1 0 1 0, rest = 2 1 1 1 0 0. Means 2/3 and 5/6.
    # Covariance 4/6 - 2/3 * 5/6 = 1/9; variances 2/9 and 7/6 - 25/36 = 17/36.
    expected = (1 / 9) / math.sqrt(2 / 9 * 17 / 36)
    assert ours.discrimination(SCORES, 0) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30))
def test_pearson_is_the_standard_librarys(pairs: list[tuple[float, float]]):
    x, y = zip(*pairs, strict=True)
    ranges = (max(x) - min(x), max(y) - min(y))
    if 0 < min(ranges) < 1e-3:
        return  # next to no variance: rounding decides
    if 0 in ranges:
        assert ours.pearson(x, y) is None
    else:
        assert ours.pearson(x, y) == pytest.approx(standard.correlation(x, y), abs=1e-9)


def test_what_does_not_vary_has_no_discrimination():
    assert ours.discrimination([[1, 0], [1, 1], [1, 0]], 0) is None
    assert ours.discriminative_efficiency([[1, 0], [1, 1]], 0) is None
    assert ours.pearson([0.1] * 3, [0.1, 0.2, 0.3]) is None
    assert ours.discrimination_interval([[1, 0], [1, 1], [1, 0]], 0) is None


def test_an_interval_needs_samples_that_vary():
    # One of thirty is right here and another one elsewhere: in 60 % of the samples one is missing.
    scores = [[1, 0], [0, 1], *[[0, 0]] * 28]
    assert ours.discrimination(scores, 0) is not None
    assert ours.discrimination_interval(scores, 0) is None
    # Of six, 9 % of the samples do not vary; the others say how uncertain it is.
    interval = ours.discrimination_interval(SCORES, 0)
    assert interval is not None
    assert interval[0] < ours.discrimination(SCORES, 0) < interval[1]


def test_efficiency_is_the_share_of_the_largest_covariance():
    # Question 0 sorted: 0 0 1 1 1 1 against rest 0 0 1 1 1 2: 5/6 - 2/3 * 5/6 = 5/18.
    assert ours.discriminative_efficiency(SCORES, 0) == pytest.approx((1 / 9) / (5 / 18))


def test_alpha_is_kr20_on_zeros_and_ones():
    # p = 2/3 1/2 1/3: sum p q = 2/9 + 1/4 + 2/9 = 25/36; variance of totals 19/6 - 9/4 = 11/12.
    kr20 = 3 / 2 * (1 - (25 / 36) / (11 / 12))
    assert ours.alpha(SCORES) == pytest.approx(kr20)
    assert ours.is_dichotomous(SCORES)
    assert ours.standard_error(SCORES) == pytest.approx(math.sqrt(11 / 12 * (1 - kr20)))


def test_alpha_does_not_depend_on_which_variance():
    scores = [[0.5, 1, 0.2], [1, 0.8, 0.4], [0, 0.1, 0.3], [0.9, 0.4, 1]]
    columns = list(zip(*scores, strict=True))
    within = sum(standard.variance(column) for column in columns)
    expected = 3 / 2 * (1 - within / standard.variance(map(sum, scores)))
    assert ours.alpha(scores) == pytest.approx(expected)
    assert not ours.is_dichotomous(scores)


def test_alpha_may_be_negative_and_may_not_exist():
    opposed = [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]]
    assert ours.alpha(opposed) < 0
    assert ours.alpha([]) is ours.alpha([[1], [0]]) is ours.alpha([[1, 0], [0, 1]]) is None


def test_spearman_brown():
    assert ours.spearman_brown(0.5, 2) == pytest.approx(2 / 3)
    assert ours.spearman_brown(-1, 2) is None


def test_normalized_gain():
    assert ours.normalized_gain(0.4, 0.7) == pytest.approx(0.5)
    assert ours.normalized_gain(0.5, 0.25) == pytest.approx(-0.5)
    assert ours.normalized_gain(1, 1) is None


def test_a_distractor_whose_choosers_do_better_raises_the_alarm():
    choices, rest = ["a", "a", "b", "b", "c"], [1.0, 2.0, 2.0, 3.0, 0.0]
    table = ours.distractors(choices, rest)

    assert table["a"] == (2, 0.4, 1.5)
    assert table["c"] == (1, 0.2, 0.0)
    assert ours.miskeyed(table, "a") == ["b"]
    assert ours.miskeyed(table, "b") == []
    assert ours.miskeyed(table, "z") == []


def test_calibration_speaks_from_ten_answers():
    answers = [(3, True)] * 8 + [(3, False)] * 2 + [(1, True)] * 9
    table = ours.calibration(answers)

    assert table == {1: (9, None, None), 2: (0, None, None), 3: (10, 8, 0.8)}
    # 8 (1 - 0.9)^2 + 2 * 0.9^2 + 9 (1 - 0.5)^2 = 0.08 + 1.62 + 2.25, over 19.
    assert ours.brier(answers) == pytest.approx(3.95 / 19)
    assert ours.brier([]) is None


def test_the_threshold_is_said():
    assert ours.not_enough(8, 20) == "not enough answers yet (8 of 20)"
    assert ours.not_enough(20, 20) is None


def test_the_bootstrap_is_the_same_each_time_and_holds_the_value():
    scores = [[i % 2, (i // 2) % 2, i % 3 / 2] for i in range(24)]
    scores = [[a, max(a, b), c] for a, b, c in scores]
    interval = ours.discrimination_interval(scores, 0)

    assert interval == ours.discrimination_interval(scores, 0)
    assert interval.low < ours.discrimination(scores, 0) < interval.high
    many = ours.discrimination_interval(scores * 25, 0)
    assert many.low < ours.discrimination(scores, 0) < many.high
    assert many.high - many.low < interval.high - interval.low
