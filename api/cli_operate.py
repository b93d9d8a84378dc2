"""Commands for whoever runs the service: back up, restore, migrate, say what is wrong."""

import datetime as dt
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from api.console import fail, load_settings, open_database, usable


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; by default backups/ beside the database.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Delete all but the newest backups in that folder.")
    ] = None,
) -> None:
    """Copy the database while it is in use, and check the copy; print its name.

    Example: readout backup --keep 30
    """
    from api import backup as copies
    from api.engines import Unusable

    now = dt.datetime.now(dt.UTC)
    try:
        source = copies.database_file(load_settings().database_url)
        target = file or copies.default_target(source, now)
        manifest = copies.backup(source, target, now)
        old = copies.forget_old(target, keep) if keep else []
    except (Unusable, copies.Damaged) as error:
        fail(str(error))
    except OSError as error:
        _fail_by(error)
    typer.echo(str(target))
    rows = sum(manifest.rows.values())
    typer.echo(f"{rows:,} rows, {manifest.bytes:,} bytes, sha256 {manifest.sha256}", err=True)
    if old:
        typer.echo(f"deleted {len(old)} older ones", err=True)


def restore(
    file: Annotated[Path, typer.Argument(help="A backup that `readout backup` made.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the database; it is kept under another name.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the backup is whole.")
    ] = False,
) -> None:
    """Put a backup in the database's place, while the service is stopped.

    Example: readout restore data/backups/readout-20260310T180000Z.sqlite3 --force
    """
    from api import backup as copies
    from api.engines import Unusable

    try:
        if check:
            manifest = copies.verify(file)
            typer.echo(f"whole: {sum(manifest.rows.values()):,} rows of {manifest.made_at}")
            return
        target = copies.database_file(load_settings().database_url)
        restored = copies.restore(file, target, dt.datetime.now(dt.UTC), force=force)
    except (Unusable, copies.Damaged) as error:
        fail(str(error))
    except OSError as error:
        _fail_by(error)
    typer.echo(f"restored {target} as it was at {restored.manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if restored.kept:
        typer.echo(f"what was there is in {restored.kept}")


def _fail_by(error: OSError) -> NoReturn:
    from api.engines import remedy

    where = f"{error.filename}: " if error.filename else ""  # a disk that is full names no file
    fail(f"{where}{error.strerror}; {remedy(error)}")


def migrate() -> None:
    """Bring the database to the schema of this version; copy it first, compare afterwards.

    Example: readout migrate
    """
    from api.database import Database
    from api.migrate import newest, present

    settings = load_settings()
    with usable(settings):
        database = Database(settings.database_url)
        before = present(database)
        database.close()
    open_database(settings).close()
    typer.echo(f"schema {newest()}" + ("" if before == newest() else f", was {before or 'empty'}"))


def doctor() -> None:
    """Say what is wrong with this installation and what to do; ends with 1 if something is.

    Example: readout doctor
    """
    from api.doctor import examine

    found = list(examine(load_settings()))
    for finding in found:
        typer.echo(str(finding))
    if any(finding.todo for finding in found):
        raise typer.Exit(1)
