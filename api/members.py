"""Who belongs to the group: invitations, members, and the sessions of their devices."""

import datetime as dt
import hashlib
import secrets
import uuid
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete, update
from sqlmodel import Field, Session, SQLModel, col, select

from api.database import Database, UtcDateTime
from api.service import NowDep, Service, ServiceDep
from api.wire import Input, Name, NotAllowed, NotSignedIn, NotThere, Secret

Role = Literal["member", "organizer"]
INVITATION_LASTS = dt.timedelta(days=14)
SESSION_LASTS = dt.timedelta(days=180)

router = APIRouter(tags=["members"])


class Member(SQLModel, table=True):
    """A person. Erasing one empties the name and keeps the row, so that counts stay true."""

    __table_args__ = (sa.CheckConstraint("role IN ('member', 'organizer')", name="role"),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    joined_at: dt.datetime = Field(sa_type=UtcDateTime)
    erased_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """A link that makes one member, once. Only the hash of its code is kept."""

    code_hash: str = Field(primary_key=True)
    name: str
    role: str
    made_at: dt.datetime = Field(sa_type=UtcDateTime)
    expires_at: dt.datetime = Field(sa_type=UtcDateTime)
    used_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignIn(SQLModel, table=True):
    """One device of a member. Only the hash of its token is kept."""

    __tablename__ = "sign_in"

    token_hash: str = Field(primary_key=True)
    member_id: str = Field(foreign_key="member.id", index=True)
    made_at: dt.datetime = Field(sa_type=UtcDateTime)
    expires_at: dt.datetime = Field(sa_type=UtcDateTime)


class JoinIn(Input):
    invite: Secret
    name: Name


class MemberOut(BaseModel):
    id: str
    name: str
    role: Role


class JoinOut(BaseModel):
    member: MemberOut
    token: str


def _hash(secret: str) -> str:
    # The secrets have 192 random bits, so a plain hash cannot be searched.
    return hashlib.sha256(secret.encode()).hexdigest()


def invite(session: Session, name: str, role: Role, now: dt.datetime) -> str:
    """Make an invitation and return its code, which is stored nowhere."""
    code = secrets.token_urlsafe(24)
    session.add(
        Invitation(
            code_hash=_hash(code),
            name=name,
            role=role,
            made_at=now,
            expires_at=now + INVITATION_LASTS,
        )
    )
    return code


def invite_first_organizer(session: Session, now: dt.datetime) -> str | None:
    """A code for the first organizer while the group has no member, else None.

    An earlier code that was not used stops working: it may have been printed to a log.
    """
    if session.exec(select(Member.id).limit(1)).first():
        return None
    unused = col(Invitation.used_at).is_(None)
    session.execute(update(Invitation).where(unused).values(expires_at=now))
    return invite(session, "", "organizer", now)


def join(session: Session, given: JoinIn, now: dt.datetime) -> JoinOut:
    """Use an invitation up. Raises NotThere, in the same words whatever is wrong with it."""
    invitation = session.get(Invitation, _hash(given.invite))
    if invitation is None or invitation.used_at or invitation.expires_at <= now:
        raise NotThere("this invitation is unknown, used or expired; ask an organizer for another")
    invitation.used_at = now
    member = Member(id=str(uuid.uuid4()), name=given.name, role=invitation.role, joined_at=now)
    session.add(member)
    session.flush()  # the sign-in refers to the member
    token = sign_in(session, member.id, now)
    return JoinOut(member=MemberOut.model_validate(member, from_attributes=True), token=token)


def sign_in(session: Session, member_id: str, now: dt.datetime) -> str:
    """Open a session for a device and return its token, which is stored nowhere."""
    token = secrets.token_urlsafe(24)
    session.add(
        SignIn(
            token_hash=_hash(token),
            member_id=member_id,
            made_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    return token


def cookie_name(service: Service) -> str:
    # The prefix makes browsers insist on https and on this very host.
    return "__Host-readout" if service.settings.base.startswith("https:") else "readout"


def _token(request: Request, service: Service) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip()
    return request.cookies.get(cookie_name(service))


_SIGN_INS = (
    sa.select(col(SignIn.token_hash), col(Member.id), col(Member.name), col(Member.role))
    .join(SignIn, col(SignIn.member_id) == col(Member.id))
    .where(col(SignIn.expires_at) > sa.bindparam("now"))
)
_SIGN_IN = _SIGN_INS.where(col(SignIn.token_hash) == sa.bindparam("token"))
_ALL_SIGN_INS = _SIGN_INS.where(col(SignIn.token_hash).in_(sa.bindparam("tokens", expanding=True)))
NOBODY = "not signed in; open the join link that an organizer gave you"


async def find_member(database: Database, token: str, now: dt.datetime) -> MemberOut | None:
    """Whose token it is. Asked anew each time, so that an ended session ends at once."""
    found = await database.find(_SIGN_IN, {"token": _hash(token), "now": now})
    return MemberOut(id=found.id, name=found.name, role=found.role) if found else None


def find_members(session: Session, hashes: list[str], now: dt.datetime) -> dict[str, str]:
    """The ids of those who are signed in, by the hash of their token."""
    found = session.connection().execute(_ALL_SIGN_INS, {"tokens": hashes, "now": now})
    return {row.token_hash: row.id for row in found}


def token_hash(request: Request, service: Service) -> str:
    """The hash of the token that a request comes with. Raises NotSignedIn without one."""
    token = _token(request, service)
    if not token:
        raise NotSignedIn(NOBODY)
    return _hash(token)


def forget_device(session: Session, request: Request, service: Service) -> None:
    """End the session that the request came with."""
    token = _token(request, service) or ""
    session.execute(delete(SignIn).where(col(SignIn.token_hash) == _hash(token)))


async def signed_in(request: Request, service: ServiceDep, now: NowDep) -> MemberOut:
    token = _token(request, service)
    if token and (member := await find_member(service.database, token, now)):
        return member
    raise NotSignedIn(NOBODY)


MemberDep = Annotated[MemberOut, Depends(signed_in)]


async def organizing(member: MemberDep) -> MemberOut:
    if member.role != "organizer":
        raise NotAllowed("only an organizer may do this")
    return member


OrganizerDep = Annotated[MemberOut, Depends(organizing)]


@router.post("/join", status_code=201)
def join_group(given: JoinIn, response: Response, service: ServiceDep, now: NowDep) -> JoinOut:
    """Turn an invitation into a member and a session. 404 if it cannot be used."""
    joined = service.database.write(lambda session: join(session, given, now))
    response.set_cookie(
        cookie_name(service),
        joined.token,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=service.settings.base.startswith("https:"),
        path="/",
    )
    return joined


class SessionOut(BaseModel):
    member: MemberOut | None


@router.get("/session")
async def read_session(request: Request, service: ServiceDep, now: NowDep) -> SessionOut:
    """Who is signed in, or nobody. Never an error: a page asks this before it knows."""
    try:
        return SessionOut(member=await signed_in(request, service, now))
    except NotSignedIn:
        return SessionOut(member=None)


@router.get("/me")
def read_me(member: MemberDep) -> MemberOut:
    """Who is signed in. 401 if nobody is."""
    return member
