"""`make bench TORTURE=1`: the tests of durability, over and over, for an hour.

TORTURE_S=600 takes ten minutes. Each kind of fault gets its share of the time; what is printed for
each is the sum over its rounds. No failure in n independent rounds bounds the rate of failures by
3/n with 95 % confidence. The states of a power cut are not independent: for them the number bounds
only the share among the states of the model, which `power.py` describes.
"""

import itertools
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from api.backup import backup, restore
from tests.conftest import API, Clock, running_postgresql
from tests.durability.oracle import Counts, check, clean
from tests.durability.rounds import (
    in_threads,
    judge_cut,
    kill_at_call,
    kill_while_writing,
    record_power,
)
from tests.durability.service import Client, Ledger, Seeded, Serving, items, serving
from tests.machine.torture import histories

BUDGET_S = float(os.environ.get("TORTURE_S", "3600"))
SOAK_S = min(60.0, BUDGET_S / 4)
CALLS = ("fsync,fdatasync", "pwrite64", "ftruncate")
LOG_LIMIT_BYTES = 64 * 2**20


def kills(seeded: Seeded, folder: Path) -> Iterator[Counts]:
    draw = random.Random()
    for number in itertools.count():
        yield kill_while_writing(seeded, folder / str(number), draw)
        shutil.rmtree(folder / str(number))


def kills_at_calls(seeded: Seeded, folder: Path) -> Iterator[Counts]:
    """Each call of each kind; then from the beginning again."""
    while True:
        for calls in CALLS:
            for number in itertools.count(1):
                counts, reached = kill_at_call(seeded, folder / "call", calls, number)
                yield counts
                shutil.rmtree(folder / "call")
                if not reached:
                    break


def power_cuts(seeded: Seeded, folder: Path) -> Iterator[Counts]:
    for number in itertools.count():
        recorded = folder / str(number)
        for cut, lines in record_power(seeded, recorded, 40 + 4 * (number % 20)):
            yield judge_cut(cut, lines, folder / "disk")
        shutil.rmtree(recorded)


def soak(seeded: Seeded, folder: Path) -> Iterator[Counts]:
    """About 20 requests a second of all kinds, a backup and its restoration now and then."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    stop = threading.Event()

    def visit(port: int, token: str, label: str) -> None:
        client = Client(port, token, ledger)
        for item in items(label):
            if stop.wait(0.15):
                return
            client.send(item)
            client.ask("GET", f"{API}/notes?meeting=2026-03-12&limit=20")

    with serving(f"sqlite:///{file}", folder) as service:
        jobs = [partial(visit, service.port, t, str(n)) for n, t in enumerate(seeded.tokens)]
        threads = in_threads(jobs)
        measured = list(_watch(service, file, folder))
        stop.set()
        for thread in threads:
            thread.join(20)
    _tell_slopes(measured)
    yield check(file, ledger.path)


def _watch(service: Serving, file: Path, folder: Path) -> Iterator[tuple[float, int, int]]:
    """Once a second: memory in MB, open files, bytes of the log."""
    begun = time.monotonic()
    for second in itertools.count():
        if time.monotonic() - begun > SOAK_S:
            return
        pages = int(Path(f"/proc/{service.pid}/statm").read_text().split()[1])
        files = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
        log = file.with_name(f"{file.name}-wal").stat().st_size
        yield pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, log
        if second % 20 == 10:
            copy = folder / f"copy-{second}.sqlite3"
            backup(file, copy, Clock()())
            restore(copy, folder / f"host-{second}" / "readout.sqlite3", Clock()())
        time.sleep(1)


def _tell_slopes(measured: list[tuple[float, int, int]]) -> None:
    third = len(measured) // 3
    for name, values in zip(
        ("MB of memory", "open files"), zip(*measured, strict=True), strict=False
    ):
        early = sorted(values[third : 2 * third])[third // 2]
        late = sorted(values[-third:])[third // 2]
        print(f"    soak: {name} {early:.1f} in the second third, {late:.1f} in the last")
    log = max(log for *_, log in measured)
    print(f"    soak: the log was at most {log / 2**20:.1f} MB")
    assert log < LOG_LIMIT_BYTES


def torture(name: str, rounds: Iterator[Counts], seconds: float) -> bool:
    """Whether nothing was lost, stored twice or wrong in the rounds that the time allows."""
    ends = time.monotonic() + seconds
    n = sent = acknowledged = stored = lost = twice = wrong = 0
    for counts in rounds:
        n += 1
        sent += counts.sent
        acknowledged += counts.acknowledged
        stored += counts.stored
        lost += counts.lost
        twice += counts.twice
        wrong += bool(counts.wrong)
        if not clean(counts):
            print(f"    {name}: {counts}", flush=True)
        if time.monotonic() > ends:
            break
    bound = (
        ""
        if lost or twice or wrong
        else f"; failures in less than {min(1, 3 / n):.2g} of the rounds"
    )
    print(
        f"{name}: {n} rounds, sent {sent}, acknowledged {acknowledged}, stored {stored}, "
        f"lost {lost}, twice {twice}, wrong {wrong}{bound}",
        flush=True,
    )
    return not (lost or twice or wrong)


KINDS: dict[str, tuple[Callable[[Seeded, Path], Iterator[Counts]], float]] = {
    "kill at any moment": (kills, 0.25),
    "kill at each call": (kills_at_calls, 0.2),
    "power cut": (power_cuts, 0.3),
    "soak": (soak, 0.05),
}
HISTORIES = 0.2  # share of the time, for both databases


def main() -> None:
    fine = True
    with tempfile.TemporaryDirectory(prefix="readout-torture-") as name:
        seeded = Seeded(Path(name))
        for kind, (rounds, share) in KINDS.items():
            folder = Path(name) / kind.replace(" ", "-")
            folder.mkdir()
            fine &= torture(kind, rounds(seeded, folder), share * BUDGET_S)
        with running_postgresql() as server:
            for url in (f"sqlite:///{name}/histories.sqlite3", server):
                folder = Path(name) / url.partition(":")[0]
                fine &= histories(url, folder, HISTORIES * BUDGET_S / 2)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
