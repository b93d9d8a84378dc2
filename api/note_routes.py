"""Notes over the wire: who is asked, what comes in, what goes out."""

import hashlib
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, TypeAdapter
from sqlmodel import Session, col, select

from api import merging
from api.bounded import TooMuchWork, bounded
from api.members import Member, MemberDep, MemberOut
from api.note_files import titles_of
from api.notes import (
    Body,
    Note,
    NoteEdit,
    NoteIn,
    NoteOut,
    NoteRevision,
    RevisionOut,
    Shelf,
    add_note,
    change_note,
    find_row,
    may_see,
    may_see_version,
    newest,
    note_out,
    remove_note,
    rendered,
    search_notes,
)
from api.service import NowDep, Service, ServiceDep
from api.wire import Day, Input, NotThere, NoVersion, Stale, repeated

MOST_FOUND = 50
LARGEST_VERSION = 2**31 - 1  # that the column holds; no note gets so far

router = APIRouter(prefix="/notes", tags=["notes"])


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
        return min(int(tag[1:-1][:18]), LARGEST_VERSION)
    return None


ExpectedDep = Annotated[int | None, Depends(_expected_version)]


async def _shelf(service: ServiceDep) -> Shelf:
    return Shelf(titles_of(service.content), service.published)


ShelfDep = Annotated[Shelf, Depends(_shelf)]


class PreviewIn(Input):
    body: Body


class PreviewOut(BaseModel):
    html: str


class EntryOut(BaseModel):
    slug: str
    title: str


@router.get(
    "",
    response_model=list[NoteOut],
    responses={304: {"description": "Nothing has changed since the ETag that was sent along"}},
)
async def list_notes(
    member: MemberDep,
    service: ServiceDep,
    shelf: ShelfDep,
    meeting: Day | None = None,
    entry: str | None = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The notes of a meeting or an entry that the member may see, oldest first.

    A client that asks again and again sends the ETag along: 304 while nothing has changed.
    """
    if (meeting is None) == (entry is None):
        raise NotThere("name the meeting or the entry whose notes you want")
    place = col(Note.meeting) == str(meeting) if meeting else col(Note.entry) == entry
    query = newest().where(place, may_see(member)).order_by(col(Note.created_at), col(Note.id))
    notes = await service.database.look(
        lambda session: [note_out(row, member, shelf) for row in session.exec(query)]
    )
    reply = _NOTES.dump_json(notes)
    tag = f'"{hashlib.sha256(reply).hexdigest()[:32]}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(reply, media_type="application/json", headers={"ETag": tag})


_NOTES = TypeAdapter(list[NoteOut])


@router.post("", status_code=201, responses=repeated(NoteOut))
def write_note(
    given: NoteIn,
    member: MemberDep,
    service: ServiceDep,
    shelf: ShelfDep,
    now: NowDep,
    response: Response,
) -> NoteOut:
    """Store a note as it was written. 404 if there is no such meeting or entry.

    The same `id` with the same text is one note: 200. With another text, or for other readers,
    it is 409.
    """
    _check_place(given, service)
    text = rendered(given.body, shelf.titles)
    note_id, is_new = service.database.write(
        lambda session: add_note(session, given, text, member, now)
    )
    if not is_new:
        response.status_code = 200
    return _read(service, note_id, member, shelf, response)


@router.get("/search")
def search(
    member: MemberDep,
    service: ServiceDep,
    shelf: ShelfDep,
    q: Annotated[str, Query(min_length=1, max_length=200)],
) -> list[NoteOut]:
    """The notes that hold all these words, newest first; fifty at most."""
    with service.database.read() as session:
        rows = search_notes(session, q, member, MOST_FOUND)
        return [note_out(row, member, shelf) for row in rows]


@router.get("/entries")
def list_entries(member: MemberDep, shelf: ShelfDep) -> list[EntryOut]:
    """The entries to which a note can lead, as `[[slug]]`."""
    return [EntryOut(slug=slug, title=title) for slug, title in sorted(shelf.titles.items())]


@router.post("/preview")
def preview(given: PreviewIn, member: MemberDep, shelf: ShelfDep) -> PreviewOut:
    """How a text will be shown. Nothing is stored."""
    return PreviewOut(html=rendered(given.body, shelf.titles).html)


@router.get("/{note_id}")
def read_note(
    note_id: uuid.UUID, member: MemberDep, service: ServiceDep, shelf: ShelfDep, response: Response
) -> NoteOut:
    return _read(service, str(note_id), member, shelf, response)


@router.put("/{note_id}")
def edit_note(
    note_id: uuid.UUID,
    given: NoteEdit,
    expected: ExpectedDep,
    member: MemberDep,
    service: ServiceDep,
    shelf: ShelfDep,
    now: NowDep,
    response: Response,
) -> NoteOut:
    """Save a new version. 428 without If-Match.

    412 if the note is not at that version any more: with the present note as `current`, and with
    both changes as `merged`, if the version that was seen is known.
    """
    text = rendered(given.body, shelf.titles)

    def save(session: Session) -> NoteOut:
        change_note(session, str(note_id), text, given.visibility, expected, member, now)
        session.flush()
        # Read here: after the commit somebody else may have saved the next version.
        return note_out(find_row(session, str(note_id), member), member, shelf)

    try:
        note = service.database.write(save)
    except Stale as stale:
        raise _with_both(
            stale, service, str(note_id), expected, given.body, member, shelf
        ) from None
    return _tagged(note, response)


@router.delete("/{note_id}", status_code=204)
def delete_note(
    note_id: uuid.UUID,
    expected: ExpectedDep,
    member: MemberDep,
    service: ServiceDep,
    shelf: ShelfDep,
    now: NowDep,
) -> None:
    """Take a note away. 428 without If-Match, 412 as for a change."""
    try:
        service.database.write(
            lambda session: remove_note(session, str(note_id), expected, member, now)
        )
    except Stale as stale:
        raise _with_both(stale, service, str(note_id), None, "", member, shelf) from None


@router.get("/{note_id}/revisions")
def list_revisions(note_id: uuid.UUID, member: MemberDep, service: ServiceDep) -> list[RevisionOut]:
    """The versions of a note, oldest first; those that were private, for its author alone."""
    with service.database.read() as session:
        note, _, _ = find_row(session, str(note_id), member)
        rows = session.exec(
            select(NoteRevision, Member.name)
            .outerjoin(Member, col(Member.id) == col(NoteRevision.editor_id))
            .where(may_see_version(note, member))
            .order_by(col(NoteRevision.version))
        )
        return [
            RevisionOut(version=r.version, by=by, body=r.body, saved_at=r.saved_at)
            for r, by in rows
        ]


@router.get("/{note_id}/revisions/{version}/changes")
def compare(
    note_id: uuid.UUID,
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
    member: MemberDep,
    service: ServiceDep,
) -> list[merging.Piece]:
    """What a version changed in the one before it, of those that the member may see."""
    with service.database.read() as session:
        note, _, _ = find_row(session, str(note_id), member)
        newest_first = session.exec(
            select(NoteRevision.version, NoteRevision.body)
            .where(may_see_version(note, member), NoteRevision.version <= version)
            .order_by(col(NoteRevision.version).desc())
            .limit(2)
        ).all()
    (found, after), (_, before) = [*newest_first, (0, ""), (0, "")][:2]
    if found != version:
        raise NotThere(f"note {note_id} has no version {version}")
    try:
        return bounded(merging.difference, before, after)
    except TooMuchWork:
        return [merging.Piece("removed", before), merging.Piece("added", after)]


def _check_place(given: NoteIn, service: Service) -> None:
    meeting, entry = given.place
    if meeting and meeting not in service.content.meetings:
        raise NotThere(f"no meeting is recorded for {meeting}")
    if entry is not None and entry not in service.content.library:
        raise NotThere(f"no entry is named {entry!r}")


def _read(
    service: Service, note_id: str, member: MemberOut, shelf: Shelf, response: Response
) -> NoteOut:
    with service.database.read() as session:
        note = note_out(find_row(session, note_id, member), member, shelf)
    return _tagged(note, response)


def _tagged(note: NoteOut, response: Response) -> NoteOut:
    response.headers["ETag"] = f'"{note.version}"'
    return note


class MergedOut(BaseModel):
    body: str
    conflicts: int


def _with_both(
    stale: Stale,
    service: Service,
    note_id: str,
    seen: int | None,
    ours: str,
    member: MemberOut,
    shelf: Shelf,
) -> Stale:
    """The refusal, with what the client needs to go on: the present text, and both as one."""
    with service.database.read() as session:
        row = find_row(session, note_id, member)
        current = note_out(row, member, shelf)
        may_see_it = may_see_version(row[0], member)
        query = select(NoteRevision.body).where(may_see_it, NoteRevision.version == seen)
        base = session.exec(query).first()
    merged = None
    if base is not None:
        try:
            text, conflicts = bounded(merging.merge, base, ours, current.body, merging.IN_PAGE)
            merged = MergedOut(body=text, conflicts=conflicts).model_dump()
        except TooMuchWork:
            pass  # then there is the present text alone
    return Stale(stale.detail, current=current.model_dump(mode="json"), merged=merged)
