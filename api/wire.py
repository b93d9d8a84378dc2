"""What crosses the wire: the base of all input models, and refusals with their stable codes."""

import datetime as dt
import re
import unicodedata
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)


class Refusal(Exception):
    """Something was asked that cannot be done. Turned into a reply in one place, `app.py`."""

    status = 400
    code = "refused"
    headers: dict[str, str] = {}

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.more = more  # further fields of the reply


class RefusedOut(BaseModel):
    """What every refusal says. Some say more."""

    detail: str  # for people, and reworded now and then
    code: str  # for programs, and stable


# What any endpoint may reply instead: for its description, in one place.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": RefusedOut, "description": "Refused, and nothing was changed"},
    503: {"model": RefusedOut, "description": "Busy, or without its database: send it again later"},
    507: {"model": RefusedOut, "description": "The disk is full, and nothing was stored"},
}


def repeated(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """For the description of an endpoint that stores what a client sends once, under its `id`."""
    return {200: {"model": model, "description": "Sent before under the same `id`; stored once"}}


class NotSignedIn(Refusal):
    status = 401
    code = "not-signed-in"
    headers = {"WWW-Authenticate": "Bearer"}


class NotAllowed(Refusal):
    status = 403
    code = "not-allowed"


class NotOpen(Refusal):
    status = 403
    code = "not-open"


class NotThere(Refusal):
    status = 404
    code = "not-found"


class Conflict(Refusal):
    status = 409
    code = "conflict"


class NoMoreTries(Refusal):
    status = 409
    code = "no-tries-left"


class Stale(Refusal):
    status = 412
    code = "stale"


class NotOffered(Refusal):
    status = 422
    code = "not-offered"


class TooSlow(Refusal):
    status = 422
    code = "too-slow"


class NoVersion(Refusal):
    status = 428
    code = "version-required"


class TooMany(Refusal):
    status = 429
    code = "too-many"
    headers = {"Retry-After": "600"}


def _storable(text: str) -> str:
    # PostgreSQL refuses NUL, and a lone surrogate is no Unicode text at all.
    if "\x00" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
        raise ValueError("holds a character that cannot be stored; remove NUL and lone surrogates")
    return text


# Persian and scripts of India are written with them, and pictures of people are put together.
JOINERS = "\u200c\u200d"


def is_unseen(character: str) -> bool:
    """Whether a character ends a line, steers a terminal or turns the order of what follows."""
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in JOINERS


def _on_one_line(name: str) -> str:
    for place, character in enumerate(name, 1):
        if is_unseen(character):
            code = f"U+{ord(character):04X}"
            raise ValueError(f"character {place} is {code}, which cannot be seen; take it out")
    return name


def _not_blank(value: Any) -> Any:
    # Said in words that a reader of the page Join understands.
    if isinstance(value, str) and not value.strip():
        raise ValueError("is blank; write at least one letter or digit")
    return value


def _day(value: Any) -> Any:
    # A number, in quotes too, would be taken for seconds since 1970.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("not a date; write it as 2023-11-07")
    return value


class Input(BaseModel):
    # A field that we do not know is a mistake to report; an infinite number cannot be stored.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Storable = AfterValidator(_storable)
NotBlank = BeforeValidator(_not_blank)
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
    Storable,
    AfterValidator(_on_one_line),
    NotBlank,
    Field(description="One line, without control characters and marks that order text anew"),
]
Day = Annotated[dt.date, BeforeValidator(_day)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200), Storable, NotBlank]
ShortText = Annotated[str, StringConstraints(max_length=2_000), Storable]
Word = Annotated[str, StringConstraints(max_length=500), Storable]
