"""Two texts that come from one: their difference, and their merger, by lines and words.

A text that somebody chose with care can make a difference slow: call these through `bounded`.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from merge3 import Merge3

# Around lines that both sides changed: first what was written on the site, or in this page.
HERE, PARTED, THERE = "<<<<<<< on the site", "=======", ">>>>>>> in the file"
IN_FILE = (HERE, THERE)
IN_PAGE = ("<<<<<<< yours", ">>>>>>> saved meanwhile")

Kind = Literal["same", "removed", "added"]


class Piece(NamedTuple):
    """A stretch of text in a difference."""

    kind: Kind
    text: str


class Merged(NamedTuple):
    """`conflicts` counts the places that both sides changed; the text holds both there."""

    text: str
    conflicts: int


def merge(base: str, ours: str, theirs: str, names: tuple[str, str] = IN_FILE) -> Merged:
    """Both sides' changes to `base`. Lines end as they were typed, with `\\n` or `\\r\\n`."""
    if ours == theirs or theirs == base:
        return Merged(ours, 0)
    if ours == base:
        return Merged(theirs, 0)
    text, conflicts = "", 0
    for group in Merge3(_lines(base), _lines(ours), _lines(theirs)).merge_groups():
        if group[0] != "conflict":
            text += "".join(group[1])
            continue
        conflicts += 1
        text += _both("".join(group[2]), "".join(group[3]), names)
    return Merged(text, conflicts)


def side_by_side(ours: str, theirs: str, names: tuple[str, str] = IN_FILE) -> Merged:
    """Both texts whole, where they cannot be compared."""
    return Merged(_both(ours, theirs, names), 1)


def _both(ours: str, theirs: str, names: tuple[str, str]) -> str:
    text = ""
    for part in (names[0], ours, PARTED, theirs, names[1]):
        text += part + ("" if part.endswith("\n") or not part else "\n")
    return text


def _lines(text: str) -> list[str]:
    """Lines with their ends. Not `splitlines`: a form feed or U+2028 ends no line here."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def difference(before: str, after: str) -> list[Piece]:
    """What makes `after` of `before`: by lines, and by words within lines that changed."""
    pieces: list[Piece] = []
    for old, new in _runs(_lines(before), _lines(after)):
        if old and new and old != new:
            for removed, added in _runs(_words(old), _words(new)):
                _add(pieces, removed, added)
        else:
            _add(pieces, old, new)
    return pieces


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*|\s+", text)


def _runs(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """Stretches of both that belong together: equal, or what the one has in the other's place."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for _, i, j, k, l in matcher.get_opcodes():  # noqa: E741
        yield "".join(old[i:j]), "".join(new[k:l])


def _add(pieces: list[Piece], old: str, new: str) -> None:
    if old == new:
        pieces.append(Piece("same", old))
        return
    pieces += [Piece("removed", old)] if old else []
    pieces += [Piece("added", new)] if new else []
