"""R11: a database of every released schema comes to the newest without losing a word."""

import datetime as dt
import itertools
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from fastapi.testclient import TestClient

from api import migrate as migrating
from api.app import create_app
from api.backup import restore, verify
from api.database import Database
from api.engines import Unusable
from api.members import sign_in
from api.migrate import migrate, newest, present, revisions
from api.settings import Settings
from tests.conftest import API, CONTENT, Clock
from tests.durability import child
from tests.durability.oracle import clean, connect
from tests.durability.schemas import (
    GOLDEN,
    golden,
    held,
    held_at,
    kill_migration,
    opened,
)

SYNCS = "fsync,fdatasync"


def golden_on(url: str, folder: Path, revision: str) -> None:
    """The same in PostgreSQL: its own tables of that schema, and the rows of the SQLite file."""
    file = golden(folder, revision)
    if url.startswith("sqlite:"):
        return
    database = Database(url)
    with database.engine.begin() as there, closing(connect(str(file))) as here:
        command.upgrade(migrating.config(there), revision)
        tables = sa.MetaData()
        tables.reflect(there)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                names = ", ".join(f'"{column.name}"' for column in table.columns)
                for row in here.execute(f'SELECT {names} FROM "{table.name}"'):
                    there.execute(table.insert().values(typed(table, row)))
    database.close()


def typed(table: sa.Table, row: tuple[Any, ...]) -> dict[str, Any]:
    """Moments are texts and truth values are numbers in SQLite."""
    makers = {sa.DateTime: dt.datetime.fromisoformat, sa.Boolean: bool}
    return {
        column.name: value
        if value is None
        else next(
            (make(value) for kind, make in makers.items() if isinstance(column.type, kind)), value
        )
        for column, value in zip(table.columns, row, strict=True)
    }


def test_every_schema_has_its_golden_database():
    """A missing one is made by `python -m tests.golden > tests/golden/NNNN.sql`."""
    assert sorted(path.stem for path in GOLDEN.glob("*.sql")) == revisions()


@pytest.mark.parametrize("revision", revisions())
def test_nothing_is_lost_on_the_way_to_the_newest_schema(
    empty_url: str, tmp_path: Path, revision: str
):
    golden_on(empty_url, tmp_path, revision)
    before = held_at(empty_url)
    assert before["answer"][""] == "8"
    assert before["note_revision"][""] == "4"

    database = Database(empty_url)
    assert migrate(database) is (revision != newest())
    assert present(database) == newest()
    database.close()

    after = held_at(empty_url)
    for table, columns in before.items():
        for column, digest in columns.items():
            assert after[table][column] == digest, f"{table}.{column}"


@pytest.mark.parametrize("revision", revisions())
def test_a_database_is_copied_before_its_migration(tmp_path: Path, revision: str):
    file = golden(tmp_path, revision)
    before = held(file)
    child.migrated(f"sqlite:///{file}")
    with closing(connect(str(file))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

    copies = list((tmp_path / "backups").glob("*.sqlite3"))
    assert len(copies) == (revision != newest())
    for copy in copies:
        assert verify(copy).schema_revision == revision
        restored = tmp_path / "host" / "readout.sqlite3"
        restore(copy, restored, Clock()())
        assert held(restored) == before  # the way back
        child.migrated(f"sqlite:///{restored}")  # and on again
        assert held(restored) == held(file)


def in_the_way(file: Path) -> None:
    (file.parent / "backups").touch()


def broken(file: Path) -> None:
    connection = connect(str(file))
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE member SET role = 'guest'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "why"), [(in_the_way, "File exists"), (broken, "CHECK constraint failed in member")]
)
def test_an_old_database_that_cannot_be_copied_is_not_migrated(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
):
    file = golden(tmp_path, "0003")
    spoil(file)
    database = opened(file)
    with pytest.raises(Unusable, match=f"cannot copy the database before its migration: .*{why}"):
        migrate(database)
    assert present(database) == "0003"
    database.close()


@pytest.mark.parametrize("revision", revisions())
def test_what_members_wrote_under_an_old_schema_is_served(
    empty_url: str, tmp_path: Path, revision: str
):
    golden_on(empty_url, tmp_path, revision)
    database = Database(empty_url)
    migrate(database)
    settings = Settings(
        database_url=empty_url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
    )
    ids = database.write(
        lambda session: dict(
            session.connection().exec_driver_sql("SELECT name, id FROM member").all()
        )
    )
    tokens = {
        name: database.write(lambda session, own=own: sign_in(session, own, Clock()()))
        for name, own in ids.items()
    }
    database.close()
    with TestClient(create_app(settings, Clock())) as client:
        for name, token in tokens.items():
            client.headers["Authorization"] = f"Bearer {token}"
            mine = client.get(f"{API}/quizzes/example/answers").json()
            assert isinstance(mine, list), mine
            assert {answer["reason"] for answer in mine} == {
                None,
                "I counted.\r\nTwice.",
                "",
                "naïve “guess”",
            }, name
            notes = client.get(f"{API}/notes", params={"meeting": "2026-03-12"}).json()
            notes = notes if isinstance(notes, list) else notes["notes"]
            assert "Second; with a semicolon\n" in [note["body"] for note in notes]


# A note that a file has changed, and one that was opened.
OLDER = """
    INSERT INTO member (id, name, role, joined_at) VALUES ('ada', 'Ada', 'member', '2026-03-10');
    INSERT INTO note
        (id, meeting, author_id, visibility, version, exported_version, created_at) VALUES
        ('filed', '2026-03-12', 'ada', 'private', 3, 1, '2026-03-10'),
        ('opened', '2026-03-12', 'ada', 'group', 2, NULL, '2026-03-10');
    INSERT INTO note_revision (note_id, version, editor_id, body, saved_at) VALUES
        ('filed', 1, 'ada', 'One.', '2026-03-10'),
        ('filed', 2, NULL, 'Two.', '2026-03-10'),
        ('filed', 3, 'ada', 'Three.', '2026-03-10'),
        ('opened', 1, 'ada', 'One.', '2026-03-10'),
        ('opened', 2, 'ada', 'Two.', '2026-03-10')
"""


def test_an_older_version_of_a_note_is_private_where_it_is_not_known_who_might_read_it(
    empty_url: str,
):
    database = Database(empty_url)
    with database.engine.begin() as connection:
        command.upgrade(migrating.config(connection), "0005")
        for statement in OLDER.split(";"):
            connection.exec_driver_sql(statement)

    migrate(database)

    query = (
        "SELECT note_id, version, visibility, block_version FROM note_revision"
        " ORDER BY note_id, version"
    )
    with database.read() as session:
        rows = session.connection().exec_driver_sql(query).all()
    database.close()
    assert [tuple(row) for row in rows] == [
        ("filed", 1, "private", None),
        ("filed", 2, "public", 1),
        ("filed", 3, "private", None),
        ("opened", 1, "private", None),
        ("opened", 2, "group", None),
    ]


def with_script(monkeypatch: pytest.MonkeyPatch, work: str, changes: tuple[str, ...] = ()) -> None:
    """Have the next migration do `work` on top of what the scripts do."""
    upgrade = migrating._upgrade

    def and_more(connection: sa.Connection) -> None:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"as_sql": False})
        exec(work, {"op": Operations(context), "sa": sa})

    monkeypatch.setattr(migrating, "_upgrade", and_more)
    monkeypatch.setattr(migrating, "_declared", lambda *_: set(changes))


LOSES = "op.execute(\"DELETE FROM answer WHERE reason = ''\")"
ALTERS = "op.execute(\"UPDATE note_revision SET body = replace(body, char(13), '')\")"


@pytest.mark.parametrize(
    ("work", "named"),
    [(LOSES, "the rows of answer"), (ALTERS, "note_revision.body")],
)
def test_a_migration_that_would_lose_something_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, named: str
):
    file = golden(tmp_path, "0003")
    before = held(file)
    with_script(monkeypatch, work)
    database = opened(file)
    with pytest.raises(Unusable, match=f"would change what it should keep .*{named}"):
        migrate(database)
    assert present(database) == "0003"
    database.close()
    assert held(file) == before

    with_script(monkeypatch, work, ("answer", "note_revision.body"))
    database = opened(file)
    assert migrate(database)  # what a script declares, it may do
    database.close()


def test_making_a_table_again_deletes_nothing_that_refers_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With foreign keys enforced, dropping the old `member` would meet its answers."""
    file = golden(tmp_path, "0003")
    work = "with op.batch_alter_table('member', recreate='always') as table: pass"
    with_script(monkeypatch, work)
    database = opened(file)
    assert migrate(database)
    enforced = database.write(
        lambda session: session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar()
    )
    database.close()
    assert enforced == 1
    assert held(file)["answer"][""] == "8"


def test_workers_that_start_together_migrate_once(empty_url: str):
    databases = [Database(empty_url) for _ in range(3)]
    errors: list[BaseException] = []

    def start(database: Database) -> None:
        try:
            migrate(database)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert {present(database) for database in databases} == {newest()}
    for database in databases:
        database.close()


EVERY = 7  # of the syncs of each migration, not the same ones; all take minutes


@pytest.mark.parametrize(("first", "revision"), list(enumerate(revisions()[:-1], 1)))
def test_a_kill_leaves_the_old_schema_or_the_new_and_every_row(
    tmp_path: Path, first: int, revision: str
):
    for number in itertools.count(first, EVERY):
        counts, reached = kill_migration(tmp_path / str(number), revision, SYNCS, number)
        assert clean(counts), (number, counts)
        if not reached:
            break
    assert number > 2 * EVERY
