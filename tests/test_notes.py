"""Notes: stored as written, shown harmless, changed by who may, never lost."""

import datetime as dt
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlmodel import select

from api import note_routes, notes, render
from api.bounded import TooMuchWork
from api.notes import LARGEST_NOTE, NoteRevision
from tests.conftest import API, Clock, Join, first_of_all

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
        "entry": None,
        "author": "Ada",
        "mine": True,
        "may_change": True,
        "body": body,
        "html": "<p>First <em>point</em></p>\n<ul>\n<li>kept</li>\n</ul>\n",
        "visibility": "group",
        "version": 1,
        "state": "draft",
        "link": None,
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
        (
            "![a](https://evil.example/t.png)",
            '<p><a href="https://evil.example/t.png" rel="noopener nofollow ugc">a</a></p>\n',
        ),
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


@pytest.mark.parametrize(
    ("stored", "sent", "status"),
    [
        ({}, {}, 200),
        ({}, {"visibility": "group"}, 200),
        ({"visibility": "group"}, {}, 200),
        ({"visibility": "private"}, {"visibility": "private"}, 200),
        ({"visibility": "group"}, {"visibility": "private"}, 409),
        ({}, {"visibility": "public"}, 409),
        ({"visibility": "private"}, {}, 409),
    ],
)
def test_the_same_note_for_other_readers_is_another_note(
    member: TestClient, stored: dict[str, str], sent: dict[str, str], status: int
):
    given = {"id": str(uuid.uuid4()), **MEETING, "body": "Once."}
    first = member.post(NOTES, json={**given, **stored}).json()

    assert member.post(NOTES, json={**given, **sent}).status_code == status
    assert member.get(f"{NOTES}/{first['id']}").json() == first


def test_a_note_sent_again_after_its_readers_were_changed_is_one_note(member: TestClient):
    given = {"id": str(uuid.uuid4()), **MEETING, "body": "Once."}
    member.post(NOTES, json=given)
    change = {"body": "Once.", "visibility": "private"}
    member.put(f"{NOTES}/{given['id']}", json=change, headers={"If-Match": '"1"'})

    again = member.post(NOTES, json=given)
    other = member.post(NOTES, json={**given, "visibility": "private"})

    assert (again.status_code, again.json()["visibility"]) == (200, "private")
    assert other.status_code == 409


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
    assert stale.json()["detail"] == 'the note is at version 2; send If-Match: "2"'
    assert stale.json()["current"] == star.json()["current"]
    assert stale.json()["current"]["body"] == "Two."
    revisions = member.get(f"{path}/revisions").json()
    assert [(r["version"], r["body"]) for r in revisions] == [(1, "One."), (2, "Two.")]


def test_only_the_author_or_an_organizer_changes_a_note(join: Join):
    ada, bo, grace = join("Ada"), join("Bo"), join("Grace", "organizer")
    note = ada.post(NOTES, json={**MEETING, "body": "Ada's."}).json()
    path, seen = f"{NOTES}/{note['id']}", {"If-Match": '"1"'}

    for reply in (
        bo.put(path, json={"body": "Bo's."}, headers=seen),
        bo.delete(path, headers=seen),
    ):
        assert (reply.status_code, reply.json()) == (
            403,
            {
                "detail": "only its author or an organizer may change a note",
                "code": "not-allowed",
            },
        )
    assert grace.put(path, json={"body": "Mended."}, headers=seen).status_code == 200
    assert ada.delete(path).status_code == 428
    assert ada.delete(path, headers={"If-Match": '"2"'}).status_code == 204
    assert ada.get(path).status_code == 404
    assert ada.get(NOTES, params=MEETING).json() == []


def test_only_the_author_chooses_who_reads_a_note(join: Join):
    """Not an organizer either, who could publish what was said among us, or lose it from sight."""
    ada, grace = join("Ada"), join("Grace", "organizer")
    path = f"{NOTES}/{ada.post(NOTES, json={**MEETING, 'body': 'Hers.'}).json()['id']}"
    seen = {"If-Match": '"1"'}

    for visibility in ("private", "public"):
        given = {"body": "Mended.", "visibility": visibility}
        reply = grace.put(path, json=given, headers=seen)
        assert (reply.status_code, reply.json()) == (
            403,
            {"detail": "only its author chooses who may read a note", "code": "not-allowed"},
        )
    assert ada.get(path).json()["version"] == 1
    same = {"body": "Mended.", "visibility": "group"}
    assert grace.put(path, json=same, headers=seen).status_code == 200
    public = {"body": "Hers again.", "visibility": "public"}
    assert ada.put(path, json=public, headers={"If-Match": '"2"'}).status_code == 200


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
        ({"body": "x", "entry": "nowhere"}, 404, "not-found"),
        ({"body": "x", "entry": ""}, 404, "not-found"),
        ({"body": "x"}, 422, "invalid"),
        ({"body": "x", "entry": "2022-wang-ioi", **MEETING}, 422, "invalid"),
        ({"body": "é" * (LARGEST_NOTE // 2 + 1), **MEETING}, 422, "invalid"),
        ({"body": "x", "meeting": "soon"}, 422, "invalid"),
        ({"body": "x", "meeting": 1773273600}, 422, "invalid"),  # 2026-03-12 in seconds since 1970
        ({"body": "x", "meeting": "1773273600"}, 422, "invalid"),
        ({"body": "x", "meeting": "2026-03-12T00:00:00Z"}, 422, "invalid"),
        ({"body": "", **MEETING}, 422, "invalid"),
        ({"body": " \n ", **MEETING}, 422, "invalid"),
        ({"body": "x" * (LARGEST_NOTE + 1), **MEETING}, 422, "invalid"),
        ({"body": "x", "author": "Bo", **MEETING}, 422, "invalid"),
        ({"body": "a\x00b", **MEETING}, 422, "invalid"),
    ],
)
def test_a_refused_note_says_why(member: TestClient, given: dict, status: int, code: str):
    reply = member.post(NOTES, json=given)

    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize("character", ["\\u0000", "\\ud800", "\\udfff\\ud800"])
def test_a_character_that_cannot_be_stored_is_named(member: TestClient, character: str):
    body = f'{{"meeting": "2026-03-12", "body": "a{character}b"}}'

    reply = member.post(f"{API}/notes", content=body, headers={"content-type": "application/json"})

    reason = "holds a character that cannot be stored; remove NUL and lone surrogates"
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert reply.json()["detail"] == f"body: {reason}"


@pytest.mark.parametrize("moment", ["1773273600", "2026-03-12T00:00:00Z", "２０２６-03-12"])
def test_a_day_is_written_as_a_date_and_no_other_way(member: TestClient, moment: str):
    for field, reply in (
        ("meeting", member.post(NOTES, json={"body": "x", "meeting": moment})),
        ("meeting", member.get(NOTES, params={"meeting": moment})),
        ("date", member.get(f"{API}/meetings/{moment}")),
    ):
        detail = f"{field}: not a date; write it as 2023-11-07"
        assert (reply.status_code, reply.json()["detail"]) == (422, detail)


def test_a_list_is_of_one_place(member: TestClient):
    assert member.get(NOTES).status_code == 404
    both = {**MEETING, "entry": "2022-wang-ioi"}
    assert member.get(NOTES, params=both).status_code == 404


def test_notes_are_for_members(client: TestClient):
    assert client.get(NOTES, params=MEETING).status_code == 401
    assert client.get(f"{NOTES}/search", params={"q": "x"}).status_code == 401
    assert client.get(f"{NOTES}/entries").status_code == 401
    assert client.post(f"{NOTES}/preview", json={"body": "x"}).status_code == 401
    assert client.post(NOTES, json={**MEETING, "body": "x"}).status_code == 401
    assert client.put(f"{NOTES}/{uuid.uuid4()}", json={"body": "x"}).status_code == 401


# Under entries, again and again, and who sees what ------------------------------------------------


def test_a_note_stands_under_an_entry_too_and_leads_to_others(member: TestClient):
    reply = member.post(NOTES, json={"entry": "2022-wang-ioi", "body": "See [[2022-wang-ioi]]."})

    assert reply.status_code == 201
    note = reply.json()
    assert (note["meeting"], note["entry"]) == (None, "2022-wang-ioi")
    assert 'href="../../library/2022-wang-ioi/"' in note["html"]
    assert member.get(NOTES, params={"entry": "2022-wang-ioi"}).json() == [note]
    assert member.get(NOTES, params=MEETING).json() == []
    assert member.get(f"{NOTES}/entries").json() == [
        {"slug": "2022-wang-ioi", "title": "Interpretability in the Wild"}
    ]


def test_asking_again_costs_nothing_while_nothing_has_changed(join: Join, clock: Clock):
    ada, bo = join("Ada"), join("Bo")
    ada.post(NOTES, json={**MEETING, "body": "One."})
    first = bo.get(NOTES, params=MEETING)
    seen = {"If-None-Match": first.headers["etag"]}

    again = bo.get(NOTES, params=MEETING, headers=seen)
    ada.post(NOTES, json={**MEETING, "body": "Mine.", "visibility": "private"})
    still = bo.get(NOTES, params=MEETING, headers=seen)
    clock.now += dt.timedelta(minutes=1)
    ada.post(NOTES, json={**MEETING, "body": "Two."})
    more = bo.get(NOTES, params=MEETING, headers=seen)

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert still.status_code == 304
    assert [note["body"] for note in more.json()] == ["One.", "Two."]


def test_a_stale_change_is_offered_both(member: TestClient):
    note = member.post(NOTES, json={**MEETING, "body": "a\nb\nc\nd\n"}).json()
    path, seen = f"{NOTES}/{note['id']}", {"If-Match": '"1"'}
    member.put(path, json={"body": "a\nb\nc\nD\n"}, headers=seen)

    apart = member.put(path, json={"body": "A\nb\nc\nd\n"}, headers=seen).json()
    same = member.put(path, json={"body": "a\nb\nc\nd!\n"}, headers=seen).json()
    unknown = member.put(path, json={"body": "x"}, headers={"If-Match": '"9"'}).json()
    gone = member.delete(path, headers=seen)

    assert apart["merged"] == {"body": "A\nb\nc\nD\n", "conflicts": 0}
    assert apart["current"]["body"] == "a\nb\nc\nD\n"
    assert same["merged"] == {
        "body": "a\nb\nc\n<<<<<<< yours\nd!\n=======\nD\n>>>>>>> saved meanwhile\n",
        "conflicts": 1,
    }
    assert (unknown["merged"], unknown["current"]["version"]) == (None, 2)
    assert (gone.status_code, gone.json()["current"]["version"]) == (412, 2)


def test_a_merger_that_takes_too_long_is_not_offered(member: TestClient, monkeypatch):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()
    path, seen = f"{NOTES}/{note['id']}", {"If-Match": '"1"'}
    member.put(path, json={"body": "Two."}, headers=seen)
    monkeypatch.setattr(note_routes, "bounded", never_done)

    reply = member.put(path, json={"body": "Three."}, headers=seen)

    assert (reply.status_code, reply.json()["merged"]) == (412, None)
    assert reply.json()["current"]["body"] == "Two."


def test_a_note_that_takes_too_long_to_set_is_refused_and_an_older_one_shown_as_typed(
    member: TestClient, monkeypatch
):
    old = member.post(NOTES, json={**MEETING, "body": "*One* & only."}).json()
    monkeypatch.setattr(notes, "bounded", never_done)
    monkeypatch.setattr(render, "VERSION", render.VERSION + 1)

    reply = member.post(NOTES, json={**MEETING, "body": "Two."})
    shown = member.get(f"{NOTES}/{old['id']}").json()

    assert (reply.status_code, reply.json()["code"]) == (422, "too-slow")
    assert shown["html"] == "<pre>*One* &amp; only.</pre>"


def never_done(*_: object) -> None:
    raise TooMuchWork("never")


def test_a_rendering_of_older_rules_is_made_again(member: TestClient, monkeypatch):
    note = member.post(NOTES, json={**MEETING, "body": "*One.*"}).json()
    service = member.app.state.service
    service.database.write(
        lambda session: session.execute(update(NoteRevision).values(html="old", fingerprint="old"))
    )

    assert member.get(f"{NOTES}/{note['id']}").json()["html"] == "<p><em>One.</em></p>\n"


def test_a_preview_is_what_will_be_shown_and_is_not_kept(member: TestClient):
    reply = member.post(f"{NOTES}/preview", json={"body": "$x$ in [[2022-wang-ioi]]"})

    assert reply.status_code == 200
    assert "<math" in reply.json()["html"]
    assert ">Interpretability in the Wild</a>" in reply.json()["html"]
    assert member.get(NOTES, params=MEETING).json() == []


def test_versions_can_be_compared(join: Join):
    ada, grace = join("Ada"), join("Grace", "organizer")
    note = ada.post(NOTES, json={**MEETING, "body": "One two.\n"}).json()
    path = f"{NOTES}/{note['id']}"
    grace.put(path, json={"body": "One three.\n"}, headers={"If-Match": '"1"'})

    assert [r["by"] for r in ada.get(f"{path}/revisions").json()] == ["Ada", "Grace"]
    assert ada.get(f"{path}/revisions/1/changes").json() == [["added", "One two.\n"]]
    assert ada.get(f"{path}/revisions/2/changes").json() == [
        ["same", "One "],
        ["removed", "two.\n"],
        ["added", "three.\n"],
    ]
    assert ada.get(f"{path}/revisions/3/changes").status_code == 404


def saved(author: TestClient, *versions: tuple[str, str]) -> str:
    """The path of a note that its author saved so: each text, and who may read it."""
    (body, visibility), *later = versions
    note = author.post(NOTES, json={**MEETING, "body": body, "visibility": visibility}).json()
    path = f"{NOTES}/{note['id']}"
    for number, (body, visibility) in enumerate(later, 1):
        given, seen = {"body": body, "visibility": visibility}, {"If-Match": f'"{number}"'}
        assert author.put(path, json=given, headers=seen).status_code == 200
    return path


def history(reader: TestClient, path: str) -> list[tuple[int, str]]:
    return [(r["version"], r["body"]) for r in reader.get(f"{path}/revisions").json()]


@pytest.mark.parametrize("role", ["member", "organizer"])
@pytest.mark.parametrize("opened", ["group", "public"])
def test_what_was_private_stays_its_authors_when_the_note_is_opened(
    join: Join, role: str, opened: str
):
    ada, bo = join("Ada"), join("Bo", role)
    path = saved(ada, ("Secret.\n", "private"), ("Told.\n", opened))

    assert history(bo, path) == [(2, "Told.\n")]
    assert bo.get(f"{path}/revisions/2/changes").json() == [["added", "Told.\n"]]
    hidden = bo.get(f"{path}/revisions/1/changes")
    assert (hidden.status_code, hidden.json()["detail"]) == (
        404,
        f"note {path.rpartition('/')[2]} has no version 1",
    )
    assert history(ada, path) == [(1, "Secret.\n"), (2, "Told.\n")]
    assert ada.get(f"{path}/revisions/2/changes").json() == [
        ["removed", "Secret.\n"],
        ["added", "Told.\n"],
    ]


def test_the_versions_between_which_a_note_was_private_are_compared_without_what_was_private(
    join: Join,
):
    ada, bo = join("Ada"), join("Bo")
    path = saved(ada, ("One.", "group"), ("Secret.", "private"), ("Two.", "group"))

    assert history(bo, path) == [(1, "One."), (3, "Two.")]
    assert bo.get(f"{path}/revisions/3/changes").json() == [["removed", "One."], ["added", "Two."]]
    assert bo.get(f"{path}/revisions/2/changes").status_code == 404


def test_a_private_text_that_is_opened_unchanged_is_read_from_then_on(join: Join):
    ada, bo = join("Ada"), join("Bo")
    path = saved(ada, ("Draft.", "private"), ("Done.", "private"), ("Done.", "group"))

    assert history(bo, path) == [(3, "Done.")]


def test_a_private_version_is_no_ground_on_which_an_organizer_merges(join: Join):
    """What both sides took from it, and what one of them left out, would tell it."""
    ada, grace = join("Ada"), join("Grace", "organizer")
    path = saved(ada, ("Secret.", "private"), ("Told.", "group"))

    def merged(editor: TestClient) -> dict | None:
        reply = editor.put(path, json={"body": "Guess."}, headers={"If-Match": '"1"'})
        assert reply.status_code == 412
        return reply.json()["merged"]

    assert merged(grace) is None
    assert merged(ada) is not None


def test_a_mended_text_is_saved_for_those_who_read_the_note(join: Join):
    ada, grace, bo = join("Ada"), join("Grace", "organizer"), join("Bo")
    path = saved(ada, ("Secret.", "private"), ("Told.", "group"))
    grace.put(path, json={"body": "Mended."}, headers={"If-Match": '"2"'})

    assert history(bo, path) == [(2, "Told."), (3, "Mended.")]


@pytest.mark.parametrize(
    ("version", "status"),
    [(-1, 422), (0, 422), (1, 200), (2**31 - 1, 404), (2**31, 422), (2**63, 422), (10**30, 422)],
)
def test_a_version_that_no_note_can_have_is_refused(member: TestClient, version: int, status: int):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()

    assert member.get(f"{NOTES}/{note['id']}/revisions/{version}/changes").status_code == status


@pytest.mark.parametrize("tag", ["0", "2", f"{2**31}", f"{2**63}", "9" * 30])
def test_a_change_of_a_version_that_no_note_has_is_told_the_present_one(
    member: TestClient, tag: str
):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()

    reply = member.put(
        f"{NOTES}/{note['id']}", json={"body": "Two."}, headers={"If-Match": f'"{tag}"'}
    )

    assert (reply.status_code, reply.json()["merged"]) == (412, None)
    assert reply.json()["current"]["body"] == "One."


def test_versions_that_are_too_different_are_shown_one_after_the_other(
    member: TestClient, monkeypatch
):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()
    path = f"{NOTES}/{note['id']}"
    member.put(path, json={"body": "Two."}, headers={"If-Match": '"1"'})
    monkeypatch.setattr(note_routes, "bounded", never_done)

    assert member.get(f"{path}/revisions/2/changes").json() == [
        ["removed", "One."],
        ["added", "Two."],
    ]


def test_a_search_finds_all_words_in_what_the_member_may_see(join: Join, clock: Clock):
    ada, bo = join("Ada"), join("Bo")
    for body, visibility in [
        ("Größe of the Residual stream", "group"),
        ("residual streams, private", "private"),
        ("100% of heads_9", "public"),
    ]:
        clock.now += dt.timedelta(minutes=1)
        ada.post(NOTES, json={**MEETING, "body": body, "visibility": visibility})

    def found(client: TestClient, q: str) -> list[str]:
        return [note["body"] for note in client.get(f"{NOTES}/search", params={"q": q}).json()]

    assert found(bo, "stream RESIDUAL") == ["Größe of the Residual stream"]
    assert found(ada, "residual") == ["residual streams, private", "Größe of the Residual stream"]
    for typed in ("größe", "gro\u0308ße", "GRÖSSE"):  # two ways to type an ö, three to shout
        assert found(bo, typed) == ["Größe of the Residual stream"]
    assert found(bo, "%") == ["100% of heads_9"]
    assert found(bo, "s_9 zebra") == []
    assert bo.get(f"{NOTES}/search", params={"q": ""}).status_code == 422


def test_a_search_tells_the_newest_and_of_one_moment_always_the_same(
    member: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(note_routes, "MOST_FOUND", 3)
    ids = [str(uuid.UUID(int=number)) for number in (3, 1, 2, 4)]
    for number, note_id in enumerate(ids):
        if number == 3:
            clock.now += dt.timedelta(minutes=1)
        member.post(NOTES, json={**MEETING, "id": note_id, "body": "Alike."})

    found = member.get(f"{NOTES}/search", params={"q": "alike"}).json()

    assert [note["id"] for note in found] == [ids[3], ids[1], ids[2]]


def test_only_the_very_version_lets_a_change_pass(member: TestClient):
    note = member.post(NOTES, json={**MEETING, "body": "One."}).json()
    path = f"{NOTES}/{note['id']}"

    for tag in ("*", '"0"', "1", 'W/"1"', '"1", "2"', '""', '"²"', '"-1"'):
        reply = member.put(path, json={"body": "Two."}, headers={"If-Match": tag.encode()})
        assert reply.status_code == 412, tag
    assert member.get(path).json()["body"] == "One."


def test_no_edit_is_lost_between_members_who_write_at_once(join: Join):
    """Four members add a line each, again and again, to two notes; all lines are there at last."""
    ada = join("Ada")
    paths = [
        f"{NOTES}/{ada.post(NOTES, json={**MEETING, 'body': 'Begin.'}).json()['id']}"
        for _ in range(2)
    ]
    writers = [join(f"Organizer {n}", "organizer") for n in range(4)]

    def write(number: int) -> list[tuple[str, int, str]]:
        accepted = []
        for turn in range(10):
            path, line = paths[turn % 2], f"{number}-{turn}"
            while True:
                note = writers[number].get(path).json()
                reply = writers[number].put(
                    path,
                    json={"body": f"{note['body']}\n{line}"},
                    headers={"If-Match": f'"{note["version"]}"'},
                )
                if reply.status_code == 200:
                    accepted.append((path, reply.json()["version"], line))
                    break
                assert reply.status_code in (412, 503), reply.text
        return accepted

    with ThreadPoolExecutor(4) as pool:
        accepted = [item for done in pool.map(write, range(4)) for item in done]

    for path in paths:
        versions = sorted((version, line) for where, version, line in accepted if where == path)
        revisions = ada.get(f"{path}/revisions").json()
        assert [version for version, _ in versions] == list(range(2, len(versions) + 2))
        for (version, line), before, after in zip(versions, revisions, revisions[1:], strict=False):
            assert after["version"] == version
            assert after["body"] == f"{before['body']}\n{line}"
        assert ada.get(path).json()["body"] == revisions[-1]["body"]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen while the next text is set, which may take seconds."""
    really = notes.rendered

    def happens(what: Callable[[], object]) -> None:
        def slowly(body: str, titles: dict[str, str]) -> notes.Written:
            what()
            return really(body, titles)

        monkeypatch.setattr(note_routes, "rendered", slowly)

    return happens


def leave(how: str, ada: TestClient, organizer: TestClient) -> Callable[[], object]:
    if how == "erased":
        return lambda: ada.delete(f"{API}/me")
    ada_id = ada.get(f"{API}/me").json()["id"]
    return lambda: organizer.delete(f"{API}/members/{ada_id}")


def all_revisions(client: TestClient) -> list[tuple[str, int]]:
    with client.app.state.service.database.read() as session:
        return [(row.body, row.version) for row in session.exec(select(NoteRevision))]


@pytest.mark.parametrize("how", ["removed", "erased"])
def test_who_left_while_the_note_was_set_stores_none(
    member: TestClient, organizer: TestClient, meanwhile, how: str
):
    meanwhile(leave(how, member, organizer))

    reply = member.post(NOTES, json={**MEETING, "body": "Too late."})

    assert (reply.status_code, reply.json()["code"]) == (401, "not-signed-in")
    assert reply.json() == member.post(NOTES, json={**MEETING, "body": "Later."}).json()
    assert all_revisions(organizer) == []


@pytest.mark.parametrize(("how", "kept"), [("removed", "Before."), ("erased", "")])
def test_who_left_while_the_change_was_set_changes_nothing(
    member: TestClient, organizer: TestClient, meanwhile, how: str, kept: str
):
    note = member.post(NOTES, json={**MEETING, "body": "Before."}).json()
    meanwhile(leave(how, member, organizer))

    reply = member.put(
        f"{NOTES}/{note['id']}", json={"body": "Too late."}, headers={"If-Match": '"1"'}
    )

    assert (reply.status_code, reply.json()["code"]) == (401, "not-signed-in")
    assert all_revisions(organizer) == [(kept, 1)]


def test_who_was_removed_meanwhile_takes_no_note_away(
    member: TestClient, organizer: TestClient, monkeypatch: pytest.MonkeyPatch
):
    note = member.post(NOTES, json={**MEETING, "body": "Stays."}).json()
    first_of_all(monkeypatch, member, leave("removed", member, organizer))

    reply = member.delete(f"{NOTES}/{note['id']}", headers={"If-Match": '"1"'})

    assert reply.status_code == 401
    assert organizer.get(f"{NOTES}/{note['id']}").json()["body"] == "Stays."


def test_an_organizer_who_was_demoted_meanwhile_changes_no_note_of_others(
    join: Join, organizer: TestClient, meanwhile
):
    ada, hopper = join("Ada"), join("Hopper", "organizer")
    note = ada.post(NOTES, json={**MEETING, "body": "Ada's."}).json()
    hopper_id = hopper.get(f"{API}/me").json()["id"]
    meanwhile(lambda: organizer.put(f"{API}/members/{hopper_id}/role", json={"role": "member"}))

    reply = hopper.put(
        f"{NOTES}/{note['id']}", json={"body": "Mended."}, headers={"If-Match": '"1"'}
    )

    assert (reply.status_code, reply.json()["code"]) == (403, "not-allowed")
    assert all_revisions(ada) == [("Ada's.", 1)]
