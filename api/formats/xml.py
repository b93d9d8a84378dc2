"""XML from strangers: a tree that knows its lines, and no entity, no address, no bomb."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from api.formats.model import MAX_FILE_BYTES, Unreadable
from api.markup import Problem

MAX_DEPTH = 100
MAX_ELEMENTS = 1_000_000


@dataclass
class Node:
    """An element without its namespace. `parts` are its texts and elements as they stand."""

    tag: str
    attributes: dict[str, str]
    line: int
    parts: list["Node | str"] = field(default_factory=list)

    @property
    def children(self) -> list["Node"]:
        return [part for part in self.parts if isinstance(part, Node)]

    @property
    def text(self) -> str:
        """Its own text, without that of the elements in it."""
        return "".join(part for part in self.parts if isinstance(part, str)).strip()

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def each(self, tag: str) -> list["Node"]:
        return [child for child in self.children if child.tag == tag]

    def find(self, *path: str) -> "Node | None":
        node: Node | None = self
        for tag in path:
            node = next(iter(node.each(tag)), None) if node else None
        return node

    def walk(self) -> Iterator["Node"]:
        """Itself and all below it, in the order of the file."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def below(self, *tags: str) -> Iterator["Node"]:
        return (node for node in self.walk() if node.tag in tags and node is not self)


class _Refused(Exception):
    pass


def read_xml(path: str, data: bytes) -> Node:
    """The root of an XML file. Raises Unreadable with the line of the mistake."""
    if len(data) > MAX_FILE_BYTES:
        raise Unreadable(Problem(path, 1, f"larger than {MAX_FILE_BYTES >> 20} MB; split the file"))
    reader = _Reader()
    try:
        reader.parser.Parse(_mend(data), True)
    except _Refused as error:
        raise Unreadable(Problem(path, reader.parser.CurrentLineNumber, str(error))) from error
    except expat.ExpatError as error:
        reason = f"not well-formed XML: {expat.ErrorString(error.code)}"
        raise Unreadable(Problem(path, error.lineno, reason)) from error
    except (LookupError, ValueError) as error:
        reason = f"not well-formed XML: {error}"
        raise Unreadable(Problem(path, reader.parser.CurrentLineNumber, reason)) from error
    assert reader.root
    return reader.root


_DECLARATION = re.compile(rb"\A\s*(<\?xml[^>]*\?>)?")


def _mend(data: bytes) -> bytes:
    """Take back what real exports get wrong before the first element.

    Blank lines before the declaration stay as lines after it, so that lines are counted rightly.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    match = _DECLARATION.match(data)
    assert match
    declaration = re.sub(rb"([\"'])(?=[a-z])(?!\s*\?)", rb"\1 ", match[1] or b"")
    declaration = re.sub(rb"=\s*([\"'])\s+", rb"=\1", declaration)
    blank = match[0][: len(match[0]) - len(match[1] or b"")]
    return declaration + b"\n" * blank.count(b"\n") + data[match.end() :]


class _Reader:
    """Builds the tree as expat goes, and stops it at what a quiz has no need for."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.open: list[Node] = []
        self.elements = 0
        self.parser = parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        # An entity that only a foreign DTD would explain is left out by expat, and told to us.
        parser.UseForeignDTD(True)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.SkippedEntityHandler = self._entity
        parser.EntityDeclHandler = self._declared

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise _Refused(f"more than {MAX_ELEMENTS:,} elements; split the file")
        if len(self.open) >= MAX_DEPTH:
            raise _Refused(f"elements nested more than {MAX_DEPTH} deep; no quiz is")
        plain = {name.rpartition("}")[2]: value for name, value in attributes.items()}
        node = Node(tag.rpartition("}")[2], plain, self.parser.CurrentLineNumber)
        if self.open:
            self.open[-1].parts.append(node)
        else:
            self.root = node
        self.open.append(node)

    def _end(self, tag: str) -> None:
        self.open.pop()

    def _text(self, text: str) -> None:
        self.open[-1].parts.append(text)

    def _entity(self, name: str, _: bool) -> None:
        character = html.unescape(f"&{name};")
        if character.startswith("&"):
            raise _Refused(f"an unknown entity &{name};")
        self._text(character)

    def _declared(self, name: str, *_: object) -> None:
        raise _Refused(f"declares the entity {name!r}; entities of a file's own are not read")
