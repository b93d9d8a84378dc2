"""What organizers decide: who is invited, who organizes, who leaves."""

import datetime as dt
import logging

from fastapi import APIRouter
from pydantic import BaseModel
from sqlmodel import Session, col, select

from api.devices import NAMED_BY, CodeOut
from api.joining import new_device_code
from api.members import (
    INVITATION_LASTS,
    Invitation,
    Member,
    OrganizerDep,
    Role,
    end_invitations,
    end_sessions,
    hash_of,
    invite,
    write_as_organizer,
)
from api.service import NowDep, ServiceDep
from api.wire import Conflict, Input, Name, NotThere

log = logging.getLogger("readout")
LOST_DEVICE_CODE_LASTS = dt.timedelta(days=1)

router = APIRouter(tags=["organizers"])


class PersonOut(BaseModel):
    id: str
    name: str
    role: Role
    joined_at: dt.datetime


class InvitationIn(Input):
    name: Name
    role: Role = "member"


class InvitationOut(BaseModel):
    id: str
    name: str
    role: Role
    made_at: dt.datetime
    expires_at: dt.datetime


class InvitedOut(InvitationOut):
    link: str  # told this once


class RoleIn(Input):
    role: Role


@router.get("/members")
def list_members(_: OrganizerDep, service: ServiceDep) -> list[PersonOut]:
    """Who belongs to the group, by name."""
    with service.database.read() as session:
        rows = people(session)
        return [PersonOut.model_validate(row, from_attributes=True) for row in rows]


@router.put("/members/{member_id}/role")
def change_role(
    member_id: str, given: RoleIn, organizer: OrganizerDep, service: ServiceDep
) -> PersonOut:
    """Make a member an organizer, or an organizer a member. 409 for the last organizer.

    To hand the group over: make another an organizer, then oneself a member.
    """

    def change(session: Session) -> PersonOut:
        person = set_role(session, member_id, given.role)
        return PersonOut.model_validate(person, from_attributes=True)

    changed = write_as_organizer(service.database, organizer, change)
    log.info("member %s is %s now, by %s", changed.id, changed.role, organizer.id)
    return changed


@router.delete("/members/{member_id}", status_code=204)
def remove_member(
    member_id: str, organizer: OrganizerDep, service: ServiceDep, now: NowDep
) -> None:
    """End a membership and every session of it, at once. What was written stays."""
    write_as_organizer(service.database, organizer, lambda session: remove(session, member_id, now))
    log.info("member %s was removed by %s", member_id, organizer.id)


@router.post("/members/{member_id}/code", status_code=201)
def let_back_in(
    member_id: str, organizer: OrganizerDep, service: ServiceDep, now: NowDep
) -> CodeOut:
    """For a member whose devices are lost: ends all sessions, and makes a code for a new device."""
    code = write_as_organizer(
        service.database, organizer, lambda session: begin_again(session, member_id, now)
    )
    log.info("member %s got a code for a new device from %s", member_id, organizer.id)
    return CodeOut(code=code, expires_at=now + LOST_DEVICE_CODE_LASTS)


@router.get("/invitations")
def list_invitations(_: OrganizerDep, service: ServiceDep, now: NowDep) -> list[InvitationOut]:
    """The invitations that can still be used, the newest last."""
    with service.database.read() as session:
        return [_out(row) for row in open_invitations(session, now)]


@router.post("/invitations", status_code=201)
def make_invitation(
    given: InvitationIn, organizer: OrganizerDep, service: ServiceDep, now: NowDep
) -> InvitedOut:
    """A join link that works once, for 14 days. It is told in this reply alone."""
    code = write_as_organizer(
        service.database,
        organizer,
        lambda session: invite(session, given.name, given.role, now, organizer.id),
    )
    log.info("%s made an invitation as %s", organizer.id, given.role)
    return InvitedOut(
        id=hash_of(code)[:NAMED_BY],
        name=given.name,
        role=given.role,
        made_at=now,
        expires_at=now + INVITATION_LASTS,
        link=f"{service.settings.base}/join#{code}",
    )


@router.delete("/invitations/{invitation_id}", status_code=204)
def revoke_invitation(
    invitation_id: str, organizer: OrganizerDep, service: ServiceDep, now: NowDep
) -> None:
    """Take an invitation back that nobody has used. 404 if there is none of that id."""
    write_as_organizer(
        service.database, organizer, lambda session: revoke(session, invitation_id, now)
    )
    log.info("%s took an invitation back", organizer.id)


def people(session: Session) -> list[Member]:
    """Everybody who belongs to the group."""
    query = select(Member).where(col(Member.removed_at).is_(None), col(Member.erased_at).is_(None))
    return list(session.exec(query.order_by(col(Member.name), col(Member.id))))


def open_invitations(session: Session, now: dt.datetime) -> list[Invitation]:
    query = select(Invitation).where(
        col(Invitation.used_at).is_(None),
        col(Invitation.expires_at) > now,
        col(Invitation.member_id).is_(None),
    )
    return list(session.exec(query.order_by(col(Invitation.made_at), col(Invitation.code_hash))))


def revoke(session: Session, invitation_id: str, now: dt.datetime) -> None:
    found = [
        row for row in open_invitations(session, now) if row.code_hash[:NAMED_BY] == invitation_id
    ]
    if not found:
        raise NotThere("no open invitation has this id")
    for row in found:
        session.delete(row)


def set_role(session: Session, member_id: str, role: Role) -> Member:
    person = _person(session, member_id)
    if role == "member":
        _keep_an_organizer(session, person)
        end_invitations(session, person.id)
    person.role = role
    session.add(person)
    return person


def remove(session: Session, member_id: str, now: dt.datetime) -> None:
    person = _person(session, member_id)
    _keep_an_organizer(session, person)
    person.removed_at = now
    session.add(person)
    end_sessions(session, person.id)
    end_invitations(session, person.id)


def begin_again(session: Session, member_id: str, now: dt.datetime) -> str:
    person = _person(session, member_id)
    end_sessions(session, person.id)
    return new_device_code(session, person, now, LOST_DEVICE_CODE_LASTS)


def _person(session: Session, member_id: str) -> Member:
    person = session.get(Member, member_id)
    if person is None or person.has_left:
        raise NotThere("no member has this id")
    return person


def _keep_an_organizer(session: Session, person: Member) -> None:
    others = [one for one in people(session) if one.role == "organizer" and one.id != person.id]
    if person.role == "organizer" and not others:
        raise Conflict(
            "the group needs an organizer; make another member one first, on the page Members, or "
            "with readout members role NAME organizer"
        )


def let_go(session: Session, member_id: str) -> None:
    """Raises Conflict where the others of a group would be left without an organizer.

    Who is alone in it may go, or was removed. Of two organizers who go at once, one does.
    """
    group = {one.id for one in people(session)}
    if member_id in group and len(group) > 1:
        _keep_an_organizer(session, session.get_one(Member, member_id))


def _out(row: Invitation) -> InvitationOut:
    return InvitationOut(id=row.code_hash[:NAMED_BY], **row.model_dump())
