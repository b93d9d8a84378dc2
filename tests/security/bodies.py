"""Bodies that no client of ours would send, and what is wrong with a reply to one."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi.testclient import TestClient

from api import joining
from api.app import create_app
from api.database import Database
from api.migrate import migrate
from api.settings import Settings
from tests.conftest import CONTENT, Clock, joining_with
from tests.durability.oracle import Counts
from tests.security.routes import World, documented, world

MARK = "hunter2-canary"
# Values as JSON text, put in the place of each field of a good body.
VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0", "-0.0", "0.1e1"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "9007199254740993"),
    *("1" + "0" * 400, "0." + "1" * 400, "1" * 5_000),
    *("null", "true", "false", "{}", "[]", '""', '" "', '"\\u0000"', '"a\\u0000b"'),
    *('"\\ud800"', '"\\udfff\\ud800"', '"\\ufffe\\uffff"', '"\\u202e\\u2066"', '"\\ufeff"'),
    *('"\\r\\n\\t"', '"😀"', '"e\\u0301"', '"' + "x" * 40_000 + '"', '"' + "\\u0301" * 5_000 + '"'),
    *("[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, '["' + '","'.join("a" * 500) + '"]'),
    *("[null]", '[[["a"]]]', '{"a": {"b": []}}', '{"": ""}', '{"__proto__": {"x": 1}}'),
    *('{"a": 1, "a": 2}', "[true, false]", "[NaN]", '{"a": 1e999}', '["\\ud800"]'),
    *('"2026-02-30"', '"0000-00-00"', '"9999-12-31"', '"-1"', '"2026-03-12T00:00:00Z"', "0", "-1"),
    *('"00000000-0000-0000-0000-000000000000"', '"{8d9a5bd3-6f4e-4b3c-9a51-0c5a6b7c8d9e}"'),
    *(f'"\' OR 1=1 --{MARK}"', f'"]; DROP TABLE member; {MARK}"', '"%s%n{0}{{7*7}}${7*7}"'),
    *('"../../etc/passwd"', '"\\\\\\\\host\\\\share"', f'"<script>{MARK}</script>"'),
]
BODIES = [
    *(b"", b" ", b"{", b"}", b"[", b"null", b"true", b"0", b'""', b"[]", b"{}", b"nul", b"'a'"),
    *(b"NaN", b"1e999", b"-", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b"\x80"),
    *(b'{"a":1,}', b"{a:1}", b'{"a" 1}', b"[" * 30_000, b'{"a":' * 10_000, b'"' + b"x" * 60_000),
    *(b"\x1f\x8b\x08\x00", b"<xml/>", b"a=1&b=2", b"--b\r\n\r\n", "{}".encode("utf-16")),
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(3_000)) + b"}",
    json.dumps({MARK: MARK, "password": MARK}).encode(),
]
JSON = {"content-type": "application/json"}


def with_body(group: World) -> list[tuple[str, str]]:
    return [route for route in documented() if group.body(*route) is not None]


def spoiled(good: dict[str, Any]) -> Iterator[bytes]:
    """The body with each value in the place of each field, and with a field that is not there."""
    for name in good:
        for value in VALUES:
            rest = {other: good[other] for other in good if other != name}
            start = json.dumps(rest)[:-1]
            yield f'{start}{", " if rest else ""}"{name}": {value}}}'.encode()
    yield json.dumps({**good, "is_admin": True}).encode()
    yield json.dumps({**good, "password": MARK}).encode()


def sent(group: World, route: tuple[str, str], body: bytes) -> str | None:
    """A complaint, or None for a reply as it should be."""
    given = {**JSON, "If-Match": '"1"'}
    visitor = group.as_organizer()  # a good code among the bodies would sign somebody else in
    reply = visitor.request(route[0], group.fill(route[1]), content=body, headers=given)
    if reply.status_code >= 500:
        return f"{route} {body[:90]!r} {reply.status_code}"
    if reply.status_code >= 400:
        said = reply.json()
        repeats = reply.status_code == 422 and (MARK in reply.text or len(reply.text) > 2_000)
        if repeats or not {"detail", "code"} <= set(said):
            return f"{route} {body[:90]!r} {reply.text[:200]}"
    return None


EACH = 20  # bodies of a round, all to one endpoint


def hostile(url: str, folder: Path, draw: random.Random) -> Iterator[Counts]:
    """Round by round, without end: bodies drawn anew, to each endpoint that takes one."""
    database = Database(url)
    migrate(database)
    database.close()
    settings = Settings(
        database_url=url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=folder / "site",
        base_url="http://testserver",
    )
    clock = Clock()
    without_limit = {"MOST_WRONG": 10**9, "MOST_WRONG_OF_ALL": 10**9}  # a refusal hides the rest
    with (
        patch.multiple(joining, **without_limit),
        TestClient(create_app(settings, clock)) as client,
    ):
        group = world(joining_with(client, clock))
        while True:
            for route in with_body(group):
                group.prepare(*route)
                bodies = [drawn(group.body(*route), draw) for _ in range(EACH)]
                wrong = [complaint for body in bodies if (complaint := sent(group, route, body))]
                yield Counts(EACH, 0, 0, 0, 0, "; ".join(wrong))


def drawn(good: dict[str, Any], draw: random.Random) -> bytes:
    """A body of the corpus, or a good one with some values changed; half of them cut or mixed."""
    fields = [f'"{name}": {draw.choice([json.dumps(good[name]), *VALUES])}' for name in good]
    changed = f"{{{', '.join(fields)}}}".encode()
    body = draw.choice([draw.choice(BODIES), changed])
    if body and draw.random() < 0.5:
        at, length = draw.randrange(len(body)), draw.randint(0, 8)
        piece = draw.choice([b"", draw.randbytes(length), draw.choice(VALUES).encode()])
        body = body[:at] + piece + body[at + length :]
    return body
