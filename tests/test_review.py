"""Review: what was missed comes back, further and further apart, and nothing else does."""

import datetime as dt
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import API, Clock
from tests.test_answers import QUIZ, answer


def give(member: TestClient, response: Any, question: str = "why-two-layers", **more: Any) -> None:
    reply = member.post(f"{QUIZ}/answers", json=answer(question, response, **more))
    assert reply.status_code == 201, reply.text


def due(member: TestClient) -> list[tuple[str, str]]:
    reply = member.get(f"{API}/review")
    assert reply.status_code == 200, reply.text
    return [(found["question"]["id"], found["why"]) for found in reply.json()]


def days(clock: Clock, n: int) -> None:
    clock.now += dt.timedelta(days=n)


def test_a_missed_question_comes_back_and_a_right_one_does_not(member: TestClient, clock: Clock):
    give(member, "b")
    give(member, ["a", "c"], "linear-parts")
    assert due(member) == []  # not at once

    days(clock, 1)
    (found,) = member.get(f"{API}/review").json()

    assert found["quiz"] == "example"
    assert found["why"] == "missed"
    assert found["due_at"] == found["answered_at"].replace("03-10", "03-11")
    assert found["question"] == member.get(QUIZ).json()["questions"][0]


def test_being_sure_and_wrong_is_said(member: TestClient, clock: Clock):
    give(member, "b", certainty=3)
    days(clock, 1)
    assert due(member) == [("why-two-layers", "sure-and-wrong")]


def test_each_right_answer_puts_it_further_off(member: TestClient, clock: Clock):
    give(member, "b")
    gaps = []
    for _ in range(4):
        gap = 0
        while not due(member):
            days(clock, 1)
            gap += 1
        gaps.append(gap)
        give(member, "a", certainty=3)

    assert gaps == sorted(gaps)
    assert gaps[0] == 1
    assert gaps[-1] >= 7

    give(member, "b")  # missed again: sooner than it would have come
    days(clock, gaps[-1] - 1)
    assert due(member)


def test_a_guess_comes_back_sooner_than_what_was_known(member: TestClient, clock: Clock):
    for question, wrong in (("why-two-layers", "b"), ("linear-parts", ["b"])):
        give(member, wrong, question)
    days(clock, 5)
    give(member, "a", certainty=1)
    give(member, ["a", "c"], "linear-parts", certainty=3)

    order = []
    while len(order) < 2:
        days(clock, 1)
        order += [name for name, _ in due(member) if name not in order]
    assert order[0] == "why-two-layers"


def test_review_is_for_members(client: TestClient):
    assert client.get(f"{API}/review").status_code == 401


@pytest.mark.parametrize("name", ["CANARY", "0.7310585", "Yes, a previous"])
def test_review_tells_no_key(member: TestClient, clock: Clock, name: str):
    for question, wrong in (("why-two-layers", "b"), ("share-right", 0.1)):
        give(member, wrong, question)
    days(clock, 2)
    assert len(due(member)) == 2
    assert name not in member.get(f"{API}/review").text
