"""The one writer of SQLite: what shares a commit, who is told what, and what stops everything."""

import asyncio
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pysqlite3
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from api import database as database_module
from api import engines
from api.database import Busy, Counts, Database, Failed, UtcDateTime, sqlite_name
from api.members import Member
from api.migrate import migrate

NOW = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
TEXTS = "SELECT text FROM t ORDER BY rowid"
write_soon = Database.write_soon  # as it is, though other tests wait for it


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(str(sa.make_url(sqlite_url).database))


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT UNIQUE)"))
    database.counts.writes = database.counts.commits = 0
    yield database
    database.close()


def run(session: Session, statement: str, *given: Any) -> Any:
    return session.connection().exec_driver_sql(statement, given)


def adding(text: str) -> Callable[[Session], str]:
    def job(session: Session) -> str:
        run(session, "INSERT INTO t VALUES (?)", text)
        return text

    return job


def texts(database: Database) -> list[str]:
    with database.read() as session:
        return [row[0] for row in run(session, TEXTS)]


@contextmanager
def held(database: Database) -> Iterator[None]:
    """The writer is busy until the end of the block, and what is asked meanwhile waits."""
    begun, go_on = threading.Event(), threading.Event()

    def job(session: Session) -> None:
        begun.set()
        go_on.wait(30)

    holding = database._enqueue(job)
    assert begun.wait(10)
    try:
        yield
    finally:
        go_on.set()
        holding.result(10)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process writes, and does not come to an end."""
    other = pysqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_writes_that_arrive_together_share_a_commit(database: Database):
    asked = [str(number) for number in range(200)]
    with held(database):
        futures = [database._enqueue(adding(text)) for text in asked]
        assert database.waiting == 200

    assert [future.result(10) for future in futures] == asked
    assert texts(database) == asked
    # The one that held the writer, 128 that waited, and the other 72.
    assert (database.counts.commits, database.counts.writes) == (3, 201)
    assert database.waiting == 0


def test_who_comes_while_a_thousand_wait_is_told_to_come_back(database: Database):
    with held(database):
        futures = [database._enqueue(adding(str(number))) for number in range(1_000)]
        with pytest.raises(Busy, match=r"^1000 writes are waiting; try again in a moment$"):
            database.write(adding("one too many"))
        assert (database.waiting, database.counts.refused) == (1_000, 1)
        with pytest.raises(Busy):
            database.write(adding("another"))

    for future in futures:
        future.result(10)
    assert len(texts(database)) == 1_000
    assert database.counts.refused == 2


@pytest.mark.parametrize(("asked", "commits"), [(2 * 128, 3), (2 * 128 + 1, 4)])
def test_at_most_128_writes_share_a_commit(database: Database, asked: int, commits: int):
    with held(database):
        futures = [database._enqueue(adding(str(number))) for number in range(asked)]
    for future in futures:
        future.result(10)
    assert database.counts == Counts(writes=asked + 1, commits=commits)  # one held the writer


def test_a_busy_writer_waits_a_little_for_more(database: Database, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(database_module, "time", SimpleNamespace(sleep=waits.append))
    with held(database):
        futures = [database._enqueue(adding(text)) for text in "abc"]
    for future in futures:
        future.result(10)
    assert waits == []  # all three were there already

    database.write(adding("d"))  # one after three: others may be on their way
    database.write(adding("e"))  # one after one: nobody to wait for
    assert waits == [database_module.GATHER_S] == [0.004]


def test_a_writer_waits_while_fewer_are_there_than_last_time(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    waits: list[float] = []
    monkeypatch.setattr(database_module, "time", SimpleNamespace(sleep=waits.append))
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    assert waits == []  # there was no last time
    go_on = threading.Event()
    with held(database):
        three = [adding("a"), adding("b"), lambda _: go_on.wait(30)]
        futures = [database._enqueue(job) for job in three]
    while database.waiting:
        time.sleep(0.001)
    futures += [database._enqueue(adding(text)) for text in "cd"]
    go_on.set()
    for future in futures:
        future.result(10)
    assert waits == [database_module.GATHER_S]  # two after three
    database.close()


def test_each_handler_gets_its_own_items_and_each_item_its_own_outcome(database: Database):
    calls: list[tuple[str, list[int]]] = []

    def doubled(session: Session, items: Sequence[int]) -> list[int | Exception]:
        calls.append(("doubled", list(items)))
        return [LookupError(str(item)) if item == 3 else 2 * item for item in items]

    def negated(session: Session, items: Sequence[int]) -> list[int]:
        calls.append(("negated", list(items)))
        return [-item for item in items]

    async def ask() -> list[Any]:
        asked: list[Any] = []
        with held(database):
            for item in range(1, 5):
                asked.append(asyncio.ensure_future(database.write_together(doubled, item)))
                asked.append(asyncio.ensure_future(database.write_together(negated, item)))
            await asyncio.sleep(0)
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = asyncio.run(ask())

    assert calls == [("doubled", [1, 2, 3, 4]), ("negated", [1, 2, 3, 4])]
    assert [str(outcome) for outcome in outcomes] == ["2", "-1", "4", "-2", "3", "-3", "8", "-4"]
    assert isinstance(outcomes[4], LookupError)


def test_a_handler_that_raises_is_asked_again_for_each_by_itself(database: Database):
    def store(session: Session, items: Sequence[str]) -> list[str]:
        for item in items:
            run(session, "INSERT INTO t VALUES (?)", item)
        if "bad" in items:
            raise ValueError("bad")
        return list(items)

    async def ask() -> list[Any]:
        with held(database):
            asked = [
                asyncio.ensure_future(database.write_together(store, item))
                for item in ("a", "bad", "b")
            ]
            await asyncio.sleep(0)
        return await asyncio.gather(*asked, return_exceptions=True)

    a, bad, b = asyncio.run(ask())

    assert (a, b) == ("a", "b")
    assert isinstance(bad, ValueError)
    assert texts(database) == ["a", "b"]
    assert (database.counts.commits, database.counts.writes) == (3, 3)  # with the one that held it


def test_a_job_that_fails_leaves_the_others_of_its_commit(database: Database):
    with held(database):
        futures = [database._enqueue(adding(text)) for text in ("a", "a", "b")]

    assert futures[0].result(10) == "a"
    with pytest.raises(sa.exc.IntegrityError):
        futures[1].result(10)
    assert futures[2].result(10) == "b"
    assert texts(database) == ["a", "b"]
    assert database.counts.commits == 2


def test_what_the_database_refuses_to_all_is_told_to_all(database: Database):
    with held(database):
        futures = [
            database._enqueue(adding("a")),
            database._enqueue(lambda session: run(session, "INSERT INTO nowhere VALUES (1)")),
        ]

    for future in futures:
        with pytest.raises(OperationalError, match="no such table: nowhere"):
            future.result(10)
    assert texts(database) == []
    assert database.counts.commits == 1  # the one that held the writer
    assert database.write(adding("a")) == "a"  # nothing is wrong with the disk


def test_who_waits_for_a_lock_is_told_with_the_first(
    sqlite_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 300)
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    refusals: list[str] = []
    sa.event.listen(
        database.engine,
        "handle_error",
        lambda context: refusals.append(sqlite_name(context.original_exception)),
    )

    with locked(file):
        futures = [database._enqueue(adding("the first"))]
        while database.waiting:
            time.sleep(0.001)
        futures += [database._enqueue(adding(str(number))) for number in range(399)]
        for future in futures:
            with pytest.raises(OperationalError, match="database is locked"):
                future.result(10)
    # All 400 came while the first were waiting, and nobody waited once more.
    assert refusals == ["SQLITE_BUSY"]
    assert database.failure is None
    assert database.write(adding("after")) == "after"
    assert texts(database) == ["after"]
    database.close()


@pytest.mark.parametrize("asked", [1, 2])
def test_closing_while_another_process_writes_comes_to_an_end(
    sqlite_url: str, file: Path, monkeypatch: pytest.MonkeyPatch, asked: int
):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(database_module, "GATHER_S", 0.3)
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    with held(database):
        before = [database._enqueue(adding(text)) for text in "ab"]
    for future in before:
        future.result(10)

    with locked(file):
        futures = [database._enqueue(adding(str(number))) for number in range(asked)]
        # With one, the writer still waits for more, and finds the end in the same look.
        database.close()
        for future in futures:
            assert future.done()
            assert isinstance(future.exception(), OperationalError)
    again = Database(sqlite_url)
    assert texts(again) == ["a", "b"]
    again.close()


def test_the_writer_is_known_by_its_name_and_keeps_no_process_alive(database: Database):
    assert (database._thread.name, database._thread.daemon) == ("writer", True)


def test_a_failure_that_nobody_asked_to_hear_of_is_told_to_who_writes(sqlite_url: str, file: Path):
    file.write_bytes(b"no database at all" * 100)
    database = Database(sqlite_url)
    with pytest.raises(DBAPIError, match="file is not a database"):
        database.write(adding("a"))
    with pytest.raises(Failed):
        database.write(adding("b"))
    database.close()


def test_a_damaged_file_stops_all_writing_and_is_said_once(
    sqlite_url: str, file: Path, caplog: pytest.LogCaptureFixture
):
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    database.close()
    with file.open("r+b") as damaged:
        damaged.write(b"no database at all")
    database = Database(sqlite_url)
    ends: list[str | None] = []
    database.on_failure = lambda: ends.append(database.failure)
    assert database.failure is None

    for _ in range(2):
        with caplog.at_level(logging.CRITICAL, "readout"), pytest.raises((DBAPIError, Failed)):
            database.write(adding("a"))

    assert ends == ["SQLITE_NOTADB: file is not a database"]
    said = "the database failed, SQLITE_NOTADB: file is not a database; stopping"
    assert [record.getMessage() for record in caplog.records] == [said]
    reason = "the database failed; the service stops, and starts again if it is watched"
    with pytest.raises(Failed, match=f"^{reason}$"):
        database.check()
    with pytest.raises(Failed, match=f"^{reason}$"):
        database.write(adding("b"))
    database.close()


def test_what_waits_when_the_disk_fails_is_not_written(database: Database):
    with held(database):
        future = database._enqueue(adding("a"))
        database.failure = "SQLITE_IOERR: as if the disk had failed"
    with pytest.raises(Failed):
        future.result(10)
    assert texts(database) == []
    database.failure = None


def test_a_write_is_kept_though_nobody_waits_for_it_any_more(database: Database):
    def store(session: Session, items: Sequence[str]) -> list[str]:
        return [adding(item)(session) for item in items]

    async def give_up() -> None:
        with held(database):
            asked = [
                asyncio.ensure_future(database.write_together(store, item)) for item in ("a", "b")
            ]
            await asyncio.sleep(0)
            asked[0].cancel()
            await asyncio.sleep(0)
        assert await asked[1] == "b"

    asyncio.run(give_up())
    assert texts(database) == ["a", "b"]

    # Nor does it matter when the loop itself has gone.
    hold = held(database)
    hold.__enter__()

    async def leave() -> None:
        gone = asyncio.ensure_future(database.write_together(store, "c"))
        await asyncio.sleep(0)
        gone.cancel()

    asyncio.run(leave())
    hold.__exit__(None, None, None)
    assert database.write(adding("d")) == "d"
    assert texts(database) == ["a", "b", "c", "d"]


def test_a_query_of_the_loop_finds_a_row_or_none(database: Database):
    database.write(adding("a"))
    query = sa.text("SELECT text FROM t WHERE text = :text")

    assert tuple(asyncio.run(database.find(query, {"text": "a"}))) == ("a",)
    assert asyncio.run(database.find(query, {"text": "b"})) is None
    assert asyncio.run(database.look(lambda session: run(session, TEXTS).scalar())) == "a"
    with pytest.raises(OperationalError, match="readonly"):
        asyncio.run(database.look(adding("b")))


def test_a_reader_sees_one_state(database: Database):
    database.write(adding("a"))
    with database.read() as session:
        assert len(run(session, TEXTS).all()) == 1
        database.write(adding("b"))
        assert len(run(session, TEXTS).all()) == 1
    assert texts(database) == ["a", "b"]


def test_closing_leaves_no_connection_and_no_log(sqlite_url: str, file: Path):
    database = Database(sqlite_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    database.write(adding("a"))
    assert (database.kind, texts(database)) == ("sqlite", ["a"])

    database.close()

    assert not database._thread.is_alive()
    for engine in (database._writer, database._reader, database._finder):
        assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    connection = pysqlite3.connect(file)
    assert connection.execute(TEXTS).fetchall() == [("a",)]
    connection.close()


def test_nothing_is_no_moment():
    column = UtcDateTime()
    dialect = sa.create_engine("sqlite://").dialect
    assert column.process_bind_param(None, dialect) is None
    assert column.process_result_value(None, dialect) is None


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_in_utc_wherever_the_machine_stands(in_tokyo: None):
    column, dialect = UtcDateTime(), sa.create_engine("sqlite://").dialect
    moment = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
    given = moment.astimezone(dt.timezone(dt.timedelta(hours=2)))

    stored = column.process_bind_param(given, dialect)
    assert (stored, stored.utcoffset()) == (moment, dt.timedelta(0))
    for found in (moment.replace(tzinfo=None), given):
        read = column.process_result_value(found, dialect)
        assert (read, read.utcoffset()) == (moment, dt.timedelta(0))


# PostgreSQL: two transactions that meet -----------------------------------------------------------


class Asked(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        if sqlstate is not None:  # a connection that broke off has none
            self.sqlstate = sqlstate


def meeting(times: int, sqlstate: str | None) -> Callable[[], str]:
    """Succeeds after having been asked to begin again so many times."""
    left = iter(range(times))

    def attempt() -> str:
        if next(left, None) is not None:
            raise DBAPIError("COMMIT", {}, Asked(sqlstate))
        return "done"

    return attempt


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "23505"])
def test_a_transaction_begins_again_four_times(sqlstate: str, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(database_module, "time", SimpleNamespace(sleep=waits.append))

    assert database_module._again_if_asked(meeting(4, sqlstate)) == "done"
    assert waits == [0.01, 0.02, 0.04, 0.08]
    with pytest.raises(DBAPIError):
        database_module._again_if_asked(meeting(5, sqlstate))


def assert_a_row_can_be_read_when_it_is_stored(database: Database) -> None:
    migrate(database)

    def store(session: Session) -> Member:
        session.add(ada := Member(id="m1", name="Ada", role="member", joined_at=NOW))
        return ada

    assert database.write(store).name == "Ada"
    database.close()


def test_on_sqlite_a_row_can_be_read_when_it_is_stored(sqlite_url: str):
    assert_a_row_can_be_read_when_it_is_stored(Database(sqlite_url))


def test_a_full_disk_is_told_by_its_name(database: Database):
    """SQLite takes back the transaction, so that the savepoint cannot be ended: said after it."""
    database.write(lambda session: run(session, "PRAGMA max_page_count = 1"))
    with pytest.raises(OperationalError) as refused:
        database.write(adding("x" * 100_000))
    assert sqlite_name(refused.value.orig) == "SQLITE_FULL"


def test_a_handler_that_forgets_an_item_is_told(database: Database):
    with pytest.raises(ValueError, match="shorter"):
        asyncio.run(database.write_together(lambda session, items: [], "forgotten"))


def test_an_error_of_another_kind_has_no_name_of_sqlite():
    assert sqlite_name(ValueError()) == ""


def test_on_sqlite_a_short_read_needs_no_thread(database: Database):
    assert asyncio.run(database.look(lambda _: threading.get_ident())) == threading.get_ident()


@pytest.mark.parametrize("sqlstate", ["23503", "", "57014", None])
def test_another_error_is_not_tried_again(sqlstate: str | None, monkeypatch: pytest.MonkeyPatch):
    waiting = SimpleNamespace(sleep=lambda _: pytest.fail("it waited"))
    monkeypatch.setattr(database_module, "time", waiting)

    with pytest.raises(DBAPIError):
        database_module._again_if_asked(meeting(1, sqlstate))


# What nobody waits for ---------------------------------------------------------------------------


def storing(session: Session, items: Sequence[str]) -> list[str]:
    for text in items:
        run(session, "INSERT INTO t VALUES (?)", text)
    return list(items)


def test_of_what_nobody_waits_for_one_of_a_name_is_under_way(database: Database):
    with held(database):
        for name, text in [("a", "1"), ("a", "2"), ("b", "3")]:
            write_soon(database, name, storing, text)
        assert (database.soon, database.waiting) == ({"a", "b"}, 2)

    database.write(adding("4"))
    assert (texts(database), database.soon) == (["1", "3", "4"], set())
    write_soon(database, "a", storing, "5")
    database.write(adding("6"))
    assert texts(database) == ["1", "3", "4", "5", "6"]


def test_what_nobody_waits_for_is_let_go_where_it_fails(database: Database):
    with held(database):
        futures = [database._enqueue(adding(str(number))) for number in range(1_000)]
        write_soon(database, "a", storing, "one too many")
        assert database.soon == set()
    for future in futures:
        future.result(10)
    write_soon(database, "a", storing, "7")  # it is there already
    database.write(adding("1000"))
    assert (len(texts(database)), database.soon) == (1_001, set())
    database.failure = "the disk is gone"
    write_soon(database, "a", storing, "after it failed")
    assert database.soon == set()


def test_on_postgresql_of_what_nobody_waits_for_one_of_a_name_is_under_way(postgresql_url: str):
    database = Database(postgresql_url)
    go_on, begun, stored = threading.Event(), [], []

    def slowly(session: Session, items: Sequence[str]) -> list[str]:
        begun.extend(items)
        assert go_on.wait(30)
        stored.extend(run(session, "SELECT %s::text", item).scalar() for item in items)
        return list(items)

    for name, text in [("a", "1"), ("a", "2"), ("b", "3")]:
        write_soon(database, name, slowly, text)
    assert database.soon == {"a", "b"}
    time.sleep(0.2)
    assert begun == ["1"], "one at a time, so that others have a connection"
    go_on.set()
    database._later.submit(int).result(10)
    assert (stored, database.soon) == (["1", "3"], set())
    database.close()


def test_what_is_deleted_leaves_the_file_and_the_log(database: Database, file: Path):
    database.write(adding("a word of a kind"))
    database.write(lambda session: run(session, "DELETE FROM t"))
    assert any(b"a word of a kind" in path.read_bytes() for path in file.parent.glob("*.sqlite3*"))

    database.leave_no_trace()

    found = [path.read_bytes() for path in file.parent.glob(f"{file.name}*")]
    assert found and not any(b"a word of a kind" in content for content in found)


def test_that_something_may_be_left_is_told_and_ends_nothing(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 10)
    with locked(file), caplog.at_level(logging.WARNING, "readout"):
        database.leave_no_trace()

    assert [record.getMessage() for record in caplog.records] == [
        "what was erased may be in the file until another erasure: "
        "the database cannot be written anew: database is locked"
    ]


def test_on_postgresql_who_reads_cannot_write(postgresql_url: str):
    database = Database(postgresql_url)
    database.write(lambda session: run(session, "CREATE TABLE t (text TEXT)"))
    with database.read() as session, pytest.raises(DBAPIError, match="read-only transaction"):
        run(session, "INSERT INTO t VALUES ('a')")
    database.close()


def test_on_postgresql_nothing_is_written_anew(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
):
    database = Database(postgresql_url)
    monkeypatch.setattr(database_module, "make_anew", lambda _: pytest.fail("it was"))
    database.leave_no_trace()
    database.close()


def test_on_postgresql_each_write_is_counted_and_nothing_waits(postgresql_url: str):
    database = Database(postgresql_url)

    def store(session: Session, items: Sequence[int]) -> list[int | Exception]:
        one = run(session, "SELECT 1").scalar()
        return [LookupError("refused") if item < 0 else one * item for item in items]

    assert database.write(lambda session: run(session, "SELECT 1").scalar()) == 1
    assert asyncio.run(database.write_together(store, 2)) == 2
    with pytest.raises(LookupError, match="refused"):
        asyncio.run(database.write_together(store, -1))
    assert (database.counts.commits, database.counts.writes, database.waiting) == (2, 2, 0)
    assert asyncio.run(database.find(sa.text("SELECT 3"), {})) == (3,)
    assert asyncio.run(database.look(lambda session: run(session, "SELECT 4").scalar())) == 4
    assert asyncio.run(database.look(lambda _: threading.get_ident())) != threading.get_ident()
    assert database.kind == "postgresql"
    database.close()


def test_on_postgresql_a_row_can_be_read_when_it_is_stored(postgresql_url: str):
    assert_a_row_can_be_read_when_it_is_stored(Database(postgresql_url))
