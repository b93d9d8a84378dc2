"""Answers: marked, kept, stored once, refused with a reason."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.answers import Answer, Prepared, prepare, record
from api.members import NOBODY, SignIn
from api.telling import AnswerIn, marking_of
from api.wire import Conflict, NotSignedIn
from tests.conftest import API, Clock, Join

QUIZ = f"{API}/quizzes/example"


def answer(question: str = "why-two-layers", response: Any = "a", **more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "question": question, "response": response, **more}


def test_an_answer_is_marked_and_kept(member: TestClient):
    given = answer(certainty=3, reason="The previous token must be known.")

    reply = member.post(f"{QUIZ}/answers", json=given)

    assert reply.status_code == 201
    assert reply.json() == {
        **given,
        "quiz": "example",
        "correct": True,
        "score": 1.0,
        "late": False,
        "feedback": [{"option": "a", "text_html": "<p>Yes, a previous-token head.</p>\n"}],
        "key": "a",
        "why_html": "<p>Only an earlier layer can have written what it matches. "
        "CANARY-WHY-SINGLE</p>\n",
        "source_html": "Olsson et al. 2022, arXiv:2209.11895",
        "answered_at": "2026-03-10T18:00:00Z",
        "tries_left": None,
        "correction": None,
        "provenance": None,
    }
    kept = member.get(f"{QUIZ}/answers")
    assert kept.json() == [reply.json()]


@pytest.mark.parametrize(
    ("question", "response", "score", "correct", "key"),
    [
        ("why-two-layers", "b", 0.0, False, "a"),
        ("linear-parts", ["c", "a"], 1.0, True, ["a", "c"]),
        ("linear-parts", ["a"], 0.5, False, ["a", "c"]),
        ("linear-parts", ["a", "b"], 0.0, False, ["a", "c"]),
        ("linear-parts", [], 0.0, False, ["a", "c"]),
        ("share-right", 0.7510585, 1.0, True, 0.7310585),
        ("share-right", 0.752, 0.0, False, 0.7310585),
        ("share-right", 1, 0.0, False, 0.7310585),
        ("the-sum", "  The RESIDUAL   stream. ", 1.0, True, "residual stream"),
        ("the-sum", "the KV cache", 0.0, False, "residual stream"),
        ("steps", ["e", "b", "c"], 1.0, True, ["e", "b", "c"]),
        ("steps", ["b", "e", "c"], 2 / 3, False, ["e", "b", "c"]),
        ("changes", {"a": "A node.", "b": "An edge."}, 1.0, True, None),
        ("changes", {"a": "A node.", "b": "A node."}, 0.5, False, None),
    ],
)
def test_each_type_is_marked_by_its_own_rule(
    member: TestClient, question: str, response: Any, score: float, correct: bool, key: Any
):
    reply = member.post(f"{QUIZ}/answers", json=answer(question, response)).json()

    assert (reply["score"], reply["correct"]) == (pytest.approx(score), correct)
    assert reply["key"] == (key or {"a": "A node.", "b": "An edge."})


def test_the_same_id_again_is_one_answer_for_ever(member: TestClient, clock: Clock):
    given = answer()

    first = member.post(f"{QUIZ}/answers", json=given)
    again = member.post(f"{QUIZ}/answers", json=given)
    clock.set("2026-05-30T18:00:00+00:00")  # a device that was off for a season
    late = member.post(f"{QUIZ}/answers", json=given)

    assert (first.status_code, again.status_code, late.status_code) == (201, 200, 200)
    assert first.json() == again.json() == late.json()
    assert member.get(f"{QUIZ}/answers").json() == [first.json()]


def test_all_of_an_answer_is_stored(member: TestClient):
    given = answer("linear-parts", ["c", "a"], certainty=2, reason="By heart.")
    given["id"] = "5c2b9b0e-3f1a-4a5e-9a53-0c7f7f3a2d10"
    reply = member.post(f"{QUIZ}/answers", json=given)

    with member.app.state.service.database.read() as session:
        row = session.exec(select(Answer)).one().model_dump()

    service = member.app.state.service
    question = service.content.quizzes["example"].questions[1]
    assert row.pop("key_version") == marking_of(service, question).version
    assert row == {
        "id": given["id"],
        "member_id": member.get(f"{API}/me").json()["id"],
        "quiz": "example",
        "question": "linear-parts",
        "question_version": question.version,
        "attempt": 1,
        "turn": "first",
        "response": '["c", "a"]',
        "certainty": 2,
        "reason": "By heart.",
        "late": False,
        "answered_at": dt.datetime(2026, 3, 10, 18, tzinfo=dt.UTC),
        # What is sent again after an update of the service is still known by it.
        "request_hash": "e5d7f569d1b9409ef861284181442721bcfd0e43b07d9a14b06bb520dc955079",
        "reply": reply.text,
    }


def test_the_same_id_with_another_body_is_refused(member: TestClient):
    given = answer()
    member.post(f"{QUIZ}/answers", json=given)

    reply = member.post(f"{QUIZ}/answers", json={**given, "response": "b"})

    assert reply.status_code == 409
    assert reply.json() == {
        "detail": f"id {given['id']} was used for another answer; make a new one",
        "code": "conflict",
    }
    assert [kept["response"] for kept in member.get(f"{QUIZ}/answers").json()] == ["a"]


def test_an_id_belongs_to_the_member_who_made_it(join: Join):
    given = answer()

    replies = [join(name).post(f"{QUIZ}/answers", json=given).status_code for name in ("Ada", "Bo")]

    assert replies == [201, 201]


def test_answering_again_keeps_both_answers(member: TestClient):
    for response in ("b", "a"):
        assert member.post(f"{QUIZ}/answers", json=answer(response=response)).status_code == 201

    kept = member.get(f"{QUIZ}/answers").json()
    assert [(a["response"], a["correct"]) for a in kept] == [("b", False), ("a", True)]


def test_what_arrives_together_is_told_apart(member: TestClient):
    """Each gets what it would have got alone, whatever becomes of those before it."""
    service = member.app.state.service
    quiz = service.content.quizzes["example"]
    kept, new = answer(reason="Kept."), answer(reason="New.")
    reply = member.post(f"{QUIZ}/answers", json=kept).text
    with service.database.read() as session:
        token = session.exec(select(SignIn)).one().token_hash

    def ready(given: dict[str, Any], of: str = token) -> Prepared:
        read = AnswerIn(**given)
        return prepare(service, quiz, quiz.questions[0], read, of, service.clock())

    together = [
        ready(answer(), "nobody's"),
        ready(kept),
        ready({**kept, "reason": "Another."}),
        ready(new),
        ready(new),
        ready(answer(reason="Last.")),
    ]
    nobody, again, other, first, second, last = service.database.write(
        lambda session: record(session, together)
    )

    assert isinstance(nobody, NotSignedIn) and str(nobody) == NOBODY
    assert again == (reply, False)
    assert isinstance(other, Conflict)
    assert (first, second[1]) == ((second[0], True), False)
    assert json.loads(first[0])["id"] == new["id"]
    assert last[1]
    stored = [each["reason"] for each in member.get(f"{QUIZ}/answers").json()]
    assert stored == ["Kept.", "New.", "Last."]


def test_members_see_their_own_answers_only(join: Join):
    ada, bo = join("Ada"), join("Bo")
    ada.post(f"{QUIZ}/answers", json=answer())

    assert bo.get(f"{QUIZ}/answers").json() == []


@pytest.mark.parametrize(
    ("path", "given", "status", "code", "detail"),
    [
        (
            "example",
            {"response": "z"},
            422,
            "not-offered",
            "'z' is not offered; choose from a, b",
        ),
        (
            "example",
            {"question": "linear-parts", "response": ["a", "z"]},
            422,
            "not-offered",
            "['a', 'z'] is not offered; choose any of a, b, c",
        ),
        (
            "example",
            {"question": "linear-parts", "response": ["a", "a"]},
            422,
            "not-offered",
            "an option stands twice; name each once",
        ),
        (
            "example",
            {"question": "share-right", "response": "much"},
            422,
            "not-offered",
            "'much' is not a number; give one, as 0.5",
        ),
        (
            "example",
            {"question": "the-sum", "response": "  "},
            422,
            "not-offered",
            "an empty answer; give a word or a few",
        ),
        (
            "example",
            {"question": "nope"},
            404,
            "not-found",
            "quiz 'example' has no question 'nope'",
        ),
        ("nope", {}, 404, "not-found", "no quiz is named 'nope'"),
        (
            "example",
            {"certainty": 4},
            422,
            "invalid",
            "certainty: Input should be less than or equal to 3",
        ),
        (
            "example",
            {"certainty": True},
            422,
            "invalid",
            "certainty: Input should be a valid integer",
        ),
        (
            "example",
            {"question": "the-sum", "response": 3},
            422,
            "not-offered",
            "3 is not a text; give a word or a few",
        ),
        ("example", {"mood": "good"}, 422, "invalid", "mood: Extra inputs are not permitted"),
    ],
)
def test_a_refused_answer_says_why(
    member: TestClient, path: str, given: dict[str, Any], status: int, code: str, detail: str
):
    reply = member.post(f"{API}/quizzes/{path}/answers", json={**answer(), **given})

    assert (reply.status_code, reply.json()) == (status, {"detail": detail, "code": code})
    assert member.get(f"{QUIZ}/answers").json() == []


def test_orders_and_matches_must_be_complete(member: TestClient):
    for question, response in [("steps", ["e", "b"]), ("changes", {"a": "A node."})]:
        reply = member.post(f"{QUIZ}/answers", json=answer(question, response))
        assert (reply.status_code, reply.json()["code"]) == (422, "not-offered")


def test_who_has_not_joined_cannot_answer(client: TestClient):
    reply = client.post(f"{QUIZ}/answers", json=answer())

    assert (reply.status_code, reply.json()["code"]) == (401, "not-signed-in")


def test_a_quiz_is_answered_from_its_opening_and_late_after_its_closing(
    member: TestClient, clock: Clock
):
    clock.set("2026-03-05T11:59:59+00:00")
    early = member.post(f"{QUIZ}/answers", json=answer())
    clock.set("2026-03-12T16:00:00+00:00")
    just = member.post(f"{QUIZ}/answers", json=answer())
    clock.set("2026-03-12T16:00:01+00:00")
    late = member.post(f"{QUIZ}/answers", json=answer())

    assert (early.status_code, early.json()) == (
        403,
        {"detail": "this quiz opens at 2026-03-05 12:00 UTC", "code": "not-open"},
    )
    assert (just.json()["late"], late.json()["late"]) == (False, True)


def test_a_stored_answer_is_confirmed_also_by_a_clock_that_was_set_back(
    member: TestClient, clock: Clock
):
    """R7: the reply was lost, and the clock had run ahead."""
    given = answer()
    first = member.post(f"{QUIZ}/answers", json=given)

    clock.set("2026-03-05T11:59:59+00:00")
    again = member.post(f"{QUIZ}/answers", json=given)
    new = member.post(f"{QUIZ}/answers", json=answer())

    assert (again.status_code, again.json()) == (200, first.json())
    assert (new.status_code, new.json()["code"]) == (403, "not-open")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"response": NaN}',
        b'{"id": "x", "question": "share-right", "response": 1e999}',
        b'{"response": ' + b"9" * 5_000 + b"}",
        b'{"response": 99999999999999999999}',
        b'{"response": "\\ud800"}',
        b'{"response": "\\u0000"}',
        b'{"response": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b"\xff\xfe",
        json.dumps({"response": True}).encode(),
        json.dumps({"response": None}).encode(),
        json.dumps({"response": {"a": ["b"]}}).encode(),
    ],
)
def test_no_body_breaks_the_service(member: TestClient, body: bytes):
    if body.startswith(b'{"response"'):
        start = f'{{"id": "{uuid.uuid4()}", "question": "why-two-layers", '.encode()
        body = start + body[1:]
    headers = {"content-type": "application/json"}

    reply = member.post(f"{QUIZ}/answers", content=body, headers=headers)

    assert 400 <= reply.status_code < 500
    assert set(reply.json()) == {"detail", "code"}
    assert member.get(f"{QUIZ}/answers").json() == []


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "-" + "9" * 400]
)
def test_a_number_that_cannot_be_compared_is_refused(member: TestClient, number: str):
    body = f'{{"id": "{uuid.uuid4()}", "question": "share-right", "response": {number}}}'

    reply = member.post(
        f"{QUIZ}/answers", content=body, headers={"content-type": "application/json"}
    )

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert member.get(f"{QUIZ}/answers").json() == []


def test_a_body_over_64_kib_is_refused(member: TestClient):
    reply = member.post(f"{QUIZ}/answers", json=answer(reason="x" * 66_000))

    assert reply.status_code == 413
    assert reply.json() == {
        "detail": "the body is larger than 65536 bytes; send less",
        "code": "too-large",
    }


def test_no_key_is_told_before_the_answer(client: TestClient):
    told = [
        client.get(path).text
        for path in (f"{API}/quizzes", QUIZ, f"{API}/meetings", f"{API}/openapi.json")
    ]

    question_keys = {"id", "type", "stem", "options", "matches", "unit"}
    assert all(set(q) == question_keys for q in client.get(QUIZ).json()["questions"])
    for text in told:
        assert "CANARY" not in text
        assert "0.7310585" not in text
        assert "Yes, a previous-token head" not in text


def test_the_key_is_told_with_the_answer(member: TestClient):
    # Without this, the test above could pass because nothing is ever told.
    reply = member.post(f"{QUIZ}/answers", json=answer("share-right", 0.5))

    assert "CANARY-WHY-NUMBER" in reply.text
    assert "0.7310585" in reply.text


def test_quizzes_are_listed_and_asked(client: TestClient):
    summary = {
        "slug": "example",
        "title": "An example quiz",
        "kind": "meeting",
        "meeting": "2026-03-12",
        "opens_at": "2026-03-05T12:00:00Z",
        "closes_at": "2026-03-12T16:00:00Z",
        "n_questions": 6,
    }
    assert client.get(f"{API}/quizzes").json() == [summary]
    quiz = client.get(QUIZ).json()
    assert {name: quiz[name] for name in summary} == summary
    assert quiz["questions"][0] == {
        "id": "why-two-layers",
        "type": "single",
        "stem": "What does an induction head need from an earlier layer?",
        "options": [
            {"id": "a", "text": "A head that tells each position which token came before it."},
            {"id": "b", "text": "A head that copies each token to the end."},
        ],
        "matches": None,
        "unit": None,
    }
    assert client.get(f"{API}/quizzes/nope").status_code == 404
