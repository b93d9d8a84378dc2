"""The agenda of a meeting: ordered, silent about names, the same to the letter."""

import datetime as dt
import json
import shutil
from html import escape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.agenda import AgendaOut, advise
from api.agenda_markdown import as_markdown, plain
from api.content import read_content
from api.render import render
from api.settings import Settings
from tests.conftest import API, CONTENT, Clock, Join
from tests.test_answers import QUIZ, answer

AGENDA = f"{API}/meetings/2026-03-12/agenda"
EARLIER = """---
title: Earlier
kind: meeting
meeting: {date}
closes_at: {date}T16:00:00Z
---

## Missed {name}? {{#missed-{name}}}

- [x] (a) Right.
- [ ] (b) Wrong.

```yaml
type: single
why: So.
source: Nowhere
```
"""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The example content, and two earlier meetings with a quiz each."""
    shutil.copytree(CONTENT, tmp_path / "content")
    docs = tmp_path / "content" / "docs"
    meeting = (docs / "meetings" / "2026-03-12.md").read_text()
    for name, date in (("last-week", "2026-03-06"), ("last-month", "2026-02-10")):
        text = meeting.replace("date: 2026-03-12", f"date: {date}")
        (docs / "meetings" / f"{date}.md").write_text(text)
        (docs / "quizzes" / f"{name}.md").write_text(EARLIER.format(date=date, name=name))
    return Settings(
        database_url=database_url,
        content_dir=docs,
        executed_dir=tmp_path / "content" / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
    )


def give(who: TestClient, question: str, response: Any, quiz: str = QUIZ, **more: Any) -> None:
    reply = who.post(f"{quiz}/answers", json=answer(question, response, **more))
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize(
    ("n", "correct", "sure_and_wrong", "advice"),
    [
        (2, 1, 0, "too-few"),
        (3, 1, 0, "re-read"),
        (20, 7, 0, "vote-and-discuss"),
        (10, 7, 0, "vote-and-discuss"),
        (10, 8, 0, "skip"),
        (10, 8, 1, "vote-and-discuss"),
        (3, 0, 3, "re-read"),
    ],
)
def test_each_share_has_its_advice(n: int, correct: int, sure_and_wrong: int, advice: str):
    assert advise(n, correct, sure_and_wrong) == advice


def test_the_agenda_is_ordered_and_the_same_each_time(
    join: Join, organizer: TestClient, clock: Clock
):
    members = [join(name) for name in ("Ada", "Bo", "Cy", "Di")]
    for number, member in enumerate(members):
        give(member, "the-sum", "wrong")
        give(member, "steps", ["e", "b", "c"])
        give(member, "why-two-layers", "ab"[number % 2], certainty=3, reason=f"Since {number}.")
        give(member, "linear-parts", ["a", "c"] if number else ["a"])
    clock.set("2026-03-12T16:30:00+00:00")

    found = organizer.get(AGENDA).json()

    assert [(item["question"], item["advice"]) for item in found["items"]] == [
        ("why-two-layers", "vote-and-discuss"),
        ("the-sum", "re-read"),
        ("linear-parts", "skip"),
        ("steps", "skip"),
        ("share-right", "too-few"),
        ("changes", "too-few"),
    ]
    markdown = organizer.get(f"{AGENDA}.md").text
    assert markdown == organizer.get(f"{AGENDA}.md").text
    assert "### 1. [What does an induction head need" in markdown
    assert "**Vote, discuss in pairs, vote again.** 2 of 4 right" in markdown
    assert "Sure and wrong: 2." in markdown
    assert "- 2: (b) A head that copies each token to the end." in markdown
    assert not any(name in markdown for name in ("Ada", "Bo", "Cy", "Di", "CANARY"))


def test_the_agenda_says_how_long_it_tells_answers(join: Join, organizer: TestClient, clock: Clock):
    until = "2026-03-13T12:00:00"
    for now, running in (("2026-03-12T16:30", True), ("2026-03-13T11:59", True), (until, False)):
        clock.set(f"{now}+00:00")

        said = organizer.get(AGENDA).json()["tells_until"]
        markdown = organizer.get(f"{AGENDA}.md").text

        assert said == (f"{until}Z" if running else None)
        assert ("Publish this after 2026-03-13 12:00 UTC." in markdown) is running


def test_what_was_missed_a_week_and_a_month_ago_warms_up(
    join: Join, organizer: TestClient, clock: Clock
):
    members = [join(name) for name in ("Ada", "Bo", "Cy")]
    for name, now in (("last-month", "2026-02-09"), ("last-week", "2026-03-05")):
        clock.set(f"{now}T12:00:00+00:00")
        for number, member in enumerate(members):
            response = "a" if number == 0 else "b"
            give(member, f"missed-{name}", response, f"{API}/quizzes/{name}")

    warm_up = organizer.get(AGENDA).json()["warm_up"]

    assert [(item["question"], item["correct"]) for item in warm_up] == [
        ("missed-last-week", 1),
        ("missed-last-month", 1),
    ]
    assert "### To warm up\n\n- [Missed last" in (markdown := organizer.get(f"{AGENDA}.md").text)
    assert "](../quizzes/last-month.md#missed-last-month) (1 of 3 right, 95 %" in markdown


def test_pairs_are_told_by_the_words_of_both(join: Join, organizer: TestClient):
    for name in ("Ada", "Bo", "Cy"):
        give(join(name), "changes", {"a": "An edge.", "b": "A node."})

    markdown = organizer.get(f"{AGENDA}.md").text

    pairs = (("Activation patching", "An edge."), ("Path patching", "A node."))
    told = "; ".join(f"{plain(left)} → {plain(right)}" for left, right in pairs)
    assert f"- 3: {told}\n" in markdown


def test_a_meeting_without_a_quiz_has_nothing_on_its_agenda():
    made = AgendaOut(
        meeting=dt.date(2026, 3, 12), title="A meeting", warm_up=[], items=[], tells_until=None
    )

    assert as_markdown(made, read_content(CONTENT / "docs")) == (
        "## Agenda for 2026-03-12\n\nNo quiz belongs to this meeting.\n"
    )


def test_what_members_wrote_is_text_in_the_agenda(join: Join, organizer: TestClient):
    evil = "<script>x()</script> [a](javascript:x) **b** {fact:example-accuracy}\n# c | d"
    for name in ("Ada", "Bo", "Cy"):
        give(join(name), "the-sum", "<img src=x>", reason=evil)

    markdown = organizer.get(f"{AGENDA}.md").text

    assert "<" not in markdown
    assert "{fact" not in markdown
    one_line = " ".join(evil.split())
    assert render(plain(evil)) == f"<p>{escape(one_line, quote=False)}</p>\n"


def test_only_organizers_see_the_agenda(client: TestClient, member: TestClient):
    assert client.get(AGENDA).status_code == 401
    assert member.get(AGENDA).status_code == member.get(f"{AGENDA}.md").status_code == 403


def test_an_unknown_meeting_is_answered_with_the_nearest(organizer: TestClient):
    reply = organizer.get(f"{API}/meetings/2026-03-11/agenda")
    assert (reply.status_code, reply.json()["code"]) == (404, "not-found")
    assert "did you mean" in reply.json()["detail"]


def test_the_command_prints_the_same(
    readout, invoke, settings: Settings, organizer: TestClient, clock: Clock
):
    clock.set("2026-03-14T12:00:00+00:00")  # the command asks the real clock
    environment = {
        "READOUT_DATABASE_URL": settings.database_url,
        "READOUT_CONTENT_DIR": str(settings.content_dir),
        "READOUT_EXECUTED_DIR": str(settings.executed_dir),
    }

    printed = readout("agenda", "2026-03-12", **environment)

    assert printed.stdout == organizer.get(f"{AGENDA}.md").text
    as_json = invoke("agenda", "2026-03-12", "--json", **environment)
    assert json.loads(as_json.stdout) == organizer.get(AGENDA).json()
    refused = readout("agenda", "2026-03-13", **environment)
    assert (refused.returncode, refused.stderr.startswith("readout: no meeting")) == (1, True)
