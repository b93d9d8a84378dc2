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

from tests.browser.barriers import barriers
from tests.browser.test_explorers import Quiet, configuration
from tests.conftest import ROOT

STILL = "Standing still"


def element(name: str, title: str) -> str:
    """The element as the build writes it, around what stands there without a script."""
    return (
        f'<div><readout-{name} data-explorer="{name}" data-src="data.json" role="group" '
        f'aria-label="{title}"><p>{STILL}</p></readout-{name}></div>'
    )


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


def everybody_can_use(page: Page, name: str, scheme: str) -> None:
    """Axe finds nothing in the explorer, in this scheme of colours."""
    page.evaluate("scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme)
    found = barriers(page, f"readout-{name}")
    assert not found, found


def stays_within_the_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def without_a_script_it_is_read(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("play/")
    expect(page.get_by_text(STILL)).to_be_visible()
    context.close()
