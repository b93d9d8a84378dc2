"""The sessions of a member: where they are signed in, ended one by one, one more by a code."""

import datetime as dt

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel import Session, col, delete, select

from api.joining import DEVICE_CODE_LASTS, new_device_code
from api.members import SESSION_RESTS, MemberDep, SignIn, still_member, token_hash
from api.service import NowDep, ServiceDep
from api.wire import NotThere

NAMED_BY = 16  # hexadecimal digits of a session's hash: they name it, and open nothing

router = APIRouter(prefix="/me/devices", tags=["members"])


class DeviceOut(BaseModel):
    id: str
    device: str
    made_at: dt.datetime
    used_at: dt.datetime  # to the hour
    current: bool


class CodeOut(BaseModel):
    code: str
    expires_at: dt.datetime


@router.get("")
def list_devices(
    request: Request, member: MemberDep, service: ServiceDep, now: NowDep
) -> list[DeviceOut]:
    """Where the member who asks is signed in, the last used first."""
    mine = token_hash(request, service)
    query = select(SignIn).where(
        col(SignIn.member_id) == member.id,
        col(SignIn.expires_at) > now,
        col(SignIn.used_at) > now - SESSION_RESTS,
    )
    with service.database.read() as session:
        rows = session.exec(query.order_by(col(SignIn.used_at).desc(), col(SignIn.token_hash)))
        return [
            DeviceOut(
                id=row.token_hash[:NAMED_BY],
                device=row.device,
                made_at=row.made_at,
                used_at=row.used_at,
                current=row.token_hash == mine,
            )
            for row in rows
        ]


@router.post("", status_code=201)
def add_device(member: MemberDep, service: ServiceDep, now: NowDep) -> CodeOut:
    """A code that signs one more device in, within ten minutes: `POST /session` there."""

    def make(session: Session) -> str:
        return new_device_code(session, still_member(session, member), now, DEVICE_CODE_LASTS)

    code = service.database.write(make)
    return CodeOut(code=code, expires_at=now + DEVICE_CODE_LASTS)


@router.delete("/{device_id}", status_code=204)
def end_session(device_id: str, member: MemberDep, service: ServiceDep) -> None:
    """Sign one of the member's own devices out. 404 if there is none of that id."""

    def end(session: Session) -> None:
        own = select(SignIn.token_hash).where(col(SignIn.member_id) == member.id)
        found = [token for token in session.exec(own) if token[:NAMED_BY] == device_id]
        if not found:
            raise NotThere("none of your devices has this id")
        session.execute(delete(SignIn).where(col(SignIn.token_hash).in_(found)))

    service.database.write(end)
