"""`readout members`, as whoever runs the service uses it."""

import json
import re
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel
from typer.testing import CliRunner, Result

from api.cli import app
from api.members import Member
from tests.conftest import API, Clock, Join
from tests.test_leaving import file_of, in_files
from tests.test_serving import spoil

Run = Callable[..., Result]
TABLES = SQLModel.metadata.sorted_tables


@pytest.fixture
def run(client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the database of a running service."""
    settings = client.app.state.service.settings
    monkeypatch.setenv("READOUT_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("READOUT_BASE_URL", settings.base_url)
    monkeypatch.setenv("READOUT_CONTENT_DIR", str(settings.content_dir))

    def run(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, ["members", *arguments], input=answer)

    return run


def id_of(client: TestClient) -> str:
    return str(client.get(f"{API}/me").json()["id"])


def test_an_organizer_can_be_made_where_there_is_none(run: Run, client: TestClient):
    link = run("invite", "Grace", "--organizer").stdout.strip()

    assert link.startswith("http://testserver/join#")
    given = {"invite": link.partition("#")[2], "name": "Grace"}
    assert client.post(f"{API}/join", json=given).json()["member"]["role"] == "organizer"


def test_members_and_open_invitations_are_listed(run: Run, member: TestClient, organizer):
    run("invite", "Bo")

    lines = run("list").stdout.splitlines()
    assert [re.sub(r"\b\d{4}-\d\d-\d\d\b", "DAY", line[8:]) for line in lines] == [
        "  member     since DAY  Ada",
        "  organizer  since DAY  Grace",
        "  invited    until DAY  Bo",
    ]
    assert [line[:8] for line in lines[:2]] == [id_of(member)[:8], id_of(organizer)[:8]]


def test_a_name_that_would_steer_the_terminal_is_shown_by_its_codes(
    run: Run, member: TestClient, organizer: TestClient
):
    """Of a version before names were looked at."""
    ada = id_of(member)

    def rename(session: Session) -> None:
        session.get_one(Member, ada).name = "\x1b[2JA\nd\u202ea\u200d"

    member.app.state.service.database.write(rename)
    shown = "\\x1b[2JA\\nd\\u202ea\u200d"

    assert run("list").stdout.splitlines()[0].endswith(f"  {shown}")
    assert run("role", ada[:8], "organizer").stdout == f"{shown} is an organizer now\n"
    asked = run("remove", ada[:8], answer="y\n").stdout
    assert asked.count(shown) == 2 and "\x1b" not in asked


def test_nobody_is_invited_by_a_name_that_cannot_be_seen(run: Run, client: TestClient):
    done = run("invite", "Ada\nEve")

    assert (done.exit_code, done.stderr) == (
        1,
        "readout: the name: character 4 is U+000A, which cannot be seen; take it out\n",
    )
    assert run("list").stdout == ""


def test_an_invitation_is_taken_back(run: Run, client: TestClient):
    link = run("invite", "Bo").stdout.strip()

    assert run("revoke", "Bo").stdout == "took back the invitation of Bo\n"

    given = {"invite": link.partition("#")[2], "name": "Bo"}
    assert client.post(f"{API}/join", json=given).status_code == 404


def test_the_group_is_handed_over(run: Run, member: TestClient, organizer: TestClient):
    assert run("role", "Ada", "organizer").stdout == "Ada is an organizer now\n"
    assert run("role", "Grace", "member").stdout == "Grace is a member now\n"

    assert organizer.get(f"{API}/members").status_code == 403
    assert member.get(f"{API}/members").status_code == 200


def test_a_member_is_removed_when_that_is_meant(run: Run, member: TestClient, organizer):
    unsure = run("remove", "Ada", answer="n\n")
    assert unsure.exit_code == 1
    assert member.get(f"{API}/me").status_code == 200

    assert run("remove", "Ada", "--yes").stdout == "Ada was removed\n"
    assert member.get(f"{API}/me").status_code == 401


def test_who_was_removed_is_erased_when_that_is_meant(run: Run, member: TestClient, organizer):
    """As on the page Me, of which a removed member has none."""
    words = {"id": str(uuid.uuid4()), "question": "the-sum", "response": "Ada's own words"}
    note = {"meeting": "2026-03-12", "body": "Ada's note"}
    assert member.post(f"{API}/quizzes/example/answers", json=words).status_code == 201
    assert member.post(f"{API}/notes", json=note).status_code == 201
    run("remove", "Ada", "--yes")

    unsure = run("erase", "Ada", answer="n\n")
    assert unsure.exit_code == 1
    assert "Ada's note" in organizer.get(f"{API}/notes?meeting=2026-03-12").text

    assert run("erase", "Ada", "--yes").stdout == "Ada was erased\n"
    with member.app.state.service.database.read() as session:
        stored = str([session.execute(sa.select(table)).all() for table in TABLES])
    assert "Ada" not in stored
    assert json.dumps("(erased)") in stored, "the answer still counts"
    if member.app.state.service.database.is_sqlite:
        assert in_files(file_of(member).parent, "Ada's own words") == []
    again = run("erase", "Ada", "--yes")
    assert again.stderr.startswith("readout: no removed member is called 'Ada'; ")


def test_damaged_pages_are_said_in_a_sentence(invoke: Run, sqlite_url: str):
    spoil(sqlite_url, "member")
    done = invoke("members", "list", READOUT_DATABASE_URL=sqlite_url)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"readout: cannot use the database {sqlite_url}: ")


def test_who_lost_every_device_gets_a_link(run: Run, member: TestClient):
    ada = id_of(member)
    link = run("code", ada[:8]).stdout.splitlines()[0]

    assert member.get(f"{API}/me").status_code == 401
    phone = TestClient(member.app)
    reply = phone.post(f"{API}/session", json={"code": link.partition("#")[2]})
    assert (reply.status_code, reply.json()["member"]["id"]) == (201, ada)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("remove", "Eve", "--yes"), "no member is called 'Eve'; `readout members list` shows"),
        (("revoke", "Eve"), "no open invitation is called 'Eve'"),
        (("erase", "Grace", "--yes"), "no removed member is called 'Grace'"),
        (("code", "Bo"), r"2 members are called 'Bo'; say which by its id: \w{8}, \w{8}"),
        (("role", "Grace", "member"), "the group needs an organizer; make another member one"),
        (("remove", "Grace", "--yes"), "the group needs an organizer"),
    ],
)
def test_what_cannot_be_done_says_why(
    run: Run, organizer: TestClient, join: Join, arguments: tuple[str, ...], why: str
):
    for name in ("Bo", "Bo"):
        join(name)
    done = run(*arguments)

    assert done.exit_code == 1
    assert re.match(f"readout: {why}", done.stderr), done.stderr
    assert len(organizer.get(f"{API}/members").json()) == 3
