"""The service under the machine: opened and closed, asked, and read as a whole."""

import asyncio
import datetime as dt
import itertools
import shutil
import uuid
from pathlib import Path
from typing import Any

import httpx
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlmodel import SQLModel

from api.app import create_app
from api.database import Database
from api.migrate import migrate
from api.settings import Settings
from tests.conftest import API, CONTENT, Clock
from tests.machine.model import Device, Group, Note, phase
from tests.test_around_the_meeting import SOURCE


def prepare(url: str, folder: Path) -> Settings:
    """A migrated database, and a quiz with a vote, tries and a measured key."""
    shutil.copytree(CONTENT, folder / "content")
    (folder / "content" / "docs" / "quizzes" / "around.md").write_text(SOURCE)
    database = Database(url)
    migrate(database)
    database.close()
    return Settings(
        database_url=url,
        content_dir=folder / "content" / "docs",
        executed_dir=folder / "content" / "executed",
        site_dir=folder / "site",
        base_url="http://testserver",
    )


def empty(url: str) -> None:
    """Take everything out of a migrated database."""
    database = Database(url)
    tables = reversed(SQLModel.metadata.sorted_tables)
    database.write(lambda session: [session.execute(table.delete()) for table in tables])
    database.close()


class Served(RuleBasedStateMachine):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.clock, self.model = settings, Clock(), Group()
        self.numbers, self.n_steps = itertools.count(), 0
        empty(settings.database_url)
        # On a loop of our own: a TestClient crosses threads seven times a request.
        self.loop = asyncio.new_event_loop()
        self.open()

    def open(self) -> None:
        self.app = create_app(self.settings, self.clock)
        transport = httpx.ASGITransport(self.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://testserver")

    def close(self) -> None:
        self.app.state.service.database.close()

    def teardown(self) -> None:
        try:
            for device in self.model.devices:
                self.reads(device)
                self.reads_the_roll(device)
        finally:
            self.close()
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    @property
    def now(self) -> dt.datetime:
        return self.clock.now

    def new_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, str(next(self.numbers))))

    async def request(self, by: Device, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {by.token}"} if by.token else {}
        headers |= more.pop("headers", {})
        by.use(self.now)
        reply = await self.http.request(method, f"{API}{path}", headers=headers, **more)
        self.http.cookies.clear()
        return reply

    def ask(self, by: Device, method: str, path: str, **more: Any) -> httpx.Response:
        reply = self.loop.run_until_complete(self.request(by, method, path, **more))
        assert reply.status_code < 500, (method, path, reply.text)
        if (
            not (by.owner and self.model.has_voted_again(by.owner))
            and phase(self.now) != "practice"
        ):
            assert "CANARY-FEEDBACK" not in reply.text  # what the vote's key would tell
        return reply

    def expect(self, status: int, by: Device, method: str, path: str, **more: Any) -> Any:
        reply = self.ask(by, method, path, **more)
        assert reply.status_code == status, (method, path, more, reply.status_code, reply.text)
        return reply

    def status(self, by: Device, good: int, *, organizer: bool = False) -> int:
        """401 for who is not signed in, 403 for who may not."""
        if not by.is_open(self.now):
            return 401
        return 403 if organizer and by.owner.role != "organizer" else good

    # What is readable ----------------------------------------------------------------------------

    def same_note(self, reply: httpx.Response, note: Note, by: Device) -> None:
        assert reply.headers["etag"] == f'"{note.version}"'
        assert note.as_seen_by(by.owner).items() <= reply.json().items()

    def same_notes(self, reply: httpx.Response, expected: list[Note], by: Device) -> None:
        seen = [note.as_seen_by(by.owner) for note in expected]
        keys = seen[0].keys() if seen else ()
        assert [{key: told[key] for key in keys} for told in reply.json()] == seen

    @invariant()
    def somebody_reads_what_they_may(self) -> None:
        self.n_steps += 1
        if self.model.devices:
            self.reads(self.model.devices[next(self.numbers) % len(self.model.devices)])

    def reads(self, by: Device) -> None:
        """All notes that a member may see, and all that is stored about themselves."""
        if not by.is_open(self.now):
            assert self.expect(200, by, "GET", "/session").json() == {"member": None}
            return
        person = by.owner
        reply = self.expect(200, by, "GET", "/notes/search", params={"q": "note"})
        self.same_notes(reply, self.model.found_by(person, "note"), by)
        told = self.expect(200, by, "GET", "/me/export").json()
        who = {"id": person.id, "name": person.name, "role": person.role}
        assert who.items() <= told["member"].items()
        stored = [self.model.as_told(a, self.now) for a in self.model.answers_of(person)]
        keys = stored[0].keys() if stored else ()
        assert [{key: one[key] for key in keys} for one in told["answers"]] == stored
        versions = [
            (note.id, number, body, note.deleted)
            for note in self.model.notes
            for number, (body, editor, *_) in enumerate(note.bodies, 1)
            if person in (note.author, editor)
        ]
        kept = [(n["id"], n["version"], n["body"], n["deleted"]) for n in told["notes"]]
        assert sorted(kept) == sorted(versions)
        sessions = [d for d in self.model.devices if d.owner is person and not d.ended]
        assert len(told["devices"]) == len(sessions)

    def reads_the_roll(self, by: Device) -> None:
        expected = self.status(by, 200, organizer=True)
        members = self.expect(expected, by, "GET", "/members").json()
        invited = self.expect(expected, by, "GET", "/invitations").json()
        if expected == 200:
            there = {(p.id, p.name, p.role) for p in self.model.present}
            assert {(m["id"], m["name"], m["role"]) for m in members} == there
            assert sorted(i["id"] for i in invited) == self.model.open_invitations(self.now)
