"""The database: one writer that commits before anyone is told, and as many readers as needed.

SQLite keeps its promises only with the settings below; each was measured. A write is a function
of a session. Writes that arrive together share one commit, so waiting for the disk is paid once
for all of them, and none is acknowledged before its data is durable.
"""

import asyncio
import datetime as dt
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from anyio import to_thread
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, SQLModel

from api.engines import Unusable, make_anew, postgresql_engine, sqlite_engine

# A later migration can only change a constraint that it can name.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

log = logging.getLogger("readout")

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741
Job = Callable[[Session], Any]
# Takes what arrived together and returns, for each, its result or the exception that refuses it.
# A handler that raises is asked again for each item by itself; of a refused item it writes nothing.
Handler = Callable[[Session, Sequence[I]], Sequence[T | Exception]]

MOST_WAITING = 1_000  # writes in the queue; the next one is told to come back
MOST_TOGETHER = 128  # writes in one commit
GATHER_S = 0.004  # how long a busy writer waits before it commits what has arrived
TRIES = 5  # a serializable transaction on PostgreSQL may be asked to begin again
# Serialization failure, deadlock, and two that inserted the same row at once.
TO_BEGIN_AGAIN = ("40001", "40P01", "23505")
# After one of these nobody knows what the disk holds. Trying again can report as saved what is not.
FATAL = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")


class Busy(Exception):
    """Too much is waiting. Nothing was stored; the same request may be sent again."""


class Failed(Exception):
    """The disk or the file failed, and nothing is written any more until the service restarts."""


@dataclass
class Counts:
    """Since the start: how many writes were committed, in how many commits, how many refused."""

    writes: int = 0
    commits: int = 0
    refused: int = 0


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
    """Opens on construction; `close` waits for the writes under way.

    `failure` says why the disk or the file cannot be trusted any more; `on_failure` is called once
    when that is found, in any thread, and should end the process.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite:")
        self.failure: str | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.counts = Counts()
        self.soon: set[str] = set()  # the names of writes that nobody waits for
        if self.is_sqlite:
            self._writer = sqlite_engine(url, writes=True)
            self._reader = sqlite_engine(url, writes=False)
            # Asked on the event loop, which may not wait for a connection that a thread holds.
            self._finder = sqlite_engine(url, writes=False)
            for engine in (self._writer, self._reader, self._finder):
                sa.event.listen(engine, "handle_error", self._judge)
            self._queue: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
            self._thread = threading.Thread(target=self._write_batches, name="writer", daemon=True)
            self._thread.start()
        else:
            self._writer = postgresql_engine(url)
            # Even a transaction that only reads may be asked to begin again when serializable.
            self._reader = self._finder = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._committer = self._writer.execution_options(isolation_level="READ COMMITTED")
            self._later = ThreadPoolExecutor(1)

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
        with _reading(self._reader) as session:
            yield session

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

    def write_soon(self, name: str, handler: Handler[I, T], item: I) -> None:
        """As `write_together`, but waited for by nobody, and let go where it fails.

        Of one name only one is under way: many would fill the queue of a database that is held.
        """
        if name in self.soon:
            return
        if self.is_sqlite:
            future: Future[Any] = Future()
            with suppress(Busy, Failed):
                self._wait(_Waiting(handler, item, future))
                self.soon.add(name)
        else:
            future = self._later.submit(self._write_alone, handler, item)
            self.soon.add(name)
        future.add_done_callback(lambda _: self.soon.discard(name))

    def leave_no_trace(self) -> None:
        """After an erasure: take what was erased out of free pages and out of the log, if possible.

        It is erased without that, and waits for nobody. PostgreSQL does it by itself, later.
        """
        if not self.is_sqlite:
            return
        try:
            make_anew(self.url)
        except Unusable as error:
            log.warning("what was erased may be in the file until another erasure: %s", error)

    async def find(self, query: sa.Executable, values: dict[str, Any]) -> sa.Row[Any] | None:
        """The first row of a query that an index answers."""
        return await self._shortly(self._find, query, values)

    async def look(self, job: Callable[[Session], T]) -> T:
        """A read that an index answers in a few rows."""
        return await self._shortly(self._look, job)

    async def _shortly(self, ask: Callable[..., T], *given: Any) -> T:
        """Ask what is answered at once: on SQLite it is done right here.

        A thread of its own would have to be let in again after each of its steps, and waits longest
        when many write.
        """
        return ask(*given) if self.is_sqlite else await to_thread.run_sync(ask, *given)

    def _look(self, job: Callable[[Session], T]) -> T:
        with _reading(self._finder) as session:
            return job(session)

    def _find(self, query: sa.Executable, values: dict[str, Any]) -> sa.Row[Any] | None:
        with self._finder.connect() as connection:
            return connection.execute(query, values).first()

    def close(self) -> None:
        if self.is_sqlite:
            self._queue.put(None)
            self._thread.join()
        else:
            self._later.shutdown()
        for engine in (self._writer, self._reader, self._finder):
            engine.dispose()

    def _enqueue(self, job: Callable[[Session], T]) -> Future[T]:
        future: Future[T] = Future()
        self._wait(_Waiting(_each, job, future))
        return future

    def _judge(self, context: sa.ExceptionContext) -> None:
        """Whatever the driver raises passes here: after a failed disk, stop."""
        error = context.original_exception
        name = sqlite_name(error)
        if name.startswith(FATAL) and self.failure is None:
            self.failure = f"{name}: {error}"
            log.critical("the database failed, %s; stopping", self.failure)
            self.on_failure()

    def check(self) -> None:
        """Raises Failed once the disk or the file has failed."""
        if self.failure:
            raise Failed(
                "the database failed; the service stops, and starts again if it is watched"
            )

    def _wait(self, waiting: _Waiting) -> None:
        self.check()
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            self.counts.refused += 1
            raise Busy(f"{MOST_WAITING} writes are waiting; try again in a moment") from None

    @property
    def waiting(self) -> int:
        """How many writes are in the queue."""
        return self._queue.qsize() if self.is_sqlite else 0

    def _write_batches(self) -> None:
        together = 1
        while (first := self._queue.get()) is not None:
            if self._queue.qsize() + 1 < together:
                time.sleep(GATHER_S)  # more are on their way, and a commit costs the same for all
            more, last = self._take(MOST_TOGETHER - 1)
            batch = [first, *more]
            together = len(batch)
            outcomes = self._write_batch(batch)
            if _is_locked(outcomes[0]) and not last:
                # They have waited as long as the first; together they are told, not one by one.
                more, last = self._take(MOST_WAITING)
                outcomes += [outcomes[0]] * len(more)
                batch += more
            _settle(batch, outcomes)
            if last:
                return

    def _take(self, most: int) -> tuple[list[_Waiting], bool]:
        """What waits in the queue, and whether its end was reached."""
        taken: list[_Waiting] = []
        while len(taken) < most:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                return taken, True
            taken.append(waiting)
        return taken, False

    def _write_batch(self, batch: list[_Waiting]) -> list[Any]:
        """One commit for the whole batch; returns each one's result or its exception."""
        try:
            self.check()
            with Session(self._writer, expire_on_commit=False) as session, session.begin():
                outcomes = _handle(session, batch)
            self.counts.commits += 1
            self.counts.writes += len(batch)
            return outcomes
        except Failed as error:
            return [error] * len(batch)
        except OperationalError as error:
            return [_said_first(error)] * len(batch)  # a full disk is everyone's affair
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

    def _in_transaction(self, engine: sa.Engine, job: Callable[[Session], T]) -> T:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            result = job(session)
        self.counts.commits += 1
        self.counts.writes += 1
        return result


@contextmanager
def _reading(engine: sa.Engine) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as session:
        yield session
        session.rollback()


def _again_if_asked(attempt: Callable[[], T]) -> T:
    """What PostgreSQL says of two transactions that met: one of them begins again."""
    for number in range(TRIES - 1):
        try:
            return attempt()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in TO_BEGIN_AGAIN:
                raise
            time.sleep(0.01 * 2**number)
    return attempt()


def sqlite_name(error: object) -> str:
    """The name of SQLite's error, "SQLITE_FULL"; empty for any other."""
    return str(getattr(error, "sqlite_errorname", None) or "")


def _said_first(error: OperationalError) -> OperationalError:
    """On a full disk SQLite takes all back, and the end of a savepoint fails for want of it."""
    earlier = error.__context__
    return _said_first(earlier) if isinstance(earlier, OperationalError) else error


def _is_locked(outcome: object) -> bool:
    return isinstance(outcome, DBAPIError) and sqlite_name(outcome.orig).startswith("SQLITE_BUSY")


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
