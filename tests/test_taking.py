"""A quiz in a terminal: offline from the files, and with the service over real HTTP."""

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.database import Database
from api.members import invite
from api.migrate import migrate
from api.quizzes import OptionOut, QuestionOut
from api.settings import Settings
from api.taking import Away, There, Told, call, read
from api.taking import take as ask_all
from tests.conftest import CONTENT, ROOT

Take = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    def run(*args: str, typed: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("readout"), "quiz", "take", *args],
            cwd=ROOT,
            env={**os.environ, "READOUT_CACHE_DIR": str(tmp_path / "cache"), **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The service on a port of its own while the example quiz is open, and a join link."""
    now = dt.datetime(2026, 3, 10, 18, tzinfo=dt.UTC)
    database = Database(sqlite_url)
    migrate(database)
    code = database.write(lambda session: invite(session, "Ada", "member", now))
    database.close()
    settings = Settings(
        database_url=sqlite_url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
    )
    app = create_app(settings, lambda: now)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/join#{code}"
    server.should_exit = True
    thread.join()


def test_a_self_check_is_taken_offline(take: Take):
    # Every proxy and the service are out of reach; the answers of all types are typed.
    done = take("strengths-and-limits", typed="z\na\n", READOUT_DATABASE_URL="postgresql://no/no")

    assert done.returncode == 0, done.stderr
    assert "is not offered; choose from" in done.stdout
    assert "ight." in done.stdout
    assert "of 1 right." in done.stdout


def test_a_meeting_quiz_is_answered_as_a_member(take: Take, service: tuple[str, str]):
    base, link = service
    typed = (
        "Ada\na\n3\nBecause.\na c\n\n\nmuch\n0.5\n\n\nresidual stream\n\n\ne b c\n\n\na2 b1\n\n\n"
    )

    first = take("example", "--join", link, typed=typed)

    assert first.returncode == 0, first.stderr
    assert "Yes, a previous-token head." in first.stdout
    assert "Enter a number, for example 0.5." in first.stdout
    assert "The answer: 0.7311" in first.stdout
    assert "CANARY" not in first.stdout.split("One letter")[0]
    assert "of 6 right." in first.stdout
    again = take("example", "--url", base, typed="b\n\n\n")  # the token is remembered
    assert "Not right." in again.stdout
    assert "0 of 1 right." in again.stdout


class Busy(BaseHTTPRequestHandler):
    """A web server that is no quiz service: it knows no method."""

    def log_message(self, *_: Any, **__: Any) -> None:
        pass


class Silent(Busy):
    """The service's reply to an answer that it holds back."""

    def do_GET(self) -> None:
        self.reply(b'{"title": "Around", "questions": []}')

    def do_POST(self) -> None:
        self.reply(
            b'{"correct": null, "score": null, "late": false, "feedback": [], "key": null,'
            b' "why_html": "", "source_html": ""}'
        )

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


def serving(handler: type[BaseHTTPRequestHandler], n: int) -> str:
    """The address of a server that answers n requests and ends."""
    server = HTTPServer(("127.0.0.1", 0), handler)

    def run() -> None:
        with server:
            for _ in range(n):
                server.handle_request()

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def test_what_is_no_service_of_ours_is_told():
    with pytest.raises(Away, match=r"^group\.example\.org is no web address; write http://"):
        call("group.example.org", None, "me")
    base = serving(Busy, 1)
    with pytest.raises(Away, match=rf"^{base}/api/v1/me replied 501; is Readout there\?$"):
        call(base, None, "me")


def test_of_an_answer_that_is_held_back_no_key_is_told():
    options = [OptionOut(id="a", text="This one.")]
    question = QuestionOut(id="voted", type="single", stem="Which?", options=options)

    told = There(serving(Silent, 2), "around", None).answer(question, "a", None, None)

    assert told.correct is None
    assert not any("The answer" in line for line in told.lines)


def test_who_is_not_signed_in_is_told(take: Take, service: tuple[str, str]):
    done = take("example", "--url", service[0], typed="a\n\n\n")
    assert (done.returncode, done.stderr.startswith("readout: not signed in")) == (1, True)


def test_a_service_that_is_away_is_told_in_a_sentence(take: Take):
    done = take("example", "--url", "http://127.0.0.1:9", typed="")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "readout: the quiz service at http://127.0.0.1:9 is not reachable"
    )


def test_a_vote_that_is_held_back_is_not_counted_as_wrong():
    asked = QuestionOut(id="q", type="single", stem="?", options=[OptionOut(id="a", text="x")])

    class Voted:
        title, questions, keeps = "A vote", [asked, asked], False

        def answer(self, *_: object) -> Told:
            return Told(None, None, late=False, lines=[])

    said: list[str] = []
    typed = iter(["a b", "a", "a"])
    ask_all(Voted(), lambda _: next(typed), said.append)

    assert "Enter one letter, for example a." in said
    assert said[-1] == "2 saved for the meeting."


def test_pairs_are_typed_as_letter_and_number():
    options = [OptionOut(id="a", text="x"), OptionOut(id="ab", text="y")]
    question = QuestionOut(id="q", type="match", stem="?", options=options, matches=["one", "two"])

    assert read(question, "a1, ab-2") == {"a": "one", "ab": "two"}
    with pytest.raises(ValueError, match="'c1' is no pair"):
        read(question, "c1")
