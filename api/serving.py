"""Start the whole product: build the site, migrate the database, listen."""

import datetime as dt
import errno
import gc
import logging
import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.console import (
    ROOT,
    fail,
    load_settings,
    need_content,
    open_database,
    remember_address,
    usable,
)
from api.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

FAILED = 70  # the disk or the file failed: whoever watches the service should start it again


def build_site(settings: Settings, *, preview: bool = False) -> None:
    """Build the site; ends with 1 and MkDocs' complaint if it fails."""
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    from mkdocs.exceptions import Abort, MkDocsException

    from api.preview import Memory
    from api.site import build

    _check_writable(settings.site_dir)
    try:
        build(ROOT, settings, Memory() if preview else None)
    except (Abort, MkDocsException) as error:
        fail(f"the site was not built: {error}" if str(error) else "the site was not built")


def serve(host: str, port: int, *, build: bool, preview: bool) -> None:
    _check_port(host, port)
    given = {} if os.environ.get("READOUT_BASE_URL") else {"base_url": f"http://{host}:{port}"}
    settings = load_settings(**given)
    need_content(settings)
    _begin_log(settings)
    if preview:
        settings = settings.model_copy(update={"site_dir": settings.cache_dir / "preview"})
    database = open_database(settings)
    if preview:
        from api.previewing import begin

        begin(settings)
    elif build:
        from api.fingerprint import is_current

        if not is_current(ROOT, settings):
            typer.echo("Building the site ...", err=True)
            build_site(settings)
    remember_address(settings)
    from api.members import invite_first_organizer

    now = dt.datetime.now(dt.UTC)
    with usable(settings):
        code = database.write(lambda session: invite_first_organizer(session, now))
    database.close()
    typer.echo(f"Readout is at {settings.base}/")
    if code:
        typer.echo(
            f"Nobody has joined yet. The first organizer joins at {settings.base}/join#{code}"
        )
    listen(settings, host, port)


def listen(settings: Settings, host: str, port: int) -> None:
    import uvicorn

    from api.connections import Connection

    app = _opened(settings)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        log_level="warning",
        # uvicorn's own lines go where ours go
        log_config=None if settings.log_format == "json" else uvicorn.config.LOGGING_CONFIG,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the app asks READOUT_PROXIES
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    database = app.state.service.database

    def stop() -> None:
        server.should_exit = True

    database.on_failure = stop
    with suppress(KeyboardInterrupt):
        server.run()
    if database.failure:
        raise typer.Exit(FAILED)
    if not server.started:
        raise typer.Exit(1)


def worker() -> "FastAPI":
    """The service in one of several processes that uvicorn's own command starts.

    What keeps it from serving is said in a sentence. uvicorn starts it again only where that may
    help: a database that is away may come back, one of another schema ends the other processes too.
    """
    from sqlalchemy.exc import SQLAlchemyError
    from uvicorn.config import STARTUP_FAILURE

    try:
        settings = load_settings()
        need_content(settings)
        _begin_log(settings)
        return _opened(settings)
    except typer.Exit as end:
        is_away = isinstance(end.__context__, SQLAlchemyError)
        sys.exit(1 if is_away else STARTUP_FAILURE)


def _opened(settings: Settings) -> "FastAPI":
    """The service, and what it needs of this process."""
    from api.app import create_app
    from api.bounded import start_process
    from api.render import render_note

    _allow_connections()
    with usable(settings):
        app = create_app(settings)
    start_process(render_note, "", {})  # else the first note would wait for it
    spare_what_stays()
    return app


def spare_what_stays() -> None:
    """Look for no garbage among what is here now, which is kept to the end.

    Each look took almost a tenth of a second, in which nobody had a reply.
    """
    gc.collect()
    gc.freeze()


def _begin_log(settings: Settings) -> None:
    from api.telemetry import begin_log

    begin_log(settings.log_format)


def _allow_connections() -> None:
    """Use all files that the system grants, not the first thousand: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS grants "without end", and refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            fail(f"port {port} is reserved; choose one above 1023: make serve PORT=8001")
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                fail(f"--host {host}: {error.strerror}; name an address of this machine")
            other = port + 1 if port < 65535 else 8000
            fail(
                f"port {port} of {host} cannot be used ({error.strerror}); "
                f"choose another: make serve PORT={other}"
            )


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}; change its owner or READOUT_SITE_DIR")
