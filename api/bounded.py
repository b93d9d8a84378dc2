"""Run what a hostile text could make slow in a process of its own, which is ended when it is.

A process is started by the first call and kept: a call then costs a fraction of a millisecond.
"""

import multiprocessing
import resource
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as TookTooLong
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

P = ParamSpec("P")
T = TypeVar("T")

LIMIT_S = 2.0  # of work
PATIENCE_S = 10.0  # of work, of waiting for that of others, and until a process is there
LARGEST_PROCESS_BYTES = 1 << 30


class TooMuchWork(Exception):
    """It was not done within the limit of time or memory; nothing is known of its result."""


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_PROCESS_BYTES, LARGEST_PROCESS_BYTES))


_pools: dict[str, ProcessPool] = {}  # by module
_making = threading.Lock()


def _pool(purpose: str) -> ProcessPool:
    with _making:
        if purpose not in _pools:
            # Spawned, not forked: a fork would hold the database's files and locks.
            spawn = multiprocessing.get_context("spawn")
            _pools[purpose] = ProcessPool(1, initializer=_limit_memory, context=spawn)
        return _pools[purpose]


def start_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
    """Start the process of a function that will be asked for, and do not wait for it."""
    _pool(function.__module__).schedule(function, args=args, kwargs=kwargs)


def end_processes() -> None:
    """End what was started; the next call starts it again."""
    with _making:
        while _pools:
            _, pool = _pools.popitem()
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def bounded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args)`, which must be importable; what it raises is raised here.

    Raises TooMuchWork after two seconds of work, when the process has been killed. Each module
    has one process: who has texts compared keeps nobody from saving one.
    """
    pool = _pool(function.__module__)
    future = pool.schedule(function, args=args, kwargs=kwargs, timeout=LIMIT_S)
    try:
        result: T = future.result(PATIENCE_S)
    except (TookTooLong, ProcessExpired, MemoryError, RecursionError) as error:
        future.cancel()  # type: ignore[no-untyped-call]
        raise TooMuchWork(f"not done within {LIMIT_S:.0f} seconds") from error
    return result
