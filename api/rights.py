"""What a member may do with their own data: carry it away, leave, and be forgotten."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Response
from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from api import tally
from api.answers import Answer, own_answers
from api.grading import find_key, grade
from api.members import (
    Invitation,
    Member,
    MemberDep,
    MemberOut,
    SignIn,
    cookie_name,
    end_invitations,
    end_sessions,
    forget_device,
    wait_for_writers,
)
from api.membership import let_go
from api.notes import Note, NoteRevision
from api.questions import Question
from api.reports import ProblemReport
from api.service import NowDep, Service, ServiceDep

DEVICE_FIELDS = {"device", "made_at", "used_at", "expires_at"}
CODE_FIELDS = {"made_at", "expires_at", "used_at"}
ERASED = json.dumps("(erased)")  # in place of an answer in words that were the member's own

router = APIRouter(tags=["members"])


@router.get("/me/export")
def export(member: MemberDep, service: ServiceDep, now: NowDep) -> dict[str, Any]:
    """Everything that is stored about the member who asks."""
    with service.database.read() as session:
        notes = session.exec(
            select(Note, NoteRevision)
            .join(NoteRevision, col(NoteRevision.note_id) == col(Note.id))
            .where(or_(col(Note.author_id) == member.id, col(NoteRevision.editor_id) == member.id))
            .order_by(col(Note.created_at), col(NoteRevision.version))
        )
        own_reports = (
            select(ProblemReport)
            .where(ProblemReport.member_id == member.id)
            .order_by(col(ProblemReport.reported_at), col(ProblemReport.id))
        )
        sessions = session.exec(select(SignIn).where(SignIn.member_id == member.id))
        whose = or_(col(Invitation.member_id) == member.id, col(Invitation.made_by_id) == member.id)
        codes = session.exec(select(Invitation).where(whose))
        person = session.get(Member, member.id)
        assert person
        return {
            "member": {**member.model_dump(), "joined_at": person.joined_at},
            "devices": [row.model_dump(include=DEVICE_FIELDS) for row in sessions],
            "codes": [
                {"for": "a device" if row.member_id else "an invitation"}
                | row.model_dump(include=CODE_FIELDS)
                for row in codes
            ],
            "answers": own_answers(session, service, member, now),
            "notes": [_note(note, revision, member.id) for note, revision in notes],
            "reports": [
                {"question": report.question, "text": report.text, "at": report.reported_at}
                for report in session.exec(own_reports)
            ],
        }


def _note(note: Note, revision: NoteRevision, member_id: str) -> dict[str, Any]:
    return {
        "id": note.id,
        "meeting": note.meeting,
        "entry": note.entry,
        "visibility": note.visibility,
        "mine": note.author_id == member_id,
        "version": revision.version,
        "changed_by_me": revision.editor_id == member_id,
        "saved_for": revision.visibility,
        "body": revision.body,
        "saved_at": revision.saved_at,
        "deleted": note.deleted_at is not None,
    }


@router.delete("/me", status_code=204)
def erase(
    member: MemberDep,
    service: ServiceDep,
    now: NowDep,
    response: Response,
    afterwards: BackgroundTasks,
) -> None:
    """Forget the member: name, notes, reasons, own words and sessions go; the counts stay.

    409 for the last organizer while others belong to the group.
    """
    service.database.write(lambda session: forget(session, service, member, now))
    response.delete_cookie(cookie_name(service), path="/")
    afterwards.add_task(service.database.leave_no_trace)


@router.delete("/session", status_code=204)
def sign_out(request: Request, member: MemberDep, service: ServiceDep, response: Response) -> None:
    """End the session of this device."""
    service.database.write(lambda session: forget_device(session, request, service))
    response.delete_cookie(cookie_name(service), path="/")


def forget(session: Session, service: Service, member: MemberOut, now: dt.datetime) -> None:
    """Keep the rows that counts rest on, and nothing in them that a person wrote."""
    wait_for_writers(session)
    let_go(session, member.id)
    own_notes = select(Note.id).where(Note.author_id == member.id)
    session.execute(
        update(NoteRevision)
        .where(col(NoteRevision.note_id).in_(own_notes))
        .values(body="", html=None)
    )
    session.execute(update(Note).where(col(Note.author_id) == member.id).values(deleted_at=now))
    _forget_words(session, service, member)
    session.execute(
        update(Answer)
        .where(col(Answer.member_id) == member.id)
        .values(reason=None, reply="{}", request_hash="")
    )
    session.execute(
        update(ProblemReport)
        .where(col(ProblemReport.member_id) == member.id)
        .values(text="", closed_at=now)
    )
    end_sessions(session, member.id)
    end_invitations(session, member.id)
    session.execute(
        update(Member).where(col(Member.id) == member.id).values(name="", erased_at=now)
    )


def _forget_words(session: Session, service: Service, member: MemberOut) -> None:
    """Take out what the member answered in words of their own. A wrong answer still counts so."""
    asked = {
        question.id: question
        for quiz in service.content.quizzes.values()
        for question in quiz.questions
    }
    of_member = col(Answer.member_id) == member.id
    rows = [row.model_dump() for row in session.exec(select(Answer).where(of_member))]
    own = [row for row in rows if _are_own_words(row, asked.get(row["question"]), service)]
    if not own:
        return
    tally.take_back(session, own)
    tally.add(session, [{**row, "response": ERASED} for row in own])
    ids = [row["id"] for row in own]
    session.execute(
        update(Answer).where(of_member, col(Answer.id).in_(ids)).values(response=ERASED)
    )


def _are_own_words(row: Mapping[str, Any], question: Question | None, service: Service) -> bool:
    """Not the words of the key, nor an option's id. Of a question that is gone nobody can tell."""
    response = json.loads(row["response"])
    if not isinstance(response, str):
        return False  # numbers, and ids that were offered
    if question is None:
        return True
    if question.type != "text":
        return response not in {option.id for option in question.offered}
    return not grade(question, response, find_key(question, service.content.facts)).correct
