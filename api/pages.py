"""What the site adds to a page: records and text in, Markdown or HTML out.

Nothing here knows the site generator, so that it can be replaced. Addresses of other pages are
given as source paths relative to the content folder (`library/2022-wang-ioi.md`); the caller
turns them into links with `Linker`. What the site lists, and nobody wrote, is kept out of the
search index by `data-search-exclude`.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from api.content import Content
from api.questions import Quiz
from api.records import Entry, Fact, Meeting, Topic
from api.scan import blank

if TYPE_CHECKING:
    from api.backlinks import Mention
    from api.notebook_pages import Demo

# From a source path to what stands in href on the page that is being made.
Linker = Callable[[str], str]


class Broken(Exception):
    """A page that cannot be made. The message begins with its path."""


def link(to: str, text: str, linker: Linker) -> str:
    return f'<a href="{escape(linker(to))}">{escape(text)}</a>'


def search_later(html: str, linker: Linker) -> str:
    """A page that fetches the search index when somebody searches, and not before."""
    script = f'<script src="{escape(linker("assets/search-later.js"))}"></script>'
    return into_head(html, script)


def into_head(html: str, tag: str) -> str:
    """A page with one more tag at the end of its head."""
    return html.replace("</head>", f"{tag}</head>", 1)


def heading(title: str, name: str) -> str:
    """A heading as the Markdown of a page makes it."""
    sign = f'<a class="headerlink" href="#{name}" title="Permanent link">&para;</a>'
    return f'<h2 id="{name}">{escape(title)}{sign}</h2>'


_HEADING = re.compile(r'<h2 id="(?P<id>[^"]+)">(?P<title>[^<]*)')


def headings(html: str) -> list[tuple[str, str]]:
    """Id and title (HTML) of each heading that the site made, for the table of contents."""
    return [(found["id"], found["title"]) for found in _HEADING.finditer(html)]


def _section(title: str, name: str, inside: str) -> str:
    return f"<section data-search-exclude>{heading(title, name)}{inside}</section>"


# Facts -------------------------------------------------------------------------------------------

_FACT = re.compile(r"\{fact:(?P<name>[a-z0-9-]+)(?::(?P<form>[^}\s]+))?\}")


def insert_facts(markdown: str, facts: dict[str, Fact], path: str, linker: Linker) -> str:
    """Replace `{fact:NAME}` and `{fact:NAME:FORM}` by the measured value, linked to its notebook.

    FORM is `percent` or a format of Python's (`.1f`). Raises Broken for a fact that does not exist.
    """

    if "{fact" not in markdown:
        return markdown

    def insert(match: re.Match[str]) -> str:
        fact = facts.get(match["name"])
        if fact is None:
            raise Broken(f"{path}: no notebook records a fact {match['name']!r}")
        if fact.sealed:
            raise Broken(f"{path}: fact {match['name']!r} is the key of a question; leave it out")
        text = format_fact(fact, match["form"])
        return f'<a class="fact" href="{escape(linker(notebook_path(fact.notebook)))}">{text}</a>'

    # What stands in code is shown as it is: the documentation of this very notation, for one.
    prose, _ = blank(markdown)
    parts, done = [], 0
    for match in _FACT.finditer(prose):
        parts += [markdown[done : match.start()], insert(match)]
        done = match.end()
    return "".join([*parts, markdown[done:]])


def format_fact(fact: Fact, form: str | None) -> str:
    """The value as text: as many digits as its tolerance supports, or as `form` says.

    Raises Broken for a form that is none, or not for this value.
    """
    try:
        return escape(fact.text(form))
    except (TypeError, ValueError) as error:
        raise Broken(f"{fact.value!r} cannot be written as {form!r}: {error}") from error


def notebook_path(slug: str) -> str:
    return f"demos/{slug}.ipynb"


# Library, meetings, topics -----------------------------------------------------------------------

KINDS = {"paper": "Paper", "talk": "Talk", "article": "Article", "tool": "Tool"}


def entry_head(entry: Entry, content: Content, linker: Linker) -> str:
    """The bibliographic record at the top of an entry, as HTML."""
    identifiers = [
        f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in _identifiers(entry)
    ]
    topics = [
        link(f"topics/{slug}.md", content.topics[slug].title, linker)
        for slug in entry.topics
        if slug in content.topics
    ]
    rows = [
        ("By", escape(", ".join(entry.authors))),
        (KINDS[entry.kind], escape(", ".join(str(p) for p in (entry.venue, entry.year) if p))),
        ("Where", f'<a href="{escape(entry.url)}">{escape(_host(entry.url))}</a>'),
        ("Also", ", ".join(identifiers)),
        ("Takes", f"about {entry.minutes} minutes" if entry.minutes else ""),
        ("Topics", ", ".join(topics)),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows if value)
    return f'<dl class="record">{cells}</dl>'


def _identifiers(entry: Entry) -> list[tuple[str, str]]:
    known = []
    if entry.arxiv:
        known.append((f"arXiv:{entry.arxiv}", f"https://arxiv.org/abs/{entry.arxiv}"))
    if entry.doi:
        known.append((f"doi:{entry.doi}", f"https://doi.org/{entry.doi}"))
    if entry.openreview:
        url = f"https://openreview.net/forum?id={entry.openreview}"
        known.append((f"OpenReview {entry.openreview}", url))
    return [(name, url) for name, url in known if url != entry.url]


def _host(url: str) -> str:
    return url.split("/")[2].removeprefix("www.")


def read_mark(slug: str) -> str:
    """Where a reader marks an entry as read; kept on the device, so it needs JavaScript."""
    return (
        f'<readout-read data-slug="{slug}" data-search-exclude><label class="read">'
        '<input type="checkbox" autocomplete="off"> I have read this</label></readout-read>'
    )


def entry_foot(
    entry: Entry, content: Content, mentions: Iterable["Mention"], linker: Linker
) -> str:
    """The quiz for which this is read, what to read next, what is cited, and who mentions it."""
    read_for = [m for m in content.meetings.values() if entry.slug in m.readings]
    quizzes = [quiz for meeting in read_for for quiz in content.quizzes_for(meeting.slug)]
    related = [content.library[slug] for slug in entry.related if slug in content.library]
    cited = [content.library[slug] for slug in entry.cites if slug in content.library]
    foot = ""
    if quizzes:
        cards = _cards(quiz_card(quiz, linker) for quiz in quizzes)
        foot += _section("Quiz", "quiz", cards)
    if related:
        foot += _section("Read next", "read-next", entry_list(related, linker))
    if cited:
        foot += _section(
            "Cites, in this library", "cites-in-this-library", entry_list(cited, linker)
        )
    if mentioned := mention_list(list(mentions), linker):
        foot += _section("Mentioned in", "mentioned-in", mentioned)
    return foot + members_notes("entry", entry.slug)


MOST_SHOWN = 12  # mentions; a work that hundreds cite keeps a short page


def mention_list(mentions: list["Mention"], linker: Linker) -> str:
    """Who mentions an entry; what is beyond a screenful is folded away."""

    def listed(some: list["Mention"]) -> str:
        items = "".join(
            f'<li>{link(m.path, m.title, linker)}<span class="byline">{escape(m.note)}</span></li>'
            for m in some
        )
        return f'<ul class="entries">{items}</ul>'

    shown, rest = mentions[:MOST_SHOWN], mentions[MOST_SHOWN:]
    html = listed(shown) if shown else ""
    if rest:
        html += f"<details><summary>{len(rest)} more</summary>{listed(rest)}</details>"
    return html


def entry_list(entries: Iterable[Entry], linker: Linker) -> str:
    items = "".join(
        f"<li>{link(f'library/{e.slug}.md', e.title, linker)}"
        f'<span class="byline">{escape(e.byline)}, {e.year} · {KINDS[e.kind].lower()}</span></li>'
        for e in entries
    )
    return f'<ul class="entries">{items}</ul>'


def library_list(content: Content, linker: Linker) -> str:
    """Every entry once, the newest year first, under a form that `<readout-library>` makes work."""
    entries = sorted(content.library.values(), key=lambda e: (-e.year, e.title.lower()))
    years = [(year, list(group)) for year, group in groupby(entries, key=lambda e: e.year)]
    sections = "".join(
        f'<section><h2 id="y{year}">{year}</h2><ul class="entries">'
        f"{''.join(_library_item(entry, content, linker) for entry in group)}</ul></section>"
        for year, group in years
    )
    n = len(entries)
    return (
        f"<readout-library data-search-exclude>{_library_form(content, [y for y, _ in years])}"
        f'<p role="status">{n} {"entry" if n == 1 else "entries"}</p>{sections}</readout-library>'
    )


def _library_item(entry: Entry, content: Content, linker: Linker) -> str:
    """An entry in the list. Attributes are what the text does not say, or not in this form."""
    topics = [content.topics[slug].title for slug in entry.topics if slug in content.topics]
    about = [entry.byline, KINDS[entry.kind].lower()]
    if entry.minutes:
        about.append(f"{entry.minutes} minutes")
    others = entry.authors[1:] if entry.byline.endswith("et al.") else []
    authors = f' data-authors="{escape(", ".join(others))}"' if others else ""
    labels = "".join(f'<span class="label">{escape(topic)}</span>' for topic in topics)
    return (
        f'<li data-slug="{entry.slug}" data-kind="{entry.kind}" data-year="{entry.year}"'
        f' data-topics="{" ".join(entry.topics)}"{authors}>'
        f"{link(f'library/{entry.slug}.md', entry.title, linker)}"
        f'<span class="byline">{escape(" · ".join(about))} {labels}</span>'
        '<label class="read"><input type="checkbox" autocomplete="off"> read</label></li>'
    )


def _library_form(content: Content, years: Iterable[int]) -> str:
    topics = {topic.slug: topic.title for topic in content.topics.values()}
    used = {entry.kind for entry in content.library.values()}
    kinds: dict[str, str] = {kind: title for kind, title in KINDS.items() if kind in used}
    return (
        '<form class="finder" role="search" aria-label="Library">'
        '<label class="wide">Words <input type="search" name="text" autocomplete="off"></label>'
        f"{_choice('Topic', 'topic', topics)}{_choice('Kind', 'kind', kinds)}"
        f"{_choice('Year', 'year', {str(year): str(year) for year in years})}"
        f"{_choice('Read', 'read', {'no': 'not yet', 'yes': 'read'})}"
        '<button type="reset" class="md-button">Show all</button></form>'
    )


def _choice(label: str, name: str, choices: dict[str, str]) -> str:
    options = "".join(
        f'<option value="{value}">{escape(text)}</option>' for value, text in choices.items()
    )
    return (
        f'<label>{label} <select name="{name}" autocomplete="off">'
        f'<option value="">any</option>{options}</select></label>'
    )


def meeting_head(meeting: Meeting, content: Content, linker: Linker) -> str:
    """Readings and quizzes of a meeting, as HTML."""
    readings = [content.library[slug] for slug in meeting.readings if slug in content.library]
    head = f'<p class="byline"><time datetime="{meeting.date}">{meeting.date}</time></p>'
    if readings:
        head += _section("Readings", "readings", entry_list(readings, linker))
    cards = [quiz_card(quiz, linker) for quiz in content.quizzes_for(meeting.slug)]
    return head + (_section("Quiz", "quiz", _cards(cards)) if cards else "")


def meeting_foot(meeting: Meeting) -> str:
    """Where members write and read notes; the service fills it in."""
    return members_notes("meeting", meeting.slug)


def members_notes(kind: str, slug: str) -> str:
    return (
        f"<div data-search-exclude>{heading('Notes of members', 'notes-of-members')}"
        f'<readout-notes data-{kind}="{slug}">'
        "<p>What members wrote stands here while the service can be reached; "
        "it needs JavaScript.</p></readout-notes></div>"
    )


def meeting_list(content: Content, linker: Linker) -> str:
    meetings = sorted(content.meetings.values(), key=lambda m: m.date, reverse=True)
    return _cards(meeting_card(meeting, linker) for meeting in meetings)


def topic_foot(topic: Topic, content: Content, linker: Linker) -> str:
    entries = [e for e in content.library.values() if topic.slug in e.topics]
    quizzes = [q for q in content.quizzes.values() if topic.slug in q.topics]
    cards = _cards(quiz_card(quiz, linker) for quiz in quizzes) if quizzes else ""
    return cards + _section("In the library", "in-the-library", entry_list(entries, linker))


# Cards and lists ---------------------------------------------------------------------------------


def _cards(cards: Iterable[str]) -> str:
    return f'<div class="cards" data-search-exclude>{"".join(cards)}</div>'


def _card(to: str, title: str, text: str, linker: Linker, small: str = "") -> str:
    note = f'<p class="byline">{small}</p>' if small else ""
    return f'<article class="card"><h3>{link(to, title, linker)}</h3>{note}<p>{text}</p></article>'


def meeting_card(meeting: Meeting, linker: Linker) -> str:
    small = f'<time datetime="{meeting.date}">{meeting.date}</time>'
    readings = len(meeting.readings)
    text = f"{readings} reading{'s' if readings != 1 else ''}, notes and quiz"
    return _card(f"meetings/{meeting.slug}.md", meeting.name, text, linker, small)


def topic_cards(content: Content, linker: Linker) -> str:
    return _cards(topic_card(topic, linker) for topic in content.topics.values())


def topic_card(topic: Topic, linker: Linker) -> str:
    return _card(f"topics/{topic.slug}.md", topic.title, escape(topic.summary), linker)


def quiz_card(quiz: Quiz, linker: Linker) -> str:
    n = len(quiz.questions)
    text = f"{n} question{'s' if n != 1 else ''}"
    if quiz.minutes:
        text += f", about {quiz.minutes} minutes"
    if quiz.kind == "self-check":
        small = "Check yourself, at any time"
    elif quiz.closes_at:
        small = (
            f"For the meeting of {quiz.meeting}, closes "
            f'<time datetime="{quiz.closes_at.isoformat()}">'
            f"{quiz.closes_at:%Y-%m-%d %H:%M} UTC</time>"
        )
    else:
        small = f"For the meeting of {quiz.meeting}"
    if quiz.kind == "meeting":
        text += f'<readout-answered data-slug="{quiz.slug}"></readout-answered>'
    return _card(f"quizzes/{quiz.slug}.md", quiz.title, text, linker, small)


def quiz_list(content: Content, linker: Linker) -> str:
    quizzes = sorted(content.quizzes.values(), key=lambda q: (q.kind, q.slug))
    return _cards(quiz_card(quiz, linker) for quiz in quizzes)


def demo_cards(demos: Iterable["Demo"], linker: Linker) -> str:
    return _cards(_card(notebook_path(d.slug), d.title, escape(d.summary), linker) for d in demos)


def home_meeting(content: Content, today: dt.date, linker: Linker) -> str:
    """The next meeting, or the last one where none is ahead, under a heading that says which."""
    meeting = content.next_meeting(today)
    if meeting is None:
        return "<p>No meeting is recorded yet.</p>"
    title = "Next meeting" if meeting.date >= today else "Latest meeting"
    return heading(title, "meeting") + _cards([meeting_card(meeting, linker)])


def newest_quiz(content: Content) -> Quiz | None:
    """The quiz of the latest meeting that has one; what a reader should answer next."""
    for_meetings = [quiz for quiz in content.quizzes.values() if quiz.meeting]
    return max(for_meetings, key=lambda quiz: (str(quiz.meeting), quiz.slug), default=None)
