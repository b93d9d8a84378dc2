"""The browser of the tests, installed or fetched by Playwright, and the site that it visits."""

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from api.settings import Settings
from api.site import build
from tests.conftest import ROOT

expect.set_options(timeout=20_000)  # a busy machine is slow, and what is wrong stays wrong


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed)
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The project's own site without its service: its address and its folder."""
    folder = tmp_path_factory.mktemp("site")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        base = f"http://127.0.0.1:{server.server_port}"
        build(ROOT, Settings(site_dir=folder, base_url=base))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{base}/", folder
        server.shutdown()
