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
    content = Content(root=content_dir.resolve().parent)
    folder = content_dir.resolve()
    content.topics = _read_folder(content, folder / "topics", TopicHeader, Topic)
    content.library = _read_folder(content, folder / "library", EntryHeader, Entry)
    content.meetings = _read_folder(content, folder / "meetings", MeetingHeader, Meeting)
    content.quizzes = _read_folder(content, folder / "quizzes", QuizHeader, Quiz, _questions)
    if executed_dir:
        content.facts = read_facts(executed_dir)
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
        try:
            # The header is judged by itself first: it may not name what the file gives.
            header.model_validate(document.header.values)
            more = extra(content, document) if extra else {}
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
    """The facts of all executed notebooks, by name; an empty object where there are none."""
    facts: dict[str, Fact] = {}
    for path in sorted(executed_dir.glob("*.ipynb")):
        notebook = json.loads(path.read_bytes())
        readout = notebook["metadata"].get("readout", {})
        shared = {
            "notebook": path.stem,
            "key": readout.get("key"),
            "environment": readout.get("environment"),
            **_model(readout.get("model")),
        }
        for name, fact in readout.get("facts", {}).items():
            facts[name] = Fact.model_validate({**shared, **fact})
    return facts


def _model(model: dict[str, Any] | None) -> dict[str, Any]:
    return {"model": model.get("name"), "model_sha256": model.get("sha256")} if model else {}
