"""What every request passes and every reply carries: same origin for changes, security headers."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.policy import said_by
from api.settings import HOST, Settings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LARGEST_BODY = 65_536  # bytes

SITE_POLICY = (
    "default-src 'self'; {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'"
)
API_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Guard:
    """ASGI middleware around everything, so that no reply goes out without its headers.

    What is no request of HTTP does not come this far; `api.connections` refuses it.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = RequestBodyLimitMiddleware(app, LARGEST_BODY)
        # From these a browser may change something.
        self.origins = (settings.base, *settings.cors_origins)
        self.host = settings.host
        # Each page says it too; the one of what is not there stands for all.
        scripts = said_by(settings.site_dir / "404.html")
        # Pages are asked for again each time, and answered with 304 when unchanged.
        self.of_site = _headers(SITE_POLICY.format(scripts=scripts), "no-cache")
        https_only = {b"strict-transport-security": b"max-age=31536000"}
        self.always = https_only if settings.is_https else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_api = _is_api(scope)
        begun = replaced = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(message, self.always | (API_HEADERS if is_api else self.of_site))
            await send(message)

        async def send_guarded(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return  # the rest of a reply that ours took the place of
            if is_api and message["type"] == "http.response.start" and message["status"] == 413:
                # The limiter replies in plain text.
                detail = f"the body is larger than {LARGEST_BODY} bytes; send less"
                replaced = True
                await _refuse(413, detail, "too-large", scope, receive, send_with_headers)
                return
            await send_with_headers(message)

        if refusal := self._refusal(scope):
            await _refuse(*refusal, scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_guarded)
        except Exception:
            if not begun:
                detail = "a mistake of ours; it is in the log of the service"
                await _refuse(500, detail, "error", scope, receive, send_with_headers)
            raise  # the server writes it to its log

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, detail and code for a request that goes no further."""
        if not self._is_ours(scope):
            return (
                421,
                f"this service is reached at {self.origins[0]}, by no other name",
                "other-host",
            )
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return 400, "the address holds a character that cannot be stored; remove NUL", "invalid"
        if _is_api(scope) and not self._may_change(scope):
            return 403, "a page of another site may change nothing here", "cross-site"
        return None

    def _is_ours(self, scope: Scope) -> bool:
        """By its own name or by an address: a foreign name that leads here is somebody's trick."""
        host = Headers(scope=scope).get("host", "")
        if not HOST.fullmatch(host):
            return False
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() in (self.host, "localhost"):
            return True
        try:
            return bool(ip_address(name.strip("[]")))
        except ValueError:
            return False

    def _may_change(self, scope: Scope) -> bool:
        """Browsers say where a request comes from; programs, which carry no cookie, need not."""
        headers = Headers(scope=scope)
        if scope["method"] in SAFE_METHODS:
            return True
        if headers.get("sec-fetch-site") == "same-origin":
            return True
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") in (None, "none")
        return origin in self.origins or origin == f"{scope['scheme']}://{headers['host']}"


def _is_api(scope: Scope) -> bool:
    return bool(scope["path"].startswith("/api/"))


def _headers(policy: str, caching: str) -> dict[bytes, bytes]:
    named = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "content-security-policy": policy,
        "cache-control": caching,
    }
    return {name.encode(): value.encode() for name, value in named.items()}


API_HEADERS = _headers(API_POLICY, "no-store")


def _add_headers(message: Message, added: dict[bytes, bytes]) -> None:
    """Add what the reply does not say itself."""
    given = {name for name, _ in message["headers"]}  # small letters: ASGI sees to that
    message["headers"] = [
        *message["headers"],
        *(item for item in added.items() if item[0] not in given),
    ]


async def _refuse(
    status: int, detail: str, code: str, scope: Scope, receive: Receive, send: Send
) -> None:
    await JSONResponse({"detail": detail, "code": code}, status)(scope, receive, send)
