"""Connections to SQLite and PostgreSQL, with the settings under which they keep their promises."""

import errno
import importlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa

OLDEST_SQLITE = (3, 51, 3)  # before it, two connections could corrupt a file in WAL mode
BUSY_TIMEOUT_MS = 5_000
CHECKPOINT_PAGES = 1_000  # of 4 KB in the log, before they are moved into the file
GIVE = "give it and its folder to the user that runs Readout"
# What to do when the system refuses a file or a folder.
REMEDIES = {
    errno.EACCES: GIVE,
    errno.EPERM: GIVE,
    errno.EROFS: "mount its disk for writing",
    errno.ENOSPC: "free some room on its disk",
}


class Unusable(Exception):
    """The database cannot be used as it is. The message says what to do."""


def remedy(error: OSError) -> str:
    return REMEDIES.get(error.errno or 0, "mend that, or name another place")


def sqlite_engine(url: str, *, writes: bool) -> sa.Engine:
    driver = sqlite_driver()
    path = sqlite_file(url)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # ours alone
    except OSError as error:
        why = f"cannot make the folder {path.parent}: {error.strerror}"
        raise Unusable(f"{why}; {remedy(error)}") from error
    try:
        if path.is_dir():
            raise Unusable(f"{path} is a folder; name a file in it: {url}/readout.sqlite3")
        path.touch(0o600)
    except OSError as error:
        why = f"cannot write to {path}: {error.strerror}"
        raise Unusable(f"{why}; {remedy(error)}") from error
    engine = sa.create_engine(
        url,
        module=driver,
        hide_parameters=True,  # an error is logged, and what members wrote is in the parameters
        poolclass=sa.QueuePool,
        pool_size=1 if writes else 8,
        max_overflow=0,
        pool_timeout=5,
    )

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        run = connection.execute
        run(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")  # first: the next line may meet a lock
        if run("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise Unusable(f"{path} cannot use a write-ahead log; keep it on a local disk")
        run("PRAGMA synchronous = FULL")  # NORMAL loses acknowledged commits in a power cut
        run("PRAGMA foreign_keys = ON")  # off by default, per connection
        run("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not left in free pages
        run("PRAGMA trusted_schema = OFF")
        run("PRAGMA cell_size_check = ON")
        run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        run("PRAGMA journal_size_limit = 67108864")
        if not writes:
            run("PRAGMA query_only = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A deferred transaction that turns into a write fails at once when it meets another.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def sqlite_file(url: str) -> Path:
    """The file of an SQLite database. Raises Unusable if it would be in memory."""
    path = Path(sa.make_url(url).database or "")
    if path.name in ("", ":memory:"):
        raise Unusable("an SQLite database in memory would be lost; name a file: sqlite:///PATH")
    return path


def make_anew(url: str) -> None:
    """Write an SQLite file anew from its rows, and empty its log.

    Overwriting what is deleted is not enough: where a page was divided, a copy of a row may be
    left that deleting the row does not reach. Raises Unusable if it cannot be done now.
    """
    engine = sqlite_engine(url, writes=True)
    try:
        connection = engine.raw_connection()  # neither can be done in a transaction
        try:
            run = connection.cursor().execute
            run("VACUUM")
            is_held, _, _ = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
    except sqlite_driver().Error as error:
        raise Unusable(f"the database cannot be written anew: {error}") from error
    finally:
        engine.dispose()
    if is_held:
        raise Unusable("somebody reads from the log, so that it cannot be emptied")


def sqlite_driver() -> Any:
    """The SQLite in use: the packaged one where there is one, else Python's own."""
    try:
        driver: Any = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        driver = importlib.import_module("sqlite3")
    if driver.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise Unusable(
            f"SQLite {driver.sqlite_version} can corrupt a file that two connections write; "
            f"install SQLite {oldest} or later (pip install pysqlite3)"
        )
    return driver


def postgresql_engine(url: str) -> sa.Engine:
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    try:
        return sa.create_engine(
            address,
            hide_parameters=True,
            isolation_level="SERIALIZABLE",
            pool_size=8,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
            connect_args={"options": "-c synchronous_commit=on -c timezone=UTC"},
        )
    except ImportError as error:
        raise Unusable("PostgreSQL needs its driver; pip install 'psycopg[binary]'") from error
