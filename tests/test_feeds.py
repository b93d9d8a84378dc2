"""The feed of what is new and the calendar of the meetings."""

import datetime as dt
import random
from typing import Any
from xml.etree import ElementTree as ET

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.bibliography import one_line
from api.content import Content, read_content
from api.feeds import ATOM, FEED_LENGTH, atom, calendar, exports, fold
from api.records import Entry, Meeting
from tests.conftest import CONTENT, ROOT

BASE = "https://group.example.org"


def make_meeting(**fields: Any) -> Meeting:
    given = {"date": dt.date(2026, 3, 12), "body": "", "body_line": 1, **fields}
    given.setdefault("slug", str(given["date"]))
    return Meeting.model_validate({"path": f"docs/meetings/{given['slug']}.md", **given})


def make_entry(slug: str, **fields: Any) -> Entry:
    given = {
        "slug": slug,
        "path": f"docs/library/{slug}.md",
        "body": "What it *is*.\n",
        "body_line": 1,
        "title": "A title & more",
        "authors": ["Ada Lovelace"],
        "kind": "paper",
        "year": 2022,
        "url": "https://example.org/paper?a=1&b=2",
        "topics": ["circuits"],
        "added": dt.date(2026, 4, 1),
    }
    return Entry.model_validate(given | fields)


@pytest.fixture
def example() -> Content:
    """One reading, one meeting, one quiz."""
    return read_content(CONTENT / "docs", CONTENT / "executed")


@pytest.fixture(scope="module")
def library() -> Content:
    return read_content(ROOT / "docs", ROOT / "demos" / "executed")


# Atom --------------------------------------------------------------------------------------------


def texts(feed: bytes, path: str) -> list[str | None]:
    return [node.text for node in ET.fromstring(feed).findall(path, {"": ATOM})]


def test_the_feed_has_new_entries_and_meetings_newest_first(example):
    example.library = {"2022-lovelace-a": make_entry("2022-lovelace-a"), **example.library}

    feed = atom(example, BASE)

    # The entry of the example content does not say when it was added, so it is not new.
    assert texts(feed, "entry/id") == [
        "https://group.example.org/library/2022-lovelace-a/",
        "https://group.example.org/meetings/2026-03-12/",
    ]
    assert texts(feed, "entry/title") == [
        "A title & more (Ada Lovelace, 2022)",
        "Meeting of 2026-03-12: An example meeting",
    ]
    assert texts(feed, "entry/updated") == ["2026-04-01T00:00:00Z", "2026-03-12T00:00:00Z"]
    assert texts(feed, "entry/summary") == [
        "What it is.",
        "Readings: Interpretability in the Wild",
    ]
    assert texts(feed, "updated") == ["2026-04-01T00:00:00Z"]
    links = ET.fromstring(feed).findall("entry/link", {"": ATOM})
    assert [(node.get("rel"), node.get("href")) for node in links] == [
        ("alternate", "https://group.example.org/library/2022-lovelace-a/"),
        ("related", "https://example.org/paper?a=1&b=2"),
        ("alternate", "https://group.example.org/meetings/2026-03-12/"),
    ]


def test_a_feed_of_nothing_is_still_a_feed(tmp_path):
    feed = atom(Content(tmp_path), BASE)

    assert texts(feed, "updated") == ["1970-01-01T00:00:00Z"]
    assert texts(feed, "entry") == []


def test_a_long_feed_keeps_the_newest(tmp_path):
    first = dt.date(2020, 1, 1)
    slugs = [f"2020-e-{n}" for n in range(FEED_LENGTH + 1)]
    entries = {s: make_entry(s, added=first + dt.timedelta(n)) for n, s in enumerate(slugs)}

    found = texts(atom(Content(tmp_path, library=entries), BASE), "entry/id")

    assert found == [f"{BASE}/library/{slug}/" for slug in reversed(slugs[1:])]


@settings(deadline=None)  # the machine may be busy
@given(st.text(min_size=1, max_size=40).filter(one_line))
def test_any_title_is_well_formed_xml(title):
    content = Content(ROOT, library={"a": make_entry("a", title=title)})

    assert texts(atom(content, BASE), "entry/title") == [
        f"{one_line(title)} (Ada Lovelace, 2022)",
    ]


def test_every_part_that_atom_requires_is_there_once(library):
    feed = ET.fromstring(exports(library, BASE)["feed.atom"])

    required = ("id", "title", "updated")
    nodes = [feed, *feed.findall("entry", {"": ATOM})]
    assert len(nodes) > 1
    assert [n for n in nodes if any(len(n.findall(t, {"": ATOM})) != 1 for t in required)] == []
    ids = texts(ET.tostring(feed), "entry/id")
    assert len(set(ids)) == len(ids)


# iCalendar ---------------------------------------------------------------------------------------


def test_a_meeting_lasts_the_day_and_links_its_reading_and_quiz(example):
    [event] = icalendar.Calendar.from_ical(exports(example, BASE)["meetings.ics"]).walk("VEVENT")

    assert event["UID"] == "meeting-2026-03-12@group.example.org"
    assert event["SUMMARY"] == "An example meeting"
    assert event["DTSTART"].dt == dt.date(2026, 3, 12)
    assert event["DTSTAMP"].dt == dt.datetime(2026, 3, 12, tzinfo=dt.UTC)
    assert event["URL"] == "https://group.example.org/meetings/2026-03-12/"
    assert event["DESCRIPTION"] == (
        "Notes: https://group.example.org/meetings/2026-03-12/\n"
        "Read: Interpretability in the Wild (2022)"
        " https://group.example.org/library/2022-wang-ioi/\n"
        "Quiz: An example quiz, until 2026-03-12 16:00 UTC"
        " https://group.example.org/quizzes/example/"
    )
    assert event["CATEGORIES"].cats == ["circuits"]


def test_two_groups_that_meet_on_one_day_have_two_events(example):
    meetings = list(example.meetings.values())

    ours, theirs = (calendar(meetings, example, base) for base in (BASE, "https://other.example"))

    assert b"UID:meeting-2026-03-12@group.example.org\r\n" in ours
    assert b"UID:meeting-2026-03-12@other.example\r\n" in theirs


def test_each_meeting_has_a_calendar_of_its_own(example):
    later = make_meeting(date=dt.date(2026, 4, 9))
    example.meetings = {later.slug: later, **example.meetings}

    files = exports(example, BASE)

    events = {
        path: [str(event["DTSTART"].dt) for event in icalendar.Calendar.from_ical(text).events]
        for path, text in files.items()
        if path.endswith(".ics")
    }
    assert events == {
        "meetings.ics": ["2026-03-12", "2026-04-09"],
        "meetings/2026-03-12.ics": ["2026-03-12"],
        "meetings/2026-04-09.ics": ["2026-04-09"],
    }


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(one_line))
def test_any_title_survives_the_calendar(title):
    text = calendar([make_meeting(title=title)], Content(ROOT), BASE)

    [event] = icalendar.Calendar.from_ical(text).events
    assert event["SUMMARY"] == one_line(title)


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_a_folded_line_is_short_and_unfolds_to_itself(line):
    folded = fold(line)

    pieces = folded.removesuffix(b"\r\n").split(b"\r\n")
    assert max(map(len, pieces)) <= 75
    assert all(piece.decode() is not None for piece in pieces)  # no character is cut in two
    assert folded.replace(b"\r\n ", b"") == line.encode() + b"\r\n"


# Both --------------------------------------------------------------------------------------------


def test_exports_depend_on_the_content_alone(library):
    slugs = list(library.library)
    random.Random(0).shuffle(slugs)
    shuffled = Content(
        library.root,
        library={slug: library.library[slug] for slug in slugs},
        meetings=dict(reversed(library.meetings.items())),
        quizzes=library.quizzes,
        facts=library.facts,
    )

    assert exports(shuffled, f"{BASE}/") == exports(library, BASE)
