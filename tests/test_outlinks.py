"""External links, asked of a real server on this machine."""

import datetime as dt
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from api.content import read_content
from api.outlinks import check_outlinks, find_outlinks

NOW = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
HEADER = """---
title: A page with links
authors: [Ada Example]
kind: article
year: 2022
url: {url}
topics: [ioi]
---

"""


class Server(ThreadingHTTPServer):
    """Answers by path, and remembers who asked for what, when."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.at_once = self.most_at_once = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        server = self.server
        server.at_once += 1
        server.most_at_once = max(server.most_at_once, server.at_once)
        server.asked.append((self.command, self.path, time.monotonic()))
        path = self.path
        if path == "/silent":
            self.close_connection = True
            return
        if path == "/slow":
            time.sleep(3)
        status = 200
        if path in ("/gone", "/secret", "/busy"):
            status = {"/gone": 404, "/secret": 403, "/busy": 429}[path]
        if path == "/get-only" and self.command == "HEAD":
            status = 501
        location = {"/moved": "/fine", "/to-file": "file:///etc/passwd", "/loop": "/loop"}.get(path)
        self.send_response(302 if location else status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()
        server.at_once -= 1

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def content_with(tmp_path):
    def make(url, body):
        folder = tmp_path / "docs" / "library"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "2022-a.md").write_text(HEADER.format(url=url) + body)
        return read_content(tmp_path / "docs")

    return make


@pytest.fixture
def ask(tmp_path):
    def run(content, **options):
        given = {"now": NOW, "pause_s": 0.05, "timeout_s": 30, "allow_private": True}
        cache = tmp_path / "cache" / "outlinks.json"
        return [str(p) for p in check_outlinks(content, cache, **{**given, **options})]

    return run


def test_every_external_link_is_found_where_it_stands(content_with):
    content = content_with(
        "https://example.org/a#part",
        "[b](https://example.org/b#x) <https://example.org/c>\n"
        "`[d](https://example.org/d)` [e](e.md)\n\n[f]: https://example.org/b\n",
    )

    assert find_outlinks(content) == {
        "https://example.org/a": [("docs/library/2022-a.md", 6)],
        "https://example.org/b": [("docs/library/2022-a.md", 10), ("docs/library/2022-a.md", 13)],
        "https://example.org/c": [("docs/library/2022-a.md", 10)],
    }


def test_the_dead_are_told_by_file_and_line(server, content_with, ask, monkeypatch):
    paths = ["fine", "gone", "secret", "busy", "get-only", "moved", "to-file", "loop", "slow"]
    paths += ["silent"]
    body = "\n".join(f"[{path}]({server.url}/{path})" for path in paths)
    refused = "http://127.0.0.1:1/x"
    plain = server.url.replace("http:", "https:")  # it speaks no TLS
    odd = "[refused]({})\n[plain]({}/)\n[name](http://name.example/)\n[half](http://[half/)\n"
    content = content_with(f"{server.url}/fine", f"{body}\n{odd.format(refused, plain)}")
    known = socket.getaddrinfo

    def look_up(host, *given, **more):
        if host == "name.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    found = ask(content, timeout_s=1)

    circle = "a redirection in a circle, or to where no page can be"
    unsafe = "the host's certificate or encryption is not valid"
    end = "; mend the address, or link to an archived copy"
    assert found == [
        f"docs/library/2022-a.md:11: {server.url}/gone: the server says 404{end}",
        f"docs/library/2022-a.md:16: {server.url}/to-file: {circle}{end}",
        f"docs/library/2022-a.md:17: {server.url}/loop: {circle}{end}",
        f"docs/library/2022-a.md:18: {server.url}/slow: no answer within 1 s{end}",
        f"docs/library/2022-a.md:19: {server.url}/silent: no answer (RemoteDisconnected){end}",
        f"docs/library/2022-a.md:20: {refused}: the host refuses the connection{end}",
        f"docs/library/2022-a.md:21: {plain}/: {unsafe}{end}",
        f"docs/library/2022-a.md:22: http://name.example/: no host of that name{end}",
        f"docs/library/2022-a.md:23: http://[half/: no answer (ValueError){end}",
    ]
    asked = [(method, path) for method, path, _ in server.asked]
    assert ("GET", "/moved") not in asked
    assert ("GET", "/get-only") in asked


def test_a_host_is_asked_one_thing_at_a_time_with_a_pause(server, content_with, ask):
    body = "\n".join(f"[x]({server.url}/page-{index})" for index in range(5))

    ask(content_with(f"{server.url}/page-0", body), pause_s=0.2)

    times = [at for _, _, at in server.asked]
    assert len(times) == 5
    assert server.most_at_once == 1
    assert min(later - at for at, later in pairwise(times)) >= 0.19


def test_what_answered_is_not_asked_again_for_a_week(server, content_with, ask):
    content = content_with(f"{server.url}/fine", f"[x]({server.url}/gone)")

    def asked_after(days):
        server.asked.clear()
        ask(content, now=NOW + dt.timedelta(days=days))
        return [path for method, path, _ in server.asked if method == "HEAD"]

    assert asked_after(0) == ["/fine", "/gone"]
    assert asked_after(6) == ["/gone"]
    assert asked_after(8) == ["/fine", "/gone"]


@pytest.mark.parametrize("spoilt", ["", "[]", "{", '{"a": 1}', '{"a": "yesterday"}'])
def test_a_spoilt_cache_is_an_empty_one(tmp_path, server, content_with, ask, spoilt):
    cache = tmp_path / "cache" / "outlinks.json"
    cache.parent.mkdir()
    cache.write_text(spoilt)

    assert ask(content_with(f"{server.url}/fine", "")) == []
    assert json.loads(cache.read_text()) == {f"{server.url}/fine": NOW.isoformat()}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_a_private_address_is_not_asked(server, content_with, ask, host):
    url = f"http://{host}:{server.server_port}/fine"

    found = ask(content_with("https://127.0.0.1/x", f"[x]({url})"), allow_private=False)

    assert any("is in a private network, which is not asked" in line for line in found)
    assert server.asked == []
