"""`readout members`: what organizers decide, for whoever runs the service."""

from collections.abc import Callable
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.console import (
    fail,
    last_address,
    load_content,
    load_settings,
    open_database,
    shown,
    usable,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from sqlmodel import Session

    from api.database import Database
    from api.members import Member

SHOWN = 8  # characters of an id: enough to tell the members of a group apart

members = typer.Typer(
    help="""Who belongs to the group: list, invite, change roles, let back in, remove, erase.

    Example: readout members list
    """,
    no_args_is_help=True,
)
Who = Annotated[str, typer.Argument(help="A member's name, or how the id begins.")]


@members.command("list")
def list_members() -> None:
    """Who belongs to the group, and which invitations can still be used.

    Example: readout members list
    """
    from api.membership import open_invitations, people

    def read(session: "Session", now: "dt.datetime") -> None:
        for person in people(session):
            facts = f"{person.id[:SHOWN]}  {person.role:9}  since {person.joined_at:%Y-%m-%d}"
            typer.echo(f"{facts}  {shown(person.name)}")
        for one in open_invitations(session, now):
            until = f"{one.expires_at:%Y-%m-%d}"
            typer.echo(f"{one.code_hash[:SHOWN]}  invited    until {until}  {shown(one.name)}")

    _in_database(read)


@members.command()
def invite(
    name: Annotated[str, typer.Argument(help="Whom the link is for; they may change it.")],
    organizer: Annotated[bool, typer.Option(help="Make them an organizer.")] = False,
) -> None:
    """Print a join link that works once, for 14 days.

    Example: readout invite Ada
    """
    from pydantic import TypeAdapter, ValidationError

    from api.members import invite as make
    from api.wire import Name

    try:
        name = TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        fail(f"the name: {error.errors()[0]['msg'].removeprefix('Value error, ')}")
    role: Literal["member", "organizer"] = "organizer" if organizer else "member"
    code = _in_database(lambda session, now: make(session, name, role, now))
    typer.echo(_link(code))


@members.command()
def revoke(
    invitation: Annotated[str, typer.Argument(help="Whom it invites, or how its id begins.")],
) -> None:
    """Take an invitation back that nobody has used.

    Example: readout members revoke Ada
    """
    from api.membership import open_invitations

    def take_back(session: "Session", now: "dt.datetime") -> str:
        found = [
            one
            for one in open_invitations(session, now)
            if one.name == invitation or _begins(one.code_hash, invitation)
        ]
        one = _the_only(found, "open invitation", invitation, lambda one: one.code_hash)
        session.delete(one)
        return str(one.name)

    typer.echo(f"took back the invitation of {shown(_in_database(take_back))}")


@members.command()
def role(
    who: Who,
    role: Annotated[Literal["member", "organizer"], typer.Argument(help="What they are to be.")],
) -> None:
    """Make a member an organizer, or an organizer a member.

    To hand the group over: make another an organizer, then the first a member.

    Example: readout members role Ada organizer
    """
    from api.membership import set_role

    done = _in_database(lambda session, now: set_role(session, _find(session, who).id, role).name)
    typer.echo(f"{shown(done)} is {'an organizer' if role == 'organizer' else 'a member'} now")


@members.command()
def remove(
    who: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")] = False,
) -> None:
    """End a membership and every session of it, at once. What was written stays.

    Example: readout members remove Ada
    """
    from api.membership import remove as end

    def one(session: "Session", now: "dt.datetime") -> tuple[str, str]:
        person = _find(session, who)
        return person.id, person.name

    member_id, name = _in_database(one)
    if not yes:
        typer.confirm(f"Remove {shown(name)} and sign every device out?", abort=True)
    _in_database(lambda session, now: end(session, member_id, now))
    typer.echo(f"{shown(name)} was removed")


@members.command()
def erase(
    who: Annotated[str, typer.Argument(help="The name of who was removed, or how the id begins.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")] = False,
) -> None:
    """Forget who was removed: the name and every word of theirs. The counts of quizzes stay.

    Members who are there erase themselves, on the page Me.

    Example: readout members erase Ada
    """
    import datetime as dt

    from api.members import MemberOut
    from api.rights import forget
    from api.service import Service

    settings = load_settings()
    content = load_content(settings)  # by the keys, own words are told from theirs
    person = _in_database(
        lambda session, now: MemberOut.model_validate(
            _find_removed(session, who), from_attributes=True
        )
    )
    if not yes:
        typer.confirm(
            f"Erase {shown(person.name)} for good, with every word of theirs?", abort=True
        )
    now = dt.datetime.now(dt.UTC)
    with _opened() as database:
        service = Service(settings, database, content, lambda: now)
        database.write(lambda session: forget(session, service, person, now))
        database.leave_no_trace()
    typer.echo(f"{shown(person.name)} was erased")


@members.command()
def code(who: Who) -> None:
    """For a member whose devices are lost: ends all sessions, prints a link that signs one in.

    Example: readout members code Ada
    """
    from api.membership import begin_again

    made = _in_database(lambda session, now: begin_again(session, _find(session, who).id, now))
    typer.echo(_link(made))
    typer.echo(f"or the code {made} on the page Join; once, within a day", err=True)


def _link(code: str) -> str:
    return f"{last_address(load_settings())}/join#{code}"


def _in_database(work: Callable[["Session", "dt.datetime"], Any]) -> Any:
    """Do this in one transaction."""
    import datetime as dt

    now = dt.datetime.now(dt.UTC)
    with _opened() as database:
        return database.write(lambda session: work(session, now))


@contextmanager
def _opened() -> "Iterator[Database]":
    """The database. What the service would refuse ends with its reason."""
    from api.wire import Refusal

    settings = load_settings()
    with usable(settings), closing(open_database(settings)) as database:
        try:
            yield database
        except Refusal as error:
            fail(error.detail)


def _find(session: "Session", who: str) -> "Member":
    from api.membership import people

    found = [one for one in people(session) if one.name == who or _begins(one.id, who)]
    return _the_only(found, "member", who, lambda one: one.id)  # type: ignore[no-any-return]


def _find_removed(session: "Session", who: str) -> "Member":
    from sqlmodel import col, select

    from api.members import Member

    gone = col(Member.removed_at).is_not(None), col(Member.erased_at).is_(None)
    rows = session.exec(select(Member).where(*gone))
    found = [one for one in rows if one.name == who or _begins(one.id, who)]
    return _the_only(found, "removed member", who, lambda one: one.id)  # type: ignore[no-any-return]


def _begins(whole: str, part: str) -> bool:
    return len(part) >= SHOWN and whole.startswith(part)


def _the_only(found: list[Any], kind: str, asked: str, id_of: Callable[[Any], str]) -> Any:
    if len(found) == 1:
        return found[0]
    if not found:
        fail(f"no {kind} is called {asked!r}; `readout members list` shows who is there")
    ids = ", ".join(id_of(one)[:SHOWN] for one in found)
    fail(f"{len(found)} {kind}s are called {asked!r}; say which by its id: {ids}")
