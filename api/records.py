"""The published things and their headers: topic, library entry, meeting, fact."""

import datetime as dt
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)


class Record(BaseModel):
    # A misspelt field is a mistake to report, not a value to drop.
    model_config = ConfigDict(extra="forbid", frozen=True)


def _web_address(url: str) -> str:
    if not url.startswith(("https://", "http://")) or any(c.isspace() for c in url):
        raise ValueError("not a web address; write https://...")
    return url


# \z and not $, which would let a trailing newline through.
SLUG = r"\A[a-z0-9](-?[a-z0-9])*\z"
Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=80)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Url = Annotated[str, AfterValidator(_web_address)]
Doi = Annotated[str, StringConstraints(pattern=r"\A10\.\d{4,9}/\S+\z")]
Arxiv = Annotated[str, StringConstraints(pattern=r"\A(\d{4}\.\d{4,5}|[a-z-]+/\d{7})\z")]
OpenReview = Annotated[str, StringConstraints(pattern=r"\A[\w-]{6,20}\z")]
Kind = Literal["paper", "talk", "article", "tool"]


class TopicHeader(Record):
    title: Line
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
    added: dt.date | None = None
    cites: list[Slug] = []
    related: list[Slug] = []
    demos: list[str] = []


class MeetingHeader(Record):
    date: dt.date
    title: Line | None = None
    topics: list[Slug] = []
    readings: list[Slug] = []


class Page(Record):
    """What every published file has beside its header."""

    slug: str
    path: str
    body: str
    body_line: int


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


class Fact(BaseModel):
    """A value that an executed notebook measured. Further fields are provenance, kept as found."""

    model_config = ConfigDict(extra="allow", frozen=True)

    value: Any
    tolerance: float = 0.0
    notebook: str

    @property
    def number(self) -> float:
        """The value as a number. Raises TypeError if it is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise TypeError(f"{self.value!r} is not a number")
        return float(self.value)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown word: what was probably meant, or what there is."""
    choices = sorted(known)
    if close := get_close_matches(word, choices, n=1, cutoff=0.6):
        return f"did you mean {close[0]!r}?"
    if len(choices) <= 12:
        return f"choose from {', '.join(choices)}"
    return "see the names that exist"


def explain(
    error: ValidationError, fields: Iterable[str]
) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with a header, in its author's words: location in the header and message."""
    found = []
    for detail in error.errors(include_url=False):
        where = detail["loc"]
        name = ".".join(str(part) for part in where)
        match detail["type"]:
            case "extra_forbidden":
                message = f"unknown field {name!r}; {nearest(str(where[-1]), fields)}"
            case "missing":
                message = f"no field {name!r}; add it"
            case "value_error":
                message = detail["msg"].removeprefix("Value error, ")
                message = f"{name}: {message}" if name else message
            case "literal_error":
                expected = str(detail["ctx"]["expected"]).replace("'", "")
                given = str(detail["input"])
                message = f"{name}: {given!r} is not known; choose from {expected}"
            case "string_pattern_mismatch":
                message = f"{name}: {detail['input']!r} has not the right form; {_form(where)}"
            case _:
                message = f"{name}: {detail['msg']}; given: {detail['input']!r}"
        found.append((where, message))
    return found


FORMS = {
    "arxiv": 'write its number, as "2211.00593"',
    "doi": "write 10.NNNN/...",
    "openreview": "write the forum's id, as gEZrGCozdqR",
}


def _form(where: tuple[str | int, ...]) -> str:
    return FORMS.get(str(where[0]), "write small letters, digits and single hyphens")
