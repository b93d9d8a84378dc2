"""What the answers to a quiz say, for its organizers: counts, never names.

Only first answers that came in time are counted, and only those to the present edition of a
question. They are read from the tally and marked here, so a corrected key needs nothing done.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlmodel import Session

from api import statistics
from api.answers import ANSWER
from api.export import csv_text
from api.grading import Key, Mark, NoKey, find_key, grade
from api.members import OrganizerDep
from api.questions import Question, Quiz
from api.quizzes import QuizDep
from api.reports import open_reports
from api.service import Service, ServiceDep
from api.statistics import FOR_DIFFICULTY, not_enough
from api.tally import TALLY
from api.wire import NotOffered

router = APIRouter(prefix="/quizzes", tags=["quizzes"])

MOST_REASONS, MOST_RESPONSES = 20, 12  # of one question, in one reply


class ShareOut(BaseModel):
    """How often a response was given; of a choice, how often an option was chosen."""

    response: Any
    n: int
    correct: bool


class RevoteOut(BaseModel):
    """The votes in the meeting. `gain` is the share of what could be gained that was."""

    n: int
    correct: int
    gain: float | None


class QuestionResultOut(BaseModel):
    question: str
    type: str
    stem: str
    n: int  # first answers in time
    n_late: int
    correct: int
    score: float | None  # the mean, with partial credit
    difficulty: float | None  # the share right
    interval: tuple[float, float] | None  # of the difficulty, 95 %, by Wilson
    distribution: list[ShareOut] | None
    confident_and_wrong: int
    reasons: list[str]
    revote: RevoteOut | None
    reports: list[str]
    note: str | None  # what is missing until there are more answers


class ResultsOut(BaseModel):
    slug: str
    title: str
    questions: list[QuestionResultOut]


@router.get("/{slug}/results")
def read_results(quiz: QuizDep, _: OrganizerDep, service: ServiceDep) -> ResultsOut:
    """How the group answers, question by question. Distributions and reasons from three answers."""
    with service.database.read() as session:
        return results(session, service, quiz)


@router.get("/{slug}/results.csv", response_class=Response)
def export_results(quiz: QuizDep, _: OrganizerDep, service: ServiceDep) -> Response:
    """The results as a table, a row for each response. A spreadsheet runs none of it."""
    with service.database.read() as session:
        table = csv_text(rows(results(session, service, quiz)))
    headers = {"Content-Disposition": f'attachment; filename="{quiz.slug}.csv"'}
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


# Counting ----------------------------------------------------------------------------------------


class Group(NamedTuple):
    """Equal answers: what was given how often, with its mark under today's key."""

    turn: str
    late: bool
    text: str  # the response, as JSON
    response: Any
    n: int
    sure: int  # of these, how many with the highest certainty
    mark: Mark


_SAME = (
    TALLY.c.question,
    TALLY.c.question_version,
    TALLY.c.turn,
    TALLY.c.late,
    TALLY.c.response,
)
_EQUAL = sa.select(
    *_SAME,
    sa.func.sum(TALLY.c.n),
    sa.func.sum(sa.case((TALLY.c.certainty == 3, TALLY.c.n), else_=0)),
).group_by(*_SAME)


def groups(
    session: Session, service: Service, questions: Iterable[Question]
) -> dict[str, list[Group]]:
    """By question, its tally, marked."""
    asked = {question.id: question for question in questions}
    keys = known_keys(service, asked)
    counting = {name: service.edition_of(question) for name, question in asked.items()}
    found: dict[str, list[Group]] = {name: [] for name in asked}
    marks: dict[tuple[str, str], tuple[Any, Mark | None]] = {}
    query = _EQUAL.where(TALLY.c.question.in_(asked))
    for name, version, turn, late, text, n, sure in session.connection().execute(query).all():
        if version not in counting[name] or name not in keys:
            continue
        if (name, text) not in marks:
            response = json.loads(text)
            marks[name, text] = response, mark(asked[name], response, keys[name])
        response, marked = marks[name, text]
        if marked:
            found[name].append(Group(turn, late, text, response, n, sure, marked))
    return found


def known_keys(service: Service, asked: Mapping[str, Question]) -> dict[str, Key]:
    """The keys by question, without those whose notebook is missing: the check tells of these."""
    found = {}
    for name, question in asked.items():
        with suppress(NoKey):
            found[name] = find_key(question, service.content.facts)
    return found


def mark(question: Question, response: Any, key: Key) -> Mark | None:
    """The mark of a stored response; None if the question does not offer it any more."""
    try:
        return grade(question, response, key)
    except NotOffered:
        return None


def results(session: Session, service: Service, quiz: Quiz) -> ResultsOut:
    found = groups(session, service, quiz.questions)
    reported: dict[str, list[str]] = {}
    for report in open_reports(session, quiz.questions):
        reported.setdefault(report.question, []).append(report.text)
    questions = [
        _result(
            question,
            found[question.id],
            reasons(session, service, question),
            reported.get(question.id, []),
        )
        for question in quiz.questions
    ]
    return ResultsOut(slug=quiz.slug, title=quiz.title, questions=questions)


def _result(
    question: Question, found: list[Group], said: list[str], reported: list[str]
) -> QuestionResultOut:
    first = [group for group in found if group.turn == "first"]
    counted = [group for group in first if not group.late]
    n = sum(group.n for group in counted)
    right = sum(group.n for group in counted if group.mark.correct)
    enough = n >= FOR_DIFFICULTY
    return QuestionResultOut(
        question=question.id,
        type=question.type,
        stem=question.stem,
        n=n,
        n_late=sum(group.n for group in first if group.late),
        correct=right,
        score=sum(group.n * group.mark.score for group in counted) / n if enough else None,
        difficulty=right / n if enough else None,
        interval=statistics.wilson(right, n) if enough else None,
        distribution=distribution(question, counted) if enough else None,
        confident_and_wrong=sum(group.sure for group in counted if not group.mark.correct),
        reasons=said if enough else [],
        revote=_revote(found, right / n if n else None),
        reports=reported,
        note=not_enough(n, FOR_DIFFICULTY),
    )


def distribution(question: Question, counted: list[Group]) -> list[ShareOut]:
    """Every option of a choice, in the order offered; else the most frequent responses."""
    if question.type in ("single", "multiple"):
        chosen: Counter[str] = Counter()
        for group in counted:
            given = [group.response] if question.type == "single" else group.response
            for option in given:
                chosen[option] += group.n
        return [
            ShareOut(response=option.id, n=chosen[option.id], correct=option.right)
            for option in question.offered
        ]
    equal: Counter[str] = Counter()
    for group in counted:
        equal[group.text] += group.n
    by_text = {group.text: group for group in counted}
    most = sorted(equal.items(), key=lambda item: (-item[1], item[0]))[:MOST_RESPONSES]
    return [
        ShareOut(response=by_text[text].response, n=n, correct=by_text[text].mark.correct)
        for text, n in most
    ]


def _revote(found: list[Group], before: float | None) -> RevoteOut | None:
    again = [group for group in found if group.turn == "revote"]
    n = sum(group.n for group in again)
    if n < FOR_DIFFICULTY:
        return None
    right = sum(group.n for group in again if group.mark.correct)
    gain = None if before is None else statistics.normalized_gain(before, right / n)
    return RevoteOut(n=n, correct=right, gain=gain)


def reasons(session: Session, service: Service, question: Question) -> list[str]:
    """The newest reasons of first answers in time, as they were written."""
    columns = ANSWER.c
    query = (
        sa.select(columns.reason)
        .where(columns.question == question.id, columns.reason.is_not(None))
        .where(columns.turn == "first", columns.late.is_(False))
        .where(columns.question_version.in_(service.edition_of(question)))
        .order_by(columns.answered_at.desc(), columns.id)
        .limit(MOST_REASONS)
    )
    return [reason for (reason,) in session.connection().execute(query) if reason.strip()]


# As a table --------------------------------------------------------------------------------------

COLUMNS = (
    *("question", "type", "stem", "n", "correct", "difficulty", "low", "high"),
    *("confident_and_wrong", "response", "response_n", "response_correct"),
)


def rows(found: ResultsOut) -> list[Mapping[str, Any]]:
    """A row for each response to each question; one without response where too few are in."""
    made: list[Mapping[str, Any]] = []
    for result in found.questions:
        low, high = result.interval or (None, None)
        shared = result.model_dump(include=set(COLUMNS)) | {"low": low, "high": high}
        shares: Sequence[ShareOut | None] = result.distribution or (None,)
        for share in shares:
            own = {
                "response": None if share is None else share.response,
                "response_n": None if share is None else share.n,
                "response_correct": None if share is None else share.correct,
            }
            made.append({name: (shared | own)[name] for name in COLUMNS})
    return made
