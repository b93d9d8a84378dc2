"""The service in a process that a test made. Imported once and forked: a start costs 0.1 s."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401  a forked process need not import it again
import pysqlite3  # noqa: F401
import typer
import uvicorn.lifespan.on
import uvicorn.loops.asyncio
import uvicorn.loops.auto  # noqa: F401

import api.app
import api.backup  # noqa: F401
from api import bounded, connections, engines
from api.console import load_settings, open_database
from api.database import Database
from api.migrate import migrate
from api.serving import listen


class Here:
    """Renders notes right here: a process for that would cost each start a second."""

    def schedule(
        self, function: Callable[..., Any], *, args: Any, kwargs: Any, timeout: float = 0
    ) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def serve(
    environment: dict[str, str],
    port: int,
    log: str,
    checkpoint: int,
    request_takes_s: float,
    traced: bool,
) -> None:
    """What `readout serve --no-build` does, less the invitation."""
    os.environ.update(environment)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever measures the tests would end otherwise
    engines.CHECKPOINT_PAGES = checkpoint
    connections.REQUEST_TAKES_S = request_takes_s
    bounded._pool = lambda _: Here()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    allow_tracing()
    if traced:
        wait_for_tracer()
    settings = load_settings()
    try:
        open_database(settings).close()
        listen(settings, "127.0.0.1", port)
    except typer.Exit as end:
        sys.exit(end.exit_code)


def migrated(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()


def work_traced(work: Callable[..., None], *given: Any) -> None:
    allow_tracing()
    wait_for_tracer()
    work(*given)


PR_SET_PTRACER = 0x59616D61
ANYBODY = ctypes.c_ulong(-1)
PATIENCE_S = 30


def allow_tracing() -> None:
    """strace is no parent of this process; where Yama guards processes (Ubuntu), that needs a word.

    Elsewhere the call is not known, and not needed.
    """
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)


def wait_for_tracer() -> None:
    begun = time.monotonic()
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        if time.monotonic() - begun > PATIENCE_S:
            sys.exit("strace did not attach; is it installed, and may it trace?")
        time.sleep(0.002)
    time.sleep(0.05)  # attached; now it also stops at each call
