"""What every endpoint may ask for: settings, database, content, the time."""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from api import editions
from api.content import Content, read_content
from api.database import Database
from api.migrate import check_schema
from api.note_files import PublishedNote, read_published
from api.questions import Question
from api.settings import Settings

log = logging.getLogger("readout")


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    content: Content
    clock: Callable[[], dt.datetime]
    # By question: its versions that ask the same, for those that were only mended.
    editions: dict[str, frozenset[str]] = field(default_factory=dict)
    # By question, what `telling` has worked out of its key; the content of a service never changes.
    markings: dict[str, Any] = field(default_factory=dict)
    # The notes that stand in files of the content, by id.
    published: dict[str, PublishedNote] = field(default_factory=dict)

    def edition_of(self, question: Question) -> frozenset[str]:
        """The versions of a question whose answers count together."""
        return self.editions.get(question.id, frozenset()) | {question.version}


def open_service(settings: Settings, clock: Callable[[], dt.datetime]) -> Service:
    """Read the content and open the database. Raises Unusable if that has another schema."""
    content = read_content(settings.content_dir, settings.executed_dir)
    for problem in content.problems:
        log.warning("left out: %s", problem)
    database = Database(settings.database_url)
    check_schema(database)
    asked = [question for quiz in content.quizzes.values() for question in quiz.questions]
    present = database.write(lambda session: editions.note(session, asked, clock()))
    published = read_published(content)
    return Service(settings, database, content, clock, present, published=published)


async def find_service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(find_service)]


async def _now(service: ServiceDep) -> dt.datetime:
    return service.clock()


NowDep = Annotated[dt.datetime, Depends(_now)]
