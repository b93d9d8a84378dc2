"""Markdown files with a YAML header: read them, know the line of everything.

A scalar in a header stays the text that its author typed. The record that the header fills
decides what it means, so `no` is a word, `12:30` is not a number, and an arXiv id keeps its zeros.
"""

import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Value = str | None | list[Any] | dict[str, Any]
Location = tuple[str | int, ...]

MAX_DEPTH = 6  # a header is a small record; anything deeper is a mistake or an attack
# libyaml's loader recurses in C: some 100,000 nested brackets would end the process.
MAX_YAML_CHARS = 20_000
MAX_BRACKETS = 500  # its time grows with the square of their depth
MAX_FILE_BYTES = 512 * 1024


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
    """The values of a YAML mapping and the line on which each stands, by its location.

    The mapping itself is at (). A field whose value cannot be read has a line, no value, and its
    complaint in `problems`.
    """

    values: dict[str, Any]
    lines: dict[Location, int]
    problems: tuple[Malformed, ...] = ()

    @property
    def unread(self) -> set[str]:
        return {str(at[0]) for at in self.lines if len(at) == 1} - self.values.keys()

    def line(self, location: Location) -> int:
        """The line of the value, or of the nearest thing around it."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]


def read_yaml(text: str, first_line: int = 1) -> Fields:
    """Read one YAML mapping. Raises Malformed with the line, counted from `first_line`."""
    fields = read_fields(text, first_line)
    if fields.problems:
        raise fields.problems[0]
    return fields


def read_fields(text: str, first_line: int = 1) -> Fields:
    """As `read_yaml`, but a field that cannot be read does not hide the others."""
    node = compose(text, first_line)
    if node is None:
        return Fields({}, {(): first_line})
    if not isinstance(node, yaml.MappingNode):
        raise Malformed(first_line, "a list or a word; write `field: value` lines")
    lines: dict[Location, int] = {(): first_line + node.start_mark.line}
    problems: list[Malformed] = []
    values: dict[str, Any] = {}
    names: set[str] = set()
    seen = {id(node)}
    for key_node, child in node.value:
        try:
            key = _field_name(key_node, names, first_line)
            names.add(key)
            lines[key,] = first_line + key_node.start_mark.line
            values[key] = _construct(child, (key,), lines, first_line, seen)
        except Malformed as error:
            problems.append(error)
    return Fields(values, lines, tuple(problems))


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(text: str, first_line: int = 1) -> yaml.Node | None:
    """Parse YAML into nodes that know their place. Raises Malformed as `read_yaml` does."""
    if len(text) > MAX_YAML_CHARS:
        raise Malformed(
            first_line, f"fields of {len(text):,} characters; {MAX_YAML_CHARS:,} is the most"
        )
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise Malformed(first_line, f"more than {MAX_BRACKETS} brackets; a header is a flat record")
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        # What is never closed is complained of where it is opened.
        opened = "flow" in (error.context or "") or "quoted" in (error.context or "")
        mark = (error.context_mark if opened else None) or error.problem_mark
        number = mark.line if mark else 0
        lines = text.split("\n")
        written = lines[min(number, len(lines) - 1)]
        message = f"not valid YAML: {_yaml_advice(error, written)}"
        raise Malformed(first_line + number, message) from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position)
        message = f"an invisible control character (U+{error.character:04X}); remove it"
        raise Malformed(first_line + number, message) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Malformed(first_line, "not valid YAML; write `field: value` lines") from error
    return node


def _yaml_advice(error: yaml.MarkedYAMLError, line: str) -> str:
    """What the parser found, and what its author probably wanted."""
    problem = error.problem or "unreadable"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab before the field; indent by spaces"
    if "undefined alias" in problem or "undefined alias" in (error.context or ""):
        return "`*` begins an alias; put the value in quotes"
    if "mapping values" in problem:
        if line.count(": ") > 1:
            return 'a colon inside the value; put the value in quotes: "..."'
        return "the field stands where none can; write `field: value`, not indented"
    if "cannot start any token" in problem:
        return 'the value begins with a sign of YAML; put it in quotes: "..."'
    if "unexpected end of stream" in problem:
        return "a quotation mark is opened and not closed; close it"
    if "flow" in (error.context or ""):
        return "a list is not closed, or lacks a comma; write [a, b]"
    if "expected key" in problem:
        return 'text after a closing quotation mark; write the value as "..." or without quotes'
    if "could not find expected ':'" in problem:
        return "a line without a colon; write `field: value`"
    return f"{problem}; write `field: value` lines"


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
        if node.tag.endswith(":null") and not node.style:
            return None
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(child, (*where, i), lines, first, seen) for i, child in enumerate(node.value)
        ]
    assert isinstance(node, yaml.MappingNode)
    values: dict[str, Any] = {}
    for key_node, child in node.value:
        key = _field_name(key_node, values, first)
        lines[*where, key] = first + key_node.start_mark.line
        values[key] = _construct(child, (*where, key), lines, first, seen)
    return values


def _field_name(node: yaml.Node, known: Container[str], first: int) -> str:
    line = first + node.start_mark.line
    if not isinstance(node, yaml.ScalarNode):
        raise Malformed(line, "a field name that is not a word")
    if node.value in known:
        raise Malformed(line, f"field {node.value!r} stands twice; keep one")
    return str(node.value)


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


_RULE = re.compile(r"^---[^\S\n]*(?:\n|\Z)", re.MULTILINE)


def split_header(text: str) -> tuple[str, str, int]:
    """The header's YAML, the body, and the line on which the body begins.

    Raises Malformed if the text does not begin with a header that is closed by `---`.
    """
    opening = _RULE.match(text)
    if not opening:
        raise Malformed(1, "no header; begin the file with `---`, the fields, and `---`")
    closing = _RULE.search(text, opening.end())
    if not closing:
        raise Malformed(1, "the header is not closed; end it with a line `---`")
    yaml_text = text[opening.end() : closing.start()]
    return yaml_text, text[closing.end() :], yaml_text.count("\n") + 3


def read_text(path: Path) -> str:
    """The text of a file. Raises Malformed if it is too large, no UTF-8 or cannot be opened."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Malformed(1, f"cannot be read ({error.strerror}); mend its rights") from error
    if len(data) > MAX_FILE_BYTES:
        raise Malformed(1, f"larger than {MAX_FILE_BYTES // 1024} KB; split it into several files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Malformed(line, "not UTF-8; save the file as UTF-8") from error


def read_document(path: Path, root: Path) -> Document:
    """Read a content file below `root`. Raises Malformed if it is no UTF-8 or has no header."""
    header, body, body_line = split_header(read_text(path))
    return Document(
        path.relative_to(root).as_posix(), read_fields(header, first_line=2), body, body_line
    )


def markdown_files(folder: Path) -> Iterator[Path]:
    """The Markdown files right in a folder, by name, without its index and symbolic links."""
    if folder.is_symlink():
        return
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
    except FileNotFoundError:
        return
    for item in items:
        published = item.name.endswith(".md") and item.name != "index.md"
        if published and item.is_file(follow_symlinks=False):
            yield Path(item.path)
