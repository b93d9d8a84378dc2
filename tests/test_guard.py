"""What every request passes, around a service of a few lines."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api import guard
from api.guard import API_HEADERS, LARGEST_BODY, SITE_POLICY, Guard
from api.policy import said_by, with_policy
from api.settings import Settings

HERE = "https://group.example"
ELSEWHERE = "https://site.example"
SITE = Path("no-site-was-built")
SITE_HEADERS = guard._headers(SITE_POLICY.format(scripts=said_by(SITE / "404.html")), "no-cache")
HSTS = {b"strict-transport-security": b"max-age=31536000"}


async def service(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and says how long it was; some addresses do something else."""
    if scope["type"] != "http":
        await send({"type": "passed on", "given": await receive()})
        return
    if scope["path"].endswith("/fails"):
        raise RuntimeError("a mistake")
    headers = [(b"cache-control", b"max-age=60")] if scope["path"].endswith("/kept") else []
    if scope["path"].endswith("/breaks-off"):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise RuntimeError("in the middle")
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Reply:
    """What came out, whether or not an error came out too."""

    def __init__(self, sent: list[Any], error: Exception | None) -> None:
        starts = [message for message in sent if message["type"] == "http.response.start"]
        self.sent, self.error, self.n_starts = sent, error, len(starts)
        self.status = starts[0]["status"] if starts else None
        self.headers = dict(starts[0]["headers"]) if starts else {}
        self.body = b"".join(message.get("body", b"") for message in sent)

    @property
    def refusal(self) -> tuple[int | None, str, str]:
        said = json.loads(self.body)
        assert set(said) == {"detail", "code"}
        return self.status, said["code"], said["detail"]


def ask(
    method: str = "GET",
    path: str = "/api/v1/x",
    *,
    body: bytes = b"",
    query: bytes = b"",
    base: str = HERE,
    scheme: str = "https",
    kind: str = "http",
    site: Path = SITE,
    **headers: str | None,
) -> Reply:
    settings = Settings(base_url=base, cors_origins=(ELSEWHERE,), site_dir=site)
    given = {"host": "group.example"} | {k.replace("_", "-"): v for k, v in headers.items()}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query,
        "scheme": scheme,
        "headers": [(k.encode(), v.encode()) for k, v in given.items() if v is not None],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        asyncio.run(Guard(service, settings)(scope, receive, send))
    except RuntimeError as error:
        return Reply(sent, error)
    return Reply(sent, None)


@pytest.mark.parametrize(
    ("path", "headers"), [("/api/v1/x", API_HEADERS), ("/api", SITE_HEADERS), ("/", SITE_HEADERS)]
)
def test_each_reply_carries_the_headers_of_its_kind(path: str, headers: dict[bytes, bytes]):
    assert ask(path=path).headers == HSTS | headers
    assert ask(path=path, base="http://group.example").headers == headers


def test_what_every_reply_says():
    assert guard._headers("policy", "caching") == {
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"same-origin",
        b"cross-origin-opener-policy": b"same-origin",
        b"content-security-policy": b"policy",
        b"cache-control": b"caching",
    }


def test_a_page_may_run_what_the_built_site_says(tmp_path: Path):
    said = "script-src 'self' 'sha256-x'; object-src 'none'"
    (tmp_path / "404.html").write_text(with_policy('<meta charset="utf-8">', said), "utf-8")

    policy = ask(path="/", site=tmp_path).headers[b"content-security-policy"].decode()

    assert policy == SITE_POLICY.format(scripts=said)


def test_what_a_reply_says_itself_stays():
    kept = ask(path="/api/v1/kept").headers
    assert kept == HSTS | API_HEADERS | {b"cache-control": b"max-age=60"}


def test_what_is_no_request_passes():
    [message] = ask(kind="lifespan", host=None).sent
    assert (message["type"], message["given"]["type"]) == ("passed on", "http.request")


@pytest.mark.parametrize(
    "host",
    [
        *("group.example", "GROUP.EXAMPLE", "group.example:8000", "localhost", "Localhost:1"),
        *("127.0.0.1", "192.0.2.1:99999", "[::1]", "[2001:DB8::1]:8000"),
    ],
)
def test_the_service_is_reached_by_its_name_and_by_addresses(host: str):
    assert ask(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("other.example", "group.example.org", "xgroup.example", "group.example:", "a:b:1"),
        *("group.example:123456", "group.example/", "user@group.example", "", "[::g]", "[]"),
        *("[1.2.3.4.5]", "1.2.3", "localhost.", "group.example ", None),
        *("X127.0.0.1X", "x127.0.0.1"),
    ],
)
def test_by_another_name_it_is_not_reached(host: str | None):
    reply = ask("POST", host=host, origin=HERE)
    assert reply.refusal == (
        421,
        "other-host",
        f"this service is reached at {HERE}, by no other name",
    )
    assert reply.headers.items() >= (HSTS | API_HEADERS).items()


@pytest.mark.parametrize(("path", "query"), [("/api/v1/\0", b""), ("/", b"q=%00"), ("/a\0b", b"")])
def test_an_address_without_meaning_is_refused(path: str, query: bytes):
    assert ask(path=path, query=query).refusal == (
        400,
        "invalid",
        "the address holds a character that cannot be stored; remove NUL",
    )
    assert ask(query=b"q=%01&r=%2500").status == 200


SAME = {"sec_fetch_site": "same-origin"}


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"sec_fetch_site": "none"},  # typed into the address bar
        SAME,
        SAME | {"origin": "https://proxied.example"},  # browsers say it, scripts cannot
        {"origin": HERE},
        {"origin": ELSEWHERE, "sec_fetch_site": "cross-site"},
        {"origin": "https://localhost:8000", "host": "localhost:8000"},
    ],
)
def test_who_may_change_something(headers: dict[str, str]):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(method, **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": ""},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://group.example"},
        {"origin": "https://group.example:8443"},
        {"origin": "https://group.example.org", "sec_fetch_site": "none"},
        {"origin": "https://localhost:8000", "host": "localhost:8001"},
        {"origin": "http://localhost", "host": "localhost"},
    ],
)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str]):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(method, **headers).refusal == (
            403,
            "cross-site",
            "a page of another site may change nothing here",
        )
    for method in ("GET", "HEAD", "OPTIONS"):
        assert ask(method, **headers).status == 200
    assert ask("POST", "/", **headers).status == 200  # pages are files; there is nothing to change


def test_a_body_may_have_64_kib():
    most = b"x" * LARGEST_BODY
    assert LARGEST_BODY == 64 * 1024
    assert ask("POST", body=most).body == b"65536"
    reply = ask("POST", body=most + b"x")
    assert reply.refusal == (
        413,
        "too-large",
        "the body is larger than 65536 bytes; send less",
    )
    assert reply.n_starts == 1
    assert reply.headers.items() >= (HSTS | API_HEADERS).items()
    page = ask("POST", "/", body=most + b"x")
    assert (page.status, page.body) == (413, b"Content Too Large")


def test_a_mistake_of_ours_is_said_and_raised():
    reply = ask(path="/api/v1/fails")
    assert reply.refusal == (500, "error", "a mistake of ours; it is in the log of the service")
    assert reply.headers.items() >= (HSTS | API_HEADERS).items()
    assert str(reply.error) == "a mistake"


def test_a_reply_that_broke_off_gets_no_second_beginning():
    reply = ask(path="/api/v1/breaks-off")
    assert (reply.n_starts, reply.status, str(reply.error)) == (1, 200, "in the middle")
