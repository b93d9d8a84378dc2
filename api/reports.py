"""What members say is wrong with a question, for the organizers."""

import datetime as dt
import uuid
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, StringConstraints
from sqlmodel import Field, Session, SQLModel, col, select

from api.database import UtcDateTime
from api.members import MemberDep, MemberOut, OrganizerDep, still_member, write_as_organizer
from api.questions import Question
from api.quizzes import QuizDep, find_question
from api.service import NowDep, ServiceDep
from api.wire import Conflict, Input, NotBlank, NotThere, Storable, repeated

router = APIRouter(tags=["quizzes"])


class ProblemReport(SQLModel, table=True):
    """One problem, as a member put it. Organizers see the words and not the name."""

    __tablename__ = "problem_report"

    member_id: str = Field(primary_key=True, foreign_key="member.id")
    id: str = Field(primary_key=True)  # made by the client, so that a retry is recognised
    question: str = Field(index=True)
    question_version: str
    text: str = Field(sa_type=sa.Text)
    reported_at: dt.datetime = Field(sa_type=UtcDateTime)
    closed_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class ReportIn(Input):
    id: uuid.UUID
    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000),
        Storable,
        NotBlank,
    ]


class ReportOut(BaseModel):
    id: str
    question: str
    text: str
    reported_at: dt.datetime
    outdated: bool  # the question has changed since


@router.post(
    "/quizzes/{slug}/questions/{question_id}/reports",
    status_code=201,
    responses=repeated(ReportOut),
)
def report_problem(
    quiz: QuizDep,
    question_id: str,
    given: ReportIn,
    member: MemberDep,
    service: ServiceDep,
    now: NowDep,
    response: Response,
) -> ReportOut:
    """Tell the organizers what is wrong with a question. The same `id` again is one report: 200."""
    question = find_question(quiz, question_id)
    made, is_new = service.database.write(
        lambda session: store(session, question, given, member, now)
    )
    if not is_new:
        response.status_code = 200
    return made


@router.get("/quizzes/{slug}/reports")
def list_reports(quiz: QuizDep, _: OrganizerDep, service: ServiceDep) -> list[ReportOut]:
    """The open reports on the questions of a quiz, oldest first, without names."""
    with service.database.read() as session:
        return open_reports(session, quiz.questions)


@router.delete("/reports/{report_id}", status_code=204)
def close_report(
    report_id: uuid.UUID, organizer: OrganizerDep, service: ServiceDep, now: NowDep
) -> None:
    """Take a report off the list, as dealt with. 404 if there is none."""

    def close(session: Session) -> None:
        mine = col(ProblemReport.id) == str(report_id)
        rows = session.exec(select(ProblemReport).where(mine)).all()
        if not rows:
            raise NotThere("no such report")
        for row in rows:
            row.closed_at = row.closed_at or now

    write_as_organizer(service.database, organizer, close)


def store(
    session: Session, question: Question, given: ReportIn, member: MemberOut, now: dt.datetime
) -> tuple[ReportOut, bool]:
    member = still_member(session, member)
    stored = session.get(ProblemReport, (member.id, str(given.id)))
    if stored and (stored.question, stored.text) != (question.id, given.text):
        raise Conflict(f"id {given.id} was used for another report; make a new one")
    row = stored or ProblemReport(
        member_id=member.id,
        id=str(given.id),
        question=question.id,
        question_version=question.version,
        text=given.text,
        reported_at=now,
    )
    session.add(row)
    return _out(row, question.version), stored is None


def open_reports(session: Session, questions: list[Question]) -> list[ReportOut]:
    versions = {question.id: question.version for question in questions}
    query = (
        select(ProblemReport)
        .where(col(ProblemReport.question).in_(versions), col(ProblemReport.closed_at).is_(None))
        .order_by(col(ProblemReport.reported_at), col(ProblemReport.id))
    )
    return [_out(row, versions[row.question]) for row in session.exec(query)]


def _out(row: ProblemReport, version: str) -> ReportOut:
    return ReportOut(
        id=row.id,
        question=row.question,
        text=row.text,
        reported_at=row.reported_at,
        outdated=row.question_version != version,
    )
