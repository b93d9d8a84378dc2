"""The write path: durable before the reply, one writer, nothing lost, nothing stored by halves."""

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import Session, SQLModel, select

import api.app  # noqa: F401  registers every table
from api.database import Database
from api.engines import OLDEST_SQLITE, Unusable
from api.members import Member
from api.migrate import SCRIPTS, migrate, newest, present

NOW = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def member(member_id: str, name: str = "Ada") -> Member:
    return Member(id=member_id, name=name, role="member", joined_at=NOW)


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.exec(select(Member.name).order_by(Member.name)))


def test_the_settings_that_durability_needs_are_in_force(sqlite_url: str):
    database = Database(sqlite_url)

    def pragmas(session: Session) -> dict[str, object]:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema")
        asked += ("secure_delete",)
        connection = session.connection()
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked}

    assert database.write(pragmas) == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
        "secure_delete": 1,  # 2, for "fast", leaves free pages as they are
    }
    version = database.write(
        lambda session: session.connection().exec_driver_sql("SELECT sqlite_version()").scalar()
    )
    assert tuple(map(int, version.split("."))) >= OLDEST_SQLITE
    database.close()


def test_the_settings_that_durability_needs_are_in_force_on_postgresql(postgresql_url: str):
    """Asked of both kinds of session, on a server that would lose the last commits by itself."""
    lax = sa.create_engine(sa.make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    name = sa.make_url(postgresql_url).database
    with lax.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    lax.dispose()
    database = Database(postgresql_url)

    def shown(session: Session) -> dict[str, object]:
        asked = ("synchronous_commit", "transaction_isolation", "TimeZone")
        connection = session.connection()
        return {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in asked}

    kept = {"synchronous_commit": "on", "TimeZone": "UTC"}
    assert database.write(shown) == {**kept, "transaction_isolation": "serializable"}
    with database.read() as session:
        assert shown(session) == {**kept, "transaction_isolation": "repeatable read"}
    database.close()


def test_an_sqlite_that_corrupts_files_is_refused(sqlite_url: str, monkeypatch):
    from api import engines

    class Old:
        sqlite_version = "3.40.1"
        sqlite_version_info = (3, 40, 1)

    monkeypatch.setattr(engines.importlib, "import_module", lambda name: Old)

    with pytest.raises(Unusable, match=r"SQLite 3\.40\.1 can corrupt .* install SQLite 3\.51\.3"):
        Database(sqlite_url)


def test_what_a_write_returned_is_on_disk_for_another_process(sqlite_url: str):
    database = Database(sqlite_url)
    migrate(database)

    database.write(lambda session: session.add(member("1")))

    program = "import pysqlite3, sys; print(pysqlite3.connect(sys.argv[1])"
    program += ".execute('SELECT name FROM member').fetchall())"
    path = sa.make_url(sqlite_url).database
    seen = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert seen.stdout.strip() == "[('Ada',)]"
    database.close()


def test_a_job_that_fails_takes_back_only_itself(database: Database):
    started = threading.Barrier(9)

    def add(number: int) -> str:
        def job(session: Session) -> str:
            session.add(member(str(number), f"name-{number}"))
            session.flush()
            if number % 2:
                raise LookupError(str(number))
            return f"name-{number}"

        started.wait(10)
        return database.write(job)

    def outcome(number: int) -> object:
        try:
            return add(number)
        except LookupError as error:
            return error.args[0]

    with ThreadPoolExecutor(9) as pool:
        outcomes = list(pool.map(outcome, range(9)))

    assert outcomes == ["name-0", "1", "name-2", "3", "name-4", "5", "name-6", "7", "name-8"]
    assert names(database) == ["name-0", "name-2", "name-4", "name-6", "name-8"]


def test_no_update_is_lost_between_threads(database: Database):
    database.write(lambda session: session.add(member("1", "0")))

    def increment(session: Session) -> None:
        row = session.get(Member, "1")
        row.name = str(int(row.name) + 1)
        session.add(row)

    def increments() -> None:
        for _ in range(25):
            for _ in range(20):  # PostgreSQL may ask to begin again more often than `write` does
                try:
                    database.write(increment)
                    break
                except sa.exc.DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) != "40001":
                        raise
            else:
                raise AssertionError("never got through")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: increments(), range(4)))

    assert names(database) == ["100"]


def test_a_reader_cannot_write(database: Database):
    with (
        pytest.raises(sa.exc.DBAPIError, match=r"read-?only"),
        database.read() as session,
    ):
        session.add(member("1"))
        session.flush()


def test_a_reference_to_nobody_is_refused(database: Database, database_url: str):
    from api.members import SignIn

    opened = Database(database_url)  # by itself: who migrates sets references in force, too
    moments = {"made_at": NOW, "used_at": NOW, "expires_at": NOW}
    orphan = SignIn(token_hash="x", member_id="nobody", device="", **moments)
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)foreign key"):
        opened.write(lambda session: session.add(orphan))
    opened.close()


def test_an_error_does_not_tell_what_was_to_be_stored(database: Database):
    """It is logged, and printed by a command."""
    database.write(lambda session: session.add(member("1")))
    with pytest.raises(sa.exc.IntegrityError) as refused:
        database.write(lambda session: session.add(member("1", "Grace Hopper")))
    assert "INSERT INTO member" in str(refused.value)
    assert "Grace" not in str(refused.value)


def test_times_come_back_in_utc(database: Database):
    east = dt.datetime(2026, 3, 10, 20, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    database.write(
        lambda session: session.add(Member(id="1", name="Ada", role="member", joined_at=east))
    )

    with database.read() as session:
        assert session.get(Member, "1").joined_at == NOW
        assert session.get(Member, "1").joined_at.tzinfo == dt.UTC


def test_closing_waits_for_what_was_asked(sqlite_url: str):
    database = Database(sqlite_url)
    migrate(database)
    futures = [
        database._enqueue(lambda session, n=n: session.add(member(str(n)))) for n in range(50)
    ]

    database.close()

    assert all(future.done() and future.exception() is None for future in futures)
    again = Database(sqlite_url)
    assert len(names(again)) == 50
    again.close()


def test_the_migrations_make_what_the_code_declares(database: Database):
    assert present(database) == newest()
    assert ScriptDirectory(SCRIPTS).get_current_head() == newest()
    assert migrate(database) is False
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_database_that_lost_its_version_is_refused(database: Database):
    """Not taken for an empty one, in which the tables could be made."""
    database.write(
        lambda session: session.connection().exec_driver_sql("DELETE FROM alembic_version")
    )
    with pytest.raises(Unusable, match="has members and no schema version; restore a backup"):
        migrate(database)


def test_a_database_of_another_program_is_left_as_it_is(sqlite_url: str):
    database = Database(sqlite_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE bookmarks (url TEXT)")

    file = sa.make_url(sqlite_url).database
    with pytest.raises(Unusable, match=f"^{file} is a database of another program; name another"):
        migrate(database)
    with database.engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["bookmarks"]
    database.close()


def test_a_database_of_a_later_version_is_refused(sqlite_url: str):
    database = Database(sqlite_url)
    migrate(database)
    database.write(
        lambda session: session.connection().exec_driver_sql(
            "UPDATE alembic_version SET version_num = '9999'"
        )
    )

    with pytest.raises(Unusable, match="'9999', which is newer than this version of Readout"):
        migrate(database)
    database.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "in memory would be lost"),
        ("sqlite:///:memory:", "in memory would be lost"),
        ("sqlite:////proc/nowhere/x.sqlite3", "cannot make the folder /proc/nowhere"),
    ],
)
def test_a_database_that_cannot_be_kept_is_refused(url: str, reason: str):
    with pytest.raises(Unusable, match=reason):
        Database(url)


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path):
    """A process that writes and says so is killed; what it said is in the file."""
    path = tmp_path / "readout.sqlite3"
    program = f"""
import datetime as dt
from api.database import Database
from api.members import Member
from api.migrate import migrate
database = Database("sqlite:///{path}")
migrate(database)
now = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
for number in range(10_000):
    row = Member(id=str(number), name="x", role="member", joined_at=now)
    database.write(lambda session: session.add(row))
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        acknowledged = [int(process.stdout.readline()) for _ in range(60)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().split()]

    import pysqlite3

    connection = pysqlite3.connect(path)
    stored = {int(row[0]) for row in connection.execute("SELECT id FROM member")}
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + 1  # at most the one that was under way
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
