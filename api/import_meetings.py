"""The meetings of a note: where one begins, what belongs to it, what it reads."""

import datetime as dt
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path

from api.imports import Chunk, EntryFile, Key, MeetingFile
from api.leads import content_of, read_byline
from api.notefile import Block, Link, dated_line, find_date, plain
from api.places import Places, one_line, words


@dataclass(frozen=True)
class Known:
    """An entry that the library has already."""

    slug: str


Target = EntryFile | Known

BOLD, BULLET = 7, 8  # the levels of what heads a meeting without being a heading


class Meetings(Places, ABC):
    """The meetings that have been met with, and the one to which text is added."""

    def __init__(self, source: str, folder: str) -> None:
        super().__init__(source)
        self.folder = folder
        self.meetings: dict[dt.date, MeetingFile] = {}
        self.readings: dict[dt.date, list[Target]] = {}
        self.meeting: MeetingFile | None = None
        self.levels: list[int] = []  # of the meeting's heading and of those open below it

    @abstractmethod
    def _entry(self, link: Link, authors: list[str] | None = None) -> Target:
        """The entry of a link."""

    @abstractmethod
    def _leave_entry(self) -> None:
        """No more text belongs to an entry."""

    def name_meetings(self) -> list[MeetingFile]:
        for date, meeting in self.meetings.items():
            slugs = [
                reading.slug if isinstance(reading, Known) else Path(reading.path).stem
                for reading in self.readings.get(date, [])
            ]
            meeting.readings = list(dict.fromkeys(slugs))
        return list(self.meetings.values())

    def _dated(self, block: Block) -> bool:
        """Whether a meeting begins here without a heading: a date alone, in bold or in a bullet."""
        if self.levels == [BULLET] and self.meeting and block.depth < 2:
            self.meeting, self.levels = None, []
        bullet = block.kind == "item" and block.depth == 1 and block.first
        headed = self.meeting is not None and self.levels[0] < BOLD
        if headed or not (bullet or block.kind == "text"):
            return False
        start, end = content_of(self.source, block)
        try:
            text = dated_line(self.source[start:end])
            found = find_date(text) if text else None
        except ValueError:
            return False
        if not text or not found:
            return False
        self._leave_entry()
        heading = replace(block, start=start, end=end, level=BULLET if bullet else BOLD)
        self._open_meeting(heading, text, *found)
        return True

    def _open_meeting(self, block: Block, text: str, date: dt.date, typed: str) -> None:
        self.levels = [block.level]
        if meeting := self.meetings.get(date):
            self.meeting = meeting
            self._meeting_heading(meeting, block, text)
            return
        meeting = MeetingFile(date, f"{self.folder}/meetings/{date}.md")
        self.meeting = self.meetings[date] = meeting
        meeting.title = None if text == typed else plain(text)[:500] or None
        if words(meeting.title or str(date)) != words(text):
            meeting.comments["title" if meeting.title else "date"] = one_line(text)
        key = "title" if meeting.title else "date"
        self._field(meeting, key, block.start, block.end)
        self._read_at(meeting, block, key)

    def _meeting_heading(self, meeting: MeetingFile, block: Block, text: str) -> None:
        # A page's headings descend one step at a time, below its title.
        while len(self.levels) > 1 and self.levels[-1] >= block.level:
            self.levels.pop()
        if block.level > self.levels[0]:
            self.levels.append(block.level)
        if text:
            self._add(meeting, block, text, max(2, min(6, len(self.levels))))

    def _to_meeting(self, meeting: MeetingFile, block: Block) -> None:
        above = 1 if self.levels == [BULLET] else 0  # the level of the bullet with the date
        self._add(meeting, block, self._shown(block.start, block.end, block, above))

    def _add(self, meeting: MeetingFile, block: Block, text: str, level: int = 0) -> None:
        chunk = Chunk(block.start, block.end, text, block.kind, block.start, level)
        meeting.chunks.append(chunk)
        self._field(meeting, block.start, block.start, block.end)
        self._read_at(meeting, block, block.start)

    def _read_at(self, meeting: MeetingFile, block: Block, key: Key) -> None:
        """What a meeting links to are its readings; the words stay in the meeting."""
        for link in self._links(block):
            self._use(link, meeting, key)
            after, _ = read_byline(self.source, link.end, block.end)
            self.readings.setdefault(meeting.date, []).append(self._entry(link, after))
