"""What a corrected key changes: how many stored answers were told another mark than today's.

Marks are computed from the answers, so a new key counts as soon as it is published. Regrading notes
what changed, when and why, and from then on the members concerned are told so.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel

from api import keys
from api.database import UtcDateTime
from api.grading import NoKey, find_key, grade
from api.questions import Question, Quiz
from api.service import Service
from api.wire import NotOffered


class Correction(SQLModel, table=True):
    """A key that took the place of another. Rows are only added."""

    question: str = Field(primary_key=True)
    before: str = Field(primary_key=True)  # key versions
    after: str = Field(primary_key=True)
    why: str | None = Field(default=None, sa_type=sa.Text)
    n: int  # answers whose mark it changed
    noted_at: dt.datetime = Field(sa_type=UtcDateTime)


class Change(NamedTuple):
    """What becomes of the answers to one question that were marked with one earlier key."""

    quiz: Quiz
    question: Question
    before: str
    after: str
    n: int  # answers marked with the earlier key
    to_right: int
    to_wrong: int
    to_another_score: int  # neither: partial credit

    @property
    def n_changed(self) -> int:
        return self.to_right + self.to_wrong + self.to_another_score

    def __str__(self) -> str:
        counted = (
            (self.to_right, "from wrong to right"),
            (self.to_wrong, "from right to wrong"),
            (self.to_another_score, "to another score"),
        )
        said = ", ".join(f"{n} {what}" for n, what in counted if n) or "none would change"
        where = f"{self.quiz.path}:{self.question.line}"
        return f"{where}: {self.question.id}: of {self.n} answers with an earlier key, {said}"


def changes(session: Session, service: Service) -> Iterator[Change]:
    """What a regrade would change, question by question, in the order of the content."""
    for quiz in service.content.quizzes.values():
        for question in quiz.questions:
            yield from _of_question(session, service, quiz, question)


def _of_question(
    session: Session, service: Service, quiz: Quiz, question: Question
) -> Iterator[Change]:
    facts = service.content.facts
    try:
        key = find_key(question, facts)
    except NoKey:
        return  # the check complains of it
    after = keys.version_of(question, key, facts)
    from api.answers import ANSWER  # it tells members what is noted here

    answer = ANSWER.c
    rows = session.connection().execute(
        sa.select(answer.key_version, answer.response, answer.reply)
        .where(answer.question == question.id, answer.key_version != after)
        .where(answer.question_version.in_(service.edition_of(question)))
        .order_by(answer.key_version)
    )
    totals: Counter[str] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for before, response, reply in rows:
        totals[before] += 1
        told = json.loads(reply)
        if told.get("correct") is None:
            continue  # a vote that was held back, or a member who left: nothing was told
        try:
            mark = grade(question, json.loads(response), key)
        except NotOffered:
            continue
        if mark.correct != told["correct"]:
            found[before, "right" if mark.correct else "wrong"] += 1
        elif abs(mark.score - told["score"]) > 1e-9:
            found[before, "score"] += 1
    for before, n in sorted(totals.items()):
        moved = (found[before, kind] for kind in ("right", "wrong", "score"))
        yield Change(quiz, question, before, after, n, *moved)


def note(session: Session, made: list[Change], now: dt.datetime) -> int:
    """Note the changes of marks, each once. Returns how many answers they concern."""
    for change in made:
        place = (change.question.id, change.before, change.after)
        if change.n_changed and session.get(Correction, place) is None:
            session.add(
                Correction(
                    question=change.question.id,
                    before=change.before,
                    after=change.after,
                    why=change.question.changed,
                    n=change.n_changed,
                    noted_at=now,
                )
            )
    return sum(change.n_changed for change in made)


def noted(session: Session, question_ids: set[str]) -> dict[tuple[str, str, str], Correction]:
    """The corrections of some questions, by question and the two versions of the key."""
    query = sa.select(Correction).where(
        SQLModel.metadata.tables["correction"].c.question.in_(question_ids)
    )
    rows = session.execute(query).scalars()
    return {(row.question, row.before, row.after): row for row in rows}
