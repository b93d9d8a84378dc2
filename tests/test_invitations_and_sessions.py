"""Invitations and sessions to the second and to the letter, without a request around them."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select
from starlette.requests import Request

from api import members
from api.database import Busy, Database, Failed
from api.engines import sqlite_driver
from api.members import Invitation, JoinIn, Member, MemberOut, SignIn, hash_of
from api.wire import NotAllowed, NotSignedIn
from tests.conftest import settle

NOW = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)
SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
NOBODY = "not signed in; use your join link, or a code from another device or an organizer"


@pytest.fixture
def database(newest_sqlite_url: str) -> Iterator[Database]:
    database = Database(newest_sqlite_url)
    yield database
    database.close()


def codes(session: Session) -> set[str]:
    return set(session.exec(select(Invitation.code_hash)))


def joined(session: Session, name: str = "Ada", now: dt.datetime = NOW) -> tuple[str, str]:
    """The id of a new member, and the token of a session."""
    code = members.invite(session, name, "member", now)
    session.flush()
    out = members.join(session, JoinIn(invite=code, name=name), now)
    assert out
    return out.member.id, out.token


def test_an_invitation_forgets_those_that_nobody_used_in_time(database: Database):
    def job(session: Session) -> None:
        old = members.invite(session, "Never came", "member", NOW - members.INVITATION_LASTS)
        open_ = members.invite(
            session, "May come", "member", NOW - members.INVITATION_LASTS + SECOND
        )
        session.flush()
        used = members.invite(session, "Ada", "member", NOW - members.INVITATION_LASTS)
        session.flush()
        early = NOW - members.INVITATION_LASTS
        assert members.join(session, JoinIn(invite=used, name="Ada"), early)
        assert codes(session) == {hash_of(code) for code in (old, open_, used)}

        new = members.invite(session, "Bo", "organizer", NOW)
        session.flush()

        assert codes(session) == {hash_of(code) for code in (open_, used, new)}
        made = session.get(Invitation, hash_of(new))
        assert made and (made.name, made.role, made.member_id) == ("Bo", "organizer", None)
        assert made.expires_at - made.made_at == dt.timedelta(days=14)

    database.write(job)


def test_the_invitation_of_the_first_organizer_names_nobody(database: Database):
    code = database.write(lambda session: members.invite_first_organizer(session, NOW))
    assert code
    with database.read() as session:
        made = session.get(Invitation, hash_of(code))
        assert made and (made.name, made.role) == ("", "organizer")


def test_a_new_link_of_the_first_organizer_ends_its_forerunner_and_no_invitation(
    database: Database,
):
    def job(session: Session) -> None:
        first = members.invite_first_organizer(session, NOW)
        invited = members.invite(session, "Ada", "organizer", NOW)
        second = members.invite_first_organizer(session, NOW + SECOND)
        session.flush()
        assert first and second
        assert members.use_up(session, first, NOW + SECOND, device=False) is None
        for code in (invited, second):
            assert members.use_up(session, code, NOW + SECOND, device=False)

    database.write(job)


def test_a_session_begins_without_a_name_for_its_device(database: Database):
    member_id, token = database.write(joined)
    with database.read() as session:
        made = session.get(SignIn, hash_of(token))
        assert made and made.device == ""
        assert (made.made_at, made.used_at) == (NOW, NOW)
        assert made.expires_at - NOW == dt.timedelta(days=180)
    given = database.write(lambda session: members.sign_in(session, member_id, NOW))
    with database.read() as session:
        again = session.get(SignIn, hash_of(given))
        assert again and again.device == ""


def test_ending_the_sessions_of_a_member_ends_those_of_no_other(database: Database):
    def job(session: Session) -> None:
        ada, bo = joined(session, "Ada"), joined(session, "Bo")
        invitation = members.invite(session, "Cy", "member", NOW)
        for member_id, code in ((ada[0], "of Ada"), (bo[0], "of Bo")):
            lasting = {"made_at": NOW, "expires_at": NOW + HOUR}
            row = Invitation(code_hash=code, member_id=member_id, name="", role="", **lasting)
            session.add(row)
        session.flush()
        before = codes(session)

        members.end_sessions(session, ada[0])

        assert set(session.exec(select(SignIn.token_hash))) == {hash_of(bo[1])}
        assert codes(session) == before - {"of Ada"}
        assert {"of Bo", hash_of(invitation)} < codes(session)

    database.write(job)


def test_taking_invitations_back_takes_those_of_one_that_nobody_used(database: Database):
    def job(session: Session) -> None:
        ada, bo = joined(session, "Ada")[0], joined(session, "Bo")[0]
        made = {
            (maker, n): members.invite(session, "Cy", "member", NOW, maker)
            for maker in (ada, bo)
            for n in range(2)
        }
        by_hand = members.invite(session, "Di", "organizer", NOW)
        session.flush()
        before = codes(session)
        assert members.use_up(session, made[ada, 1], NOW, device=False)

        members.end_invitations(session, ada)

        assert codes(session) == before - {hash_of(made[ada, 0])}
        assert hash_of(by_hand) in codes(session)

    database.write(job)


# The use of a session -----------------------------------------------------------------------------


def used_at(database: Database, token: str) -> dt.datetime:
    with database.read() as session:
        row = session.get(SignIn, hash_of(token))
        assert row
        return row.used_at


@pytest.fixture
def settled() -> None:
    """Not here, where it is looked at."""


def find_and_wait(database: Database, token: str, now: dt.datetime) -> MemberOut | None:
    """Until the use is noted too, for which a reader does not wait."""
    found = asyncio.run(members.find_member(database, token, now))
    settle(database)
    return found


@pytest.mark.parametrize(("later", "noted"), [(HOUR - SECOND, False), (HOUR, True)])
def test_the_last_use_is_noted_once_an_hour(database: Database, later: dt.timedelta, noted: bool):
    member_id, token = database.write(joined)
    now = NOW + later

    found = find_and_wait(database, token, now)

    assert found == MemberOut(id=member_id, name="Ada", role="member")
    assert used_at(database, token) == (now if noted else NOW)


@pytest.mark.parametrize(("later", "noted"), [(HOUR - SECOND, False), (HOUR, True)])
def test_answering_is_a_use_too(database: Database, later: dt.timedelta, noted: bool):
    member_id, token = database.write(joined)
    _, other = database.write(lambda session: joined(session, "Bo", NOW + later))
    now = NOW + later

    asked = [hash_of(token), hash_of("of nobody")]
    found = database.write(lambda session: members.find_members(session, asked, now))

    assert found == {hash_of(token): member_id}
    assert used_at(database, token) == (now if noted else NOW)
    assert used_at(database, other) == now


@pytest.mark.parametrize(
    "error", [Busy("full"), Failed("gone"), DBAPIError("UPDATE", {}, Exception("full"))]
)
def test_who_reads_need_not_wait_for_a_disk_that_is_full(
    database: Database, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    member_id, token = database.write(joined)

    def refuse(*_: Any) -> None:
        raise error

    from_the_disk = isinstance(error, DBAPIError)
    monkeypatch.setattr(*((members, "note_use") if from_the_disk else (database, "_wait")), refuse)
    found = find_and_wait(database, token, NOW + HOUR)

    assert found and found.id == member_id
    assert used_at(database, token) == NOW


def test_who_reads_waits_for_no_program_that_holds_the_database(database: Database):
    member_id, token = database.write(joined)

    with closing(sqlite_driver().connect(database.url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            found = asyncio.run(members.find_member(database, token, NOW + HOUR))
            assert found and found.id == member_id
            assert len(database.soon) == 1, "one is enough"
        assert used_at(database, token) == NOW
    settle(database)
    assert used_at(database, token) == NOW + HOUR


def test_a_token_of_nobody_is_nobody(database: Database):
    assert asyncio.run(members.find_member(database, "guess", NOW)) is None


# Where the token stands ---------------------------------------------------------------------------


def service(*, is_https: bool = True) -> Any:
    return SimpleNamespace(settings=SimpleNamespace(is_https=is_https), database=None)


def request(cookies: str = "", authorization: str | None = None) -> Request:
    given = {"cookie": cookies, "authorization": authorization}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return Request({"type": "http", "headers": headers})


def test_the_cookie_belongs_to_this_host_wherever_that_can_be_said():
    assert members.cookie_name(service(is_https=True)) == "__Host-readout"
    assert members.cookie_name(service(is_https=False)) == "readout"


COOKIE = "readout=http; __Host-readout=https"


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        (None, "https"),
        ("Bearer t", "t"),
        ("bEARER t", "t"),
        ("Bearer   t  ", "t"),
        ("Bearer ", "https"),
        ("Bearer", "https"),
        ("Basic t", "https"),
        ("t", "https"),
    ],
)
def test_a_program_says_its_token_and_a_browser_has_it_in_a_cookie(
    authorization: str | None, token: str
):
    hashed = members.token_hash(request(COOKIE, authorization), service())
    assert hashed == hash_of(token)


def test_without_a_token_the_way_in_is_told():
    with pytest.raises(NotSignedIn) as refused:
        members.token_hash(request("other=x"), service())
    assert refused.value.detail == NOBODY
    with pytest.raises(NotSignedIn) as refused:
        asyncio.run(members.signed_in(request(), service(), NOW))
    assert refused.value.detail == NOBODY


def test_only_an_organizer_organizes():
    ada = MemberOut(id="1", name="Ada", role="organizer")
    assert asyncio.run(members.organizing(ada)) == ada
    with pytest.raises(NotAllowed) as refused:
        asyncio.run(members.organizing(ada.model_copy(update={"role": "member"})))
    assert refused.value.detail == "only an organizer may do this"


def test_signing_out_ends_the_session_that_asks_and_no_other(database: Database):
    def job(session: Session) -> None:
        (_, one), (_, other) = joined(session, "Ada"), joined(session, "Bo")
        session.flush()
        members.forget_device(session, request(f"__Host-readout={one}"), service())
        members.forget_device(session, request(), service())
        assert set(session.exec(select(SignIn.token_hash))) == {hash_of(other)}
        assert len(session.exec(select(Member)).all()) == 2

    database.write(job)
