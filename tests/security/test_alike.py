"""T20: nobody learns from a refusal, or from what it costs, which codes and members there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api import members
from api.members import invite
from tests.conftest import API, Clock, Join

Asked = tuple[int, str, int, list[str]]  # status, text, hashes, statements


@contextmanager
def counting(client: TestClient, patch: pytest.MonkeyPatch) -> Iterator[tuple[list[Any], ...]]:
    """What is hashed, and the statements that the database is asked."""
    hashed: list[str] = []
    statements: list[str] = []
    hash_of, engine = members.hash_of, sa.Engine

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        with patch.context() as patched:
            patched.setattr(members, "hash_of", lambda code: hashed.append(code) or hash_of(code))
            yield hashed, statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def asked(client: TestClient, patch: pytest.MonkeyPatch, *call: Any, **more: Any) -> Asked:
    visitor = TestClient(client.app)
    with counting(client, patch) as (hashed, statements):
        reply = visitor.request(*call, **more)
    assert statements
    return reply.status_code, reply.text, len(hashed), statements


def test_a_wrong_code_costs_the_same_whatever_is_wrong(
    client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Used, expired, for another door, and unknown."""
    database = client.app.state.service.database
    used, expired = (
        database.write(lambda session: invite(session, "Ada", "member", clock())) for _ in range(2)
    )
    ada = TestClient(client.app)
    ada.post(f"{API}/join", json={"invite": used, "name": "Ada"})
    clock.set("2026-04-01T00:00:00+00:00")
    device = ada.post(f"{API}/me/devices").json()["code"].replace("-", "")
    asked(client, monkeypatch, "POST", f"{API}/join", json={"invite": "first", "name": "Ada"})

    told = [
        asked(client, monkeypatch, "POST", f"{API}/join", json={"invite": code, "name": "Ada"})
        for code in (used, expired, device, "unknown")
    ]

    assert told == [told[0]] * 4
    assert told[0][0] == 404
    assert told[0][2] == 1


def test_a_token_costs_the_same_whether_it_was_ever_good(
    client: TestClient, join: Join, monkeypatch: pytest.MonkeyPatch
):
    """Signed out, of a removed member, and unknown."""
    organizer, gone, out = join("Grace", "organizer"), join("Eve"), join("Ada")
    tokens = [visitor.cookies["readout"] for visitor in (gone, out)]
    eve = gone.get(f"{API}/me").json()["id"]
    assert organizer.delete(f"{API}/members/{eve}").status_code == 204
    assert out.delete(f"{API}/session").status_code == 204

    told = [
        asked(client, monkeypatch, "GET", f"{API}/me", headers={"Authorization": f"Bearer {token}"})
        for token in [*tokens, "unknown"]
    ]

    assert told == [told[0]] * 3
    assert (told[0][0], told[0][2]) == (401, 1)
