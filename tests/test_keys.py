"""Keys that notebooks measure: ranks, arg-maxima, signs, values, and what makes them ambiguous."""

from typing import Any

import pytest

from api.grading import NoKey, find_key
from api.keys import complaints, names, rank, resolve, version_of
from api.markup import Document, Fields
from api.questions import ComputedKey, Question, read_questions
from api.records import Fact

FACTS = {
    "small": Fact(value=1.0, tolerance=0.1, notebook="00_a", key="k0"),
    "middle": Fact(value=2.0, tolerance=0.1, notebook="00_a", key="k0"),
    "large": Fact(value=3.0, tolerance=0.1, notebook="01_b", key="k1"),
    "large-too": Fact(value=3.15, tolerance=0.1, notebook="01_b"),
    "above": Fact(value=0.5, tolerance=0.1, notebook="01_b"),
    "below": Fact(value=-0.5, tolerance=0.1, notebook="01_b"),
    "near-zero": Fact(value=0.05, tolerance=0.1, notebook="01_b"),
    # Apart by just as much as both may vary by, and the first from 0.
    "quarter": Fact(value=0.25, tolerance=0.25, notebook="01_b"),
    "three-quarters": Fact(value=0.75, tolerance=0.25, notebook="01_b"),
    "share": Fact(value=0.97, tolerance=0.01, notebook="01_b"),
    "head": Fact(value="9.6", notebook="01_b"),
    "layer": Fact(value=7, notebook="01_b"),
    "tokens": Fact(value=1500, notebook="01_b"),
    "loss": Fact(value=3.14159, tolerance=0.1, notebook="01_b"),
}
OPTIONS = "- [ ] (a) One.\n- [ ] (b) Two.\n- [ ] (c) Three.\n"
LINES = "1. (a) One.\n2. (b) Two.\n3. (c) Three.\n"


def document(options: str, key: str, type_: str) -> Document:
    fields = f"type: {type_}\n{key}why: So.\nsource: X\n"
    body = f"## Which? {{#which}}\n\n{options}\n```yaml\n{fields}```\n"
    return Document("quiz.md", Fields({}, {(): 1}), body, 1)


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
        ("key: {smallest: {a: large, b: large-too, c: small}}\n", "c"),  # but who is second?
        ("key: {sign: below, above: a, below: b}\n", "b"),
        ("key: {sign: above, above: a, below: b}\n", "a"),
    ],
)
def test_the_right_option_is_computed(key: str, right: str):
    question = read(OPTIONS, key)

    assert key_of(question) == right
    assert Question.model_validate(question.model_dump()).key == question.key
    assert list(complaints(question, FACTS)) == []
    assert [o.right for o in question.options] == [False] * 3  # nothing of it is in the file


def test_a_whole_order_is_computed():
    question = read(LINES, "key: {largest: {a: middle, b: large, c: small}}\n", "order")

    assert key_of(question) == ["b", "a", "c"]
    assert list(complaints(question, FACTS)) == []
    assert [o.id for o in question.offered] == [o.id for o in resolve(question, FACTS).offered]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "key: {smallest: {a: large, b: large-too, c: small}}\n",
            "facts 'large' and 'large-too' are nearer to each other than they may vary by",
        ),
        (
            "key: {smallest: {b: large, c: small}}\n",
            "every option needs its fact, else another could be the right one",
        ),
    ],
)
def test_in_an_order_every_line_counts(key: str, message: str):
    assert list(complaints(read(LINES, key, "order"), FACTS)) == [("key", message)]


def test_a_line_without_a_fact_comes_last():
    assert key_of(read(LINES, "key: {smallest: {b: large, c: small}}\n", "order")) == [*"cba"]


def test_zero_is_not_above_zero():
    key = ComputedKey(sign="zero", above="a", below="b")
    assert rank(key, {"zero": Fact(value=0, notebook="00_a")}) == ["b", "a"]


def test_measured_values_stand_in_the_options():
    question = read(
        "- [ ] (a) {fact:small:.2f}\n- [x] (b) {fact:large:.2f}\n- [ ] (c) {fact:layer} layers\n"
    )

    assert question.offered == question.options
    asked = resolve(question, FACTS)
    assert [o.text for o in asked.options] == ["1.00", "3.00", "7 layers"]
    assert asked.offered == asked.options
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
        ("large", "- [ ] (a) 3.25\n- [ ] (b) 3\n", "b"),
        ("tokens", "- [ ] (a) 9,000\n- [ ] (b) 1,400\n", "b"),
        ("loss", "- [ ] (a) None\n- [ ] (b) 3.14159\n", "b"),
    ],
)
def test_the_option_that_says_the_value_is_right(fact: str, options: str, right: str):
    question = read(options, f"key: {{fact: {fact}}}\n")
    assert names(question) == [fact]
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
        (
            "- [ ] (a) One.\n- [ ] (b) Two.\n",
            "key: {largest: {a: quarter, b: three-quarters}}\n",
            "facts 'three-quarters' and 'quarter' are nearer to each other than they may vary by",
        ),
        (
            OPTIONS,
            "key: {sign: quarter, above: a, below: b}\n",
            "fact 'quarter' is nearer to 0 than it may vary by: its sign is no key",
        ),
        (OPTIONS, "key: {sign: below, above: a, below: z}\n", "no option (z); choose from a, b, c"),
        (
            OPTIONS,
            "key: {largest: {a: large, b: smal, c: middle}}\n",
            "no notebook records a fact 'smal'; did you mean 'small'?",
        ),
        (
            OPTIONS,
            "key: {largest: {a: large, b: head, c: middle}}\n",
            "fact 'head': not a number; name another",
        ),
        (
            "- [x] (a) {fact:large:huge}\n- [ ] (b) Two.\n",
            "",
            "fact 'large' cannot be written so: no known form",
        ),
    ],
)
def test_an_ambiguous_key_is_refused(options: str, key: str, message: str):
    question = read(options, key)
    assert list(complaints(question, FACTS)) == [("key", message)]
    assert "3.0" not in message


@pytest.mark.parametrize(
    ("options", "key", "near"),
    [
        ("- [x] (a) {fact:large:.2f}\n- [ ] (b) {fact:large-too:.2f}\n", "", "b"),
        ("- [x] (a) {fact:quarter}\n- [ ] (b) {fact:three-quarters}\n", "", "b"),
        ("- [ ] (a) 2.9\n- [ ] (b) 3.05\n", "key: {fact: large}\n", "a"),
    ],
)
def test_an_option_that_is_no_clear_mistake_is_refused(options: str, key: str, near: str):
    assert list(complaints(read(options, key), FACTS)) == [
        ("options", f"option ({near}) is nearer to the key than both may vary by")
    ]


@pytest.mark.parametrize(
    ("fact", "options"),
    [
        ("head", "- [ ] (a) 9.9\n- [ ] (b) 9.10\n- [ ] (c) ten\n"),
        ("head", "- [ ] (a) 9.9\n- [ ] (b) 9.10\n"),
        ("large", "- [ ] (a) 2.9\n- [ ] (b) ten\n"),
    ],
)
def test_a_value_that_no_option_says_is_no_key(fact: str, options: str):
    assert list(complaints(read(options, f"key: {{fact: {fact}}}\n"), FACTS)) == [
        ("key", "no option says what the notebook measured; add it, or name another fact")
    ]


def test_before_any_notebook_has_run_a_fact_is_not_guessed_at():
    question = read(OPTIONS, "key: {sign: below, above: a, below: b}\n")
    said = "no notebook records a fact 'below'; run the notebooks with `make demos`"
    assert list(complaints(question, {})) == [("key", said)]


SHOWN = {
    "single": "- [x] (a) {fact:%s}\n- [ ] (b) {fact:%s}\n",
    "multiple": "- [x] (a) {fact:%s}\n- [ ] (b) {fact:%s}\n",
    "order": "1. (a) {fact:%s}\n2. (b) {fact:%s}\n",
    "match": "- (a) {fact:%s} => x\n- (b) {fact:%s} => y\n",
}


@pytest.mark.parametrize("type_", SHOWN)
def test_options_that_come_out_the_same_are_told(type_: str):
    question = read(SHOWN[type_] % ("large:.0f", "large-too:.0f"), "", type_)
    assert list(complaints(question, FACTS)) == [
        ("options", "two options come out the same; round less, or take one out")
    ]


@pytest.mark.parametrize("type_", ["multiple", "order", "match"])
def test_only_of_a_single_choice_must_the_others_be_clear_mistakes(type_: str):
    question = read(SHOWN[type_] % ("large:.2f", "large-too:.2f"), "", type_)
    assert list(complaints(question, FACTS)) == []


def test_beside_what_is_no_number_no_number_is_near():
    question = read("- [x] (a) Neither.\n- [ ] (b) {fact:near-zero}\n- [ ] (c) 0.9\n")
    assert list(complaints(question, FACTS)) == []


def test_options_without_facts_are_judged_where_they_are_read():
    found = read_questions(document("- [x] (a) One.\n- [ ] (b) One.\n", "", "single"))
    assert [problem.message for problem in found.problems] == [
        "two options with the same text; make them differ"
    ]
    assert list(complaints(found.unsound[0], FACTS)) == []


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
    assert version(large=Fact(value=3.0, tolerance=0.1, notebook="01_b")) != same  # of no run


def test_a_percentage_is_the_share_that_it_says():
    question = read("- [ ] (a) 3 %\n- [ ] (b) 97 %\n- [ ] (c) 98 %\n", "key: {fact: share}\n")

    assert key_of(question) == "b"


def test_a_fact_in_the_text_of_a_question_is_refused():
    found = read_questions(
        document("It was {fact:share}.\n\n- [x] (a) One.\n- [ ] (b) Two.\n", "", "single")
    )

    assert "a fact in the text of a question is not filled in" in found.problems[0].message


def test_a_question_without_options_is_no_concern_of_its_key():
    """Options that cannot be read are complained of where they are read."""
    found = read_questions(document("- [ ] One.\n- [ ] Two.\n", "key: {fact: layer}\n", "single"))
    (question,) = found.unsound
    assert question.options == []
    assert list(complaints(question, FACTS)) == []


@pytest.mark.parametrize("value", [None, True, {"a": 1}, [1, 2], "words"])
def test_an_option_that_is_no_number_is_far_from_every_number(value: Any):
    facts = {**FACTS, "odd": Fact(value=value, notebook="01_b")}
    question = read("- [x] (a) 7\n- [ ] (b) {fact:odd}\n")
    assert list(complaints(question, facts)) == []
