"""Quizzes over the wire: what is asked, and the answers that members give."""

import datetime as dt
import hashlib
import json
import uuid
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, StrictFloat, StrictInt, StringConstraints
from pydantic import Field as Bounded
from sqlmodel import Field, Session, SQLModel, col, func, select

from api.content import Content
from api.database import UtcDateTime
from api.grading import Key, check_response, chosen_options, find_key, grade
from api.grading import Response as Given
from api.members import MemberDep, MemberOut
from api.questions import Question, Quiz
from api.render import render, render_inline
from api.service import NowDep, ServiceDep
from api.wire import Conflict, Input, NotOpen, NotThere, ShortText, Storable, Word

router = APIRouter(prefix="/quizzes", tags=["quizzes"])


class Answer(SQLModel, table=True):
    """One answer to one question. Rows are added and never changed; a score is computed from them.

    `reply` is what the member was told at the time. It is a record of that, not the truth.
    """

    __table_args__ = (
        sa.UniqueConstraint("member_id", "quiz", "question", "attempt"),
        sa.Index(None, "quiz", "question"),
        sa.CheckConstraint("certainty BETWEEN 1 AND 3", name="certainty"),
    )

    member_id: str = Field(primary_key=True, foreign_key="member.id")
    id: str = Field(primary_key=True)  # made by the client, so that a retry is recognised
    quiz: str
    question: str
    attempt: int  # 1 for a member's first answer to the question
    question_version: str
    key_version: str
    response: str = Field(sa_type=sa.Text)  # JSON, as it was given
    certainty: int | None = None
    reason: str | None = Field(default=None, sa_type=sa.Text)
    late: bool
    answered_at: dt.datetime = Field(sa_type=UtcDateTime)
    request_hash: str
    reply: str = Field(sa_type=sa.Text)


Number = StrictInt | StrictFloat
OptionId = Annotated[str, StringConstraints(max_length=40), Storable]


class AnswerIn(Input):
    id: uuid.UUID
    question: Annotated[str, StringConstraints(max_length=80), Storable]
    response: (
        Word
        | Annotated[StrictInt, Bounded(ge=-(2**53), le=2**53)]
        | StrictFloat
        | Annotated[list[OptionId], Bounded(max_length=50)]
        | Annotated[dict[OptionId, Word], Bounded(max_length=50)]
    )
    certainty: Annotated[StrictInt, Bounded(ge=1, le=3)] | None = None
    reason: ShortText | None = None


class FeedbackOut(BaseModel):
    option: str
    text_html: str


class AnswerOut(BaseModel):
    id: str
    quiz: str
    question: str
    response: Any
    certainty: int | None
    reason: str | None
    correct: bool
    score: float
    late: bool
    feedback: list[FeedbackOut]
    key: Any
    why_html: str
    source_html: str
    answered_at: dt.datetime


class OptionOut(BaseModel):
    id: str
    text: str


class QuestionOut(BaseModel):
    """A question without anything that tells its answer."""

    id: str
    type: str
    stem: str
    options: list[OptionOut]
    matches: list[str] | None = None
    unit: str | None = None


class QuizSummary(BaseModel):
    slug: str
    title: str
    kind: str
    meeting: dt.date | None
    opens_at: dt.datetime | None
    closes_at: dt.datetime | None
    n_questions: int


class QuizOut(QuizSummary):
    questions: list[QuestionOut]


def summarize(quiz: Quiz) -> QuizSummary:
    return QuizSummary(n_questions=len(quiz.questions), **_shared(quiz))


def _shared(quiz: Quiz) -> dict[str, Any]:
    return quiz.model_dump(include={"slug", "title", "kind", "meeting", "opens_at", "closes_at"})


def ask(question: Question) -> QuestionOut:
    return QuestionOut(
        id=question.id,
        type=question.type,
        stem=question.stem,
        options=[OptionOut(id=o.id, text=o.text) for o in question.offered],
        matches=question.matches if question.type == "match" else None,
        unit=question.unit,
    )


def find_quiz(content: Content, slug: str) -> Quiz:
    if slug not in content.quizzes:
        raise NotThere(f"no quiz is named {slug!r}")
    return content.quizzes[slug]


def find_question(quiz: Quiz, question_id: str) -> Question:
    question = quiz.question(question_id)
    if question is None:
        raise NotThere(f"quiz {quiz.slug!r} has no question {question_id!r}")
    return question


async def _quiz(slug: str, service: ServiceDep) -> Quiz:
    return find_quiz(service.content, slug)


QuizDep = Annotated[Quiz, Depends(_quiz)]


@router.get("")
async def list_quizzes(service: ServiceDep) -> list[QuizSummary]:
    """All quizzes, without their questions."""
    return [summarize(quiz) for quiz in service.content.quizzes.values()]


@router.get("/{slug}")
async def read_quiz(quiz: QuizDep) -> QuizOut:
    """A quiz as it is asked: no key, no feedback, no explanation. 404 if there is none."""
    questions = [ask(question) for question in quiz.questions]
    return QuizOut(n_questions=len(questions), questions=questions, **_shared(quiz))


@router.post("/{slug}/answers", status_code=201)
def answer_question(
    quiz: QuizDep,
    given: AnswerIn,
    member: MemberDep,
    service: ServiceDep,
    now: NowDep,
    response: Response,
) -> AnswerOut:
    """Record an answer and say whether it was right.

    Answering again adds another row, so the record shows who believed what, when. The same `id`
    with the same body is one answer, however often it is sent: 200 and the first reply.
    404 if the question is unknown, 422 if the response was not offered, 403 before the quiz opens,
    409 if the `id` was used for something else.
    """
    question = find_question(quiz, given.question)
    check_response(question, given.response)
    if quiz.opens_at and now < quiz.opens_at:
        raise NotOpen(f"this quiz opens at {quiz.opens_at:%Y-%m-%d %H:%M} UTC")
    key = find_key(question, service.content.facts)
    reply, is_new = service.database.write(
        lambda session: record(session, quiz, question, key, given, member, now)
    )
    if not is_new:
        response.status_code = 200
    return reply


@router.get("/{slug}/answers")
def list_own_answers(quiz: QuizDep, member: MemberDep, service: ServiceDep) -> list[AnswerOut]:
    """What the member who asks has answered in this quiz, oldest first."""
    with service.database.read() as session:
        return own_answers(session, member, quiz.slug)


def own_answers(session: Session, member: MemberOut, slug: str | None = None) -> list[AnswerOut]:
    query = select(Answer.reply).where(Answer.member_id == member.id)
    if slug is not None:
        query = query.where(Answer.quiz == slug)
    query = query.order_by(col(Answer.answered_at), col(Answer.quiz), col(Answer.attempt))
    return [AnswerOut.model_validate_json(reply) for reply in session.exec(query)]


def record(
    session: Session,
    quiz: Quiz,
    question: Question,
    key: Key,
    given: AnswerIn,
    member: MemberOut,
    now: dt.datetime,
) -> tuple[AnswerOut, bool]:
    """Store an answer, or find that it is stored. Says which. Raises Conflict."""
    request_hash = _hash(quiz.slug, given)
    stored = session.get(Answer, (member.id, str(given.id)))
    if stored:
        if stored.request_hash != request_hash:
            raise Conflict(f"id {given.id} was used for another answer; make a new one")
        return AnswerOut.model_validate_json(stored.reply), False
    before = session.exec(
        select(func.count()).where(
            Answer.member_id == member.id,
            Answer.quiz == quiz.slug,
            Answer.question == question.id,
        )
    ).one()
    reply = _reply(quiz, question, key, given, now)
    session.add(
        Answer(
            member_id=member.id,
            quiz=quiz.slug,
            question=question.id,
            attempt=before + 1,
            question_version=question.version,
            key_version=question.key_version,
            response=json.dumps(given.response),
            certainty=given.certainty,
            reason=given.reason,
            late=reply.late,
            answered_at=now,
            request_hash=request_hash,
            reply=reply.model_dump_json(),
            id=str(given.id),
        )
    )
    return reply, True


def _hash(slug: str, given: AnswerIn) -> str:
    return hashlib.sha256(f"{slug}\n{given.model_dump_json()}".encode()).hexdigest()


def _reply(
    quiz: Quiz, question: Question, key: Key, given: AnswerIn, now: dt.datetime
) -> AnswerOut:
    mark = grade(question, given.response, key)
    return AnswerOut(
        id=str(given.id),
        quiz=quiz.slug,
        question=question.id,
        response=given.response,
        certainty=given.certainty,
        reason=given.reason,
        correct=mark.correct,
        score=mark.score,
        late=bool(quiz.closes_at and now > quiz.closes_at),
        feedback=feedback(question, given.response),
        key=key.response,
        why_html=render(question.why),
        source_html=render_inline(question.source),
        answered_at=now,
    )


def feedback(question: Question, response: Given) -> list[FeedbackOut]:
    return [
        FeedbackOut(option=option.id, text_html=render(option.feedback))
        for option in chosen_options(question, response)
        if option.feedback
    ]
