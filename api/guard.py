"""What every request passes and every reply carries: same origin for changes, security headers."""

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LARGEST_BODY = 65_536  # bytes

# Material starts itself with inline scripts; everything else comes from this origin.
SITE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Guard:
    """ASGI middleware. `origins` are those from which a browser may change something."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self.app = RequestBodyLimitMiddleware(app, LARGEST_BODY)
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/api/")
        replaced = False

        async def send_guarded(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return  # the rest of a reply that ours took the place of
            if message["type"] == "http.response.start":
                if is_api and message["status"] == 413:
                    # The limiter replies in plain text.
                    detail = f"the body is larger than {LARGEST_BODY} bytes; send less"
                    await _refuse(413, detail, "too-large", scope, receive, send_guarded_once)
                    replaced = True
                    return
                _add_headers(message, is_api)
            await send(message)

        async def send_guarded_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, is_api)
            await send(message)

        if is_api and not self._may_change(scope):
            detail = "a page of another site may change nothing here"
            await _refuse(403, detail, "cross-site", scope, receive, send_guarded_once)
            return
        await self.app(scope, receive, send_guarded)

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
        return origin in self.origins or origin == f"{scope['scheme']}://{headers.get('host', '')}"


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
# Pages are asked for again each time, and answered with 304 when unchanged.
SITE_HEADERS = _headers(SITE_POLICY, "no-cache")


def _add_headers(message: Message, is_api: bool) -> None:
    """Add what the reply does not say itself."""
    given = {name for name, _ in message["headers"]}  # small letters: ASGI sees to that
    added = API_HEADERS if is_api else SITE_HEADERS
    message["headers"] = [
        *message["headers"],
        *(item for item in added.items() if item[0] not in given),
    ]


async def _refuse(
    status: int, detail: str, code: str, scope: Scope, receive: Receive, send: Send
) -> None:
    await JSONResponse({"detail": detail, "code": code}, status)(scope, receive, send)
