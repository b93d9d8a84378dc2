"""Joining, sessions, and what a member may do with their own data."""

import uuid

import pytest
from fastapi.testclient import TestClient

from api.members import invite, invite_first_organizer
from tests.conftest import API, Clock, Join


def make_invitation(client: TestClient, clock: Clock, role: str = "member") -> str:
    database = client.app.state.service.database
    return database.write(lambda session: invite(session, "Ada", role, clock()))


def test_an_invitation_makes_a_member_and_a_session(client: TestClient, clock: Clock):
    code = make_invitation(client, clock)

    reply = client.post(f"{API}/join", json={"invite": code, "name": " Ada "})

    assert reply.status_code == 201
    member = reply.json()["member"]
    assert member == {"id": member["id"], "name": "Ada", "role": "member"}
    assert client.get(f"{API}/me").json() == member
    bearer = {"Authorization": f"Bearer {reply.json()['token']}"}
    assert TestClient(client.app).get(f"{API}/me", headers=bearer).json() == member


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient, clock: Clock):
    reply = client.post(
        f"{API}/join", json={"invite": make_invitation(client, clock), "name": "Ada"}
    )

    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_an_invitation_works_once(client: TestClient, clock: Clock):
    code = make_invitation(client, clock)
    given = {"invite": code, "name": "Ada"}
    assert client.post(f"{API}/join", json=given).status_code == 201

    used = client.post(f"{API}/join", json=given)
    unknown = client.post(f"{API}/join", json={**given, "invite": "guess"})

    assert used.status_code == unknown.status_code == 404
    assert used.json() == unknown.json()


def test_an_invitation_expires(client: TestClient, clock: Clock):
    code = make_invitation(client, clock)
    clock.set("2026-03-24T18:00:00+00:00")  # 14 days later, to the second

    reply = client.post(f"{API}/join", json={"invite": code, "name": "Ada"})

    assert reply.status_code == 404


def test_a_session_ends_after_180_days(member: TestClient, clock: Clock):
    for moment in ("2026-06-08T17:59:59+00:00", "2026-09-06T17:59:58+00:00"):
        clock.set(moment)
        assert member.get(f"{API}/me").status_code == 200

    clock.set("2026-09-06T18:00:00+00:00")
    assert member.get(f"{API}/me").status_code == 401


def test_signing_out_ends_the_session_at_once(member: TestClient):
    kept = dict(member.cookies)

    assert member.delete(f"{API}/session").status_code == 204

    stolen = TestClient(member.app, cookies=kept)
    assert stolen.get(f"{API}/me").status_code == 401


def test_the_session_can_be_asked_for_without_an_error(client: TestClient, member: TestClient):
    nobody, somebody = client.get(f"{API}/session"), member.get(f"{API}/session")

    assert (nobody.status_code, nobody.json()) == (200, {"member": None})
    assert somebody.json() == {"member": member.get(f"{API}/me").json()}


def test_the_first_organizer_is_invited_while_nobody_has_joined(client: TestClient, clock: Clock):
    database = client.app.state.service.database

    def first() -> str | None:
        return database.write(lambda session: invite_first_organizer(session, clock()))

    lost, printed = first(), first()
    assert client.post(f"{API}/join", json={"invite": lost, "name": "Eve"}).status_code == 404
    reply = client.post(f"{API}/join", json={"invite": printed, "name": "Grace"})
    assert reply.json()["member"]["role"] == "organizer"
    assert first() is None


def test_a_member_carries_everything_away(member: TestClient):
    given = {"id": str(uuid.uuid4()), "question": "the-sum", "response": "residual stream"}
    answer = member.post(f"{API}/quizzes/example/answers", json=given).json()
    note = member.post(f"{API}/notes", json={"meeting": "2026-03-12", "body": "Mine."}).json()

    exported = member.get(f"{API}/me/export").json()

    assert exported["member"]["name"] == "Ada"
    assert exported["answers"] == [answer]
    assert [(n["id"], n["body"], n["version"]) for n in exported["notes"]] == [
        (note["id"], "Mine.", 1)
    ]


def test_an_erased_member_is_gone_and_the_counts_stay(member: TestClient, join: Join):
    given = {"id": str(uuid.uuid4()), "question": "the-sum", "response": "x", "reason": "secret"}
    member.post(f"{API}/quizzes/example/answers", json=given)
    member.post(f"{API}/notes", json={"meeting": "2026-03-12", "body": "secret"})

    assert member.delete(f"{API}/me").status_code == 204

    assert member.get(f"{API}/me").status_code == 401
    assert join("Bo").get(f"{API}/notes", params={"meeting": "2026-03-12"}).json() == []
    with member.app.state.service.database.read() as session:
        rows = session.connection().exec_driver_sql("SELECT response, reason, reply FROM answer")
        assert [tuple(row) for row in rows] == [('"(erased)"', None, "{}")]
        texts = session.connection().exec_driver_sql(
            "SELECT name FROM member UNION ALL SELECT body FROM note_revision"
        )
        assert {row[0] for row in texts} == {"", "Bo"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(client: TestClient, clock: Clock, name: str):
    code = make_invitation(client, clock)
    body = f'{{"invite": "{code}", "name": {json_text(name)}}}'

    reply = client.post(
        f"{API}/join", content=body.encode(), headers={"content-type": "application/json"}
    )

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert code not in reply.text


def json_text(text: str) -> str:
    import json

    return json.dumps(text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),  # a program
        ({"sec-fetch-site": "same-origin", "origin": "http://testserver"}, 404),
        ({"origin": "http://testserver"}, 404),  # a browser that is older than the other header
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "https://other.testserver"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://testserver"}, 403),
        ({"origin": "http://testserver.evil.example"}, 403),
    ],
)
def test_a_page_of_another_site_changes_nothing(
    client: TestClient, headers: dict[str, str], status: int
):
    given = {"invite": "unknown", "name": "Ada"}

    assert client.post(f"{API}/join", json=given, headers=headers).status_code == status


def test_every_reply_carries_the_security_headers(client: TestClient):
    for path in ("health", "me", "nope", "openapi.json", "docs"):
        headers = client.get(f"{API}/{path}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
