"""A connection to the service: uvicorn's, which a request must cross whole and in time.

`readout serve` uses it, and `uvicorn --http api.connections:Connection` does.
"""

import asyncio
from http import HTTPStatus

from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.guard import API_HEADERS

REQUEST_TAKES_S = 20.0  # 64 KiB at most, so a slow telephone needs less

NO_REQUEST = JSONResponse({"detail": "this is no request of HTTP", "code": "invalid"}, 400)


class Connection(HttpToolsProtocol):
    """uvicorn waits for ever for the rest of a request; a thousand who never send it were enough
    to leave no connection for anybody else."""

    _deadline: asyncio.TimerHandle | None = None  # there while a request is awaited or half here

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:  # the first bytes of another request
            self._expect_request()
        super().data_received(data)

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no request never reaches the application, and is answered alike."""
        headers = {**dict(NO_REQUEST.raw_headers), **API_HEADERS, b"connection": b"close"}
        lines = [b"HTTP/1.1 400 " + HTTPStatus.BAD_REQUEST.phrase.encode()]
        lines += [name + b": " + value for name, value in headers.items()]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(NO_REQUEST.body)]))
        self.transport.close()

    def _expect_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_TAKES_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
