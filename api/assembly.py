"""A page of the site, put together: what stands above and below its text, and the lists in it.

Text and records in, HTML out. Nothing here knows the site generator.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from api import carrying, notebook_pages, pages, quiz_pages
from api.backlinks import Mentions
from api.content import Content
from api.entry_links import link_entries
from api.glossary import Glossary
from api.ledgers import DemoLedger, ledger_list
from api.map import library_map
from api.pages import Linker

GLOSSARY = "glossary.md"
LEDGERS = "demos/ledger.md"


@dataclass
class Parts:
    """Everything that pages show of each other."""

    content: Content
    glossary: Glossary
    today: dt.date
    demos: list[notebook_pages.Demo] = field(default_factory=list)
    ledgers: list[DemoLedger] = field(default_factory=list)
    mentions: Mentions = field(default_factory=dict)


def assemble(
    html: str, path: str, parts: Parts, linker: Linker, files: Linker
) -> tuple[str, str, str]:
    """A page's content with all that the site adds to it: what stands above, itself, and below.

    `linker` gives the addresses of pages, by source path; `files` those of what is no page.
    Raises pages.Broken for what cannot be shown.
    """
    folder, slug = _place(path)
    if path.endswith(".ipynb"):
        html = notebook_pages.notebook_page(html, f"{slug}.ipynb", path)
        return "", parts.glossary.link(html, linker(GLOSSARY)), ""
    html = notebook_pages.render_math(html, path)
    if folder == "meetings":
        html = link_entries(html, parts.content, linker)
    if folder in ("topics", "library", "meetings", "quizzes") and slug != "index":
        html = parts.glossary.link(html, linker(GLOSSARY))
    if not is_record(path, parts.content):
        filled = fill(html, parts, linker, files)
        # The headings of the ledgers belong to the page's table of contents.
        return ("", "", filled) if path == LEDGERS else ("", filled, "")
    head, foot = around(path, parts, linker, files)
    return head, html, foot


def _place(path: str) -> tuple[str, str]:
    return path.rpartition("/")[0], PurePosixPath(path).stem


def is_record(path: str, content: Content) -> bool:
    """Whether a page is that of a sound record: a topic, an entry, a meeting, a quiz."""
    folder, slug = _place(path)
    return slug in records(content).get(folder, {})


def records(content: Content) -> dict[str, dict[str, Any]]:
    return {
        "topics": content.topics,
        "library": content.library,
        "meetings": content.meetings,
        "quizzes": content.quizzes,
    }


def around(path: str, parts: Parts, linker: Linker, files: Linker) -> tuple[str, str]:
    """What stands above and below the text of a record, made of it and of other files."""
    content = parts.content
    folder, slug = _place(path)
    match folder:
        case "library":
            entry = content.library[slug]
            head = pages.entry_head(entry, content, linker) + pages.read_mark(slug)
            foot = pages.entry_foot(entry, content, parts.mentions.get(slug, []), linker)
            return head, foot + carrying.citation_links(slug, files)
        case "meetings":
            meeting = content.meetings[slug]
            head = pages.meeting_head(meeting, content, linker)
            head += carrying.meeting_links(meeting, files)
            return head, pages.meeting_foot(meeting)
        case "topics":
            return "", pages.topic_foot(content.topics[slug], content, linker)
        case _:
            return "", quiz_pages.quiz_form(content.quizzes[slug], content.facts)


def surroundings(parts: Parts) -> dict[str, str]:
    """What each record's page shows beside its own text, to see which a change has touched."""
    return {
        path: "".join(around(path, parts, str, str))
        for folder, found in records(parts.content).items()
        for path in (f"{folder}/{slug}.md" for slug in found)
    }


def fill(html: str, parts: Parts, linker: Linker, files: Linker) -> str:
    """Put the generated lists where a page asks for them: `<!-- home:meeting -->`."""
    content, demos = parts.content, parts.demos
    quiz = pages.newest_quiz(content)
    lists: dict[str, Callable[[], str]] = {
        "home:meeting": lambda: pages.home_meeting(content, parts.today, linker),
        "home:topics": lambda: pages.topic_cards(content, linker),
        "home:demos": lambda: pages.demo_cards(demos, linker),
        "home:quiz": lambda: pages.quiz_card(quiz, linker) if quiz else "",
        "list:library": lambda: pages.library_list(content, linker),
        "list:meetings": lambda: pages.meeting_list(content, linker),
        "list:quizzes": lambda: pages.quiz_list(content, linker),
        "list:ledgers": lambda: ledger_list(parts.ledgers, linker),
        "list:demos": lambda: pages.demo_cards(demos, linker),
        "links:library": lambda: carrying.citation_links("library", files),
        "links:group": lambda: carrying.group_links(files),
        "map:library": lambda: library_map(content.library, linker),
    }
    for name, make in lists.items():
        placeholder = f"<!-- {name} -->"
        if placeholder in html:
            html = html.replace(placeholder, make())
    return html
