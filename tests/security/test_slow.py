"""T12: who sends slowly, without end or in depth takes the service away from nobody."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from api.guard import LARGEST_BODY
from tests.conftest import API
from tests.durability.service import Client, Ledger, Seeded, Serving, items, serving

SLOW = 100
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
