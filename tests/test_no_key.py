"""No reply tells a key before the answer: every endpoint, every refusal, whatever the key is."""

import base64
import itertools
import json
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.database import Database
from api.members import invite
from api.migrate import migrate
from api.settings import Settings
from api.telemetry import access
from tests.conftest import API, CONTENT, Clock
from tests.security.routes import documented

# Each secret of the quiz holds a word of its own, so that any of them is recognised anywhere.
SECRETS = {
    "why": "CANARYWHY",
    "source": "CANARYSOURCE",
    "hint": "CANARYHINT",
    "key": "canarykey",
    "accept": "canaryaccept",
    "changed": "CANARYCHANGED",
    "feedback": "CANARYFEEDBACK",
    "number": "8191.25",
    "fact": "127.0625",
}
SECRET_FIELDS = """why: CANARYWHY
source: CANARYSOURCE
hint: CANARYHINT
revision: meaning
changed: CANARYCHANGED
"""
HEADER = """---
title: Secrets
kind: meeting
meeting: 2026-03-12
opens_at: 2026-03-05T12:00:00Z
closes_at: 2026-03-12T16:00:00Z
---
"""


def quiz(right: str, *, vote: bool = False) -> str:
    """A quiz with a question of each type; `right` is the right option of the single choice."""
    boxes = {option: "x" if option == right else " " for option in "ab"}
    held = "vote: true\n" if vote else ""

    def question(name: str, fields: str, options: str = "") -> str:
        body = f"type: {fields}\n{held}{SECRET_FIELDS}"
        return f"\n## What is {name}? {{#{name}}}\n\n{options}\n```yaml\n{body}```\n"

    marked = "".join(
        f"- [{boxes[option]}] ({option}) Option {option}.\n    > CANARYFEEDBACK\n"
        for option in "ab"
    )
    plain = "- [ ] (a) Option a.\n- [ ] (b) Option b.\n"
    order = [("a", "Line a."), ("b", "Line b."), ("c", "Line c.")]
    if right == "b":
        order.reverse()
    lines = "".join(f"{n}. ({name}) {text}\n" for n, (name, text) in enumerate(order, 1))
    pairs = ["One.", "Two."] if right == "a" else ["Two.", "One."]
    number = "8191.25" if right == "a" else "4095.25"
    return HEADER + "".join(
        [
            question("secret-single", "single", marked),
            question(
                "secret-sign", f"single\nkey: {{sign: sign-{right}, above: a, below: b}}", plain
            ),
            question("secret-number", f"number\nkey: {number}\ntolerance: {{absolute: 0}}"),
            question("secret-fact", "number\nkey: {fact: secret}\ntolerance: {absolute: 1}"),
            question("secret-text", "text\nkey: canarykey\naccept: [canaryaccept]"),
            question("secret-order", "order", lines),
            question(
                "secret-match", "match", f"- (a) Left. => {pairs[0]}\n- (b) Right. => {pairs[1]}\n"
            ),
        ]
    )


Serve = Callable[..., TestClient]
_made = itertools.count()


def database_of_its_own(database_url: str, folder: Path) -> str:
    """For one of several services: a file, or a schema of the server's database."""
    address = sa.make_url(database_url)
    if address.get_backend_name() == "sqlite":
        return f"sqlite:///{folder / 'readout.sqlite3'}"
    server = sa.create_engine(address.set(drivername="postgresql+psycopg"))
    with server.begin() as connection:
        connection.execute(sa.schema.CreateSchema(folder.name))
    server.dispose()
    there = address.update_query_dict({"options": f"-csearch_path={folder.name}"})
    return there.render_as_string(hide_password=False)


@pytest.fixture
def serve(tmp_path: Path, clock: Clock, database_url: str) -> Iterator[Serve]:
    """The service with such a quiz, on a database of its own; a member is signed in."""
    opened: list[TestClient] = []

    def start(right: str = "a", **more: bool) -> TestClient:
        folder = tmp_path / f"service-{next(_made)}"
        shutil.copytree(CONTENT, folder)
        (folder / "docs/quizzes/secrets.md").write_text(quiz(right, **more))
        executed = folder / "executed/00_example.ipynb"
        notebook = json.loads(executed.read_text())
        fact = {"tolerance": 0.5, "sealed": True}
        notebook["metadata"]["readout"]["facts"] |= {
            "secret": {"value": 127.0625 if right == "a" else 63.0625, **fact},
            "sign-a": {"value": 5, **fact},
            "sign-b": {"value": -5, **fact},
        }
        executed.write_text(json.dumps(notebook))
        url = database_of_its_own(database_url, folder)
        database = Database(url)
        migrate(database)
        code = database.write(lambda session: invite(session, "Ada", "member", clock()))
        database.close()
        settings = Settings(
            database_url=url,
            content_dir=folder / "docs",
            executed_dir=folder / "executed",
            site_dir=folder / "site",
            base_url="http://testserver",
        )
        app = create_app(settings, clock)
        assert app.state.service.content.problems == []
        client = TestClient(app)
        client.__enter__()
        opened.append(client)
        client.post(f"{API}/join", json={"invite": code, "name": "Ada"})
        return client

    yield start
    for client in opened:
        client.__exit__()


def addresses(client: TestClient) -> list[str]:
    """Every GET endpoint, with what the content has in the place of its parameters."""
    named = {"slug": "secrets", "date": "2026-03-12", "question_id": "secret-single"}
    paths = [path for path, methods in client.app.openapi()["paths"].items() if "get" in methods]
    filled = [re.sub(r"\{(\w+)\}", lambda m: named.get(m[1], "nothing"), path) for path in paths]
    return [*filled, f"{API}/openapi.json", f"{API}/docs"]


REFUSED = [None, "z", ["a", "z"], ["a", "a"], {"a": "z"}, 1e300, "", True, ["a"], 3, "a" * 600]


def everything(client: TestClient) -> list[str]:
    """What all endpoints tell, and what the refused answers to every question are told."""
    told = []
    for path in addresses(client):
        reply = client.get(path)
        told.append(f"{path} {reply.status_code} {sorted(reply.headers.items())} {reply.text}")
    asked = client.get(f"{API}/quizzes/secrets").json()["questions"]
    for question in asked:
        for number, response in enumerate(REFUSED):
            given = {"question": question["id"], "response": response}
            # Without an id nothing is stored, even where the response is one that is offered.
            reply = client.post(f"{API}/quizzes/secrets/answers", json=given)
            told.append(f"{question['id']} {number} {reply.status_code} {reply.text}")
            given["id"] = str(uuid.UUID(int=number))
            if not _is_offered(question["type"], response):
                reply = client.post(f"{API}/quizzes/secrets/answers", json=given)
                assert reply.status_code >= 400, (question, response)
                told.append(f"{question['id']} {number} {reply.status_code} {reply.text}")
    return told


def _is_offered(type_: str, response: object) -> bool:
    match type_:
        case "multiple":
            return response == ["a"]
        case "number":
            return isinstance(response, int | float) and not isinstance(response, bool)
        case "text":
            return response == "z"
    return False


def encodings(secret: str) -> set[str]:
    coded = {base64.b64encode(f"{pad}{secret}".encode()).decode()[4:-4] for pad in ("", "a", "bc")}
    return {secret, quote(secret), secret.encode().hex(), secret[::-1], *coded}


@pytest.mark.parametrize("vote", [False, True])
def test_no_endpoint_and_no_refusal_holds_a_secret(
    serve: Serve, vote: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    """Nor does the log of it all."""
    client = serve(vote=vote)
    stranger = TestClient(client.app)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, access.name)

    told = "\n".join([*everything(client), *everything(stranger)])
    told += caplog.text + "".join(capfd.readouterr())
    assert "replied" in caplog.text

    assert len(addresses(client)) > 20
    for name, secret in SECRETS.items():
        for form in encodings(secret):
            assert form not in told, name


def test_what_is_told_does_not_depend_on_the_key(serve: Serve):
    """The same replies, byte for byte, from two services that differ in their keys only."""
    one, other = serve("a"), serve("b")

    def comparable(client: TestClient) -> list[str]:
        stranger = TestClient(client.app)
        return everything(stranger)

    assert comparable(one) == comparable(other)


def test_a_vote_is_told_alike_whether_right_or_wrong(serve: Serve):
    replies = []
    for right in "ab":
        client = serve(right, vote=True)
        given = {"id": str(uuid.UUID(int=1)), "question": "secret-single", "response": "a"}
        replies.append(client.post(f"{API}/quizzes/secrets/answers", json=given).text)
        replies.append(client.get(f"{API}/quizzes/secrets/answers").text.strip("[]"))
        assert client.get(f"{API}/me/calibration").json()["n"] == 0
        assert client.get(f"{API}/review").json() == []

    assert len(set(replies)) == 1


KEYS = {"key", "correct", "score", "accept", "why", "why_html", "source", "source_html"}
KEYS |= {"hint", "hint_html", "feedback", "changed", "changed_html", "explanation", "answer"}


def properties(description: dict[str, Any], method: str, path: str) -> set[str]:
    """The names of all fields that a good reply of an endpoint may have, at any depth."""
    names: set[str] = set()
    seen: set[str] = set()
    replies = description["paths"][path][method]["responses"]
    left: list[Any] = [reply for status, reply in replies.items() if status.startswith("2")]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            names |= set(node.get("properties", {}))
            left += node.values()
            if (name := node.get("$ref")) and name not in seen:
                seen.add(name)
                left.append(description["components"]["schemas"][name.rpartition("/")[2]])
    return names


def test_no_reply_to_everybody_has_a_field_for_a_key(serve: Serve):
    description = serve().app.openapi()
    public = [
        (method.lower(), f"{API}{path}")
        for (method, path), statuses in documented().items()
        if statuses["nobody"] == 200
        and method.lower() in description["paths"].get(f"{API}{path}", {})
    ]
    assert ("get", f"{API}/quizzes/{{slug}}") in public
    for method, path in public:
        assert properties(description, method, path) & KEYS == set(), path
    told = properties(description, "post", f"{API}/quizzes/{{slug}}/answers")
    assert {"key", "correct", "why_html", "source_html", "feedback"} <= told & KEYS


def test_the_secrets_are_told_with_the_answers(serve: Serve):
    # Without this, the tests above could pass because nothing is ever told.
    client = serve()
    told = ""
    for name, response in [("single", "a"), ("number", 1), ("fact", 1), ("text", "x")]:
        given = {"id": str(uuid.uuid4()), "question": f"secret-{name}", "response": response}
        told += client.post(f"{API}/quizzes/secrets/answers", json=given).text
    missing = {name for name, secret in SECRETS.items() if secret not in told}
    assert missing == {"hint", "accept", "changed"}
