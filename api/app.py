"""The service: the API under /api/v1 and the built site at /."""

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlmodel import select
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import (
    agenda,
    agenda_markdown,
    analysis,
    answers,
    devices,
    joining,
    meetings,
    members,
    membership,
    note_routes,
    quizzes,
    reference,
    reports,
    results,
    review,
    rights,
    telemetry,
)
from api.bounded import end_processes
from api.database import Busy, Failed, sqlite_name
from api.grading import NoKey
from api.guard import Guard
from api.service import ServiceDep, open_service
from api.settings import Settings
from api.wire import REFUSALS, Refusal

API = "/api/v1"
RETRY_AFTER = {"Retry-After": "2"}

log = logging.getLogger("readout")
status = APIRouter(tags=["service"])
ANY_MEMBER = select(members.Member.id).limit(1)


class Health(BaseModel):
    status: str
    database: str
    content: dict[str, int]


@status.head("/health", include_in_schema=False)
@status.get("/health")
async def health(service: ServiceDep) -> Health:
    """Whether the service can read its database, and what it serves. 503 once the disk failed."""
    service.database.check()
    await service.database.find(ANY_MEMBER, {})
    content = service.content
    return Health(
        status="ok",
        database=service.database.kind,
        content={
            "library": len(content.library),
            "meetings": len(content.meetings),
            "quizzes": len(content.quizzes),
            "problems": len(content.problems),
        },
    )


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def create_app(
    settings: Settings | None = None, clock: Callable[[], dt.datetime] = _utc_now
) -> FastAPI:
    """Build the service. Importing this module opens nothing; calling this does.

    The database must be migrated already (`readout migrate`). A built site is optional: without
    one, only the API answers.
    """
    settings = settings or Settings()
    service = open_service(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.database.close()
        end_processes()

    app = FastAPI(
        title="Readout",
        version="1",
        description="Meetings, quizzes and notes of a reading group.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere; see `reference`
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    modules: tuple[Any, ...] = (answers, quizzes, members, note_routes, meetings, reports, results)
    modules += (analysis, agenda, agenda_markdown, review, rights, joining, devices, membership)
    modules += (telemetry,)
    for router in (*(module.router for module in modules), status):
        # The first is asked first, and asked the most.
        app.include_router(router, prefix=API, responses=REFUSALS)
    _add_reference(app)
    _add_refusals(app)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match"],
            expose_headers=["ETag"],
            allow_credentials=False,  # a site elsewhere signs in with a bearer token
        )
    app.add_middleware(Guard, settings=settings)
    app.state.replies = Counter[int]()
    app.add_middleware(telemetry.Telemetry, replies=app.state.replies)
    if settings.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.proxies))
    # Asked when no endpoint is: a mount at "/" would answer for unknown endpoints too.
    app.router.default = Site(settings.site_dir)
    return app


class Site:
    """The built site, at every address that is no endpoint's. Without a site, nothing is there."""

    def __init__(self, folder: Path) -> None:
        self.files = StaticFiles(directory=folder, html=True) if folder.is_dir() else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self.files is None or path.startswith("/api/") or "/." in path:
            raise HTTPException(404, f"nothing is at {path[:200]!r}")
        await self.files(scope, receive, send)


def _add_reference(app: FastAPI) -> None:
    @app.get(f"{API}/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(reference.page(app.openapi()))


def _add_refusals(app: FastAPI) -> None:
    """Turn what the code raises into replies, in this one place: {"detail", "code", ...}."""

    @app.exception_handler(Refusal)
    async def _refused(_: Request, error: Refusal) -> Response:
        return _reply(error.status, error.detail, error.code, error.headers, **error.more)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: it may hold a secret, or what JSON cannot say.
        return _reply(422, _complaint(error), "invalid")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and not request.url.path.startswith(API):
            page = request.app.state.service.settings.site_dir / "404.html"
            if page.is_file():
                return HTMLResponse(page.read_text("utf-8"), 404)
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
        return _reply(error.status_code, str(error.detail), code, dict(error.headers or {}))

    @app.exception_handler(Busy)
    async def _busy(_: Request, error: Busy) -> Response:
        return _reply(503, str(error), "busy", RETRY_AFTER)

    @app.exception_handler(NoKey)
    async def _no_key(_: Request, error: NoKey) -> Response:
        log.error("a question has no key: %s", error)
        detail = "this question has no key yet; tell an organizer"
        return _reply(503, detail, "no-key", RETRY_AFTER)

    @app.exception_handler(Failed)
    async def _failed(_: Request, error: Failed) -> Response:
        return _reply(503, str(error), "no-database", RETRY_AFTER)

    @app.exception_handler(NoConnection)
    async def _no_connection(_: Request, error: NoConnection) -> Response:
        return _reply(503, "too many are reading; try again in a moment", "busy", RETRY_AFTER)

    @app.exception_handler(DBAPIError)
    async def _database(_: Request, error: DBAPIError) -> Response:
        name = sqlite_name(error.orig)
        log.error("the database refused: %s", name or type(error.orig).__name__)
        if name == "SQLITE_FULL":
            return _reply(507, "the disk is full; nothing was stored", "disk-full", RETRY_AFTER)
        if name.startswith("SQLITE_BUSY"):
            detail = "another program holds the database; nothing was stored; try again"
            return _reply(503, detail, "busy", RETRY_AFTER)
        # A connection that broke off while it committed may have stored it.
        detail = "the database did not answer, and may have stored this or not; send it again"
        return _reply(503, detail, "no-database", RETRY_AFTER)


def _reply(
    status_code: int, detail: str, code: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    return JSONResponse({"detail": detail, "code": code, **more}, status_code, headers)


MOST_SAID = 5
A_NAME = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)


def _complaint(error: RequestValidationError) -> str:
    messages: dict[str, str] = {}
    for item in error.errors():
        # The alternatives of a union are one field to whoever sent it.
        where = ".".join(str(part) for part in item["loc"][1:2]) or str(item["loc"][0])
        if not A_NAME.fullmatch(where):
            where = "body"  # a name that was sent, and may be anything
        message = item["msg"].removeprefix("Value error, ")
        if where == "response" and len(item["loc"]) > 2:
            message = "give an option's id, a number, a text, a list of ids, or an object"
        messages.setdefault(where, message)
        if len(messages) == MOST_SAID:
            break
    return "; ".join(f"{where}: {message}" for where, message in messages.items())
