"""Joining, sessions, and what a member may do with their own data."""

import uuid

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
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


@pytest.mark.parametrize(
    "of_browser",
    [{"origin": "http://testserver"}, {"sec-fetch-site": "same-origin"}],
    ids=["origin", "sec-fetch-site"],
)
def test_a_page_of_the_service_is_told_no_token(
    client: TestClient, clock: Clock, of_browser: dict[str, str]
):
    """T27: what a script can read, a script that somebody put in could carry away."""
    given = {"invite": make_invitation(client, clock), "name": "Ada"}
    reply = client.post(f"{API}/join", json=given, headers=of_browser)
    told = client.post(f"{API}/me/devices", headers=of_browser).json()
    again = client.post(f"{API}/session", json={"code": told["code"]}, headers=of_browser)

    for signed_in in (reply, again):
        assert signed_in.status_code == 201
        assert signed_in.json() == {"member": reply.json()["member"], "token": None}
        assert "httponly" in signed_in.headers["set-cookie"].lower()
    assert client.get(f"{API}/me").json() == reply.json()["member"]


def test_a_named_site_elsewhere_is_told_a_token(client: TestClient, clock: Clock):
    elsewhere = "https://site.example"
    settings = client.app.state.service.settings.model_copy(update={"cors_origins": (elsewhere,)})
    given = {"invite": make_invitation(client, clock), "name": "Ada"}
    from_there = {"origin": elsewhere, "sec-fetch-site": "cross-site"}
    with TestClient(create_app(settings, clock)) as service:
        token = service.post(f"{API}/join", json=given, headers=from_there).json()["token"]
        bearer = {**from_there, "Authorization": f"Bearer {token}"}
        assert TestClient(service.app).get(f"{API}/me", headers=bearer).status_code == 200


def test_signing_in_ends_the_former_session_of_the_browser(client: TestClient, clock: Clock):
    """T11: by a code for another device as by an invitation; a code that is wrong ends nothing."""
    other = TestClient(client.app)  # another browser of the same member
    given = {"invite": make_invitation(client, clock), "name": "Ada"}
    tokens = [client.post(f"{API}/join", json=given).json()["token"]]
    code = client.post(f"{API}/me/devices").json()["code"]
    assert other.post(f"{API}/session", json={"code": code}).status_code == 201
    code = client.post(f"{API}/me/devices").json()["code"]
    assert client.post(f"{API}/session", json={"code": "WRONG"}).status_code == 404
    tokens += [client.post(f"{API}/session", json={"code": code}).json()["token"]]
    given["invite"] = make_invitation(client, clock)
    tokens += [client.post(f"{API}/join", json=given).json()["token"]]

    bearers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    asked = [TestClient(client.app).get(f"{API}/me", headers=bearer) for bearer in bearers]

    assert [reply.status_code for reply in asked] == [401, 401, 200]
    assert other.get(f"{API}/me").status_code == 200


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

    for moment in ("2026-09-06T18:00:00+00:00", "2026-09-06T18:00:01+00:00"):
        clock.set(moment)
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


HIDDEN = ["Ada\nEve", "\x1b[2JAda", "Ada\x9b1m", "\u202eadA", "A\u200eda", "A\u2028da", "\ufeffAda"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "\ud800", *HIDDEN])
def test_a_name_that_cannot_be_shown_is_refused(client: TestClient, clock: Clock, name: str):
    code = make_invitation(client, clock)
    body = f'{{"invite": "{code}", "name": {json_text(name)}}}'

    reply = client.post(
        f"{API}/join", content=body.encode(), headers={"content-type": "application/json"}
    )

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert code not in reply.text


def test_a_name_is_refused_with_the_place_of_what_cannot_be_seen(client: TestClient, organizer):
    complaint = "name: character 4 is U+202E, which cannot be seen; take it out"

    for visitor, path in ((client, "join"), (organizer, "invitations")):
        given = {"name": "Ada\u202eevE"} | ({"invite": "x"} if path == "join" else {})
        reply = visitor.post(f"{API}/{path}", json=given)
        assert (reply.status_code, reply.json()["detail"]) == (422, complaint)


@pytest.mark.parametrize(
    "name", ["مهسا می\u200cخواهد", "क्\u200dष", "👩\u200d🔬", "Zoë O’Neil-Łuka"]
)
def test_a_name_is_written_as_its_script_is(join: Join, name: str):
    assert join(name).get(f"{API}/me").json()["name"] == name


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
