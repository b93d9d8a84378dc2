"""Read everything that is published, once, as typed records.

Reading does not stop at the first mistake: what is sound is returned, and what is not becomes a
Problem with its file and line. Rules that look across files are in `check.py`.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from api.keys import resolve
from api.markup import Document, Fields, Malformed, Problem, markdown_files, read_document
from api.questions import Question, Quiz, QuizHeader, read_questions
from api.records import (
    Entry,
    EntryHeader,
    Fact,
    Meeting,
    MeetingHeader,
    Page,
    PageT,
    Record,
    Topic,
    TopicHeader,
    explain,
)


@dataclass
class Content:
    """Everything that is published, by slug, and what is wrong with it."""

    root: Path
    topics: dict[str, Topic] = field(default_factory=dict)
    library: dict[str, Entry] = field(default_factory=dict)
    meetings: dict[str, Meeting] = field(default_factory=dict)
    quizzes: dict[str, Quiz] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    headers: dict[str, Fields] = field(default_factory=dict)  # by path: where each field stands
    problems: list[Problem] = field(default_factory=list)
    folder: Path = Path("docs")  # where the content was read from
    executed_dir: Path | None = None
    documents: dict[str, Document] = field(default_factory=dict)  # by path, sound or not
    # By path, what is sound of a record that is not. For complaints; no page is made from it.
    salvaged: dict[str, Page] = field(default_factory=dict)

    def line(self, path: str, *location: str | int) -> int:
        """The line of a field of a header, or of what is around it."""
        return self.headers[path].line(location) if path in self.headers else 1

    def to_judge(self, kind: type[PageT]) -> list[PageT]:
        """The records of a kind, sound or salvaged: what is None in one has been complained of."""
        shelves: tuple[dict[str, Any], ...]
        shelves = (self.topics, self.library, self.meetings, self.quizzes)
        sound = [page for shelf in shelves for page in shelf.values() if isinstance(page, kind)]
        others = [page for page in self.salvaged.values() if isinstance(page, kind)]
        salvaged = {page.path for page in others}
        return [*(page for page in sound if page.path not in salvaged), *others]

    def quizzes_for(self, meeting: str) -> list[Quiz]:
        return [quiz for quiz in self.quizzes.values() if str(quiz.meeting) == meeting]

    def find_question(self, question_id: str) -> tuple[Quiz, Question] | None:
        """The question and the quiz that asks it; an id names one question in all quizzes."""
        for quiz in self.quizzes.values():
            if question := quiz.question(question_id):
                return quiz, question
        return None

    def next_meeting(self, today: dt.date) -> Meeting | None:
        """The meeting to prepare for: the nearest from today on, else the last there was."""
        ahead = [meeting for meeting in self.meetings.values() if meeting.date >= today]
        if ahead:
            return min(ahead, key=lambda meeting: meeting.date)
        return max(self.meetings.values(), key=lambda meeting: meeting.date, default=None)


class Reading(NamedTuple):
    """One file, read: its text, the record that it makes if it is sound, what is wrong with it."""

    document: Document | None
    page: Page | None
    problems: list[Problem]
    salvaged: Page | None = None  # what is sound of a record that is not


Cache = dict[tuple[str, int, int], Reading]  # by path, time of change, and size


def read_content(
    content_dir: Path, executed_dir: Path | None = None, cache: Cache | None = None
) -> Content:
    """Read all content files, and the facts of the executed notebooks where a folder is given.

    With a `cache`, which is filled, only what changed since is read again.
    """
    folder = content_dir.resolve()
    content = Content(root=folder.parent, folder=folder, executed_dir=executed_dir)
    seen = {} if cache is None else cache
    topics = _read_folder(content, "topics", TopicHeader, Topic, seen)
    content.topics = dict(sorted(topics.items(), key=lambda item: (item[1].order, item[0])))
    content.library = _read_folder(content, "library", EntryHeader, Entry, seen)
    content.meetings = _read_folder(content, "meetings", MeetingHeader, Meeting, seen)
    content.quizzes = _read_folder(content, "quizzes", QuizHeader, Quiz, seen)
    if executed_dir:
        content.facts = _read_facts(executed_dir.resolve(), content.root, content.problems)
    content.quizzes = {
        slug: with_facts(quiz, content.facts) for slug, quiz in content.quizzes.items()
    }
    return content


def with_facts(quiz: Quiz, facts: dict[str, Fact]) -> Quiz:
    """A quiz as it is asked: with what the notebooks measured in its options and keys."""
    questions = [resolve(question, facts) for question in quiz.questions]
    return quiz.model_copy(update={"questions": questions})


def _read_folder(
    content: Content, folder: str, header: type[Record], page: type[PageT], cache: Cache
) -> dict[str, PageT]:
    found: dict[str, PageT] = {}
    for path in markdown_files(content.folder / folder):
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        if key not in cache:
            cache[key] = _read_page(path, content.root, header, page)
        reading = cache[key]
        content.problems.extend(reading.problems)
        if reading.document:
            content.headers[reading.document.path] = reading.document.header
            content.documents[reading.document.path] = reading.document
        if reading.page:
            assert isinstance(reading.page, page)
            found[reading.page.slug] = reading.page
        if reading.salvaged:
            content.salvaged[reading.salvaged.path] = reading.salvaged
    return found


def _read_page(path: Path, root: Path, header: type[Record], page: type[Page]) -> Reading:
    name = path.relative_to(root).as_posix()
    try:
        document = read_document(path, root)
    except Malformed as error:
        return Reading(None, None, [Problem(name, error.line, error.message)])
    location: dict[str, Any] = {
        "slug": document.slug,
        "path": document.path,
        "body": document.body,
        "body_line": document.body_line,
    }
    fields = document.header
    problems = [Problem(name, error.line, error.message) for error in fields.problems]
    unsound: list[Question] = []
    if page is Quiz:
        questions = read_questions(document)
        location |= {"intro": questions.intro, "questions": questions.sound}
        problems += questions.problems
        unsound = questions.unsound
    made: Page | None = None
    try:
        # The header is judged by itself first: it may not name what the file gives.
        header.model_validate(fields.values)
        made = page.model_validate({**fields.values, **location})
    except ValidationError as error:
        wrong = explain(error, header.model_fields, fields.unread, partial(_slugs, path.parents[1]))
        problems += [Problem(name, fields.line(where), message) for where, message in wrong]
    if not problems:
        return Reading(document, made, [])
    given = {**fields.values, **location}
    if page is Quiz:
        given["questions"] = [*location["questions"], *unsound]
    salvaged = page.salvage(given)
    # Where a field was refused, the fields have not been compared yet.
    slips = [Problem(name, fields.line((at,)), message) for at, message in salvaged.slips()]
    problems += [slip for slip in slips if slip not in problems]
    return Reading(document, made, problems, salvaged)


def _slugs(content_dir: Path, folder: str) -> list[str]:
    return [path.stem for path in markdown_files(content_dir / folder)]


def read_facts(executed_dir: Path) -> dict[str, Fact]:
    """The facts of all executed notebooks, by name; what cannot be read is left out."""
    return _read_facts(executed_dir, executed_dir, [])


def name_below(path: Path, root: Path) -> str:
    """A path as a problem names it: below the root, or whole where it lies elsewhere."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _read_facts(executed_dir: Path, root: Path, problems: list[Problem]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for path in sorted(executed_dir.glob("*.ipynb")):
        found: dict[str, Fact] = {}
        name = name_below(path, root)
        try:
            found = facts_of(json.loads(path.read_bytes()), path.stem)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            message = "not an executed notebook; write it anew with `make demos`"
            problems.append(Problem(name, 1, message))
        for fact in found.keys() & facts.keys():
            message = f"fact {fact!r} is recorded by {facts[fact].notebook} too; rename one"
            problems.append(Problem(name, 1, message))
        facts |= found
    return facts


def facts_of(notebook: dict[str, Any], slug: str) -> dict[str, Fact]:
    """The facts that a notebook carries. Raises what reading a strange object raises."""
    readout = notebook.get("metadata", {}).get("readout", {})
    shared = {
        "notebook": slug,
        "key": readout.get("key"),
        "environment": readout.get("environment"),
        **_model(readout.get("model")),
    }
    outcomes = readout.get("seeds", {})
    return {
        name: Fact.model_validate({**shared, **fact, "seeds": _under_seeds(name, outcomes)})
        for name, fact in readout.get("facts", {}).items()
    }


def _under_seeds(name: str, outcomes: dict[str, Any]) -> dict[str, Any]:
    """The value of a fact under each other seed under which its notebook recorded it."""
    return {
        seed: outcome["facts"][name]
        for seed, outcome in outcomes.items()
        if name in outcome["facts"]
    }


def _model(model: dict[str, Any] | None) -> dict[str, Any]:
    return {"model": model.get("name"), "model_sha256": model.get("sha256")} if model else {}
