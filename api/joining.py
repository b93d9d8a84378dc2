"""How one gets in: by an invitation, or on another device by a code that a session asked for.

Both replies that make a session are here. Wrong codes are counted in the database, so that every
worker knows of them, by the network that they come from and all together.
"""

import datetime as dt
import ipaddress
import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, StringConstraints
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel

from api.database import UtcDateTime
from api.members import (
    SESSION_LASTS,
    Invitation,
    JoinIn,
    JoinOut,
    Member,
    MemberOut,
    cookie_name,
    hash_of,
    join,
    sign_in,
    use_up,
)
from api.service import NowDep, Service, ServiceDep
from api.wire import Input, NotBlank, NotThere, Storable, TooMany

WINDOW = dt.timedelta(minutes=10)
MOST_WRONG = 10  # codes from one network in a window
MOST_WRONG_OF_ALL = 500
EVERYWHERE = "*"
DEVICE_CODE_LASTS = dt.timedelta(minutes=10)
# 59 bits in letters and digits that nobody mistakes: enough for minutes, and typed on a phone.
LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
GROUPS, GROUP = 3, 4

router = APIRouter(tags=["members"])


class WrongCodes(SQLModel, table=True):
    """How many wrong codes came from a network since the first of them. Kept for one window."""

    __tablename__ = "wrong_codes"

    network: str = Field(primary_key=True)
    since: dt.datetime = Field(sa_type=UtcDateTime)
    n: int


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).upper()


class CodeIn(Input):
    code: Annotated[
        str,
        StringConstraints(min_length=1, max_length=40),
        Storable,
        AfterValidator(_plain),
        NotBlank,
    ]


class SignedInOut(BaseModel):
    member: MemberOut
    token: str | None  # null in a page of the service, whose session is a cookie


def new_device_code(
    session: Session, member: Member | MemberOut, now: dt.datetime, lasts: dt.timedelta
) -> str:
    """A code that signs another device of a member in, once. Earlier ones stop working."""
    session.execute(
        sa.delete(Invitation).where(
            INVITATION.c.member_id == member.id, INVITATION.c.used_at.is_(None)
        )
    )
    groups = ["".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS)]
    session.add(
        Invitation(
            code_hash=hash_of("".join(groups)),
            member_id=member.id,
            name="",
            role=member.role,
            made_at=now,
            expires_at=now + lasts,
        )
    )
    return "-".join(groups)


@router.post("/join", status_code=201)
async def join_group(
    given: JoinIn, request: Request, response: Response, service: ServiceDep, now: NowDep
) -> SignedInOut:
    """Turn an invitation into a member and a session. 404 if it cannot be used.

    429 after ten wrong codes from one network in ten minutes.
    """
    return await _let_in(given, request, response, service, now)


@router.post("/session", status_code=201)
async def join_with_device(
    given: CodeIn, request: Request, response: Response, service: ServiceDep, now: NowDep
) -> SignedInOut:
    """Sign this device in by a code from another one. 404 if it cannot be used; 429 as `/join`."""
    return await _let_in(given, request, response, service, now)


async def _let_in(
    given: JoinIn | CodeIn, request: Request, response: Response, service: Service, now: dt.datetime
) -> SignedInOut:
    device = device_of(request.headers.get("user-agent", ""))
    former = hash_of(request.cookies.get(cookie_name(service), ""))
    asking = _Asking(given, _network(request), device, former, now)
    joined = await service.database.write_together(let_in, asking)
    if joined is None:
        # In the same words whatever is wrong with it.
        raise NotThere("this code is unknown, used or expired; ask for another")
    response.set_cookie(
        cookie_name(service),
        joined.token,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=service.settings.is_https,
        path="/",
    )
    token = None if _is_own_page(request, service) else joined.token
    return SignedInOut(member=joined.member, token=token)


def _is_own_page(request: Request, service: Service) -> bool:
    """A browser on this site keeps the cookie, and no script there may read what stands in it."""
    origin = request.headers.get("origin")
    is_browser = origin is not None or "sec-fetch-site" in request.headers
    return is_browser and origin not in service.settings.cors_origins


# Guessing ----------------------------------------------------------------------------------------


class _Asking(NamedTuple):
    given: JoinIn | CodeIn
    network: str
    device: str
    former: str  # the hash of the token in the browser's cookie, if any
    now: dt.datetime


WRONG = SQLModel.metadata.tables["wrong_codes"]
INVITATION = SQLModel.metadata.tables["invitation"]
SIGN_IN = SQLModel.metadata.tables["sign_in"]


def let_in(session: Session, asking: Sequence[_Asking]) -> list[JoinOut | Exception | None]:
    """Handler of the writer: for each, the session that its code makes, None for a wrong code."""
    return [_let_one_in(session, item) for item in asking]


def _let_one_in(session: Session, asking: _Asking) -> JoinOut | Exception | None:
    given, network, device, former, now = asking
    counted = _wrong(session, network, now)
    if counted.get(network, 0) >= MOST_WRONG or counted.get(EVERYWHERE, 0) >= MOST_WRONG_OF_ALL:
        return _too_many()
    if isinstance(given, JoinIn):
        joined = join(session, given, now, device)
    else:
        joined = _with_device(session, given.code, now, device)
    if joined is None and _count_wrong(session, network, now) > MOST_WRONG:
        return _too_many()  # others guessed at the same moment
    if joined is not None:  # the new session takes the place of the browser's former one
        session.execute(sa.delete(SIGN_IN).where(SIGN_IN.c.token_hash == former))
    return joined


def _too_many() -> TooMany:
    minutes = int(WINDOW.total_seconds()) // 60
    return TooMany(f"too many wrong codes; try again in {minutes} minutes")


def _with_device(session: Session, code: str, now: dt.datetime, device: str) -> JoinOut | None:
    used = use_up(session, code, now, device=True)
    member = session.get(Member, used.member_id) if used else None
    if member is None or member.has_left:
        return None
    token = sign_in(session, member.id, now, device)
    return JoinOut(member=MemberOut.model_validate(member, from_attributes=True), token=token)


def _wrong(session: Session, network: str, now: dt.datetime) -> dict[str, int]:
    query = sa.select(WRONG.c.network, WRONG.c.n).where(
        WRONG.c.network.in_((network, EVERYWHERE)), _is_current(now)
    )
    return {row.network: row.n for row in session.connection().execute(query)}


def _is_current(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Whether a window is open. One that begins in the future was opened before the clock was set
    back; without the second half, nobody could join until that future has come."""
    return sa.and_(WRONG.c.since > now - WINDOW, WRONG.c.since < now + WINDOW)


def _count_wrong(session: Session, network: str, now: dt.datetime) -> int:
    """Count a wrong code and return how many the network has sent. Old windows are forgotten."""
    connection = session.connection()
    connection.execute(sa.delete(WRONG).where(~_is_current(now)))
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    statement = insert[connection.dialect.name](WRONG)
    statement = statement.on_conflict_do_update(
        index_elements=[WRONG.c.network], set_={"n": WRONG.c.n + 1}
    ).returning(WRONG.c.n)
    _, of_network = (
        connection.execute(statement, {"network": name, "since": now, "n": 1}).scalar_one()
        for name in (EVERYWHERE, network)
    )
    return int(of_network)


def _network(request: Request) -> str:
    """What one household or one server has of addresses: an IPv4 /24, an IPv6 /56."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    mapped = getattr(address, "ipv4_mapped", None) or address
    prefix = 24 if mapped.version == 4 else 56
    return str(ipaddress.ip_network((mapped, prefix), strict=False))


# What a device is called -------------------------------------------------------------------------

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "CrOS", "Linux")


def device_of(agent: str) -> str:
    """ "Firefox on Linux", from what a browser says of itself; a program's own name."""
    browser = next((name for sign, name in BROWSERS if sign in agent), None)
    if browser is None:
        found = re.match(r"[A-Za-z][\w.-]{0,39}", agent, re.ASCII)
        return found[0] if found else "a program"
    system = next((name for name in SYSTEMS if name in agent), None)
    return f"{browser} on {system.replace('Mac OS X', 'macOS')}" if system else browser
