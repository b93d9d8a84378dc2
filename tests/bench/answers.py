"""500 members answer six questions each in the last minute, 32 at a time, over real HTTP.

Ours beside the plain endpoint: the same application, validation, sign-in, marking, indexes and
SQLite settings, but one session and one commit a request, as a framework's tutorial has it; and
beside an endpoint that stores nothing. Each server is a process of its own, each load generator
another. Runs alternate, so that a busy machine slows all of them; medians of the runs are compared.
"""

import datetime as dt
import json
import os
import pickle
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from api.database import Database
from api.members import JoinIn, invite, join
from api.migrate import migrate
from tests.bench.load import Timed
from tests.conftest import CONTENT, ROOT

MEMBERS, TOGETHER, RUNS = 500, 32, 3
GIVEN: dict[str, Any] = {
    "why-two-layers": "a",
    "linear-parts": ["a", "c"],
    "share-right": 0.73,
    "the-sum": "residual stream",
    "steps": ["e", "c", "b"],
    "changes": {"a": "A node.", "b": "An edge."},
}


READS = [  # what a page asks for when it is opened
    b"GET /api/v1/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n" % path
    for path in (b"quizzes/example/answers", b"notes?meeting=2026-03-10")
]


class Run(NamedTuple):
    throughput: float  # answers a second
    p99_ms: float
    read_p99_ms: float  # of a page's GET, while the answers come in
    cpu_ms: float  # of the server, an answer


def sign_in(database: Database, members: int) -> list[str]:
    now = dt.datetime.now(dt.UTC)

    def joined(session: Any) -> list[str]:
        codes = [invite(session, f"member {n}", "member", now) for n in range(members)]
        session.flush()
        return [join(session, JoinIn(invite=code, name="Ada"), now).token for code in codes]

    return database.write(joined)


def requests(tokens: list[str], path: str) -> list[bytes]:
    """Every member's six answers, question by question, as a browser sends them."""
    made = []
    for question, response in GIVEN.items():
        for token in tokens:
            given = {"id": str(uuid.uuid4()), "question": question, "response": response}
            body = json.dumps({**given, "certainty": 2, "reason": None}).encode()
            head = (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: readout={token}\r\n"
                "Accept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\n"
                "Content-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            made.append(head.encode() + body)
    return made


@contextmanager
def serving(database: Path) -> Iterator[tuple[int, int]]:
    """The service in a process of its own; yields its port and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        "READOUT_DATABASE_URL": f"sqlite:///{database}",
        "READOUT_CONTENT_DIR": str(CONTENT / "docs"),
        "READOUT_EXECUTED_DIR": str(CONTENT / "executed"),
        "READOUT_SITE_DIR": str(database.parent / "site"),
    }
    command = [sys.executable, "-m", "tests.bench.server", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the server did not start"
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def load(port: int, made: list[bytes], connections: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(connections)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    pickle.dump(made, process.stdin)
    process.stdin.close()
    return process


def timed(process: subprocess.Popen[bytes]) -> list[Timed]:
    assert process.stdout
    found: list[Timed] = json.loads(process.stdout.read())
    assert process.wait() == 0
    return found


def run(path: str, members: int, *, stores: bool = True) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "readout.sqlite3"
        database = Database(f"sqlite:///{file}")
        migrate(database)
        made = requests(sign_in(database, members), path)
        database.close()
        cookie = made[0].split(b"\r\n")[2]
        with serving(file) as (port, server):
            timed(load(port, made[:1], 1))  # the first request of a process pays for imports
            cpu = cpu_s(server)
            readers = load(port, [get + cookie + b"\r\n\r\n" for get in READS] * 150, 1)
            answers = timed(load(port, made[1:], TOGETHER))
            reads = timed(readers)
            cpu = cpu_s(server) - cpu
        assert {status for *_, status in answers} == {201}, answers[:3]
        assert {status for *_, status in reads} == {200}
        if stores:
            database = Database(f"sqlite:///{file}")
            with database.read() as session:
                count = "SELECT count(*), count(DISTINCT id) FROM answer"
                stored = session.connection().exec_driver_sql(count).one()
            database.close()
            assert tuple(stored) == (len(made), len(made))
    begun = min(sent for sent, *_ in answers)
    ended = max(sent + took for sent, took, _ in answers)
    cpu_ms = 1_000 * cpu / (len(answers) + len(reads))
    return Run(len(answers) / (ended - begun), p99(answers), p99(reads), cpu_ms)


def cpu_s(process: int) -> float:
    """CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p99(replies: list[Timed]) -> float:
    return statistics.quantiles([took for _, took, _ in replies], n=100)[98] * 1_000


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    paths = {
        "ours": "/api/v1/quizzes/example/answers",
        "plain": "/api/v1/plain/example/answers",
        "nothing": "/api/v1/nothing/example/answers",
    }
    runs: dict[str, list[Run]] = {name: [] for name in paths}
    for _ in range(RUNS):
        for name, path in paths.items():
            runs[name].append(run(path, MEMBERS, stores=name != "nothing"))
            print(f"    {name}: {runs[name][-1]}", file=sys.stderr, flush=True)

    def middle(name: str, field: str) -> float:
        return statistics.median(getattr(one, field) for one in runs[name])

    each = {name: 1_000 / middle(name, "throughput") for name in paths}
    yield "answers-500-members", each["ours"], "ms an answer", "plain endpoint", each["plain"]
    yield (
        "answers-beside-nothing",
        each["ours"],
        "ms an answer",
        "endpoint that stores nothing",
        each["nothing"],
    )
    latency = middle("ours", "p99_ms")
    yield "answers-p99", latency, "ms", "plain endpoint", middle("plain", "p99_ms")
    yield "answers-p99-goal", latency, "ms", "goal", 100.0
    cpu = middle("ours", "cpu_ms")
    yield "answers-cpu", cpu, "ms an answer", "plain endpoint", middle("plain", "cpu_ms")
    yield "reads-meanwhile-p99", middle("ours", "read_p99_ms"), "ms", "goal", 50.0
