"""Answers: what members give, what they are told, and when.

An answer is marked before it reaches the writer, which stores all that arrived together with three
statements. A score is never stored as the truth: `view` marks an answer again, by today's key.
"""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Field, Session, SQLModel

from api import regrade, tally
from api.database import UtcDateTime
from api.grading import Key, check_response, grade
from api.members import NOBODY, MemberDep, MemberOut, find_members, token_hash
from api.questions import Question, Quiz
from api.quizzes import QuizDep, find_question, find_quiz
from api.service import NowDep, Service, ServiceDep, find_service
from api.telling import AnswerIn, AnswerOut, held_back, kept_for_later, marking_of, told_of, view
from api.timetable import Phase, phase_of
from api.wire import Conflict, NoMoreTries, NotOpen, NotSignedIn, Refusal, repeated

router = APIRouter(prefix="/quizzes", tags=["quizzes"])


class Answer(SQLModel, table=True):
    """One answer to one question. Rows are added and never changed; a score is computed from them.

    The question's id names it in the whole project, so that an answer stays with its question when
    that moves to another quiz. `reply` is what the member was told at the time: a record of that.
    """

    __table_args__ = (
        sa.UniqueConstraint("member_id", "question", "attempt"),
        sa.Index(None, "question", "turn"),
        sa.Index(
            "ix_answer_reasons",
            "question",
            "answered_at",
            sqlite_where=sa.text("reason IS NOT NULL"),
            postgresql_where=sa.text("reason IS NOT NULL"),
        ),
        sa.CheckConstraint("certainty BETWEEN 1 AND 3", name="certainty"),
        sa.CheckConstraint("turn IN ('first', 'revote', 'again')", name="turn"),
    )

    member_id: str = Field(primary_key=True, foreign_key="member.id")
    id: str = Field(primary_key=True)  # made by the client, so that a retry is recognised
    quiz: str
    question: str
    attempt: int  # 1 for a member's first answer to the question
    # `first` to this edition of the question, `revote` in the meeting, or `again`. Statistics
    # count the first.
    turn: str
    question_version: str
    key_version: str
    response: str = Field(sa_type=sa.Text)  # JSON, as it was given
    certainty: int | None = None
    reason: str | None = Field(default=None, sa_type=sa.Text)
    late: bool
    answered_at: dt.datetime = Field(sa_type=UtcDateTime)
    request_hash: str
    reply: str = Field(sa_type=sa.Text)


class _Answering(NamedTuple):
    """Who answers which quiz, and when. Whether the token is good, the writer finds out."""

    service: Service
    quiz: Quiz
    token_hash: str
    now: dt.datetime


async def _answering(slug: str, request: Request) -> _Answering:
    """What the endpoint asks for, in one step: each dependency that is named costs 50 us."""
    service = await find_service(request)
    token = token_hash(request, service)
    return _Answering(service, find_quiz(service.content, slug), token, service.clock())


@router.post(
    "/{slug}/answers", status_code=201, response_model=AnswerOut, responses=repeated(AnswerOut)
)
async def answer_question(
    answering: Annotated[_Answering, Depends(_answering)], given: AnswerIn
) -> Response:
    """Record an answer and say whether it was right.

    Answering again adds another row, so the record shows who believed what, when. The same `id`
    with the same body is one answer, however often it is sent: 200 and the first reply. Of a
    question that the group votes on, nothing is told until the vote in the meeting.
    404 if the question is unknown, 422 if the response was not offered, 403 before the quiz opens,
    409 if the `id` was used for something else or no try is left.
    """
    service, quiz, token, now = answering
    question = find_question(quiz, given.question)
    check_response(question, given.response)
    prepared = prepare(service, quiz, question, given, token, now)
    reply, is_new = await service.database.write_together(record, prepared)
    return Response(reply, 201 if is_new else 200, media_type="application/json")


@router.get("/{slug}/answers")
async def list_own_answers(
    quiz: QuizDep, member: MemberDep, service: ServiceDep, now: NowDep
) -> list[AnswerOut]:
    """What the member who asks has answered in this quiz, oldest first, marked by today's key."""
    return await service.database.look(
        lambda session: own_answers(session, service, member, now, quiz)
    )


# Storing -----------------------------------------------------------------------------------------


class Prepared(NamedTuple):
    """An answer that is marked and only has to be stored: all that needs no database is done."""

    token_hash: str
    row: dict[str, Any]  # the columns that are known already
    edition: frozenset[str]  # the versions of the question that ask the same
    phase: Phase
    opens_at: dt.datetime | None
    told: AnswerOut
    text: str  # `told` as JSON
    tries: int | None
    asked: Question
    key: Key


class _Earlier(NamedTuple):
    """What a member answered to the question before."""

    attempt: int
    turn: str
    question_version: str
    response: str


def prepare(
    service: Service,
    quiz: Quiz,
    question: Question,
    given: AnswerIn,
    token: str,
    now: dt.datetime,
) -> Prepared:
    marking = marking_of(service, question)
    phase = phase_of(quiz, now)
    told = told_of(quiz, question, marking, given, now)
    row = {
        "id": str(given.id),
        "quiz": quiz.slug,
        "question": question.id,
        "question_version": question.version,
        "key_version": marking.version,
        "response": json.dumps(given.response),
        "certainty": given.certainty,
        "reason": given.reason,
        "late": told.late,
        "answered_at": now,
        "request_hash": _hash(quiz.slug, given),
    }
    tries = quiz.tries if phase in ("open", "meeting") and not question.vote else None
    text = told.model_dump_json()
    edition = service.edition_of(question)
    return Prepared(
        token, row, edition, phase, quiz.opens_at, told, text, tries, question, marking.key
    )


ANSWER = SQLModel.metadata.tables["answer"]
_KEYS = sa.tuple_(ANSWER.c.member_id, ANSWER.c.id)
_PLACES = sa.tuple_(ANSWER.c.member_id, ANSWER.c.question)
_STORED = sa.select(ANSWER.c.member_id, ANSWER.c.id, ANSWER.c.request_hash, ANSWER.c.reply).where(
    _KEYS.in_(sa.bindparam("keys", expanding=True))
)
_EARLIER = sa.select(
    ANSWER.c.member_id,
    ANSWER.c.question,
    ANSWER.c.attempt,
    ANSWER.c.turn,
    ANSWER.c.question_version,
    ANSWER.c.response,
).where(_PLACES.in_(sa.bindparam("places", expanding=True)))


def record(session: Session, given: Sequence[Prepared]) -> list[tuple[str, bool] | Exception]:
    """Store answers that arrived together, or find them stored: the replies, and whether new."""
    connection = session.connection()
    latest = max(item.row["answered_at"] for item in given)
    members = find_members(session, [item.token_hash for item in given], latest)
    owned = [(members.get(item.token_hash, ""), item) for item in given]
    keys = [(own, item.row["id"]) for own, item in owned]
    places = [(own, item.row["question"]) for own, item in owned]
    stored = {
        (row.member_id, row.id): (row.request_hash, row.reply)
        for row in connection.execute(_STORED, {"keys": keys})
    }
    earlier: defaultdict[tuple[str, str], list[_Earlier]] = defaultdict(list)
    for member_id, question, *rest in connection.execute(_EARLIER, {"places": places}):
        earlier[member_id, question].append(_Earlier(*rest))
    rows: list[dict[str, Any]] = []
    outcomes: list[tuple[str, bool] | Exception] = []
    for own, item in owned:
        if not own:
            outcomes.append(NotSignedIn(NOBODY))
            continue
        key, place = (own, item.row["id"]), (own, item.row["question"])
        if key in stored:
            outcomes.append(_again(item, *stored[key]))
            continue
        try:
            row = {"member_id": own, **_row(item, earlier[place])}
        except Refusal as error:
            outcomes.append(error)
            continue
        rows.append(row)
        # The next of this very batch must find it.
        stored[key] = (row["request_hash"], row["reply"])
        earlier[place].append(_Earlier(**{name: row[name] for name in _Earlier._fields}))
        outcomes.append((row["reply"], True))
    if rows:
        connection.execute(sa.insert(ANSWER), rows)
        tally.add(session, rows)
    return outcomes


def _again(item: Prepared, request_hash: str, reply: str) -> tuple[str, bool] | Exception:
    if request_hash == item.row["request_hash"]:
        return reply, False
    return Conflict(f"id {item.row['id']} was used for another answer; make a new one")


def _row(item: Prepared, earlier: list[_Earlier]) -> dict[str, Any]:
    """The row as it is stored. Raises NotOpen or NoMoreTries."""
    if item.phase == "before":  # asked of new answers alone: the clock may have been set back
        raise NotOpen(f"this quiz opens at {item.opens_at:%Y-%m-%d %H:%M} UTC")
    before = [answer for answer in earlier if answer.question_version in item.edition]
    if not before:
        turn = "first"
    elif item.phase == "meeting" and all(answer.turn != "revote" for answer in before):
        turn = "revote"
    else:
        turn = "again"
    reply = item.text
    if _is_held_back(item, turn, before):
        reply = held_back(item.told).model_dump_json()
    elif item.tries is not None:
        reply = _counting_tries(item, before)
    attempt = 1 + max((answer.attempt for answer in earlier), default=0)
    return {**item.row, "attempt": attempt, "turn": turn, "reply": reply}


def _is_held_back(item: Prepared, turn: str, before: list[_Earlier]) -> bool:
    """Of a vote nothing is told until the member has voted again, or the meeting is over."""
    if not item.asked.vote or item.phase not in ("open", "meeting"):
        return False
    return turn != "revote" and all(answer.turn != "revote" for answer in before)


def _counting_tries(item: Prepared, before: list[_Earlier]) -> str:
    """The reply where tries are counted: the key is told with a right answer or the last one."""
    assert item.tries is not None
    left = item.tries - len(before) - 1
    solved = any(
        grade(item.asked, json.loads(answer.response), item.key).correct for answer in before
    )
    if left < 0 or solved:
        raise NoMoreTries(
            "answered rightly already; try again after the meeting"
            if solved
            else f"all {item.tries} tries are used; try again after the meeting"
        )
    told = item.told.model_copy(update={"tries_left": left})
    return kept_for_later(told).model_dump_json()


def _hash(slug: str, given: AnswerIn) -> str:
    return hashlib.sha256(f"{slug}\n{given.model_dump_json()}".encode()).hexdigest()


def own_answers(
    session: Session,
    service: Service,
    member: MemberOut,
    now: dt.datetime,
    quiz: Quiz | None = None,
) -> list[AnswerOut]:
    """A member's answers to the questions of one quiz, or of all, as they are marked today."""
    query = sa.select(ANSWER).where(ANSWER.c.member_id == member.id)
    if quiz is not None:
        ids = [question.id for question in quiz.questions]
        query = query.where(sa.or_(ANSWER.c.question.in_(ids), ANSWER.c.quiz == quiz.slug))
    order = (ANSWER.c.answered_at, ANSWER.c.quiz, ANSWER.c.question, ANSWER.c.attempt)
    rows = session.connection().execute(query.order_by(*order)).all()
    corrections = regrade.noted(session, {row.question for row in rows})
    return [view(row, service, now, rows, corrections) for row in rows]
