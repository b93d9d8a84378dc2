"""What a member can subscribe to: an Atom feed of what is new, a calendar of the meetings.

Dates come from the content and never from the clock, so equal content gives equal bytes.
"""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from api.bibliography import abstract, one_line
from api.content import Content
from api.records import Entry, Meeting

ATOM = "http://www.w3.org/2005/Atom"
FEED_LENGTH = 100  # the newest; a reader fetches the whole file each time
NAME = "Readout"


def exports(content: Content, base_url: str) -> dict[str, str | bytes]:
    """The feed, the calendar, and a calendar of each single meeting, by their paths on the site."""
    base = base_url.rstrip("/")
    meetings = sorted(content.meetings.values(), key=lambda meeting: meeting.date)
    files: dict[str, str | bytes] = {
        "feed.atom": atom(content, base),
        "meetings.ics": calendar(meetings, content, base),
    }
    for meeting in meetings:
        files[f"meetings/{meeting.slug}.ics"] = calendar([meeting], content, base)
    return files


# Atom --------------------------------------------------------------------------------------------


class Item(NamedTuple):
    date: dt.date
    url: str  # its identity as well
    title: str
    summary: str
    topics: list[str]
    about: str | None = None  # the address of the work itself


def atom(content: Content, base: str) -> bytes:
    """Entries by the day they were added and meetings by their day, newest first (RFC 4287)."""
    dated: list[tuple[dt.date, Entry | Meeting]] = [
        *((entry.added, entry) for entry in content.library.values() if entry.added),
        *((meeting.date, meeting) for meeting in content.meetings.values()),
    ]
    dated.sort(key=lambda pair: (-pair[0].toordinal(), pair[1].path))
    items = [_item(record, content, base) for _, record in dated[:FEED_LENGTH]]
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": "en"})
    _put(feed, "title", NAME)
    _put(feed, "id", f"{base}/")
    _put(feed, "updated", _moment(items[0].date if items else dt.date(1970, 1, 1)))
    _put(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feed.atom")
    _put(feed, "link", rel="alternate", type="text/html", href=f"{base}/")
    _put(_put(feed, "author"), "name", NAME)
    for item in items:
        _put_item(feed, item)
    ET.indent(feed)
    return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True)) + b"\n"


def _item(record: Entry | Meeting, content: Content, base: str) -> Item:
    if isinstance(record, Meeting):
        titles = "; ".join(one_line(entry.title) for entry in _readings(record, content))
        return Item(
            record.date,
            _meeting_url(record, base),
            f"Meeting of {record.date}" + (f": {one_line(record.title)}" if record.title else ""),
            f"Readings: {titles}" if titles else "No readings.",
            record.topics,
        )
    assert record.added
    return Item(
        record.added,
        _entry_url(record, base),
        f"{one_line(record.title)} ({one_line(record.byline)}, {record.year})",
        abstract(record, content.facts),
        record.topics,
        record.url,
    )


def _put_item(feed: ET.Element, item: Item) -> None:
    entry = _put(feed, "entry")
    _put(entry, "title", item.title)
    _put(entry, "id", item.url)
    _put(entry, "updated", _moment(item.date))
    _put(entry, "link", rel="alternate", type="text/html", href=item.url)
    if item.about:
        _put(entry, "link", rel="related", href=item.about)
    for topic in item.topics:
        _put(entry, "category", term=topic)
    _put(entry, "summary", item.summary)


def _put(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    child.text = text
    return child


def _moment(date: dt.date) -> str:
    return f"{date}T00:00:00Z"


def _entry_url(entry: Entry, base: str) -> str:
    return f"{base}/library/{entry.slug}/"


def _meeting_url(meeting: Meeting, base: str) -> str:
    return f"{base}/meetings/{meeting.slug}/"


def _readings(meeting: Meeting, content: Content) -> list[Entry]:
    return [content.library[slug] for slug in meeting.readings if slug in content.library]


# iCalendar ---------------------------------------------------------------------------------------


def calendar(meetings: Iterable[Meeting], content: Content, base: str) -> bytes:
    """The meetings as events that last the day, since only the day is known (RFC 5545)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{NAME}//Meetings//EN"]
    lines += [f"NAME:{NAME} meetings", f"X-WR-CALNAME:{NAME} meetings"]
    for meeting in meetings:
        lines += _event(meeting, content, base)
    lines.append("END:VCALENDAR")
    return b"".join(fold(line) for line in lines)


def _event(meeting: Meeting, content: Content, base: str) -> list[str]:
    host = urlsplit(base).hostname or "localhost"
    url = _meeting_url(meeting, base)
    day = meeting.date.isoformat().replace("-", "")
    lines = [
        "BEGIN:VEVENT",
        # Two groups may meet on the same day; the host tells their events apart.
        f"UID:meeting-{meeting.date}@{host}",
        f"DTSTAMP:{day}T000000Z",
        f"DTSTART;VALUE=DATE:{day}",
        f"SUMMARY:{escape_text(one_line(meeting.name))}",
        f"DESCRIPTION:{escape_text(_description(meeting, content, base))}",
        f"URL:{url}",
        "TRANSP:TRANSPARENT",  # nobody is busy all day
    ]
    if meeting.topics:
        lines.append(f"CATEGORIES:{','.join(escape_text(topic) for topic in meeting.topics)}")
    return [*lines, "END:VEVENT"]


def _description(meeting: Meeting, content: Content, base: str) -> str:
    lines = [f"Notes: {_meeting_url(meeting, base)}"]
    for entry in _readings(meeting, content):
        lines.append(f"Read: {one_line(entry.title)} ({entry.year}) {_entry_url(entry, base)}")
    for quiz in content.quizzes_for(meeting.slug):
        until = f", until {quiz.closes_at:%Y-%m-%d %H:%M} UTC" if quiz.closes_at else ""
        lines.append(f"Quiz: {one_line(quiz.title)}{until} {base}/quizzes/{quiz.slug}/")
    return "\n".join(lines)


def escape_text(text: str) -> str:
    """A value of type TEXT (RFC 5545, section 3.3.11)."""
    for character in "\\;,":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", "\\n")


def fold(line: str) -> bytes:
    """A content line in pieces of at most 75 octets (section 3.1), no character cut in two."""
    folded, length = bytearray(), 0
    for character in line:
        octets = character.encode()
        if length + len(octets) > 75:
            folded += b"\r\n "
            length = 1
        folded += octets
        length += len(octets)
    return bytes(folded) + b"\r\n"
