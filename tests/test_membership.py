"""What organizers decide: invitations, roles, who leaves."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from api.members import Invitation
from api.reports import ProblemReport
from tests.conftest import API, Clock, Join, first_of_all


def invited(organizer: TestClient, **given: str) -> dict[str, str]:
    reply = organizer.post(f"{API}/invitations", json={"name": "Bo", **given})
    assert reply.status_code == 201, reply.text
    return reply.json()


def join_by(link: str, client: TestClient) -> int:
    given = {"invite": link.partition("#")[2], "name": "Bo"}
    return TestClient(client.app).post(f"{API}/join", json=given).status_code


def id_of(client: TestClient) -> str:
    return client.get(f"{API}/me").json()["id"]


def test_an_organizer_invites_by_a_link_that_is_told_once(organizer: TestClient):
    made = invited(organizer, role="organizer")

    listed = organizer.get(f"{API}/invitations").json()
    link = made.pop("link")
    assert listed == [made]
    assert link.startswith("http://testserver/join#")
    assert join_by(link, organizer) == 201
    assert organizer.get(f"{API}/invitations").json() == []
    assert [person["role"] for person in organizer.get(f"{API}/members").json()] == [
        "organizer",
        "organizer",
    ]


def test_members_are_listed_by_name_and_invitations_by_age(
    organizer: TestClient, join: Join, clock: Clock
):
    for name in ("Bo", "Zoe", "Bo", "Al", "Bo", "Bo", "Bo"):
        join(name)
    for names in (["Zoe", "Yi", "Xu", "Wu"], ["Al", "Bo", "Cy"]):
        for name in names:
            invited(organizer, name=name)
        clock.now += timedelta(minutes=1)

    people = [(row["name"], row["id"]) for row in organizer.get(f"{API}/members").json()]
    assert [name for name, _ in people] == ["Al", *["Bo"] * 5, "Grace", "Zoe"]
    assert people == sorted(people), "who has the same name stays in place"
    open_ = organizer.get(f"{API}/invitations").json()
    assert {row["name"] for row in open_[:4]} == {"Zoe", "Yi", "Xu", "Wu"}
    assert open_ == sorted(open_, key=lambda row: (row["made_at"], row["id"]))


def test_an_invitation_taken_back_opens_nothing(organizer: TestClient):
    made = invited(organizer)

    assert organizer.delete(f"{API}/invitations/{made['id']}").status_code == 204

    assert join_by(made["link"], organizer) == 404
    assert organizer.get(f"{API}/invitations").json() == []
    again = organizer.delete(f"{API}/invitations/{made['id']}")
    assert (again.status_code, again.json()["detail"]) == (404, "no open invitation has this id")


def test_an_invitation_that_expired_is_listed_no_more(organizer: TestClient, clock: Clock):
    made = invited(organizer)
    clock.now += timedelta(days=14)

    assert organizer.get(f"{API}/invitations").json() == []
    assert organizer.delete(f"{API}/invitations/{made['id']}").status_code == 404


def test_a_code_for_a_device_is_no_invitation_to_list(organizer: TestClient):
    organizer.post(f"{API}/me/devices")

    assert organizer.get(f"{API}/invitations").json() == []


def test_the_group_is_handed_over(organizer: TestClient, member: TestClient):
    ada, grace = id_of(member), id_of(organizer)

    def role(client: TestClient, of: str, role: str) -> int:
        return client.put(f"{API}/members/{of}/role", json={"role": role}).status_code

    assert role(organizer, grace, "member") == 409, "the last organizer"
    assert role(organizer, ada, "organizer") == 200
    assert role(member, grace, "member") == 200, "at once: the same session organizes now"
    assert role(organizer, ada, "member") == 403
    assert organizer.get(f"{API}/me").json()["role"] == "member"


def test_a_removed_member_is_out_at_once_on_every_device_and_worker(
    organizer: TestClient, member: TestClient, clock: Clock
):
    code = member.post(f"{API}/me/devices").json()["code"]
    cookies = dict(member.cookies)
    ada = id_of(member)
    note = {"meeting": "2026-03-12", "body": "Mine."}
    assert member.post(f"{API}/notes", json=note).status_code == 201
    with TestClient(create_app(member.app.state.service.settings, clock)) as worker:
        worker.cookies.update(cookies)
        assert worker.get(f"{API}/me").status_code == 200

        assert organizer.delete(f"{API}/members/{ada}").status_code == 204

        assert worker.get(f"{API}/me").status_code == 401
    assert member.get(f"{API}/me").status_code == 401
    assert TestClient(member.app).post(f"{API}/session", json={"code": code}).status_code == 404
    assert [p["name"] for p in organizer.get(f"{API}/members").json()] == ["Grace"]
    assert organizer.delete(f"{API}/members/{ada}").status_code == 404
    notes = organizer.get(f"{API}/notes", params={"meeting": "2026-03-12"}).json()
    assert [note["author"] for note in notes] == ["Ada"], "what was written stays"


def left(organizer: TestClient, other: TestClient) -> None:
    assert other.delete(f"{API}/me").status_code == 204


def removed(organizer: TestClient, other: TestClient) -> None:
    assert organizer.delete(f"{API}/members/{id_of(other)}").status_code == 204


def made_a_member(organizer: TestClient, other: TestClient) -> None:
    path = f"{API}/members/{id_of(other)}/role"
    assert organizer.put(path, json={"role": "member"}).status_code == 200


@pytest.mark.parametrize("was", [left, removed, made_a_member])
def test_who_organizes_no_more_has_no_invitation_in_hand(
    organizer: TestClient,
    join: Join,
    was: Callable[[TestClient, TestClient], None],
):
    other = join("Hopper", "organizer")
    links = [
        client.post(f"{API}/invitations", json={"name": name, "role": role}).json()["link"]
        for client, name, role in [
            (other, "Back", "organizer"),
            (other, "In", "member"),
            (organizer, "Bo", "member"),
        ]
    ]

    was(organizer, other)

    assert [row["name"] for row in organizer.get(f"{API}/invitations").json()] == ["Bo"]
    tried = [
        TestClient(organizer.app).post(
            f"{API}/join", json={"invite": link.partition("#")[2], "name": "X"}
        )
        for link in links
    ]
    assert [reply.status_code for reply in tried] == [404, 404, 201]


def test_the_last_organizer_stays(organizer: TestClient, join: Join):
    grace = id_of(organizer)
    refused = organizer.delete(f"{API}/members/{grace}")
    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        "the group needs an organizer; make another member one first, on the page Members, or "
        "with readout members role NAME organizer"
    )

    join("Eve", "organizer")
    assert organizer.delete(f"{API}/members/{grace}").status_code == 204
    assert organizer.get(f"{API}/me").status_code == 401


def test_who_is_alone_in_the_group_may_erase_themselves(organizer: TestClient, join: Join):
    organizer.delete(f"{API}/members/{id_of(join('Bo'))}")

    assert organizer.delete(f"{API}/me").status_code == 204


def test_of_two_organizers_who_erase_themselves_at_once_one_stays(
    organizer: TestClient, join: Join
):
    both = (organizer, join("Hopper", "organizer"))
    join("Bo")

    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda client: client.delete(f"{API}/me").status_code, both)

    assert sorted(done) == [204, 409]


def test_who_became_the_last_organizer_on_the_way_stays(
    organizer: TestClient, member: TestClient, join: Join, monkeypatch
):
    hopper = join("Hopper", "organizer")

    first_of_all(monkeypatch, hopper, lambda: organizer.delete(f"{API}/me"))

    assert hopper.delete(f"{API}/me").status_code == 409


def test_who_lost_every_device_gets_back_in_as_the_same_member(
    organizer: TestClient, member: TestClient, clock: Clock
):
    ada = id_of(member)
    made = organizer.post(f"{API}/members/{ada}/code").json()

    assert made["expires_at"] == "2026-03-11T18:00:00Z"
    assert member.get(f"{API}/me").status_code == 401, "who has the lost phone is out"
    phone = TestClient(member.app)
    assert phone.post(f"{API}/session", json={"code": made["code"]}).status_code == 201
    assert id_of(phone) == ada


def test_nobody_decides_about_who_is_not_there(organizer: TestClient):
    for ask in (
        organizer.delete(f"{API}/members/nobody"),
        organizer.put(f"{API}/members/nobody/role", json={"role": "member"}),
        organizer.post(f"{API}/members/nobody/code"),
    ):
        assert (ask.status_code, ask.json()["code"]) == (404, "not-found")
        assert ask.json()["detail"] == "no member has this id"


def test_an_erased_member_is_listed_no_more(organizer: TestClient, member: TestClient):
    ada = id_of(member)
    code = member.post(f"{API}/me/devices").json()["code"]

    assert member.delete(f"{API}/me").status_code == 204

    assert [p["name"] for p in organizer.get(f"{API}/members").json()] == ["Grace"]
    assert organizer.delete(f"{API}/members/{ada}").status_code == 404
    assert TestClient(member.app).post(f"{API}/session", json={"code": code}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("PUT", "members/{bo}/role", {"role": "organizer"}),
        ("DELETE", "members/{bo}", None),
        ("POST", "members/{bo}/code", None),
        ("POST", "invitations", {"name": "Eve", "role": "organizer"}),
        ("DELETE", "invitations/{invitation}", None),
        ("DELETE", "reports/{report}", None),
    ],
)
@pytest.mark.parametrize(
    ("how", "refused"),
    [("removed", (401, "not-signed-in")), ("demoted", (403, "not-allowed"))],
)
def test_who_organizes_no_more_when_it_is_written_decides_nothing(
    organizer: TestClient, join: Join, monkeypatch, how, refused, method, path, given
):
    hopper, bo = join("Hopper", "organizer"), join("Bo")
    report = {"id": str(uuid.uuid4()), "text": "Which sum?"}
    bo.post(f"{API}/quizzes/example/questions/the-sum/reports", json=report)
    names = {"bo": id_of(bo), "invitation": invited(organizer)["id"], "report": report["id"]}
    of_hopper = f"{API}/members/{id_of(hopper)}"

    def out() -> object:
        if how == "removed":
            return organizer.delete(of_hopper)
        return organizer.put(f"{of_hopper}/role", json={"role": "member"})

    first_of_all(monkeypatch, hopper, out)
    reply = hopper.request(method, f"{API}/{path.format(**names)}", json=given)

    assert (reply.status_code, reply.json()["code"]) == refused
    people = {p["name"]: p["role"] for p in organizer.get(f"{API}/members").json()}
    assert people["Bo"] == "member"
    assert bo.get(f"{API}/me").status_code == 200
    assert [i["name"] for i in organizer.get(f"{API}/invitations").json()] == ["Bo"]
    assert len(organizer.get(f"{API}/quizzes/example/reports").json()) == 1


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("me/devices", None),
        (
            "quizzes/example/questions/the-sum/reports",
            {"id": str(uuid.uuid4()), "text": "Too late."},
        ),
    ],
)
def test_who_left_before_it_is_written_adds_nothing(
    organizer: TestClient, member: TestClient, monkeypatch, path, given
):
    first_of_all(monkeypatch, member, lambda: member.delete(f"{API}/me"))

    reply = member.post(f"{API}/{path}", json=given)

    assert (reply.status_code, reply.json()["code"]) == (401, "not-signed-in")
    with member.app.state.service.database.read() as session:
        codes = select(Invitation).where(col(Invitation.member_id).is_not(None))
        assert session.exec(codes).all() == []
        assert session.exec(select(ProblemReport)).all() == []
