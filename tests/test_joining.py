"""Guessing codes: few wrong ones are heard, and no header makes them more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from api import joining
from api.app import create_app
from api.database import Database
from api.members import invite
from api.migrate import migrate
from api.settings import Settings
from tests.conftest import API, Clock

WRONG = {"invite": "a guess", "name": "Eve"}


def code(client: TestClient, clock: Clock) -> str:
    database = client.app.state.service.database
    return database.write(lambda session: invite(session, "Ada", "member", clock()))


def from_(client: TestClient, address: str) -> TestClient:
    return TestClient(client.app, client=(address, 50_000))


def guess(client: TestClient, **headers: str) -> int:
    return client.post(f"{API}/join", json=WRONG, headers=headers).status_code


def test_ten_wrong_codes_from_a_network_are_heard_then_no_code_is(client: TestClient, clock: Clock):
    """T9."""
    good = {"invite": code(client, clock), "name": "Ada"}
    here, neighbour, elsewhere = (
        from_(client, address) for address in ("192.0.2.1", "192.0.2.77", "198.51.100.1")
    )
    assert [guess(here) for _ in range(12)] == [404] * 10 + [429] * 2
    assert here.post(f"{API}/session", json={"code": "GUESS"}).status_code == 429
    refused = neighbour.post(f"{API}/join", json=good)
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many")
    assert refused.headers["retry-after"] == "600"
    assert guess(elsewhere) == 404

    clock.now += timedelta(minutes=10)

    assert here.post(f"{API}/join", json=good).status_code == 201
    assert guess(here) == 404


def test_a_clock_that_was_wrong_locks_nobody_out(client: TestClient, clock: Clock):
    """R7: codes were counted while the clock ran a month ahead; then somebody set it right."""
    right = clock.now
    clock.now += timedelta(days=30)
    assert [guess(client) for _ in range(11)] == [404] * 10 + [429]

    clock.now = right

    good = {"invite": code(client, clock), "name": "Ada"}
    assert client.post(f"{API}/join", json=good).status_code == 201
    assert [guess(client) for _ in range(11)] == [404] * 10 + [429]  # and counted from now on


def test_the_count_is_kept_by_every_worker_and_through_a_restart(client: TestClient, clock: Clock):
    assert [guess(client) for _ in range(11)] == [404] * 10 + [429]

    with TestClient(create_app(client.app.state.service.settings, clock)) as worker:
        assert guess(worker) == 429

    # Nothing is kept beside the table: without its rows, nobody remembers.
    database = client.app.state.service.database
    database.write(lambda session: session.execute(delete(joining.WrongCodes)))
    assert guess(client) == 404


def test_many_networks_together_are_heard_a_limited_number_of_times(
    client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(joining, "MOST_WRONG_OF_ALL", 20)
    heard = [guess(from_(client, f"10.0.{number}.1")) for number in range(22)]
    assert heard == [404] * 20 + [429] * 2
    assert guess(from_(client, "2001:db8::1")) == 429

    clock.now += timedelta(minutes=10)
    assert guess(from_(client, "2001:db8::1")) == 404


def test_at_the_same_moment_no_more_are_heard(client: TestClient):
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda _: guess(client), range(24)))

    assert sorted(heard) == [404] * 10 + [429] * 14


def test_of_eight_who_use_an_invitation_at_once_one_joins(client: TestClient, clock: Clock):
    """T9."""
    given = {"invite": code(client, clock), "name": "Ada"}

    def use(_: int) -> int:
        return TestClient(client.app).post(f"{API}/join", json=given).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(8))) == [201] + [404] * 7


@pytest.mark.parametrize("header", ["x-forwarded-for", "cf-connecting-ip", "x-real-ip"])
def test_a_header_hides_nobody(client: TestClient, header: str):
    """T10: nothing that a request says of its address is believed."""
    heard = [guess(client, **{header: f"203.0.{number}.1"}) for number in range(11)]
    assert heard == [404] * 10 + [429]


def test_a_proxy_that_is_named_says_where_a_request_comes_from(client: TestClient, clock: Clock):
    """T10: the configured peer is believed, and nobody in front of it."""
    settings = client.app.state.service.settings.model_copy(update={"proxies": ("192.0.2.9",)})
    with TestClient(create_app(settings, clock), client=("192.0.2.9", 1)) as proxied:
        one, other = {"x-forwarded-for": "203.0.113.1"}, {"x-forwarded-for": "198.51.100.1"}
        assert [guess(proxied, **one) for _ in range(11)] == [404] * 10 + [429]
        assert guess(proxied, **other) == 404
        # The proxy adds the address that it sees at the end; what a client wrote stands before.
        assert guess(proxied, **{"x-forwarded-for": "10.1.1.1, 203.0.113.1"}) == 429
        direct = TestClient(proxied.app, client=("203.0.113.5", 1))
        assert guess(direct, **other) == 429


def test_a_client_without_an_address_is_counted_too(client: TestClient):
    assert [guess(from_(client, "a socket")) for _ in range(11)] == [404] * 10 + [429]


def test_addresses_of_a_household_count_as_one(client: TestClient):
    near = ["::ffff:192.0.2.5", "192.0.2.6", "2001:db8:0:1::1", "2001:db8:0:2::1"]
    for address in near * 5:
        assert guess(from_(client, address)) == 404
    assert [guess(from_(client, address)) for address in near] == [429] * 4


@pytest.mark.parametrize("blank", ["", " \t "])
@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        ("join", {"invite": "a code", "name": None}, "name"),
        ("join", {"invite": None, "name": "Ada"}, "invite"),
        ("session", {"code": None}, "code"),
    ],
)
def test_what_is_blank_is_called_blank(
    client: TestClient, path: str, given: dict[str, str | None], field: str, blank: str
):
    filled = {name: blank if value is None else value for name, value in given.items()}

    reply = client.post(f"{API}/{path}", json=filled)

    assert (reply.status_code, reply.json()["detail"]) == (
        422,
        f"{field}: is blank; write at least one letter or digit",
    )


def test_the_name_on_an_invitation_goes_when_it_is_used(client: TestClient, clock: Clock):
    used = {"invite": code(client, clock), "name": "Ada"}
    client.post(f"{API}/join", json=used)

    with client.app.state.service.database.read() as session:
        names = session.connection().exec_driver_sql("SELECT name FROM invitation").scalars()
        assert list(names) == [""]


def test_secrets_are_long_and_kept_as_hashes(tmp_path: Path, sqlite_url: str, clock: Clock):
    """T11: nothing in the file opens anything."""
    database = Database(sqlite_url)
    migrate(database)
    database.close()
    settings = Settings(database_url=sqlite_url, base_url="http://testserver")
    with TestClient(create_app(settings, clock)) as client:
        invitation = code(client, clock)
        joined = client.post(f"{API}/join", json={"invite": invitation, "name": "Ada"}).json()
        device = client.post(f"{API}/me/devices").json()["code"]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert len(invitation) == len(joined["token"]) == 32  # 192 bits
    for secret in (invitation, joined["token"], device, device.replace("-", "")):
        assert secret.encode() not in stored
    assert b"Ada" in stored
