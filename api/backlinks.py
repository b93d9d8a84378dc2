"""What speaks of a library entry: topics, meetings, demos, quizzes and other entries."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from api.content import Content
from api.notebook_pages import Demo
from api.pages import notebook_path
from api.questions import Quiz
from api.scan import scan


class Mention(NamedTuple):
    """A page that speaks of an entry. Sorts as it is shown: topics first, entries last."""

    order: int
    title: str
    path: str
    note: str  # what kind of page it is


Mentions = Mapping[str, list[Mention]]

_ARXIV = re.compile(r"\b\d{4}\.\d{4,5}\b")
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;]+")


def find_mentions(content: Content, demos: Iterable[Demo]) -> Mentions:
    """Who mentions each entry, by its slug.

    Of a quiz no question is named: where its answer stands would tell half of the answer.
    """
    found: dict[str, set[Mention]] = defaultdict(set)
    for mention, slugs in _pages(content, demos):
        for slug in slugs:
            if mention.path != _path(slug):
                found[slug].add(mention)
    return {slug: sorted(mentions) for slug, mentions in found.items()}


def _pages(content: Content, demos: Iterable[Demo]) -> Iterator[tuple[Mention, set[str]]]:
    library = content.library
    for topic in content.topics.values():
        path = f"topics/{topic.slug}.md"
        yield Mention(0, topic.title, path, "topic"), _linked(topic.body, path, content)
    for meeting in content.meetings.values():
        path = f"meetings/{meeting.slug}.md"
        linked = _linked(meeting.body, path, content) | {*meeting.readings} & library.keys()
        yield Mention(1, meeting.name, path, f"meeting of {meeting.date}"), linked
    for demo in demos:
        path = notebook_path(demo.slug)
        yield Mention(2, demo.title, path, "demo"), _linked(demo.text, path, content)
    by_id = {e.arxiv: e.slug for e in library.values() if e.arxiv}
    by_id |= {e.doi.lower(): e.slug for e in library.values() if e.doi}
    for quiz in content.quizzes.values():
        path = f"quizzes/{quiz.slug}.md"
        yield Mention(3, quiz.title, path, "quiz"), _tested(quiz, path, by_id, content)
    for entry in library.values():
        linked = {*entry.cites, *entry.related} & library.keys()
        note = f"{entry.byline}, {entry.year} · {entry.kind}"
        mention = Mention(4, entry.title, _path(entry.slug), note)
        yield mention, linked | _linked(entry.body, mention.path, content)


def _path(slug: str) -> str:
    return f"library/{slug}.md"


def _linked(text: str, path: str, content: Content) -> set[str]:
    """The entries to which a page's prose links."""
    return _entries(_targets(text), path, content)


@lru_cache(maxsize=10_000)  # a preview asks after each change, and nearly all texts are the same
def _targets(text: str) -> list[str]:
    return [link.target for link in scan(text).links]


def _entries(targets: Iterable[str], path: str, content: Content) -> set[str]:
    slugs = set()
    for target in targets:
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target.split("#")[0]))
        # A notebook stands beside the content folder and not in it.
        folder, _, file_name = file.removeprefix(f"{content.folder.name}/").rpartition("/")
        if folder == "library" and file_name.removesuffix(".md") in content.library:
            slugs.add(file_name.removesuffix(".md"))
    return slugs


def _tested(quiz: Quiz, path: str, by_id: Mapping[str, str], content: Content) -> set[str]:
    """The entries that a quiz rests on: by link, by the passage it tests, by its source."""
    found = _linked(quiz.intro, path, content)
    for question in quiz.questions:
        found |= _linked(question.stem, path, content)
        found |= _entries(filter(None, [question.anchor]), path, content)
        named = _ARXIV.findall(question.source)
        named += [doi.lower().rstrip(".)") for doi in _DOI.findall(question.source)]
        found |= {by_id[name] for name in named if name in by_id}
    return found
