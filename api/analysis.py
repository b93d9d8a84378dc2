"""Item analysis of a quiz, from the first answers that came in time; for its organizers.

Every figure keeps to the threshold below which it would be noise, and says so in `notes`. Unlike
the results, this reads the answers themselves, of at most 5,000 people.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlmodel import Session

from api import statistics
from api.answers import ANSWER
from api.export import csv_text
from api.grading import Mark
from api.members import MemberDep, OrganizerDep
from api.questions import Question, Quiz
from api.quizzes import QuizDep
from api.results import known_keys, mark
from api.service import Service, ServiceDep
from api.statistics import (
    FOR_DIFFICULTY,
    FOR_DISCRIMINATION,
    FOR_FLAGS,
    FOR_RELIABILITY,
    Scores,
    from_enough,
    not_enough,
)
from api.wire import NotThere

router = APIRouter(tags=["quizzes"])

LARGEST_SAMPLE = 5_000  # people; more would make no figure more certain than its last digit


class DistractorOut(BaseModel):
    option: str
    n: int
    share: float
    mean_rest: float | None  # the mean score of its choosers on the other questions


class ItemOut(BaseModel):
    question: str
    n: int
    difficulty: float | None
    interval: tuple[float, float] | None
    discrimination: float | None
    discrimination_interval: tuple[float, float] | None
    efficiency: float | None
    options: list[DistractorOut] | None
    flags: list[str]
    notes: list[str]


class LevelOut(BaseModel):
    certainty: int
    n: int
    correct: int | None
    share: float | None


class CalibrationOut(BaseModel):
    levels: list[LevelOut]
    brier: float | None
    n: int


class StatisticsOut(BaseModel):
    slug: str
    n_people: int  # of more than 5,000, a sample of so many
    n_complete: int  # who answered every question; all but the difficulty rests on them
    items: list[ItemOut]
    alpha: float | None
    kr20: float | None  # the same, where every mark is right or wrong
    standard_error: float | None
    calibration: CalibrationOut
    notes: list[str]


@router.get("/quizzes/{slug}/statistics")
def read_statistics(quiz: QuizDep, _: OrganizerDep, service: ServiceDep) -> StatisticsOut:
    """Difficulty, discrimination, distractors, reliability, calibration; null below threshold."""
    with service.database.read() as session:
        sample = _last_of_sample(session, quiz.questions)
        return analyse(quiz, first_answers(session, service, quiz.questions, up_to=sample))


@router.get("/quizzes/{slug}/statistics.csv", response_class=Response)
def export_statistics(quiz: QuizDep, organizer: OrganizerDep, service: ServiceDep) -> Response:
    """The statistics of the questions as a table, a row for each. A spreadsheet runs none of it."""
    table = csv_text(rows(read_statistics(quiz, organizer, service)))
    headers = {"Content-Disposition": f'attachment; filename="{quiz.slug}-statistics.csv"'}
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/statistics")
def read_season(_: OrganizerDep, service: ServiceDep) -> StatisticsOut:
    """All meetings' quizzes as one: a single quiz has too few questions to be called reliable.

    404 if no meeting has a quiz.
    """
    quizzes = [quiz for quiz in service.content.quizzes.values() if quiz.meeting]
    if not quizzes:
        raise NotThere("no meeting has a quiz yet")
    questions = [question for quiz in quizzes for question in quiz.questions]
    season = quizzes[0].model_copy(update={"slug": "season", "questions": questions})
    with service.database.read() as session:
        sample = _last_of_sample(session, questions)
        return analyse(season, first_answers(session, service, questions, up_to=sample))


@router.get("/me/calibration")
def read_own_calibration(member: MemberDep, service: ServiceDep) -> CalibrationOut:
    """How often the member who asks was right, by how sure they were. Nobody else can ask this."""
    asked = [question for quiz in service.content.quizzes.values() for question in quiz.questions]
    with service.database.read() as session:
        own = first_answers(session, service, asked, member.id, told_only=True)
    return calibration(own)


class First(NamedTuple):
    """A member's first answer to a question, marked by today's key."""

    member_id: str
    question: str
    certainty: int | None
    response: Any
    mark: Mark


def first_answers(
    session: Session,
    service: Service,
    questions: Iterable[Question],
    member_id: str | None = None,
    *,
    told_only: bool = False,
    up_to: str | None = None,
) -> list[First]:
    """First answers in time to the present edition of each question, of all members or one.

    `up_to` is the last member of a sample. `told_only` leaves out what may not have been told: the
    questions that are voted on.
    """
    asked = {question.id: question for question in questions}
    keys = known_keys(service, asked)
    columns = ANSWER.c
    query = (
        sa.select(
            columns.member_id,
            columns.question,
            columns.question_version,
            columns.certainty,
            columns.response,
        )
        .where(columns.question.in_(asked), columns.turn == "first", columns.late.is_(False))
        .order_by(columns.member_id, columns.question)
    )
    if member_id is not None:
        query = query.where(columns.member_id == member_id)
    if up_to is not None:
        query = query.where(columns.member_id <= up_to)
    if told_only:
        held = [name for name, question in asked.items() if question.vote]
        query = query.where(columns.question.not_in(held))
    marks: dict[tuple[str, str], tuple[Any, Mark | None]] = {}
    found = []
    for person, name, version, certainty, text in session.connection().execute(query):
        if name not in keys or version not in service.edition_of(asked[name]):
            continue
        if (name, text) not in marks:
            response = json.loads(text)
            marks[name, text] = response, mark(asked[name], response, keys[name])
        response, marked = marks[name, text]
        if marked:
            found.append(First(person, name, certainty, response, marked))
    return found


def _last_of_sample(session: Session, questions: Iterable[Question]) -> str | None:
    """Where a sample of people ends; None if all fit. Ids are random, so any stretch is one."""
    people = (
        sa.select(ANSWER.c.member_id)
        .where(ANSWER.c.question.in_([question.id for question in questions]))
        .distinct()
        .order_by(ANSWER.c.member_id)
        .offset(LARGEST_SAMPLE - 1)
        .limit(1)
    )
    return session.connection().execute(people).scalar()


def analyse(quiz: Quiz, answers: list[First]) -> StatisticsOut:
    ids = [question.id for question in quiz.questions]
    people: dict[str, dict[str, First]] = {}
    for answer in answers:
        people.setdefault(answer.member_id, {})[answer.question] = answer
    complete = [own for own in people.values() if len(own) == len(ids)]
    scores = [[own[name].mark.score for name in ids] for own in complete]
    n, (people_needed, questions_needed) = len(scores), FOR_RELIABILITY
    notes = [
        note
        for note in (
            not_enough(n, people_needed),
            f"not enough questions for reliability ({len(ids)} of {questions_needed})"
            if len(ids) < questions_needed
            else None,
        )
        if note
    ]
    dichotomous = statistics.is_dichotomous(scores)
    alpha = None if notes else statistics.alpha(scores)
    return StatisticsOut(
        slug=quiz.slug,
        n_people=len(people),
        n_complete=n,
        items=[
            _item(
                question,
                [own[question.id] for own in people.values() if question.id in own],
                [own[question.id] for own in complete],
                scores,
                place,
            )
            for place, question in enumerate(quiz.questions)
        ],
        alpha=alpha,
        kr20=alpha if dichotomous else None,
        standard_error=None if notes else statistics.standard_error(scores),
        calibration=calibration(answers),
        notes=notes,
    )


def _item(
    question: Question, all_: list[First], complete: list[First], scores: Scores, place: int
) -> ItemOut:
    """`complete` are the answers in the rows of `scores`, in their order; `place` the column."""
    right, n, rows = sum(answer.mark.correct for answer in all_), len(all_), len(scores)
    rest = statistics.rests(scores, place)
    r = from_enough(rows, FOR_DISCRIMINATION, lambda: statistics.discrimination(scores, place))
    options: list[DistractorOut] | None = None
    flags: list[str] = []
    if rows >= FOR_DISCRIMINATION and question.type == "single":
        table = statistics.distractors([answer.response for answer in complete], rest)
        key = next(option.id for option in question.options if option.right)
        options = [DistractorOut(option=name, **chosen._asdict()) for name, chosen in table.items()]
        flags += [
            f"those who chose ({name}) did better elsewhere than those who were right"
            for name in statistics.miskeyed(table, key)
        ]
    if rows >= FOR_FLAGS and r is not None and r < 0.15:
        flags.append("check the key" if r < 0 else "hardly tells who does well elsewhere")
    interval = statistics.wilson(right, n)
    spread = from_enough(
        rows, FOR_DISCRIMINATION, lambda: statistics.discrimination_interval(scores, place)
    )
    notes = (not_enough(n, FOR_DIFFICULTY), not_enough(rows, FOR_DISCRIMINATION))
    return ItemOut(
        question=question.id,
        n=n,
        difficulty=right / n if n >= FOR_DIFFICULTY else None,
        interval=interval if n >= FOR_DIFFICULTY else None,
        discrimination=r,
        discrimination_interval=spread,
        efficiency=from_enough(
            rows, FOR_DISCRIMINATION, lambda: statistics.discriminative_efficiency(scores, place)
        ),
        options=options,
        flags=flags,
        notes=[note for note in notes if note],
    )


def rows(found: StatisticsOut) -> list[dict[str, Any]]:
    """A row for each question; what is below its threshold is left empty."""
    made = []
    for item in found.items:
        low, high = item.interval or (None, None)
        r_low, r_high = item.discrimination_interval or (None, None)
        made.append(
            {
                "question": item.question,
                "n": item.n,
                "difficulty": item.difficulty,
                "low": low,
                "high": high,
                "discrimination": item.discrimination,
                "discrimination_low": r_low,
                "discrimination_high": r_high,
                "efficiency": item.efficiency,
                "flags": "; ".join(item.flags),
                "notes": "; ".join(item.notes),
            }
        )
    return made


def calibration(answers: Iterable[First]) -> CalibrationOut:
    """How often each level of certainty was right. Below ten answers at a level nothing is said."""
    sure = [(answer.certainty, answer.mark.correct) for answer in answers if answer.certainty]
    levels = [
        LevelOut(certainty=level, n=found.n, correct=found.right, share=found.share)
        for level, found in statistics.calibration(sure).items()
    ]
    enough = len(sure) >= statistics.FOR_CALIBRATION
    return CalibrationOut(
        levels=levels, brier=statistics.brier(sure) if enough else None, n=len(sure)
    )
