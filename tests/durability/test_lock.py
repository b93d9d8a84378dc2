"""R6: another program holds the database."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import API
from tests.durability.oracle import check, clean
from tests.durability.service import Client, Ledger, Seeded, items, serving

HOLD = """
import pysqlite3, sys
connection = pysqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA busy_timeout = 5000")
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
BUSY = {
    "detail": "another program holds the database; nothing was stored; try again",
    "code": "busy",
}
log = logging.getLogger(__name__)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """The database, locked by a process of its own."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


def test_writes_wait_for_a_short_lock_and_are_refused_at_a_long_one(
    seeded: Seeded, ledger: Ledger, tmp_path: Path
):
    file = seeded.copy(tmp_path)
    with serving(f"sqlite:///{file}", tmp_path) as service:
        clients = [Client(service.port, token, ledger) for token in seeded.tokens]
        own = zip(clients, map(items, "abcd"), strict=True)
        todo = [(client, next(made)) for client, made in own]

        def send(replies: list) -> list[threading.Thread]:
            def one(client: Client, item) -> None:
                ledger.note("sent", item)
                status, told, headers = client.ask("POST", *item.request())
                if status == 201:
                    ledger.note("acknowledged", item)
                replies.append((status, headers.get("Retry-After"), told))

            threads = [threading.Thread(target=one, args=pair) for pair in todo]
            for thread in threads:
                thread.start()
            return threads

        reader = Client(service.port, seeded.tokens[0], ledger)
        with held(file):
            replies: list = []
            begun = time.monotonic()
            threads = send(replies)
            asked = []
            while any(thread.is_alive() for thread in threads):
                before = time.monotonic()
                assert reader.ask("GET", f"{API}/health")[0] == 200
                asked.append(time.monotonic() - before)
                assert reader.ask("GET", f"{API}/notes?meeting=2026-03-12")[0] == 200
                time.sleep(0.05)
            took = time.monotonic() - begun
        assert replies == [(503, "2", BUSY)] * 4
        # All were refused together, not one after the other: that would have taken 20 s.
        assert took < 10
        log.info("refused after %.1f s; slowest health %.0f ms", took, 1_000 * max(asked))

        with held(file):
            replies = []
            threads = send(replies)
            time.sleep(1)
        for thread in threads:
            thread.join(30)
        assert [status for status, *_ in replies] == [201] * 4
    counts = check(file, ledger.path)
    assert clean(counts), counts
