"""The ledger of an import: which stretch of the note stands where."""

import re

from api.imports import Chunk, EntryFile, Key, MeetingFile, Placement
from api.notefile import (
    Block,
    Definition,
    Link,
    find_links,
    mask_code,
    read_blocks,
    read_definitions,
    relist,
)


class Places:
    """Every stretch of a note, the place that it got, and what its links refer to."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.masked = source  # the same without its code
        self.definitions: dict[str, Definition] = {}
        self.placements: list[Placement] = []
        self.uses: dict[str, list[tuple[EntryFile | MeetingFile | None, Key]]] = {}

    def _read(self, body: str) -> list[Block]:
        self.masked = mask_code(body)
        blocks = read_blocks(body)
        self.definitions = read_definitions(self.masked, blocks)
        return blocks

    def _unplaced(self, start: int, end: int, why: str) -> None:
        start, end = self._trimmed(start, end)
        if start < end:
            self.placements.append(Placement(start, end, None, 0, why))

    def _links(self, block: Block) -> list[Link]:
        if block.kind == "code":
            return []
        return list(find_links(self.masked, block.start, block.end, self.definitions))

    def _shown(self, start: int, end: int, block: Block, above: int) -> str:
        if block.kind == "item":
            return relist(self.source, start, end, block, above)
        return self.source[start:end]

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        """The stretch without blank lines around it."""
        text = self.source[start:end]
        if not text.strip():
            return start, start
        first = start + len(re.match(r"(?:[^\S\n]*\n)*", text)[0])  # type: ignore[index]
        return first, start + len(text.rstrip())

    def _field(self, file: EntryFile | MeetingFile, key: Key, start: int, end: int) -> None:
        self.placements.append(Placement(start, end, file, key))

    def _use(self, link: Link, file: EntryFile | MeetingFile | None, key: Key) -> None:
        if link.label is not None:
            self.uses.setdefault(link.label, []).append((file, key))

    def _comment(self, entry: EntryFile, key: str, typed: str, value: str = "") -> None:
        """Keep what was typed behind its field, where the field does not hold all of its words."""
        if words(typed) != words(value):
            comments = entry.draft.comments
            comments[key] = f"{comments.get(key, '')} {one_line(typed)}".strip()

    # Definitions of reference-style links --------------------------------------------------------

    def _leftovers(self, block: Block) -> None:
        """What stands among definitions and is none."""
        at = block.start
        for definition in sorted(self.definitions.values(), key=lambda found: found.start):
            if block.start <= definition.start < block.end:
                self._unplaced(at, definition.start, "not understood")
                at = definition.end
        self._unplaced(at, block.end, "not understood")

    def _place_definitions(self) -> None:
        """A definition goes to the first link that uses it, and a copy to every other file."""
        for label, definition in self.definitions.items():
            start, end = definition.start, definition.end
            uses = [use for use in self.uses.get(label, []) if use[0]]
            if not uses:
                self._unplaced(start, end, "a definition that no link in a file uses")
                continue
            placed = False
            for file, key in uses:
                if isinstance(file, EntryFile) and key == "url":
                    self._comment(file, "url", definition.extra)
                    at: Key = "url"
                else:
                    at = start
                    if file and all(chunk.start != start for chunk in file.chunks):
                        text = self.source[start:end]
                        file.chunks.append(Chunk(start, end, text, "definition", start))
                if file and not placed:
                    self._field(file, at, start, end)
                placed = True


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def one_line(text: str) -> str:
    return " ".join(text.split())
