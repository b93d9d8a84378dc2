"""What a member may do with their own data: carry it away, leave, and be forgotten."""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import update
from sqlmodel import Session, col, select

from api.answers import Answer, own_answers
from api.members import (
    Member,
    MemberDep,
    MemberOut,
    SignIn,
    cookie_name,
    end_sessions,
    forget_device,
)
from api.notes import Note, NoteRevision
from api.reports import ProblemReport
from api.service import NowDep, ServiceDep

DEVICE_FIELDS = {"device", "made_at", "used_at", "expires_at"}

router = APIRouter(tags=["members"])


@router.get("/me/export")
def export(member: MemberDep, service: ServiceDep, now: NowDep) -> dict[str, Any]:
    """Everything that is stored about the member who asks."""
    with service.database.read() as session:
        notes = session.exec(
            select(Note, NoteRevision)
            .join(NoteRevision, col(NoteRevision.note_id) == col(Note.id))
            .where(Note.author_id == member.id)
            .order_by(col(Note.created_at), col(NoteRevision.version))
        )
        own_reports = (
            select(ProblemReport)
            .where(ProblemReport.member_id == member.id)
            .order_by(col(ProblemReport.reported_at), col(ProblemReport.id))
        )
        sessions = session.exec(select(SignIn).where(SignIn.member_id == member.id))
        person = session.get(Member, member.id)
        assert person
        return {
            "member": {**member.model_dump(), "joined_at": person.joined_at},
            "devices": [row.model_dump(include=DEVICE_FIELDS) for row in sessions],
            "answers": own_answers(session, service, member, now),
            "notes": [_note(note, revision) for note, revision in notes],
            "reports": [
                {"question": report.question, "text": report.text, "at": report.reported_at}
                for report in session.exec(own_reports)
            ],
        }


def _note(note: Note, revision: NoteRevision) -> dict[str, Any]:
    return {
        "id": note.id,
        "meeting": note.meeting,
        "entry": note.entry,
        "visibility": note.visibility,
        "version": revision.version,
        "body": revision.body,
        "saved_at": revision.saved_at,
        "deleted": note.deleted_at is not None,
    }


@router.delete("/me", status_code=204)
def erase(member: MemberDep, service: ServiceDep, now: NowDep, response: Response) -> None:
    """Forget the member: name, notes, reasons and sessions go, the answers' counts stay."""
    service.database.write(lambda session: forget(session, member, now))
    response.delete_cookie(cookie_name(service), path="/")


@router.delete("/session", status_code=204)
def sign_out(request: Request, member: MemberDep, service: ServiceDep, response: Response) -> None:
    """End the session of this device."""
    service.database.write(lambda session: forget_device(session, request, service))
    response.delete_cookie(cookie_name(service), path="/")


def forget(session: Session, member: MemberOut, now: dt.datetime) -> None:
    """Keep the rows that counts rest on, and nothing in them that a person wrote."""
    own_notes = select(Note.id).where(Note.author_id == member.id)
    session.execute(
        update(NoteRevision)
        .where(col(NoteRevision.note_id).in_(own_notes))
        .values(body="", html=None)
    )
    session.execute(update(Note).where(col(Note.author_id) == member.id).values(deleted_at=now))
    session.execute(
        update(Answer).where(col(Answer.member_id) == member.id).values(reason=None, reply="{}")
    )
    session.execute(
        update(ProblemReport)
        .where(col(ProblemReport.member_id) == member.id)
        .values(text="", closed_at=now)
    )
    end_sessions(session, member.id)
    session.execute(
        update(Member).where(col(Member.id) == member.id).values(name="", erased_at=now)
    )
