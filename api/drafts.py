"""Files that are begun for a contributor: what is known stands in them, the rest is asked.

A field that nobody gave is left out, and a comment asks for it in its place; `readout check` then
names it. A made-up value would pass the check and be published.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from api.addresses import read_address
from api.names import read_name
from api.records import Kind


class NotWritten(Exception):
    """Nothing was written. The message says why, in one sentence."""


QUESTIONS = {
    "title": "what is it called?",
    "authors": "who made it? as [First Author, Second Author]",
    "kind": "paper, talk, article or tool?",
    "year": "when did it appear?",
    "url": "where is it read or watched?",
    "topics": "which topics? as [circuits, ioi]",
    "date": "when does the group meet?",
    "opens_at": "from when can it be answered?",
    "closes_at": "until when?",
}
SECTIONS = {
    "What it claims": "What does it claim, with which numbers, in which table or figure?",
    "How they know": "What did they do to know it, and against what did they compare?",
    "What to doubt": "Where could it be wrong, or hold for less than it says?",
    "Try it": "Which demo tries it, and what would one change there?",
    "To discuss": "What would you ask the group?",
}
ABSTRACT = "What is this, and why does the group have it? One short paragraph."
GROUP_NOTES = '!!! note "The group\'s notes"'


def prompt(question: str) -> str:
    """A question to the contributor. No reader of the site sees it."""
    return f"<!-- {question} -->"


def header(fields: Mapping[str, object], comments: Mapping[str, str] | None = None) -> str:
    """The YAML header. A field without a value becomes a question, or is left out if it has none.

    `comments` stand behind their field, or in its place.
    """
    comments = comments or {}
    lines = ["---"]
    for name, value in fields.items():
        if value is not None and value != []:
            lines.append(f"{name}: {_flow(name, value)}")
        elif name in QUESTIONS:
            lines.append(f"# {name}: {QUESTIONS[name]}")
        elif name in comments:
            lines.append(f"# {name}:")
        if name in comments:
            lines[-1] += f"  # {comments[name]}"
    return "\n".join([*lines, "---", ""])


def _flow(name: str, value: object) -> str:
    if name == "arxiv":
        return f'"{value}"'  # 2211.10000 is no number
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, int | dt.date):
        return str(value)
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=10**9)
    return str(text).removesuffix("\n...\n").rstrip("\n")


@dataclass
class EntryDraft:
    """What is known of a library entry before somebody has written its page."""

    url: str | None = None
    title: str | None = None
    authors: list[str] = field(default_factory=list)
    kind: Kind | None = None
    year: int | None = None
    topics: list[str] = field(default_factory=list)
    venue: str | None = None
    arxiv: str | None = None
    doi: str | None = None
    openreview: str | None = None
    added: dt.date | None = None
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def header(self) -> str:
        names = ("title", "authors", "kind", "year", "url", "topics", "venue", "arxiv", "doi")
        fields = {name: getattr(self, name) for name in (*names, "openreview", "added")}
        return header(fields, self.comments)

    @property
    def missing(self) -> list[str]:
        """The fields that a contributor has to fill in."""
        return [
            name
            for name in ("title", "authors", "kind", "year", "url", "topics")
            if not getattr(self, name)
        ]

    def learn_from_address(self) -> None:
        """Fill what is not known yet from the form of the address."""
        if self.url:
            seen = read_address(self.url)
            for name in ("kind", "year", "arxiv", "doi", "openreview"):
                if getattr(self, name) is None:
                    setattr(self, name, getattr(seen, name))

    def slug(self, taken: Container[str]) -> str:
        author = self.authors[0] if self.authors else ""
        title = self.title or ""
        words = title if any(len(word) > 1 for word in fold(title)) else _last_of_path(self.url)
        return propose_slug(self.year, author, words, taken)


def entry_text(draft: EntryDraft, notes: str = "") -> str:
    """A whole library file. `notes` are the group's own words, already in their block."""
    sections = (f"## {name}\n\n{prompt(question)}\n" for name, question in SECTIONS.items())
    return "\n".join(
        [draft.header, prompt(ABSTRACT) + "\n", *([notes] if notes else []), *sections]
    )


# Names -------------------------------------------------------------------------------------------

# What NFKD does not take apart.
_FOLDED = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ı": "i"})
_SMALL_WORD = re.compile(
    "a|an|and|are|as|at|by|do|does|for|from|how|in|into|is|it|its|not|of|on|or|over|the|their|they"
    "|this|through|to|toward|towards|via|what|when|where|why|with|without"
)


def fold(text: str) -> list[str]:
    """The words of a text in small ASCII letters and digits."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_FOLDED))
    kept = "".join(c for c in plain if not unicodedata.combining(c) and c not in "'’")
    return [word for word in re.split(r"[^a-z0-9]+", kept) if word]


def propose_slug(year: int | None, author: str, title: str, taken: Container[str]) -> str:
    """year-firstauthor-keyword. More words of the title, then a number, make it free."""
    names = fold(read_name(author).family)
    words = [
        w for w in fold(title) if not _SMALL_WORD.fullmatch(w) and len(w) > 1 and w != str(year)
    ]
    start = [*([str(year)] if year else []), *([("-".join(names))[:30]] if names else [])]
    words = [word[:30] for word in words[:6]] or ([] if names else ["entry"])
    fewest = min(1 if year and names else 2, len(words))  # enough to know it by
    for count in range(fewest, len(words) + 1):
        slug = "-".join([*start, *words[:count]]).strip("-")[:80].strip("-")
        if len(slug) > 1 and slug not in taken:
            return slug
    stem, number = slug[:70].strip("-"), 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


def _last_of_path(url: str | None) -> str:
    """Words for a slug where there is no title: the end of the address, or its host."""
    parts = urlsplit(url or "")
    last = re.sub(r"\.[a-z]{2,4}$", "", unquote(parts.path.rstrip("/").rpartition("/")[2]))
    if any(len(word) > 1 for word in fold(last)):
        return last
    return parts.netloc.removeprefix("www.")


# Files -------------------------------------------------------------------------------------------


def write_new(files: Mapping[Path, str]) -> None:
    """Write all files or none. Raises NotWritten if one exists already or cannot be written."""
    if there := [str(path) for path in files if path.exists()]:
        exist = "exist" if len(there) > 1 else "exists"
        raise NotWritten(f"{', '.join(there)} {exist} already; nothing was written")
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise NotWritten(f"cannot write {error.filename or path}: {error.strerror}") from error
