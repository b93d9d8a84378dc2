"""The database: one writer that commits before anyone is told, and as many readers as needed.

SQLite keeps its promises only with the settings below; each was measured. A write is a function
of a session. Writes that arrive together share one commit, so waiting for the disk is paid once
for all of them, and none is acknowledged before its data is durable.
"""

import datetime as dt
import importlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, SQLModel

# A later migration can only change a constraint that it can name.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

T = TypeVar("T")
Job = Callable[[Session], Any]

OLDEST_SQLITE = (3, 51, 3)  # before it, two connections could corrupt a file in WAL mode
BUSY_TIMEOUT_MS = 5_000
MOST_WAITING = 1_000  # writes in the queue; the next one is told to come back
MOST_TOGETHER = 128  # writes in one commit
TRIES = 5  # a serializable transaction on PostgreSQL may be asked to begin again
# Serialization failure, deadlock, and two that inserted the same row at once.
TO_BEGIN_AGAIN = ("40001", "40P01", "23505")


class Unusable(Exception):
    """The database cannot be used as it is. The message says what to do."""


class Busy(Exception):
    """Too much is waiting. Nothing was stored; the same request may be sent again."""


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """A moment. Always aware and in UTC on this side, whatever the database makes of it."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        return value.astimezone(dt.UTC) if value else None

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        moment: dt.datetime = value
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


class Database:
    """Opens on construction; `close` waits for the writes under way."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, writes=True)
            self._reader = _sqlite_engine(url, writes=False)
            self._queue: queue.Queue[tuple[Job, Future[Any]] | None] = queue.Queue(MOST_WAITING)
            self._thread = threading.Thread(target=self._write_batches, name="writer", daemon=True)
            self._thread.start()
        else:
            self._writer = self._reader = _postgresql_engine(url)

    @property
    def kind(self) -> str:
        return "sqlite" if self.is_sqlite else "postgresql"

    @property
    def engine(self) -> sa.Engine:
        """The engine that may write, for migrations. Nothing else should need it."""
        return self._writer

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and cannot change it."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session
            session.rollback()

    def write(self, job: Callable[[Session], T]) -> T:
        """Run `job` in a transaction of its own and return its result once that is durable.

        `job` may be run again from the start, so it does nothing but read and write the session.
        What it raises is raised here, and nothing of it is stored. Raises Busy when too much waits.
        """
        return self._enqueue(job).result() if self.is_sqlite else self._write_now(job)

    def close(self) -> None:
        if self.is_sqlite:
            self._queue.put(None)
            self._thread.join()
        self._writer.dispose()
        self._reader.dispose()

    def _enqueue(self, job: Callable[[Session], T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((job, future))
        except queue.Full:
            raise Busy(f"{MOST_WAITING} writes are waiting; try again in a moment") from None
        return future

    def _write_batches(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < MOST_TOGETHER and not last:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    last = True
                else:
                    batch.append(waiting)
            self._write_together(batch)
            if last:
                return

    def _write_together(self, batch: list[tuple[Job, Future[Any]]]) -> None:
        """One commit for the whole batch; a job that fails takes only itself back."""
        done: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            with Session(self._writer, expire_on_commit=False) as session, session.begin():
                for job, future in batch:
                    try:
                        with session.begin_nested():
                            result = job(session)
                        done.append((future, result, None))
                    except OperationalError:
                        raise  # a full disk or a broken file is the whole batch's affair
                    except Exception as error:
                        done.append((future, None, error))
        except Exception as error:
            done = [(future, None, error) for _, future in batch]
        for future, result, failure in done:
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _write_now(self, job: Callable[[Session], T]) -> T:
        for attempt in range(TRIES):
            try:
                with Session(self._writer, expire_on_commit=False) as session, session.begin():
                    return job(session)
            except DBAPIError as error:
                again = getattr(error.orig, "sqlstate", None) in TO_BEGIN_AGAIN
                if not again or attempt == TRIES - 1:
                    raise
                time.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")


def _sqlite_engine(url: str, *, writes: bool) -> sa.Engine:
    driver = _sqlite_driver()
    path = Path(sa.make_url(url).database or "")
    if not path.name:
        raise Unusable("an SQLite database in memory would be lost; name a file: sqlite:///PATH")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # ours alone
    except OSError as error:
        raise Unusable(f"cannot make the folder {path.parent}: {error.strerror}") from error
    engine = sa.create_engine(
        url,
        module=driver,
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
        run("PRAGMA trusted_schema = OFF")
        run("PRAGMA cell_size_check = ON")
        run("PRAGMA journal_size_limit = 67108864")
        if not writes:
            run("PRAGMA query_only = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A deferred transaction that turns into a write fails at once when it meets another.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sqlite_driver() -> Any:
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


def _postgresql_engine(url: str) -> sa.Engine:
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    try:
        return sa.create_engine(
            address,
            isolation_level="SERIALIZABLE",
            pool_size=8,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
            connect_args={"options": "-c synchronous_commit=on -c timezone=UTC"},
        )
    except ImportError as error:
        raise Unusable("PostgreSQL needs its driver; pip install 'readout[postgresql]'") from error
