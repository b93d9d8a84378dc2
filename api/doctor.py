"""Look an installation over: what is wrong, and what to do about it."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.backup import Damaged, backups_of, database_file, verify
from api.console import ROOT
from api.database import FATAL, Database, sqlite_name
from api.engines import GIVE, Unusable, remedy, sqlite_driver
from api.migrate import newest, present, revisions
from api.settings import Settings

LARGEST_LOG_BYTES = 64 * 2**20
LEAST_FREE_BYTES = 200 * 2**20
BACKUP_LASTS = dt.timedelta(days=2)
A_CLOCK_MAY_DIFFER = dt.timedelta(hours=1)
# On these, SQLite's locks or its syncs do not hold.
NETWORKED = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"}
# By table, the column that says when something was stored.
MOMENTS = {"answer": "answered_at", "note_revision": "saved_at", "member": "joined_at"}
DAMAGED = (
    "stop the service, keep a copy of the file, and restore the newest backup: "
    "readout restore FILE --force"
)
# How the name of SQLite's error begins, and what to do; the first that fits. Only SQLite gives one.
ANSWERS = (
    ((*FATAL, "SQLITE_ERROR"), DAMAGED),
    (("SQLITE_BUSY", "SQLITE_LOCKED"), "end the program that holds it"),
    (("SQLITE_",), GIVE),
    (("",), "start PostgreSQL, or mend its address in READOUT_DATABASE_URL"),
)


class Finding(NamedTuple):
    """What was looked at; with something to do, it is not as it should be."""

    said: str
    todo: str = ""

    def __str__(self) -> str:
        return f"WRONG  {self.said}\n       {self.todo}" if self.todo else f"ok     {self.said}"


def examine(settings: Settings) -> Iterator[Finding]:
    yield from _told(_site(settings))
    if settings.database_url.startswith("sqlite:"):
        yield from _told(_sqlite(settings.database_url))
    else:
        yield from _told(_opened(settings.database_url))


def _told(findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; where something keeps from going on, that is the last of them."""
    try:
        yield from findings
    except Unusable as error:
        yield Finding("the database cannot be opened", str(error))
    except sa.exc.DBAPIError as error:
        said, name = str(error.orig).strip().splitlines()[0], sqlite_name(error.orig)
        todo = next(todo for begins, todo in ANSWERS if name.startswith(begins))
        yield Finding(f"the database does not answer: {said}", todo)
    except OSError as error:
        yield Finding(f"cannot look further: {error}", remedy(error))


def _sqlite(url: str) -> Iterator[Finding]:
    file = database_file(url)
    try:
        file.stat()
    except FileNotFoundError:
        yield Finding(f"no database {file}", f"readout serve makes one; {_or_restore(file)}")
        return
    yield from _told(_opened(url))
    yield from _backups(backups_of(file))


def _opened(url: str) -> Iterator[Finding]:
    database = Database(url)
    try:
        if database.is_sqlite:
            yield from _file(database_file(url))
        yield from _database(database)
    finally:
        database.close()


def _site(settings: Settings) -> Iterator[Finding]:
    from api.fingerprint import is_current

    if not settings.content_dir.is_dir():
        yield Finding(
            f"no content at {settings.content_dir}",
            "start in the project's folder, or set READOUT_CONTENT_DIR",
        )
    elif not (settings.site_dir / "index.html").is_file():
        yield Finding(f"no site at {settings.site_dir}", "build it: readout build")
    elif not is_current(ROOT, settings):
        yield Finding(f"the site at {settings.site_dir} is older than its content", "readout build")
    else:
        yield Finding(f"the site at {settings.site_dir} is built")
    local = settings.base.startswith(("http://127.0.0.1", "http://localhost"))
    if settings.base.startswith("http:") and not local:
        yield Finding(
            f"READOUT_BASE_URL is {settings.base}",
            "serve it over HTTPS: over plain HTTP, anybody on the way can sign in as a member",
        )


def _file(file: Path) -> Iterator[Finding]:
    yield Finding(f"SQLite {sqlite_driver().sqlite_version}")
    kind = _file_system(file.parent)
    if kind in NETWORKED:
        yield Finding(f"{file.parent} is on {kind}", "move the database to a local disk")
    if os.name == "posix" and file.exists() and file.stat().st_mode & 0o077:
        yield Finding(f"others of this machine may read {file}", f"chmod 600 {file}")
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        yield Finding(
            f"{log} has {log.stat().st_size:,} bytes",
            "a program keeps the database open for reading; end it, and start the service again",
        )
    free = shutil.disk_usage(file.parent).free
    needed = max(LEAST_FREE_BYTES, 2 * (file.stat().st_size if file.exists() else 0))
    if free < needed:
        yield Finding(
            f"{free // 2**20:,} MB are free on the disk of {file.parent}",
            f"free {needed // 2**20:,} MB: a backup and a migration copy the database",
        )
    else:
        yield Finding(f"{free // 2**20:,} MB are free")


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder is on; empty where that cannot be asked."""
    mounts = Path("/proc/mounts")
    if not mounts.is_file():
        return ""
    lines = (line.split() for line in mounts.read_text().splitlines())
    holding = [(len(at), kind) for _, at, kind, *_ in lines if folder.resolve().is_relative_to(at)]
    return max(holding, default=(0, ""))[1]


def _database(database: Database) -> Iterator[Finding]:
    revision = present(database)
    if revision != newest():
        known = revision is None or revision in revisions()
        yield Finding(
            f"the database has schema {revision or 'none'}, this version needs {newest()}",
            _migrate(database, revision)
            if known
            else "install the newer version of Readout, or restore a backup from before it",
        )
    else:
        yield Finding(f"{database.kind}, schema {revision}")
    with database.read() as session:
        connection = session.connection()
        if database.is_sqlite:
            yield _checked("integrity_check", connection.exec_driver_sql("PRAGMA integrity_check"))
            yield _checked(
                "foreign_key_check", connection.exec_driver_sql("PRAGMA foreign_key_check")
            )
        newest_moment = max(_moments(connection), default=None)
    now = dt.datetime.now(dt.UTC)
    if newest_moment and newest_moment > now + dt.timedelta(minutes=1):
        yield Finding(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, and something was stored at "
            f"{newest_moment:%Y-%m-%d %H:%M}",
            "set the clock; quizzes open and close, and sessions end, by it",
        )


def _migrate(database: Database, revision: str | None) -> str:
    """What to do about an older schema. A database without any may have been emptied."""
    if revision is None and database.is_sqlite:
        return f"readout migrate; {_or_restore(database_file(database.url))}"
    return "readout migrate"


def _or_restore(file: Path) -> str:
    newest_backup = _newest_backup(backups_of(file))
    named = f": readout restore {newest_backup} --force" if newest_backup else ""
    return f"or restore a backup{named}"


def _checked(check: str, rows: sa.CursorResult[Any]) -> Finding:
    wrong = [row for row in rows if tuple(row) != ("ok",)]
    if wrong:
        return Finding(
            f"{check}: {wrong[0]}",
            "stop the service, keep a copy of the file, and restore the newest backup",
        )
    return Finding(f"{check} finds nothing")


def _moments(connection: sa.Connection) -> Iterator[dt.datetime]:
    """When each kind of thing was last stored."""
    from api.database import UtcDateTime

    tables = set(sa.inspect(connection).get_table_names())
    for table, column in MOMENTS.items():
        if table in tables:
            latest: Callable[..., Any] = sa.func.max
            query = sa.select(latest(sa.column(column, UtcDateTime))).select_from(sa.table(table))
            if moment := connection.execute(query).scalar():
                yield moment


def _newest_backup(folder: Path) -> Path | None:
    return max(folder.glob("readout-*Z.sqlite3"), default=None)


def _backups(folder: Path) -> Iterator[Finding]:
    file = _newest_backup(folder)
    if file is None:
        yield Finding(f"no backup in {folder}", "readout backup, once a day: see docs/operating.md")
        return
    try:
        manifest = verify(file)
    except Damaged as error:
        yield Finding(f"the newest backup is damaged: {error}", "readout backup")
        return
    age = dt.datetime.now(dt.UTC) - manifest.made_at
    if age < -A_CLOCK_MAY_DIFFER:
        yield Finding(f"{file} was made by a clock that ran ahead", "rename it or take it away")
    elif age > BACKUP_LASTS:
        yield Finding(f"the newest backup is {age.days} days old", "readout backup, once a day")
    else:
        yield Finding(f"the newest backup is whole: {file}")
