"""What the site adds to a page: records and text in, Markdown or HTML out.

Nothing here knows the site generator, so that it can be replaced. Addresses of other pages are
given as source paths relative to the content folder (`library/2022-wang-ioi.md`); the caller
turns them into links with `Linker`.
"""

import re
from collections.abc import Callable, Iterable
from html import escape

from api.content import Content
from api.questions import Quiz
from api.records import Entry, Fact, Meeting, Topic

# From a source path to what stands in href on the page that is being made.
Linker = Callable[[str], str]


class Broken(Exception):
    """A page that cannot be made. The message begins with its path."""


def link(to: str, text: str, linker: Linker) -> str:
    return f'<a href="{escape(linker(to))}">{escape(text)}</a>'


# Facts -------------------------------------------------------------------------------------------

_FACT = re.compile(r"\{fact:(?P<name>[a-z0-9-]+)(?::(?P<form>[^}\s]+))?\}")


def insert_facts(markdown: str, facts: dict[str, Fact], path: str, linker: Linker) -> str:
    """Replace `{fact:NAME}` and `{fact:NAME:FORM}` by the measured value, linked to its notebook.

    FORM is `percent` or a format of Python's (`.1f`). Raises Broken for a fact that does not exist.
    """

    def insert(match: re.Match[str]) -> str:
        fact = facts.get(match["name"])
        if fact is None:
            raise Broken(f"{path}: no notebook records a fact {match['name']!r}")
        if fact.sealed:
            raise Broken(f"{path}: fact {match['name']!r} is the key of a question; leave it out")
        text = format_fact(fact, match["form"])
        return f'<a class="fact" href="{escape(linker(notebook_path(fact.notebook)))}">{text}</a>'

    # What stands in code is shown as it is: the documentation of this very notation, for one.
    parts = re.split(r"(```.*?```|`[^`\n]+`)", markdown, flags=re.DOTALL)
    return "".join(part if i % 2 else _FACT.sub(insert, part) for i, part in enumerate(parts))


def format_fact(fact: Fact, form: str | None) -> str:
    """The value as text: as many digits as its tolerance supports, or as `form` says."""
    if form == "percent":
        return f"{100 * fact.number:.3g} %"
    if form:
        return format(fact.value, form)
    if isinstance(fact.value, float):
        return f"{fact.value:.3g}"
    return escape(str(fact.value))


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


def entry_foot(entry: Entry, content: Content, linker: Linker) -> str:
    """What to read next: related entries and those that this one cites, as HTML."""
    parts = [
        ("Read next", [content.library[s] for s in entry.related if s in content.library]),
        (
            "Cites, in this library",
            [content.library[s] for s in entry.cites if s in content.library],
        ),
    ]
    return "".join(
        f"<h2>{title}</h2>{entry_list(entries, linker)}" for title, entries in parts if entries
    )


def entry_list(entries: Iterable[Entry], linker: Linker) -> str:
    items = "".join(
        f"<li>{link(f'library/{e.slug}.md', e.title, linker)}"
        f'<span class="byline">{escape(e.byline)}, {e.year} · {KINDS[e.kind].lower()}</span></li>'
        for e in entries
    )
    return f'<ul class="entries">{items}</ul>'


def library_list(content: Content, linker: Linker) -> str:
    """Every entry, by topic; an entry of two topics stands under both."""
    parts = []
    for topic in content.topics.values():
        entries = sorted(
            (e for e in content.library.values() if topic.slug in e.topics),
            key=lambda e: (e.year, e.title),
        )
        parts.append(f'<h2 id="{topic.slug}">{escape(topic.title)}</h2>')
        parts.append(entry_list(entries, linker))
    return "".join(parts)


def meeting_head(meeting: Meeting, content: Content, linker: Linker) -> str:
    """Readings and quizzes of a meeting, as HTML."""
    readings = [content.library[slug] for slug in meeting.readings if slug in content.library]
    head = f'<p class="byline"><time datetime="{meeting.date}">{meeting.date}</time></p>'
    if readings:
        head += f"<h2>Readings</h2>{entry_list(readings, linker)}"
    cards = "".join(quiz_card(quiz, linker) for quiz in content.quizzes_for(meeting.slug))
    return head + (f'<h2>Quiz</h2><div class="cards">{cards}</div>' if cards else "")


def meeting_foot(meeting: Meeting) -> str:
    """Where members write and read notes; the service fills it in."""
    return (
        '<h2 id="notes-of-members">Notes of members</h2>'
        f'<readout-notes data-meeting="{meeting.slug}"></readout-notes>'
        "<noscript><p>Reading and writing members' notes needs JavaScript.</p></noscript>"
    )


def meeting_list(content: Content, linker: Linker) -> str:
    meetings = sorted(content.meetings.values(), key=lambda m: m.date, reverse=True)
    return f'<div class="cards">{"".join(meeting_card(m, linker) for m in meetings)}</div>'


def topic_foot(topic: Topic, content: Content, linker: Linker) -> str:
    entries = [e for e in content.library.values() if topic.slug in e.topics]
    quizzes = [q for q in content.quizzes.values() if topic.slug in q.topics]
    cards = "".join(quiz_card(quiz, linker) for quiz in quizzes)
    foot = f'<div class="cards">{cards}</div>' if cards else ""
    return f"{foot}<h2>In the library</h2>{entry_list(entries, linker)}"


# Cards and lists ---------------------------------------------------------------------------------


def _card(to: str, title: str, text: str, linker: Linker, small: str = "") -> str:
    note = f'<p class="byline">{small}</p>' if small else ""
    return f'<article class="card"><h3>{link(to, title, linker)}</h3>{note}<p>{text}</p></article>'


def meeting_card(meeting: Meeting, linker: Linker) -> str:
    small = f'<time datetime="{meeting.date}">{meeting.date}</time>'
    readings = len(meeting.readings)
    text = f"{readings} reading{'s' if readings != 1 else ''}, notes and quiz"
    return _card(f"meetings/{meeting.slug}.md", meeting.name, text, linker, small)


def topic_cards(content: Content, linker: Linker) -> str:
    cards = "".join(topic_card(topic, linker) for topic in content.topics.values())
    return f'<div class="cards">{cards}</div>'


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
    return _card(f"quizzes/{quiz.slug}.md", quiz.title, text, linker, small)


def quiz_list(content: Content, linker: Linker) -> str:
    quizzes = sorted(content.quizzes.values(), key=lambda q: (q.kind, q.slug))
    return f'<div class="cards">{"".join(quiz_card(q, linker) for q in quizzes)}</div>'


def demo_card(slug: str, title: str, summary: str, linker: Linker) -> str:
    return _card(notebook_path(slug), title, escape(summary), linker)


def newest_quiz(content: Content) -> Quiz | None:
    """The quiz of the latest meeting that has one; what a reader should answer next."""
    for_meetings = [quiz for quiz in content.quizzes.values() if quiz.meeting]
    return max(for_meetings, key=lambda quiz: (str(quiz.meeting), quiz.slug), default=None)
