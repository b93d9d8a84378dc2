"""One round of a test each, so that `make test` does a few and `make bench TORTURE=1` thousands."""

import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.durability import child
from tests.durability.oracle import Counts, check, connect, judge
from tests.durability.power import STRACE, Cut, cuts
from tests.durability.service import (
    MEMBERS,
    PROCESSES,
    Client,
    Ledger,
    Seeded,
    items,
    serving,
    trace,
)

Line = list[str]  # of a ledger: event, kind, id, text
NO_REPLY = (OSError, http.client.HTTPException, ValueError)


def in_threads(jobs: list[Callable[[], None]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def kill_while_writing(seeded: Seeded, folder: Path, draw: random.Random) -> Counts:
    """Four clients write; the service is killed, started again, written to, and killed again.

    It is killed a random moment after a random number of acknowledgements.
    """
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")

    def write(port: int, token: str, label: str) -> None:
        client = Client(port, token, ledger)
        try:
            for item in items(label):
                client.send(item)
                acknowledged.release()
        except NO_REPLY:
            return  # it was killed

    for start in range(2):
        acknowledged = threading.Semaphore(0)
        with serving(f"sqlite:///{file}", folder) as service:
            threads = in_threads(
                [
                    partial(write, service.port, token, f"{start} {n}")
                    for n, token in enumerate(seeded.tokens)
                ]
            )
            for _ in range(draw.randint(1, 40)):
                assert acknowledged.acquire(timeout=60)
            time.sleep(draw.uniform(0, 0.02))
            service.kill()
            for thread in threads:
                thread.join(10)
    return check(file, ledger.path)


def kill_at_call(seeded: Seeded, folder: Path, calls: str, number: int) -> tuple[Counts, bool]:
    """Kill the service at its `number`th of these system calls; also whether it came to that."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    inject = [f"--inject={calls}:signal=SIGKILL:when={number}", "-o", "/dev/null"]
    url = f"sqlite:///{file}"
    with serving(url, folder, strace=inject, checkpoint=10) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        try:
            for item, _ in zip(items("only"), range(SCRIPT), strict=False):
                client.send(item)
        except NO_REPLY:
            service.wait()
        reached = service.ended
    return check(file, ledger.path), reached


SCRIPT = 10  # requests


def killed_in(work: Callable[..., None], *given: Any, calls: str, number: int) -> bool:
    """Whether a process that does this work was killed, at its `number`th of these calls."""
    process: Any = PROCESSES.Process(target=child.work_traced, args=(work, *given))
    process.start()
    inject = f"--inject={calls}:signal=SIGKILL:when={number}"
    tracer = trace(process.pid, "-o", os.devnull, inject)
    process.join(60)
    tracer.wait(10)
    return bool(process.exitcode == -signal.SIGKILL)


def record_power(seeded: Seeded, folder: Path, requests: int) -> Iterator[tuple[Cut, list[Line]]]:
    """Record the calls while four clients write; yields each state that a power cut may leave."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    before = {str(file): file.read_bytes()}
    record = folder / "strace.log"
    url = f"sqlite:///{file}"
    with serving(url, folder, strace=[*STRACE, "-o", str(record)], checkpoint=30) as service:

        def write(token: str, label: str) -> None:
            client = Client(service.port, token, ledger)
            for item, _ in zip(items(label), range(requests // MEMBERS), strict=False):
                assert client.send(item)[0] == 201

        for thread in in_threads(
            [partial(write, token, str(n)) for n, token in enumerate(seeded.tokens)]
        ):
            thread.join(60)
        assert service.terminate() in (0, -15)
    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert sum(event == "acknowledged" for event, *_ in lines) == requests
    for cut in cuts(record, before, seed=requests):
        yield cut, lines


def judge_cut(cut: Cut, lines: list[Line], folder: Path) -> Counts:
    """Open what the cut left with a stock SQLite, as the service would after the power is back."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for path, content in cut.files.items():
        (folder / Path(path).name).write_bytes(content)
    known = [line for line in lines if line[0] == "sent" or (line[2] in cut.told)]
    connection = connect(str(folder / "readout.sqlite3"))
    try:
        connection.execute("PRAGMA synchronous = OFF")  # this copy is thrown away
        return judge(connection, known)
    except connection.DatabaseError as error:
        return Counts(len(lines), len(cut.told), 0, len(cut.told), 0, f"corrupt: {error}")
    finally:
        connection.close()
