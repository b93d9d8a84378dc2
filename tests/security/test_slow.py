"""T12, T14: who sends slowly, without end, in depth or a bomb takes the service from nobody."""

import http.client
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.guard import LARGEST_BODY
from tests.conftest import API, Join
from tests.durability.service import Client, Ledger, Seeded, Serving, items, serving
from tests.test_render import BOMBS, SIZE

SLOW = 100
HASTY_S = 2.0
MOST_MEMORY_BYTES = 50 * 2**20
HEAD = "POST {api}/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
REST = "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"


@pytest.fixture
def service(seeded: Seeded, tmp_path: Path) -> Iterator[Serving]:
    with serving(f"sqlite:///{seeded.copy(tmp_path)}", tmp_path) as running:
        yield running


@pytest.fixture
def ada(service: Serving, seeded: Seeded, tmp_path: Path) -> Client:
    return Client(service.port, seeded.tokens[0], Ledger(tmp_path / "ledger"))


def memory_bytes(service: Serving) -> int:
    pages = int(Path(f"/proc/{service.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_hundred_who_never_finish_hold_nobody_up(service: Serving, ada: Client):
    """Half of them stop within the head, half within the body, and all stay connected."""
    made = items("while others hang")
    assert ada.send(next(made))[0] == 201
    before = memory_bytes(service)
    with ExitStack() as stack:
        for number in range(SLOW):
            slow = socket.create_connection(("127.0.0.1", service.port), timeout=20)
            stack.enter_context(slow)
            head = HEAD.format(api=API, token=ada.token)
            slow.sendall((head if number % 2 else head + REST + '{"body": "' + "x" * 900).encode())

        for _ in range(10):
            assert ada.send(next(made))[0] == 201
            assert ada.ask("GET", f"{API}/notes?meeting=2026-03-12")[0] == 200
        assert ada.ask("GET", f"{API}/health")[0] == 200
        assert memory_bytes(service) - before < MOST_MEMORY_BYTES
    assert ada.send(next(made))[0] == 201


@pytest.fixture
def hasty(seeded: Seeded, tmp_path: Path) -> Iterator[Serving]:
    """A service that gives a request two seconds in place of twenty."""
    database = f"sqlite:///{seeded.copy(tmp_path)}"
    with serving(database, tmp_path, request_takes_s=HASTY_S) as running:
        yield running


@pytest.mark.parametrize("sent", [HEAD, HEAD + REST], ids=["within the head", "within the body"])
def test_more_who_never_finish_than_there_are_connections_end(
    hasty: Serving, seeded: Seeded, tmp_path: Path, sent: str
):
    """Those that were let in are ended, and then those that waited are heard."""
    token, files = seeded.tokens[0], 128
    resource.prlimit(hasty.pid, resource.RLIMIT_NOFILE, (files, files))
    with ExitStack() as stack:
        for _ in range(files + 20):
            slow = socket.create_connection(("127.0.0.1", hasty.port), timeout=20)
            stack.enter_context(slow)
            slow.sendall(sent.format(api=API, token=token).encode())
        patient = Client(hasty.port, token, Ledger(tmp_path / "ledger"), timeout_s=60)
        # The first that is let in may find that no file is left to open the database with.
        assert any(patient.ask("GET", f"{API}/health")[0] == 200 for _ in range(50))
        assert patient.send(next(items("after them")))[0] == 201


ASKED = f"GET {API}/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.mark.parametrize("begun", [b"G", b"\r\n"], ids=["letter", "blank line"])
def test_a_request_after_another_must_be_whole_in_time_too(hasty: Serving, begun: bytes):
    """Its first byte, even one that may stand before a request, ends the wait of an unused one."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as slow:
        slow.sendall(ASKED)
        assert slow.recv(9) == b"HTTP/1.1 "
        slow.sendall(begun)
        while slow.recv(65_536):  # the rest of the reply, then the end
            pass


HALF = HEAD.format(api=API, token="x") + REST + "{"


@pytest.mark.parametrize("half", ["G", HEAD.format(api=API, token="x"), HALF])
def test_half_a_request_in_one_packet_with_another_must_be_whole_in_time_too(
    hasty: Serving, half: str
):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as slow:
        slow.sendall(ASKED + half.encode())
        assert slow.recv(9) == b"HTTP/1.1 "
        while slow.recv(65_536):  # the rest of the reply, then the end
            pass


def test_who_asks_again_and_again_may_stay_for_longer_than_a_request(hasty: Serving):
    connection = http.client.HTTPConnection("127.0.0.1", hasty.port, timeout=60)
    connection.auto_open = 0  # a second connection would be no test
    begun = time.monotonic()
    with closing(connection):
        connection.connect()
        while time.monotonic() - begun < 2 * HASTY_S:
            connection.request("GET", f"{API}/health")
            assert json.loads(connection.getresponse().read())["status"] == "ok"
            time.sleep(HASTY_S / 8)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_others_are_heard_while_bombs_go_off(client: TestClient, join: Join):
    """T14: what is set waits its turn for the process that sets; all else does not wait for it."""
    hostile, honest = join("Eve"), join("Ada")
    note = {"meeting": "2026-03-12", "body": "An honest note."}
    answers = (item for item in items("honest") if item.kind == "answer")
    heard = []
    with TestClient(client.app) as server, ThreadPoolExecutor(2) as pool:  # one loop for all

        def ask(by: TestClient, method: str, path: str, **more: Any) -> int:
            [token] = by.cookies.values()
            bearer = {"Authorization": f"Bearer {token}"}
            return server.request(method, f"{API}{path}", headers=bearer, **more).status_code

        def throw(name: str) -> int:
            return ask(hostile, "POST", "/notes/preview", json={"body": BOMBS[name][:SIZE]})

        bombs = [pool.submit(throw, name) for name in BOMBS]
        while not all(bomb.done() for bomb in bombs):
            path, answer = next(answers).request()
            heard.append((ask(honest, "GET", "/notes?meeting=2026-03-12"), 200))
            heard.append((ask(honest, "POST", path.removeprefix(API), json=answer), 201))
        assert {bomb.result() for bomb in bombs} <= {200, 422}
        assert ask(honest, "POST", "/notes", json=note) == 201
    assert [one for one in heard if one[0] != one[1]] == []
    assert len(heard) > len(BOMBS)


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def keys(number: int) -> str:
    return json.dumps({f"k{n}": n for n in range(number)})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (deep(100_000), 413),
        (deep(LARGEST_BODY // 2), 400),  # the deepest that is let in
        (keys(10_000), 413),
        (keys(4_000), 422),
        ('{"body": "' + "x" * 20_000_000 + '"}', 413),
    ],
    ids=["deep", "as deep as may be", "many keys", "as many keys as may be", "20 MB"],
)
def test_depth_and_size_cost_no_memory(service: Serving, ada: Client, body: str, status: int):
    ada.ask("GET", f"{API}/health")
    before = memory_bytes(service)
    for _ in range(5):
        assert post(service, ada, body.encode()) == status
    assert memory_bytes(service) - before < MOST_MEMORY_BYTES
    assert ada.send(next(items("afterwards")))[0] == 201


def post(service: Serving, by: Client, body: bytes) -> int:
    """The status of a note of these bytes; what is refused by its length is not sent in full."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    with closing(connection):
        connection.putrequest("POST", f"{API}/notes")
        connection.putheader("Authorization", f"Bearer {by.token}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body if len(body) <= LARGEST_BODY else body[:1_000])
        return connection.getresponse().status
