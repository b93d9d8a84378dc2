"""The files that an import makes, and the account of where each part of the note went."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.drafts import GROUP_NOTES, EntryDraft, entry_text, header


@dataclass(frozen=True)
class Chunk:
    """A stretch of the note as it will stand in a file. `start` and `end` are of the source."""

    start: int
    end: int
    text: str
    kind: str
    block: int = 0  # where its block begins
    level: int = 0  # of a heading between a meeting's notes


Key = str | int  # a field of the header, or the offset at which a chunk begins


class Rendered(NamedTuple):
    text: str
    lines: dict[Key, int]  # the line on which each field and each chunk begins


def _group_notes(chunks: list[Chunk], source: str) -> Rendered:
    """The group's own words in a block that is marked as theirs."""
    lines = [GROUP_NOTES, ""]
    begins: dict[Key, int] = {}
    for index, chunk in enumerate(chunks):
        if index:
            lines += [""] * _blank_lines(chunks[index - 1], chunk, source)
        begins[chunk.start] = len(lines) + 1
        # Two spaces at the end of a line break it: only a blank line is stripped.
        lines += [f"    {line}" if line.strip() else "" for line in chunk.text.split("\n")]
    return Rendered("\n".join([*lines, ""]), begins)


def _blank_lines(before: Chunk, after: Chunk, source: str) -> int:
    """As many as in the source, and one where another kind of block begins."""
    gap = source[before.end : after.start]
    if gap.strip():
        return 1
    # A list right below a paragraph is none to every reader of Markdown.
    continues = before.block == after.block or (_is_item(before) and _is_item(after))
    own = 0 if continues else 1
    return max(own, gap.count("\n") - 1)


def _is_item(chunk: Chunk) -> bool:
    return bool(re.match(r"\s*(?:[-+*]|\d+[.)])\s", chunk.text))


@dataclass
class EntryFile:
    """A library entry that is not there yet."""

    draft: EntryDraft
    path: str = ""
    chunks: list[Chunk] = field(default_factory=list)

    def render(self, source: str) -> Rendered:
        chunks = sorted(self.chunks, key=lambda chunk: chunk.start)
        notes = _group_notes(chunks, source) if chunks else None
        text = entry_text(self.draft, notes.text if notes else "")
        lines = _header_lines(text)
        if notes:
            offset = text[: text.index(GROUP_NOTES)].count("\n")
            lines |= {start: line + offset for start, line in notes.lines.items()}
        return Rendered(text, lines)


@dataclass
class MeetingFile:
    """A meeting: its headings, and between them the group's words in blocks of their own."""

    date: dt.date
    path: str
    title: str | None = None
    comments: dict[str, str] = field(default_factory=dict)
    readings: list[str] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    def render(self, source: str) -> Rendered:
        fields = {"date": self.date, "title": self.title, "readings": self.readings}
        text = header(fields, self.comments)
        lines = _header_lines(text)
        if not self.chunks or not self.chunks[0].level:
            text += "\n## Notes\n"
        section: list[Chunk] = []
        for chunk in [*self.chunks, None]:
            if chunk and not chunk.level:
                section.append(chunk)
                continue
            if section:
                notes = _group_notes(section, source)
                offset = text.count("\n") + 1
                lines |= {start: line + offset for start, line in notes.lines.items()}
                text, section = f"{text}\n{notes.text}", []
            if chunk:
                lines[chunk.start] = text.count("\n") + 2
                text += f"\n{'#' * chunk.level} {chunk.text}\n"
        return Rendered(text, lines)


def _header_lines(text: str) -> dict[Key, int]:
    end = text.index("\n---\n", 3)
    fields = (re.match(r"(?:# )?(\w+):", line) for line in text[:end].split("\n"))
    return {match[1]: number for number, match in enumerate(fields, start=1) if match}


class Placement(NamedTuple):
    """A stretch of the source and the place that it got; without a file, why it got none."""

    start: int
    end: int
    file: EntryFile | MeetingFile | None
    key: Key = 0
    why: str = ""


class Part(NamedTuple):
    """A row of the account. `to` is path:line, or "" for what could not be placed."""

    line: int
    text: str
    to: str
    why: str


class Gap(NamedTuple):
    """A field that the note does not give."""

    path: str
    line: int
    name: str


@dataclass(frozen=True)
class Import:
    """What an import makes of a note. Every word of the note is in exactly one part, in order."""

    source: str
    files: dict[str, str]
    parts: list[Part]
    gaps: list[Gap]
    existing: list[str]  # files that stand in the way

    @property
    def unplaced(self) -> list[Part]:
        return [part for part in self.parts if not part.to]

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "files": list(self.files),
            "existing": self.existing,
            "placed": [{"line": p.line, "text": p.text, "to": p.to} for p in self.parts if p.to],
            "unplaced": [{"line": p.line, "text": p.text, "why": p.why} for p in self.unplaced],
            "to_fill_in": [gap._asdict() for gap in self.gaps],
        }

    def __str__(self) -> str:
        rows = [f"{self.source}:{p.line} -> {p.to}  {_short(p.text)}" for p in self.parts if p.to]
        rows += ["", "Files:", *self.files]
        if self.unplaced:
            rows += ["", "Not placed; these words are in no file:"]
            for part in self.unplaced:
                rows += [f"{self.source}:{part.line}: {part.why}"]
                rows += [f"    {line}" for line in part.text.split("\n")]
        if self.gaps:
            rows += ["", "To fill in:"]
            rows += [f"{gap.path}:{gap.line}: {gap.name}" for gap in self.gaps]
        if self.existing:
            rows += ["", *(f"{path} exists already" for path in self.existing)]
        return "\n".join(rows)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def account(
    name: str,
    source: str,
    placements: Iterable[Placement],
    files: list[EntryFile | MeetingFile],
    existing: list[str],
) -> Import:
    """Render the files and say of each stretch of the source where it stands in them."""
    rendered = {file.path: file.render(source) for file in files}
    parts = []
    for place in sorted(placements, key=lambda place: place.start):
        to = ""
        if place.file:
            to = f"{place.file.path}:{rendered[place.file.path].lines[place.key]}"
        line = source[: place.start].count("\n") + 1
        parts.append(Part(line, source[place.start : place.end], to, place.why))
    gaps = [
        Gap(file.path, rendered[file.path].lines[name], name)
        for file in files
        if isinstance(file, EntryFile)
        for name in file.draft.missing
    ]
    return Import(name, {path: r.text for path, r in rendered.items()}, parts, gaps, existing)
