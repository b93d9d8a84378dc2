"""Quizzes over the wire: what is asked, without anything that tells an answer."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.content import Content
from api.questions import Question, Quiz
from api.service import ServiceDep
from api.wire import NotThere

router = APIRouter(prefix="/quizzes", tags=["quizzes"])


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
