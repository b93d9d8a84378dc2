"""What every format is read into and written from.

The model can say more than a question of ours: what a part of an answer is worth, several bands of
numbers, attachments, remarks for the half right. So a file can go from one system to another
without a detour, and what our Markdown cannot carry is known by name, not by accident.

Every text is Markdown. A blank in a text stands as `[[its name]]`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from api.markup import Problem

Kind = Literal[
    "single",  # one choice
    "multiple",  # any number of choices
    "truefalse",  # two choices, True and False, in this order
    "number",
    "text",  # a short answer, compared as text
    "order",  # the choices stand in the right order
    "match",
    "blanks",  # several blanks in one text
    "essay",  # read by a person
    "description",  # nothing to answer
]

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_ITEMS = 10_000


class Unreadable(Exception):
    """A file that cannot be read, or not safely. Says each path, line and reason."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Loss(NamedTuple):
    """What an import or an export did not carry over as it was.

    `dropped`: it is gone. `changed`: it is there and means something else. `added`: it was not
    there, and the other side needs it.
    """

    item: str
    path: str
    line: int
    kind: Literal["dropped", "changed", "added"]
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.item}: {self.what} {self.kind}: {self.why}"


class Choice(NamedTuple):
    """`fraction` is the share of the points that choosing it gives; a negative one takes some."""

    text: str
    fraction: float = 0.0
    feedback: str = ""
    id: str = ""


class Pair(NamedTuple):
    """A line and its partner. A partner without a line is there to mislead."""

    left: str
    right: str


class Accepted(NamedTuple):
    """A text that is recognised. In a pattern `*` stands for any text."""

    text: str
    fraction: float = 1.0
    feedback: str = ""
    pattern: bool = False


class Band(NamedTuple):
    """The numbers from `low` to `high`. `value` is the number meant, where one is.

    `relative` and `digits` say how the edges came about. An answer gets the first band that holds
    it, as in Moodle: bands may overlap. One from minus to plus infinity catches what is left.
    """

    low: float
    high: float
    value: float | None = None
    relative: float | None = None
    digits: int | None = None
    low_open: bool = False
    high_open: bool = False
    fraction: float = 1.0
    feedback: str = ""

    @property
    def catches_all(self) -> bool:
        return math.isinf(self.low) and math.isinf(self.high)

    @property
    def centre(self) -> float:
        return tidy((self.low + self.high) / 2) if self.value is None else self.value

    @property
    def margin(self) -> float:
        """How far the farther edge lies from the centre.

        Edges of a number with 17 digits are rounded themselves: 0.02 comes back as
        0.02000000000000002.
        """
        return tidy(max(plus(self.high, -self.centre), plus(self.centre, -self.low)))

    @property
    def is_even(self) -> bool:
        """Whether centre and margin say all of it."""
        uneven = abs((self.high - self.centre) - (self.centre - self.low))
        close = uneven <= 1e-9 * max(1.0, abs(self.centre), self.margin)
        return close and not self.low_open and not self.high_open


EVERY_NUMBER = Band(-math.inf, math.inf, fraction=0.0)


class Blank(NamedTuple):
    """One gap in a text. With `options` it is chosen from a list, otherwise typed."""

    name: str
    accepted: tuple[Accepted, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of any system. Two are equal wherever they stand in a file."""

    kind: Kind
    stem: str
    name: str = ""
    id: str = ""
    choices: tuple[Choice, ...] = ()
    pairs: tuple[Pair, ...] = ()
    bands: tuple[Band, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    blanks: tuple[Blank, ...] = ()
    unit: str = ""
    case_matters: bool = False
    why: str = ""  # what everyone is told at the end: Moodle's general feedback
    when_right: str = ""
    when_partly: str = ""
    when_wrong: str = ""
    hints: tuple[str, ...] = ()
    source: str = ""
    anchor: str = ""
    tags: tuple[str, ...] = ()
    category: str = ""
    points: float | None = None
    penalty: float | None = None
    shuffle: bool | None = None
    hidden: bool = False
    vote: bool = False
    fact: str = ""  # where a notebook supplies the number
    line: int = field(default=1, compare=False)
    path: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """How people will recognise it in a report."""
        first = self.stem.strip().split("\n")[0]
        return self.id or self.name or (first if len(first) <= 60 else first[:57] + "...")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is said about single answers."""
        answers = (*self.accepted, *(each for blank in self.blanks for each in blank.accepted))
        said = [each.feedback for each in self.choices] + [each.feedback for each in self.bands]
        return (*said, *(each.feedback for each in answers))

    @property
    def lacks_key(self) -> bool:
        """Whether nothing says what is right: a number that no notebook has recorded yet."""
        return self.kind == "number" and not self.bands

    def loss(self, kind: Literal["dropped", "changed", "added"], what: str, why: str) -> Loss:
        return Loss(self.label, self.path, self.line, kind, what, why)

    def not_carried(self, carried: set[str], format_: str) -> list[Loss]:
        """A line for all that this question says besides the essentials and a format cannot."""
        general = (self.when_right, self.when_partly, self.when_wrong)
        there: dict[str, Any] = {
            "id": self.id,
            "name": self.name if words(self.name) not in words(self.stem) else "",
            "category": self.category,
            "tags": ", ".join(self.tags),
            "hints": " / ".join(self.hints),
            "unit": self.unit,
            "anchor": self.anchor,
            "fact": self.fact,
            "vote": self.vote,
            "letter case": self.case_matters,
            "points": self.points if self.points not in (None, 0.0, 1.0) else None,
            # What Moodle takes back for another try, if nobody has chosen otherwise.
            "penalty": self.penalty if self.penalty not in (None, 0.0, 0.1, 0.3333333, 1.0) else 0,
            "fixed order of the options": self.shuffle is False and self.choices != (),
            "hidden": self.hidden,
            "remarks for right, partly right and wrong": " / ".join(filter(None, general)),
            "feedback": " / ".join(filter(None, self.remarks)),
        }
        return [
            self.loss("dropped", what, f"{format_} has no place for {_short(value)}")
            for what, value in there.items()
            if value and what not in carried
        ]

    def but(self, **changes: Any) -> "Item":
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The questions of one file, and the pictures that they show."""

    items: tuple[Item, ...]
    title: str = ""
    intro: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)  # other fields of a quiz of ours
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    bank: Bank
    losses: tuple[Loss, ...]
    format: str = ""

    @property
    def items(self) -> tuple[Item, ...]:
        return self.bank.items


@dataclass(frozen=True)
class Exported:
    """Files by their relative paths. Nothing has been written anywhere."""

    files: Mapping[str, bytes]
    losses: tuple[Loss, ...]


def words(text: str) -> str:
    """A text without its markup, to find it in another."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _short(value: Any) -> str:
    text = "it" if value is True else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def plus(a: float, b: float) -> float:
    """The sum of two numbers as they are written: 10000.8 and 0.001 make 10000.801."""
    return float(Decimal(repr(a)) + Decimal(repr(b)))


def tidy(number: float) -> float:
    """Without the dust that adding floats leaves behind."""
    return float(f"{number:.12g}") if math.isfinite(number) else number


def number_text(number: float) -> str:
    """The shortest text of a number that reads back as the same one: 3, not 3.0."""
    whole = number == int(number) if math.isfinite(number) else False
    return str(int(number)) if whole and abs(number) < 1e15 else repr(number)


def percent(fraction: float) -> str:
    """A share as Moodle writes it: 33.33333."""
    text = f"{fraction * 100:.5f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def share(text: str) -> float:
    """A percentage as a share. Rounded, so that writing and reading it gives it again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no percentage")
    return round(number / 100, 7)


def even_shares(right: list[bool]) -> list[float]:
    """What each choice is worth where a wrong one takes a right one back, as we mark ours."""
    part = share(percent(1 / max(1, sum(right))))
    return [part if is_right else -part for is_right in right]


def are_even(choices: tuple[Choice, ...]) -> bool:
    return [c.fraction for c in choices] == even_shares([c.fraction > 0 for c in choices])
