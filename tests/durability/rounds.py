"""One round of a test each, so that `make test` does a few and `make bench TORTURE=1` thousands."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import API
from tests.durability import child
from tests.durability.oracle import Counts, check, connect, judge
from tests.durability.power import STRACE, Cut, cuts
from tests.durability.service import (
    MEMBERS,
    PROCESSES,
    Client,
    Ledger,
    Seeded,
    injecting,
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


def posts(client: Client, number: int = 10) -> None:
    for item in islice(items("only"), number):
        client.send(item)


def edits(client: Client) -> None:
    """Three notes, each changed twice and removed."""
    for item in islice(items("edited"), 1, 6, 2):
        client.send(item)
        for version in (1, 2):
            client.edit(item.id, version, f"{item.text} {version}")
        client.remove(item.id, 3)


Script = Callable[[Client], None]


def kill_at_call(
    seeded: Seeded,
    folder: Path,
    calls: str,
    number: int,
    script: Script = posts,
    checkpoint: int = 10,
) -> tuple[Counts, bool]:
    """Kill the service at its `number`th of these system calls; also whether it came to that.

    `checkpoint` is the number of pages after which the log is copied into the file: few, so that
    a short script comes to that, too.
    """
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    inject = [f"--inject={calls}:signal=SIGKILL:when={number}", "-o", "/dev/null"]
    url = f"sqlite:///{file}"
    with serving(url, folder, strace=inject, checkpoint=checkpoint) as service:
        try:
            script(Client(service.port, seeded.tokens[0], ledger))
        except NO_REPLY:
            service.wait()
        reached = service.ended
    return check(file, ledger.path), reached


def killed_in(work: Callable[..., None], *given: Any, calls: str, number: int) -> bool:
    """Whether a process that does this work was killed, at its `number`th of these calls."""
    process: Any = PROCESSES.Process(target=child.work_traced, args=(work, *given))
    process.start()
    inject = f"--inject={calls}:signal=SIGKILL:when={number}"
    tracer = trace(process.pid, "-o", os.devnull, inject)
    process.join(120)
    tracer.wait(10)
    # Neither done nor killed: strace did not attach, or the machine is too busy to tell.
    assert process.exitcode in (0, -signal.SIGKILL), f"ended with {process.exitcode}"
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
            for item in islice(items(label), requests // MEMBERS):
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


FULL = {"detail": "the disk is full; nothing was stored", "code": "disk-full"}
Replies = list[tuple[int, Any]]


def send_all(client: Client, label: str, number: int) -> Replies:
    return [client.send(item) for item in islice(items(label), number)]


def fill_disk(seeded: Seeded, folder: Path, when: str) -> tuple[Counts, Replies]:
    """These of the calls that write fail as on a full disk; also what the clients were told then.

    Reads go on; no restart is needed.
    """
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    with serving(f"sqlite:///{file}", folder, checkpoint=10) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        assert {status for status, _ in send_all(client, "before", 6)} == {201}
        with injecting(service, f"pwrite64:error=ENOSPC:when={when}"):
            told = send_all(client, "full", 10)
            status, notes, _ = client.ask("GET", f"{API}/notes?meeting=2026-03-12")
            assert (status, len(notes) >= 3) == (200, True)
            assert client.ask("GET", f"{API}/health")[0] == 200
        assert {status for status, _ in send_all(client, "after", 6)} == {201}
    assert [reply for reply in told if reply[0] != 201 and reply != (507, FULL)] == []
    return check(file, ledger.path), told


def fail_disk(
    seeded: Seeded, folder: Path, calls: str, when: int, error: str = "EIO"
) -> tuple[Counts, list[int]]:
    """The `when`th of these calls fails, and ends the service; also the statuses told meanwhile.

    The first error is the last write: what a disk holds after it, nobody knows.
    """
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    told: list[int] = []
    with serving(f"sqlite:///{file}", folder) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        send_all(client, "before", 4)
        with injecting(service, f"{calls}:error={error}:when={when}"):
            try:
                # More than it takes to stop, which is a tenth of a second and many replies.
                for item in islice(items("failing"), 2_000):
                    told.append(client.send(item)[0])
            except NO_REPLY:
                pass
            assert service.wait() == 70
    with serving(f"sqlite:///{file}", folder) as again:
        client = Client(again.port, seeded.tokens[0], ledger)
        assert client.send(next(items("again")))[0] == 201
    return check(file, ledger.path), told


HOLD = """
import pysqlite3, sys
connection = pysqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA busy_timeout = 5000")
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(file: Path) -> Iterator[None]:
    """The database, locked by a process of its own."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


class Waited(NamedTuple):
    """What four writers were told while another program held the database, and how long it took."""

    replies: list[tuple[int, str | None, Any]]  # status, Retry-After, body
    took_s: float  # until all had a reply
    heard: int  # times that health and a reader had a reply meanwhile


def lock(seeded: Seeded, folder: Path, seconds: float) -> tuple[Counts, Waited]:
    """Hold the database for so long, or until all writers have a reply. Reads go on meanwhile."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    replies: list[tuple[int, str | None, Any]] = []
    heard = 0

    def write(port: int, token: str, label: str) -> None:
        client, item = Client(port, token, ledger), next(items(label))
        ledger.note("sent", item)
        status, told, headers = client.ask("POST", *item.request())
        if status == 201:
            ledger.note("acknowledged", item)
        replies.append((status, headers.get("Retry-After"), told))

    with serving(f"sqlite:///{file}", folder) as service:
        reader = Client(service.port, seeded.tokens[0], ledger)
        with held(file):
            begun = time.monotonic()
            threads = in_threads(
                [partial(write, service.port, t, str(n)) for n, t in enumerate(seeded.tokens)]
            )
            while time.monotonic() - begun < seconds and any(t.is_alive() for t in threads):
                assert reader.ask("GET", f"{API}/health")[0] == 200
                assert reader.ask("GET", f"{API}/notes?meeting=2026-03-12")[0] == 200
                heard += not replies
                time.sleep(0.05)
        for thread in threads:
            thread.join(30)
        took_s = time.monotonic() - begun
    assert len(replies) == MEMBERS
    return check(file, ledger.path), Waited(replies, took_s, heard)
