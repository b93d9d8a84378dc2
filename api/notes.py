"""Notes that members write under a meeting or an entry. Every version of every note is kept."""

import datetime as dt
import unicodedata
import uuid
from functools import lru_cache
from html import escape
from itertools import islice
from typing import Annotated, Literal, NamedTuple, Self

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, model_validator
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import Select as SelectOfMany

from api.bounded import TooMuchWork, bounded
from api.database import UtcDateTime
from api.members import Member, MemberOut, still_member
from api.note_files import PublishedNote
from api.render import fingerprint, render_note, titles_in
from api.wire import Conflict, Day, Input, NotAllowed, NotThere, Stale, Storable, TooSlow, Word

LARGEST_NOTE = 16_384  # bytes: what renders in well under two seconds, however hostile


class Note(SQLModel, table=True):
    """A note; its text is that of its newest revision."""

    __table_args__ = (
        sa.CheckConstraint("visibility IN ('private', 'group', 'public')", name="visibility"),
        sa.CheckConstraint("(meeting IS NULL) <> (entry IS NULL)", name="place"),
    )

    id: str = Field(primary_key=True)
    meeting: str | None = Field(default=None, index=True)
    entry: str | None = Field(default=None, index=True)
    author_id: str = Field(foreign_key="member.id", index=True)
    visibility: str
    version: int
    exported_version: int | None = None  # the one that was last written into a file
    created_at: dt.datetime = Field(sa_type=UtcDateTime)
    deleted_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class NoteRevision(SQLModel, table=True):
    """The text of a note as it was saved once. Rows are added; no text is ever changed."""

    __tablename__ = "note_revision"
    __table_args__ = (
        sa.CheckConstraint("visibility IN ('private', 'group', 'public')", name="visibility"),
    )

    note_id: str = Field(primary_key=True, foreign_key="note.id")
    version: int = Field(primary_key=True)
    editor_id: str | None = Field(foreign_key="member.id")  # none: it came from a published file
    visibility: str  # the note's as this was saved; of a text from a published file, "public"
    body: str = Field(sa_type=sa.Text)
    html: str | None = Field(default=None, sa_type=sa.Text)
    fingerprint: str | None = None  # of the rules and titles by which `html` was made
    saved_at: dt.datetime = Field(sa_type=UtcDateTime)
    # The note's block in a file was found to hold this text. A block bears the number of the
    # version that was exported into it, whatever reviewers make of its text.
    block_version: int | None = None


Visibility = Literal["private", "group", "public"]
State = Literal["draft", "exported", "published"]


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty note; write something")
    if (size := len(text.encode())) > LARGEST_NOTE:
        raise ValueError(f"a note of {size:,} bytes; {LARGEST_NOTE:,} is the most")
    return text


Body = Annotated[str, Storable, AfterValidator(_says_something)]


class NoteIn(Input):
    id: uuid.UUID | None = None  # made by the client, so that a retry is recognised
    meeting: Day | None = None
    entry: Word | None = None
    body: Body
    visibility: Visibility = "group"

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.meeting is None) == (self.entry is None):
            raise ValueError("name the meeting or the entry that the note is about")
        return self

    @property
    def place(self) -> tuple[str | None, str | None]:
        return (str(self.meeting) if self.meeting else None, self.entry)


class NoteEdit(Input):
    body: Body
    visibility: Visibility | None = None


class NoteOut(BaseModel):
    id: str
    meeting: str | None
    entry: str | None
    author: str
    mine: bool
    may_change: bool
    body: str
    html: str
    visibility: Visibility
    version: int
    state: State
    link: str | None  # where it stands, from the root of the site, in this text or an older one
    created_at: dt.datetime
    updated_at: dt.datetime


class RevisionOut(BaseModel):
    version: int
    by: str | None  # none: it came from a published file
    body: str
    saved_at: dt.datetime


class Shelf(NamedTuple):
    """What is published, as far as notes refer to it."""

    titles: dict[str, str]  # of the entries, by slug
    published: dict[str, PublishedNote]  # the notes in files, by id


class Written(NamedTuple):
    """A text with its rendering, as a revision keeps them."""

    body: str
    html: str
    fingerprint: str


def rendered(body: str, titles: dict[str, str]) -> Written:
    """Raises TooSlow for a text that would keep the service busy."""
    try:
        html = bounded(render_note, body, titles_in(body, titles))
    except TooMuchWork as error:
        raise TooSlow("this text takes too long to set; make it simpler") from error
    return Written(body, html, fingerprint(body, titles))


# In a transaction ---------------------------------------------------------------------------------


def add_note(
    session: Session, given: NoteIn, text: Written, member: MemberOut, now: dt.datetime
) -> tuple[str, bool]:
    """The note's id, and whether it is new: the same one may be sent twice."""
    member = still_member(session, member)  # setting the text took its time
    note_id = str(given.id or uuid.uuid4())
    stored = session.get(Note, note_id)
    if stored:
        if stored.author_id != member.id or not _is_same(session, stored, given):
            raise Conflict(f"id {note_id} was used for another note; make a new one")
        return note_id, False
    meeting, entry = given.place
    note = Note(
        id=note_id,
        meeting=meeting,
        entry=entry,
        author_id=member.id,
        visibility=given.visibility,
        version=0,
        created_at=now,
    )
    add_revision(session, note, text, member.id, now)
    return note_id, True


def _is_same(session: Session, stored: Note, given: NoteIn) -> bool:
    """Whether the note began as it is given now."""
    first = session.get_one(NoteRevision, (stored.id, 1))
    began = (first.body, first.visibility, stored.meeting, stored.entry)
    return began == (given.body, given.visibility, *given.place)


def change_note(
    session: Session,
    note_id: str,
    text: Written,
    visibility: Visibility | None,
    expected: int | None,
    member: MemberOut,
    now: dt.datetime,
) -> None:
    note = _own_version(session, note_id, expected, member)
    if visibility not in (None, note.visibility) and note.author_id != member.id:
        raise NotAllowed("only its author chooses who may read a note")
    note.visibility = visibility or note.visibility
    add_revision(session, note, text, member.id, now)


def remove_note(
    session: Session, note_id: str, expected: int | None, member: MemberOut, now: dt.datetime
) -> None:
    note = _own_version(session, note_id, expected, member)
    note.deleted_at = now
    session.add(note)


def _own_version(session: Session, note_id: str, expected: int | None, member: MemberOut) -> Note:
    """The note, for the one who may change it, in the version that was seen.

    Looking and changing are one transaction: nobody changes the note between the two.
    """
    member = still_member(session, member)
    note, _, _ = find_row(session, note_id, member)
    if not may_change(note, member):
        raise NotAllowed("only its author or an organizer may change a note")
    if note.version != expected:
        raise Stale(f'the note is at version {note.version}; send If-Match: "{note.version}"')
    return note


def add_revision(
    session: Session,
    note: Note,
    text: Written,
    editor_id: str | None,
    now: dt.datetime,
    block_version: int | None = None,
) -> None:
    """Make this the text of the note. What the block of a file holds is public."""
    note.version += 1
    session.add(note)
    session.flush()  # the revision refers to the note
    session.add(
        NoteRevision(
            note_id=note.id,
            version=note.version,
            editor_id=editor_id,
            visibility=note.visibility if block_version is None else "public",
            body=text.body,
            html=text.html,
            fingerprint=text.fingerprint,
            saved_at=now,
            block_version=block_version,
        )
    )
    session.flush()


# Reading ------------------------------------------------------------------------------------------

Row = tuple[Note, NoteRevision, str]
Rows = SelectOfMany[Note, NoteRevision, str]


def newest() -> Rows:
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


def may_see(member: MemberOut) -> sa.ColumnElement[bool]:
    return (col(Note.visibility) != "private") | (col(Note.author_id) == member.id)


def may_see_version(note: Note, member: MemberOut) -> sa.ColumnElement[bool]:
    """Of a note that the member may see. What was saved as private stays its author's alone."""
    of_note = col(NoteRevision.note_id) == note.id
    if note.author_id == member.id:
        return of_note
    return of_note & (col(NoteRevision.visibility) != "private")


def may_change(note: Note, member: MemberOut) -> bool:
    return note.author_id == member.id or member.role == "organizer"


def find_row(session: Session, note_id: str, member: MemberOut) -> Row:
    """The note, if the member may see it. Raises NotThere, also for others' private ones."""
    row = session.exec(newest().where(col(Note.id) == note_id, may_see(member))).first()
    if row is None:
        raise NotThere(f"no note {note_id}")
    return row


def search_notes(session: Session, words: str, member: MemberOut, most: int) -> list[Row]:
    """Notes with all the words, newest first. Both databases find alike: the words are sought here.

    A group writes some thousands of notes in its life; reading them all takes milliseconds.
    """
    sought = _folded(words).split()
    rows = session.exec(
        newest()
        .where(may_see(member))
        .order_by(col(NoteRevision.saved_at).desc(), col(Note.id))
        .execution_options(yield_per=100)
    )
    found = (row for row in rows if all(word in _folded(row[1].body) for word in sought))
    return list(islice(found, most))


def _folded(text: str) -> str:
    """For comparing: without capitals, and an accent is the same however it was typed."""
    return unicodedata.normalize("NFC", text.casefold())


def note_out(row: Row, member: MemberOut, shelf: Shelf) -> NoteOut:
    note, revision, author = row
    published = shelf.published.get(note.id)
    state: State = "exported" if note.exported_version == note.version else "draft"
    if published and published.text == revision.body:
        state = "published"
    return NoteOut(
        id=note.id,
        meeting=note.meeting,
        entry=note.entry,
        author=author,
        mine=note.author_id == member.id,
        may_change=may_change(note, member),
        body=revision.body,
        html=_html(revision, shelf.titles),
        visibility=note.visibility,
        version=note.version,
        state=state,
        link=published.link if published else None,
        created_at=note.created_at,
        updated_at=revision.saved_at,
    )


def _html(revision: NoteRevision, titles: dict[str, str]) -> str:
    """As it was stored, or as the rules and the titles of today make it."""
    if revision.html is not None and revision.fingerprint == fingerprint(revision.body, titles):
        return revision.html
    return _made_again(revision.body, tuple(titles_in(revision.body, titles).items()))


@lru_cache(maxsize=1_000)
def _made_again(body: str, titles: tuple[tuple[str, str], ...]) -> str:
    try:
        return rendered(body, dict(titles)).html
    except TooSlow:
        return f"<pre>{escape(body, quote=False)}</pre>"
