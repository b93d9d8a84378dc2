"""The published things and their headers: topic, library entry, meeting, fact."""

import datetime as dt
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from difflib import get_close_matches
from heapq import nlargest
from typing import Annotated, Any, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Slips = Iterator[tuple[str, str]]  # a field, and what is wrong with it beside the others


def _sound(info: FieldInfo, value: Any) -> Any:
    kind: TypeAdapter[Any] = TypeAdapter(info.rebuild_annotation())
    try:
        return kind.validate_python(value)
    except ValidationError:
        if not isinstance(value, list):
            return None
    found = []
    for item in value:
        try:
            found += kind.validate_python([item])
        except ValidationError:
            found.append("")
    return found


class Record(BaseModel):
    # A misspelt field is a mistake to report, not a value to drop.
    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def salvage(cls, values: Mapping[str, Any]) -> Self:
        """What is sound of a record that is not: None, or "" in a list, stands for the rest.

        For rules that look further than one field, so that no mistake hides another. No page
        may be made from it.
        """
        given = {
            name: _sound(info, values.get(name, info.get_default(call_default_factory=True)))
            for name, info in cls.model_fields.items()
        }
        # The type checker knows this constructor as one of the base class.
        return cast(Self, cls.model_construct(**given))

    def slips(self) -> Slips:
        """Where fields, each sound by itself, do not go together. A missing one is None."""
        yield from ()

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        if slips := list(self.slips()):
            # A validator raises one error; all of them are in its context.
            raise PydanticCustomError("slips", "the fields contradict", {"slips": slips})
        return self


_HOST = re.compile(r"(?=.{4,253}\Z)[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)+")


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    plain = url.isprintable() and not any(c in ' <>"`' for c in url)
    if not host or not _HOST.fullmatch(host) or parts.scheme not in ("http", "https") or not plain:
        raise ValueError(f"{short(url)} is not a web address; write https://...")
    if parts.username is not None:
        raise ValueError("a name or password in an address; take it out")
    return url


def _day(value: Any) -> Any:
    # A number would be taken for seconds since 1970.
    if isinstance(value, str | int | float) and not re.fullmatch(
        r"\d{4}-\d\d-\d\d", str(value), re.ASCII
    ):
        raise ValueError(f"{short(value)} is not a date; write it as 2023-11-07")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, str | int | float) and not re.match(
        r"\d{4}-\d\d-\d\d[T ]\d\d:", str(value), re.ASCII
    ):
        raise ValueError(f"{short(value)} is not a time; write it as 2026-03-12T18:00:00Z")
    return value


def _with_zone(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        advice = "write Z at its end for UTC, as 2026-03-12T18:00:00Z"
        raise ValueError(f"a time without its zone; {advice}")
    return moment


SLUG = r"[a-z0-9](-?[a-z0-9])*"
# \z and not $, which would let a trailing newline through.
Slug = Annotated[str, StringConstraints(pattern=rf"\A{SLUG}\z", max_length=80)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Date = Annotated[dt.date, BeforeValidator(_day)]
Moment = Annotated[dt.datetime, BeforeValidator(_moment), AfterValidator(_with_zone)]
Url = Annotated[str, AfterValidator(_web_address)]
Doi = Annotated[str, StringConstraints(pattern=r"\A10\.\d{4,9}/\S+\z")]
Arxiv = Annotated[
    str,
    # Four digits behind the month until 2014, five since then; before April 2007 by archive.
    StringConstraints(
        pattern=r"\A((0[7-9]|1[0-4])(0[1-9]|1[0-2])\.\d{4}|(1[5-9]|[2-9]\d)(0[1-9]|1[0-2])\.\d{5}"
        r"|[a-z-]+(\.[A-Z]{2})?/\d{7})\z"
    ),
]
OpenReview = Annotated[str, StringConstraints(pattern=r"\A[\w-]{6,20}\z")]
Kind = Literal["paper", "talk", "article", "tool"]


class TopicHeader(Record):
    title: Line
    order: int = 0  # topics are shown in this order
    summary: Line


class EntryHeader(Record):
    """A paper, a talk, an article or a tool."""

    title: Line
    authors: list[Line] = Field(min_length=1)
    kind: Kind
    year: int = Field(ge=1600, le=2200)
    url: Url
    topics: list[Slug] = Field(min_length=1)
    venue: Line | None = None
    doi: Doi | None = None
    arxiv: Arxiv | None = None
    openreview: OpenReview | None = None
    minutes: int | None = Field(default=None, ge=1, le=6000)
    added: Date | None = None
    cites: list[Slug] = []
    related: list[Slug] = []
    demos: list[str] = []


class MeetingHeader(Record):
    date: Date
    title: Line | None = None
    topics: list[Slug] = []
    readings: list[Slug] = []


class Page(Record):
    """What every published file has beside its header."""

    slug: str
    path: str
    body: str
    body_line: int


PageT = TypeVar("PageT", bound=Page)


class Topic(Page, TopicHeader):
    pass


class Entry(Page, EntryHeader):
    @property
    def byline(self) -> str:
        """The authors in short: "Kevin Wang et al." from four names on."""
        if len(self.authors) > 3:
            return f"{self.authors[0]} et al."
        return ", ".join(self.authors)


class Meeting(Page, MeetingHeader):
    @property
    def name(self) -> str:
        return self.title or f"Meeting of {self.date}"


# What `format` accepts and ends in a line or two: a width of 10**9 is a format too.
FORM = re.compile(r"(?:percent|\+?,?(?:\.\d)?[dfeg%]?)\Z")


class Fact(BaseModel):
    """A value that an executed notebook measured. Further fields are provenance, kept as found."""

    model_config = ConfigDict(extra="allow", frozen=True)

    value: Any
    tolerance: float = 0.0
    notebook: str
    sealed: bool = False  # the key of a question: no page may show it

    @property
    def number(self) -> float:
        """The value as a number. Raises TypeError if it is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise TypeError("not a number")  # and it may be the key of a question
        return float(self.value)

    def text(self, form: str | None) -> str:
        """The value as text: as many digits as it is known to, or as `form` says.

        `form` is `percent` or a format of Python's (`.1f`). Raises ValueError or TypeError.
        """
        if form and not FORM.match(form):
            raise ValueError("no known form")
        if form == "percent":
            return f"{100 * self.number:.3g} %"
        if form:
            return format(self.value, form)
        return f"{self.value:.3g}" if isinstance(self.value, float) else str(self.value)


# Fields that name other content: what they name, and the folder where it stands.
REFERENCES = {
    "topics": ("topic", "topics"),
    "cites": ("library entry", "library"),
    "related": ("library entry", "library"),
    "readings": ("library entry", "library"),
}


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The known words that are most like a word, best first; at most three.

    Capitals, spaces and underscores do not count: `Induction Heads` is `induction-heads`.
    """
    choices = sorted(known)
    if len(choices) > 50:
        # difflib takes about 50 us a pair: 2,000 slugs would be 100 ms for each slip.
        pairs = _pairs(_folded(word))
        choices = sorted(
            nlargest(50, choices, key=lambda choice: len(pairs & _pairs(_folded(choice))))
        )
    spelt: dict[str, list[str]] = {}
    for choice in choices:
        spelt.setdefault(_folded(choice), []).append(choice)
    found = get_close_matches(_folded(word), spelt, n=3, cutoff=cutoff)
    # Of words that differ in capitals alone, the one that is written as the word is.
    alike = [get_close_matches(word, spelt[name], n=3, cutoff=0) for name in found]
    return [choice for choices in alike for choice in choices][:3]


def _folded(word: str) -> str:
    return re.sub(r"[ _]", "-", word.lower())


def _pairs(word: str) -> set[str]:
    return {word[i : i + 2] for i in range(min(len(word), 80) - 1)}


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown word: what was probably meant, or what there is."""
    choices = sorted(known)
    if len(word) <= 100 and (close := closest(word, choices)):
        return f"did you mean {close[0]!r}?"
    if not choices:
        return "there is none yet"
    if len(choices) <= 20:
        return f"choose from {', '.join(choices)}"
    return "see the names that exist"


def short(value: Any) -> str:
    """A value as a complaint shows it: on one line, and not for pages."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def explain(
    error: ValidationError,
    fields: Iterable[str],
    unread: Container[str] = (),
    names_in: Callable[[str], Iterable[str]] | None = None,
) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with a header, in its author's words: location in the header and message.

    `unread` are fields that have been complained of already. `names_in` gives the slugs of a
    content folder, for a name that cannot be one.
    """
    details = error.errors(include_url=False)
    missing = [d["loc"] for d in details if d["type"] == "missing" and d["loc"][0] not in unread]
    found = []
    for detail in details:
        where, given = detail["loc"], detail["input"]
        # `key.FactKey.fact` names a class of ours; authors know `key.fact`.
        where = tuple(part for part in where if not str(part)[:1].isupper() and part != "str")
        name = ".".join(str(part) for part in where)
        context: dict[str, Any] = detail.get("ctx", {})
        match detail["type"]:
            case "extra_forbidden":
                # A misspelt field is missing under its right name; one complaint is enough.
                meant = [loc for loc in missing if loc[:-1] == detail["loc"][:-1]]
                close = closest(str(where[-1]), [str(loc[-1]) for loc in meant])
                missing = [loc for loc in missing if not close or loc[-1] != close[0]]
                hint = f"did you mean {close[0]!r}?" if close else nearest(str(where[-1]), fields)
                message = f"unknown field {short(name)}; {hint}"
            case "missing":
                continue
            case "value_error":
                message = detail["msg"].removeprefix("Value error, ")
                message = f"{name}: {message}" if name else message
            case "slips":
                found += [((*where, field), message) for field, message in context["slips"]]
                continue
            case "literal_error":
                expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
                message = f"{name}: {short(given)} is not known; choose from {expected}"
            case "string_pattern_mismatch" if names_in and where[0] in REFERENCES:
                what, folder = REFERENCES[str(where[0])]
                message = f"no {what} is named {short(given)}; {nearest(given, names_in(folder))}"
            case "string_pattern_mismatch":
                message = f"{name}: {short(given)} has not the right form; {_form(where, given)}"
            case kind:
                message = f"{name}: {_plain(kind, given, context) or _as_found(detail)}"
        found.append((where, message))
    found += [(loc, f"no field {'.'.join(map(str, loc))!r}; add it") for loc in missing]
    return found


def _plain(kind: str, given: Any, context: dict[str, Any]) -> str | None:
    """What the commonest slips are called, and what would be right; None for the others."""
    if given is None:
        return "nothing is given; write a value, or take the line out"
    if kind == "list_type":
        return f"{short(given)} is not a list; write [{given}]" if len(str(given)) < 80 else None
    if kind in ("string_type", "date_type", "datetime_type") and isinstance(given, list | dict):
        return f"{short(given)} is not one text; put it in quotes, without brackets"
    if kind == "too_short":
        return "an empty list; name at least one"
    if kind == "string_too_short":
        return "empty; write something"
    if kind == "string_too_long":
        return f"longer than {context['max_length']} characters; shorten it"
    if kind.startswith("int_"):
        return f"{short(given)} is not a whole number; write digits only"
    if kind.startswith(("float_", "finite")):
        return f"{short(given)} is not a number; write it as 0.5"
    if kind == "bool_parsing":
        return f"{short(given)} is neither yes nor no; write true or false"
    if kind.startswith(("date_", "datetime_")):
        return f"{short(given)} is not a day of the calendar; mend the day or the month"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = "at least" if kind.startswith("greater") else "at most"
        return (
            f"{short(given)} cannot be right; write {bound} {context.get('ge', context.get('le'))}"
        )
    return None


def _as_found(detail: Any) -> str:
    return f"{detail['msg']}; given: {short(detail['input'])}"


# What each identifier looks like within a longer text, and an example.
FORMS = {
    "arxiv": (r"\d{4}\.\d{4,5}", 'its number, as "2211.00593"'),
    "doi": (r"10\.\d{4,9}/\S+", "10.NNNN/..."),
    "openreview": (r"(?<=[?&]id=)[\w-]+", "the forum's id, as gEZrGCozdqR"),
}


def _form(where: tuple[str | int, ...], given: Any) -> str:
    pattern, example = FORMS.get(str(where[0]), ("", "small letters, digits and single hyphens"))
    found = re.search(pattern, str(given)) if pattern else None
    if found and found[0] != given:
        return f'write "{found[0]}"'
    return f"write {example}"
