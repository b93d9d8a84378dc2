"""The command `readout`. What a command needs is imported when it runs, so `--help` is quick."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli_answers import agenda, regrade, tell_moved
from api.cli_members import invite, members
from api.cli_new import new
from api.cli_notes import notes
from api.cli_operate import backup, doctor, migrate, restore
from api.cli_quiz import quiz
from api.console import fail, load_content, load_settings

app = typer.Typer(
    help="Knowledge base and quiz service of a reading group.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(new, name="new")
app.add_typer(quiz, name="quiz")
app.add_typer(notes, name="notes")
app.add_typer(members, name="members")
app.command()(agenda)
app.command()(regrade)
for command in (invite, backup, restore, migrate, doctor):
    app.command()(command)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0 for the whole network.")] = "127.0.0.1",
    build: Annotated[bool, typer.Option(help="Build the site first, if it changed.")] = True,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview", help="For writing: build again what changes, leave out what is broken."
        ),
    ] = False,
) -> None:
    """Serve the site and the API until interrupted.

    Example: readout serve --port 8080
    """
    from api.serving import serve as run

    run(host, port, build=build, preview=preview)


@app.command()
def build(
    preview: Annotated[
        bool, typer.Option("--preview", help="Leave out what is broken, and say so on each page.")
    ] = False,
) -> None:
    """Build the static site, strictly.

    Example: READOUT_BASE_URL=https://group.example.org readout build
    """
    from api.serving import build_site

    settings = load_settings()
    build_site(settings, preview=preview)
    typer.echo(f"built {settings.site_dir}/")


@app.command()
def check(
    form: Annotated[
        Literal["text", "github"],
        typer.Option("--format", help="text, or github for annotations on a pull request."),
    ] = "text",
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what has one mend, first; touch nothing else.")
    ] = False,
    outlinks: Annotated[
        bool, typer.Option("--outlinks", help="Ask every external link too; takes minutes.")
    ] = False,
) -> None:
    """Check all content: every mistake with its file and line, 1 if there is one.

    Example: readout check --fix
    """
    import gc

    from api.check import check as run
    from api.check import github
    from api.revisions import check_revisions

    gc.disable()  # all that is read is kept to the end; looking for garbage took a seventh
    settings = load_settings()
    if fix:
        from api.fix import fix as mend

        try:
            changes = mend(settings.content_dir, settings.executed_dir)
        except OSError as error:
            fail(f"cannot write {error.filename}: {error.strerror}")
        for change in changes:
            typer.echo(change, err=True)
    content = load_content(settings)
    compared = check_revisions(content)
    problems = sorted([*run(content), *compared.problems])
    if compared.note:
        typer.echo(f"note: {compared.note}", err=True)
    if outlinks:
        from api.outlinks import check_outlinks

        cache = settings.cache_dir / "outlinks.json"
        problems += check_outlinks(content, cache)
    for problem in problems:
        typer.echo(github(problem) if form == "github" else str(problem))
    if problems:
        typer.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)
        if compared.moved:
            tell_moved(settings)
        raise typer.Exit(1)


@app.command("import")
def import_note(
    file: Annotated[Path, typer.Argument(help="A note: links with remarks, dated headings.")],
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Report, and write nothing.")] = False,
) -> None:
    """Split a note into library entries and meetings; keep every word; say where each went.

    Example: readout import notes.md --dry-run
    """
    import datetime as dt
    import json

    from api.drafts import NotWritten
    from api.importing import import_note as run

    settings = load_settings()
    today = dt.datetime.now().astimezone().date()
    try:
        result = run(file, settings.content_dir, today=today, dry_run=dry_run)
    except NotWritten as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
    else:
        typer.echo(str(result))


@app.command()
def facts(
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one object.")] = False,
) -> None:
    """What the executed notebooks measured, with the provenance of each value.

    Example: readout facts --json
    """
    import json

    from api.content import read_facts

    found = read_facts(load_settings().executed_dir)
    if as_json:
        typer.echo(json.dumps({name: fact.model_dump() for name, fact in found.items()}, indent=2))
        return
    for name, fact in sorted(found.items()):
        typer.echo(f"{name} = {fact.value} ± {fact.tolerance} ({fact.notebook})")
