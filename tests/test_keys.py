"""Keys that notebooks measure: ranks, arg-maxima, signs, values, and what makes them ambiguous."""

from typing import Any

import pytest

from api.grading import NoKey, find_key
from api.keys import complaints, names, resolve, version_of
from api.markup import Document, Fields
from api.questions import Question, read_questions
from api.records import Fact

FACTS = {
    "small": Fact(value=1.0, tolerance=0.1, notebook="00_a", key="k0"),
    "middle": Fact(value=2.0, tolerance=0.1, notebook="00_a", key="k0"),
    "large": Fact(value=3.0, tolerance=0.1, notebook="01_b", key="k1"),
    "large-too": Fact(value=3.15, tolerance=0.1, notebook="01_b"),
    "below": Fact(value=-0.5, tolerance=0.1, notebook="01_b"),
    "near-zero": Fact(value=0.05, tolerance=0.1, notebook="01_b"),
    "share": Fact(value=0.97, tolerance=0.01, notebook="01_b"),
    "head": Fact(value="9.6", notebook="01_b"),
    "layer": Fact(value=7, notebook="01_b"),
}
OPTIONS = "- [ ] (a) One.\n- [ ] (b) Two.\n- [ ] (c) Three.\n"


def document(options: str, key: str, type_: str) -> Document:
    fields = f"type: {type_}\n{key}why: So.\nsource: X\n"
    body = f"## Which? {{#which}}\n\n{options}\n```yaml\n{fields}```\n"
    return Document("quiz.md", Fields({}, {}), body, 1)


def read(options: str, key: str = "", type_: str = "single") -> Question:
    found = read_questions(document(options, key, type_))
    assert not found.problems, found.problems
    (question,) = found.sound
    return question


def problems(options: str, key: str) -> list[str]:
    return [found.message for found in read_questions(document(options, key, "single")).problems]


def key_of(question: Question) -> Any:
    return find_key(resolve(question, FACTS), FACTS).response


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("key: {largest: {a: middle, b: large, c: small}}\n", "b"),
        ("key: {smallest: {a: middle, b: large, c: small}}\n", "c"),
        ("key: {sign: below, above: a, below: b}\n", "b"),
        ("key: {sign: large, above: a, below: b}\n", "a"),
    ],
)
def test_the_right_option_is_computed(key: str, right: str):
    question = read(OPTIONS, key)

    assert key_of(question) == right
    assert list(complaints(question, FACTS)) == []
    assert [o.right for o in question.options] == [False] * 3  # nothing of it is in the file


def test_a_whole_order_is_computed():
    lines = "1. (a) One.\n2. (b) Two.\n3. (c) Three.\n"
    question = read(lines, "key: {largest: {a: middle, b: large, c: small}}\n", "order")

    assert key_of(question) == ["b", "a", "c"]
    assert [o.id for o in question.offered] == [o.id for o in resolve(question, FACTS).offered]


def test_measured_values_stand_in_the_options():
    question = read(
        "- [ ] (a) {fact:small:.2f}\n- [x] (b) {fact:large:.2f}\n- [ ] (c) {fact:layer} layers\n"
    )

    asked = resolve(question, FACTS)
    assert [o.text for o in asked.options] == ["1.00", "3.00", "7 layers"]
    assert key_of(question) == "b"
    assert names(question) == ["small", "large", "layer"]
    # What is shown may move with the notebook; what is asked is the same question.
    assert asked.version == question.version


@pytest.mark.parametrize(
    ("fact", "options", "right"),
    [
        ("head", "- [ ] (a) 9.9\n- [ ] (b) 9.6\n", "b"),
        ("layer", "- [ ] (a) 7\n- [ ] (b) 8\n", "a"),
        ("large", "- [ ] (a) 1\n- [ ] (b) 2.9\n- [ ] (c) 5\n", "b"),
    ],
)
def test_the_option_that_says_the_value_is_right(fact: str, options: str, right: str):
    question = read(options, f"key: {{fact: {fact}}}\n")
    assert key_of(question) == right
    assert list(complaints(question, FACTS)) == []


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        (
            OPTIONS,
            "key: {largest: {a: large, b: large-too, c: small}}\n",
            "facts 'large-too' and 'large' are nearer to each other than they may vary by",
        ),
        (
            OPTIONS,
            "key: {sign: near-zero, above: a, below: b}\n",
            "fact 'near-zero' is nearer to 0 than it may vary by: its sign is no key",
        ),
        (
            OPTIONS,
            "key: {largest: {a: large, b: small}}\n",
            "every option needs its fact, else another could be the right one",
        ),
        (OPTIONS, "key: {sign: below, above: a, below: z}\n", "no option (z); choose from a, b, c"),
        (
            OPTIONS,
            "key: {largest: {a: large, b: smal, c: middle}}\n",
            "no notebook records a fact 'smal'; did you mean 'small'?",
        ),
        (
            "- [x] (a) {fact:large:.2f}\n- [ ] (b) {fact:large-too:.2f}\n",
            "",
            "option (b) is nearer to the key than both may vary by",
        ),
        (
            "- [x] (a) {fact:large:.0f}\n- [ ] (b) {fact:large-too:.0f}\n",
            "",
            "two options come out the same; round less, or take one out",
        ),
        (
            "- [ ] (a) 2.9\n- [ ] (b) 3.05\n",
            "key: {fact: large}\n",
            "option (a) is nearer to the key than both may vary by",
        ),
        (
            "- [ ] (a) 9.9\n- [ ] (b) 9.10\n- [ ] (c) ten\n",
            "key: {fact: head}\n",
            "no option says what the notebook measured; add it, or name another fact",
        ),
    ],
)
def test_an_ambiguous_key_is_refused(options: str, key: str, message: str):
    question = read(options, key)
    assert [said for _, said in complaints(question, FACTS)] == [message]
    assert "3.0" not in message


def test_a_computed_key_leaves_no_box_marked():
    marked = OPTIONS.replace("- [ ] (a)", "- [x] (a)")
    assert problems(marked, "key: {sign: below, above: a, below: b}\n") == [
        "the key is computed; mark no option [x]"
    ]
    (message,) = problems(OPTIONS, "key: {largest: {a: x}, smallest: {a: x}}\n")
    assert "say one of largest, smallest, sign" in message


def test_without_its_fact_a_question_has_no_key():
    question = read(OPTIONS, "key: {sign: nowhere, above: a, below: b}\n")
    with pytest.raises(NoKey):
        key_of(question)


def test_the_version_of_a_key_follows_value_and_notebook():
    question = read(OPTIONS, "key: {largest: {a: middle, b: large, c: small}}\n")

    def version(**changed: Fact) -> str:
        facts = FACTS | changed
        asked = resolve(question, facts)
        return version_of(asked, find_key(asked, facts), facts)

    same = version()
    assert version(large=FACTS["large"].model_copy(update={"value": 3.01})) == same
    assert version(large=FACTS["large"].model_copy(update={"key": "other"})) != same
    assert version(large=FACTS["large"].model_copy(update={"value": 0.0})) != same


def test_a_percentage_is_the_share_that_it_says():
    question = read("- [ ] (a) 3 %\n- [ ] (b) 97 %\n- [ ] (c) 50 %\n", "key: {fact: share}\n")

    assert key_of(question) == "b"


def test_a_fact_in_the_text_of_a_question_is_refused():
    found = read_questions(
        document("It was {fact:share}.\n\n- [x] (a) One.\n- [ ] (b) Two.\n", "", "single")
    )

    assert "a fact in the text of a question is not filled in" in found.problems[0].message
