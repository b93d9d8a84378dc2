"""The database: one writer that commits before anyone is told, and as many readers as needed.

SQLite keeps its promises only with the settings below; each was measured. A write is a function
of a session. Writes that arrive together share one commit, so waiting for the disk is paid once
for all of them, and none is acknowledged before its data is durable.
"""

import asyncio
import datetime as dt
import importlib
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from anyio import to_thread
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
I = TypeVar("I")  # noqa: E741
Job = Callable[[Session], Any]
# Takes what arrived together and returns, for each, its result or the exception that refuses it.
# A handler that raises is asked again for each item by itself; of a refused item it writes nothing.
Handler = Callable[[Session, Sequence[I]], Sequence[T | Exception]]

OLDEST_SQLITE = (3, 51, 3)  # before it, two connections could corrupt a file in WAL mode
BUSY_TIMEOUT_MS = 5_000
MOST_WAITING = 1_000  # writes in the queue; the next one is told to come back
MOST_TOGETHER = 128  # writes in one commit
GATHER_S = 0.004  # how long a busy writer waits before it commits what has arrived
TRIES = 5  # a serializable transaction on PostgreSQL may be asked to begin again
# Serialization failure, deadlock, and two that inserted the same row at once.
TO_BEGIN_AGAIN = ("40001", "40P01", "23505")


class Unusable(Exception):
    """The database cannot be used as it is. The message says what to do."""


class Busy(Exception):
    """Too much is waiting. Nothing was stored; the same request may be sent again."""


class _Waiting(NamedTuple):
    """A write in the queue, and where to say how it ended."""

    handler: Handler[Any, Any]
    item: Any
    future: Future[Any] | asyncio.Future[Any]


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
            # Asked on the event loop, which may not wait for a connection that a thread holds.
            self._finder = _sqlite_engine(url, writes=False)
            self._queue: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
            self._thread = threading.Thread(target=self._write_batches, name="writer", daemon=True)
            self._thread.start()
        else:
            self._writer = self._reader = self._finder = _postgresql_engine(url)
            self._committer = self._writer.execution_options(isolation_level="READ COMMITTED")

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

    async def write_together(self, handler: Handler[I, T], item: I) -> T:
        """Give an item to `handler` with all that arrive at the same time, for one commit.

        Returns the item's result once it is durable; raises what refused it, or Busy. On
        PostgreSQL, which has many writers, an item is always alone, and sees what others commit
        meanwhile: what two writers could both do, a constraint of the schema must decide.
        """
        if not self.is_sqlite:
            return await to_thread.run_sync(self._write_alone, handler, item)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._wait(_Waiting(handler, item, future))
        return await future

    async def find(self, query: sa.Executable, values: dict[str, Any]) -> sa.Row[Any] | None:
        """The first row of a query that an index answers: on SQLite it is asked right here."""
        return (
            self._find(query, values)
            if self.is_sqlite
            else await to_thread.run_sync(self._find, query, values)
        )

    def _find(self, query: sa.Executable, values: dict[str, Any]) -> sa.Row[Any] | None:
        with self._finder.connect() as connection:
            return connection.execute(query, values).first()

    def close(self) -> None:
        if self.is_sqlite:
            self._queue.put(None)
            self._thread.join()
        for engine in (self._writer, self._reader, self._finder):
            engine.dispose()

    def _enqueue(self, job: Callable[[Session], T]) -> Future[T]:
        future: Future[T] = Future()
        self._wait(_Waiting(_each, job, future))
        return future

    def _wait(self, waiting: _Waiting) -> None:
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise Busy(f"{MOST_WAITING} writes are waiting; try again in a moment") from None

    def _write_batches(self) -> None:
        together = 1
        while (first := self._queue.get()) is not None:
            if self._queue.qsize() + 1 < together:
                time.sleep(GATHER_S)  # more are on their way, and a commit costs the same for all
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
            together = len(batch)
            _settle(batch, self._write_batch(batch))
            if last:
                return

    def _write_batch(self, batch: list[_Waiting]) -> list[Any]:
        """One commit for the whole batch; returns each one's result or its exception."""
        try:
            with Session(self._writer, expire_on_commit=False) as session, session.begin():
                return _handle(session, batch)
        except OperationalError as error:
            return [error] * len(batch)  # a full disk or a broken file is everyone's affair
        except Exception as error:
            if len(batch) == 1:
                return [error]
            return [outcome for waiting in batch for outcome in self._write_batch([waiting])]

    def _write_now(self, job: Callable[[Session], T]) -> T:
        return _again_if_asked(lambda: self._in_transaction(self._writer, job))

    def _write_alone(self, handler: Handler[I, T], item: I) -> T:
        def job(session: Session) -> T:
            (outcome,) = handler(session, [item])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return _again_if_asked(lambda: self._in_transaction(self._committer, job))

    @staticmethod
    def _in_transaction(engine: sa.Engine, job: Callable[[Session], T]) -> T:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            return job(session)


def _again_if_asked(attempt: Callable[[], T]) -> T:
    """What PostgreSQL says of two transactions that met: one of them begins again."""
    for number in range(TRIES):
        try:
            return attempt()
        except DBAPIError as error:
            again = getattr(error.orig, "sqlstate", None) in TO_BEGIN_AGAIN
            if not again or number == TRIES - 1:
                raise
            time.sleep(0.01 * 2**number)
    raise AssertionError("unreachable")


def _each(session: Session, jobs: Sequence[Job]) -> list[Any]:
    """The handler of jobs that know nothing of each other; one that fails takes itself back."""
    outcomes: list[Any] = []
    for job in jobs:
        try:
            with session.begin_nested():
                result = job(session)
            outcomes.append(result)
        except OperationalError:
            raise
        except Exception as error:
            outcomes.append(error)
    return outcomes


def _handle(session: Session, batch: list[_Waiting]) -> list[Any]:
    """Each handler once, with all of its items; the outcomes in the order of the batch."""
    places: defaultdict[Handler[Any, Any], list[int]] = defaultdict(list)
    for place, waiting in enumerate(batch):
        places[waiting.handler].append(place)
    outcomes: list[Any] = [None] * len(batch)
    for handler, own in places.items():
        found = handler(session, [batch[place].item for place in own])
        for place, outcome in zip(own, found, strict=True):
            outcomes[place] = outcome
    return outcomes


def _settle(batch: list[_Waiting], outcomes: list[Any]) -> None:
    """Tell everyone; an event loop is woken once for all who wait on it."""
    on_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[Any, Any]]] = defaultdict(list)
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if isinstance(waiting.future, asyncio.Future):
            on_loop[waiting.future.get_loop()].append((waiting.future, outcome))
        else:
            _tell([(waiting.future, outcome)])
    for loop, told in on_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, told)


def _tell(told: list[tuple[Any, Any]]) -> None:
    for future, outcome in told:
        if future.cancelled():
            continue  # whoever asked has gone; what was stored stays stored
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


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
