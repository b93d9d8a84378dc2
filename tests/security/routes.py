"""Every endpoint, and a call to it that means something: what is there, and what to send."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.conftest import API, ROOT

ROLES = ("nobody", "own", "another member", "organizer")
Route = tuple[str, str]  # method, and path below /api/v1


def routes_of(app: FastAPI) -> set[Route]:
    """Every route that the service has, however it was put in."""

    def walk() -> Iterator[Any]:
        for route in app.routes:
            included = hasattr(route, "effective_route_contexts")
            yield from route.effective_route_contexts() if included else [route]

    found = [(method, route.path) for route in walk() for method in route.methods]
    return {(method, path.removeprefix(API)) for method, path in found} - {
        ("HEAD", "/openapi.json")  # Starlette's, with every GET of its own
    }


def documented() -> dict[Route, dict[str, int]]:
    """The table of the documentation: by route, the status for each role."""
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]+) (/\S*)` \|(.*)\|$", text, re.MULTILINE)
    return {
        (method, path): dict(zip(ROLES, map(int, cells.split("|")), strict=True))
        for method, path, cells in rows
    }


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class World:
    """A group with one thing of each kind, which belongs to `own`."""

    own: TestClient
    organizer: TestClient
    stranger: TestClient
    ids: dict[str, str] = field(default_factory=dict)

    def as_organizer(self) -> TestClient:
        """A client of the organizer's that may be signed in as somebody else."""
        # By cookie, signing in would end the session that comes along.
        [token] = self.organizer.cookies.values()
        return TestClient(self.own.app, headers={"Authorization": f"Bearer {token}"})

    def prepare(self, method: str, path: str) -> None:
        """Make anew what a call to this route may use up."""
        self.ids |= {"slug": "example", "date": "2026-03-12", "question_id": "the-sum"}
        self.ids["version"] = "1"
        if "{note_id}" in path:
            note = {"meeting": "2026-03-12", "body": "Mine."}
            self.ids["note_id"] = self.made(self.own, "/notes", note)["id"]
        if "{report_id}" in path:
            report = {"id": new_id(), "text": "A typo."}
            to = "/quizzes/example/questions/the-sum/reports"
            self.ids["report_id"] = self.made(self.own, to, report)["id"]
        if "{invitation_id}" in path or (method, path) == ("POST", "/join"):
            made = self.made(self.organizer, "/invitations", {"name": "Bo"})
            self.ids |= {"invitation_id": made["id"], "invite": made["link"].partition("#")[2]}
        if "{member_id}" in path:
            made = self.made(self.organizer, "/invitations", {"name": "Bo"})
            given = {"invite": made["link"].partition("#")[2], "name": "Bo"}
            joined = self.made(TestClient(self.own.app), "/join", given)
            self.ids["member_id"] = joined["member"]["id"]
        if "{device_id}" in path:
            code = self.made(self.own, "/me/devices", None)["code"]
            self.made(TestClient(self.own.app), "/session", {"code": code})
            listed = self.own.get(f"{API}/me/devices").json()
            self.ids["device_id"] = next(d["id"] for d in listed if not d["current"])
        if (method, path) == ("POST", "/session"):
            self.ids["code"] = self.made(self.own, "/me/devices", None)["code"]

    @staticmethod
    def made(client: TestClient, path: str, given: Any) -> dict[str, Any]:
        reply = client.post(f"{API}{path}", json=given)
        assert reply.status_code == 201, reply.text
        return reply.json()

    def body(self, method: str, path: str) -> Any:
        """What a call to this route sends; None where it sends nothing."""
        match method, path:
            case "POST", "/join":
                return {"invite": self.ids.get("invite", "guess"), "name": "Bo"}
            case "POST", "/session":
                return {"code": self.ids.get("code", "guess")}
            case "POST", "/quizzes/{slug}/answers":
                return {"id": new_id(), "question": "the-sum", "response": "residual stream"}
            case "POST", "/quizzes/{slug}/questions/{question_id}/reports":
                return {"id": new_id(), "text": "A typo."}
            case "POST", "/notes":
                return {"meeting": "2026-03-12", "body": "A note."}
            case "POST", "/notes/preview":
                return {"body": "A note."}
            case "PUT", "/notes/{note_id}":
                return {"body": "Changed."}
            case "PUT", "/members/{member_id}/role":
                return {"role": "organizer"}
            case "POST", "/invitations":
                return {"name": "Bo"}
        return None

    def fill(self, path: str) -> str:
        """The address of a route, with things that are there."""
        queries = {"/notes": "?meeting=2026-03-12", "/notes/search": "?q=note"}
        named = re.sub(r"\{(\w+)\}", lambda found: self.ids.get(found[1], "nothing"), path)
        return f"{API}{named}{queries.get(path, '')}"

    def call(self, client: TestClient, method: str, path: str, **more: Any) -> httpx.Response:
        more.setdefault("headers", {"If-Match": '"1"'} if "{note_id}" in path else {})
        if (given := self.body(method, path)) is not None and "content" not in more:
            more.setdefault("json", given)
        return client.request(method, self.fill(path), **more)


def world(join: Any) -> World:
    own, organizer = join("Ada"), join("Grace", "organizer")
    return World(own, organizer, TestClient(own.app))


def removed(join: Any, group: World) -> TestClient:
    """Who was a member, with the cookie of that time."""
    gone = join("Eve")
    eve = gone.get(f"{API}/me").json()["id"]
    assert group.organizer.delete(f"{API}/members/{eve}").status_code == 204
    return gone


def dump(client: TestClient) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    import sqlalchemy as sa
    from sqlmodel import SQLModel

    with client.app.state.service.database.read() as session:
        connection = session.connection()
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }
