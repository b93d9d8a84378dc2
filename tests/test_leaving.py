"""What is stored about a member can all be carried away, and all be erased: every table, looked at.

A new table, or a new column of text, fails here until it is said what becomes of it.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel

from api import engines, tally
from api.app import create_app
from api.engines import sqlite_driver
from tests.conftest import API, Clock

TABLES = SQLModel.metadata.tables
# Where the export holds a table's rows of a member.
EXPORTED = {
    "member": "member",
    "sign_in": "devices",
    "invitation": "codes",
    "answer": "answers",
    "note": "notes",
    "note_revision": "notes",
    "problem_report": "reports",
}
# Columns of text that say nothing of one's own: ids, places, versions, hashes, words of ours.
OF_THE_SERVICE = {
    "member": {"id", "role"},
    "sign_in": {"token_hash", "member_id"},
    "invitation": {"code_hash", "member_id", "made_by_id", "role"},
    "answer": {"member_id", "id", "quiz", "question", "turn", "question_version", "key_version"},
    "note": {"id", "meeting", "entry", "author_id", "visibility"},
    "note_revision": {"note_id", "editor_id", "fingerprint", "visibility"},
    "problem_report": {"member_id", "id", "question", "question_version"},
}
# What says who it was, if only by a guess: a hash of what was sent.
DERIVED = {"answer": {"request_hash", "reply"}, "note_revision": {"html"}, "invitation": {"name"}}
CANARY = "canary"


def reaching_members() -> set[str]:
    """The tables whose rows belong to a member, directly or through another table."""
    found = {"member"}
    while more := {
        name
        for name, table in TABLES.items()
        if name not in found and any(key.column.table.name in found for key in table.foreign_keys)
    }:
        found |= more
    return found


def texts(table: sa.Table) -> set[str]:
    return {
        column.name
        for column in table.columns
        if isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)
    }


def everything(client: TestClient) -> Iterator[str]:
    """Each value of each column of each table, as text."""
    with client.app.state.service.database.read() as session:
        for name, table in TABLES.items():
            for row in session.connection().execute(sa.select(table)).mappings():
                yield from (f"{name}.{column}: {value}" for column, value in row.items())


def rows_of(client: TestClient, name: str, member_id: str) -> list[sa.RowMapping]:
    """The rows of a table that belong to a member; of notes, each version."""
    table, note = TABLES[name], TABLES["note"]
    owners = [key.parent for key in table.foreign_keys if key.column.table.name == "member"] or [
        table.c.id
    ]
    mine = sa.or_(*(column == member_id for column in owners))
    if name == "note_revision":
        mine |= table.c.note_id.in_(sa.select(note.c.id).where(note.c.author_id == member_id))
    with client.app.state.service.database.read() as session:
        return list(session.connection().execute(sa.select(table).where(mine)).mappings())


@pytest.fixture
def ada(client: TestClient, organizer: TestClient) -> TestClient:
    """A member with something in every table, each text of it with a word of its own."""
    link = organizer.post(f"{API}/invitations", json={"name": f"{CANARY}-nickname"}).json()["link"]
    ada = TestClient(client.app, headers={"user-agent": f"{CANARY}-device"})
    given = {"invite": link.partition("#")[2], "name": f"{CANARY}-name"}
    assert ada.post(f"{API}/join", json=given).status_code == 201

    def make(method: str, path: str, body: dict, **headers: str) -> dict:
        reply = ada.request(method, f"{API}{path}", json=body, headers=headers)
        assert reply.is_success, reply.text
        return reply.json()

    def new() -> str:
        return str(uuid.uuid4())

    answers = "/quizzes/example/answers"
    words = {"id": new(), "question": "the-sum", "response": f"{CANARY}-words"}
    make("POST", answers, {**words, "reason": f"{CANARY}-reason"})
    make("POST", answers, {"id": new(), "question": "the-sum", "response": "residual stream"})
    make("POST", answers, {"id": new(), "question": "share-right", "response": 0.5})
    make("POST", answers, {"id": new(), "question": "why-two-layers", "response": "b"})
    report = {"id": new(), "text": f"{CANARY}-report"}
    make("POST", "/quizzes/example/questions/the-sum/reports", report)
    note = make("POST", "/notes", {"meeting": "2026-03-12", "body": f"{CANARY}-first"})
    change = {"body": f"{CANARY}-second"}
    make("PUT", f"/notes/{note['id']}", change, **{"if-match": '"1"'})
    private = {"entry": "2022-wang-ioi", "body": f"{CANARY}-own", "visibility": "private"}
    gone = make("POST", "/notes", private)["id"]
    assert ada.delete(f"{API}/notes/{gone}", headers={"if-match": '"1"'}).status_code == 204
    make("POST", "/me/devices", {})
    return ada


def test_it_is_known_of_every_table_and_text_what_becomes_of_it(ada: TestClient):
    """Every column of text is either the service's own, or holds a canary below."""
    assert reaching_members() == set(EXPORTED) == set(OF_THE_SERVICE)
    stored = " ".join(everything(ada))
    for name in EXPORTED:
        for column in texts(TABLES[name]) - OF_THE_SERVICE[name] - DERIVED.get(name, set()):
            assert f"{name}.{column}: " in stored
            assert any(
                CANARY in value
                for value in everything(ada)
                if value.startswith(f"{name}.{column}: ")
            ), f"{name}.{column} holds no canary: say in this test what becomes of it"


def test_the_export_holds_every_row_of_the_member(ada: TestClient, organizer: TestClient):
    """Also what an organizer changed in a note of hers, and what she changed in another's."""
    me = ada.get(f"{API}/me").json()["id"]
    [note] = ada.get(f"{API}/notes", params={"meeting": "2026-03-12"}).json()
    headers = {"if-match": f'"{note["version"]}"'}
    changed = {"body": "Mended."}
    organizer.put(f"{API}/notes/{note['id']}", json=changed, headers=headers)
    theirs = {"meeting": "2026-03-12", "body": "Of an organizer."}
    other = organizer.post(f"{API}/notes", json=theirs).json()["id"]
    organizer.put(f"{API}/members/{me}/role", json={"role": "organizer"})
    mended = {"body": f"{CANARY}-of-another"}
    ada.put(f"{API}/notes/{other}", json=mended, headers={"if-match": '"1"'})
    ada.post(f"{API}/invitations", json={"name": "Bo"})

    exported = ada.get(f"{API}/me/export")

    stored = {name: len(rows_of(ada, name, me)) for name in EXPORTED}
    told = {key: len(rows) for key, rows in exported.json().items() if isinstance(rows, list)}
    assert stored.pop("member") == 1
    assert stored.pop("note") == len({n["id"] for n in exported.json()["notes"] if n["mine"]}) == 2
    assert {EXPORTED[name]: n for name, n in stored.items()} == told
    assert min(told.values()) > 0
    codes = sorted(code["for"] for code in exported.json()["codes"])
    assert codes == ["a device", "an invitation"]
    assert "Bo" not in exported.text, "a name of another"
    for name in EXPORTED:
        for row in rows_of(ada, name, me):
            for column in texts(TABLES[name]) - OF_THE_SERVICE[name] - DERIVED.get(name, set()):
                words = str(row[column] or "").strip('"')
                assert words in exported.text, f"{name}.{column}"


def test_the_export_says_of_a_note_where_it_stands_and_who_changed_it(
    ada: TestClient, organizer: TestClient
):
    [note] = ada.get(f"{API}/notes", params={"meeting": "2026-03-12"}).json()
    changed, headers = {"body": "Mended."}, {"if-match": '"2"'}
    organizer.put(f"{API}/notes/{note['id']}", json=changed, headers=headers)

    exported = ada.get(f"{API}/me/export").json()["notes"]

    of_meeting = {"meeting": "2026-03-12", "entry": None, "visibility": "group", "deleted": False}
    of_entry = {"meeting": None, "entry": "2022-wang-ioi", "visibility": "private", "deleted": True}
    told = [
        (one.pop("version"), one.pop("body"), one.pop("changed_by_me"))
        for one in exported
        if one.pop("id") == note["id"]
    ]
    assert told == [
        (1, f"{CANARY}-first", True),
        (2, f"{CANARY}-second", True),
        (3, "Mended.", False),
    ]
    said = [one for one in exported if "version" not in one]
    common = {"mine": True, "saved_at": "2026-03-10T18:00:00Z"}
    assert said == [common | of_meeting | {"saved_for": "group"}] * 3
    [gone] = [one for one in exported if "version" in one]
    assert gone == common | of_entry | {
        "version": 1,
        "body": f"{CANARY}-own",
        "changed_by_me": True,
        "saved_for": "private",
    }


def test_an_erased_member_is_known_as_such_and_their_reports_are_dealt_with(
    ada: TestClient, organizer: TestClient, clock: Clock
):
    me = ada.get(f"{API}/me").json()["id"]
    organizer.put(f"{API}/members/{me}/role", json={"role": "organizer"})
    ada.post(f"{API}/invitations", json={"name": "Bo"})
    ada.delete(f"{API}/me")

    [member] = rows_of(ada, "member", me)
    assert (member["name"], member["erased_at"], member["removed_at"]) == ("", clock.now, None)
    assert rows_of(ada, "invitation", me) == [], "what was handed out opens nothing"
    [report] = rows_of(ada, "problem_report", me)
    assert (report["text"], report["closed_at"]) == ("", clock.now)


def test_an_answer_of_the_same_id_is_kept_where_it_is_of_another(
    ada: TestClient, organizer: TestClient
):
    """Each device makes its ids, so that two members may come to the same."""
    me, other = (client.get(f"{API}/me").json()["id"] for client in (ada, organizer))
    [own] = [row for row in rows_of(ada, "answer", me) if CANARY in row["response"]]
    given = {"id": own["id"], "question": "the-sum", "response": "something else"}
    assert organizer.post(f"{API}/quizzes/example/answers", json=given).status_code == 201

    ada.delete(f"{API}/me")

    assert [row["response"] for row in rows_of(ada, "answer", other)] == ['"something else"']


def test_nothing_of_an_erased_member_is_left_in_any_column(ada: TestClient, organizer: TestClient):
    me = ada.get(f"{API}/me").json()["id"]
    before = {name: len(rows_of(ada, name, me)) for name in EXPORTED}
    counts = organizer.get(f"{API}/quizzes/example/results").json()
    assert any(CANARY in value for value in everything(ada))

    assert ada.delete(f"{API}/me").status_code == 204

    assert [value for value in everything(ada) if CANARY in value.casefold()] == []
    for row in rows_of(ada, "answer", me):
        assert (row["request_hash"], row["reply"]) == ("", "{}"), "a hash of few words is guessed"
    after = {name: len(rows_of(ada, name, me)) for name in EXPORTED}
    assert after == before | {"sign_in": 0, "invitation": 0}, "what counts stays, nameless"
    assert [row["response"] for row in rows_of(ada, "answer", me)].count('"(erased)"') == 1
    still = organizer.get(f"{API}/quizzes/example/results").json()
    assert [(q["question"], q["n"], q["correct"]) for q in still["questions"]] == [
        (q["question"], q["n"], q["correct"]) for q in counts["questions"]
    ]
    tallied = [row["n"] for row in tallies(ada)]
    with ada.app.state.service.database.read() as session:
        answers = session.connection().execute(
            sa.select(sa.func.count()).select_from(TABLES["answer"])
        )
        assert sum(tallied) == answers.scalar()


def test_the_last_organizer_of_others_cannot_erase_themselves(
    organizer: TestClient, member: TestClient
):
    refused = organizer.delete(f"{API}/me")

    assert (refused.status_code, refused.json()) == (
        409,
        {
            "detail": "the group needs an organizer; make another member one first, on the page "
            "Members, or with readout members role NAME organizer",
            "code": "conflict",
        },
    )
    assert organizer.get(f"{API}/me").json()["name"] == "Grace", "nothing was erased"
    other = member.get(f"{API}/me").json()["id"]
    organizer.put(f"{API}/members/{other}/role", json={"role": "organizer"})
    assert organizer.delete(f"{API}/me").status_code == 204


# On its way -------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_answer_that_is_being_stored_is_erased_with_its_member(
    member: TestClient, monkeypatch: pytest.MonkeyPatch
):
    """PostgreSQL has many writers: the erasure begins before the answer is committed."""
    database = member.app.state.service.database
    inserted, add = threading.Event(), tally.add

    def held(session: Session, rows: list[dict]) -> None:
        add(session, rows)
        inserted.set()
        for _ in range(200):
            with database.engine.connect() as other:
                if other.exec_driver_sql("SELECT 1 FROM pg_locks WHERE NOT granted").first():
                    return
            time.sleep(0.02)

    monkeypatch.setattr(tally, "add", held)
    given = {"id": str(uuid.uuid4()), "question": "why-two-layers", "response": "a"}
    given["reason"] = f"{CANARY}-reason"
    [token] = member.cookies.values()
    other = TestClient(member.app, headers={"Authorization": f"Bearer {token}"})
    with ThreadPoolExecutor(2) as pool:
        answered = pool.submit(member.post, f"{API}/quizzes/example/answers", json=given)
        assert inserted.wait(20)
        erased = pool.submit(other.delete, f"{API}/me")
        assert (answered.result().status_code, erased.result().status_code) == (201, 204)

    assert [value for value in everything(member) if CANARY in value] == []
    given["id"] = str(uuid.uuid4())
    again = other.post(f"{API}/quizzes/example/answers", json=given)
    assert again.status_code == 401


# In the file -------------------------------------------------------------------------------------


def in_files(folder: Path, word: str) -> list[str]:
    """The files of the database, the log among them, in which a word stands."""
    files = folder.glob("readout.sqlite3*")
    return sorted(file.name for file in files if word.encode() in file.read_bytes())


def file_of(client: TestClient) -> Path:
    return Path(sa.make_url(client.app.state.service.settings.database_url).database)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_nothing_of_an_erased_member_is_left_in_the_file_or_its_log(
    ada: TestClient, tmp_path: Path
):
    with closing(sqlite_driver().connect(file_of(ada))) as earlier:  # as version 0.1 deleted
        earlier.executescript(
            "PRAGMA secure_delete = OFF; CREATE TABLE old (body);"
            f"INSERT INTO old VALUES ('{CANARY}' || hex(zeroblob(9000)));"
            "PRAGMA wal_checkpoint; DROP TABLE old"
        )
    assert in_files(tmp_path, CANARY) == ["readout.sqlite3", "readout.sqlite3-wal"]

    ada.delete(f"{API}/me")

    assert in_files(tmp_path, CANARY) == []


@on_sqlite
def test_what_is_deleted_is_overwritten(organizer: TestClient, tmp_path: Path):
    made = organizer.post(f"{API}/invitations", json={"name": CANARY}).json()
    organizer.delete(f"{API}/invitations/{made['id']}")
    organizer.app.state.service.database.close()  # takes in the log, and deletes it

    assert in_files(tmp_path, CANARY) == []


@on_sqlite
@pytest.mark.parametrize(
    ("held_by", "why"),
    [
        ("BEGIN IMMEDIATE", "the database cannot be written anew: database is locked"),
        ("BEGIN; SELECT 1 FROM member", "somebody reads from the log"),
    ],
    ids=["a writer", "a reader"],
)
def test_who_holds_the_file_while_somebody_is_erased_holds_up_nobody(
    ada: TestClient, monkeypatch: pytest.MonkeyPatch, caplog, held_by: str, why: str
):
    """The member is erased, and it is said that traces may be left."""
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 50)
    write = ada.app.state.service.database.write
    other = sqlite_driver().connect(file_of(ada), isolation_level=None, check_same_thread=False)

    def then_hold(job):
        done = write(job)
        for statement in held_by.split(";"):
            other.execute(statement)
        return done

    monkeypatch.setattr(ada.app.state.service.database, "write", then_hold)
    assert ada.delete(f"{API}/me").status_code == 204
    other.close()

    assert [value for value in everything(ada) if CANARY in value.casefold()] == []
    assert why in caplog.text


def tallies(client: TestClient) -> list[sa.RowMapping]:
    with client.app.state.service.database.read() as session:
        return list(session.connection().execute(sa.select(TABLES["tally"])).mappings())


def test_an_answer_to_a_question_that_is_gone_is_taken_for_own_words(
    ada: TestClient, clock: Clock, tmp_path
):
    """Whether it was an option or somebody's words, nobody can tell any more."""
    me = ada.get(f"{API}/me").json()["id"]
    empty = ada.app.state.service.settings.model_copy(update={"content_dir": tmp_path})
    with TestClient(create_app(empty, clock), cookies=dict(ada.cookies)) as later:
        assert later.delete(f"{API}/me").status_code == 204

        responses = [row["response"] for row in rows_of(later, "answer", me)]
        assert sorted(responses) == ['"(erased)"'] * 3 + ["0.5"]


def test_who_was_invited_and_never_came_is_forgotten(organizer: TestClient, clock: Clock):
    organizer.post(f"{API}/invitations", json={"name": f"{CANARY}-late"})
    clock.set("2026-03-24T18:00:00+00:00")
    organizer.post(f"{API}/invitations", json={"name": "Bo"})

    assert not any(CANARY in value for value in everything(organizer))
