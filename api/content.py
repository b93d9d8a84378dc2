"""Read everything that is published, once, as typed records.

Reading does not stop at the first mistake: what is sound is returned, and what is not becomes a
Problem with its file and line. Rules that look across files are in `check.py`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from api.markup import Document, Fields, Malformed, Problem, markdown_files, read_document
from api.questions import Quiz, QuizHeader, read_questions
from api.records import (
    Entry,
    EntryHeader,
    Fact,
    Meeting,
    MeetingHeader,
    Page,
    Record,
    Topic,
    TopicHeader,
    explain,
)

PageT = TypeVar("PageT", bound=Page)


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

    def line(self, path: str, *location: str | int) -> int:
        """The line of a field of a header, or of what is around it."""
        return self.headers[path].line(location) if path in self.headers else 1

    def complain(self, path: str, line: int, message: str) -> None:
        self.problems.append(Problem(path, line, message))

    def quizzes_for(self, meeting: str) -> list[Quiz]:
        return [quiz for quiz in self.quizzes.values() if str(quiz.meeting) == meeting]

    @property
    def latest_meeting(self) -> Meeting | None:
        return max(self.meetings.values(), key=lambda meeting: meeting.date, default=None)


def read_content(content_dir: Path, executed_dir: Path | None = None) -> Content:
    """Read all content files, and the facts of the executed notebooks where a folder is given."""
    folder = content_dir.resolve()
    content = Content(root=folder.parent, folder=folder, executed_dir=executed_dir)
    topics = _read_folder(content, folder / "topics", TopicHeader, Topic)
    content.topics = dict(sorted(topics.items(), key=lambda item: (item[1].order, item[0])))
    content.library = _read_folder(content, folder / "library", EntryHeader, Entry)
    content.meetings = _read_folder(content, folder / "meetings", MeetingHeader, Meeting)
    content.quizzes = _read_folder(content, folder / "quizzes", QuizHeader, Quiz, _questions)
    if executed_dir:
        content.facts = _read_facts(executed_dir.resolve(), content.root, content.problems)
    return content


def _read_folder(
    content: Content,
    folder: Path,
    header: type[Record],
    page: type[PageT],
    extra: Callable[[Content, Document], dict[str, Any]] | None = None,
) -> dict[str, PageT]:
    found: dict[str, PageT] = {}
    for path in markdown_files(folder):
        name = path.relative_to(content.root).as_posix()
        try:
            document = read_document(path, content.root)
        except Malformed as error:
            content.complain(name, error.line, error.message)
            continue
        content.headers[name] = document.header
        content.documents[name] = document
        more = extra(content, document) if extra else {}
        try:
            # The header is judged by itself first: it may not name what the file gives.
            header.model_validate(document.header.values)
            found[document.slug] = page.model_validate(
                {**document.header.values, **_location(document), **more}
            )
        except ValidationError as error:
            for where, message in explain(error, header.model_fields):
                content.complain(name, document.header.line(where), message)
    return found


def _location(document: Document) -> dict[str, Any]:
    return {
        "slug": document.slug,
        "path": document.path,
        "body": document.body,
        "body_line": document.body_line,
    }


def _questions(content: Content, document: Document) -> dict[str, Any]:
    intro, questions, problems = read_questions(document)
    content.problems.extend(problems)
    return {"intro": intro, "questions": questions}


def read_facts(executed_dir: Path) -> dict[str, Fact]:
    """The facts of all executed notebooks, by name; what cannot be read is left out."""
    return _read_facts(executed_dir, executed_dir, [])


def _read_facts(executed_dir: Path, root: Path, problems: list[Problem]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for path in sorted(executed_dir.glob("*.ipynb")):
        found: dict[str, Fact] = {}
        name = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
        try:
            found = _facts_of(json.loads(path.read_bytes()), path.stem)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            message = "not an executed notebook; write it anew with `make demos`"
            problems.append(Problem(name, 1, message))
        for fact in found.keys() & facts.keys():
            message = f"fact {fact!r} is recorded by {facts[fact].notebook} too; rename one"
            problems.append(Problem(name, 1, message))
        facts |= found
    return facts


def _facts_of(notebook: dict[str, Any], slug: str) -> dict[str, Fact]:
    """The facts that a notebook carries. Raises what reading a strange object raises."""
    readout = notebook.get("metadata", {}).get("readout", {})
    shared = {
        "notebook": slug,
        "key": readout.get("key"),
        "environment": readout.get("environment"),
        **_model(readout.get("model")),
    }
    return {
        name: Fact.model_validate({**shared, **fact})
        for name, fact in readout.get("facts", {}).items()
    }


def _model(model: dict[str, Any] | None) -> dict[str, Any]:
    return {"model": model.get("name"), "model_sha256": model.get("sha256")} if model else {}
