"""R7: the machine's clock is wrong, set back, or runs out of bits; what was saved is as it was."""

import uuid

from fastapi.testclient import TestClient

from api.members import sign_in
from tests.conftest import API, Clock, Join

BEGUN = "2026-04-20T18:00:00+00:00"
JUMPS = [
    "2026-03-21T18:00:00+00:00",  # 30 days back
    "2027-05-25T18:00:00+00:00",  # 400 days on
    *("2026-03-29T00:59:59+00:00", "2026-03-29T01:00:00+00:00"),  # summer time in Europe begins
    *("2026-10-25T00:59:59+00:00", "2026-10-25T01:00:00+00:00"),  # and ends
    *("2038-01-19T03:14:07+00:00", "2038-01-19T03:14:08+00:00"),  # 32 bits of seconds
    BEGUN,
]
NOTES, ANSWERS = f"{API}/notes", f"{API}/quizzes/example/answers"


def signed_in_anew(client: TestClient, member_id: str, clock: Clock) -> TestClient:
    """The same member on another device, whatever has become of the first session."""
    database = client.app.state.service.database
    token = database.write(lambda session: sign_in(session, member_id, clock()))
    return TestClient(client.app, headers={"Authorization": f"Bearer {token}"})


def test_what_was_saved_is_known_again_at_any_time(join: Join, clock: Clock):
    """Nothing expires and is let in twice; versions are counted, not dated."""
    clock.set(BEGUN)
    ada = join()
    member_id = ada.get(f"{API}/me").json()["id"]
    note = {"id": str(uuid.uuid4()), "meeting": "2026-03-12", "body": "Version 1."}
    answer = {"id": str(uuid.uuid4()), "question": "the-sum", "response": "residual stream"}
    assert ada.post(NOTES, json=note).status_code == 201
    first = ada.post(ANSWERS, json=answer)
    assert first.status_code == 201

    for version, time in enumerate(JUMPS, 1):
        clock.set(time)
        ada = signed_in_anew(ada, member_id, clock)
        again = ada.post(ANSWERS, json=answer)
        assert (again.status_code, again.text) == (200, first.text), time
        assert ada.post(ANSWERS, json={**answer, "reason": "Another."}).status_code == 409
        assert ada.post(NOTES, json=note).json()["version"] == version
        path, texts = f"{NOTES}/{note['id']}", [f"Version {version + 1}.", "Lost?"]
        saved, stale = (
            ada.put(path, json={"body": text}, headers={"If-Match": f'"{version}"'})
            for text in texts
        )
        assert (saved.status_code, stale.status_code) == (200, 412), time
        assert saved.headers["etag"] == f'"{version + 1}"'

    assert [one["id"] for one in ada.get(ANSWERS).json()] == [answer["id"]]
    kept = ada.get(f"{path}/revisions").json()
    counted = list(range(1, len(JUMPS) + 2))
    assert [one["version"] for one in kept] == counted
    assert [one["body"] for one in kept] == [f"Version {n}." for n in counted]


def test_a_session_ends_by_its_rule_and_by_nothing_else(join: Join, clock: Clock):
    """It is not ended by a clock that was wrong for a while, and not prolonged either."""
    clock.set(BEGUN)
    ada = join()
    for time, status in [
        ("2026-03-21T18:00:00+00:00", 200),
        ("2027-05-25T18:00:00+00:00", 401),  # as if it had rested for 90 days
        (BEGUN, 200),
        ("2026-07-19T18:00:00+00:00", 401),  # 90 days unused
        ("2026-07-19T17:59:59+00:00", 200),
        ("2026-10-17T17:59:58+00:00", 200),
        ("2026-10-17T18:00:00+00:00", 401),  # used just now, and 180 days old
    ]:
        clock.set(time)
        assert ada.get(f"{API}/me").status_code == status, time
