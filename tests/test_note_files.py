"""Notes in files: out for a pull request and back, byte for byte, whatever both sides changed."""

import datetime as dt
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlmodel import select

from api import note_sync
from api.bounded import TooMuchWork
from api.content import read_content
from api.database import Database
from api.members import Member
from api.merging import HERE, IN_FILE, IN_PAGE, THERE, side_by_side
from api.note_files import (
    Carried,
    PublishedNote,
    as_patch,
    read_blocks,
    read_published,
    write_blocks,
)
from api.notes import LARGEST_NOTE, Note, NoteRevision, add_revision, rendered
from tests.conftest import API, CONTENT, Clock, Join

NOW = dt.datetime(2026, 3, 12, 18, 0, tzinfo=dt.UTC)
MEETING = "2026-03-12"
NOTES = f"{API}/notes"
ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"

HEADER = (
    "---\r\ndate: 2026-03-12\r\nzebra: 'kept'   # and why\r\ntitle: x\r\n---\r\n\r\nText.  \r\n"
)
LINES = [
    "a",
    "b  ",
    "",
    "- é\u2028f",
    "x\r",
    "```",
    "---",
    "# h",
    "\ttab",
    "<!-- end of note x -->",
]
LINES += [f"<!-- end of note {ONE} -->", f"<!-- end of note {ONE} end 1 -->"]
LINES += [f"<!-- note {TWO} version 1 -->"]
BODY = st.lists(st.sampled_from(LINES), min_size=1, max_size=6).map("\n".join)
ANY = st.one_of(BODY, st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
FILE = st.one_of(
    st.just(HEADER),
    st.just("no newline at the end"),
    st.just("\ufeffa\n\n## Published notes\n\nAn introduction.\n\n## After\n"),
    st.lists(st.sampled_from([line for line in LINES if "note" not in line])).map("\n".join),
)


def texts(file: str) -> dict[str, str]:
    return {block.note_id: block.text for block in read_blocks(file)}


# The file -----------------------------------------------------------------------------------------


@given(FILE, ANY, ANY)
def test_a_note_stands_in_a_file_byte_for_byte(file: str, one: str, two: str):
    written = write_blocks(file, [Carried(ONE, 1, one), Carried(TWO, 2, two)])

    assert texts(written) == {ONE: one, TWO: two}
    assert [block.version for block in read_blocks(written)] == [1, 2]
    assert write_blocks(written, [Carried(ONE, 1, one)]) == written
    bare = written
    for block in reversed(list(read_blocks(written))):
        bare = bare[: block.start] + bare[block.end :]
    first_line, end, _ = file.partition("\n")
    added = "\r\n" if end and first_line.endswith("\r") else "\n"
    without = bare.replace(f"## Published notes{added}", "").replace(added, "")
    assert without == file.replace("## Published notes\n", "").replace(added, "")


@given(FILE, ANY, ANY, ANY)
def test_a_change_of_one_note_leaves_all_else(file: str, one: str, two: str, changed: str):
    written = write_blocks(file, [Carried(ONE, 1, one), Carried(TWO, 1, two)])

    again = write_blocks(written, [Carried(ONE, 2, changed)])

    assert texts(again) == {ONE: changed, TWO: two}
    first, second = read_blocks(written)
    now, then = read_blocks(again)
    assert again[: now.start] == written[: first.start]
    assert again[now.end : then.start] == written[first.end : second.start]
    assert again[then.start :] == written[second.start :]


def test_a_file_gets_a_section_and_keeps_its_line_ends():
    assert write_blocks("a\r\nb", [Carried(ONE, 3, "one\n")]) == (
        "a\r\nb\r\n\r\n## Published notes\r\n\r\n"
        f"<!-- note {ONE} version 3 -->\r\n\r\none\n\r\n\r\n<!-- end of note {ONE} -->\r\n"
    )
    assert write_blocks("a\n\n## Published notes\n\nb\n", [Carried(ONE, 3, "one")]) == (
        f"a\n\n## Published notes\n\n<!-- note {ONE} version 3 -->\n\none\n\n"
        f"<!-- end of note {ONE} -->\n\nb\n"
    )
    assert write_blocks(HEADER, []) == HEADER


@given(FILE, ANY)
@example("no newline at the end", "a\x00b")
@settings(max_examples=10, deadline=None)
def test_a_patch_makes_the_very_file(tmp_path_factory, file: str, body: str):
    after = write_blocks(file, [Carried(ONE, 1, body)])
    folder = tmp_path_factory.mktemp("checkout")
    path = folder / "docs" / "meetings" / "x y.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(file.encode())

    patch = as_patch("docs/meetings/x y.md", file, after).encode()
    subprocess.run(["git", "apply", "-"], input=patch, cwd=folder, check=True, timeout=20)

    assert path.read_bytes() == after.encode()
    assert as_patch("x", file, file) == ""


# Both sides ---------------------------------------------------------------------------------------


class Site:
    """The notes of a database, edited as members do, and the file of their meeting."""

    def __init__(self, database: Database) -> None:
        self.database, self.file = database, HEADER
        member = Member(id="ada", name="Ada", role="member", joined_at=NOW)
        database.write(lambda session: session.add(member))

    def write(self, note_id: str, body: str) -> None:
        """A member writes the note, or the next version of it."""

        def job(session):
            note = session.get(Note, note_id) or Note(
                id=note_id,
                meeting=MEETING,
                author_id="ada",
                visibility="public",
                version=0,
                created_at=NOW,
            )
            add_revision(session, note, rendered(body, {}), "ada", NOW)

        self.database.write(job)

    def edit_file(self, note_id: str, body: str) -> None:
        """A reviewer changes the text between the comments, and nothing else."""
        for block in read_blocks(self.file):
            if block.note_id == note_id:
                shown = self.file[block.start : block.end]
                changed = shown.replace(block.text, body) if block.text else shown
                edited = self.file[: block.start] + changed + self.file[block.end :]
                # One who writes what looks like the end of the note ends it there.
                if texts(edited).get(note_id) == body:
                    self.file = edited
                return

    def forget(self) -> None:
        def job(session):
            session.execute(delete(NoteRevision))
            session.execute(delete(Note))

        self.database.write(job)
        self.file = HEADER

    def export(self) -> note_sync.Export:
        made = note_sync.export(self.database, MEETING, self.file, {}, NOW)
        note_sync.mark_exported(self.database, made.notes)
        self.file = made.after
        return made

    def take_back(self) -> list[tuple[str, str]]:
        told = note_sync.take_back(self.database, self.file, {}, NOW)
        return [(item.note_id, item.what) for item in told]

    def set_visibility(self, note_id: str, visibility: str) -> None:
        self.database.write(
            lambda session: setattr(session.get(Note, note_id), "visibility", visibility)
        )

    def visibilities(self, note_id: str) -> list[str]:
        with self.database.read() as session:
            query = select(NoteRevision.visibility).where(NoteRevision.note_id == note_id)
            return list(session.exec(query.order_by(NoteRevision.version)))

    def revisions(self, note_id: str) -> list[str]:
        with self.database.read() as session:
            query = select(NoteRevision.body).where(NoteRevision.note_id == note_id)
            return list(session.exec(query.order_by(NoteRevision.version)))

    def now(self, note_id: str) -> str:
        return self.revisions(note_id)[-1]


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    database = Database(database_url)
    yield Site(database)
    database.close()


def test_a_text_that_nobody_changed_stays_one(site: Site):
    site.write(ONE, "One.\r\n\n  two  ")
    made = site.export()

    assert (made.before, texts(made.after)) == (HEADER, {ONE: "One.\r\n\n  two  "})
    assert site.take_back() == [(ONE, "unchanged")]
    assert site.revisions(ONE) == ["One.\r\n\n  two  "]
    assert site.export().after == made.after


def test_a_change_in_the_file_becomes_a_version(site: Site):
    site.write(ONE, "One.")
    site.export()
    site.edit_file(ONE, "One, mended.")

    assert site.take_back() == [(ONE, "changed")]
    assert site.revisions(ONE) == ["One.", "One, mended."]
    assert site.take_back() == [(ONE, "unchanged")]


def test_changes_of_both_sides_are_merged(site: Site):
    site.write(ONE, "a\nb\nc\nd")
    site.export()
    site.edit_file(ONE, "A\nb\nc\nd")
    site.write(ONE, "a\nb\nc\nD")

    assert site.take_back() == [(ONE, "merged")]
    assert site.revisions(ONE) == ["a\nb\nc\nd", "a\nb\nc\nD", "A\nb\nc\nd", "A\nb\nc\nD"]
    assert site.take_back() == [(ONE, "unchanged")]
    site.edit_file(ONE, "AA\nb\nc\nd")
    assert site.take_back() == [(ONE, "merged")]
    assert site.now(ONE) == "AA\nb\nc\nD"


def test_changes_of_one_line_stand_side_by_side_until_somebody_settles_them(site: Site):
    site.write(ONE, "One.")
    site.write(TWO, "Two.")
    site.export()
    site.edit_file(ONE, "In the file.")
    site.write(ONE, "On the site.")

    assert site.take_back() == [(ONE, "both kept"), (TWO, "unchanged")]
    assert site.now(ONE) == f"{HERE}\nOn the site.\n=======\nIn the file.\n{THERE}\n"
    assert site.take_back() == [(ONE, "unchanged"), (TWO, "unchanged")]
    made = site.export()
    assert made.unsettled == [ONE]
    assert texts(site.file) == {ONE: "In the file.", TWO: "Two."}

    site.write(ONE, "Both.")
    assert site.export().unsettled == []
    assert texts(site.file) == {ONE: "Both.", TWO: "Two."}
    assert site.take_back() == [(ONE, "unchanged"), (TWO, "unchanged")]


def test_texts_that_are_together_too_large_stay_where_they_are(site: Site):
    long = "x" * (LARGEST_NOTE // 2)
    site.write(ONE, "a")
    site.export()
    site.write(ONE, f"b{long}")
    site.edit_file(ONE, f"c{long}")

    for _ in range(2):
        made = site.export()
        assert [(told.what, told.why) for told in made.told] == [
            (
                "left alone",
                "the texts of the file and of the site are together larger than 16,384 bytes; put "
                "into one of them what the other should keep, and make them alike",
            )
        ]
        assert texts(site.file) == {ONE: f"c{long}"}
        assert site.revisions(ONE) == ["a", f"b{long}"]

    site.write(ONE, f"c{long}")
    assert site.take_back() == [(ONE, "unchanged")]
    site.write(ONE, f"d{long}")
    site.export()
    assert texts(site.file) == {ONE: f"d{long}"}


def test_a_merger_that_takes_too_long_keeps_both(site: Site, monkeypatch):
    site.write(ONE, "a")
    site.export()
    site.write(ONE, "b")
    site.edit_file(ONE, "c")

    def never(*_: object) -> None:
        raise TooMuchWork("never")

    monkeypatch.setattr(note_sync, "bounded", never)

    assert site.take_back() == [(ONE, "both kept")]
    assert site.revisions(ONE)[1:] == ["b", "c", f"{HERE}\nb\n=======\nc\n{THERE}\n"]


@pytest.mark.parametrize("names", [IN_FILE, IN_PAGE])
def test_a_note_that_holds_both_sides_of_a_change_is_not_exported(
    site: Site, names: tuple[str, str]
):
    site.write(ONE, side_by_side("b", "c", names).text)

    made = site.export()

    assert (made.unsettled, made.notes, site.file) == ([ONE], [], HEADER)


def test_a_note_that_is_shown_to_everybody_no_more_is_named_while_the_file_holds_it(site: Site):
    site.write(ONE, "My regret.")
    site.write(TWO, "Never out.")
    site.set_visibility(TWO, "group")
    site.export()
    site.set_visibility(ONE, "private")

    made = site.export()

    why = "its author shows it to everybody no more; remove it from the file"
    assert made.told == [(ONE, "unchanged", ""), (ONE, "left alone", why)]
    assert made.kept_back == 1, "the other one"
    site.file = HEADER
    made = site.export()
    assert (made.told, made.kept_back, site.file) == ([], 2, HEADER)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("above", [1, 2])
@pytest.mark.parametrize("below", [1, 2])
def test_the_empty_lines_around_a_text_may_be_taken_away(
    site: Site, newline: str, above: int, below: int
):
    site.write(ONE, "One.")
    site.file = HEADER.replace("\r\n", newline)
    site.export()
    shown = f"-->{newline * 2}One.{newline * 2}<!--"
    assert shown in site.file
    site.file = site.file.replace(shown, f"-->{newline * above}Mended.{newline * below}<!--")

    assert site.take_back() == [(ONE, "changed")]
    assert site.revisions(ONE) == ["One.", "Mended."]
    site.write(ONE, "Two.")
    site.export()
    assert texts(site.file) == {ONE: "Two."}


@pytest.mark.parametrize(
    ("mark", "instead", "line"),
    [
        (f"<!-- end of note {ONE} -->", "", 11),
        (f"<!-- note {ONE} version 1 -->", "", 15),
        (f"<!-- note {ONE} version 1 -->", f"<!-- note {ONE} version one -->", 11),
    ],
)
def test_a_block_without_both_its_marks_is_named_and_left_alone(
    site: Site, mark: str, instead: str, line: int
):
    site.write(ONE, "One.")
    site.write(TWO, "Two.")
    site.export()
    assert mark in site.file
    site.file = broken = site.file.replace(mark, instead)
    site.write(ONE, "One, changed.")

    made = site.export()

    [(note_id, what, why)] = [told for told in made.told if told.what != "unchanged"]
    assert (note_id, what) == (ONE, "left alone")
    assert why.startswith(f"line {line}: a comment that begins or ends no block; restore ")
    assert [note.note_id for note in made.notes] == [TWO]
    assert site.file == broken


def test_an_export_that_was_ended_before_it_could_say_so_makes_no_conflict(site: Site):
    site.write(ONE, "a\nb\nc")
    made = note_sync.export(site.database, MEETING, site.file, {}, NOW)
    site.file = made.after  # and no mark that it was exported
    site.write(ONE, "a\nb\nC")

    made = site.export()

    assert (made.told, made.unsettled) == ([(ONE, "unchanged", "")], [])
    assert texts(site.file) == {ONE: "a\nb\nC"}


@pytest.mark.parametrize("text", [" \n", "x" * (LARGEST_NOTE + 1), "a\x00b"])
def test_what_is_no_note_is_left_in_the_file(site: Site, text: str):
    site.write(ONE, "One.")
    site.export()
    site.edit_file(ONE, text)

    assert site.take_back() == [(ONE, "left alone")]
    assert site.revisions(ONE) == ["One."]
    site.write(ONE, "Two.")
    assert site.export().notes == []
    assert texts(site.file) == {ONE: text}


def test_a_character_that_the_service_refuses_is_named(site: Site):
    site.write(ONE, "One.")
    site.export()
    site.edit_file(ONE, "a\x00b")

    (told,) = note_sync.take_back(site.database, site.file, {}, NOW)

    assert told.why == (
        "its text in the file holds a character that cannot be stored; "
        "remove NUL and lone surrogates"
    )


def test_a_text_that_takes_too_long_to_set_is_left_in_the_file(site: Site, monkeypatch):
    site.write(ONE, "One.")
    site.export()
    site.edit_file(ONE, "Two.")

    def too_slow(*_: object) -> None:
        raise note_sync.TooSlow("too long")

    monkeypatch.setattr(note_sync, "rendered", too_slow)

    assert site.take_back() == [(ONE, "left alone")]


def test_notes_that_are_unknown_or_deleted_are_left_in_the_file(site: Site):
    site.write(ONE, "One.")
    site.export()
    site.file = write_blocks(site.file, [Carried(TWO, 1, "Of another group.")])
    site.database.write(lambda session: setattr(session.get(Note, ONE), "deleted_at", NOW))

    assert site.take_back() == [(ONE, "left alone"), (TWO, "left alone")]
    assert texts(site.export().after) == {ONE: "One.", TWO: "Of another group."}


def test_a_note_that_is_saved_meanwhile_is_looked_at_again(site: Site, monkeypatch):
    site.write(ONE, "a\nb\nc\nd")
    site.export()
    site.edit_file(ONE, "A\nb\nc\nd")
    look, saved = note_sync._look, iter(["a\nb\nc\nD"])

    def look_and_be_overtaken(*given):
        seen = look(*given)
        for body in saved:
            site.write(ONE, body)
            break
        return seen

    monkeypatch.setattr(note_sync, "_look", look_and_be_overtaken)

    assert site.take_back() == [(ONE, "merged")]
    assert site.now(ONE) == "A\nb\nc\nD"


def test_a_note_that_is_always_being_saved_is_left_alone(site: Site, monkeypatch):
    site.write(ONE, "a")
    site.export()
    site.edit_file(ONE, "b")
    monkeypatch.setattr(note_sync, "_apply", lambda *_: False)

    assert site.take_back() == [(ONE, "left alone")]


def test_a_version_that_nobody_knows_makes_both_stand_side_by_side(site: Site):
    site.write(ONE, "On the site.")
    site.file = write_blocks(HEADER, [Carried(ONE, 9, "In the file.")])

    assert site.take_back() == [(ONE, "both kept")]
    assert "On the site." in site.now(ONE)
    assert "In the file." in site.now(ONE)

    assert site.take_back() == [(ONE, "unchanged")]


def test_a_number_that_was_never_exported_is_not_that_of_the_sites_version(site: Site):
    """A database that was restored counts its versions anew."""
    site.file = write_blocks(HEADER, [Carried(ONE, 2, "In the file.")])
    site.write(ONE, "One.")
    site.write(ONE, "On the site.")

    assert site.take_back() == [(ONE, "both kept")]
    assert "On the site." in site.now(ONE)
    assert site.take_back() == [(ONE, "unchanged")]


def test_an_author_may_return_to_what_was_exported(site: Site):
    """Also where both sides had come to the same text by themselves."""
    site.write(ONE, "A.")
    site.export()
    site.write(ONE, "B.")
    site.edit_file(ONE, "B.")
    assert site.take_back() == [(ONE, "unchanged")]
    site.write(ONE, "A.")

    assert site.take_back() == [(ONE, "unchanged")]
    assert site.revisions(ONE) == ["A.", "B.", "A."]
    site.export()
    assert texts(site.file) == {ONE: "A."}


def test_a_reviewer_may_return_to_what_was_exported(site: Site):
    site.write(ONE, "A.")
    site.export()
    site.edit_file(ONE, "B.")
    site.take_back()
    site.edit_file(ONE, "A.")

    assert site.take_back() == [(ONE, "changed")]
    assert site.revisions(ONE) == ["A.", "B.", "A."]


def test_an_older_file_of_another_branch_undoes_nothing(site: Site):
    site.write(ONE, "A.")
    site.export()
    site.edit_file(ONE, "A, mended.")
    site.take_back()
    main = site.file
    site.write(ONE, "B.")
    site.export()
    site.edit_file(ONE, "B, mended.")
    site.take_back()
    site.file = main

    assert site.take_back() == [(ONE, "unchanged")]
    assert site.now(ONE) == "B, mended."


def test_a_note_that_stands_twice_in_a_file_is_left_alone(site: Site):
    site.write(ONE, "One.")
    site.write(TWO, "Two.")
    site.export()
    site.file += write_blocks("", [Carried(ONE, 1, "One again.")])
    twice = site.file
    site.write(ONE, "One, changed.")

    told = note_sync.take_back(site.database, site.file, {}, NOW)

    why = "it stands in the file more than once; keep the block that is right, remove the others"
    assert told == [(ONE, "left alone", why), (TWO, "unchanged", ""), (ONE, "left alone", why)]
    assert site.revisions(ONE) == ["One.", "One, changed."]
    assert [note.note_id for note in site.export().notes] == [TWO]
    assert site.file == twice


def test_what_a_file_says_is_public_and_what_is_merged_with_a_private_text_is_private(site: Site):
    site.write(ONE, "a\nb\nc\nd")
    site.export()
    site.set_visibility(ONE, "private")
    site.write(ONE, "a\nb\nc\nD")
    site.edit_file(ONE, "A\nb\nc\nd")

    assert site.take_back() == [(ONE, "merged")]
    assert site.visibilities(ONE) == ["public", "private", "public", "private"]


STEP = st.one_of(
    st.tuples(st.sampled_from(["write", "edit", "stand twice"]), BODY),
    st.tuples(st.sampled_from(["write again", "edit again"]), st.integers(0, 9)),
    st.tuples(
        st.sampled_from(["write the file's", "edit to the site's", "export", "take back"]),
        st.none(),
    ),
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@given(steps=st.lists(STEP, max_size=10))
@example([("write", "B"), ("edit", "B"), ("take back", None), ("write again", 0)])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_of_either_side_is_ever_lost(site: Site, steps: list):
    site.forget()
    said = ["Begin."]
    site.write(ONE, "Begin.")
    site.export()
    taken = site.file  # the file as it was last taken back, or written
    for step, given_with in steps:
        here, there = site.revisions(ONE), texts(site.file)[ONE]
        if step == "stand twice":
            doubled = site.file + write_blocks("", [Carried(ONE, 1, given_with)])
            told = note_sync.take_back(site.database, doubled, {}, NOW)
            assert {item.what for item in told if item.note_id == ONE} == {"left alone"}
            assert site.revisions(ONE) == here
            continue
        if step.endswith("again"):
            body = here[given_with % len(here)]
        else:
            body = {"write the file's": there, "edit to the site's": here[-1]}.get(step, given_with)
        if step.startswith("write") and body.strip():
            site.write(ONE, body)
            said.append(body)
            if site.file == taken:
                site.take_back()
                assert site.revisions(ONE) == [*here, body], "an unchanged file undid an edit"
        elif step.startswith("edit"):
            site.edit_file(ONE, body)
        elif step in ("export", "take back"):
            # A reviewer's text is in Git once it is merged; taking it back is what counts.
            said += [there] if there.strip() else []
            site.export() if step == "export" else site.take_back()
            taken, once = site.file, site.revisions(ONE)
            site.take_back()
            assert site.revisions(ONE) == once, "the same file once more changed something"
    assert set(said) <= set(site.revisions(ONE))
    assert site.file.startswith(HEADER)

    # Once settled, both sides agree and stay so. An empty text in the file is not written over.
    if not texts(site.file)[ONE].strip():
        return
    site.take_back()
    site.write(ONE, "The end.")
    site.export()
    assert texts(site.file) == {ONE: "The end."}
    assert site.take_back() == [(ONE, "unchanged")]


# The commands, and what a note says of itself -----------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The example content, to write into."""
    docs = tmp_path / "checkout" / "docs"
    for path in (CONTENT / "docs").rglob("*.md"):
        to = docs / path.relative_to(CONTENT / "docs")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(path.read_bytes())
    return docs


@pytest.fixture
def command(readout: Callable, checkout: Path, sqlite_url: str) -> Callable:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        where = {
            "READOUT_DATABASE_URL": sqlite_url,
            "READOUT_CONTENT_DIR": str(checkout),
            "READOUT_EXECUTED_DIR": str(CONTENT / "executed"),
        }
        return readout("notes", *args, **where)

    return run


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_public_notes_go_into_the_file_of_their_meeting_and_come_back(
    command: Callable, checkout: Path, join: Join, clock: Clock
):
    ada = join("Ada")
    for body, visibility in [("For all.", "public"), ("For us.", "group"), ("Mine.", "private")]:
        ada.post(NOTES, json={"meeting": MEETING, "body": body, "visibility": visibility})
    path = checkout / "meetings" / f"{MEETING}.md"
    before = path.read_bytes()

    patch = command("export", MEETING, "--patch")
    assert path.read_bytes() == before
    done = command("export", MEETING)

    assert done.returncode == 0, done.stderr
    assert "1 public note\n2 for the group or their author alone stay here" in done.stderr
    assert list(texts(path.read_text()).values()) == ["For all."]
    assert "For us" not in path.read_text()
    assert patch.stdout.startswith(f"diff --git a/docs/meetings/{MEETING}.md b/docs/")
    assert "+For all." in patch.stdout

    path.write_bytes(path.read_bytes().replace(b"For all.", b"For all readers."))
    taken = command("import")
    assert ": changed" in taken.stderr
    (note,) = [
        note
        for note in ada.get(NOTES, params={"meeting": MEETING}).json()
        if note["visibility"] == "public"
    ]
    assert (note["body"], note["version"]) == ("For all readers.", 2)
    revisions = ada.get(f"{NOTES}/{note['id']}/revisions").json()
    assert [revision["by"] for revision in revisions] == ["Ada", None]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_commands_say_what_they_cannot_do(
    command: Callable, checkout: Path, client: TestClient
):
    unknown = command("export", "2026-03-13")
    assert unknown.returncode == 1
    assert "no meeting is recorded for '2026-03-13'" in unknown.stderr

    path = checkout / "meetings" / f"{MEETING}.md"
    path.write_bytes(write_blocks(path.read_text(), [Carried(ONE, 1, "x")]).encode())
    done = command("export", MEETING)
    assert done.returncode == 0
    assert f"note {ONE}: left alone; no such note is known here" in done.stderr
    assert "0 public notes" in done.stderr
    assert "has them all already" in done.stderr

    path.write_bytes(path.read_bytes().replace(b"date:", b"date: a: b", 1))
    broken = command("export", MEETING)
    assert broken.returncode == 1
    assert f"{path} was left out, as said above; readout check says what to mend" in broken.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_import_that_left_a_file_out_has_failed(
    command: Callable, checkout: Path, client: TestClient
):
    assert command("import").returncode == 0
    path = checkout / "meetings" / "2026-03-11.md"
    path.write_bytes("---\ndate: 2026-03-11\n---\n\né\n".encode("latin-1"))

    done = command("import")

    assert done.returncode == 1
    assert f"{path} was left out, as said above; readout check says what to mend" in done.stderr


def test_without_the_content_nothing_is_carried(readout: Callable, sqlite_url: str, tmp_path: Path):
    folder = tmp_path / "elsewhere"
    where = {"READOUT_DATABASE_URL": sqlite_url, "READOUT_CONTENT_DIR": str(folder)}
    for words in (["import"], ["export", MEETING]):
        done = readout("notes", *words, **where)
        assert done.returncode == 1
        assert f"no folder {folder}; start in the project, or set READOUT_CONTENT" in done.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_git_there_is_no_patch(
    command: Callable, join: Join, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command("export", MEETING, "--patch")
    assert done.returncode == 1
    assert "no patch: git is not installed; install it, or leave --patch out" in done.stderr


def test_the_notes_in_files_are_known_with_their_place(checkout: Path):
    path = checkout / "meetings" / f"{MEETING}.md"
    path.write_bytes(write_blocks(path.read_text(), [Carried(ONE, 1, "One.\r\n")]).encode())

    assert read_published(read_content(checkout)) == {
        ONE: PublishedNote("One.\r\n", f"meetings/{MEETING}/#published-notes")
    }


def test_a_patch_that_cannot_be_made_is_none(monkeypatch):
    failed = subprocess.CompletedProcess([], 128, b"", b"fatal: no space")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(OSError, match="fatal: no space"):
        as_patch("x.md", "a", "b")


@pytest.mark.parametrize(
    "setting", ["core.autocrlf input", "core.autocrlf true", "diff.orderFile none", "attributes"]
)
def test_a_patch_does_not_depend_on_what_its_user_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
):
    (tmp_path / "attributes").write_text("*.md text eol=lf\n")
    name, _, value = setting.partition(" ")
    if name == "attributes":
        name, value = "core.attributesFile", str(tmp_path / "attributes")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    subprocess.run(["git", "config", "--global", name, value], check=True)

    patch = as_patch("x.md", "a\r\nb\r\n", "a\r\nb\r\nc\r\nd\n")

    assert patch.endswith("\n a\r\n b\r\n+c\r\n+d\n")


def test_a_note_says_whether_it_is_exported_and_published(
    member: TestClient, organizer: TestClient
):
    given = {"id": str(uuid.UUID(ONE)), "meeting": MEETING, "body": "One.", "visibility": "public"}
    member.post(NOTES, json=given)
    service = member.app.state.service

    def now() -> tuple[str, str | None]:
        note = member.get(f"{NOTES}/{ONE}").json()
        return note["state"], note["link"]

    assert now() == ("draft", None)
    note_sync.mark_exported(service.database, [Carried(ONE, 1, "One.")])
    assert now() == ("exported", None)
    link = f"meetings/{MEETING}/#published-notes"
    service.published[ONE] = PublishedNote("One.", link)
    assert now() == ("published", link)
    member.put(f"{NOTES}/{ONE}", json={"body": "Two."}, headers={"If-Match": '"1"'})
    assert now() == ("draft", link)
