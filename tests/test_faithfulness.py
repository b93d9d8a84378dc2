"""Faithfulness, completeness and minimality where the right answer can be worked out on paper."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from demos.faithfulness import (
    completeness,
    faithfulness,
    greedy_set,
    minimality,
    random_circuits,
    random_subsets,
    without_each_class,
)

EVERYTHING = frozenset("abcdefgh")


class Toy:
    """Parts with a known joint effect; two examples, of which the second counts double."""

    def __init__(self, metric):
        self.metric = metric

    def keep(self, sets):
        values = [self.metric(frozenset(one)) for one in sets]
        return torch.tensor([[value, 2 * value] for value in values]).double()

    def knock_out(self, sets):
        return self.keep([EVERYTHING - frozenset(one) for one in sets])


def added(kept):
    """a gives 4, b gives 2, h takes 1 away; the others do nothing."""
    return 4.0 * ("a" in kept) + 2.0 * ("b" in kept) - 1.0 * ("h" in kept)


def either(kept):
    """a and its backup b give 4, together or alone; c gives 1."""
    return 4.0 * bool({"a", "b"} & kept) + 1.0 * ("c" in kept)


def test_a_circuit_that_has_all_that_matters_is_faithful():
    found = faithfulness(Toy(added), {"a", "b", "h"})

    assert (found.difference, found.share, found.recovered) == (0, 1, 1)


def test_a_circuit_without_what_works_against_the_answer_does_more_than_the_model():
    found = faithfulness(Toy(added), "ab")

    assert found.difference == 1.5  # 6 instead of 5, times the mean of 1 and 2
    assert found.recovered == pytest.approx(6 / 5)
    # Circuit and model do better on the same example, so their ratio is the same in every draw.
    assert found.interval() == pytest.approx((6 / 5, 6 / 5))


def test_without_a_difference_there_is_no_scale():
    with pytest.raises(ValueError, match="no scale"):
        _ = faithfulness(Toy(lambda kept: 1.0), "a").recovered


def test_a_faithful_circuit_without_the_backup_is_incomplete():
    toy = Toy(either)
    assert faithfulness(toy, "ac").difference == 0

    (with_a, without_a) = completeness(toy, "ac", ["c", "a"])

    assert with_a.incompleteness == 0
    assert (without_a.circuit, without_a.model) == (1.5, 7.5)


def test_the_greedy_search_finds_what_is_missing():
    found = greedy_set(Toy(either), "acdefg", steps=3, candidates=6, seed=0)

    assert "a" in found.removed
    assert found.incompleteness == 6


@given(st.sets(st.sampled_from("abcdefgh")), st.integers(0, 5))
def test_the_whole_model_is_complete_whatever_is_removed(removed, seed):
    (found,) = completeness(Toy(either), EVERYTHING, [removed])
    worst = greedy_set(Toy(either), EVERYTHING, steps=4, candidates=3, seed=seed)

    assert found.incompleteness == worst.incompleteness == 0


@given(st.permutations("abh"))
def test_the_order_of_the_parts_does_not_matter(order):
    assert faithfulness(Toy(added), order).share == 1
    assert random_subsets(order, 3, seed=1) == random_subsets("abh", 3, seed=1)
    assert minimality(Toy(added), order) == minimality(Toy(added), "abh")


def test_a_part_that_another_stands_in_for_is_needed_only_without_it():
    alone = minimality(Toy(either), "abcd")
    by_class = minimality(
        Toy(either), "abcd", without_each_class("abcd", {"movers": "ab", "rest": "cd"})
    )

    assert {part: need.change for part, need in alone.items()} == {
        "a": 0,
        "b": 0,
        "c": -1.5,
        "d": 0,
    }
    assert by_class["a"] == (frozenset("b"), -6)
    assert by_class["d"].change == 0


@pytest.mark.parametrize("sets", [{"a": ["ab"]}, {"a": ["h"]}])
def test_what_is_removed_first_are_other_parts_of_the_circuit(sets):
    with pytest.raises(ValueError, match="must be other parts"):
        minimality(Toy(either), "abc", sets)


def test_a_set_from_outside_of_the_circuit_is_refused():
    with pytest.raises(ValueError, match="h is not in the circuit"):
        completeness(Toy(either), "abc", ["ah"])


def test_random_circuits_have_their_size_and_come_again():
    drawn = random_circuits(EVERYTHING, 3, n=20, seed=4)

    assert {len(one) for one in drawn} == {3}
    assert len(set(drawn)) > 10
    assert drawn == random_circuits(sorted(EVERYTHING), 3, n=20, seed=4)
