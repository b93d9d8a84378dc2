"""A page with one explorer and its data, built as the site builds a notebook's."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mkdocs.commands.build import build
from mkdocs.config import load_config
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_explorers import Quiet, configuration
from tests.conftest import ROOT


@contextmanager
def serve_explorer(folder: Path, element: str, data: dict[str, Any]) -> Iterator[str]:
    """Serve the element at `play/`; yields the address of the site."""
    docs = folder / "docs"
    shutil.copytree(ROOT / "docs" / "assets", docs / "assets")
    (docs / "play.md").write_text(f"# Play\n\n{element}\n")
    (docs / "index.md").write_text("# Home\n")
    (docs / "play").mkdir()
    (docs / "play" / "data.json").write_text(json.dumps(data))
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder / "site"))
    ) as server:
        base = f"http://127.0.0.1:{server.server_port}/"
        build(load_config(str(configuration(folder)), site_url=base))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield base
        server.shutdown()


@contextmanager
def on_a_phone(browser: Browser, site: str, role: str) -> Iterator[Page]:
    """The page at `play/`, once the explorer's control of this role is there."""
    context = browser.new_context(base_url=site, viewport={"width": 390, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("play/")
    expect(page.get_by_role(role)).to_be_visible()
    yield page
    context.close()
    assert complaints == []
