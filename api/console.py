"""What the commands share: fail with a sentence, open what the settings name."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.content import Content
    from api.database import Database
    from api.settings import Settings

ROOT = Path(__file__).resolve().parent.parent  # the checkout that the command was installed from


def fail(message: str) -> NoReturn:
    """Say in one sentence what is wrong and end with 1."""
    typer.echo(f"readout: {message}", err=True)
    raise typer.Exit(1)


def shown(name: str) -> str:
    """A member's name for a terminal, which does what some characters say: these by their codes."""
    from api.wire import is_unseen

    return "".join(c.encode("unicode_escape").decode() if is_unseen(c) else c for c in name)


def load_settings(**given: object) -> "Settings":
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        fail(f"READOUT_{str(first['loc'][0]).upper()}: {reason}")


def remember_address(settings: "Settings") -> None:
    """Keep the address that is served, so that `readout invite` prints links to it."""
    from api.replacing import replace

    kept = settings.cache_dir / "address"
    try:
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
        replace(kept, settings.base.encode())
    except OSError as error:  # a convenience: the service starts without
        typer.echo(
            f"readout: cannot write {kept}: {error.strerror}; "
            "for links that lead here, set READOUT_BASE_URL",
            err=True,
        )


def last_address(settings: "Settings") -> str:
    """The address that was last served from here, unless the environment names one."""
    from api.settings import is_address

    if os.environ.get("READOUT_BASE_URL"):
        return settings.base
    try:
        served = (settings.cache_dir / "address").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):  # never served, or no file of ours
        return settings.base
    return served if is_address(served) else settings.base


def open_database(settings: "Settings") -> "Database":
    """The database, with the schema that this version needs."""
    from api.database import Database
    from api.migrate import migrate

    with usable(settings):
        database = Database(settings.database_url)
        migrate(database)
        return database


@contextmanager
def usable(settings: "Settings") -> "Iterator[None]":
    """A block that may find the database unusable, which is said in one sentence."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from api.engines import Unusable

    try:
        yield
    except Unusable as error:
        fail(str(error))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        url = make_url(settings.database_url).render_as_string(hide_password=True)
        fail(f"cannot use the database {url}: {reason}; readout doctor says what to do")


def need_content(settings: "Settings") -> None:
    if not settings.content_dir.is_dir():
        fail(f"no folder {settings.content_dir}; start in the project, or set READOUT_CONTENT_DIR")


def load_content(settings: "Settings") -> "Content":
    from api.content import read_content

    need_content(settings)
    return read_content(settings.content_dir, settings.executed_dir)
