"""`readout doctor`: each thing that can be wrong with an installation, and what to do about it."""

import datetime as dt
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pysqlite3
import pytest
from typer.testing import Result

from api import doctor
from api.backup import backup, backups_of, default_target, manifest_of
from api.database import Database
from api.doctor import DAMAGED, examine
from api.engines import GIVE
from api.members import Member
from api.migrate import migrate, revisions
from api.settings import Settings
from tests.conftest import CONTENT
from tests.durability.test_migration import golden


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A database that was just made, and a site that was just built."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").touch()
    made = Settings(
        database_url=f"sqlite:///{tmp_path / 'readout.sqlite3'}",
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
    )
    database = Database(made.database_url)
    migrate(database)
    database.close()
    return made


@pytest.fixture(autouse=True)
def a_built_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.fingerprint.is_current", lambda root, settings: True)


def file_of(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def edit(settings: Settings, *statements: str) -> None:
    with closing(pysqlite3.connect(file_of(settings))) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def wrong(settings: Settings) -> dict[str, str]:
    """What is wrong, and what to do."""
    return {finding.said: finding.todo for finding in examine(settings) if finding.todo}


def only(settings: Settings) -> tuple[str, str]:
    """The one thing that is wrong beside the missing backup."""
    found = [pair for pair in wrong(settings).items() if not pair[0].startswith("no backup in")]
    assert len(found) == 1, found
    return found[0]


def test_what_is_as_it_should_be_is_said_too(settings: Settings):
    file = file_of(settings)
    backup(file, default_target(file, dt.datetime.now(dt.UTC)), dt.datetime.now(dt.UTC))

    said = [str(finding) for finding in examine(settings)]

    assert all(line.startswith("ok     ") for line in said), said
    assert f"ok     the site at {settings.site_dir} is built" in said
    assert any(line.startswith("ok     the newest backup is whole") for line in said)


def test_the_command_ends_with_1_only_if_something_is_wrong(
    settings: Settings, invoke: Callable[..., Result]
):
    there = {
        "READOUT_DATABASE_URL": settings.database_url,
        "READOUT_CONTENT_DIR": str(settings.content_dir),
        "READOUT_EXECUTED_DIR": str(settings.executed_dir),
        "READOUT_SITE_DIR": str(settings.site_dir),
    }
    file = file_of(settings)

    without = invoke("doctor", **there)
    backup(file, default_target(file, dt.datetime.now(dt.UTC)), dt.datetime.now(dt.UTC))
    sound = invoke("doctor", **there)

    assert (without.exit_code, sound.exit_code) == (1, 0), sound.output
    assert without.stdout.count("WRONG  ") == 1
    assert "WRONG  " not in sound.stdout


def test_a_backup_is_missing_old_or_damaged(settings: Settings):
    file = file_of(settings)
    assert wrong(settings) == {
        f"no backup in {backups_of(file)}": "readout backup, once a day: see docs/operating.md"
    }
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    copy = default_target(file, long_ago)
    backup(file, copy, long_ago)
    assert wrong(settings) == {"the newest backup is 3 days old": "readout backup, once a day"}

    copy.write_bytes(b"")
    ((said, todo),) = wrong(settings).items()
    assert (said.startswith("the newest backup is damaged: "), todo) == (True, "readout backup")

    later = dt.datetime(2140, 1, 1, tzinfo=dt.UTC)
    ahead = default_target(file, later)
    backup(file, ahead, later)
    assert wrong(settings) == {
        f"{ahead} was made by a clock that ran ahead": "rename it or take it away"
    }


def test_a_backup_whose_manifest_cannot_be_read(settings: Settings):
    file, now = file_of(settings), dt.datetime.now(dt.UTC)
    copy = default_target(file, now)
    backup(file, copy, now)
    manifest_of(copy).unlink()
    manifest_of(copy).mkdir()  # as little can be read of it as of another user's
    assert list(wrong(settings)) == [
        f"cannot look further: [Errno 21] Is a directory: '{manifest_of(copy)}'"
    ]


def test_there_is_no_database(settings: Settings):
    file_of(settings).unlink()
    assert only(settings) == (
        f"no database {file_of(settings)}",
        "readout serve makes one; or restore a backup",
    )


def test_a_database_that_was_emptied_is_migrated_or_restored(settings: Settings):
    file, now = file_of(settings), dt.datetime.now(dt.UTC)
    emptied = f"the database has schema none, this version needs {revisions()[-1]}"
    copy = default_target(file, now)
    backup(file, copy, now)
    file.write_bytes(b"")
    assert only(settings) == (
        emptied,
        f"readout migrate; or restore a backup: readout restore {copy} --force",
    )
    copy.unlink()
    assert wrong(settings)[emptied] == "readout migrate; or restore a backup"


def test_an_empty_postgresql_is_migrated(settings: Settings, postgresql_url: str):
    there = settings.model_copy(update={"database_url": postgresql_url})
    assert list(wrong(there).values()) == ["readout migrate"]


def test_the_database_cannot_be_opened(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def refuse(url: str) -> None:
        raise doctor.Unusable("SQLite 3.40.1 can corrupt a file")

    monkeypatch.setattr(doctor, "Database", refuse)
    assert only(settings) == ("the database cannot be opened", "SQLite 3.40.1 can corrupt a file")


def test_the_database_is_a_folder(settings: Settings):
    folder = settings.site_dir
    url = f"sqlite:///{folder}"
    assert only(settings.model_copy(update={"database_url": url})) == (
        "the database cannot be opened",
        f"{folder} is a folder; name a file in it: {url}/readout.sqlite3",
    )


def test_the_database_is_looked_for_inside_a_file(settings: Settings):
    url = f"sqlite:///{settings.site_dir}/index.html/readout.sqlite3"
    assert only(settings.model_copy(update={"database_url": url})) == (
        f"cannot look further: [Errno 20] Not a directory: '{url.removeprefix('sqlite:///')}'",
        "mend that, or name another place",
    )


def test_a_folder_that_another_user_owns(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    file, stat = file_of(settings), Path.stat

    def refuse(path: Path, **options: bool) -> object:
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))  # as to anybody but root
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert wrong(settings) == {f"cannot look further: [Errno 13] Permission denied: '{file}'": GIVE}


def test_a_disk_that_is_mounted_read_only(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, *_: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    assert only(settings) == (
        "the database cannot be opened",
        f"cannot write to {file_of(settings)}: Read-only file system; mount its disk for writing",
    )


def test_a_disk_on_which_no_log_can_be_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    folder = file_of(settings).parent
    monkeypatch.chdir(folder)
    monkeypatch.setattr(doctor, "database_file", lambda url: folder / "readout.sqlite3")
    edit(settings, "PRAGMA journal_mode = DELETE")
    alone = "sqlite:///file:readout.sqlite3?vfs=unix-none&uri=true"
    said, todo = only(settings.model_copy(update={"database_url": alone}))
    assert said == "the database cannot be opened"
    assert todo.endswith("cannot use a write-ahead log; keep it on a local disk")


def test_the_file_is_no_database(settings: Settings):
    file_of(settings).write_bytes(b"no database" * 1_000)
    assert only(settings) == ("the database does not answer: file is not a database", DAMAGED)


def test_a_column_is_gone(settings: Settings):
    edit(settings, "ALTER TABLE member DROP COLUMN joined_at")
    assert only(settings) == ("the database does not answer: no such column: joined_at", DAMAGED)


def test_another_program_holds_the_database(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("api.engines.BUSY_TIMEOUT_MS", 10)
    with closing(pysqlite3.connect(file_of(settings), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        said, todo = only(settings)
    assert said == "the database does not answer: database is locked"
    assert todo == "end the program that holds it"


def test_the_log_beside_the_database_cannot_be_opened(settings: Settings):
    log = file_of(settings).with_name("readout.sqlite3-wal")
    log.mkdir()
    said, todo = only(settings)
    assert said == "the database does not answer: unable to open database file"
    assert todo == GIVE


def test_a_postgresql_that_is_away_is_said(settings: Settings):
    away = settings.model_copy(update={"database_url": "postgresql://ada@127.0.0.1:9/readout"})
    said, todo = only(away)
    assert said.startswith("the database does not answer: connection failed")
    assert todo == "start PostgreSQL, or mend its address in READOUT_DATABASE_URL"


def test_a_postgresql_is_asked_for_its_schema_and_no_file(settings: Settings, postgresql_url: str):
    there = settings.model_copy(update={"database_url": postgresql_url})
    database = Database(postgresql_url)
    migrate(database)
    database.close()
    assert wrong(there) == {}


def test_the_site_is_old_missing_or_of_another_folder(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    nowhere = settings.model_copy(update={"content_dir": tmp_path / "none"})
    assert only(nowhere)[0] == f"no content at {tmp_path}/none"

    monkeypatch.setattr("api.fingerprint.is_current", lambda root, settings: False)
    assert only(settings) == (
        f"the site at {settings.site_dir} is older than its content",
        "readout build",
    )
    (settings.site_dir / "index.html").unlink()
    assert only(settings) == (f"no site at {settings.site_dir}", "build it: readout build")


def test_plain_http_lets_others_in(settings: Settings):
    plain = settings.model_copy(update={"base_url": "http://group.example.org"})
    assert only(plain)[0] == "READOUT_BASE_URL is http://group.example.org"


def test_others_may_read_the_file(settings: Settings):
    file_of(settings).chmod(0o644)
    file = file_of(settings)
    assert only(settings) == (f"others of this machine may read {file}", f"chmod 600 {file}")


def test_a_disk_of_the_network_a_full_one_and_a_long_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    folder = file_of(settings).parent
    with monkeypatch.context() as patched:
        patched.setattr(doctor, "_file_system", lambda folder: "nfs4")
        assert only(settings) == (f"{folder} is on nfs4", "move the database to a local disk")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 5))
        assert only(settings)[0] == f"0 MB are free on the disk of {folder}"
    with monkeypatch.context() as patched:
        patched.setattr(doctor, "LARGEST_LOG_BYTES", 10)
        log = file_of(settings).with_name("readout.sqlite3-wal")
        log.write_bytes(b"x" * 11)
        assert only(settings)[0] == f"{log} has 11 bytes"


def test_where_no_mounts_are_listed_nothing_is_said_of_them(monkeypatch: pytest.MonkeyPatch):
    assert doctor._file_system(Path("/proc")) == "proc"
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert doctor._file_system(Path("/proc")) == ""


def test_the_schema_is_another(settings: Settings):
    edit(settings, "UPDATE alembic_version SET version_num = '0001'", "DROP TABLE note_revision")
    said, todo = only(settings)
    assert said.startswith("the database has schema 0001, this version needs ")
    assert todo == "readout migrate"


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_an_old_database_need_only_be_migrated(settings: Settings, revision: str):
    file_of(settings).unlink()
    golden(file_of(settings).parent, revision).chmod(0o600)
    said, todo = only(settings)
    assert said.startswith(f"the database has schema {revision}, this version needs ")
    assert todo == "readout migrate"


def test_the_schema_is_of_a_newer_version(settings: Settings):
    edit(settings, "UPDATE alembic_version SET version_num = '9999'")
    said, todo = only(settings)
    assert said.startswith("the database has schema 9999, this version needs ")
    assert todo == "install the newer version of Readout, or restore a backup from before it"


def test_the_schema_version_is_gone(settings: Settings):
    edit(settings, "DELETE FROM alembic_version")
    said, todo = only(settings)
    assert said == "the database cannot be opened"
    assert todo.startswith("the database has members and no schema version; restore a backup")


def test_something_was_stored_in_the_future(settings: Settings):
    database = Database(settings.database_url)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    ada = Member(id="1", name="Ada", role="member", joined_at=later)
    database.write(lambda session: session.add(ada))
    database.close()
    said, todo = only(settings)
    assert f"something was stored at {later:%Y-%m-%d}" in said
    assert todo.startswith("set the clock; ")


def test_a_reference_leads_nowhere(settings: Settings):
    edit(
        settings,
        "INSERT INTO sign_in (token_hash, member_id, device, made_at, used_at, expires_at) "
        "VALUES ('x', 'nobody', '', '2026-03-10', '2026-03-10', '2026-03-10')",
    )
    said, todo = only(settings)
    assert said.startswith("foreign_key_check: ('sign_in', ")
    assert todo.startswith("stop the service, keep a copy of the file")
