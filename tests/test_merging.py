"""Differences and mergers: nothing that a side wrote is missing from them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.merging import HERE, PARTED, THERE, difference, merge, side_by_side

LINES = st.lists(
    st.sampled_from(["a", "b", "c", "", "  d ", "é\r", "\x0c", "e\u2028f"]), max_size=7
)
TEXT = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


def added(base: str, text: str) -> Counter[str]:
    return Counter(text.split("\n")) - Counter(base.split("\n"))


@given(TEXT, TEXT, TEXT)
def test_a_merger_holds_every_line_that_a_side_added(base: str, ours: str, theirs: str):
    merged = merge(base, ours, theirs)
    lines = Counter(merged.text.split("\n"))

    for side in (ours, theirs):
        assert set(added(base, side)) - {""} <= set(lines)
    assert (merged.conflicts > 0) == (HERE in lines)
    assert lines[HERE] == lines[PARTED] == lines[THERE] == merged.conflicts


@given(TEXT, TEXT)
def test_a_side_that_changed_nothing_yields(base: str, other: str):
    assert merge(base, other, base) == (other, 0)
    assert merge(base, base, other) == (other, 0)
    assert merge(base, other, other) == (other, 0)


def test_changes_far_apart_are_merged_and_those_of_one_line_kept_side_by_side():
    base = "one\ntwo\nthree\nfour"

    assert merge(base, "1\ntwo\nthree\nfour", "one\ntwo\nthree\n4").text == "1\ntwo\nthree\n4"
    assert merge("a\nb\n", "a\nx\n", "a\ny\n", ("<<< A", ">>> B")).text == (
        "a\n<<< A\nx\n=======\ny\n>>> B\n"
    )


@given(TEXT, TEXT)
def test_side_by_side_holds_both(ours: str, theirs: str):
    text = side_by_side(ours, theirs).text
    assert ours in text
    assert theirs in text
    assert text.startswith(f"{HERE}\n")
    assert text.endswith(f"{THERE}\n")


@given(TEXT, TEXT)
def test_a_difference_holds_both_texts_whole(before: str, after: str):
    pieces = difference(before, after)

    assert "".join(text for kind, text in pieces if kind != "added") == before
    assert "".join(text for kind, text in pieces if kind != "removed") == after
    assert all(text for _, text in pieces)


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a\n", "a\n", [("same", "a\n")]),
        (
            "one two\nx\n",
            "one 2\nx\n",
            [("same", "one "), ("removed", "two\n"), ("added", "2\n"), ("same", "x\n")],
        ),
        ("", "a", [("added", "a")]),
        ("a\nb", "a\n", [("same", "a\n"), ("removed", "b")]),
    ],
)
def test_a_difference_is_one_of_words(before: str, after: str, pieces: list):
    assert difference(before, after) == pieces
