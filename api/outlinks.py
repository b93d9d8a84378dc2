"""Do the links to other sites still lead somewhere? Asked politely, now and then, never in a build.

One request at a time to a host, with a pause between two; what answered is not asked again for a
week. Addresses inside a private network are refused, also behind a redirection or a name: a page
that somebody proposes must not make the machine that checks it call at its neighbours'.
"""

import datetime as dt
import http.client
import ipaddress
import json
import os
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urldefrag, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    UnknownHandler,
)

from api.check import read_pages
from api.content import Content
from api.markup import Problem

AGE = dt.timedelta(days=7)
PAUSE_S = 1.0
TIMEOUT_S = 10.0
AGENT = "readout-linkcheck/1 (checks the links of a reading group's pages)"
# The page may be there, but not for us: no reason to call the link dead.
GUARDED = frozenset({401, 403, 405, 406, 418, 429, 451, 999})

Places = dict[str, list[tuple[str, int]]]  # from an address to the files and lines that hold it


class Private(OSError):
    """An address that is not of the public network."""


def find_outlinks(content: Content) -> Places:
    """Every external address of headers, pages and notebooks, and where it stands."""
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for entry in content.library.values():
        places[urldefrag(entry.url).url].append((entry.path, content.line(entry.path, "url")))
    for path, page in read_pages(content).items():
        for link in page.links:
            if link.target.lower().startswith(("http://", "https://")):
                places[urldefrag(link.target).url].append((path, page.line(link.at)))
    return {url: sorted(set(found)) for url, found in sorted(places.items())}


def check_outlinks(
    content: Content,
    cache: Path = Path(".cache/outlinks.json"),
    *,
    now: dt.datetime | None = None,
    pause_s: float = PAUSE_S,
    timeout_s: float = TIMEOUT_S,
    allow_private: bool = False,
) -> list[Problem]:
    """The dead ones among all external links, by file and line.

    `cache` keeps when an address last answered. `allow_private` is for tests.
    """
    now = now or dt.datetime.now(dt.UTC)
    places = find_outlinks(content)
    answered = {url: when for url, when in _read(cache).items() if now - when < AGE}
    by_host: defaultdict[str, list[str]] = defaultdict(list)
    for url in places:
        if url not in answered:
            by_host[_host(url)].append(url)

    ask = _asker(timeout_s, pause_s, allow_private)
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = pool.map(lambda urls: _ask_in_turn(urls, ask, pause_s), by_host.values())
        wrong = {url: reason for found in asked for url, reason in found.items()}
    answered |= {url: now for url, reason in wrong.items() if reason is None}
    _write(cache, answered)
    return sorted(
        Problem(path, line, f"{url}: {reason}; mend the address, or link to an archived copy")
        for url, reason in wrong.items()
        if reason is not None
        for path, line in places[url]
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _ask_in_turn(
    urls: list[str], ask: Callable[[str], str | None], pause_s: float
) -> dict[str, str | None]:
    found = {}
    for index, url in enumerate(urls):
        if index:
            time.sleep(pause_s)
        found[url] = ask(url)
    return found


# Asking ------------------------------------------------------------------------------------------


def _asker(timeout_s: float, pause_s: float, allow_private: bool) -> Callable[[str], str | None]:
    """A function from an address to why it is dead, or None."""
    connect = _connector(allow_private)

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = connect(self.host, self.port, timeout_s)

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            bare = connect(self.host, self.port, timeout_s)
            self.sock = ssl.create_default_context().wrap_socket(bare, server_hostname=self.host)

    class ToPlain(HTTPHandler):
        def http_open(self, req: Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class ToSecure(HTTPSHandler):
        def https_open(self, req: Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    # No proxy, which would connect on our behalf; no other scheme, which a redirection may name.
    opener = OpenerDirector()
    for handler in (ToPlain, ToSecure, HTTPRedirectHandler, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    opener.add_handler(HTTPErrorProcessor())
    opener.add_handler(UnknownHandler())

    def status(url: str, method: str) -> int:
        request = Request(url, method=method, headers={"User-Agent": AGENT})  # noqa: S310
        try:
            with opener.open(request, timeout=timeout_s) as reply:
                return int(reply.status)
        except HTTPError as error:
            with error:
                return error.code

    def ask(url: str) -> str | None:
        try:
            code = status(url, "HEAD")
            if code >= 400:  # some servers answer GET only
                time.sleep(pause_s)
                code = status(url, "GET")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _reason(error, timeout_s)
        if 300 <= code < 400:
            return "a redirection in a circle, or to where no page can be"
        return None if code < 400 or code in GUARDED else f"the server says {code}"

    return ask


def _connector(allow_private: bool) -> Callable[[str, int, float], socket.socket]:
    """Like socket.create_connection, but only to addresses of the public network.

    The address that was judged is the one that is called: a name looked up twice could give two.
    """

    def connect(host: str, port: int, timeout_s: float) -> socket.socket:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, address in found:
            if not allow_private and not _is_public(str(address[0])):
                raise Private(f"{host} is in a private network")
        last: OSError | None = None
        for family, kind, protocol, _, address in found:
            one = socket.socket(family, kind, protocol)
            one.settimeout(timeout_s)
            try:
                one.connect(address)
                return one
            except OSError as error:
                one.close()
                last = error
        raise last or OSError("no address")

    return connect


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast


def _reason(error: Exception, timeout_s: float) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, Private):
        return f"{cause}, which is not asked"
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(cause, socket.gaierror):
        return "no host of that name"
    if isinstance(cause, ConnectionRefusedError):
        return "the host refuses the connection"
    if isinstance(cause, ssl.SSLError):
        return "the host's certificate or encryption is not valid"
    return f"no answer ({type(cause).__name__})"


# The cache ---------------------------------------------------------------------------------------


def _read(cache: Path) -> dict[str, dt.datetime]:
    """When each address last answered; nothing where the file is missing or spoilt."""
    try:
        kept: Any = json.loads(cache.read_text("utf-8"))
        return {url: dt.datetime.fromisoformat(when) for url, when in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(cache: Path, answered: dict[str, dt.datetime]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    kept = {url: when.isoformat() for url, when in sorted(answered.items())}
    unfinished = cache.with_name(f"{cache.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(kept, indent=1), "utf-8")
    unfinished.replace(cache)
