"""Questions from and for other systems: one module a format, one model between them.

A module that reads has `looks_like(path, text)` and `read(path, data)`; one that writes has
`write(bank, name)`. To add a format, write such a module and name it below.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, cast

from api.formats import anki, gift, mkdocs_quiz, moodle, qti12, qti21, quizdown, readout
from api.formats.archive import read_zip
from api.formats.model import (
    MAX_FILE_BYTES,
    MAX_ITEMS,
    Bank,
    Exported,
    Imported,
    Item,
    Loss,
    Unreadable,
)
from api.formats.xml import read_xml
from api.markup import Problem

__all__ = [
    "READERS",
    "WRITERS",
    "Bank",
    "Exported",
    "Imported",
    "Item",
    "Loss",
    "Unreadable",
    "read",
    "readout",
    "sniff",
    "write",
]


class Reader(Protocol):
    NAME: str
    EXTENSIONS: tuple[str, ...]
    looks_like: Callable[[str, str], bool]
    read: Callable[[str, bytes], Imported]


# In the order of asking: who is surest of their own comes first.
_MODULES = [moodle, qti12, qti21, readout, mkdocs_quiz, quizdown, gift]
READERS: dict[str, Reader] = {module.NAME: cast(Reader, module) for module in _MODULES}
WRITERS: dict[str, Callable[..., Exported]] = {
    module.NAME: module.write for module in (gift, moodle, qti21, mkdocs_quiz, anki, readout)
}


def read(path: str, data: bytes, format: str | None = None) -> Imported:  # noqa: A002
    """The questions of a file, and what of it is not in them.

    Raises Unreadable, with path and line, if it is unsound, too large, unsafe or no known format.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(Problem(path, 1, f"larger than {MAX_FILE_BYTES >> 20} MB; split the file"))
    name = format or sniff(path, data)
    if name not in READERS:
        raise Unreadable(Problem(path, 1, f"no format {name!r} can be read; {_known()}"))
    imported = READERS[name].read(path, data)
    if not imported.items and not imported.losses:
        raise Unreadable(Problem(path, 1, f"no question in it, read as {name}; {_known()}"))
    if len(imported.items) > MAX_ITEMS:
        reason = f"{len(imported.items):,} questions; {MAX_ITEMS:,} is the most"
        raise Unreadable(Problem(path, 1, reason))
    return imported


def write(bank: Bank, format: str, name: str = "quiz", **options: Any) -> Exported:  # noqa: A002
    """The bank as files of a format, and what they do not hold. Raises ValueError."""
    if format not in WRITERS:
        raise ValueError(f"no format {format!r} can be written; choose from {', '.join(WRITERS)}")
    exported = WRITERS[format](bank, name, **options)
    return replace(exported, losses=(*_of_the_bank(bank, format), *exported.losses))


# What each format says of a quiz as a whole.
_TITLES = {"moodle", "qti21", "mkdocs-quiz", "anki", "readout"}
_INTROS = {"mkdocs-quiz", "readout"}
_PICTURES = {"moodle", "qti21", "anki", "readout"}


def _of_the_bank(bank: Bank, format_: str) -> list[Loss]:
    path = bank.items[0].path if bank.items else ""
    where = Item(kind="description", stem="", name=bank.title or "quiz", path=path)
    there = {
        "title": bank.title and format_ not in _TITLES,
        "introduction": bank.intro and format_ not in _INTROS,
        "pictures": bank.files and format_ not in _PICTURES,
        **dict.fromkeys(bank.header, format_ != "readout"),
    }
    why = f"{format_} has no place for it"
    return [where.loss("dropped", what, why) for what, is_lost in there.items() if is_lost]


def sniff(path: str, data: bytes) -> str:
    """The name of the format. Raises Unreadable if it looks like none."""
    if data.startswith(b"PK"):
        return _sniff_zip(path, read_zip(path, data))
    text = data[:2_000_000].decode("utf-8", errors="replace").removeprefix("\ufeff")
    for name, reader in READERS.items():
        if reader.looks_like(path, text):
            return name
    if text.lstrip().startswith("<"):
        # An XML that is none of ours may be a broken one of ours: its own reader says where.
        read_xml(path, data)
    raise Unreadable(Problem(path, 1, f"looks like no format that can be read; {_known()}"))


def _sniff_zip(path: str, files: Mapping[str, bytes]) -> str:
    if any(qti12.holds_items(name, content) for name, content in files.items()):
        return qti12.NAME
    if any(qti21.holds_item(content) for content in files.values()):
        return qti21.NAME
    raise Unreadable(Problem(path, 1, f"an archive without QTI files; {_known()}"))


def _known() -> str:
    return f"known are {', '.join(READERS)}: say which with --format"
