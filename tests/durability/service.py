"""Start the real service, talk to it as a browser does, and write down what it acknowledged."""

import dataclasses
import datetime as dt
import http.client
import itertools
import json
import multiprocessing
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from api.connections import REQUEST_TAKES_S
from api.database import Database
from api.members import JoinIn, invite, join
from api.migrate import migrate
from tests.conftest import API, CONTENT, unused_port
from tests.durability import child

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.durability.child"])
MEMBERS = 4


def seed(url: str) -> list[str]:
    """Make a database with a few members; returns their tokens."""
    database = Database(url)
    migrate(database)
    now = dt.datetime.now(dt.UTC)  # the service has the real clock

    def joined(session: Any) -> list[str]:
        codes = [invite(session, f"member {n}", "member", now) for n in range(MEMBERS)]
        session.flush()
        return [join(session, JoinIn(invite=code, name="Ada"), now).token for code in codes]

    tokens = database.write(joined)
    database.close()
    return tokens


class Seeded:
    """A database file with members, made once and copied for each test."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "seeded.sqlite3"
        self.tokens = seed(f"sqlite:///{self.file}")
        assert not self.file.with_name("seeded.sqlite3-wal").exists()

    def copy(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self.file, folder / "readout.sqlite3"))


@dataclasses.dataclass
class Serving:
    """A running service."""

    process: Any
    port: int
    log: Path
    tracer: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def terminate(self) -> int:
        """Stop it as systemd does; returns how it ended."""
        self.process.terminate()
        return self.wait()

    def wait(self, timeout_s: float = 20) -> int:
        self.process.join(timeout_s)
        assert self.process.exitcode is not None, "the service is still there"
        if self.tracer:
            self.tracer.wait(10)
        return int(self.process.exitcode)

    @property
    def ended(self) -> bool:
        return not self.process.is_alive()


@contextmanager
def serving(
    url: str,
    folder: Path,
    *,
    strace: list[str] | None = None,
    checkpoint: int = 1_000,
    request_takes_s: float = REQUEST_TAKES_S,
    up: bool = True,
) -> Iterator[Serving]:
    """The service on a database; `strace` traces it from before it opens the file."""
    port = unused_port()
    environment = {
        "READOUT_DATABASE_URL": url,
        "READOUT_CONTENT_DIR": str(CONTENT / "docs"),
        "READOUT_EXECUTED_DIR": str(CONTENT / "executed"),
        "READOUT_SITE_DIR": str(folder / "site"),
        "READOUT_CACHE_DIR": str(folder / "cache"),
    }
    log = folder / "service.log"
    given = (environment, port, str(log), checkpoint, request_takes_s, strace is not None)
    process = PROCESSES.Process(target=child.serve, args=given, daemon=True)
    process.start()
    tracer = trace(process.pid, *strace) if strace is not None else None
    service = Serving(process, port, log, tracer)
    try:
        if up:
            await_port(service)
        yield service
    finally:
        if not service.ended:
            service.kill()


def trace(pid: int, *arguments: str) -> "subprocess.Popen[bytes]":
    """strace on a process and its threads. Ends with it, or when terminated, which lets it go."""
    command = ["strace", "-f", "-qq", *arguments, "-p", str(pid)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def traced(pid: int) -> bool:
    return all(
        "TracerPid:\t0\n" not in status.read_text()
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    )


@contextmanager
def injecting(service: Serving, *injections: str) -> Iterator[None]:
    """Make calls of a running service fail, until the end of the block."""
    arguments = [f"--inject={injection}" for injection in injections]
    tracer = trace(service.pid, "-o", "/dev/null", *arguments)
    try:
        while not traced(service.pid):
            assert tracer.poll() is None, "strace ended"
            time.sleep(0.01)
        yield
    finally:
        tracer.terminate()
        tracer.wait(10)


def await_port(service: Serving) -> None:
    while not service.ended:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", service.port), timeout=1).close()
            return
        time.sleep(0.01)


class Ledger:
    """What clients sent and what was acknowledged: a line each, on the disk before the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", buffering=1)

    def note(self, event: str, item: "Item") -> None:
        self._file.write(json.dumps([event, item.kind, item.id, item.text]) + "\n")

    def count(self, event: str) -> int:
        return sum(json.loads(line)[0] == event for line in self.path.read_text().splitlines())


@dataclasses.dataclass(frozen=True)
class Item:
    """What a client has stored, known by an id and by a text that no other has.

    An answer or a note; an edit ("NOTE VERSION") or a removal of a note.
    """

    kind: str
    id: str
    text: str

    def request(self) -> tuple[str, dict[str, Any]]:
        if self.kind == "note":
            return f"{API}/notes", {"id": self.id, "meeting": "2026-03-12", "body": self.text}
        given = {"id": self.id, "question": "why-two-layers", "response": "a", "reason": self.text}
        return f"{API}/quizzes/example/answers", given


def items(label: str) -> Iterator[Item]:
    """Answers and notes in turn, without end."""
    for number in itertools.count():
        kind = ("answer", "note")[number % 2]
        yield Item(kind, str(uuid.uuid4()), f"{label} {number}: {'x' * (number * 37 % 900)}")


class Client:
    """One browser. Raises OSError or HTTPException when no whole reply came."""

    def __init__(self, port: int, token: str, ledger: Ledger, timeout_s: float = 20) -> None:
        self.port, self.token, self.ledger, self.timeout_s = port, token, ledger, timeout_s
        self.took: list[float] = []  # seconds, of each request that had a reply
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        connection, self._connection = self._connection or fresh, None
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        begun = time.monotonic()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {**sent, **headers})
            reply = connection.getresponse()
            told = json.loads(reply.read() or b"null")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self.took.append(time.monotonic() - begun)
        return reply.status, told, reply.headers

    def send(self, item: Item) -> tuple[int, Any]:
        return self._have_stored(item, "POST", *item.request())

    def edit(self, note: str, version: int, text: str) -> tuple[int, Any]:
        """Change a note that was seen in this version."""
        item, seen = Item("edit", f"{note} {version + 1}", text), {"If-Match": f'"{version}"'}
        return self._have_stored(item, "PUT", f"{API}/notes/{note}", {"body": text}, **seen)

    def remove(self, note: str, version: int) -> tuple[int, Any]:
        item, seen = Item("removal", note, f"removed {note}"), {"If-Match": f'"{version}"'}
        return self._have_stored(item, "DELETE", f"{API}/notes/{note}", **seen)

    def _have_stored(
        self, item: Item, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        self.ledger.note("sent", item)
        status, told, _ = self.ask(method, path, body, **headers)
        if status in (200, 201, 204):
            self.ledger.note("acknowledged", item)
        return status, told
