"""Answers to a question that has changed, or is asked no more: kept, shown, and not counted."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlmodel import Session

from api import analysis, regrade, tally
from api.answers import ANSWER
from api.service import Service
from tests.conftest import API, Clock, Join
from tests.test_answers import QUIZ, answer


@pytest.fixture
def database_url(newest_sqlite_url: str) -> str:
    """What is asked here is not the database's affair."""
    return newest_sqlite_url


@pytest.fixture
def service(client: TestClient) -> Service:
    return client.app.state.service


def give(who: TestClient, question: str, response: Any, **more: Any) -> None:
    reply = who.post(f"{QUIZ}/answers", json=answer(question, response, **more))
    assert reply.status_code == 201, reply.text


def becomes(service: Service, question: str, /, **values: Any) -> None:
    """Change stored answers, as if they had been given to an earlier form of the question."""
    of_question = sa.update(ANSWER).where(ANSWER.c.question == question)

    def edit(session: Session) -> None:
        session.execute(of_question.values(values))
        tally.rebuild(session)

    service.database.write(edit)


def changes(service: Service) -> list[str]:
    with service.database.read() as session:
        return [str(change).partition(": ")[2] for change in regrade.changes(session, service)]


def test_an_option_that_is_offered_no_more_counts_nowhere(
    member: TestClient, organizer: TestClient, service: Service, clock: Clock
):
    give(member, "why-two-layers", "b")
    give(organizer, "why-two-layers", "b")
    becomes(service, "why-two-layers", response=json.dumps("z"), key_version="earlier")
    clock.set("2026-03-12T12:00:00+00:00")

    assert organizer.get(f"{QUIZ}/results").json()["questions"][0]["n"] == 0
    assert organizer.get(f"{QUIZ}/statistics").json()["items"][0]["n"] == 0
    assert changes(service) == [
        "why-two-layers: of 2 answers with an earlier key, none would change"
    ]


def test_what_was_told_stays_when_a_question_is_asked_no_more(
    member: TestClient, service: Service, clock: Clock
):
    give(member, "why-two-layers", "b")
    becomes(service, "why-two-layers", question="asked-once")
    clock.set("2026-03-14T12:00:00+00:00")

    (kept,) = member.get(f"{QUIZ}/answers").json()
    assert (kept["correct"], kept["key"], kept["correction"]) == (False, "a", None)


def test_an_answer_to_options_of_another_edition_is_not_reviewed(
    member: TestClient, service: Service, clock: Clock
):
    give(member, "linear-parts", ["b"])
    told = json.loads(member.get(f"{QUIZ}/answers").text)[0]
    becomes(service, "linear-parts", reply=json.dumps({**told, "response": ["z"]}))
    clock.set("2026-03-14T12:00:00+00:00")

    assert member.get(f"{API}/review").json() == []


def test_without_a_key_nothing_is_reviewed_or_marked_again(
    member: TestClient, service: Service, clock: Clock
):
    give(member, "share-right", 0.1)
    becomes(service, "share-right", key_version="earlier")
    service.content.facts.clear()
    clock.set("2026-03-14T12:00:00+00:00")

    assert member.get(f"{API}/review").json() == []
    assert changes(service) == []


def test_a_regrade_counts_what_moves_and_leaves_out_what_was_not_told(join: Join, service: Service):
    given = {"Ada": ["a", "c"], "Bo": ["a"], "Cy": ["b"], "Di": ["c"]}  # hers stays as it is
    for name, response in given.items():
        give(join(name), "linear-parts", response)
    becomes(service, "linear-parts", key_version="earlier")

    def edit(session: Session) -> None:
        for row in session.execute(sa.select(ANSWER.c.id, ANSWER.c.response, ANSWER.c.reply)):
            told = json.loads(row.reply)
            told |= {'["a", "c"]': {"correct": False, "score": 0.5}}.get(row.response, {})
            told |= {'["a"]': {"score": 0.25}, '["b"]': {"correct": None}}.get(row.response, {})
            session.execute(
                sa.update(ANSWER).where(ANSWER.c.id == row.id).values(reply=json.dumps(told))
            )

    service.database.write(edit)

    assert changes(service) == [
        "linear-parts: of 4 answers with an earlier key, 1 from wrong to right, 1 to another score"
    ]


def test_a_large_group_is_analysed_by_a_sample(
    join: Join, organizer: TestClient, monkeypatch: pytest.MonkeyPatch
):
    for name in ("Ada", "Bo", "Cy"):
        give(join(name), "why-two-layers", "a")
    assert organizer.get(f"{QUIZ}/statistics").json()["n_people"] == 3

    monkeypatch.setattr(analysis, "LARGEST_SAMPLE", 2)

    assert organizer.get(f"{QUIZ}/statistics").json()["n_people"] == 2


def test_a_season_without_a_meeting_quiz_is_not_there(organizer: TestClient, service: Service):
    service.content.quizzes.clear()
    reply = organizer.get(f"{API}/statistics")
    assert (reply.status_code, reply.json()["detail"]) == (404, "no meeting has a quiz yet")
