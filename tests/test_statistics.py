import math

import pytest
import torch

from demos.statistics import mean_interval, rank_correlation, share_error, share_interval


def test_values_that_are_all_equal_leave_no_doubt_about_their_mean():
    low, high = mean_interval(torch.full((2, 5), 3.0))
    assert low.tolist() == high.tolist() == [3.0, 3.0]


def test_the_interval_of_a_mean_is_near_what_theory_says_and_the_same_each_time():
    values = torch.randn(3, 400, generator=torch.Generator().manual_seed(1))
    low, high = mean_interval(values)

    error = values.std(dim=-1) / math.sqrt(400)
    torch.testing.assert_close(low, values.mean(dim=-1) - 1.96 * error, atol=0.02, rtol=0)
    torch.testing.assert_close(high, values.mean(dim=-1) + 1.96 * error, atol=0.02, rtol=0)
    again = mean_interval(values)
    assert torch.equal(low, again[0]) and torch.equal(high, again[1])


def test_the_interval_of_a_mean_holds_it_in_about_95_of_100_samples():
    samples = torch.rand(300, 40, generator=torch.Generator().manual_seed(2))
    low, high = mean_interval(samples)
    held = ((low < 0.5) & (high > 0.5)).float().mean()
    assert 0.9 < held < 0.99


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one value"):
        mean_interval(torch.zeros(2, 0))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # Newcombe 1998, table I, method 3: Wilson without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share_is_the_published_one(hits, of, low, high):
    assert share_interval(hits, of) == pytest.approx((low, high), abs=5e-5)
    mirrored = share_interval(of - hits, of)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize("of", [1, 7, 300])
def test_the_interval_of_a_share_holds_the_share(of):
    for hits in range(of + 1):
        low, high = share_interval(hits, of)
        assert 0 <= low <= hits / of <= high <= 1


def test_the_error_of_a_share_is_largest_at_one_half():
    assert share_error(50, 100) == 0.05
    assert share_error(0, 100) == share_error(100, 100) == 0


@pytest.mark.parametrize("function", [share_interval, share_error])
@pytest.mark.parametrize(("hits", "of"), [(3, 2), (-1, 2), (0, 0)])
def test_what_is_no_share_is_refused(function, hits, of):
    with pytest.raises(ValueError, match=f"{hits} of {of} is no share"):
        function(hits, of)


@pytest.mark.parametrize(
    ("one", "other", "correlation"),
    [
        ([1, 2, 3, 4], [10, 20, 40, 80], 1),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        # Ranks 0, 1, 2, 3 and 1, 0, 3, 2: 1 - 6 * 4 / (4 * 15).
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),
        # Ranks 0.5, 0.5, 2, 3 and 0, 1, 2, 3: the product-moment correlation of these.
        ([5, 5, 6, 7], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5)),
    ],
)
def test_ranks_are_correlated_with_ties_at_their_mean(one, other, correlation):
    found = rank_correlation(torch.tensor(one).float(), torch.tensor(other).float())
    assert found == pytest.approx(correlation, abs=1e-12)


@pytest.mark.parametrize(
    ("one", "other", "complaint"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "equally long"),
        ([1.0], [1.0], "equally long"),
        ([1.0, 1.0], [1.0, 2.0], "no order"),
        ([1.0, math.nan], [1.0, 2.0], "not finite"),
    ],
)
def test_what_has_no_order_is_not_correlated(one, other, complaint):
    with pytest.raises(ValueError, match=complaint):
        rank_correlation(torch.tensor(one), torch.tensor(other))
