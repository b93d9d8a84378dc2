"""The conditions of a QTI 1.2 item: what an answer is compared with, and what that is worth."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from api.formats.model import Band, share, tidy
from api.formats.xml import Node


@dataclass
class Test:
    """One comparison of a condition. `accepts` is false below a `<not>`."""

    tag: str
    response: str
    value: str
    accepts: bool
    node: Node


@dataclass
class Condition:
    tests: list[Test]
    score: float | None = None  # what it sets or adds, from 0 to 1
    feedback: list[str] = field(default_factory=list)
    other: bool = False
    exact: bool = False  # all of it has to hold at once


def read_condition(node: Node, declared: Node | None) -> Condition:
    """`declared` is the item's `<decvar>`, whose maximum makes a share of the points.

    Raises ValueError if a score is no number.
    """
    found = Condition([])
    where = node.find("conditionvar")
    if where:
        found.tests = list(_tests(where, True))
        found.other = any(True for _ in where.below("other"))
        found.exact = any(True for _ in where.below("and"))
    for setter in node.each("setvar"):
        if (
            setter.get("varname", "SCORE").upper() in ("SCORE", "QUE_SCORE", "")
            or found.score is None
        ):
            found.score = _score(setter, declared)
    found.feedback = [f.get("linkrefid") for f in node.each("displayfeedback")]
    # Blackboard sets no score where the points of an item are shared among its conditions.
    is_right = node.get("title").lower() == "correct" or "correct" in found.feedback
    if found.score is None and is_right:
        found.score = 1.0
    return found


def _score(setter: Node, declared: Node | None) -> float:
    text = setter.text
    if text.upper().endswith(".MAX"):
        return 1.0
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"a score of {text!r}") from error
    maximum = declared.get("maxvalue") if declared else ""
    try:
        whole = float(maximum)
    except ValueError:
        whole = 0.0
    return number / whole if whole > 0 else number


def _tests(node: Node, accepts: bool) -> Iterator[Test]:
    for child in node.children:
        if child.tag == "not":
            yield from _tests(child, not accepts)
        elif child.tag in ("and", "or", "unanswered"):
            yield from _tests(child, accepts)
        elif child.tag.startswith("var"):
            yield Test(child.tag, child.get("respident"), child.text, accepts, child)


def is_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


def read_band(tests: list[Test]) -> Band:
    """The band that a condition describes. Raises ValueError."""

    def number(text: str) -> float:
        try:
            return float(text.replace(",", ""))
        except ValueError as error:
            raise ValueError(f"{text!r} is not a number") from error

    value = relative = digits = None
    low = high = None
    low_open = high_open = False
    for test in tests:
        match test.tag:
            case "varequal":
                value = number(test.value)
                if test.node.get("margintype") == "percent":
                    relative = share(test.node.get("margin", "0"))
                if test.node.get("precisiontype") == "significantDigits":
                    digits = int(number(test.node.get("precision", "1")))
            case "vargte" | "vargt":
                low, low_open = number(test.value), test.tag == "vargt"
            case "varlte" | "varlt":
                high, high_open = number(test.value), test.tag == "varlt"
    if value is None and (low is None or high is None):
        raise ValueError("a number without both its limits")
    if low is None or high is None:
        assert value is not None
        low = high = value
    if value is None:
        value = tidy((low + high) / 2)
    return Band(low, high, value, relative, digits, low_open, high_open)
