"""Rules for the headers: names that must exist, things that must not stand twice."""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from urllib.parse import urlsplit

from api import keys
from api.addresses import read_address, work_names
from api.check_links import demo_slugs
from api.content import Content
from api.grading import NoKey, find_key, plain
from api.markup import Problem
from api.questions import FactKey, Question, Quiz
from api.records import SLUG, Entry, Fact, Meeting, nearest, short

Found = Iterator[Problem]
Known = dict[str, set[str]]  # by kind: the names that a header may use


def check_records(content: Content, files: Iterable[str]) -> list[Problem]:
    """What is wrong with the headers of the content, taken one by one and together."""
    known = _known(content, files)
    problems = [*_names(content), *_twice(content), *_question_ids(content)]
    for entry in content.to_judge(Entry):
        problems += _entry(content, entry, known)
    for meeting in content.to_judge(Meeting):
        problems += _meeting(content, meeting, known)
    for quiz in content.to_judge(Quiz):
        problems += _quiz(content, quiz, known)
    return problems


def _known(content: Content, files: Iterable[str]) -> Known:
    """The names of all files, of those too whose own mistakes keep them from being read."""
    known: Known = {"demos": demo_slugs(content), "library": set(), "meetings": set()}
    known["topics"] = set()
    for path in files:
        _, folder, *name = path.split("/") if path.count("/") == 2 else ("", "")
        if folder in known and name and name[0].endswith(".md") and name[0] != "index.md":
            known[folder].add(name[0].removesuffix(".md"))
    return known


def _names(content: Content) -> Found:
    """File names, of files too whose header is wrong."""
    for path in content.documents:
        *_, folder, name = path.split("/")
        slug = name.removesuffix(".md")
        if folder == "meetings":
            meeting = content.salvaged.get(path)
            if isinstance(meeting, Meeting) and not meeting.date and not _DAY.fullmatch(slug):
                yield Problem(path, 1, "the file is not named by its day; name it 2026-03-12.md")
            continue
        if (folder, slug) == ("library", "library"):
            yield Problem(path, 1, "the name of the whole library; give the entry another")
        if not re.fullmatch(SLUG, slug):
            better = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-") or "2022-wang-ioi"
            message = "the file name is no slug (small letters, digits, single hyphens)"
            yield Problem(path, 1, f"{message}; name it {better}.md")
        elif len(slug) > 80:
            yield Problem(path, 1, "the file name is longer than 80 characters; shorten it")


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


# References --------------------------------------------------------------------------------------


def _references(
    content: Content, path: str, field: str, names: list[str], known: Collection[str], what: str
) -> Found:
    for index, name in enumerate(names or ()):
        if not name:
            continue  # complained of already
        if name in names[:index]:
            message = f"{field}: {name!r} stands twice; name it once"
        elif name not in known:
            message = f"no {what} is named {short(name)}; {nearest(name, known)}"
        else:
            continue
        yield Problem(path, content.line(path, field, index), message)


def _entry(content: Content, entry: Entry, known: Known) -> Found:
    path, library = entry.path, known["library"]
    yield from _references(content, path, "topics", entry.topics, known["topics"], "topic")
    for field, names in (("cites", entry.cites), ("related", entry.related)):
        yield from _references(content, path, field, names, library, "library entry")
        if entry.slug in (names or ()):
            line = content.line(path, field, names.index(entry.slug))
            yield Problem(path, line, f"{field}: the entry itself; take it out")
    yield from _references(content, path, "demos", entry.demos, known["demos"], "demo")
    year = re.match(r"(\d{4})-", entry.slug)
    if year and entry.year and int(year[1]) != entry.year:
        message = f"year {entry.year}, but the file name says {year[1]}; make them agree"
        yield Problem(path, content.line(path, "year"), message)
    yield from _identifiers(content, entry)


def _identifiers(content: Content, entry: Entry) -> Found:
    """An address and an identifier that are given both must mean the same work."""
    if not entry.url:
        return
    path, line = entry.path, content.line(entry.path, "url")
    address = read_address(entry.url)
    named = {field: getattr(address, field) for field in ("arxiv", "doi", "openreview")}
    if any(named.values()) and entry.url.startswith("http://"):
        yield Problem(path, line, f"url: write https:// for {urlsplit(entry.url).hostname}")
    for field, value in named.items():
        given = getattr(entry, field)
        if value and given and given.lower() != value.lower():
            message = f"url leads to {field} {value}, but `{field}` says {given}; make them agree"
            yield Problem(path, line, message)


def _meeting(content: Content, meeting: Meeting, known: Known) -> Found:
    path = meeting.path
    if meeting.date and meeting.slug != str(meeting.date):
        message = (
            f"date {meeting.date}, but the file is {meeting.slug}.md; name it {meeting.date}.md"
        )
        yield Problem(path, content.line(path, "date"), message)
    yield from _references(content, path, "topics", meeting.topics, known["topics"], "topic")
    library = known["library"]
    yield from _references(content, path, "readings", meeting.readings, library, "library entry")


# Things that stand twice -------------------------------------------------------------------------


NAMES = {
    **{"arxiv": "arXiv number", "doi": "DOI", "openreview": "OpenReview id"},
    **{"url": "address", "video": "video"},
}


def _twice(content: Content) -> Found:
    """One entry a work: no address, no identifier, no video in two of them."""
    seen: dict[tuple[str, str], tuple[Entry, int, str | None]] = {}
    for entry in sorted(content.to_judge(Entry), key=lambda entry: entry.path):
        for field, kind, value, start in _works(entry):
            line = content.line(entry.path, field)
            other, there, other_start = seen.setdefault((kind, value), (entry, line, start))
            if other is entry or (start and other_start and start != other_start):
                continue  # the stream of a day holds many talks, a long page many articles
            message = f"the same {NAMES[kind]} as {other.path}:{there}; keep one entry a work"
            yield Problem(entry.path, line, message)


def _works(entry: Entry) -> Iterator[tuple[str, str, str, str | None]]:
    """What names the work: the field, the kind of name, the name, where in a video."""
    given = work_names(entry.arxiv, entry.doi, entry.openreview)
    for kind, value in sorted(given):
        # The number may be known from its DOI alone.
        yield kind if getattr(entry, kind) else "doi", kind, value, None
    address = read_address(entry.url) if entry.url else None
    for kind, value in sorted(address.names - given) if address else ():
        yield "url", kind, value, address.start if address and kind in ("video", "url") else None


def _question_ids(content: Content) -> Found:
    """A question id names one question in the whole project: answers are kept under it."""
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for quiz in content.to_judge(Quiz):
        for question in quiz.questions:
            if question.id:
                places[question.id].append((quiz.path, question.line))
    for name, found in places.items():
        first, line = min(found)
        for path, at in sorted(found)[1:]:
            message = f"question id {name!r} stands at {first}:{line} too; give this one another"
            yield Problem(path, at, message)


# Quizzes -----------------------------------------------------------------------------------------


def _quiz(content: Content, quiz: Quiz, known: Known) -> Found:
    path = quiz.path
    yield from _references(content, path, "topics", quiz.topics, known["topics"], "topic")
    if quiz.meeting and str(quiz.meeting) not in known["meetings"]:
        hint = nearest(str(quiz.meeting), known["meetings"])
        message = f"no meeting is named '{quiz.meeting}'; {hint}"
        yield Problem(path, content.line(path, "meeting"), message)
    for question in quiz.questions:
        for field, message in _question(question, content.facts):
            yield Problem(path, question.lines.get(field, question.line), message)


def _question(question: Question, facts: dict[str, Fact]) -> Iterator[tuple[str, str]]:
    """The field and the message of each mistake. The anchor is judged with the links."""
    if question.anchor is None and "anchor" not in question.lines:
        example = "anchor: ../library/2022-wang-ioi.md#how-they-know"
        yield "anchor", f"no field 'anchor'; name the passage that it tests, as {example}"
    if question.type == "text":
        yield from _variants(question)
    yield from _telling_letters(question)
    yield from _overlapping_bands(question)
    yield from keys.complaints(question, facts)
    if isinstance(question.key, FactKey) and question.type == "number":
        try:
            find_key(question, facts)
        except NoKey as error:
            name = question.key.fact
            hint = nearest(name, facts) if facts else "run the notebooks with `make demos`"
            yield "key", f"{error}; {hint if name not in facts else 'name another'}"
            return
    if question.type == "number":
        yield from _tolerance(question, facts)


def _telling_letters(question: Question) -> Iterator[tuple[str, str]]:
    """The letters go where the options go, shuffled: a terminal and the service show them."""
    letters = [option.id for option in question.options]
    if question.type == "order" and question.key is None and letters == sorted(letters):
        yield "options", "letters in the right order tell the answer; mix them, as (b), (c), (a)"


_NUMBER = r"[-+−]?\d[\d,]*(?:\.\d+)?"
_BAND = re.compile(
    rf"(?:(?:from|between) )?(?P<low>{_NUMBER})\s*%?\s*(?:to|and|–|-)\s*(?P<high>{_NUMBER})"
    rf"|(?:under|below|less than|up to|at most) (?P<most>{_NUMBER})"
    rf"|(?:over|above|more than|at least) (?P<least>{_NUMBER})",
    re.IGNORECASE,
)


def _overlapping_bands(question: Question) -> Iterator[tuple[str, str]]:
    """Bands of numbers of a single choice that share more than an edge: which one is meant?"""
    if question.type != "single":
        return
    found = [(option.id, band) for option in question.options if (band := _band(option.text))]
    for (one, (unit, low, high)), (other, (other_unit, *edges)) in combinations(found, 2):
        if unit == other_unit and max(low, edges[0]) < min(high, edges[1]):
            yield "options", f"the numbers of ({one}) and ({other}) overlap; part them"


def _band(text: str) -> tuple[str, float, float] | None:
    """The unit and edges of a band as `35 to 70 %` or `under 0.3`; None of another text."""
    found = _BAND.match(text.strip())
    if not found:
        return None
    unit = text.strip()[found.end() :].strip(" .").casefold()
    if len(unit.split()) > 1:
        return None  # a sentence that begins with numbers

    def edge(name: str, otherwise: float) -> float:
        written = found[name]
        return float(written.replace(",", "").replace("−", "-")) if written else otherwise

    if found["low"]:
        low, high = edge("low", 0), edge("high", 0)
        return (unit, low, high) if low < high else None
    return unit, edge("least", -math.inf), edge("most", math.inf)


def _variants(question: Question) -> Iterator[tuple[str, str]]:
    seen = {plain(str(question.key)): str(question.key)}
    if "" in seen:
        yield "key", "nothing is left of the key without its punctuation; write a word"
    for variant in question.accept:
        text = plain(variant)
        if not text:
            yield "accept", f"nothing is left of {variant!r} without its punctuation; remove it"
        elif text in seen:
            message = f"{short(variant)} counts as {short(seen[text])} already; remove it"
            yield "accept", message
        seen.setdefault(text, variant)


def _tolerance(question: Question, facts: dict[str, Fact]) -> Iterator[tuple[str, str]]:
    tolerance = question.tolerance
    if tolerance is None or (question.number is None and not isinstance(question.key, FactKey)):
        return  # complained of already
    key = find_key(question, facts).response
    assert isinstance(key, int | float)
    if key == 0 and tolerance.absolute is None:
        yield "tolerance", "a share of a key of 0 is 0; write `tolerance: {absolute: ...}`"
        return
    allowed = tolerance.absolute
    if tolerance.relative is not None:
        allowed = tolerance.relative * abs(key)
    if allowed is None:
        return
    if key and allowed >= abs(key):
        # The key of a fact is not printed: whoever reads the log may still have to answer.
        size = "the key" if isinstance(question.key, FactKey) else f"{abs(key):g}"
        yield "tolerance", f"so wide that 0 is right as well; write less than {size}"
    if isinstance(question.key, FactKey):
        measured = facts[question.key.fact].tolerance
        if allowed < measured:
            message = f"narrower than the measurement, which varies by {measured:g}"
            yield "tolerance", f"{message}; write at least that"
