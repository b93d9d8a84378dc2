"""Who belongs to the group: invitations, members, and the sessions of their devices."""

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeVar

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy import delete, update
from sqlmodel import Field, Session, SQLModel, col, select

from api.database import Database, UtcDateTime
from api.service import NowDep, Service, ServiceDep
from api.wire import Input, Name, NotAllowed, NotSignedIn, Secret

T = TypeVar("T")
Role = Literal["member", "organizer"]
INVITATION_LASTS = dt.timedelta(days=14)
SESSION_LASTS = dt.timedelta(days=180)
SESSION_RESTS = dt.timedelta(days=90)  # unused for so long, it has ended
USE_IS_NOTED = dt.timedelta(hours=1)  # how exactly the last use of a session is known

router = APIRouter(tags=["members"])


class Member(SQLModel, table=True):
    """A person. Erasing one empties the name and keeps the row, so that counts stay true."""

    __table_args__ = (sa.CheckConstraint("role IN ('member', 'organizer')", name="role"),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    joined_at: dt.datetime = Field(sa_type=UtcDateTime)
    erased_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)
    removed_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def has_left(self) -> bool:
        return bool(self.removed_at or self.erased_at)


class Invitation(SQLModel, table=True):
    """A code that works once. Only its hash is kept.

    It makes a member; with a `member_id`, it makes a session of that member on another device.
    """

    code_hash: str = Field(primary_key=True)
    member_id: str | None = Field(default=None, foreign_key="member.id", index=True)
    made_by_id: str | None = Field(default=None, foreign_key="member.id")
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
    device: str = ""
    made_at: dt.datetime = Field(sa_type=UtcDateTime)
    used_at: dt.datetime = Field(sa_type=UtcDateTime)  # to the hour
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


def hash_of(secret: str) -> str:
    # What lasts has 192 random bits, so that a plain hash cannot be searched.
    return hashlib.sha256(secret.encode()).hexdigest()


def invite(
    session: Session, name: str, role: Role, now: dt.datetime, made_by_id: str | None = None
) -> str:
    """Make an invitation and return its code, which is stored nowhere.

    Without a maker it comes from the command line. The names of those who never came are forgotten.
    """
    session.execute(
        delete(Invitation).where(
            col(Invitation.used_at).is_(None), col(Invitation.expires_at) <= now
        )
    )
    code = secrets.token_urlsafe(24)
    session.add(
        Invitation(
            code_hash=hash_of(code),
            made_by_id=made_by_id,
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
    earlier = (col(Invitation.used_at).is_(None), col(Invitation.name) == "")  # others have one
    session.execute(update(Invitation).where(*earlier).values(expires_at=now))
    return invite(session, "", "organizer", now)


def use_up(session: Session, code: str, now: dt.datetime, *, device: bool) -> Invitation | None:
    """The invitation, or the code for a device, if it is good. Of two at once, one gets it."""
    code_hash = hash_of(code)
    used = session.connection().execute(
        update(Invitation)
        .where(
            col(Invitation.code_hash) == code_hash,
            col(Invitation.member_id).is_not(None)
            if device
            else col(Invitation.member_id).is_(None),
            col(Invitation.used_at).is_(None),
            col(Invitation.expires_at) > now,
        )
        .values(used_at=now, name="")  # a member says their own name, and may take it back
    )
    return session.get(Invitation, code_hash) if used.rowcount == 1 else None


def join(session: Session, given: JoinIn, now: dt.datetime, device: str = "") -> JoinOut | None:
    """Use an invitation up; None whatever is wrong with it."""
    invitation = use_up(session, given.invite, now, device=False)
    if invitation is None:
        return None
    member = Member(id=str(uuid.uuid4()), name=given.name, role=invitation.role, joined_at=now)
    session.add(member)
    session.flush()  # the sign-in refers to the member
    token = sign_in(session, member.id, now, device)
    return JoinOut(member=MemberOut.model_validate(member, from_attributes=True), token=token)


def sign_in(session: Session, member_id: str, now: dt.datetime, device: str = "") -> str:
    """Open a session for a device and return its token, which is stored nowhere."""
    token = secrets.token_urlsafe(24)
    session.add(
        SignIn(
            token_hash=hash_of(token),
            member_id=member_id,
            device=device,
            made_at=now,
            used_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    return token


def cookie_name(service: Service) -> str:
    # The prefix makes browsers insist on https and on this very host.
    return "__Host-readout" if service.settings.is_https else "readout"


def _token(request: Request, service: Service) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip()
    return request.cookies.get(cookie_name(service))


_SIGN_INS = (
    sa.select(
        col(SignIn.token_hash),
        col(SignIn.used_at),
        col(Member.id),
        col(Member.name),
        col(Member.role),
    )
    .join(SignIn, col(SignIn.member_id) == col(Member.id))
    .where(
        col(SignIn.expires_at) > sa.bindparam("now"),
        col(SignIn.used_at) > sa.bindparam("rested"),
        col(Member.removed_at).is_(None),
    )
)
_SIGN_IN = _SIGN_INS.where(col(SignIn.token_hash) == sa.bindparam("token"))
_ALL_SIGN_INS = _SIGN_INS.where(
    col(SignIn.token_hash).in_(sa.bindparam("tokens", expanding=True))
).with_for_update(read=True, key_share=True, of=col(SignIn.token_hash))
NOBODY = "not signed in; use your join link, or a code from another device or an organizer"


async def find_member(database: Database, token: str, now: dt.datetime) -> MemberOut | None:
    """Whose token it is. Asked anew each time, so that an ended session ends at once."""
    asked = {"token": hash_of(token), "now": now, "rested": now - SESSION_RESTS}
    found = await database.find(_SIGN_IN, asked)
    if found is None:
        return None
    if found.used_at <= now - USE_IS_NOTED:
        # Who reads waits for no disk that is full, and for no other program that holds the file.
        database.write_soon(f"use of {found.token_hash}", note_use, (found.token_hash, now))
    return MemberOut(id=found.id, name=found.name, role=found.role)


def note_use(session: Session, used: Sequence[tuple[str, dt.datetime]]) -> list[Exception | None]:
    """Keep when these sessions, by the hash of their token, were last used."""
    now = max(moment for _, moment in used)
    hashes = [token for token, _ in used]
    session.execute(update(SignIn).where(col(SignIn.token_hash).in_(hashes)).values(used_at=now))
    return [None] * len(used)


def find_members(session: Session, hashes: list[str], now: dt.datetime) -> dict[str, str]:
    """The ids of those who are signed in, by their token's hash. For a writer: notes the use.

    On PostgreSQL they stay signed in until the transaction ends; see `wait_for_writers`.
    """
    asked = {"tokens": hashes, "now": now, "rested": now - SESSION_RESTS}
    found = session.connection().execute(_ALL_SIGN_INS, asked).all()
    if old := [(row.token_hash, now) for row in found if row.used_at <= now - USE_IS_NOTED]:
        note_use(session, old)
    return {row.token_hash: row.id for row in found}


def token_hash(request: Request, service: Service) -> str:
    """The hash of the token that a request comes with. Raises NotSignedIn without one."""
    token = _token(request, service)
    if not token:
        raise NotSignedIn(NOBODY)
    return hash_of(token)


def wait_for_writers(session: Session) -> None:
    """Let what members are writing be stored first, and what comes after this find them gone.

    It must be the first statement of a transaction, which sees the database as it is after that.
    On SQLite, which has one writer, it is so anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql("LOCK TABLE sign_in IN EXCLUSIVE MODE")


def end_sessions(session: Session, member_id: str) -> None:
    """End every session of a member, and what could open another."""
    session.execute(delete(SignIn).where(col(SignIn.member_id) == member_id))
    session.execute(delete(Invitation).where(col(Invitation.member_id) == member_id))


def end_invitations(session: Session, member_id: str) -> None:
    """Take back what an organizer handed out: one of them could be in their own hands."""
    open_ones = (col(Invitation.made_by_id) == member_id, col(Invitation.used_at).is_(None))
    session.execute(delete(Invitation).where(*open_ones))


def forget_device(session: Session, request: Request, service: Service) -> None:
    """End the session that the request came with."""
    token = _token(request, service) or ""
    session.execute(delete(SignIn).where(col(SignIn.token_hash) == hash_of(token)))


async def signed_in(request: Request, service: ServiceDep, now: NowDep) -> MemberOut:
    token = _token(request, service)
    if token and (member := await find_member(service.database, token, now)):
        return member
    raise NotSignedIn(NOBODY)


MemberDep = Annotated[MemberOut, Depends(signed_in)]


def _as_organizer(member: MemberOut) -> MemberOut:
    if member.role != "organizer":
        raise NotAllowed("only an organizer may do this")
    return member


async def organizing(member: MemberDep) -> MemberOut:
    return _as_organizer(member)


OrganizerDep = Annotated[MemberOut, Depends(organizing)]


def still_member(session: Session, member: MemberOut) -> MemberOut:
    """The member as they are now. For a writer: between the request and its transaction, a member
    may have been removed or erased, or have got another role."""
    here = (col(Member.removed_at).is_(None), col(Member.erased_at).is_(None))
    row = session.exec(select(Member).where(col(Member.id) == member.id, *here)).first()
    if row is None:
        raise NotSignedIn(NOBODY)
    return MemberOut.model_validate(row, from_attributes=True)


def write_as_organizer(database: Database, organizer: MemberOut, job: Callable[[Session], T]) -> T:
    """Write what an organizer decides, if they still are one in the transaction that writes it."""

    def write(session: Session) -> T:
        _as_organizer(still_member(session, organizer))
        return job(session)

    return database.write(write)


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
