"""`readout serve`: what it says before it listens, and how it ends."""

import datetime as dt
import errno
import gc
import http.client
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
import uvicorn
from fastapi.testclient import TestClient
from typer.testing import Result
from uvicorn.config import STARTUP_FAILURE

from api import connections
from api.connections import Connection
from api.database import Database
from api.members import Member
from api.migrate import migrate
from api.serving import listen, worker
from api.settings import Settings
from tests.conftest import API, CONTENT, unused_port

Invoke = Callable[..., Result]


def test_a_reserved_port_is_said_in_a_sentence(invoke: Invoke, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # as to anybody but root

    monkeypatch.setattr(socket.socket, "bind", refuse)
    done = invoke("serve", "--port", "80")

    assert done.exit_code == 1
    assert done.stderr == (
        "readout: port 80 is reserved; choose one above 1023: make serve PORT=8001\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
    ],
)
def test_a_host_that_is_not_this_machine_is_not_called_a_port_in_use(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, error: OSError
):
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", refuse)
    done = invoke("serve", "--host", "elsewhere.invalid")

    assert done.exit_code == 1
    assert done.stderr == (
        f"readout: --host elsewhere.invalid: {error.strerror}; name an address of this machine\n"
    )


def test_without_its_content_nothing_is_served(
    invoke: Invoke, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    file = tmp_path / "docs"
    file.touch()
    there = {"READOUT_DATABASE_URL": sqlite_url, "READOUT_CONTENT_DIR": str(file)}
    said = f"readout: no folder {file}; start in the project, or set READOUT_CONTENT_DIR\n"

    done = invoke("serve", "--no-build", "--port", str(unused_port()), **there)

    assert (done.exit_code, done.stderr) == (1, said)
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        worker()
    assert (ended.value.code, capsys.readouterr().err) == (STARTUP_FAILURE, said)


def test_a_service_starts_though_its_address_cannot_be_kept(
    invoke: Invoke, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.serving.listen", lambda *_: None)
    kept = tmp_path / "cache" / "address"
    kept.mkdir(parents=True)
    done = invoke(
        "serve",
        "--no-build",
        "--port",
        str(unused_port()),
        READOUT_DATABASE_URL=sqlite_url,
        READOUT_CONTENT_DIR=str(CONTENT / "docs"),
        READOUT_CACHE_DIR=str(kept.parent),
    )

    assert done.exit_code == 0, done.output
    assert done.stderr == (
        f"readout: cannot write {kept}: Is a directory; "
        "for links that lead here, set READOUT_BASE_URL\n"
    )
    assert "The first organizer joins at " in done.stdout
    assert list(kept.parent.iterdir()) == [kept]


def test_the_first_organizer_is_invited_until_somebody_has_joined(
    invoke: Invoke, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.serving.listen", lambda *_: None)
    there = {
        "READOUT_DATABASE_URL": sqlite_url,
        "READOUT_CONTENT_DIR": str(CONTENT / "docs"),
        "READOUT_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = ("serve", "--no-build", "--port", str(unused_port()))

    first = invoke(*command, **there)
    database = Database(sqlite_url)
    now = dt.datetime.now(dt.UTC)
    ada = Member(id="ada", name="Ada", role="organizer", joined_at=now)
    database.write(lambda session: session.add(ada))
    database.close()
    second = invoke(*command, **there)

    assert (first.exit_code, second.exit_code) == (0, 0), second.output
    assert "Nobody has joined yet. The first organizer joins at " in first.stdout
    assert "Nobody has joined yet" not in second.stdout
    assert "Readout is at " in second.stdout


def spoil(url: str, part: str) -> None:
    """Make a database of which the first page of a table or an index is damaged."""
    database = Database(url)
    migrate(database)
    with database.read() as session:
        find = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        page = session.connection().exec_driver_sql(find, (part,)).scalar_one()
    database.close()
    with Path(url.removeprefix("sqlite:///")).open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


@pytest.mark.parametrize("part", ["sqlite_autoindex_member_1", "edition"])
def test_a_database_with_damaged_pages_is_said_in_a_sentence(
    invoke: Invoke, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
):
    """What is damaged is met before the service listens: who has joined, or what was asked."""
    spoil(sqlite_url, part)
    monkeypatch.setattr(uvicorn.Server, "run", lambda _: pytest.fail("it listens"))

    done = invoke(
        "serve",
        "--no-build",
        "--port",
        str(unused_port()),
        READOUT_DATABASE_URL=sqlite_url,
        READOUT_CONTENT_DIR=str(CONTENT / "docs"),
        READOUT_CACHE_DIR=str(tmp_path / "cache"),
    )

    assert done.exit_code == 1
    assert done.stderr == (
        f"readout: cannot use the database {sqlite_url}: database disk image is malformed; "
        "readout doctor says what to do\n"
    )


@pytest.mark.parametrize(("failure", "code"), [("disk I/O error", 70), (None, 1)])
def test_how_a_service_ended_tells_whoever_watches_it(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: str | None,
    code: int,
):
    def run(server: uvicorn.Server) -> None:
        """It ends by itself: the disk failed, or what it needs to start is not there."""
        database = server.config.app.state.service.database
        if failure:
            server.started = True
            database.failure = failure
            database.on_failure()
            assert server.should_exit
        database.close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    assert end_of(sqlite_url, tmp_path) == code


def end_of(sqlite_url: str, folder: Path) -> int:
    """How the service ends where there is no site."""
    settings = Settings(
        database_url=sqlite_url, content_dir=CONTENT / "docs", site_dir=folder / "site"
    )
    database = Database(sqlite_url)
    migrate(database)
    database.close()
    try:
        with pytest.raises(typer.Exit) as ended:
            listen(settings, "127.0.0.1", unused_port())
    finally:
        gc.unfreeze()  # this process goes on
    return ended.value.exit_code


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql://readout@127.0.0.1:9/readout", 1, "Connection refused"),
        ("sqlite:///:memory:", STARTUP_FAILURE, "in memory would be lost"),
    ],
)
def test_a_process_of_several_is_started_again_where_that_may_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, code: int, said
):
    monkeypatch.setenv("READOUT_DATABASE_URL", url)
    monkeypatch.setenv("READOUT_CONTENT_DIR", str(CONTENT / "docs"))
    monkeypatch.setattr("api.serving._allow_connections", lambda: None)
    with pytest.raises(SystemExit) as ended:
        worker()
    assert ended.value.code == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("readout: ") and said in line


def test_the_service_has_as_many_connections_as_the_system_grants(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uvicorn.Server, "run", lambda _: None)
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (given // 2, most))
    try:
        end_of(sqlite_url, tmp_path)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given, most))


def test_no_look_for_garbage_passes_through_what_stays(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With hundreds of thousands of objects, each look is a tenth of a second without replies."""
    looked_at: list[tuple[int, int]] = []

    def run(_: uvicorn.Server) -> None:
        looked_at.append((len(gc.get_objects()), gc.get_freeze_count()))

    monkeypatch.setattr(uvicorn.Server, "run", run)
    end_of(sqlite_url, tmp_path)
    [(still, spared)] = looked_at
    assert spared > 100 * still


@pytest.fixture
def listening(client: TestClient) -> Iterator[int]:
    """The port of the service, as `listen` makes it reply, in this process."""
    port = unused_port()
    config = uvicorn.Config(client.app, port=port, http=Connection, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join(20)


def reply_of(connection: socket.socket) -> tuple[http.client.HTTPResponse, dict[str, str]]:
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return reply, json.loads(reply.read())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_request_is_refused_with_the_headers_of_every_reply(listening: int):
    """uvicorn answers it by itself: the application never sees it."""
    with socket.create_connection(("127.0.0.1", listening), timeout=20) as connection:
        connection.sendall(f"GET {API}/health HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n".encode())
        first, told = reply_of(connection)
        assert (first.status, told["code"]) == (421, "other-host")
        connection.sendall(b"\x16\x03\x01 is the beginning of TLS\r\n\r\n")
        reply, told = reply_of(connection)
        assert connection.recv(1) == b"", "the connection has ended"

    assert told == {
        "detail": "this is no request of HTTP, or its head is larger than 65,536 bytes",
        "code": "invalid",
    }
    assert reply.status == 400
    own = {"date", "server"}  # of uvicorn, which `listen` lets say the date alone
    of_first = {name.lower(): value for name, value in first.getheaders()}
    headers = {name.lower(): value for name, value in reply.getheaders()}
    assert headers == {
        **{name: value for name, value in of_first.items() if name not in own},
        "content-length": headers["content-length"],
        "connection": "close",
    }
    assert headers["x-content-type-options"] == "nosniff"
    with socket.create_connection(("127.0.0.1", listening), timeout=20) as connection:
        connection.sendall(f"GET {API}/health HTTP/1.0\r\nHost: elsewhere.example\r\n\r\n".encode())
        assert reply_of(connection)[0].status == 421  # and the connection ends without a wait


def head_of(size: int) -> bytes:
    return f"GET {API}/health HTTP/1.1\r\nHost: testserver\r\nX: {'x' * size}\r\n\r\n".encode()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "head",
    [head_of(70_000), head_of(3_000_000), head_of(70_000)[:-4], b"GET /" + b"x" * 70_000],
    ids=["whole", "of many packets", "without an end", "an address"],
)
def test_a_head_beyond_the_limit_is_refused_before_its_end(listening: int, head: bytes):
    with socket.create_connection(("127.0.0.1", listening), timeout=20) as connection:
        for at in range(0, len(head), 16_384):
            try:
                connection.sendall(head[at : at + 16_384])
            except OSError:  # it is not read to its end
                break
            time.sleep(0.002)
        with suppress(ConnectionError):
            assert connection.recv(12) in (b"", b"HTTP/1.1 400")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_head_within_the_limit_is_heard_in_packets_of_any_size(listening: int):
    head = head_of(60_000)
    with socket.create_connection(("127.0.0.1", listening), timeout=20) as connection:
        for size in (len(head), 7_000):  # the second on the same connection
            for at in range(0, len(head), size):
                connection.sendall(head[at : at + size])
            assert reply_of(connection)[0].status == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_a_request_that_came_with_another_is_given_its_time_and_no_more(
    listening: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "REQUEST_TAKES_S", 0.2)
    with socket.create_connection(("127.0.0.1", listening), timeout=20) as connection:
        connection.sendall(head_of(1) + b"POST")
        assert reply_of(connection)[0].status == 200
        assert connection.recv(1) == b"", "the connection has ended"
