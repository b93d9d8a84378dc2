"""Who may do what: every endpoint in every role, as the documentation says it (T6, T30)."""

import pytest
from fastapi.testclient import TestClient

from tests.conftest import API, Join
from tests.security.routes import ROLES, documented, dump, removed, routes_of, world

TABLE = documented()


def test_the_documentation_names_every_endpoint_and_no_other(client: TestClient):
    assert set(TABLE) == routes_of(client.app)


@pytest.mark.parametrize("role", [*ROLES, "removed"])
def test_each_endpoint_replies_to_each_role_as_documented(role: str, join: Join):
    """T6, and T5: what is refused, and what only asks, leaves every table as it was."""
    group = world(join)
    made = {
        "nobody": lambda: TestClient(group.own.app),
        "own": lambda: group.own,
        "another member": lambda: join("Bo"),
        "organizer": lambda: group.organizer,
        "removed": lambda: removed(join, group),
    }
    actor, wrong = made[role](), []
    for (method, path), expected in TABLE.items():
        if "last" in group.ids:
            group = world(join)
            actor = made[role]()
        if path in ("/join", "/session") or (method, path) == ("DELETE", "/me"):
            group.ids["last"] = "this may end the session"
        group.prepare(method, path)
        before = dump(group.own)
        visitor = TestClient(actor.app, cookies=dict(actor.cookies))

        reply = group.call(visitor, method, path)

        status = expected["nobody" if role == "removed" else role]
        if reply.status_code != status:
            wrong.append((method, path, reply.status_code, status))
        if (reply.status_code >= 400 or method in ("GET", "HEAD")) and dump(group.own) != before:
            wrong.append((method, path, "changed something", reply.status_code))
    assert wrong == []


def test_a_private_note_is_there_for_its_author_alone(join: Join):
    group = world(join)
    note = {"meeting": "2026-03-12", "body": "Mine alone.", "visibility": "private"}
    group.ids |= {"note_id": group.made(group.own, "/notes", note)["id"], "version": "1"}
    for method, path in TABLE:
        if "{note_id}" in path:
            for other in (group.organizer, join("Bo")):
                assert group.call(other, method, path).status_code == 404, (method, path)
    for other in (group.organizer, join("Cy")):
        assert "Mine alone." not in other.get(f"{API}/notes?meeting=2026-03-12").text
        assert "Mine alone." not in other.get(f"{API}/notes/search?q=alone").text
        assert "Mine alone." not in other.get(f"{API}/me/export").text
    assert "Mine alone." in group.own.get(f"{API}/notes?meeting=2026-03-12").text


def test_other_methods_are_refused_and_change_nothing(join: Join):
    """TRACE would give a cookie back to a script; OPTIONS tells no one anything."""
    group = world(join)
    before = dump(group.own)
    for path in sorted({path for _, path in TABLE}):
        for method in ("OPTIONS", "TRACE", "PATCH"):
            reply = group.own.request(method, group.fill(path))
            assert reply.status_code in (404, 405), (method, path)
    assert dump(group.own) == before
