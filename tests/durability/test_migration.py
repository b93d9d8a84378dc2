"""R11: a database of every released schema comes to the newest without losing a word."""

import itertools
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from fastapi.testclient import TestClient

from api import migrate as migrating
from api.app import create_app
from api.backup import verify
from api.database import Database
from api.engines import Unusable
from api.migrate import contents, migrate, newest, present, revisions
from api.settings import Settings
from tests.conftest import API, CONTENT, ROOT
from tests.durability.oracle import connect
from tests.durability.rounds import killed_in

GOLDEN = ROOT / "tests" / "golden"


def golden(folder: Path, revision: str) -> Path:
    """The database that a version of the schema `revision` wrote."""
    folder.mkdir(exist_ok=True)
    file = folder / "readout.sqlite3"
    connection = connect(str(file))
    connection.executescript((GOLDEN / f"{revision}.sql").read_bytes().decode())
    connection.close()
    return file


def opened(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


def held(file: Path) -> dict[str, dict[str, str]]:
    database = opened(file)
    with database.read() as session:
        found = contents(session.connection())
    database.close()
    return found


def test_every_schema_has_its_golden_database():
    """A missing one is made by `python -m tests.golden > tests/golden/NNNN.sql`."""
    assert sorted(path.stem for path in GOLDEN.glob("*.sql")) == revisions()


@pytest.mark.parametrize("revision", revisions())
def test_nothing_is_lost_on_the_way_to_the_newest_schema(tmp_path: Path, revision: str):
    file = golden(tmp_path, revision)
    before = held(file)
    assert before["answer"][""] == "8"
    assert before["note_revision"][""] == "4"

    database = opened(file)
    assert migrate(database) is (revision != newest())
    database.close()

    after = held(file)
    for table, columns in before.items():
        for column, digest in columns.items():
            assert after[table][column] == digest, f"{table}.{column}"
    connection = connect(str(file))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    copies = list((tmp_path / "backups").glob("*.sqlite3"))
    assert len(copies) == (revision != newest())
    for copy in copies:
        assert verify(copy).schema_revision == revision


@pytest.mark.parametrize("revision", revisions())
def test_what_members_wrote_under_an_old_schema_is_served(tmp_path: Path, revision: str):
    file = golden(tmp_path, revision)
    database = opened(file)
    migrate(database)
    settings = Settings(
        database_url=f"sqlite:///{file}",
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
    )
    from api.members import sign_in
    from tests.conftest import Clock

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


def test_workers_that_start_together_migrate_once(database_url: str):
    databases = [Database(database_url) for _ in range(3)]
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


def migrated(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()


def test_a_kill_leaves_the_old_schema_or_the_new_and_every_row(tmp_path: Path):
    kills = 0
    for number in itertools.count(1, 2):
        file = golden(tmp_path / str(number), "0003")
        before = held(file)
        if not killed_in(migrated, f"sqlite:///{file}", calls="fsync,fdatasync", number=number):
            break
        kills += 1
        database = opened(file)
        assert present(database) in ("0003", newest())
        migrate(database)  # the next start finishes what was begun
        database.close()
        after = held(file)
        assert {table: after[table][""] for table in before} == {
            table: columns[""] for table, columns in before.items()
        }
    assert kills >= 5
