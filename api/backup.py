"""Copies of a running SQLite database that can be trusted, and back again.

A backup is one file and, beside it, a manifest with its checksum. Neither has its name before it
has been checked and is on the disk.
"""

import datetime as dt
import hashlib
import itertools
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import AwareDatetime, BaseModel, ValidationError

from api.database import sqlite_name
from api.engines import BUSY_TIMEOUT_MS, Unusable, sqlite_driver, sqlite_file
from api.migrate import revisions

# What SQLite keeps beside a file. Beside a backup it belongs to another file, and would spoil it.
COMPANIONS = ("-wal", "-shm", "-journal")
# A backup that is under way writes into its copy, or is checking it, which takes minutes.
ABANDONED_S = 3_600
POSTGRESQL = (
    "PostgreSQL brings its own: pg_dump --format=custom --file=readout.dump DATABASE makes a "
    "backup of a running service, pg_restore fills a new database from it: see docs/operating.md"
)


class Damaged(Exception):
    """A backup is not what it was when it was made. The message says how that shows."""


class Manifest(BaseModel):
    """What is known of a backup since it was made."""

    sha256: str
    bytes: int
    schema_revision: str
    made_at: AwareDatetime
    rows: dict[str, int]


class Restored(NamedTuple):
    manifest: Manifest
    kept: Path | None  # where the database is that was there before


def database_file(url: str) -> Path:
    """The file of an SQLite database. Raises Unusable for any other, and for one in memory."""
    if not url.startswith("sqlite:"):
        raise Unusable(POSTGRESQL)
    return sqlite_file(url)


def backup(source: Path, target: Path, now: dt.datetime) -> Manifest:
    """Copy a database that may be in use as one transaction left it; check it; only then name it.

    Raises Unusable if there is no database or the copy cannot be written, Damaged if the
    database itself is.
    """
    if not source.is_file():
        raise Unusable(f"no database {source}; nothing to back up")
    if target.exists():
        raise Unusable(f"{target} is there already; name another file")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    _forget_abandoned(target.parent)
    partial.unlink(missing_ok=True)  # of a backup that was interrupted
    partial.touch(0o600)  # for our eyes only; into an empty file SQLite copies as into none
    described = manifest_of(partial)
    try:
        with _driver_errors(f"cannot copy {source} to {target}"), _connect(source) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        manifest = _describe(partial, source, now)
        _sync(partial)
        described.write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")
        _sync(described)
        described.rename(manifest_of(target))
        partial.rename(target)
    finally:
        for left in (partial, described):
            left.unlink(missing_ok=True)
    _sync(target.parent)
    return manifest


def _describe(file: Path, source: Path, now: dt.datetime) -> Manifest:
    rows, revision = _inspect(file, source)  # what is wrong with a fresh copy, the database has
    return Manifest(
        sha256=_hash(file),
        bytes=file.stat().st_size,
        schema_revision=revision,
        made_at=now,
        rows=rows,
    )


def _forget_abandoned(folder: Path) -> None:
    """Delete what is left of backups that were killed. Their names are of other seconds."""
    oldest = time.time() - ABANDONED_S
    for left in folder.glob("*Z.sqlite3.partial*"):
        with suppress(FileNotFoundError):  # another backup deleted it
            if left.stat().st_mtime < oldest:
                left.unlink()


def verify(file: Path) -> Manifest:
    """Whether a backup is as it was made. Raises Damaged."""
    if not file.is_file():
        raise Damaged(f"{file} is no file" if file.exists() else f"no file {file}")
    for companion in COMPANIONS:
        stray = file.with_name(file.name + companion)
        if stray.exists():
            raise Damaged(f"{stray} is beside it, so a program had it open; take another backup")
    described = manifest_of(file)
    try:
        manifest = Manifest.model_validate_json(described.read_bytes())
    except FileNotFoundError:
        raise Damaged(f"{described} is missing, so nobody knows whether {file} is whole") from None
    except ValidationError:
        raise Damaged(f"{described} is damaged") from None
    if (size := file.stat().st_size) != manifest.bytes:
        raise Damaged(f"{file} has {size} bytes, and had {manifest.bytes} when it was made")
    if _hash(file) != manifest.sha256:
        raise Damaged(f"{file} has changed since it was made: its checksum is another")
    rows, revision = _inspect(file, file)
    if (rows, revision) != (manifest.rows, manifest.schema_revision):
        raise Damaged(f"{described} tells of other rows than {file} has")
    return manifest


def restore(file: Path, target: Path, now: dt.datetime, *, force: bool = False) -> Restored:
    """Put a backup in the database's place; what was there keeps a name of its own.

    Raises Damaged if the backup is, Unusable if that would replace a database without `force`, or
    one that is in use, or one that a newer version made, or a folder; OSError if the disk is full.
    """
    if target.is_symlink():  # it stays, and what it leads to is replaced
        target = target.resolve()
    manifest = verify(file)
    if manifest.schema_revision not in revisions():
        raise Unusable(
            f"{file} has schema {manifest.schema_revision!r}, which is newer than this version of "
            "Readout; install the newer version first"
        )
    if target.is_dir():
        raise Unusable(f"{target} is a folder; name a file in READOUT_DATABASE_URL")
    if target.exists() and not force:
        raise Unusable(f"{target} is there already; --force replaces it and keeps it aside")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.restoring")
    try:
        shutil.copyfile(file, partial)
        partial.chmod(stat.S_IRUSR | stat.S_IWUSR)
        _sync(partial)
        if _hash(partial) != manifest.sha256:
            raise Damaged(f"the copy of {file} differs from it; the disk is failing")
        kept = _keep_aside(target, now)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)  # half a copy would fill the disk that was full
    _sync(target.parent)
    return Restored(manifest, kept)


def backups_of(source: Path) -> Path:
    """The folder in which the backups of a database are kept, unless another is named."""
    return source.parent / "backups"


def default_target(source: Path, now: dt.datetime) -> Path:
    return backups_of(source) / f"readout-{now:%Y%m%dT%H%M%S}Z.sqlite3"


def forget_old(made: Path, keep: int) -> list[Path]:
    """Delete all but `keep` backups beside the one just made: the newest, and it; the deleted ones.

    A clock that was wrong once gives a name that is newer than all that follow.
    """
    others = sorted(file for file in made.parent.glob("readout-*Z.sqlite3") if file != made)
    old = others[: max(len(others) - (keep - 1), 0)]
    for file in old:
        file.unlink()
        manifest_of(file).unlink(missing_ok=True)
    return old


def manifest_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _keep_aside(target: Path, now: dt.datetime) -> Path | None:
    """Give a database another name as well, if nobody uses it; its log, the other name alone.

    A log is put aside without its database too: SQLite would play it into the one that comes.
    """
    kept = _unused(target.with_name(f"{target.name}.replaced-{now:%Y%m%dT%H%M%S}Z"))
    if target.exists():
        _take_in_log(target)
    for companion in COMPANIONS:
        part = target.with_name(target.name + companion)
        if part.exists():
            part.rename(kept.with_name(kept.name + companion))
    if not target.exists():
        return None
    try:
        kept.hardlink_to(target)  # at no moment is there no database
    except OSError:  # a disk that has no second names
        _copy_aside(target, kept)
    return kept


def _copy_aside(target: Path, kept: Path) -> None:
    """A whole copy or none. Raises OSError if the disk is full."""
    try:
        shutil.copy2(target, kept)
        _sync(kept)
    except OSError:
        kept.unlink(missing_ok=True)
        raise


def _take_in_log(target: Path) -> None:
    """Move the log into the file.

    Raises Unusable while somebody else has the database open, or if it cannot be written.
    """
    driver = sqlite_driver()
    try:
        with _connect(target) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except driver.OperationalError as error:
        if sqlite_name(error).startswith("SQLITE_BUSY"):
            raise Unusable(f"{target} is in use; stop the service first") from None
        raise Unusable(f"cannot put {target} aside: {error}") from error
    except driver.DatabaseError:
        pass  # damaged: kept as it is, with its log


def _unused(file: Path) -> Path:
    """A name that no file has: this one, or numbered, where that is of the same second."""
    names = (file.with_name(f"{file.name}-{number}") for number in itertools.count(2))
    return next(name for name in itertools.chain([file], names) if not name.exists())


def _inspect(file: Path, blamed: Path) -> tuple[dict[str, int], str]:
    """Rows of each table, and the schema. Raises Damaged if SQLite finds anything wrong."""
    # Opened for writing: of a file that it may only read, SQLite checks no CHECK constraint.
    address = f"{file.absolute().as_uri()}?mode=rw&nolock=1"
    with (
        _driver_errors(f"{blamed} is damaged", Damaged),
        closing(sqlite_driver().connect(address, uri=True)) as db,
    ):
        for check in ("integrity_check", "foreign_key_check"):
            if problems := [row for row in db.execute(f"PRAGMA {check}") if row != ("ok",)]:
                raise Damaged(f"{blamed} is damaged: {check} says {problems[0]}")
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = sorted(name for (name,) in db.execute(names))
        rows = {name: _count(db, name) for name in tables}
        if not rows.get("alembic_version"):
            raise Damaged(f"{blamed} is no database of Readout: it has no schema version")
        (revision,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return rows, str(revision)


def _count(connection: Any, table: str) -> int:
    quoted = table.replace('"', '""')
    (count,) = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608
    return int(count)


@contextmanager
def _connect(file: Path) -> Iterator[Any]:
    with closing(sqlite_driver().connect(str(file), isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        yield connection


@contextmanager
def _driver_errors(said: str, kind: Callable[[str], Exception] = Unusable) -> Iterator[None]:
    try:
        yield
    except sqlite_driver().Error as error:
        raise kind(f"{said}: {error}") from error


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Make the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
