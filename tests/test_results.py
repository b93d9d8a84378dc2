"""Results and statistics over the wire: counted, without names, silent below their thresholds."""

import csv
import io
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.export import csv_text
from tests.conftest import API, Clock, Join
from tests.test_answers import answer

QUIZ = f"{API}/quizzes/example"


def results(organizer: TestClient) -> dict[str, dict[str, Any]]:
    reply = organizer.get(f"{QUIZ}/results")
    assert reply.status_code == 200, reply.text
    return {found["question"]: found for found in reply.json()["questions"]}


def give(who: TestClient, question: str, response: Any, **more: Any) -> None:
    reply = who.post(f"{QUIZ}/answers", json=answer(question, response, **more))
    assert reply.status_code == 201, reply.text


def test_results_are_counted_by_hand(join: Join, organizer: TestClient, clock: Clock):
    ada, bo, cy, di = (join(name) for name in ("Ada", "Bo", "Cy", "Di"))
    give(ada, "why-two-layers", "a", certainty=3, reason="Composition.")
    give(bo, "why-two-layers", "b", certainty=3, reason="It copies.")
    give(cy, "why-two-layers", "b", certainty=1)
    give(bo, "why-two-layers", "a", reason="Now I know.")  # a later answer does not count
    clock.set("2026-03-12T16:30:00+00:00")
    give(di, "why-two-layers", "a", reason="Too late.")  # nor does a late one

    found = results(organizer)["why-two-layers"]
    found["reasons"].sort()  # of one moment: their order says nothing
    assert found == {
        "question": "why-two-layers",
        "type": "single",
        "stem": "What does an induction head need from an earlier layer?",
        "n": 3,
        "n_late": 1,
        "correct": 1,
        "score": pytest.approx(1 / 3),
        "difficulty": pytest.approx(1 / 3),
        "interval": pytest.approx([0.0615, 0.7923], abs=1e-4),
        "distribution": [
            {"response": "a", "n": 1, "correct": True},
            {"response": "b", "n": 2, "correct": False},
        ],
        "confident_and_wrong": 1,
        "reasons": ["Composition.", "It copies."],
        "revote": None,
        "reports": [],
        "note": None,
    }


def test_below_three_answers_nothing_points_to_a_person(join: Join, organizer: TestClient):
    for name in ("Ada", "Bo"):
        give(join(name), "share-right", 0.5, reason="A guess.")

    found = results(organizer)["share-right"]

    assert (found["n"], found["note"]) == (2, "not enough answers yet (2 of 3)")
    assert found["distribution"] is found["interval"] is found["difficulty"] is None
    assert found["reasons"] == []


def test_options_of_a_multiple_choice_are_counted_one_by_one(join: Join, organizer: TestClient):
    for name, response in [("Ada", ["a", "c"]), ("Bo", ["a"]), ("Cy", ["b", "a"])]:
        give(join(name), "linear-parts", response)

    found = results(organizer)["linear-parts"]

    assert (found["n"], found["correct"], found["score"]) == (3, 1, 0.5)
    assert [(share["response"], share["n"]) for share in found["distribution"]] == [
        ("a", 3),
        ("b", 1),
        ("c", 1),
    ]


def test_nobody_is_named(join: Join, organizer: TestClient):
    for number in range(3):
        give(join(f"CANARY-NAME-{number}"), "why-two-layers", "a", reason="Because.")

    for path in ("results", "results.csv", "statistics", "statistics.csv", "reports"):
        text = organizer.get(f"{QUIZ}/{path}").text
        assert "CANARY-NAME" not in text
    # The canary sings where it should.
    assert "CANARY-NAME-9" in join("CANARY-NAME-9").get(f"{API}/me").text


@pytest.mark.parametrize("path", ["results", "results.csv", "statistics", "statistics.csv"])
def test_only_organizers_see_results(client: TestClient, member: TestClient, path: str):
    assert client.get(f"{QUIZ}/{path}").status_code == 401
    assert member.get(f"{QUIZ}/{path}").status_code == 403


def test_the_table_holds_the_results(join: Join, organizer: TestClient):
    for name, response in [("Ada", "=1+1"), ("Bo", "=1+1"), ("Cy", "residual stream")]:
        give(join(name), "the-sum", response)

    reply = organizer.get(f"{QUIZ}/results.csv")

    rows = [row for row in csv.DictReader(io.StringIO(reply.text)) if row["question"] == "the-sum"]
    assert reply.headers["content-disposition"] == 'attachment; filename="example.csv"'
    assert [(row["response"], row["response_n"], row["response_correct"]) for row in rows] == [
        ("'=1+1", "2", "false"),
        ("residual stream", "1", "true"),
    ]
    assert {(row["n"], row["correct"]) for row in rows} == {("3", "1")}


def test_the_statistics_are_a_table_too_and_empty_below_their_threshold(
    join: Join, organizer: TestClient
):
    for name, response in [("Ada", "a"), ("Bo", "b"), ("Cy", "a")]:
        give(join(name), "why-two-layers", response)

    reply = organizer.get(f"{QUIZ}/statistics.csv")

    found = {row["question"]: row for row in csv.DictReader(io.StringIO(reply.text))}
    asked = found["why-two-layers"]
    assert (asked["n"], asked["discrimination"]) == ("3", "")
    assert 0 < float(asked["low"]) < float(asked["difficulty"]) < float(asked["high"]) < 1
    assert "not enough answers yet (0 of 20)" in asked["notes"]


def test_a_season_pools_the_quizzes_of_all_meetings(
    client: TestClient, member: TestClient, join: Join, organizer: TestClient
):
    assert (
        client.get(f"{API}/statistics").status_code,
        member.get(f"{API}/statistics").status_code,
    ) == (401, 403)
    give(join("Ada"), "why-two-layers", "a")

    season = organizer.get(f"{API}/statistics").json()

    quizzes = organizer.get(f"{API}/quizzes").json()
    in_meetings = sum(quiz["n_questions"] for quiz in quizzes if quiz["meeting"])
    assert (season["slug"], season["n_people"], len(season["items"])) == ("season", 1, in_meetings)
    assert season["alpha"] is None
    assert "not enough answers yet (0 of 20)" in season["notes"]


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_cell_is_a_formula_and_no_text_is_lost(texts: list[str]):
    table = csv_text([{"text": text} for text in texts])

    read = [row[0] if row else "" for row in csv.reader(io.StringIO(table, newline=""))][1:]

    for text, cell in zip(texts, read, strict=True):
        assert cell in (text, f"'{text}")
        assert not re.match(r"[\s\ufeff\u200b\0]*[=+\-@＝＋－＠]", cell)


@pytest.mark.parametrize("text", ["=1", " +1", "\t=1", "@x", "-2", "＝1", "\r=1", "\u00a0=1"])
def test_what_would_be_a_formula_is_marked_as_text(text: str):
    row = csv_text([{"text": text}]).split("\r\n", 1)[1]
    assert row.lstrip('"').startswith("'")


def test_statistics_say_what_is_missing(join: Join, organizer: TestClient):
    for name in ("Ada", "Bo", "Cy"):
        give(join(name), "why-two-layers", "a")

    reply = organizer.get(f"{QUIZ}/statistics").json()

    first = reply["items"][0]
    assert (first["difficulty"], first["discrimination"], first["efficiency"]) == (1.0, None, None)
    assert first["notes"] == ["not enough answers yet (0 of 20)"]
    assert reply["items"][1]["notes"][0] == "not enough answers yet (0 of 3)"
    assert (reply["alpha"], reply["kr20"], reply["standard_error"]) == (None, None, None)
    assert reply["notes"] == [
        "not enough answers yet (0 of 20)",
        "not enough questions for reliability (6 of 10)",
    ]


def test_own_calibration_counts_own_answers(join: Join):
    ada, bo = join("Ada"), join("Bo")
    give(ada, "why-two-layers", "a", certainty=3)
    give(bo, "why-two-layers", "b", certainty=2)

    reply = ada.get(f"{API}/me/calibration").json()

    assert reply["n"] == 1
    assert reply["levels"][2] == {"certainty": 3, "n": 1, "correct": None, "share": None}
    assert reply["brier"] is None
