"""A network between client and service that loses, cuts, delays and repeats, as real ones do."""

import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

FAULTS = ("none", "none", "drop the reply", "cut the reply", "cut the request", "repeat")


class LossyProxy:
    """Listens on `port` and passes each connection on to the port that `target` gives now.

    One fault a connection, drawn at random: the request may arrive, and its reply not.
    """

    def __init__(self, target: Callable[[], int], seed: int) -> None:
        self.target = target
        self.draw = random.Random(seed)
        self.faults = dict.fromkeys(FAULTS, 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            fault = self.draw.choice(FAULTS)
            self.faults[fault] += 1
            threading.Thread(target=self._serve, args=(connection, fault), daemon=True).start()

    def _serve(self, connection: socket.socket, fault: str) -> None:
        with connection, suppress(OSError):
            request = _read_message(connection)
            if fault == "cut the request":
                request = request[: len(request) // 2]
            for _ in range(2 if fault == "repeat" else 1):
                with socket.create_connection(("127.0.0.1", self.target()), timeout=20) as service:
                    service.sendall(request)
                    if fault == "cut the request":
                        return
                    reply = _read_message(service)
            if fault == "cut the reply":
                reply = reply[: len(reply) // 2]
            if fault != "drop the reply":
                connection.sendall(reply)


def _read_message(connection: socket.socket) -> bytes:
    """A request, or a reply: its head, and as much as the head says."""
    connection.settimeout(20)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += _receive(connection)
    return head + b"\r\n\r\n" + body


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise OSError("closed")
    return data
