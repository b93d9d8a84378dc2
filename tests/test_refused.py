"""What the service says when it cannot store or read just now, and what the writer does then."""

import asyncio
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pysqlite3
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlmodel import Session

from api import database as databases
from api import engines
from api.app import create_app
from api.database import TRIES, Busy, Database, _again_if_asked
from api.migrate import _check_references, migrate
from api.service import Service
from api.settings import Settings
from tests.conftest import API
from tests.test_answers import QUIZ, answer
from tests.test_database import member, names

NOTE = {"meeting": "2026-03-12", "body": "A note."}


@pytest.fixture
def database_url(newest_sqlite_url: str) -> str:
    """PostgreSQL has no file that can be full, and many writers."""
    return newest_sqlite_url


@pytest.fixture
def database(newest_sqlite_url: str) -> Iterator[Database]:
    database = Database(newest_sqlite_url)
    yield database
    database.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 300)


def service_of(client: TestClient) -> Service:
    return client.app.state.service


# What is replied ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["answer", "note"])
def test_a_full_disk_is_said_and_passes(member: TestClient, kind: str):
    """SQLite takes a file that may grow no more for a full disk."""
    database = service_of(member).database

    def pages(most: str) -> None:
        database.write(
            lambda session: session.connection().exec_driver_sql(f"PRAGMA max_page_count = {most}")
        )

    pages("1")  # as many as there are
    replies = (
        member.post(f"{QUIZ}/answers", json=answer(certainty=1, reason="x" * 400))
        if kind == "answer"
        else member.post(f"{API}/notes", json=NOTE | {"id": str(uuid.uuid4())})
        for _ in range(100)
    )
    refused = next(reply for reply in replies if reply.status_code != 201)
    assert (refused.status_code, refused.json()) == (
        507,
        {"detail": "the disk is full; nothing was stored", "code": "disk-full"},
    )
    pages("100000")
    assert member.post(f"{API}/notes", json=NOTE).status_code == 201


def test_another_program_that_holds_the_database_is_said(impatient, member: TestClient):
    file = service_of(member).database.engine.url.database
    with closing(pysqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reply = member.post(f"{API}/notes", json=NOTE)
        other.execute("ROLLBACK")
    assert (reply.status_code, reply.json()) == (
        503,
        {
            "detail": "another program holds the database; nothing was stored; try again",
            "code": "busy",
        },
    )
    assert member.post(f"{API}/notes", json=NOTE).status_code == 201


def test_too_many_readers_are_told_to_come_back(
    member: TestClient, monkeypatch: pytest.MonkeyPatch
):
    reader = service_of(member).database._reader
    monkeypatch.setattr(reader.pool, "_timeout", 0.01)
    taken = [reader.connect() for _ in range(reader.pool.size())]

    reply = member.get(f"{API}/notes/search?q=x")

    assert (reply.status_code, reply.json()["code"]) == (503, "busy")
    assert reply.headers["retry-after"]
    for connection in taken:
        connection.close()
    assert member.get(f"{API}/notes/search?q=x").status_code == 200


def test_a_file_that_is_wrong_is_left_out_and_named(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    docs = tmp_path / "docs"
    for folder in ("library", "meetings", "quizzes", "topics"):
        (docs / folder).mkdir(parents=True)
    (docs / "library" / "broken.md").write_text("no header")
    database = Database(sqlite_url)
    migrate(database)
    database.close()
    settings = Settings(database_url=sqlite_url, content_dir=docs, site_dir=tmp_path / "site")

    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        assert client.get(f"{API}/health").status_code == 200

    assert "left out: docs/library/broken.md:1: no header" in caplog.text


# The writer ---------------------------------------------------------------------------------------


class Holding:
    """A write that keeps the writer until it is let go."""

    def __init__(self, database: Database) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.future = database._enqueue(self.wait)
        assert self.begun.wait(10)

    def wait(self, session: Session) -> None:
        self.begun.set()
        assert self.go_on.wait(10)


def test_a_queue_that_is_full_refuses_the_next(sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(databases, "MOST_WAITING", 2)
    database = Database(sqlite_url)
    migrate(database)
    holding = Holding(database)
    waiting = [database._enqueue(lambda s, n=n: s.add(member_(n))) for n in range(2)]

    with pytest.raises(Busy, match="2 writes are waiting; try again in a moment"):
        database.write(lambda session: session.add(member_(2)))

    assert (database.waiting, database.counts.refused) == (2, 1)
    holding.go_on.set()
    for future in waiting:
        future.result(10)
    assert len(names(database)) == 2
    database.close()


def member_(number: int) -> object:
    return member(str(number), f"name-{number}")


def test_as_many_as_one_commit_holds_are_written_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(databases, "MOST_TOGETHER", 3)
    holding = Holding(database)
    before = database.counts.commits
    waiting = [database._enqueue(lambda s, n=n: s.add(member_(n))) for n in range(6)]
    holding.go_on.set()
    for future in waiting:
        future.result(10)

    assert database.counts.commits - before == 3  # the one that held; three, and three
    assert len(names(database)) == 6


def test_all_who_wait_for_a_locked_file_are_told_together(
    impatient, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    database = Database(sqlite_url)
    migrate(database)
    monkeypatch.setattr(databases, "MOST_TOGETHER", 1)
    with closing(pysqlite3.connect(database.engine.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [database._enqueue(lambda s, n=n: s.add(member_(n))) for n in range(5)]
        outcomes = [future.exception(10) for future in waiting]
        other.execute("ROLLBACK")

    assert all(isinstance(error, sa.exc.OperationalError) for error in outcomes)
    assert len({id(error) for error in outcomes}) == 1  # one attempt, one answer for all of them
    assert names(database) == []
    database.close()


def refuse_together(session: Session, items: Sequence[int]) -> list[int]:
    """A handler that raises when one of its items is odd."""
    if odd := [item for item in items if item % 2]:
        raise ValueError(f"odd: {odd}")
    session.add_all([member_(item) for item in items])
    return list(items)


def test_a_handler_that_raises_is_asked_again_for_each_by_itself(database: Database):
    async def run() -> list[object]:
        holding = Holding(database)
        tasks = [asyncio.create_task(database.write_together(refuse_together, n)) for n in range(4)]
        await asyncio.sleep(0)
        holding.go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(run())

    assert outcomes[::2] == [0, 2]
    assert [str(error) for error in outcomes[1::2]] == ["odd: [1]", "odd: [3]"]
    assert names(database) == ["name-0", "name-2"]


def test_what_was_stored_stays_when_who_asked_has_gone(database: Database):
    async def run() -> None:
        holding = Holding(database)
        task = asyncio.create_task(database.write_together(refuse_together, 2))
        await asyncio.sleep(0)
        task.cancel()
        holding.go_on.set()
        await asyncio.sleep(0.1)
        assert task.cancelled()

    asyncio.run(run())
    database.write(lambda session: None)
    assert names(database) == ["name-2"]


def test_a_loop_that_has_ended_is_told_nothing(database: Database):
    holding = Holding(database)

    async def run() -> None:
        task = asyncio.create_task(database.write_together(refuse_together, 2))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    holding.go_on.set()
    database.write(lambda session: None)
    assert names(database) == ["name-2"]


def test_a_failure_of_the_file_is_everyones(database: Database):
    """A job does not take back by itself what the disk refused."""

    def fail(session: Session) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))

    with pytest.raises(sa.exc.OperationalError, match="disk is full"):
        database.write(fail)


def test_a_transaction_begins_again_as_often_as_it_may_and_no_more():
    class Refused(Exception):
        sqlstate = "40001"

    asked = []

    def attempt() -> None:
        asked.append(1)
        raise sa.exc.DBAPIError("UPDATE", {}, Refused())

    with pytest.raises(sa.exc.DBAPIError):
        _again_if_asked(attempt)
    assert len(asked) == TRIES


def test_a_migration_that_leaves_a_broken_reference_is_refused(database: Database):
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.rollback()
        connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(
            "INSERT INTO sign_in (token_hash, member_id, device, made_at, used_at, expires_at) "
            "VALUES ('x', 'nobody', '', '2026-03-10', '2026-03-10', '2026-03-10')"
        )
        with pytest.raises(engines.Unusable, match=r"would leave broken references: .*sign_in"):
            _check_references(connection, is_sqlite=True)
        connection.rollback()
