"""A quiz before, in and after its meeting: votes held back, votes again, tries, corrections."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select
from typer.testing import Result

from api.answers import Answer, prepare, record
from api.app import create_app
from api.members import SignIn
from api.regrade import Correction, changes, note
from api.settings import Settings
from api.tally import Tally, rebuild
from api.telling import AnswerIn
from api.wire import NoMoreTries
from tests.conftest import API, CONTENT, Clock, Join

QUIZ = f"{API}/quizzes/around"
OPEN, IN_MEETING, AFTER = (
    "2026-03-10T18:00:00+00:00",
    "2026-03-12T17:00:00+00:00",
    "2026-03-13T12:00:00+00:00",
)
SOURCE = """---
title: Around the meeting
kind: meeting
meeting: 2026-03-12
opens_at: 2026-03-05T12:00:00Z
closes_at: 2026-03-12T16:00:00Z
tries: 2
---

## Which one is voted on? {#voted}

- [x] (a) This one.
    > CANARY-FEEDBACK
- [ ] (b) That one.

```yaml
type: single
vote: true
why: CANARY-WHY
source: CANARY-SOURCE
```

## Which one is tried? {#tried}

- [x] (a) This one.
- [ ] (b) That one.
    > Not that one.
- [ ] (c) Neither.

```yaml
type: single
why: CANARY-TRIED
source: Nowhere
```

## Which number was measured? {#measured}

```yaml
type: number
key: {fact: example-accuracy}
tolerance: {absolute: 0.02}
why: The notebook says so.
source: The example notebook
```

## Which ones are scored? {#scored}

- [x] (a) One.
- [x] (b) Two.
- [ ] (c) Three.

```yaml
type: multiple
why: So.
source: Nowhere
```
"""


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A folder of content with a quiz of our own, which a test may change."""
    folder = tmp_path / "content"
    shutil.copytree(CONTENT, folder)
    (folder / "docs" / "quizzes" / "around.md").write_text(SOURCE)
    return folder


@pytest.fixture
def settings(database_url: str, tmp_path: Path, content: Path) -> Settings:
    return Settings(
        database_url=database_url,
        content_dir=content / "docs",
        executed_dir=content / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
    )


def give(client: TestClient, question: str, response: Any = "a", **more: Any) -> dict[str, Any]:
    given = {"id": str(uuid.uuid4()), "question": question, "response": response, **more}
    reply = client.post(f"{QUIZ}/answers", json=given)
    return {"status": reply.status_code, "text": reply.text, **reply.json()}


def kept(client: TestClient) -> list[dict[str, Any]]:
    return client.get(f"{QUIZ}/answers").json()


def turns(client: TestClient) -> list[str]:
    with client.app.state.service.database.read() as session:
        rows = session.exec(select(Answer).order_by(Answer.answered_at, Answer.attempt)).all()
        return [row.turn for row in rows]


Restarted = Callable[..., TestClient]


@pytest.fixture
def restarted(settings: Settings, clock: Clock, content: Path) -> Restarted:
    """The same service after an edit of its content, as the given member sees it."""

    def restart(member: TestClient, old: str, new: str, path: str = "docs/quizzes/around.md"):
        text = (content / path).read_text()
        assert old in text
        (content / path).write_text(text.replace(old, new))
        again = TestClient(create_app(settings, clock))
        again.cookies = member.cookies
        return again

    return restart


def test_a_vote_is_held_back_until_the_member_votes_again(join: Join, clock: Clock):
    ada, bo = join("Ada"), join("Bo")
    right, wrong = give(ada, "voted", "a"), give(bo, "voted", "b")

    # Nothing that is told depends on the key, and none of it is told.
    for reply in (right, wrong):
        assert reply["correct"] is reply["score"] is reply["key"] is None
        assert (reply["feedback"], reply["why_html"], reply["source_html"]) == ([], "", "")
        assert "CANARY" not in reply["text"]
    assert len(right["text"]) == len(wrong["text"])
    assert "CANARY" not in ada.get(f"{QUIZ}/answers").text
    assert "CANARY" not in ada.get(f"{API}/me/export").text

    clock.set(IN_MEETING)
    assert kept(bo)[0]["correct"] is None
    again = give(bo, "voted", "a")
    assert (again["correct"], again["key"], again["late"]) == (True, "a", True)
    assert "CANARY-FEEDBACK" in again["text"]
    assert [answer["correct"] for answer in kept(bo)] == [False, True]
    assert kept(ada)[0]["correct"] is None  # who has not voted again must wait
    assert turns(ada) == ["first", "first", "revote"]

    clock.set(AFTER)
    assert kept(ada)[0]["correct"] is True
    assert "CANARY-WHY" in ada.get(f"{QUIZ}/answers").text


def test_a_second_vote_before_the_meeting_tells_no_more_than_the_first(member: TestClient):
    for response in ("b", "a"):
        told = give(member, "voted", response)
        assert told["correct"] is told["score"] is told["key"] is None
        assert "CANARY" not in told["text"]


def test_who_votes_only_in_the_meeting_votes_before_the_key_is_told(
    member: TestClient, clock: Clock
):
    clock.set(IN_MEETING)

    first, again = give(member, "voted", "b"), give(member, "voted", "a")

    assert (first["correct"], first["late"]) == (None, True)
    assert again["correct"] is True
    assert give(member, "voted", "b")["correct"] is False  # the key is known: no vote any more
    assert turns(member) == ["first", "revote", "again"]


def test_a_retry_gets_the_first_reply_even_after_the_meeting(member: TestClient, clock: Clock):
    given = {"id": str(uuid.uuid4()), "question": "voted", "response": "a"}
    first = member.post(f"{QUIZ}/answers", json=given)
    clock.set(AFTER)

    assert member.post(f"{QUIZ}/answers", json=given).json() == first.json()


def test_the_key_comes_with_the_last_try(member: TestClient, clock: Clock):
    first, second = give(member, "tried", "b"), give(member, "tried", "c")
    third = give(member, "tried", "a")

    assert (first["correct"], first["tries_left"], first["key"]) == (False, 1, None)
    assert first["feedback"][0]["text_html"] == "<p>Not that one.</p>\n"
    assert "CANARY" not in first["text"]
    assert (second["correct"], second["tries_left"], second["key"]) == (False, 0, "a")
    assert (third["status"], third["code"]) == (409, "no-tries-left")
    assert third["detail"] == "all 2 tries are used; try again after the meeting"
    assert [answer["key"] for answer in kept(member)] == [None, "a"]

    clock.set(AFTER)
    assert give(member, "tried", "a")["status"] == 201  # practice


def test_a_right_answer_ends_the_tries(member: TestClient):
    assert give(member, "tried", "a")["key"] == "a"
    refused = give(member, "tried", "b")
    assert refused["code"] == "no-tries-left"
    assert refused["detail"] == "answered rightly already; try again after the meeting"


def test_tries_are_counted_among_answers_that_arrive_together(member: TestClient):
    service = member.app.state.service
    quiz = service.content.quizzes["around"]
    asked = {question.id: question for question in quiz.questions}
    with service.database.read() as session:
        token = session.exec(select(SignIn)).one().token_hash
    given = [("tried", "b"), ("tried", "c"), ("tried", "a"), ("measured", 0.5)]
    together = [
        prepare(
            service,
            quiz,
            asked[question],
            AnswerIn(id=uuid.uuid4(), question=question, response=response),
            token,
            service.clock(),
        )
        for question, response in given
    ]

    *told, refused, other = service.database.write(lambda session: record(session, together))

    assert [json.loads(reply)["tries_left"] for reply, _ in told] == [1, 0]
    assert isinstance(refused, NoMoreTries)
    assert other[1]
    assert [answer["response"] for answer in kept(member)] == [0.5, "b", "c"]


def test_tries_are_counted_in_the_meeting_too(member: TestClient, clock: Clock):
    assert give(member, "tried", "b")["tries_left"] == 1

    clock.set(IN_MEETING)
    last = give(member, "tried", "c")
    assert (last["tries_left"], last["key"]) == (0, "a")


def test_an_answer_to_a_question_that_was_taken_out_is_still_listed(
    member: TestClient, restarted: Restarted
):
    give(member, "tried", "b")
    give(member, "measured", 0.5)

    without = restarted(member, "{#tried}", "{#other}")

    assert [answer["question"] for answer in kept(without)] == ["measured", "tried"]
    assert without.get(f"{API}/quizzes/example/answers").json() == []


def test_a_mended_stem_continues_and_a_changed_one_begins_anew(
    member: TestClient, restarted: Restarted
):
    give(member, "tried", "b")
    type_ = "type: single\nwhy: CANARY-TRIED"

    mended = restarted(member, type_, f"revision: cosmetic\n{type_}")
    mended = restarted(member, "Which one is tried?", "Which one is tried now?")
    assert give(mended, "tried", "b")["tries_left"] == 0
    told = kept(mended)

    changed = restarted(member, "revision: cosmetic", "revision: meaning")
    changed = restarted(member, "Which one is tried now?", "Which other one is tried?")
    assert give(changed, "tried", "b")["tries_left"] == 1
    assert turns(changed) == ["first", "again", "first"]
    assert kept(changed)[:2] == told  # what was asked then stays as it was told


def test_a_corrected_key_is_explained_to_who_had_answered(
    member: TestClient, restarted: Restarted, clock: Clock
):
    give(member, "measured", 0.73)
    clock.set(AFTER)
    assert kept(member)[0]["correction"] is None
    why = "changed: The notebook had counted one prompt twice."

    moved = restarted(member, "0.7310585", "0.5", "executed/00_example.ipynb")
    moved = restarted(member, "why: The notebook says so.", f"why: It says so.\n{why}")

    answer = kept(moved)[0]
    assert (answer["correct"], answer["score"], answer["key"]) == (False, 0.0, 0.5)
    assert answer["correction"] == {
        "correct": True,
        "score": 1.0,
        "why": "The notebook had counted one prompt twice.",
        "noted_at": None,
    }
    assert answer["provenance"] == [
        {
            "fact": "example-accuracy",
            "value": 0.5,
            "tolerance": 0.01,
            "notebook": "00_example",
            "notebook_key": "0000",
            "model": "example",
        }
    ]


def test_a_regrade_says_what_changes_and_notes_it_once(
    join: Join, restarted: Restarted, clock: Clock
):
    ada, bo = join("Ada"), join("Bo")
    give(ada, "measured", 0.73)
    give(bo, "measured", 0.5)
    give(bo, "tried", "a")
    service = ada.app.state.service
    with service.database.read() as session:
        assert list(changes(session, service)) == []

    moved = restarted(ada, "0.7310585", "0.5", "executed/00_example.ipynb")
    service = moved.app.state.service
    with service.database.read() as session:
        made = list(changes(session, service))

    assert [(c.question.id, c.n, c.to_right, c.to_wrong) for c in made] == [("measured", 2, 1, 1)]
    said = (
        "measured: of 2 answers with an earlier key, 1 from wrong to right, 1 from right to wrong"
    )
    assert str(made[0]).endswith(said)
    for _ in range(2):
        assert service.database.write(lambda session: note(session, made, clock())) == 2
    assert kept(moved)[0]["correction"]["noted_at"] == "2026-03-10T18:00:00Z"
    with service.database.read() as session:
        assert len(session.exec(select(Correction)).all()) == 1


def test_a_regrade_counts_another_score_and_leaves_what_was_not_told(
    join: Join, restarted: Restarted
):
    ada = join("Ada")
    give(ada, "scored", ["a"])
    give(ada, "voted", "b")

    moved = restarted(ada, "- [ ] (c) Three.", "- [x] (c) Three.")
    moved = restarted(
        ada,
        "- [x] (a) This one.\n    > CANARY-FEEDBACK\n- [ ] (b)",
        "- [ ] (a) This one.\n    > CANARY-FEEDBACK\n- [x] (b)",
    )

    service = moved.app.state.service
    with service.database.read() as session:
        voted, scored = changes(session, service)
    assert (voted.question.id, voted.n, voted.n_changed) == ("voted", 1, 0)
    assert str(voted).endswith("of 1 answers with an earlier key, none would change")
    assert (scored.question.id, scored.n, scored.to_another_score) == ("scored", 1, 1)
    assert str(scored).endswith("of 1 answers with an earlier key, 1 to another score")


def test_an_answer_to_an_option_that_is_gone_stays_as_it_was_told(
    join: Join, organizer: TestClient, restarted: Restarted, clock: Clock
):
    ada = join("Ada")
    give(ada, "tried", "c")
    told = kept(ada)
    assert ada.get(f"{API}/review").json() == []
    type_ = "type: single\nwhy: CANARY-TRIED"

    restarted(ada, type_, f"revision: cosmetic\n{type_}")
    mended = restarted(
        ada,
        "- [x] (a) This one.\n- [ ] (b) That one.\n    > Not that one.\n- [ ] (c) Neither.\n",
        "- [ ] (a) This one.\n- [x] (b) That one.\n",
    )

    assert kept(mended) == told
    service = mended.app.state.service
    with service.database.read() as session:
        (change,) = changes(session, service)
    assert (change.question.id, change.n, change.n_changed) == ("tried", 1, 0)
    clock.set("2026-03-20T12:00:00+00:00")
    assert mended.get(f"{API}/review").json() == []
    mended.cookies = organizer.cookies
    assert mended.get(f"{QUIZ}/results").json()["questions"][1]["n"] == 0


def test_votes_in_the_meeting_are_compared_with_those_before(
    join: Join, organizer: TestClient, clock: Clock
):
    members = [join(name) for name in ("Ada", "Bo", "Cy")]
    for member, response in zip(members, "abb", strict=True):
        give(member, "voted", response)
    clock.set(IN_MEETING)
    for member, response in zip(members, "aab", strict=True):
        give(member, "voted", response)
    give(join("Di"), "voted", "a")  # who has not voted before

    found = organizer.get(f"{QUIZ}/results").json()["questions"][0]

    assert (found["n"], found["n_late"], found["correct"]) == (3, 1, 1)
    # Half of what two thirds could gain.
    assert found["revote"] == {"n": 3, "correct": 2, "gain": pytest.approx(0.5)}
    agenda = organizer.get(f"{API}/meetings/2026-03-12/agenda.md").text
    assert (
        "Late, and not counted: 1. In the meeting: 2 of 3 right, normalized gain 0.50.\n" in agenda
    )


def test_the_command_for_a_regrade_says_the_same(
    readout: Callable[..., subprocess.CompletedProcess[str]],
    join: Join,
    restarted: Restarted,
    settings: Settings,
):
    ada = join("Ada")
    give(ada, "tried", "b")
    restarted(
        ada,
        "- [x] (a) This one.\n- [ ] (b) That one.\n    >",
        "- [ ] (a) This one.\n- [x] (b) That one.\n    >",
    )
    environment = {
        "READOUT_DATABASE_URL": settings.database_url,
        "READOUT_CONTENT_DIR": str(settings.content_dir),
        "READOUT_EXECUTED_DIR": str(settings.executed_dir),
    }

    # In a process of its own: what it needs, it has to import itself.
    dry, done = (readout("regrade", *dry, **environment) for dry in (["--dry-run"], []))

    said = "tried: of 1 answers with an earlier key, 1 from wrong to right\n"
    assert (dry.returncode, dry.stderr, dry.stdout.endswith(said)) == (0, "", True)
    assert done.stdout == f"{dry.stdout}noted for 1 answer\n"


def test_the_command_for_a_regrade_says_that_nothing_moved(
    invoke: Callable[..., Result], member: TestClient, settings: Settings
):
    give(member, "tried", "b")

    done = invoke(
        "regrade",
        "--dry-run",
        READOUT_DATABASE_URL=settings.database_url,
        READOUT_CONTENT_DIR=str(settings.content_dir),
        READOUT_EXECUTED_DIR=str(settings.executed_dir),
    )

    assert done.stdout == "every stored answer was marked with the key of today\n"


def test_a_key_that_goes_missing_leaves_answers_and_results_readable(
    member: TestClient, organizer: TestClient, restarted: Restarted, clock: Clock
):
    give(member, "measured", 0.3)
    told = kept(member)

    without = restarted(member, "fact: example-accuracy", "fact: nowhere")
    assert kept(without) == told
    assert give(without, "measured", 0.73)["code"] == "no-key"
    service = without.app.state.service
    with service.database.read() as session:
        assert list(changes(session, service)) == []
    clock.set("2026-03-20T12:00:00+00:00")
    assert [due["question"]["id"] for due in member.get(f"{API}/review").json()] == ["measured"]
    assert without.get(f"{API}/review").json() == []
    without.cookies = organizer.cookies
    found = without.get(f"{QUIZ}/results").json()["questions"][2]
    assert (found["question"], found["n"]) == ("measured", 0)
    assert without.get(f"{QUIZ}/statistics").status_code == 200


def test_answers_stay_with_a_question_that_moves(
    member: TestClient, restarted: Restarted, content: Path
):
    give(member, "tried", "b")
    text = (content / "docs/quizzes/around.md").read_text()
    start, end = text.index("## Which one is tried"), text.index("## Which number")
    moving = text[start:end]
    (content / "docs/quizzes/example.md").write_text(
        (content / "docs/quizzes/example.md").read_text() + "\n" + moving
    )

    moved = restarted(member, moving, "")

    answers = moved.get(f"{API}/quizzes/example/answers").json()
    assert [(answer["question"], answer["response"]) for answer in answers] == [("tried", "b")]


def test_of_equal_requests_at_once_one_is_stored(member: TestClient):
    given = {"id": str(uuid.uuid4()), "question": "measured", "response": 0.5}

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: member.post(f"{QUIZ}/answers", json=given), range(8)))

    assert sorted(reply.status_code for reply in replies) == [200] * 7 + [201]
    assert len({reply.text for reply in replies}) == 1


def test_answers_at_once_are_counted_one_by_one(join: Join):
    """Attempts are numbered without a gap, and the tally is what the answers say."""
    members = [join(f"member {number}") for number in range(4)]

    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda n: give(members[n % 4], "measured", n % 3, certainty=1), range(24))
        )
    assert {reply["status"] for reply in replies if reply.get("code") != "no-tries-left"} == {201}

    database = members[0].app.state.service.database

    def counts(session: Session) -> dict[tuple[Any, ...], int]:
        rows = session.exec(select(Tally)).all()
        return {(r.question, r.question_version, r.turn, r.response): r.n for r in rows}

    with database.read() as session:
        kept_beside = counts(session)
        stored = session.exec(select(Answer)).all()
        by_member: dict[str, list[int]] = {}
        for row in stored:
            by_member.setdefault(row.member_id, []).append(row.attempt)
            assert row.response == json.dumps(json.loads(row.response))
    assert all(sorted(found) == [1, 2] for found in by_member.values())
    assert sum(kept_beside.values()) == len(stored) == 8
    database.write(rebuild)
    with database.read() as session:
        assert counts(session) == kept_beside


def test_a_problem_reaches_the_organizers_without_a_name(member: TestClient, organizer: TestClient):
    path = f"{QUIZ}/questions/tried/reports"
    given = {"id": str(uuid.uuid4()), "text": "Both are right."}

    assert [member.post(path, json=given).status_code for _ in range(2)] == [201, 200]
    assert member.post(path, json={**given, "text": "No."}).status_code == 409
    assert member.get(f"{QUIZ}/reports").status_code == 403

    (report,) = organizer.get(f"{QUIZ}/reports").json()
    assert report == {
        "id": given["id"],
        "question": "tried",
        "text": "Both are right.",
        "reported_at": "2026-03-10T18:00:00Z",
        "outdated": False,
    }
    assert organizer.delete(f"{API}/reports/{given['id']}").status_code == 204
    assert organizer.get(f"{QUIZ}/reports").json() == []
    assert organizer.delete(f"{API}/reports/{uuid.uuid4()}").status_code == 404
