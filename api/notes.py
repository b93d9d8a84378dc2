"""Notes that members write under a meeting. Every version of every note is kept."""

import datetime as dt
import uuid
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Response
from pydantic import AfterValidator, BaseModel, StringConstraints
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import Select as SelectOfMany

from api.database import UtcDateTime
from api.members import Member, MemberDep, MemberOut
from api.render import render
from api.service import NowDep, ServiceDep
from api.wire import Conflict, Input, NotAllowed, NotThere, NoVersion, Stale, Storable

LONGEST_NOTE = 16_384  # characters: what renders in well under two seconds, however hostile

router = APIRouter(prefix="/notes", tags=["notes"])


class Note(SQLModel, table=True):
    """A note; its text is that of its newest revision."""

    __table_args__ = (
        sa.CheckConstraint("visibility IN ('private', 'group', 'public')", name="visibility"),
    )

    id: str = Field(primary_key=True)
    meeting: str = Field(index=True)
    author_id: str = Field(foreign_key="member.id", index=True)
    visibility: str
    version: int
    created_at: dt.datetime = Field(sa_type=UtcDateTime)
    deleted_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class NoteRevision(SQLModel, table=True):
    """The text of a note as it was saved once. Rows are added and never changed."""

    __tablename__ = "note_revision"

    note_id: str = Field(primary_key=True, foreign_key="note.id")
    version: int = Field(primary_key=True)
    editor_id: str = Field(foreign_key="member.id")
    body: str = Field(sa_type=sa.Text)
    saved_at: dt.datetime = Field(sa_type=UtcDateTime)


Visibility = Literal["private", "group", "public"]


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty note; write something")
    return text


Body = Annotated[
    str, StringConstraints(max_length=LONGEST_NOTE), Storable, AfterValidator(_says_something)
]


class NoteIn(Input):
    id: uuid.UUID | None = None  # made by the client, so that a retry is recognised
    meeting: dt.date
    body: Body
    visibility: Visibility = "group"


class NoteEdit(Input):
    body: Body
    visibility: Visibility | None = None


class NoteOut(BaseModel):
    id: str
    meeting: str
    author: str
    mine: bool
    body: str
    html: str
    visibility: Visibility
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime


class RevisionOut(BaseModel):
    version: int
    body: str
    saved_at: dt.datetime


async def _expected_version(
    member: MemberDep, if_match: Annotated[str | None, Header()] = None
) -> int | None:
    """The version that the client has seen, from `If-Match: "3"`; None for any other tag.

    Asked of members only: who has not joined is told that first. `*` is no version.
    """
    if if_match is None:
        raise NoVersion('say which version you change: If-Match: "VERSION", from the ETag')
    tag = if_match.strip()
    if len(tag) >= 3 and tag[0] == tag[-1] == '"' and tag[1:-1].isascii() and tag[1:-1].isdigit():
        return int(tag[1:-1][:18])
    return None


ExpectedDep = Annotated[int | None, Depends(_expected_version)]


@router.get("")
def list_notes(meeting: dt.date, member: MemberDep, service: ServiceDep) -> list[NoteOut]:
    """The notes of a meeting that the member may see, oldest first."""
    query = (
        _newest()
        .where(col(Note.meeting) == str(meeting), _may_see(member))
        .order_by(col(Note.created_at), col(Note.id))
    )
    with service.database.read() as session:
        return [_out(row, member) for row in session.exec(query)]


@router.post("", status_code=201)
def write_note(
    given: NoteIn, member: MemberDep, service: ServiceDep, now: NowDep, response: Response
) -> NoteOut:
    """Store a note as it was written. 404 if there was no such meeting.

    The same `id` with the same text is one note: 200. With another text it is 409.
    """
    if str(given.meeting) not in service.content.meetings:
        raise NotThere(f"no meeting is recorded for {given.meeting}")
    note, is_new = service.database.write(lambda session: add_note(session, given, member, now))
    if not is_new:
        response.status_code = 200
    return _tagged(note, response)


@router.get("/{note_id}")
def read_note(
    note_id: uuid.UUID, member: MemberDep, service: ServiceDep, response: Response
) -> NoteOut:
    with service.database.read() as session:
        return _tagged(find_note(session, str(note_id), member), response)


@router.put("/{note_id}")
def edit_note(
    note_id: uuid.UUID,
    given: NoteEdit,
    expected: ExpectedDep,
    member: MemberDep,
    service: ServiceDep,
    now: NowDep,
    response: Response,
) -> NoteOut:
    """Save a new version. 428 without If-Match, 412 with the present text if it is not that one."""
    note = service.database.write(
        lambda session: change_note(session, str(note_id), given, expected, member, now)
    )
    return _tagged(note, response)


@router.delete("/{note_id}", status_code=204)
def delete_note(
    note_id: uuid.UUID, expected: ExpectedDep, member: MemberDep, service: ServiceDep, now: NowDep
) -> None:
    service.database.write(
        lambda session: remove_note(session, str(note_id), expected, member, now)
    )


@router.get("/{note_id}/revisions")
def list_revisions(note_id: uuid.UUID, member: MemberDep, service: ServiceDep) -> list[RevisionOut]:
    """Every version of a note, oldest first."""
    with service.database.read() as session:
        find_note(session, str(note_id), member)
        query = select(NoteRevision).where(NoteRevision.note_id == str(note_id))
        rows = session.exec(query.order_by(col(NoteRevision.version)))
        return [RevisionOut.model_validate(row, from_attributes=True) for row in rows]


def add_note(
    session: Session, given: NoteIn, member: MemberOut, now: dt.datetime
) -> tuple[NoteOut, bool]:
    note_id = str(given.id or uuid.uuid4())
    stored = session.get(Note, note_id)
    if stored:
        first = session.get(NoteRevision, (note_id, 1))
        same = first and (first.body, stored.meeting) == (given.body, str(given.meeting))
        if stored.author_id != member.id or not same:
            raise Conflict(f"id {note_id} was used for another note; make a new one")
        return find_note(session, note_id, member), False
    session.add(
        Note(
            id=note_id,
            meeting=str(given.meeting),
            author_id=member.id,
            visibility=given.visibility,
            version=1,
            created_at=now,
        )
    )
    session.flush()  # the revision refers to the note
    session.add(_revision(note_id, 1, member, given.body, now))
    session.flush()
    return find_note(session, note_id, member), True


def change_note(
    session: Session,
    note_id: str,
    given: NoteEdit,
    expected: int | None,
    member: MemberOut,
    now: dt.datetime,
) -> NoteOut:
    note = _own_version(session, note_id, expected, member)
    note.version += 1
    note.visibility = given.visibility or note.visibility
    session.add(note)
    session.add(_revision(note_id, note.version, member, given.body, now))
    session.flush()
    return find_note(session, note_id, member)


def remove_note(
    session: Session, note_id: str, expected: int | None, member: MemberOut, now: dt.datetime
) -> None:
    note = _own_version(session, note_id, expected, member)
    note.deleted_at = now
    session.add(note)


def find_note(session: Session, note_id: str, member: MemberOut) -> NoteOut:
    """The note, if the member may see it. Raises NotThere, also for others' private ones."""
    row = session.exec(_newest().where(col(Note.id) == note_id, _may_see(member))).first()
    if row is None:
        raise NotThere(f"no note {note_id}")
    return _out(row, member)


def _own_version(session: Session, note_id: str, expected: int | None, member: MemberOut) -> Note:
    """The note, for the one who may change it, in the version that was seen."""
    current = find_note(session, note_id, member)
    note = session.get(Note, note_id)
    assert note
    if note.author_id != member.id and member.role != "organizer":
        raise NotAllowed("only its author or an organizer may change a note")
    if note.version != expected:
        raise Stale(
            f'the note is at version {note.version}; send If-Match: "{note.version}"',
            current=current.model_dump(mode="json"),
        )
    return note


def _revision(
    note_id: str, version: int, editor: MemberOut, body: str, now: dt.datetime
) -> NoteRevision:
    return NoteRevision(
        note_id=note_id, version=version, editor_id=editor.id, body=body, saved_at=now
    )


Row = tuple[Note, NoteRevision, str]
Rows = SelectOfMany[Note, NoteRevision, str]


def _newest() -> Rows:
    """Notes that are not deleted, each with its newest revision and its author's name."""
    return (
        select(Note, NoteRevision, Member.name)
        .join(
            NoteRevision,
            (col(NoteRevision.note_id) == col(Note.id))
            & (col(NoteRevision.version) == col(Note.version)),
        )
        .join(Member, col(Member.id) == col(Note.author_id))
        .where(col(Note.deleted_at).is_(None))
    )


def _may_see(member: MemberOut) -> sa.ColumnElement[bool]:
    return (col(Note.visibility) != "private") | (col(Note.author_id) == member.id)


def _out(row: Row, member: MemberOut) -> NoteOut:
    note, revision, author = row
    return NoteOut(
        id=note.id,
        meeting=note.meeting,
        author=author,
        mine=note.author_id == member.id,
        body=revision.body,
        html=render(revision.body),
        visibility=note.visibility,
        version=note.version,
        created_at=note.created_at,
        updated_at=revision.saved_at,
    )


def _tagged(note: NoteOut, response: Response) -> NoteOut:
    response.headers["ETag"] = f'"{note.version}"'
    return note
