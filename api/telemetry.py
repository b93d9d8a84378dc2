"""What the service tells whoever runs it: a line of JSON a request, and numbers to watch."""

import datetime as dt
import json
import logging
import os
import resource
import secrets
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.backup import database_file
from api.members import organizing, signed_in
from api.service import NowDep, Service, ServiceDep

log = logging.getLogger("readout")
access = logging.getLogger("readout.access")
router = APIRouter(tags=["service"])


DESCRIPTORS = Path("/proc/self/fd")  # the open files, where the system lists them


class Telemetry:
    """ASGI middleware: counts the replies and, where logs are kept, says a line of each."""

    def __init__(self, app: ASGIApp, replies: Counter[int]) -> None:
        self.app = app
        self.replies = replies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500  # of a reply that never began

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            self.replies[status] += 1
            if access.isEnabledFor(logging.INFO):
                # No query, no header and no body: those hold searches, tokens and texts.
                more = {"method": scope["method"], "path": scope["path"][:200], "status": status}
                took_ms = round(1_000 * (time.perf_counter() - begun), 1)
                access.info("replied", extra={"more": {**more, "took_ms": took_ms}})


class JsonLines(logging.Formatter):
    """One object a line, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "more", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


class TextLines(logging.Formatter):
    """A line for people: the moment in UTC, how grave it is, what happened."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")


def begin_log(form: Literal["text", "json"]) -> None:
    """Write to the standard error what is decided and what goes wrong; in JSON, each request too.

    Text goes where whoever called has told logging to write, if they did.
    """
    as_json = form == "json"
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=as_json)
    log.setLevel(logging.INFO)
    access.setLevel(logging.INFO if as_json else logging.WARNING)
    if as_json:
        # uvicorn's command has given its log a form of its own.
        server = logging.getLogger("uvicorn")
        server.handlers.clear()
        server.propagate = True


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(
    request: Request,
    service: ServiceDep,
    now: NowDep,
    authorization: Annotated[str, Header()] = "",
) -> PlainTextResponse:
    """Numbers to watch, in the text format of Prometheus.

    For organizers, and for whoever has the token in READOUT_METRICS_TOKEN.
    """
    token = service.settings.metrics_token
    given = authorization.removeprefix("Bearer ").encode()
    if not token or not secrets.compare_digest(given, token.encode()):
        await organizing(await signed_in(request, service, now))
    return PlainTextResponse(exposition(service, request.app.state.replies))


def exposition(service: Service, replies: Counter[int]) -> str:
    database = service.database
    numbers: list[tuple[str, str, float]] = [
        ("writes_total", "counter", database.counts.writes),
        ("commits_total", "counter", database.counts.commits),
        ("writes_refused_total", "counter", database.counts.refused),
        ("writes_waiting", "gauge", database.waiting),
        ("database_failed", "gauge", bool(database.failure)),
        ("content_problems", "gauge", len(service.content.problems)),
        ("cpu_seconds_total", "counter", time.process_time()),
        ("memory_bytes_max", "gauge", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
    ]
    if database.is_sqlite:
        file = database_file(service.settings.database_url)
        for name, path in (("database", file), ("log", file.with_name(f"{file.name}-wal"))):
            size = path.stat().st_size if path.exists() else 0
            numbers.append((f"{name}_bytes", "gauge", size))
    if DESCRIPTORS.is_dir():
        numbers.append(("open_files", "gauge", len(os.listdir(DESCRIPTORS))))  # noqa: PTH208
    lines = [
        f"# TYPE readout_{name} {kind}\nreadout_{name} {float(value):.12g}"
        for name, kind, value in numbers
    ]
    lines.append("# TYPE readout_replies_total counter")
    lines += [f'readout_replies_total{{status="{s}"}} {n}' for s, n in sorted(replies.items())]
    return "\n".join(lines) + "\n"
