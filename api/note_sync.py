"""Between the notes of the database and the files of meetings: out for a pull request, and back.

Both sides may have changed a note. Git is right about what is published, the database about what
members say, so neither text is thrown away: both are revisions, and the newest one merges them.
"""

import datetime as dt
from collections import Counter
from typing import Annotated, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import update
from sqlmodel import Session, col, select

from api import merging
from api.bounded import TooMuchWork, bounded
from api.database import Database
from api.note_files import (
    DAMAGED,
    TWICE,
    Block,
    Carried,
    find_damaged,
    read_blocks,
    write_blocks,
)
from api.notes import LARGEST_NOTE, Note, NoteRevision, Written, add_revision, newest, rendered
from api.wire import Storable, TooSlow

TRIES = 5  # a member may save the note while the texts are compared
TOO_LARGE = (
    f"the texts of the file and of the site are together larger than {LARGEST_NOTE:,} bytes;"
    " put into one of them what the other should keep, and make them alike"
)
STORABLE = TypeAdapter(Annotated[str, Storable])
HIDDEN = "its author shows it to everybody no more; remove it from the file"

What = Literal["unchanged", "changed", "merged", "both kept", "left alone"]


class Told(NamedTuple):
    """What became of a note of a file."""

    note_id: str
    what: What
    why: str = ""


class Seen(NamedTuple):
    """A note as both sides know it."""

    version: int
    editor_id: str | None
    here: str
    base: str  # what the file was last known to hold


class Plan(NamedTuple):
    """What taking a text from a file makes of a note: the revisions to add, oldest first.

    The file's text is the first of them; there are none where the note has come to it by itself.
    """

    told: Told
    texts: tuple[tuple[str, str | None], ...] = ()  # each with its editor; none: the file


def take_back(
    database: Database, text: str, titles: dict[str, str], now: dt.datetime
) -> list[Told]:
    """Take what the notes of a file say into the database."""
    blocks = list(read_blocks(text))
    times = Counter(block.note_id for block in blocks)
    marks = reversed([*find_damaged(text)])  # of both of a block, the first is named
    damaged = {mark.note_id: f"line {mark.line}: {DAMAGED}" for mark in marks}
    taken = [
        _take_block(database, block, titles, now)
        if times[block.note_id] == 1
        else Told(block.note_id, "left alone", TWICE)
        for block in blocks
        if block.note_id not in damaged
    ]
    return [*taken, *(Told(note_id, "left alone", why) for note_id, why in damaged.items())]


def _take_block(database: Database, block: Block, titles: dict[str, str], now: dt.datetime) -> Told:
    for _ in range(TRIES):
        with database.read() as session:
            seen = _look(session, block)
        if isinstance(seen, Told):
            return seen
        plan = _plan(block, seen)
        if isinstance(plan, Told):
            return plan
        try:
            texts = [(rendered(body, titles), editor) for body, editor in plan.texts]
        except TooSlow as error:
            return Told(block.note_id, "left alone", error.detail)
        if database.write(lambda s: _apply(s, block, seen, texts, now)):  # noqa: B023
            return plan.told
    return Told(block.note_id, "left alone", "it is being changed; try again")


def _look(session: Session, block: Block) -> Seen | Told:
    note = session.get(Note, block.note_id)
    if note is None:
        return Told(block.note_id, "left alone", "no such note is known here")
    if note.deleted_at:
        return Told(block.note_id, "left alone", "its author deleted it; remove it from the file")
    revisions = session.exec(
        select(NoteRevision)
        .where(NoteRevision.note_id == block.note_id)
        .order_by(col(NoteRevision.version))
    ).all()
    current = revisions[-1]
    found = [r for r in revisions if r.block_version == block.version]
    # A number that was never exported names a text of another life, before a backup was restored;
    # or what an export wrote that was ended before it could say so.
    last_exported = note.exported_version or 0
    exported = [
        r
        for r in revisions
        if r.version == block.version and (r.version <= last_exported or r.body == block.text)
    ]
    base = (found or exported)[-1:]
    return Seen(note.version, current.editor_id, current.body, base[0].body if base else "")


def _plan(block: Block, seen: Seen) -> Plan | Told:
    there = block.text
    if there == seen.base:
        return Told(block.note_id, "unchanged")
    if there == seen.here:
        return Plan(Told(block.note_id, "unchanged"))
    if why := _unfit(there):
        return Told(block.note_id, "left alone", f"its text in the file {why}")
    if seen.here == seen.base:
        return Plan(Told(block.note_id, "changed"), ((there, None),))
    # Whoever wrote the text of the site is named for the merged one, which holds it.
    merged = _merged(seen.base, seen.here, there)
    if len(merged.text.encode()) > LARGEST_NOTE:
        return Told(block.note_id, "left alone", TOO_LARGE)
    told = Told(block.note_id, "both kept" if merged.conflicts else "merged")
    return Plan(told, ((there, None), (merged.text, seen.editor_id)))


def _unfit(text: str) -> str:
    """Why a text can be no note, as the service would say it; empty if it can."""
    if not text.strip() or len(text.encode()) > LARGEST_NOTE:
        return f"is empty or larger than {LARGEST_NOTE:,} bytes"
    try:
        STORABLE.validate_python(text)
    except ValidationError as error:
        return str(error.errors()[0]["ctx"]["error"])
    return ""


def _merged(base: str, here: str, there: str) -> merging.Merged:
    try:
        return bounded(merging.merge, base, here, there)
    except TooMuchWork:
        return merging.side_by_side(here, there)


def _apply(
    session: Session,
    block: Block,
    seen: Seen,
    texts: list[tuple[Written, str | None]],
    now: dt.datetime,
) -> bool:
    """Record what the file holds, and add the revisions, unless the note has changed meanwhile."""
    note = session.get(Note, block.note_id)
    if note is None or note.deleted_at or note.version != seen.version:
        return False
    if not texts:
        session.get_one(NoteRevision, (note.id, note.version)).block_version = block.version
    for number, (text, editor) in enumerate(texts):
        add_revision(session, note, text, editor, now, None if number else block.version)
    return True


class Export(NamedTuple):
    """The file of a meeting with its public notes, and what to say about it."""

    before: str
    after: str
    notes: list[Carried]
    unsettled: list[str]  # ids of notes that hold both sides of a change
    kept_back: int  # notes for the group or their author alone
    told: list[Told]


def export(
    database: Database, meeting: str, text: str, titles: dict[str, str], now: dt.datetime
) -> Export:
    """Changes nothing in the file; what it says of notes is taken into the database first.

    A block that could not be taken is not written over.
    """
    told = take_back(database, text, titles, now)
    left_alone = {note_id for note_id, what, _ in told if what == "left alone"}
    query = newest().where(col(Note.meeting) == meeting)
    in_file = {block.note_id for block in read_blocks(text)}
    with database.read() as session:
        rows = session.exec(query.order_by(col(Note.created_at), col(Note.id))).all()
        public = [
            Carried(note.id, note.version, revision.body)
            for note, revision, _ in rows
            if note.visibility == "public"
        ]
        hidden = [note.id for note, _, _ in rows if note.visibility != "public"]
    shown = [note_id for note_id in hidden if note_id in in_file]
    told += [Told(note_id, "left alone", HIDDEN) for note_id in shown]
    unsettled = [note.note_id for note in public if _is_unsettled(note.text)]
    carried = [note for note in public if note.note_id not in {*unsettled, *left_alone}]
    after = write_blocks(text, carried)
    return Export(text, after, carried, unsettled, len(hidden) - len(shown), told)


def _is_unsettled(text: str) -> bool:
    lines = set(text.splitlines())
    return any(lines.issuperset(names) for names in (merging.IN_FILE, merging.IN_PAGE))


def mark_exported(database: Database, notes: list[Carried]) -> None:
    """Say of each note which of its versions stands in a file now."""

    def mark(session: Session) -> None:
        for note in notes:
            session.execute(
                update(Note)
                .where(col(Note.id) == note.note_id)
                .values(exported_version=note.version)
            )

    database.write(mark)
