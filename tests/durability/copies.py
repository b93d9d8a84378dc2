"""Rounds of R12 and R13: a backup of a busy database is one moment of it; a damaged one is refused.

Each is restored on an empty host, and judged by what was acknowledged when it began.
"""

import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from api.backup import Damaged, backup, restore
from tests.conftest import Clock
from tests.durability.oracle import Counts, check, connect
from tests.durability.rounds import in_threads
from tests.durability.service import Client, Ledger, Seeded, items, serving

NOW = Clock()()


def copy_and_judge(file: Path, ledger: Path, folder: Path) -> Counts:
    """Back up a database in use and restore it: it has all that had been acknowledged before."""
    folder.mkdir()
    told = [line for line in whole_lines(ledger) if line.startswith('["ack')]
    backup(file, folder / "copy.sqlite3", NOW)
    sent = [line for line in whole_lines(ledger) if line.startswith('["sent"')]
    target = folder / "host" / "readout.sqlite3"
    restore(folder / "copy.sqlite3", target, NOW)
    (folder / "ledger").write_text("".join(sent + told))
    return check(target, folder / "ledger")


def whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def copies_under_load(seeded: Seeded, folder: Path, megabytes: int = 0) -> Iterator[Counts]:
    """Copies of a database that four clients write to, without end. It is made large on request."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    if megabytes:
        enlarge(file, megabytes)
    with writing(file, ledger, seeded.tokens, folder) as acknowledged:
        number = 0
        while True:
            for _ in range(5):
                assert acknowledged.acquire(timeout=60)
            copied = folder / f"copied-{number}"
            yield copy_and_judge(file, ledger.path, copied)
            shutil.rmtree(copied)
            number += 1


def enlarge(file: Path, megabytes: int) -> None:
    """Rows that fill the file. What is copied in one moment while small takes many when large."""
    with closing(connect(str(file))) as database:
        database.execute("CREATE TABLE filler (bytes BLOB)")
        database.executemany(
            "INSERT INTO filler VALUES (randomblob(?))", [(100_000,)] * (10 * megabytes)
        )
        database.commit()


@contextmanager
def writing(
    file: Path, ledger: Ledger, tokens: list[str], folder: Path
) -> Iterator[threading.Semaphore]:
    """Clients that write until the block ends; the semaphore counts what they were told."""
    stop, acknowledged = threading.Event(), threading.Semaphore(0)

    def write(port: int, token: str, label: str) -> None:
        client = Client(port, token, ledger)
        for item in items(label):
            if stop.is_set():
                return
            client.send(item)
            acknowledged.release()

    with serving(f"sqlite:///{file}", folder, checkpoint=30) as service:
        threads = in_threads(
            [partial(write, service.port, t, str(n)) for n, t in enumerate(tokens)]
        )
        try:
            yield acknowledged
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)


def flip_a_bit(backed_up: Path, target: Path, draw: random.Random) -> Counts:
    """Damage a backup, try to restore it, and mend it."""
    whole = backed_up.read_bytes()
    broken = bytearray(whole)
    broken[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
    backed_up.write_bytes(broken)
    try:
        restore(backed_up, target, NOW)
        wrong = "a damaged backup was restored"
    except Damaged as error:
        wrong = "" if "its checksum is another" in str(error) else str(error)
    backed_up.write_bytes(whole)
    return Counts(1, 0, int(target.exists()), 0, 0, wrong)
