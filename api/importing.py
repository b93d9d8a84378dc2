"""Split a group's free-form note into library entries and meetings, and lose no word of it.

Every stretch of the note gets one place: a field of a header, the notes of an entry, a meeting, or
the list of what could not be placed. A link opens an entry if it stands where one begins; a link
inside a sentence makes an entry too, but the sentence stays whole where it is.
"""

import datetime as dt
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from api.addresses import Address, read_address
from api.content import Content, read_content
from api.drafts import EntryDraft, NotWritten, write_new
from api.import_meetings import Known, Meetings, Target
from api.imports import Chunk, EntryFile, Import, MeetingFile, account
from api.leads import (
    BETWEEN,
    BYLINE,
    Lead,
    content_of,
    find_leads,
    outside,
    read_byline,
    read_title,
    stands_alone,
)
from api.markup import Fields, Malformed, read_yaml, split_header
from api.notefile import (
    Block,
    Link,
    find_date,
    find_links,
    heading_text,
    match_topics,
)
from api.scan import HTML_BLOCK

_NOT_PRINTED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass
class Heading:
    """A heading outside of meetings. `topics` are those of the entries below it."""

    block: Block
    topics: list[str]
    named: list[str]  # those that it names itself
    used: bool = False


@dataclass
class Open:
    """An entry to which text is still added. `depth` is that of its list item.

    `above` are the levels of the list that its notes do not show.
    """

    entry: Target
    depth: int = 0
    above: int = 0


def import_note(
    path: Path, content_dir: Path, *, today: dt.date | None = None, dry_run: bool = False
) -> Import:
    """Write what a note becomes, all files or none. With `dry_run` write nothing.

    Raises NotWritten if the note cannot be read or one of the files exists.
    """
    try:
        source = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise NotWritten(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotWritten(f"{path} is not UTF-8; save it as UTF-8") from error
    folder = content_dir.resolve()
    result = split_note(source, path.name, read_content(folder), folder.name, today)
    if not dry_run:
        write_new({folder.parent / name: text for name, text in result.files.items()})
    return result


def split_note(
    source: str, name: str, content: Content, folder: str = "docs", today: dt.date | None = None
) -> Import:
    """What a note becomes, as files below `folder`.

    Raises NotWritten for characters that no text file should hold.
    """
    source = clean(source)
    if found := _NOT_PRINTED.search(source):
        line = source[: found.start()].count("\n") + 1
        code = ord(found[0])
        raise NotWritten(f"{name}:{line}: a control character (U+{code:04X}); remove it")
    splitter = _Splitter(source, content, folder, today)
    splitter.run()
    files: list[EntryFile | MeetingFile] = [*splitter.name_entries(), *splitter.name_meetings()]
    existing = [file.path for file in files if (content.root / file.path).exists()]
    return account(name, source, splitter.placements, files, existing)


def clean(source: str) -> str:
    """The text with line feeds alone as the ends of its lines."""
    return re.sub(r"\r\n?|[\v\f]", "\n", source)


class _Splitter(Meetings):
    def __init__(self, source: str, content: Content, folder: str, today: dt.date | None) -> None:
        super().__init__(source, folder)
        self.today = today
        self.topics = {slug: topic.title for slug, topic in content.topics.items()}
        headers = {p: h for p, h in content.headers.items() if f"{folder}/library/" in p}
        self.slugs = {Path(path).stem for path in headers}
        self.known: dict[tuple[str, str], list[tuple[Address, str, Target]]] = {}
        for path, header in headers.items():
            title = str(header.values.get("title") or "")
            for address in _addresses(header):
                self._remember(address, title, Known(Path(path).stem))
        self.entries: list[EntryFile] = []
        # Where we are in the note:
        self.headings: list[Heading] = []
        self.open: list[Open] = []
        self.in_html = 0  # elements of HTML that are open: they stay whole, in one file
        self.entry_level = 0  # of the heading that opened the entry, if one did

    def run(self) -> None:
        end = _header_end(self.source)
        self._unplaced(0, end, "the header of the note")
        body = re.sub(r"[^\n]", " ", self.source[:end]) + self.source[end:]
        blocks = self._read(body)
        for block in blocks:
            if block.kind == "heading":
                self._heading(block)
            elif block.kind == "definition":
                self._leftovers(block)
            elif self._dated(block):
                pass
            elif self.meeting:
                self._to_meeting(self.meeting, block)
            elif block.kind == "rule":
                self.open = []
            else:
                self._text(block)
            if block.kind in ("html", "text", "item"):
                for tag in HTML_BLOCK.finditer(self.masked, block.start, block.end):
                    self.in_html = max(0, self.in_html + (-1 if tag["end"] else 1))
        self._close_headings(0)
        self._place_definitions()

    def name_entries(self) -> list[EntryFile]:
        for entry in self.entries:
            slug = entry.draft.slug(self.slugs)
            self.slugs.add(slug)
            entry.path = f"{self.folder}/library/{slug}.md"
        return self.entries

    # Places --------------------------------------------------------------------------------------

    def _note(self, place: Open | None, start: int, end: int, block: Block) -> None:
        """Add a stretch of text to the notes of an entry, or to what has no place."""
        start, end = self._trimmed(start, end)
        entry = place.entry if place else None
        file = entry if isinstance(entry, EntryFile) else None
        for link in find_links(self.masked, start, end, self.definitions):
            self._use(link, file, start)
        if isinstance(entry, Known):
            self._unplaced(start, end, f"already in the library as {entry.slug}")
        elif place is None or file is None:
            self._unplaced(start, end, self._why_no_entry())
        else:
            text = self.source[start:end]
            if block.kind == "heading" and text == self.source[block.start : block.end].rstrip():
                text = heading_text(text)
                text = text if "*" in text or not text else f"**{text}**"
            else:
                text = self._shown(start, end, block, place.above)
            file.chunks.append(Chunk(start, end, text, block.kind, block.start))
            self._field(file, start, start, end)

    def _why_no_entry(self) -> str:
        if not self.headings:
            return "no link above it to which it could belong"
        heading = self.headings[-1]
        text = heading_text(self.source[heading.block.start : heading.block.end])
        if heading.topics:
            where = " and ".join(f"{self.folder}/topics/{topic}.md" for topic in heading.topics)
            return f"no link above it under {text!r}; perhaps it belongs in {where}"
        return f"no link above it under {text!r}"

    def _leave_entry(self) -> None:
        self.open, self.entry_level = [], 0

    # Headings ------------------------------------------------------------------------------------

    def _heading(self, block: Block) -> None:
        text = heading_text(self.source[block.start : block.end])
        links = self._links(block)
        if self.meeting and block.level > self.levels[0]:
            self._meeting_heading(self.meeting, block, text)
            return
        if self.open and self.entry_level and block.level > self.entry_level:
            self._note(self.open[0], block.start, block.end, block)
            return
        self.meeting, self.open, self.entry_level = None, [], 0
        self._close_headings(block.level)
        try:
            if found := find_date(outside(self.source, block, links)):
                self._open_meeting(block, text, *found)
                return
        except ValueError as error:
            self._unplaced(block.start, block.end, str(error))
            return
        if links:
            self.entry_level = block.level
            self._text(block)
            return
        above = self.headings[-1].topics if self.headings else []
        named = match_topics(text, self.topics)
        self.headings.append(Heading(block, named or above, named))

    def _close_headings(self, level: int) -> None:
        while self.headings and self.headings[-1].block.level >= level:
            heading = self.headings.pop()
            if heading.used:
                continue
            if heading.named:
                why = f"topic {' and '.join(heading.named)}, but no new entry is below it"
            elif heading.topics:
                above = " and ".join(heading.topics)
                why = f"a heading that names no topic; entries below it have {above} from above"
            else:
                why = f"a heading that names no topic; there are {', '.join(self.topics)}"
            self._unplaced(heading.block.start, heading.block.end, why)

    # Entries -------------------------------------------------------------------------------------

    def _text(self, block: Block) -> None:
        """Text outside of meetings: entries where links lead, notes of the open one elsewhere."""
        links = self._links(block)
        place = self._place(block)
        start, end = content_of(self.source, block)
        can_lead = block.kind in ("text", "item", "heading") and not self.in_html
        leads = find_leads(self.source, links if can_lead else [], start, end)
        if not leads and links and place is None:
            place = Open(self._entry(links[0]), block.depth, max(0, block.depth - 1))
            self._push(place, block)
        if not leads:
            self._note(place, block.start, block.end, block)
        elif self.source[start : leads[0].start].strip():
            self._note(place, block.start, leads[0].start, block)
        for lead, following in zip_longest(leads, leads[1:]):
            until = following.start if following else end
            self._push(self._segment(block, lead, until), block)
        for link in links:
            self._entry(link)

    def _place(self, block: Block) -> Open | None:
        """The entry to which text at this depth belongs."""
        while self.open and self.open[-1].depth > block.depth - (block.depth > 0 and block.first):
            self.open.pop()
        return self.open[-1] if self.open else None

    def _push(self, place: Open, block: Block) -> None:
        while self.open and self.open[-1].depth >= block.depth:
            self.open.pop()
        if block.depth and not self.entry_level:
            # A list of links is no note on the link above it.
            self.open = [around for around in self.open if around.depth]
        self.open.append(place)

    def _segment(self, block: Block, lead: Lead, end: int) -> Open:
        """One link with what follows it: the header of an entry and its first note."""
        link = lead.link
        before = len(self.entries)
        names, after = read_byline(self.source, link.end, end)
        entry = self._entry(link, names)
        place = Open(entry, block.depth, block.depth)
        is_anchor = 0 <= link.url_start < link.text_start
        if (
            not isinstance(entry, EntryFile)
            or len(self.entries) == before
            or lead.labelled
            or is_anchor
            or (link.text and not entry.draft.title and not link.text.startswith(("http", "![")))
            or not stands_alone(self.source, link, end)
        ):
            self._note(place, lead.start, end, block)
            return place
        self._logo(entry, lead.start, link)
        self._take_out(entry, link)
        if names:
            match = BYLINE.search(self.source, link.end, after)
            assert match
            entry.draft.authors = names
            self._comment(entry, "authors", match["names"], " ".join(names))
            self._field(entry, "authors", match.start("names"), match.end("names"))
        if not BETWEEN.fullmatch(self.source, after, end):
            self._note(place, after, end, block)
        return place

    def _logo(self, entry: EntryFile, start: int, link: Link) -> None:
        logo = self.source[start : link.start].strip()
        if logo:
            self._comment(entry, "kind", logo)
            self._field(entry, "kind", start, start + len(logo))
            if re.search(r"youtube|vimeo|video|talk|\byt\b", logo, re.I):
                entry.draft.kind = "talk"

    def _take_out(self, entry: EntryFile, link: Link) -> None:
        """Turn a link into the fields of the header."""
        if link.text:
            key = "title" if entry.draft.title else "url"
            self._comment(entry, key, link.text, str(getattr(entry.draft, key)))
            self._field(entry, key, link.text_start, link.text_start + len(link.text))
        if link.label is None:
            start, end = link.url_start, link.end - (link.start != link.url_start)
            typed = self.source[start:end].removesuffix(link.extra).strip("<> \n")
            self._comment(entry, "url", typed, link.url)
        else:
            start, end = link.text_start + len(link.text) + 1, link.end
        if link.label is None or link.extra not in self.definitions[link.label].extra:
            self._comment(entry, "url", link.extra)
        self._field(entry, "url", start, end)
        self._use(link, entry, "url")

    def _entry(self, link: Link, authors: list[str] | None = None) -> Target:
        """The entry of a link: in the library, earlier in this note, or new."""
        address, title = read_address(link.url), read_title(link.text)
        found = [known for name in address.names for known in self.known.get(name, [])]
        for other, other_title, target in found:
            # The stream of a whole day holds many talks.
            other_talk = address.start and other.start and address.start != other.start
            if not (other_talk and title != other_title):
                if isinstance(target, EntryFile) and authors and not target.draft.authors:
                    target.draft.authors = authors
                return target
        draft = EntryDraft(link.url, title, authors or [], added=self.today)
        draft.learn_from_address()
        entry = EntryFile(draft)
        self._give_topics(entry)
        self.entries.append(entry)
        self._remember(address, title or "", entry)
        return entry

    def _remember(self, address: Address, title: str, target: Target) -> None:
        for name in address.names:
            self.known.setdefault(name, []).append((address, title, target))

    def _give_topics(self, entry: EntryFile) -> None:
        giver = next((heading for heading in reversed(self.headings) if heading.named), None)
        if giver:
            entry.draft.topics = giver.named
            if not giver.used:  # its words stand once, in the first entry below it
                giver.used = True
                block = giver.block
                text = heading_text(self.source[block.start : block.end])
                self._comment(entry, "topics", text)
                self._field(entry, "topics", block.start, block.end)


def _header_end(source: str) -> int:
    """Where a YAML header of the note itself ends; 0 without one."""
    try:
        header, body, _ = split_header(source)
        return len(source) - len(body) if read_yaml(header).values else 0
    except Malformed:
        return 0


def _addresses(header: Fields) -> list[Address]:
    """All under which an entry of the library may be found."""
    values = header.values
    found = [read_address(str(values.get("url") or ""))]
    arxiv, doi, openreview = (values.get(name) for name in ("arxiv", "doi", "openreview"))
    if arxiv or doi or openreview:
        found.append(Address("paper", arxiv=arxiv, doi=doi, openreview=openreview))
    return found
