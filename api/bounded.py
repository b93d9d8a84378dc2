"""Run what a hostile text could make slow in a process of its own, which is ended when it is.

A process is started by the first call and kept: a call then costs a fraction of a millisecond.
"""

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import TimeoutError as TookTooLong
from functools import cache
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

P = ParamSpec("P")
T = TypeVar("T")

LIMIT_S = 2.0  # of work
PATIENCE_S = 5.0  # of work, and of waiting for the work of others
LARGEST_PROCESS_BYTES = 1 << 30


class TooMuchWork(Exception):
    """It was not done within the limit of time or memory; nothing is known of its result."""


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_PROCESS_BYTES, LARGEST_PROCESS_BYTES))


@cache
def _pool(purpose: str) -> ProcessPool:
    # Spawned, not forked: a fork would hold the database's files and locks.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPool(max_workers=1, initializer=_limit_memory, context=spawn)


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
