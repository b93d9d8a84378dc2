"""A connection to the service: uvicorn's, which a request must cross whole and in time.

`readout serve` uses it, and `uvicorn --http api.connections:Connection` does.
"""

import asyncio
from http import HTTPStatus

from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.guard import API_HEADERS

REQUEST_TAKES_S = 20.0  # 128 KiB at most, so a slow telephone needs less
LARGEST_HEAD = 64 * 1024  # bytes of an address and its headers; browsers send less than two

DETAIL = f"this is no request of HTTP, or its head is larger than {LARGEST_HEAD:,} bytes"
NO_REQUEST = JSONResponse({"detail": DETAIL, "code": "invalid"}, 400)


class Connection(HttpToolsProtocol):
    """uvicorn waits for ever for the rest of a request; a thousand who never send it were enough
    to leave no connection for anybody else. And it collects a head of any size, again from its
    beginning with each packet: one such was enough to keep the process busy."""

    _deadline: asyncio.TimerHandle | None = None  # there while a request is awaited or half here
    _is_in_head = False
    _head_bytes = 0  # of the packets that went on with a head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:  # another request begins, or a line before it
            self._expect_request()
        if self._is_in_head:
            self._head_bytes += len(data)
        if self._head_bytes > LARGEST_HEAD:
            self.send_400_response(DETAIL)
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """It may have come in one packet with the end of another, and half of it be missing."""
        if self._deadline is None:
            self._expect_request()
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What is raised here is answered by `send_400_response`."""
        self._is_in_head, self._head_bytes = False, 0
        if (
            len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            > LARGEST_HEAD
        ):
            raise ValueError(DETAIL)
        super().on_headers_complete()

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
