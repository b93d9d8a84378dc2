"""`make bench TORTURE=1`: the tests of durability, over and over, for an hour.

TORTURE_S=600 takes ten minutes. Each kind of fault gets its share of the time; what is printed for
each is the sum over its rounds. No failure in n independent rounds bounds the rate of failures by
3/n with 95 % confidence. The states of a power cut are not independent: for them the number bounds
only the share among the states of the model, which `power.py` describes.

Not here: a killed browser, which needs a built site (tests/browser), and a clock that jumps, which
is a step of the histories.
"""

import itertools
import logging
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import NamedTuple

from api.backup import backup
from api.migrate import revisions
from tests.conftest import empty_postgresql, running_postgresql
from tests.durability.copies import NOW, copies_under_load, flip_a_bit
from tests.durability.crowd import (
    Group,
    edit_at_once,
    lose_replies,
    restart_under,
    two_workers,
    work_on_two,
)
from tests.durability.oracle import Counts, clean
from tests.durability.proxy import LossyProxy
from tests.durability.rounds import (
    edits,
    fail_disk,
    fill_disk,
    judge_cut,
    kill_at_call,
    kill_while_writing,
    lock,
    posts,
    record_power,
)
from tests.durability.schemas import kill_backup, kill_migration
from tests.durability.service import Seeded, seed
from tests.durability.soak import growth, is_flat, soak
from tests.machine.torture import histories
from tests.security.bodies import hostile

BUDGET_S = float(os.environ.get("TORTURE_S", "3600"))
CALLS = ("fsync,fdatasync", "pwrite64", "ftruncate")
WARM_S = 60  # what grows in a shorter soak is what a new process needs


class Given(NamedTuple):
    """What a kind of fault has to work with."""

    seeded: Seeded
    folder: Path
    seconds: float
    server: str  # a PostgreSQL

    def folders(self) -> Iterator[Path]:
        """One after the other, each for a round, and gone after it."""
        for number in itertools.count():
            folder = self.folder / str(number)
            folder.mkdir()
            yield folder
            shutil.rmtree(folder)


draw = random.Random()


def kills(given: Given) -> Iterator[Counts]:
    for folder in given.folders():
        yield kill_while_writing(given.seeded, folder, draw)


def kills_at_calls(given: Given) -> Iterator[Counts]:
    """Each call of each kind in each script, a migration and a backup; then from the beginning."""
    scripts = [partial(kill_at_call, given.seeded, script=script) for script in (posts, edits)]
    older = [partial(_kill_migration, revision=revision) for revision in revisions()[:-1]]
    works = [*scripts, partial(kill_backup, given.seeded), *older]
    left = {(n, calls): itertools.count(1) for calls in CALLS for n in range(len(works))}
    folders = given.folders()
    while True:
        # One call of each in turn, so that a short run, too, meets all of them.
        for (n, calls), numbers in list(left.items()):
            counts, reached = works[n](folder=next(folders), calls=calls, number=next(numbers))
            yield counts
            if not reached:
                left[n, calls] = itertools.count(1)


def _kill_migration(folder: Path, revision: str, calls: str, number: int) -> tuple[Counts, bool]:
    return kill_migration(folder, revision, calls, number)


def power_cuts(given: Given) -> Iterator[Counts]:
    for number, folder in enumerate(given.folders()):
        for cut, lines in record_power(given.seeded, folder, 40 + 4 * (number % 20)):
            yield judge_cut(cut, lines, folder / "disk")


def full_disks(given: Given) -> Iterator[Counts]:
    """The disk is full for a number of calls that begins anywhere."""
    for folder in given.folders():
        first = draw.randint(1, 20)
        yield fill_disk(given.seeded, folder, f"{first}..{first + draw.randint(0, 30)}")[0]


def failing_disks(given: Given) -> Iterator[Counts]:
    for folder in given.folders():
        calls, most = draw.choice([("fsync,fdatasync", 30), ("pwrite64", 90)])
        counts, told = fail_disk(given.seeded, folder, calls, draw.randint(1, most))
        assert set(told) <= {201, 503} and told == sorted(told), told
        yield counts


def locks(given: Given) -> Iterator[Counts]:
    for folder, seconds in zip(given.folders(), itertools.cycle([1, 4, 20]), strict=False):
        counts, waited = lock(given.seeded, folder, seconds)
        statuses = [status for status, *_ in waited.replies]
        assert statuses == [503 if seconds == 20 else 201] * len(statuses), statuses
        assert waited.took_s < 10
        yield counts


@contextmanager
def group(given: Given, folder: Path, number: int) -> Iterator[Group]:
    """Two workers on SQLite and on PostgreSQL in turn."""
    if number % 2 == 0:
        with two_workers(
            f"sqlite:///{given.seeded.copy(folder)}", given.seeded.tokens, folder
        ) as g:
            yield g
    else:
        with empty_postgresql(given.server) as url, two_workers(url, seed(url), folder) as g:
            yield g


def two_at_once(given: Given) -> Iterator[Counts]:
    for number, folder in enumerate(given.folders()):
        with group(given, folder, number) as both:
            counts, slowest_s = work_on_two(both, 20)
        assert slowest_s < 10, f"a request took {slowest_s:.1f} s"
        yield counts


def lost_replies(given: Given) -> Iterator[Counts]:
    for number, folder in enumerate(given.folders()):
        if number % 3 == 2:
            yield restart_under(given.seeded, folder, 30, seed=number)
            continue
        with group(given, folder, number % 3) as both:
            ports = [worker.port for worker in both.workers]
            proxies = [LossyProxy(lambda p=port: p, draw.randrange(10**9)) for port in ports]
            yield lose_replies(both, proxies, 20)
            for proxy in proxies:
                proxy.close()


def edits_at_once(given: Given) -> Iterator[Counts]:
    for number, folder in enumerate(given.folders()):
        with group(given, folder, number) as both:
            yield edit_at_once(both, 20)


def backups(given: Given) -> Iterator[Counts]:
    """Of a small database and of one of 40 MB; each for so long that it grows."""
    for folder, megabytes in zip(given.folders(), itertools.cycle([40, 0]), strict=False):
        with closing(copies_under_load(given.seeded, folder, megabytes)) as copied:
            yield from itertools.islice(copied, 25)


def damaged_backups(given: Given) -> Iterator[Counts]:
    copy = given.folder / "copy.sqlite3"
    backup(given.seeded.file, copy, NOW)
    while True:
        yield flip_a_bit(copy, given.folder / "restored.sqlite3", draw)


def soaks(given: Given) -> Iterator[Counts]:
    """One, for all the time there is."""
    soaked = soak(given.seeded, given.folder, given.seconds)
    grown = growth(soaked)
    print(
        f"    soak: {grown.memory_mb:+.1f} MB of memory and {grown.files:+} open files from the "
        f"second third to the last; the log was at most {grown.log_bytes / 2**20:.1f} MB; 99 % of "
        f"replies took at most {', '.join(f'{1_000 * p99:.0f}' for p99 in grown.p99_s)} ms"
    )
    assert given.seconds < WARM_S or is_flat(grown), grown
    yield from soaked.copies
    yield soaked.counts


def hostile_bodies(given: Given) -> Iterator[Counts]:
    return hostile(f"sqlite:///{given.folder}/readout.sqlite3", given.folder, draw)


def histories_on_sqlite(given: Given) -> Iterator[Counts]:
    return histories(f"sqlite:///{given.folder}/readout.sqlite3", given.folder)


def histories_on_postgresql(given: Given) -> Iterator[Counts]:
    with empty_postgresql(given.server) as url:
        yield from histories(url, given.folder)


KINDS: dict[str, tuple[Callable[[Given], Iterator[Counts]], float]] = {
    "kill at any moment": (kills, 0.12),
    "kill at each call": (kills_at_calls, 0.16),
    "power cut": (power_cuts, 0.14),
    "full disk": (full_disks, 0.05),
    "failing disk": (failing_disks, 0.06),
    "lock": (locks, 0.05),
    "two workers": (two_at_once, 0.04),
    "lost replies": (lost_replies, 0.08),
    "edits at once": (edits_at_once, 0.04),
    "backup under load": (backups, 0.05),
    "damaged backup": (damaged_backups, 0.03),
    "hostile bodies": (hostile_bodies, 0.06),
    "histories on sqlite": (histories_on_sqlite, 0.04),
    "histories on postgresql": (histories_on_postgresql, 0.04),
    "soak": (soaks, 0.04),
}


@dataclass
class Total:
    rounds: int = 0
    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0

    def add(self, other: "Total") -> None:
        for own in fields(self):
            setattr(self, own.name, getattr(self, own.name) + getattr(other, own.name))

    @property
    def failed(self) -> bool:
        return bool(self.lost or self.twice or self.wrong)

    def __str__(self) -> str:
        return ", ".join(f"{own.name} {getattr(self, own.name):,}" for own in fields(self))


def torture(name: str, rounds: Iterator[Counts], seconds: float, total: Total) -> None:
    """Add up the rounds that the time allows. A round that ends in an error ends its kind."""
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends and (counts := next(rounds, None)):
            total.add(Total(1, *counts[:-1], wrong=bool(counts.wrong)))
            if not clean(counts):
                print(f"    {name}: {counts}", flush=True)
    except Exception:
        total.wrong += 1
        print(f"    {name}: {traceback.format_exc()}", flush=True)
    finally:
        bound = min(1, 3 / max(total.rounds, 1))
        rate = "" if total.failed else f"; failures in less than {bound:.2g} of the rounds"
        print(f"{name}: {total}{rate}", flush=True)


def main() -> None:
    logging.disable(logging.WARNING)  # each migration says where its copy is
    total, interrupted = Total(), False
    try:
        with (
            tempfile.TemporaryDirectory(prefix="readout-torture-") as name,
            running_postgresql() as server,
        ):
            seeded = Seeded(Path(name))
            for kind, (rounds, share) in KINDS.items():
                folder, seconds = Path(name) / kind.replace(" ", "-"), share * BUDGET_S
                folder.mkdir()
                own = Total()
                try:
                    with closing(rounds(Given(seeded, folder, seconds, server))) as running:
                        torture(kind, running, seconds, own)
                finally:
                    total.add(own)
    except KeyboardInterrupt:
        interrupted = True
    print(f"{'interrupted; until then' if interrupted else 'in all'}: {total}", flush=True)
    sys.exit(1 if total.failed else 130 * interrupted)


if __name__ == "__main__":
    main()
