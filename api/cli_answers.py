"""Commands for what the answers say."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.console import fail, load_settings, need_content, open_database, usable

if TYPE_CHECKING:
    from api.service import Service
    from api.settings import Settings


@contextmanager
def open_service() -> "Iterator[Service]":
    """The content and the migrated database, closed at the end."""
    from api import service

    settings = load_settings()
    need_content(settings)
    open_database(settings).close()
    with usable(settings):  # to the end: a disk may be full by then
        opened = service.open_service(settings, lambda: dt.datetime.now(dt.UTC))
        try:
            yield opened
        finally:
            opened.database.close()


def agenda(
    meeting: Annotated[str, typer.Argument(help="A meeting, as 2023-11-07.")],
    as_json: Annotated[bool, typer.Option("--json", help="As one object.")] = False,
) -> None:
    """Print what to discuss, as Markdown: the group's weakest questions first, without names.

    Example: readout agenda 2023-11-07
    """
    from api.agenda import agenda as make
    from api.agenda import find_meeting
    from api.agenda_markdown import as_markdown
    from api.wire import NotThere

    with open_service() as service:
        try:
            found = find_meeting(service, meeting)
        except NotThere as error:
            fail(error.detail)
        with service.database.read() as session:
            made = make(session, service, found)
        if as_json:
            typer.echo(made.model_dump_json(indent=2))
        else:
            typer.echo(as_markdown(made, service.content), nl=False)


def regrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change.")] = False,
) -> None:
    """After a key was corrected: say whose marks change, in numbers, and let the members know.

    Example: readout regrade --dry-run
    """
    from api.regrade import changes, note

    with open_service() as service:
        with service.database.read() as session:
            made = list(changes(session, service))
        for change in made:
            typer.echo(str(change))
        if not dry_run:
            now = service.clock()
            n = service.database.write(lambda session: note(session, made, now))
            typer.echo(f"noted for {n} answer{'s' if n != 1 else ''}")
        elif not made:
            typer.echo("every stored answer was marked with the key of today")


def tell_moved(settings: "Settings") -> None:
    """Where there are stored answers here: what the moved keys change of their marks."""
    from sqlalchemy import make_url

    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return  # as in a pull request
    typer.echo("of the answers stored here (readout regrade --dry-run):", err=True)
    regrade(dry_run=True)
