"""The service as a whole: what it answers where nothing is, and beside the site."""

import datetime as dt
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.database import Database
from api.engines import Unusable
from api.migrate import migrate
from api.settings import Settings
from tests.conftest import API, CONTENT


@pytest.fixture
def beside_a_site(sqlite_url: str, tmp_path: Path):
    """The service with a built site of three files."""
    folder = tmp_path / "site"
    (folder / "library").mkdir(parents=True)
    (folder / "index.html").write_text("home")
    (folder / "library" / "index.html").write_text("library")
    (folder / "404.html").write_text("no page here")
    (folder / ".secret").write_text("secret")
    settings = Settings(
        database_url=sqlite_url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=folder,
        base_url="http://testserver",
    )
    database = Database(sqlite_url)
    migrate(database)
    database.close()
    with TestClient(create_app(settings, lambda: dt.datetime.now(dt.UTC))) as client:
        yield client


@pytest.mark.parametrize(
    ("schema", "why"),
    [("9999", "newer than this version .*; install the newer"), ("0001", "with: readout migrate")],
)
def test_a_database_of_another_schema_is_not_served(
    beside_a_site: TestClient, schema: str, why: str
):
    """Whoever calls: several processes share a database that each finds as it is."""
    service = beside_a_site.app.state.service
    change = f"UPDATE alembic_version SET version_num = '{schema}'"
    service.database.write(lambda session: session.connection().exec_driver_sql(change))

    with pytest.raises(Unusable, match=f"has schema '?{schema}.*{why}"):
        create_app(service.settings)


def test_a_database_that_was_never_migrated_is_not_served(sqlite_url: str):
    with pytest.raises(Unusable, match=r"has schema none, .* with: readout migrate"):
        create_app(Settings(database_url=sqlite_url, content_dir=CONTENT / "docs"))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{API}/nope", 404, "not-found"),
        ("GET", f"{API}/notes/", 404, "not-found"),
        ("POST", f"{API}/nope", 404, "not-found"),
        ("PUT", f"{API}/quizzes", 405, "method-not-allowed"),
        ("GET", f"{API}/join", 405, "method-not-allowed"),
        ("GET", f"{API}/meetings/2020-01-01", 404, "not-found"),
    ],
)
def test_an_unknown_endpoint_replies_as_the_others_do(
    beside_a_site: TestClient, method: str, path: str, status: int, code: str
):
    reply = beside_a_site.request(method, path, follow_redirects=False)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_pages_are_served_beside_the_api(beside_a_site: TestClient):
    assert beside_a_site.get("/").text == "home"
    assert beside_a_site.get("/library").text == "library"
    missing = beside_a_site.get("/nope/")
    assert (missing.status_code, missing.text) == (404, "no page here")
    assert "script-src" in missing.headers["content-security-policy"]
    assert beside_a_site.post("/").status_code == 405


@pytest.mark.parametrize("path", ["/.secret", "/..%2f..%2fetc/passwd", "/library/../.secret"])
def test_hidden_files_are_not_served(beside_a_site: TestClient, path: str):
    assert beside_a_site.get(path).status_code == 404


def test_health_can_be_asked_for_its_head(client: TestClient):
    assert client.head(f"{API}/health").status_code == 200
    health = client.get(f"{API}/health").json()
    assert (health["status"], health["database"]) in [("ok", "sqlite"), ("ok", "postgresql")]


def test_meetings_come_from_the_content(client: TestClient):
    meeting = client.get(f"{API}/meetings/2026-03-12").json()
    assert meeting["readings"] == ["2022-wang-ioi"]
    assert [quiz["slug"] for quiz in meeting["quizzes"]] == ["example"]
    assert client.get(f"{API}/meetings").json() == [meeting]


def test_the_reference_page_lists_every_endpoint(client: TestClient):
    page = client.get(f"{API}/docs").text
    for path in client.get(f"{API}/openapi.json").json()["paths"]:
        assert path in page.replace("&#x27;", "'")
    assert "http://" not in page
    assert "https://" not in page
