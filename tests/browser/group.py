"""The real service with a small site, in this process, and members who use it."""

import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvicorn
from playwright.sync_api import BrowserContext, Page

from api.app import create_app
from api.database import Database
from api.members import invite, sign_in
from api.migrate import migrate
from api.service import Service
from api.settings import Settings
from tests.conftest import CONTENT, ROOT, Clock, unused_port

PAGE = (
    '<!doctype html><html lang="en"><head><title>Specimen</title><meta name="viewport" '
    'content="width=device-width"><link rel="icon" href="data:,">'
    '<link rel="stylesheet" href="{up}assets/readout.css">'
    '<script type="module" src="{up}assets/readout.js"></script></head>'
    '<body class="md-typeset"><main><h1>Specimen</h1><h2>Of members</h2>{inside}</main>'
)


DRAFT = """async ([place, part]) => {
  const { draft } = await import("/assets/elements/outbox.js");
  return (await draft(place))?.[part] ?? null;
}"""


class Group:
    """The service with its members, as programs reach it."""

    def __init__(self, url: str, service: Service) -> None:
        self.url, self.service = url, service

    def member(self, name: str, role: str = "member") -> httpx.Client:
        now = self.service.clock()
        code = self.service.database.write(lambda session: invite(session, name, role, now))
        client = httpx.Client(base_url=f"{self.url}/api/v1/")
        reply = client.post("join", json={"invite": code, "name": name})
        client.headers["Authorization"] = f"Bearer {reply.json()['token']}"
        client.id = reply.json()["member"]["id"]
        return client

    def enter(self, context: BrowserContext, client: httpx.Client) -> None:
        """Give a browser a session of this member."""
        now = self.service.clock()
        token = self.service.database.write(lambda session: sign_in(session, client.id, now))
        context.add_cookies([{"name": "readout", "value": token, "url": self.url}])


@contextmanager
def serve_group(folder: Path, pages: Mapping[str, str], clock: Clock) -> Iterator[Group]:
    """Serve these pages, by their path, with the elements and the API."""
    site = folder / "site"
    shutil.copytree(ROOT / "docs" / "assets", site / "assets")
    for path, inside in pages.items():
        (site / path).mkdir(parents=True)
        up = "../" * len(Path(path).parts)
        (site / path / "index.html").write_text(PAGE.format(up=up, inside=inside))
    url = f"sqlite:///{folder / 'readout.sqlite3'}"
    database = Database(url)
    migrate(database)
    database.close()
    settings = Settings(
        database_url=url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=site,
        base_url=f"http://127.0.0.1:{unused_port()}",
    )
    app = create_app(settings, clock)
    server = uvicorn.Server(
        uvicorn.Config(app, port=urlsplit(settings.base).port, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Group(settings.base, app.state.service)
    server.should_exit = True
    thread.join(20)


def expect_draft(page: Page, place: str, text: str | None, part: str = "body") -> None:
    """What is on the disk, now or soon. `wait_for_function` would take a promise for a yes."""
    found = None
    for _ in range(100):
        found = page.evaluate(DRAFT, [place, part])
        if found == text:
            return
        page.wait_for_timeout(50)
    assert found == text
