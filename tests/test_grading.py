"""What is right, and by how much: rules that know nothing of HTTP or of the database."""

from typing import Any

import pytest

from api.grading import Key, NoKey, check_response, chosen_options, find_key, grade, key_version
from api.questions import FactKey, Option, Question, Tolerance
from api.records import Fact
from api.wire import NotOffered

SHARE = Fact(value=0.25, tolerance=0.01, notebook="00_a")
FACTS = {"share": SHARE, "head": Fact(value="9.6", notebook="00_a")}


def question(type_: str, *options: Option, **more: Any) -> Question:
    return Question(
        id="q", stem="Which?", type=type_, why="So.", source="X", options=list(options), **more
    )


SINGLE = question(
    "single",
    Option(id="a", text="A."),
    Option(id="b", text="B.", right=True),
    Option(id="c", text="C."),
)
MULTIPLE = question(
    "multiple",
    Option(id="a", text="A.", right=True),
    Option(id="b", text="B."),
    Option(id="c", text="C.", right=True),
    Option(id="d", text="D.", right=True),
)
ORDER = question("order", *(Option(id=name, text=f"{name}.") for name in "abcd"))
MATCH = question(
    "match",
    Option(id="a", text="A.", match="one"),
    Option(id="b", text="B.", match="two"),
    Option(id="c", text="C.", match="three"),
)
TEXT = question("text", key="The logit lens", accept=["logit-lens"])


def number(key: Any = "0.2", **tolerance: Any) -> Question:
    return question("number", key=key, tolerance=Tolerance(**(tolerance or {"absolute": 0.1})))


@pytest.mark.parametrize(
    ("asked", "response", "score", "correct"),
    [
        (SINGLE, "b", 1, True),
        (SINGLE, "a", 0, False),
        (MULTIPLE, ["d", "a", "c"], 1, True),
        (MULTIPLE, ["a", "c"], 2 / 3, False),
        (MULTIPLE, ["a", "c", "b"], 1 / 3, False),  # each wrong one takes a right one back
        (MULTIPLE, ["a", "b", "c", "d"], 2 / 3, False),
        (MULTIPLE, ["b"], 0, False),
        (MULTIPLE, [], 0, False),
        (ORDER, ["a", "b", "c", "d"], 1, True),
        (ORDER, ["b", "a", "c", "d"], 5 / 6, False),
        (ORDER, ["d", "a", "b", "c"], 3 / 6, False),
        (ORDER, ["d", "c", "b", "a"], 0, False),
        (MATCH, {"a": "one", "b": "two", "c": "three"}, 1, True),
        (MATCH, {"a": "one", "b": "three", "c": "two"}, 1 / 3, False),
        (MATCH, {"a": "two", "b": "two", "c": "three"}, 1 / 3 + 1 / 3, False),
        (TEXT, "The logit lens", 1, True),
        (TEXT, ' the  LOGIT lens."', 1, True),
        (TEXT, "Ｔｈｅ ｌｏｇｉｔ ｌｅｎｓ！", 1, True),  # full width, as some keyboards write
        (TEXT, "the\tlogit\nlens", 1, True),
        (TEXT, "Logit-Lens", 1, True),
        (TEXT, "logit lens", 0, False),
        (TEXT, "logit.lens", 0, False),
        (TEXT, "XThe logit lensX", 0, False),
    ],
)
def test_an_answer_gets_its_score(asked: Question, response: Any, score: float, correct: bool):
    mark = grade(asked, response, find_key(asked, FACTS))
    assert mark.score == pytest.approx(score)
    assert mark.correct is correct


@pytest.mark.parametrize("sign", list(" .,;:!?\"'`"))
def test_punctuation_at_the_ends_of_a_text_does_not_count(sign: str):
    key = find_key(TEXT, FACTS)
    assert grade(TEXT, f"{sign}the logit lens{sign}", key).correct
    assert not grade(TEXT, f"the {sign}-logit lens", key).correct


@pytest.mark.parametrize(
    ("tolerance", "response", "correct"),
    [
        ({"absolute": 0.1}, 0.3, True),
        ({"absolute": 0.1}, 0.1, True),  # 0.2 - 0.1 is a little more than 0.1 in floating point
        ({"absolute": 0.1}, 0.3001, False),
        ({"absolute": 0.1}, 0.0999, False),
        ({"absolute": 0}, 0.2, True),
        ({"absolute": 0}, 0.1 + 0.1, True),
        ({"absolute": 0}, 0.2 + 1e-9, False),
        ({"relative": 0.5}, 0.1, True),
        ({"relative": 0.5}, 0.3, True),
        ({"relative": 0.5}, 0.301, False),
        ({"relative": 0.5}, 0.6, False),
        ({"digits": 2}, 0.2049, True),
        ({"digits": 2}, 0.2051, False),
        ({"digits": 1}, 0.2051, True),
        ({"digits": 1}, 2, False),
    ],
)
def test_a_number_may_be_as_far_off_as_the_tolerance_says(
    tolerance: dict[str, Any], response: float, correct: bool
):
    asked = number(**tolerance)
    assert grade(asked, response, find_key(asked, FACTS)).correct is correct


def test_a_relative_tolerance_is_of_the_size_of_a_negative_key_too():
    asked = number("-10", relative=0.1)
    key = find_key(asked, FACTS)
    assert [grade(asked, n, key).correct for n in (-11, -9, -8.9, 10)] == [True, True, False, False]


def test_nothing_is_within_nothing_of_nothing():
    asked = number("0", absolute=0)
    key = find_key(asked, FACTS)
    assert [grade(asked, n, key).correct for n in (0, -0.0, 1e-12)] == [True, True, False]


def test_a_number_without_a_tolerance_is_exact():
    asked = question("number", key="0.2")
    key = find_key(asked, FACTS)
    assert key == Key(0.2, None)
    assert [grade(asked, n, key).correct for n in (0.2, 0.2001, 1.2)] == [True, False, False]


def test_the_edge_of_a_tolerance_grows_with_the_numbers():
    asked = number("1e9", absolute=1)
    key = find_key(asked, FACTS)
    assert grade(asked, 1e9 + 1.5, key).correct  # a billionth of the key
    assert not grade(asked, 1e9 + 2.5, key).correct
    wide = number("1", absolute=1e9)
    assert grade(wide, 1e9 + 1.5, find_key(wide, FACTS)).correct
    assert not grade(wide, 1e9 + 3.5, find_key(wide, FACTS)).correct


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (SINGLE, Key("b")),
        (MULTIPLE, Key(["a", "c", "d"])),
        (ORDER, Key(["a", "b", "c", "d"])),
        (MATCH, Key({"a": "one", "b": "two", "c": "three"})),
        (TEXT, Key("The logit lens")),
        (number(), Key(0.2, Tolerance(absolute=0.1))),
        (number(FactKey(fact="share"), digits=2), Key(0.25, Tolerance(digits=2))),
        (question("match", Option(id="a", text="A.")), Key({"a": ""})),  # refused by `check`
    ],
)
def test_a_key_has_the_form_of_a_response(asked: Question, key: Key):
    assert find_key(asked, FACTS) == key


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (question("single", Option(id="a", text="A.")), "the key of 'q' could not be computed"),
        (
            question("single", *(Option(id=n, text=n, right=True) for n in "ab")),
            "the key of 'q' could not be computed",
        ),
        (number(FactKey(fact="none")), "no notebook records a fact 'none'"),
        (number(FactKey(fact="head")), "fact 'head': not a number"),
    ],
)
def test_what_has_no_key_says_why(asked: Question, why: str):
    with pytest.raises(NoKey) as refused:
        find_key(asked, FACTS)
    assert str(refused.value) == why


LONG = "x" * 100
# The order of a file would be the answer, so that it is another one here.
LINES = ", ".join(option.id for option in ORDER.offered)
PAIRS = f"give one of {', '.join(MATCH.matches)} for each of " + ", ".join(
    option.id for option in MATCH.offered
)


@pytest.mark.parametrize(
    ("asked", "response", "why"),
    [
        (SINGLE, "z", "'z' is not offered; choose from a, b, c"),
        (SINGLE, ["a"], "['a'] is not offered; choose from a, b, c"),
        (SINGLE, LONG, f"'{'x' * 76}... is not offered; choose from a, b, c"),
        (SINGLE, "x" * 78, f"'{'x' * 78}' is not offered; choose from a, b, c"),
        (SINGLE, "x" * 79, f"'{'x' * 76}... is not offered; choose from a, b, c"),
        (MULTIPLE, "a", "'a' is not offered; choose any of a, b, c, d"),
        (MULTIPLE, ["a", "z"], "['a', 'z'] is not offered; choose any of a, b, c, d"),
        (MULTIPLE, ["a", "a"], "an option stands twice; name each once"),
        (ORDER, "abcd", "'abcd' is not an order of " + LINES),
        (ORDER, ["a", "b", "c"], "['a', 'b', 'c'] is not an order of " + LINES),
        (ORDER, ["a", "b", "c", "c"], "['a', 'b', 'c', 'c'] is not an order of " + LINES),
        (MATCH, "one", PAIRS),
        (MATCH, {"a": "one", "b": "two"}, PAIRS),
        (MATCH, {"a": "one", "b": "two", "c": "four"}, PAIRS),
        (MATCH, {"a": "one", "b": "two", "z": "three"}, PAIRS),
        (number(), "0.2", "'0.2' is not a number; give one, as 0.5"),
        (number(), float("inf"), "inf is not a number; give one, as 0.5"),
        (number(), float("nan"), "nan is not a number; give one, as 0.5"),
        (TEXT, 3, "3 is not a text; give a word or a few"),
        (TEXT, " \n", "an empty answer; give a word or a few"),
    ],
)
def test_what_is_not_offered_says_what_is(asked: Question, response: Any, why: str):
    for judge in (check_response, lambda asked, given: grade(asked, given, Key(""))):
        with pytest.raises(NotOffered) as refused:
            judge(asked, response)
        assert str(refused.value) == why


@pytest.mark.parametrize(
    ("asked", "response"),
    [(SINGLE, "a"), (MULTIPLE, []), (ORDER, list("dcba")), (TEXT, " x "), (number(), 3)],
)
def test_what_is_offered_comes_back_as_it_was_given(asked: Question, response: Any):
    assert check_response(asked, response) == response


def test_the_options_that_were_chosen_give_their_feedback():
    def chosen(asked: Question, response: Any) -> list[str]:
        return [option.id for option in chosen_options(asked, response)]

    assert chosen(SINGLE, "b") == ["b"]
    assert chosen(MULTIPLE, ["d", "a"]) == ["a", "d"]
    assert chosen(MATCH, {"a": "one"}) == []
    assert chosen(number(), 0.2) == []


def test_the_version_of_a_key_changes_with_what_counts_as_right():
    def version(asked: Question = TEXT, notebooks: tuple[str | None, ...] = ()) -> str:
        return key_version(asked, find_key(asked, FACTS), notebooks)

    same = question("text", key="The logit lens", accept=["logit-lens"], hint="Look.")
    other = question("text", key="The logit lens", accept=["lens"])
    assert version() == version(same) == key_version(TEXT, find_key(TEXT, FACTS))
    versions = {
        *(version(), version(other), version(TEXT, ("k0",)), version(TEXT, ("k0", None))),
        *(version(SINGLE), version(number()), version(number(absolute=0.2))),
        version(number("0.3")),
    }
    assert len(versions) == 8
