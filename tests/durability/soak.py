"""R16: a minute of a group's work. What grows then without end would end the service in a month."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from api.engines import CHECKPOINT_PAGES
from tests.conftest import API
from tests.durability.copies import copy_and_judge
from tests.durability.oracle import Counts, check
from tests.durability.rounds import in_threads
from tests.durability.service import Client, Ledger, Seeded, Serving, items, serving

PAGE = 4096  # of a file of SQLite
# The log is written from its beginning again once this much of it is in the file, and nobody reads
# an older state. A few writes come in between.
LOG_LIMIT_BYTES = 2 * CHECKPOINT_PAGES * PAGE
FILES_LIMIT = 10  # connections come and go; of a third of the requests, a leak would leave hundreds
MEMORY_LIMIT_MB = 4.0  # that may come in a third of the time


SLOW_S = 3.0  # that the last third may be slower than the second: other work comes and goes


class Seen(NamedTuple):
    """The process and its log at one moment."""

    memory_mb: float
    files: int
    log_bytes: int


class Soaked(NamedTuple):
    counts: Counts
    copies: list[Counts]  # of the copies made meanwhile, each restored
    seen: list[Seen]  # once a second
    p99_s: list[float]  # of the replies in each third of the time


class Growth(NamedTuple):
    """From the second third to the last, by the middle of each; the log at its longest."""

    memory_mb: float
    files: int
    log_bytes: int
    p99_s: list[float]


def soak(seeded: Seeded, folder: Path, seconds: float) -> Soaked:
    """About 20 requests a second of all kinds, a backup and its restoration now and then."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    stop = threading.Event()
    copies: list[Counts] = []
    seen: list[Seen] = []

    def visit(client: Client, label: str) -> None:
        for item in items(label):
            if stop.wait(0.15):
                return
            client.send(item)
            client.ask("GET", f"{API}/notes?meeting=2026-03-12&limit=20")

    with serving(f"sqlite:///{file}", folder) as service:
        clients = [Client(service.port, token, ledger) for token in seeded.tokens]
        threads = in_threads([partial(visit, client, str(n)) for n, client in enumerate(clients)])
        begun = time.monotonic()
        for second in itertools.count():
            if time.monotonic() - begun > seconds:
                break
            seen.append(_look(service, file))
            if second % 20 == 10:
                copies.append(copy_and_judge(file, ledger.path, folder / f"copied-{second}"))
            time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join(20)
    return Soaked(check(file, ledger.path), copies, seen, list(_p99(clients)))


def _look(service: Serving, file: Path) -> Seen:
    process = Path(f"/proc/{service.pid}")
    pages = int((process / "statm").read_text().split()[1])
    files = len(list((process / "fd").iterdir()))
    log = file.with_name(f"{file.name}-wal").stat().st_size
    return Seen(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, log)


def _p99(clients: list[Client]) -> Iterator[float]:
    for third in range(3):
        took = sorted(
            one
            for client in clients
            for one in client.took[third * len(client.took) // 3 :][: len(client.took) // 3]
        )
        yield took[len(took) * 99 // 100] if took else 0.0


def growth(soaked: Soaked) -> Growth:
    third = max(1, len(soaked.seen) // 3)
    early, late = (
        [sorted(values)[len(values) // 2] for values in zip(*part, strict=True)]
        for part in (soaked.seen[third : 2 * third] or soaked.seen, soaked.seen[-third:])
    )
    longest = max(one.log_bytes for one in soaked.seen)
    return Growth(late[0] - early[0], late[1] - early[1], longest, soaked.p99_s)


def is_flat(grown: Growth) -> bool:
    return (
        grown.memory_mb < MEMORY_LIMIT_MB
        and grown.files < FILES_LIMIT
        and grown.log_bytes < LOG_LIMIT_BYTES
        and grown.p99_s[2] < grown.p99_s[1] + SLOW_S
    )
