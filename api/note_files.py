"""Notes in published files: a block for each, between two comments that carry the note's id.

    <!-- note ID version 3 -->

    the text, byte for byte

    <!-- end of note ID -->

All else in a file is left as it is: its header, its line ends, its spaces. Who edits the file may
take the empty lines around the text away.
"""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from api.content import Content

TITLE, ANCHOR = "Published notes", "published-notes"

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# The number tells the end of a note from a line of its text that looks like the end.
_BLOCK = re.compile(
    rf"<!-- note (?P<id>{_ID}) version (?P<version>\d{{1,9}})(?P<more>(?: end \d+)?) -->"
    r"(?P<newline>\r?\n)(?:(?P=newline))?(?P<text>.*?)(?:(?P=newline))?(?P=newline)"
    r"<!-- end of note (?P=id)(?P=more) -->",
    re.S,
)
_MARK = re.compile(rf"^<!-- (?:end of )?note (?P<id>{_ID})[^\n]*$", re.M)


# What keeps a note of a file from being read.
TWICE = "it stands in the file more than once; keep the block that is right, remove the others"
DAMAGED = (
    "a comment that begins or ends no block; restore <!-- note ID version N --> before the text"
    " and <!-- end of note ID --> after it, or remove both"
)


class Block(NamedTuple):
    """A note as it stands in a file. `start` and `end` are those of its text."""

    note_id: str
    version: int
    text: str
    start: int
    end: int


class Damaged(NamedTuple):
    """The mark of a note that begins or ends no block."""

    note_id: str
    line: int


class PublishedNote(NamedTuple):
    text: str
    link: str  # from the root of the site


class Carried(NamedTuple):
    """A note on its way into a file."""

    note_id: str
    version: int
    text: str


def read_blocks(text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        version = int(match["version"])
        yield Block(match["id"], version, match["text"], match.start(), match.end())


def find_damaged(text: str) -> Iterator[Damaged]:
    """Marks outside of all blocks: what a note says there is not read."""
    outside = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    for mark in _MARK.finditer(outside):
        yield Damaged(mark["id"], outside.count("\n", 0, mark.start()) + 1)


def write_blocks(text: str, notes: Iterable[Carried]) -> str:
    """The file with these notes in it: each in its own block, new ones after the last."""
    newline = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
    left = {note.note_id: note for note in notes}
    written, at = "", 0
    for block in read_blocks(text):
        note = left.pop(block.note_id, None)
        written += text[at : block.start]
        # What is the same stays as it is typed, whatever the line ends of the file have become.
        if note is None or (note.version, note.text) == (block.version, block.text):
            written += text[block.start : block.end]
        else:
            written += _block(note, newline)
        at = block.end
    if not left:
        return written + text[at:]
    new = (newline * 2).join(_block(note, newline) for note in left.values())
    if at:
        return f"{written}{newline * 2}{new}{text[at:]}"
    heading = _HEADING.search(text)
    if heading:
        return f"{text[: heading.end()]}{newline * 2}{new}{text[heading.end() :]}"
    gap = newline if text.endswith("\n") else newline * 2
    return f"{text}{gap}## {TITLE}{newline * 2}{new}{newline}"


_HEADING = re.compile(rf"^## {TITLE}(?=\r?$)", re.M)


def _block(note: Carried, newline: str) -> str:
    more, number = "", 0
    while f"<!-- end of note {note.note_id}{more} -->" in note.text:
        number += 1
        more = f" end {number}"
    return (
        f"<!-- note {note.note_id} version {note.version}{more} -->{newline * 2}"
        f"{note.text}{newline * 2}<!-- end of note {note.note_id}{more} -->"
    )


def titles_of(content: Content) -> dict[str, str]:
    """What notes can lead to."""
    return {slug: entry.title for slug, entry in content.library.items()}


def meeting_file(content: Content, meeting: str) -> Path:
    return content.root / content.meetings[meeting].path


def read_text(path: Path) -> str:
    """The text with its line ends as they are. Raises OSError, UnicodeDecodeError."""
    return path.read_bytes().decode("utf-8")


def read_published(content: Content) -> dict[str, PublishedNote]:
    """The notes that stand in the files of meetings, by id."""
    found: dict[str, PublishedNote] = {}
    for slug in content.meetings:
        link = f"meetings/{slug}/#{ANCHOR}"
        for block in read_blocks(read_text(meeting_file(content, slug))):
            found[block.note_id] = PublishedNote(block.text, link)
    return found


def as_patch(name: str, before: str, after: str) -> str:
    """What turns the one into the other, for `git apply` in the checkout. "" if nothing does.

    Raises OSError without git. What its user set for line ends must not change a text.
    """
    if shutil.which("git") is None:
        raise OSError(errno.ENOENT, "git is not installed; install it")
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    with tempfile.TemporaryDirectory() as folder:
        for side, text in (("a", before), ("b", after)):
            path = Path(folder, side, name)
            path.parent.mkdir(parents=True)
            path.write_bytes(text.encode())
        compare = [
            "git",
            "-c",
            f"core.attributesFile={os.devnull}",
            "diff",
            "--no-index",
            "--no-prefix",
            "--no-color",
            "--no-ext-diff",
        ]
        compare.append("--text")  # a patch of "binary files" would say nothing
        done = subprocess.run(  # noqa: S603  our own words
            [*compare, f"a/{name}", f"b/{name}"],
            cwd=folder,
            env={**os.environ, **own},
            capture_output=True,
        )
    if done.returncode > 1:
        raise OSError(done.returncode, done.stderr.decode().strip(), "the patch")
    return done.stdout.decode()
