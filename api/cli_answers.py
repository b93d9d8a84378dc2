"""Commands for what the answers say."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.console import fail, load_settings, open_database

if TYPE_CHECKING:
    from api.service import Service


@contextmanager
def open_service() -> "Iterator[Service]":
    """The content and the migrated database, closed at the end."""
    from api import service

    settings = load_settings()
    open_database(settings).close()
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
