"""Rules for the text of the pages: headings, sections, images, e-mail addresses, facts."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from api.check_links import Site
from api.content import Content
from api.markup import Problem
from api.note_files import DAMAGED, TWICE, find_damaged, read_blocks
from api.pages import Broken, format_fact
from api.questions import Quiz
from api.records import FORM, closest, nearest, short
from api.scan import FactUse, Page, plain_text, scan

SECTIONS = ("What it claims", "How they know", "What to doubt", "Try it", "To discuss")
MOST_HEADINGS = 500
Found = Iterator[tuple[int, str]]  # a line and a message


def check_pages(content: Content, pages: dict[str, Page], files: Iterable[str]) -> list[Problem]:
    """What is wrong with the text of the pages; every path is relative to the project."""
    site = Site(content, pages, files)
    problems = []
    noted: dict[str, str] = {}  # by the id of a member's note: the page where it stands
    for path, page in pages.items():
        rules: list[Found] = [
            _headings(path, page, content),
            _images(page),
            _active(page),
            _invisible(path, page, content),
            _addresses(path, page, content),
            _facts(page, content),
            site.check_links(path, page),
        ]
        if _folder(path) == "library" and path in content.documents:
            rules.append(_sections(page))
        if _folder(path) == "meetings":
            rules.append(_notes(path, page, noted))
        if _folder(path) != "quizzes":  # a question's id is judged among all questions
            rules.append(_ids(page))
        problems += [Problem(path, line, message) for rule in rules for line, message in rule]
    for quiz in content.to_judge(Quiz):
        problems += [Problem(quiz.path, line, text) for line, text in site.check_passages(quiz)]
    return problems


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.name


def _notes(path: str, page: Page, noted: dict[str, str]) -> Found:
    """Members' notes that the service could not take back from the file."""
    for mark in find_damaged(page.text):
        yield page.first_line + mark.line - 1, f"note {mark.note_id}: {DAMAGED}"
    for block in read_blocks(page.text):
        if other := noted.get(block.note_id):
            elsewhere = f"it stands in {other} too; keep it under the meeting that it is about"
            why = TWICE if other == path else elsewhere
            yield page.line(block.start), f"note {block.note_id}: {why}"
        noted.setdefault(block.note_id, path)


# Structure ---------------------------------------------------------------------------------------


def _headings(path: str, page: Page, content: Content) -> Found:
    if page.open_fence is not None:
        yield (
            page.line(page.open_fence),
            "code is opened and never closed; end it with the same ```",
        )
    titled = path in content.documents or (page.header is not None and "title" in page.header)
    level, first = (1, False) if titled else (0, True)
    for heading in page.headings[:MOST_HEADINGS]:
        line, marks = page.line(heading.at), "#" * heading.level
        name = short(heading.text)
        if not heading.spaced:
            yield line, f"`{marks}` without a space is no heading everywhere; write `{marks} Words`"
        if not heading.text:
            yield line, "a heading without words; write some, or remove the line"
        if heading.level == 1 and not first:
            reason = "the header has the title" if titled else "a page has one title"
            yield line, f"{name} is a second title, {reason}; write `## ...`, or remove it"
        elif heading.level > level + 1:
            right = "#" * (level + 1)
            yield line, f"{name} leaps from level {level} to {heading.level}; write `{right} ...`"
        level, first = max(heading.level, 1), False
    if len(page.headings) > MOST_HEADINGS:
        line = page.line(page.headings[MOST_HEADINGS].at)
        yield line, f"more than {MOST_HEADINGS} headings; split the page"


def _sections(page: Page) -> Found:
    """The five sections of a library entry, once it has any of them."""
    if page.open_fence is not None:
        return
    found = [(plain_text(h.text), page.line(h.at)) for h in page.headings if h.level == 2]
    if not any(name in SECTIONS or closest(name, SECTIONS, cutoff=0.8) for name, _ in found):
        return
    order = ", ".join(SECTIONS)
    lines: dict[str, int] = {}
    last, misspelt = -1, set()
    for name, line in found:
        if name not in SECTIONS:
            close = closest(name, SECTIONS)
            misspelt.update(close[:1])
            hint = f"did you mean {close[0]!r}?" if close else f"an entry has these: {order}"
            yield line, f"no section is named {short(name)}; {hint}"
            continue
        place = SECTIONS.index(name)
        if name in lines:
            yield line, f"section {name!r} stands on line {lines[name]} too; join the two"
        elif place < last:
            yield line, f"section {name!r} stands too late; the order is {order}"
        lines.setdefault(name, line)
        last = max(last, place)
    for place, name in enumerate(SECTIONS):
        if name not in lines and name not in misspelt:
            before = [lines[other] for other in SECTIONS[:place] if other in lines]
            line = max(before, default=page.first_line)
            where = f"after {SECTIONS[place - 1]!r}" if place else "as the first"
            yield line, f"no section {name!r}; add `## {name}` {where}"


def _ids(page: Page) -> Found:
    seen: dict[str, int] = {}
    for name, at in page.ids:
        line = page.line(at)
        if name in seen:
            yield line, f"id {short(name)} stands on line {seen[name]} too; give it another"
        seen.setdefault(name, line)


def _images(page: Page) -> Found:
    for link in page.links:
        if link.alt is not None and not link.alt.strip():
            at = page.line(link.at)
            yield at, "an image without alternative text; write ![what it shows](...)"


def _active(page: Page) -> Found:
    for name, at in page.active:
        yield page.line(at), f"{name} does more than show; take it out, and write Markdown"


# Control characters, and those that make a line read in another order than it is.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


def _invisible(path: str, page: Page, content: Content) -> Found:
    texts = [(page.text, page.line)]
    if document := content.documents.get(path):
        for where, value in _strings(document.header.values, ()):
            line = document.header.line(where)
            if "\n" in value:
                yield line, "a line break within the value; write it on one line"
            texts.append((value, lambda at, line=line: line))  # type: ignore[misc]
    for text, line_of in texts:
        # Most texts are printable, which is quickly known.
        if not text.replace("\n", "").isprintable():
            for found in _INVISIBLE.finditer(text):
                name = f"U+{ord(found[0]):04X}"
                yield line_of(found.start()), f"an invisible control character ({name}); remove it"


# E-mail addresses --------------------------------------------------------------------------------

_ADDRESS = re.compile(r"@(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?P<top>[A-Za-z]{2,24}))\b")
_LOCAL = re.compile(r"[\w.%+-]+\Z")
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.I
)
_COMMON = frozenset(
    {"com", "org", "net", "edu", "gov", "io", "ai", "dev", "info", "uk", "de", "fr"}
)


def _addresses(path: str, page: Page, content: Content) -> Found:
    """E-mail addresses, in the header too. In code `x@W.shape` is a product and no address."""
    for text, prose, line in _texts(path, page, content):
        for found in _ADDRESS.finditer(text) if "@" in text else ():
            at, host, top = found.start(), found["host"], found["top"].lower()
            local = _LOCAL.search(text, max(0, at - 64), at)
            in_code = prose[at] != "@"
            if not local or local[0] == "git" or _RESERVED.search(host):
                continue
            if in_code and top not in _COMMON:
                continue
            shown = f"{local[0][:1]}...@{host}"  # a log of the check is public as well
            yield line(at), f"an e-mail address ({shown}); remove it, or write name@example.org"


def _texts(
    path: str, page: Page, content: Content
) -> Iterator[tuple[str, str, Callable[[int], int]]]:
    yield page.text, page.prose, page.line
    document = content.documents.get(path)
    for where, value in _strings(document.header.values, ()) if document else ():
        if "@" not in value:
            continue
        line = document.header.line(where) if document else 1
        yield value, value, lambda at, line=line: line  # type: ignore[misc]


def _strings(
    value: object, where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*where, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*where, key))


# Facts -------------------------------------------------------------------------------------------


_ASKED = re.compile(r"\{\s*fact")  # most pages need no scan


def wrong_facts(content: Content) -> list[Problem]:
    """The facts of records that cannot be inserted: what keeps their pages from being built."""
    return [
        Problem(path, line, message)
        for path, document in content.documents.items()
        if _ASKED.search(document.body)
        for line, message in _facts(scan(document.body, document.body_line), content)
    ]


def _facts(page: Page, content: Content) -> Found:
    for use in page.facts:
        if message := _wrong_fact(use, content):
            yield page.line(use.at), message


def _wrong_fact(use: FactUse, content: Content) -> str | None:
    fact = content.facts.get(use.name)
    if fact is None:
        if not content.facts:
            advice = "run the notebooks with `make demos`"
            return f"no notebook records a fact {short(use.name)}; {advice}"
        return f"no notebook records a fact {short(use.name)}; {nearest(use.name, content.facts)}"
    if fact.sealed:
        return f"fact {short(use.name)} is the key of a question; leave it out"
    if use.form is None:
        return None
    form = f"{use.name}:{use.form}"
    advice = f"write {{fact:{use.name}}}, {{fact:{use.name}:percent}} or {{fact:{use.name}:.2f}}"
    if not use.form or not FORM.match(use.form):
        return f"{short(form)}: no known form; {advice}"
    try:
        format_fact(fact, use.form)
    except Broken:
        return f"{short(form)}: {short(fact.value)} cannot be written so; {advice}"
    return None
