"""Sessions: on several devices, listed, ended one by one, and ended by time."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from api.joining import device_of
from tests.conftest import API, Clock, Join

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"


def add_device(member: TestClient, agent: str = FIREFOX) -> TestClient:
    code = member.post(f"{API}/me/devices").json()["code"]
    other = TestClient(member.app, headers={"user-agent": agent})
    reply = other.post(f"{API}/session", json={"code": code})
    assert reply.status_code == 201, reply.text
    return other


def test_a_code_signs_another_device_of_the_same_member_in(member: TestClient):
    phone = add_device(member)

    assert phone.get(f"{API}/me").json() == member.get(f"{API}/me").json()
    assert "httponly" in str(phone.cookies.jar).lower() or phone.cookies


def test_a_code_may_be_typed_as_people_type(member: TestClient):
    code = member.post(f"{API}/me/devices").json()["code"]
    typed = f" {code.lower().replace('-', ' ')}"

    assert TestClient(member.app).post(f"{API}/session", json={"code": typed}).status_code == 201


def test_a_code_works_once_and_for_ten_minutes(member: TestClient, clock: Clock):
    used, late = (member.post(f"{API}/me/devices").json()["code"] for _ in range(2))
    replaced = TestClient(member.app).post(f"{API}/session", json={"code": used})
    assert replaced.status_code == 404, "a second code takes the place of the first"

    clock.now += timedelta(minutes=10)
    expired = TestClient(member.app).post(f"{API}/session", json={"code": late})
    good = member.post(f"{API}/me/devices").json()["code"]
    first = TestClient(member.app).post(f"{API}/session", json={"code": good})
    again = TestClient(member.app).post(f"{API}/session", json={"code": good})

    assert (expired.status_code, first.status_code, again.status_code) == (404, 201, 404)
    assert expired.json() == again.json() == replaced.json()


def test_an_invitation_is_no_code_for_a_device_and_the_other_way_round(
    member: TestClient, organizer: TestClient
):
    link = organizer.post(f"{API}/invitations", json={"name": "Bo"}).json()["link"]
    invite = link.partition("#")[2]
    code = member.post(f"{API}/me/devices").json()["code"].replace("-", "")

    stranger = TestClient(member.app)
    assert stranger.post(f"{API}/join", json={"invite": code, "name": "Bo"}).status_code == 404
    assert stranger.post(f"{API}/session", json={"code": invite}).status_code == 404
    assert stranger.post(f"{API}/join", json={"invite": invite, "name": "Bo"}).status_code == 201


def test_devices_are_listed_with_their_last_use(member: TestClient, clock: Clock):
    clock.now += timedelta(days=1)
    add_device(member, IPHONE)
    clock.now += timedelta(days=1)
    member.get(f"{API}/me")

    listed = member.get(f"{API}/me/devices").json()

    assert [(d["device"], d["current"]) for d in listed] == [
        ("testclient", True),
        ("Safari on iPhone", False),
    ]
    assert [d["used_at"] for d in listed] == ["2026-03-12T18:00:00Z", "2026-03-11T18:00:00Z"]
    assert [d["made_at"] for d in listed] == ["2026-03-10T18:00:00Z", "2026-03-11T18:00:00Z"]


def test_a_device_is_signed_out_from_another_one(member: TestClient):
    phone = add_device(member)
    [other] = [d for d in member.get(f"{API}/me/devices").json() if not d["current"]]

    assert member.delete(f"{API}/me/devices/{other['id']}").status_code == 204

    assert phone.get(f"{API}/me").status_code == 401
    assert member.get(f"{API}/me").status_code == 200
    assert member.delete(f"{API}/me/devices/{other['id']}").status_code == 404


def test_nobody_ends_the_session_of_another_member(member: TestClient, join: Join):
    [mine] = member.get(f"{API}/me/devices").json()

    assert join("Bo").delete(f"{API}/me/devices/{mine['id']}").status_code == 404
    assert member.get(f"{API}/me").status_code == 200


def test_what_names_a_device_opens_nothing(member: TestClient):
    [device] = member.get(f"{API}/me/devices").json()
    bearer = {"Authorization": f"Bearer {device['id']}"}

    assert TestClient(member.app).get(f"{API}/me", headers=bearer).status_code == 401


def test_a_session_that_rested_for_90_days_has_ended(member: TestClient, clock: Clock):
    given = {"id": "8d9a5bd3-6f4e-4b3c-9a51-0c5a6b7c8d9e", "question": "the-sum", "response": "x"}
    for moment in ("2026-06-08T18:00:00+00:00", "2026-06-08T18:00:01+00:00"):
        clock.set(moment)
        assert member.get(f"{API}/me").status_code == 401
        assert member.post(f"{API}/quizzes/example/answers", json=given).status_code == 401


def test_answering_counts_as_use(member: TestClient, clock: Clock):
    clock.set("2026-03-11T18:00:00+00:00")
    given = {"id": "8d9a5bd3-6f4e-4b3c-9a51-0c5a6b7c8d9e", "question": "the-sum", "response": "x"}
    assert member.post(f"{API}/quizzes/example/answers", json=given).status_code == 201

    with member.app.state.service.database.read() as session:
        used = session.connection().exec_driver_sql("SELECT used_at FROM sign_in").scalar()
    assert str(used).startswith("2026-03-11")


def test_a_clock_that_goes_back_ends_no_session(member: TestClient, clock: Clock):
    clock.set("2026-02-01T18:00:00+00:00")

    assert member.get(f"{API}/me").status_code == 200


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) Chrome/140 Safari/537", "Chrome on macOS"),
        ("Something Firefox/1", "Firefox"),
        ("Python-urllib/3.11", "Python-urllib"),
        ("<script>alert(1)</script>", "a program"),
        ("\u65e5\u672c", "a program"),
        ("", "a program"),
        ("x" * 9_999, "x" * 40),
    ],
)
def test_a_device_gets_a_short_name_that_says_nothing_else(agent: str, name: str):
    assert device_of(agent) == name
