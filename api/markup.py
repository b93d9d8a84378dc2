"""Markdown files with a YAML header: read them, know the line of everything.

A scalar in a header stays the text that its author typed. The record that the header fills
decides what it means, so `no` is a word, `12:30` is not a number, and an arXiv id keeps its zeros.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Value = str | None | list[Any] | dict[str, Any]
Location = tuple[str | int, ...]

MAX_DEPTH = 6  # a header is a small record; anything deeper is a mistake or an attack


class Problem(NamedTuple):
    """Something that a contributor has to mend."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Malformed(Exception):
    """A text that cannot be read at all. `line` counts from 1 within the text given."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Fields(NamedTuple):
    """The values of a YAML mapping and the line on which each stands, by its location."""

    values: dict[str, Any]
    lines: dict[Location, int]

    def line(self, location: Location) -> int:
        """The line of the value, or of the nearest thing around it."""
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return 1


def read_yaml(text: str, first_line: int = 1) -> Fields:
    """Read one YAML mapping. Raises Malformed with the line, counted from `first_line`."""
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise Malformed(line, f"not valid YAML: {error.problem}; see the other files") from error
    except yaml.YAMLError as error:
        raise Malformed(first_line, f"not valid YAML: {error}") from error
    if node is None:
        return Fields({}, {(): first_line})
    lines: dict[Location, int] = {}
    values = _construct(node, (), lines, first_line, set())
    if not isinstance(values, dict):
        raise Malformed(first_line, "a list or a word; write `field: value` lines")
    return Fields(values, lines)


def _construct(
    node: yaml.Node, where: Location, lines: dict[Location, int], first: int, seen: set[int]
) -> Value:
    line = first + node.start_mark.line
    lines.setdefault(where, line)
    if id(node) in seen:
        # A few nested aliases can stand for gigabytes.
        raise Malformed(line, "an alias (`*name`); write the value out")
    seen.add(id(node))
    if len(where) > MAX_DEPTH:
        raise Malformed(line, f"nested more than {MAX_DEPTH} deep; a header is a flat record")
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith(":null") and node.style is None:
            return None
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(child, (*where, i), lines, first, seen) for i, child in enumerate(node.value)
        ]
    assert isinstance(node, yaml.MappingNode)
    values: dict[str, Any] = {}
    for key_node, child in node.value:
        key = str(key_node.value)
        key_line = first + key_node.start_mark.line
        if not isinstance(key_node, yaml.ScalarNode):
            raise Malformed(key_line, "a field name that is not a word")
        if key in values:
            raise Malformed(key_line, f"field {key!r} stands twice; keep one")
        lines[*where, key] = key_line
        values[key] = _construct(child, (*where, key), lines, first, seen)
    return values


@dataclass(frozen=True)
class Document:
    """A Markdown file with its header. `path` is relative to the project, with forward slashes."""

    path: str
    header: Fields
    body: str
    body_line: int  # the line of the file on which the body begins

    @property
    def slug(self) -> str:
        return Path(self.path).stem


def split_header(text: str) -> tuple[str, str, int]:
    """The header's YAML, the body, and the line on which the body begins.

    Raises Malformed if the text does not begin with a header that is closed by `---`.
    """
    lines = re.split(r"(?<=\n)", text)  # not splitlines: it also breaks at U+2028
    if not lines or lines[0].rstrip() != "---":
        raise Malformed(1, "no header; begin the file with `---`, the fields, and `---`")
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            return "".join(lines[1:number]), "".join(lines[number + 1 :]), number + 2
    raise Malformed(1, "the header is not closed; end it with a line `---`")


def read_document(path: Path, root: Path) -> Document:
    """Read a content file below `root`. Raises Malformed if it is no UTF-8 or has no header."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Malformed(line, "not UTF-8; save the file as UTF-8") from error
    header, body, body_line = split_header(text)
    return Document(
        path.relative_to(root).as_posix(), read_yaml(header, first_line=2), body, body_line
    )


def markdown_files(folder: Path) -> Iterator[Path]:
    """The Markdown files right in a folder, by name, without its index and symbolic links."""
    for path in sorted(folder.glob("*.md")):
        if path.name != "index.md" and path.is_file() and not path.is_symlink():
            yield path
