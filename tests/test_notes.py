"""Notes: stored as written, shown harmless, changed by who may, never lost."""

import uuid

import pytest
from fastapi.testclient import TestClient

from api.notes import LONGEST_NOTE
from tests.conftest import API, Join

NOTES = f"{API}/notes"
MEETING = {"meeting": "2026-03-12"}


def test_a_note_is_stored_as_written_and_listed_under_its_meeting(member: TestClient):
    body = "First *point*\r\n\r\n- kept  \n"

    reply = member.post(NOTES, json={**MEETING, "body": body})

    assert reply.status_code == 201
    assert reply.headers["etag"] == '"1"'
    note = reply.json()
    assert note == {
        "id": note["id"],
        "meeting": "2026-03-12",
        "author": "Ada",
        "mine": True,
        "body": body,
        "html": "<p>First <em>point</em></p>\n<ul>\n<li>kept</li>\n</ul>\n",
        "visibility": "group",
        "version": 1,
        "created_at": "2026-03-10T18:00:00Z",
        "updated_at": "2026-03-10T18:00:00Z",
    }
    assert member.get(NOTES, params=MEETING).json() == [note]
    assert member.get(f"{NOTES}/{note['id']}").json() == note


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (
            "<script>alert(1)</script>",
            "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
        ),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("![a](https://evil.example/t.png)", "<p></p>\n"),
        (
            "[a](https://example.org)",
            '<p><a href="https://example.org" rel="noopener nofollow ugc">a</a></p>\n',
        ),
    ],
)
def test_a_hostile_note_is_stored_and_shown_harmless(member: TestClient, body: str, html: str):
    note = member.post(NOTES, json={**MEETING, "body": body}).json()

    assert (note["body"], note["html"]) == (body, html)


def test_the_same_note_sent_twice_is_one_note(member: TestClient):
    given = {"id": str(uuid.uuid4()), **MEETING, "body": "Once."}

    replies = [member.post(NOTES, json=given) for _ in range(2)]
    other = member.post(NOTES, json={**given, "body": "Twice."})

    assert [reply.status_code for reply in replies] == [201, 200]
    assert replies[0].json() == replies[1].json()
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(member.get(NOTES, params=MEETING).json()) == 1


def test_nobody_takes_over_the_id_of_anothers_note(join: Join):
    given = {"id": str(uuid.uuid4()), **MEETING, "body": "Mine."}
    ada, bo = join("Ada"), join("Bo")
    ada.post(NOTES, json=given)

    assert bo.post(NOTES, json=given).status_code == 409


def test_a_change_needs_the_version_that_was_seen(member: TestClient):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()
    path = f"{NOTES}/{note['id']}"

    blind = member.put(path, json={"body": "Two."})
    good = member.put(path, json={"body": "Two."}, headers={"If-Match": '"1"'})
    stale = member.put(path, json={"body": "Three."}, headers={"If-Match": '"1"'})
    star = member.put(path, json={"body": "Three."}, headers={"If-Match": "*"})

    assert [r.status_code for r in (blind, good, stale, star)] == [428, 200, 412, 412]
    assert good.headers["etag"] == '"2"'
    assert stale.json()["current"] == star.json()["current"]
    assert stale.json()["current"]["body"] == "Two."
    revisions = member.get(f"{path}/revisions").json()
    assert [(r["version"], r["body"]) for r in revisions] == [(1, "One."), (2, "Two.")]


def test_only_the_author_or_an_organizer_changes_a_note(join: Join):
    ada, bo, grace = join("Ada"), join("Bo"), join("Grace", "organizer")
    note = ada.post(NOTES, json={**MEETING, "body": "Ada's."}).json()
    path, seen = f"{NOTES}/{note['id']}", {"If-Match": '"1"'}

    assert bo.put(path, json={"body": "Bo's."}, headers=seen).status_code == 403
    assert bo.delete(path, headers=seen).status_code == 403
    assert grace.put(path, json={"body": "Mended."}, headers=seen).status_code == 200
    assert ada.delete(path).status_code == 428
    assert ada.delete(path, headers={"If-Match": '"2"'}).status_code == 204
    assert ada.get(path).status_code == 404
    assert ada.get(NOTES, params=MEETING).json() == []


def test_a_private_note_is_nobody_elses(join: Join):
    ada, grace = join("Ada"), join("Grace", "organizer")
    note = ada.post(NOTES, json={**MEETING, "body": "Mine.", "visibility": "private"}).json()

    assert [n["id"] for n in ada.get(NOTES, params=MEETING).json()] == [note["id"]]
    assert grace.get(NOTES, params=MEETING).json() == []
    assert grace.get(f"{NOTES}/{note['id']}").status_code == 404


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"body": "x", "meeting": "2026-03-13"}, 404, "not-found"),
        ({"body": "x", "meeting": "soon"}, 422, "invalid"),
        ({"body": "", **MEETING}, 422, "invalid"),
        ({"body": " \n ", **MEETING}, 422, "invalid"),
        ({"body": "x" * (LONGEST_NOTE + 1), **MEETING}, 422, "invalid"),
        ({"body": "x", "author": "Bo", **MEETING}, 422, "invalid"),
        ({"body": "a\x00b", **MEETING}, 422, "invalid"),
    ],
)
def test_a_refused_note_says_why(member: TestClient, given: dict, status: int, code: str):
    reply = member.post(NOTES, json=given)

    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_notes_are_for_members(client: TestClient):
    assert client.get(NOTES, params=MEETING).status_code == 401
    assert client.post(NOTES, json={**MEETING, "body": "x"}).status_code == 401
    assert client.put(f"{NOTES}/{uuid.uuid4()}", json={"body": "x"}).status_code == 401
