"""A meeting's packet: one page to print, with agenda, readings, questions and room for notes.

The page stands alone. It has its own small style, no script, and asks nobody else for anything.
"""

import posixpath
import re
from collections.abc import Callable
from functools import cache
from html import escape, unescape

import markdown
from markdown_it import MarkdownIt

from api import policy
from api.bibliography import plain_text
from api.content import Content
from api.notebook_pages import render_math
from api.pages import insert_facts
from api.questions import Question, Quiz
from api.records import Entry, Meeting
from api.render import render, render_inline

# From a source path (`library/x.md#anchor`) to what stands in href on the packet.
Linker = Callable[[str], str]


Made = dict[str, str]  # readings as HTML, by slug: all packets stand equally deep


def exports(content: Content, base_url: str) -> dict[str, str | bytes]:
    """The packet of each meeting, by its path on the site. Its links are relative."""
    made: Made = {}
    return {
        f"{packet_url(meeting)}index.html": packet(
            meeting, content, linker(packet_url(meeting)), made
        )
        for meeting in content.meetings.values()
    }


def packet_url(meeting: Meeting) -> str:
    """The packet's address on the site."""
    return f"meetings/{meeting.slug}/packet/"


def linker(url: str) -> Linker:
    """Relative addresses of other pages, as seen from the page at `url`."""

    def address(source: str) -> str:
        path, mark, anchor = source.partition("#")
        # On a code host a link to a notebook leads to its executed copy.
        path = path.replace("../demos/executed/", "demos/")
        folder, name = posixpath.split(path)
        stem, ending = posixpath.splitext(name)
        if ending not in (".md", ".ipynb"):
            return posixpath.relpath(path, url) + mark + anchor
        page = folder if stem == "index" else posixpath.join(folder, stem)
        return f"{posixpath.relpath(page or '.', url)}/{mark}{anchor}"

    return address


def packet(meeting: Meeting, content: Content, linker: Linker, made: Made | None = None) -> str:
    """The whole page as HTML. Of the quizzes it says nothing that tells an answer.

    Raises pages.Broken where a reading names a fact that no notebook records.
    """
    readings = [content.library[slug] for slug in meeting.readings if slug in content.library]
    parts = [
        _head(meeting, linker),
        _agenda(meeting),
        *(
            _reading(number, entry, content, linker, {} if made is None else made)
            for number, entry in enumerate(readings, 1)
        ),
        *(_quiz(quiz, linker) for quiz in content.quizzes_for(meeting.slug)),
        f"<section><h2>Notes</h2>{_SPACE * 3}</section>",
    ]
    title = escape(f"{meeting.name}: packet")
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="icon" href="{linker("assets/mark.svg")}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )
    return policy.with_policy(html, policy.NO_SCRIPT)


# A box to write into, on paper.
_SPACE = '<div class="space"></div>'

STYLE = """
:root { color-scheme: light dark; }
a { color: inherit; }
body { margin: 0 auto; padding: 1rem; max-width: 42rem; font: 1rem/1.5 Georgia, serif; }
h1, h2, h3 { line-height: 1.25; break-after: avoid; }
.record { margin-top: -0.5rem; overflow-wrap: anywhere; }
.options { list-style: none; padding-left: 0; }
.options > li { padding-left: 1.75rem; text-indent: -1.75rem; }
.box { display: inline-block; width: 0.8rem; height: 0.8rem; margin-right: 0.9rem;
  border: 1px solid; text-indent: 0; vertical-align: -0.1rem; }
.blank { display: inline-block; min-width: 8rem; border-bottom: 1px solid; }
.space { height: 5rem; border: 1px solid; border-top-style: dotted; break-inside: avoid; }
.question, .options > li, .discuss li { break-inside: avoid; }
pre { white-space: pre-wrap; }
@media print {
  :root { color-scheme: light; }
  @page { margin: 2cm; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  a { text-decoration: none; }
  .reading + .reading, .quiz { border-top: 1px solid; }
}
"""


def _head(meeting: Meeting, linker: Linker) -> str:
    page = escape(linker(f"meetings/{meeting.slug}.md"))
    return (
        f'<h1>{escape(meeting.name)}</h1>\n<p><time datetime="{meeting.date}">{meeting.date}</time>'
        f', <a href="{page}">the meeting\'s page</a></p>'
    )


# Agenda ------------------------------------------------------------------------------------------


@cache
def _blocks() -> MarkdownIt:
    """Where headings and paragraphs stand; what is in them is not looked at."""
    return MarkdownIt("commonmark").disable(["inline", "text_join"])


def sections(body: str) -> list[tuple[str, str]]:
    """The sections of a text: heading as plain text, and the Markdown below it."""
    lines = body.split("\n")
    tokens = _blocks().parse(body)
    heads = [
        (token.map, plain_text(tokens[index + 1].content))
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and token.level == 0 and token.map
    ]
    ends = [*(where[0] for where, _ in heads), len(lines)][1:]
    return [
        (title, "\n".join(lines[where[1] : end]).strip())
        for (where, title), end in zip(heads, ends, strict=True)
    ]


def _agenda(meeting: Meeting) -> str:
    titles = [title for title, _ in sections(meeting.body)]
    items = "".join(f"<li>{escape(title)}</li>" for title in titles)
    return f"<section><h2>Agenda</h2><ol>{items}</ol></section>" if items else ""


# Readings ----------------------------------------------------------------------------------------


def _reading(number: int, entry: Entry, content: Content, linker: Linker, made: Made) -> str:
    if entry.slug not in made:
        made[entry.slug] = _reading_body(entry, content, linker)
    page = escape(linker(f"library/{entry.slug}.md"))
    title = f'<h2>{number}. <a href="{page}">{escape(entry.title)}</a></h2>'
    return f'<section class="reading">{title}{made[entry.slug]}</section>'


def _reading_body(entry: Entry, content: Content, linker: Linker) -> str:
    record = [escape(", ".join(entry.authors)), str(entry.year)]
    if entry.minutes:
        record.append(f"about {entry.minutes} minutes")
    discuss = dict(sections(entry.body)).get("To discuss")
    parts = [
        f'<p class="record">{", ".join(record)}<br>{escape(entry.url)}</p>',
        to_html(_first_paragraph(entry.body), entry, content, linker),
    ]
    if discuss:
        html = to_html(discuss, entry, content, linker)
        parts.append(f'<h3>To discuss</h3><div class="discuss">{html}</div>{_SPACE}')
    return "".join(parts)


def _first_paragraph(body: str) -> str:
    """The Markdown of the first paragraph; `bibliography.abstract` is the same as plain text."""
    for token in _blocks().parse(body):
        if token.type == "paragraph_open" and token.level == 0 and token.map:
            return "\n".join(body.split("\n")[slice(*token.map)])
    return ""


@cache
def _markdown() -> markdown.Markdown:
    return markdown.Markdown(
        extensions=["admonition", "fenced_code", "md_in_html", "tables", "pymdownx.arithmatex"],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )


def to_html(text: str, entry: Entry, content: Content, linker: Linker) -> str:
    """Markdown of an entry as the site shows it: facts, formulas, links that hold here."""
    text = insert_facts(text, content.facts, entry.path, lambda path: f"../{path}")
    html = _markdown().reset().convert(text)

    def to_page(match: re.Match[str]) -> str:
        address = unescape(match["address"])
        if re.match(r"[a-z][a-z0-9+.-]*:|//|/", address, re.I):
            return match[0]
        if address.startswith("#"):
            address = f"{entry.slug}.md{address}"
        target = linker(posixpath.normpath(posixpath.join("library", address)))
        return f'{match["attribute"]}="{escape(target)}"'

    html = re.sub(r'\b(?P<attribute>href|src)="(?P<address>[^"]*)"', to_page, html)
    return render_math(html, entry.path)


# Quizzes -----------------------------------------------------------------------------------------


def _quiz(quiz: Quiz, linker: Linker) -> str:
    page = escape(linker(f"quizzes/{quiz.slug}.md"))
    until = ""
    if quiz.closes_at:
        moment = quiz.closes_at.isoformat()
        until = (
            f'<p>Answers count until <time datetime="{moment}">'
            f"{quiz.closes_at:%Y-%m-%d %H:%M} UTC</time>.</p>"
        )
    questions = "".join(
        f'<div class="question"><h3>Question {number}</h3>{render(question.stem)}'
        f"{_controls(question)}</div>"
        for number, question in enumerate(quiz.questions, 1)
    )
    title = f'<h2>Quiz: <a href="{page}">{escape(quiz.title)}</a></h2>'
    return f'<section class="quiz">{title}{until}{questions}</section>'


_BOX = '<span class="box"></span>'
_BLANK = '<span class="blank">&nbsp;</span>'


def _controls(question: Question) -> str:
    """What to mark or fill in with a pen; the options in the order that the site shows."""
    options = [render_inline(option.text) for option in question.offered]
    match question.type:
        case "single" | "multiple":
            ask = "Mark one." if question.type == "single" else "Mark all that are right."
            return f"<p>{ask}</p>{_options(options)}"
        case "number":
            return f"<p>Your number: {_BLANK} {escape(question.unit or '')}</p>"
        case "text":
            return f"<p>Your answer: {_BLANK}</p>"
        case "order":
            return f"<p>Number them in the right order.</p>{_options(options)}"
        case _:
            letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            choices = "".join(
                f"<li>{letters[i % 26]}: {escape(text)}</li>"
                for i, text in enumerate(question.matches)
            )
            return (
                "<p>Write the right letter into each box.</p>"
                f'{_options(options)}<ul class="options choices">{choices}</ul>'
            )


def _options(options: list[str]) -> str:
    items = "".join(f"<li>{_BOX}{option}</li>" for option in options)
    return f'<ul class="options">{items}</ul>'
