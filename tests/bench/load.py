"""A load generator that costs little: raw sockets, requests made beforehand.

`python -m tests.bench.load PORT CONNECTIONS < requests` reads pickled requests, sends each on one
of the connections as soon as that is free, and prints when each reply came, as JSON.
"""

import asyncio
import json
import pickle
import sys
import time
from collections.abc import Iterator

Timed = tuple[float, float, int]  # when it was sent, seconds until its reply was read, status


async def read_reply(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def connection(port: int, requests: Iterator[bytes], timed: list[Timed]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        sent = time.perf_counter()
        writer.write(request)
        status = await read_reply(reader)
        timed.append((sent, time.perf_counter() - sent, status))
    writer.close()


async def send(port: int, connections: int, requests: list[bytes]) -> list[Timed]:
    timed: list[Timed] = []
    left = iter(requests)
    await asyncio.gather(*(connection(port, left, timed) for _ in range(connections)))
    return timed


if __name__ == "__main__":
    port, connections = map(int, sys.argv[1:])
    print(json.dumps(asyncio.run(send(port, connections, pickle.load(sys.stdin.buffer)))))
