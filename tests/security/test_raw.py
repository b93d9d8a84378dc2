"""What no client of ours would send: no reply is an error of the service, none repeats it (T13)."""

import itertools
import json

import pytest
from fastapi.testclient import TestClient

from api import joining
from tests.conftest import API, Join
from tests.security.bodies import BODIES, VALUES, sent, spoiled, with_body
from tests.security.routes import World, documented, dump, world


@pytest.fixture
def group(join: Join) -> World:
    return world(join)


def test_no_body_whatever_is_an_error_of_the_service(group: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(joining, "MOST_WRONG", 10**9)  # a refusal of all codes would hide the rest
    assert len(VALUES) + len(BODIES) > 90
    wrong, n = [], 0
    for route in with_body(group):
        group.prepare(*route)
        for body in [*BODIES, *spoiled(group.body(*route))]:
            n += 1
            wrong.append(sent(group, route, body))
    assert n > 1_000
    assert "\n".join(complaint for complaint in wrong if complaint) == ""


def test_a_body_where_none_is_asked_for_is_no_error_either(group: World):
    wrong = []
    for method, path in documented():
        if group.body(method, path) is None and (method, path) not in ENDING:
            group.prepare(method, path)
            wrong += [sent(group, (method, path), body) for body in BODIES[:3]]
    assert [complaint for complaint in wrong if complaint] == []


ENDING = [("DELETE", "/me"), ("DELETE", "/session")]

PLACES = [
    *(
        "%00",
        "a%00b",
        "%ff",
        "%ed%a0%80",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..%5c..",
        "x" * 3_000,
    ),
    *("1" + "0" * 400, "-1", "NaN", "0000-00-00", "2026-02-30", "99999-01-01", "%0d%0aX-A:%20b"),
    *("'%20OR%201=1", "%F0%9F%98%80", "CON", "a%0a", "%20", "None", "[object%20Object]"),
]


def test_no_address_whatever_is_an_error_of_the_service(group: World):
    wrong = []
    for method, path in documented():
        for name in {part for part in path.split("/") if part.startswith("{")}:
            for place in PLACES:
                address = group.fill(path.replace(name, place, 1))
                reply = group.organizer.request(method, address, json={}, headers={"If-Match": "x"})
                if reply.status_code >= 500 or "x-a" in reply.headers:
                    wrong.append((method, address[:90], reply.status_code))
    assert wrong == []


QUERIES = ["meeting=%00", "meeting=x", "entry=%ed%a0%80", "entry=%00", "entry=x", ""]
WORDS = ["%00", "%ed%a0%80", "x" * 201, "%25_%5c", "'", "%F0%9F%98%80", "((("]


def test_no_query_is_an_error_of_the_service(group: World):
    for path in ("notes", "statistics", "review", "quizzes"):
        for query in QUERIES:
            assert group.organizer.get(f"{API}/{path}?{query}").status_code < 500, query
    for text in WORDS:
        assert group.organizer.get(f"{API}/notes/search?q={text}").status_code < 500, text


TAGS = ['"', '""', "*", 'W/"1"', '"1", "2"', '"\xb2"', "x" * 9_000, '"9e9"', "1", "", '"-1"']
NAMES = ["if-match", "if-none-match", "authorization", "cookie", "origin", "sec-fetch-site"]


def test_no_header_is_an_error_of_the_service(group: World):
    group.prepare("PUT", "/notes/{note_id}")
    before = dump(group.own)
    for value, name in itertools.product(TAGS, NAMES):
        raw = [(name, value.encode("latin-1"))]
        reply = group.own.put(group.fill("/notes/{note_id}"), json={"body": "Lost?"}, headers=raw)
        assert 400 <= reply.status_code < 500, raw
        assert group.own.get(f"{API}/session", headers=raw).status_code < 500
    assert dump(group.own) == before


def test_a_body_that_is_no_json_changes_nothing(group: World):
    """T7: what a form of another page can send."""
    forms = [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=b",
        "",
    ]
    for route in with_body(group):
        group.prepare(*route)
        before = dump(group.own)
        good = json.dumps(group.body(*route)).encode()
        for kind in forms:
            headers = {"content-type": kind, "If-Match": '"1"'}
            reply = group.organizer.request(
                route[0], group.fill(route[1]), content=good, headers=headers
            )
            assert reply.status_code == 422, (route, kind)
        assert dump(group.own) == before


def test_a_field_that_we_do_not_know_is_refused_by_every_endpoint(group: World):
    """T22: no column of any table can be set by naming it."""
    columns = {name for table in dump(group.own) for name in columns_of(table)}
    assert {"role", "member_id", "removed_at", "id"} <= columns
    for route in with_body(group):
        group.prepare(*route)
        good = group.body(*route)
        before = dump(group.own)
        known = set(
            group.own.app.openapi()["components"]["schemas"][schema_of(group, route)]["properties"]
        )
        for column in sorted(columns - known):
            reply = group.call(group.organizer, *route, json={**good, column: "x"})
            assert reply.status_code == 422, (route, column)
        assert dump(group.own) == before


def columns_of(table: str) -> list[str]:
    from sqlmodel import SQLModel

    return [column.name for column in SQLModel.metadata.tables[table].columns]


def schema_of(group: World, route: tuple[str, str]) -> str:
    operation = group.own.app.openapi()["paths"][f"{API}{route[1]}"][route[0].lower()]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return str(reference.rsplit("/", 1)[-1])


def test_no_table_is_a_body_or_a_reply(client: TestClient):
    """T22: a table's class checks nothing that it is given."""
    from sqlmodel import SQLModel

    tables = {m.class_.__name__ for m in SQLModel._sa_registry.mappers}
    assert "Member" in tables
    assert tables.isdisjoint(client.app.openapi()["components"]["schemas"])
    bodies = {
        name: schema
        for name, schema in client.app.openapi()["components"]["schemas"].items()
        if name.endswith(("In", "Edit"))
    }
    assert len(bodies) > 6
    assert [n for n, s in bodies.items() if s.get("additionalProperties") is not False] == []
