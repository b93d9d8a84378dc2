"""`readout notes`: carry members' notes into the files of meetings, and back."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from api.cli_answers import open_service
from api.console import fail

if TYPE_CHECKING:
    from pathlib import Path

    from api.note_sync import Export, Told
    from api.service import Service

notes = typer.Typer(
    help="""Carry members' notes into the files of meetings, and back.

    Example: readout notes export 2023-11-07
    """,
    no_args_is_help=True,
)

Meeting = Annotated[str, typer.Argument(help="A meeting, as 2023-11-07.")]


@notes.command("export")
def export_notes(
    meeting: Meeting,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print a patch for `git apply`; write no file.")
    ] = False,
) -> None:
    """Write the public notes of a meeting into its file, ready for a pull request.

    What the file says of notes is taken into the database first, so nothing in it is lost.

    Example: readout notes export 2023-11-07 --patch > notes.patch
    """
    from api import note_sync
    from api.note_files import as_patch, titles_of
    from api.replacing import replace

    with open_service() as service:
        path, text = _read(service, meeting)
        made = note_sync.export(
            service.database, meeting, text, titles_of(service.content), service.clock()
        )
        if patch:
            name = path.relative_to(service.content.root).as_posix()
            try:
                typer.echo(as_patch(name, made.before, made.after), nl=False)
            except OSError as error:
                fail(f"no patch: {error.strerror}, or leave --patch out")
        elif made.after != made.before:
            try:
                replace(path, made.after.encode())
            except OSError as error:
                fail(f"cannot write {path}: {error.strerror}")
        note_sync.mark_exported(service.database, made.notes)
    _tell(made.told)
    _say_what_is_in(made)
    if made.after == made.before:
        typer.echo(f"{path} has them all already", err=True)
    elif not patch:
        typer.echo(f"wrote {path}\nnext: readout check, then a pull request", err=True)


@notes.command("import")
def import_notes(
    meeting: Annotated[str | None, typer.Argument(help="A meeting; else all of them.")] = None,
) -> None:
    """Take what the files of meetings say of notes into the database, after a merge.

    Where the site has changed a note too, both changes are merged, or stand side by side in the
    note; each text stays in its history.

    Example: readout notes import 2023-11-07
    """
    from api import note_sync
    from api.note_files import titles_of

    with open_service() as service:
        titles = titles_of(service.content)
        for slug in [meeting] if meeting else sorted(service.content.meetings):
            _, text = _read(service, slug)
            _tell(note_sync.take_back(service.database, text, titles, service.clock()))
        if not meeting:
            _fail_if_left_out(service)


def _read(service: "Service", meeting: str) -> "tuple[Path, str]":
    """The file of a meeting and its text."""
    from api.note_files import meeting_file, read_text
    from api.records import nearest

    if meeting not in service.content.meetings:
        path = service.settings.content_dir / "meetings" / f"{meeting}.md"
        if path.name == f"{meeting}.md" and path.is_file():
            _fail_as_left_out(path)
        fail(
            f"no meeting is recorded for {meeting!r}; {nearest(meeting, service.content.meetings)}"
        )
    path = meeting_file(service.content, meeting)
    return path, read_text(path)


def _fail_if_left_out(service: "Service") -> None:
    """What a file that cannot be read says of notes has not been taken."""
    from api.markup import markdown_files

    for path in markdown_files(service.content.folder / "meetings"):
        if path.stem not in service.content.meetings:
            _fail_as_left_out(path)


def _fail_as_left_out(path: "Path") -> NoReturn:
    fail(f"{path} was left out, as said above; readout check says what to mend")


def _tell(told: "list[Told]") -> None:
    for note_id, what, why in told:
        if what != "unchanged":
            typer.echo(f"note {note_id}: {what}" + (f"; {why}" if why else ""), err=True)


def _say_what_is_in(made: "Export") -> None:
    for note_id in made.unsettled:
        typer.echo(
            f"note {note_id}: left out; it holds both sides of a change, settle it", err=True
        )
    n = len(made.notes)
    typer.echo(f"{n} public note{'s' if n != 1 else ''}", err=True)
    if made.kept_back:
        typer.echo(f"{made.kept_back} for the group or their author alone stay here", err=True)
