"""What may be on the disk after a power cut, from a record of the system calls.

The model: a write that was not followed by a completed sync of its file may be there, not there,
or there in some of its 512-byte sectors, and writes may reach the disk in any order; a sync is
honest; directories are durable at once. After Pillai et al., OSDI 2014, who called it ALICE.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
TRACED = "trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink,sendto"
# All strings in hexadecimal and whole, descriptors with their paths.
STRACE = ["-y", "-xx", "-s", "200000", "-e", TRACED]
LINE = re.compile(r"(\d+) +(.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Event(NamedTuple):
    """A system call that succeeded. It may have an effect from `begun`, and has it at `ended`."""

    begun: int  # line of the record
    ended: int
    name: str
    path: str
    data: bytes
    at: int  # offset in the file, or its new size


def read_events(record: Path) -> list[Event]:
    """Join what another thread's call cut in two, and order by when each begins to matter."""
    begun: dict[str, tuple[int, str]] = {}
    events = []
    for number, line in enumerate(record.read_text("ascii").splitlines()):
        pid, text = LINE.fullmatch(line).groups()
        if text.endswith("<unfinished ...>"):
            begun[pid] = (number, text.removesuffix("<unfinished ...>"))
            continue
        start = number
        if resumed := RESUMED.match(text):
            start, first = begun.pop(pid)
            text = first.rstrip() + text[resumed.end() :].lstrip()
        if call := CALL.match(text):
            events.append(_event(start, number, *call.groups()))
    # A power cut may come between the two halves of a sync, and then it has not been.
    return sorted(events, key=lambda e: e.ended if "sync" in e.name else e.begun)


def _event(begun: int, ended: int, name: str, arguments: str, result: str) -> Event:
    if name == "unlink":
        return Event(begun, ended, name, _decode(STRING.search(arguments)[1]).decode(), b"", 0)
    path = re.match(r"\d+<(.*?)>", arguments)
    data = STRING.search(arguments)
    at = int(arguments.rsplit(",", 1)[-1]) if name in ("pwrite64", "ftruncate") else 0
    assert int(result) >= 0, f"{name} failed under the record"
    where = _decode(path[1]).decode() if "\\x" in path[1] else path[1]
    return Event(begun, ended, name, where, _decode(data[1]) if data else b"", at)


def _decode(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Disk:
    """The files as they are for certain, and the changes that no sync has confirmed."""

    files: dict[str, bytes]
    pending: list[Event] = field(default_factory=list)

    def happen(self, event: Event) -> None:
        if "sync" in event.name:
            mine = [e for e in self.pending if e.path == event.path and e.ended < event.begun]
            for one in mine:
                _apply(self.files, one)
            self.pending = [e for e in self.pending if e not in mine]
        else:
            self.pending.append(event)

    def after_a_cut(self, draw: random.Random) -> Iterator[dict[str, bytes]]:
        """Nothing of what is pending, a random half, a random half of its sectors, all of it."""
        half = [event for event in self.pending if draw.random() < 0.5]
        torn = [piece for event in self.pending for piece in _sectors(event) if draw.random() < 0.5]
        for chosen in ([], half, torn, self.pending):
            files = dict(self.files)
            for event in chosen:
                _apply(files, event)
            yield files


def _sectors(event: Event) -> Iterator[Event]:
    if event.name != "pwrite64":
        yield event
        return
    end, at = event.at + len(event.data), event.at
    while at < end:
        until = min(end, at - at % SECTOR + SECTOR)
        yield event._replace(at=at, data=event.data[at - event.at : until - event.at])
        at = until


def _apply(files: dict[str, bytes], event: Event) -> None:
    content = files.get(event.path, b"")
    if event.name == "unlink":
        files.pop(event.path, None)
    elif event.name == "ftruncate":
        files[event.path] = content[: event.at].ljust(event.at, b"\0")
    else:
        padded = content.ljust(event.at, b"\0")
        files[event.path] = padded[: event.at] + event.data + padded[event.at + len(event.data) :]


class Cut(NamedTuple):
    """The files that a power cut may leave, and the ids that clients had been told by then."""

    files: dict[str, bytes]
    told: frozenset[str]


def cuts(record: Path, before: dict[str, bytes], seed: int) -> Iterator[Cut]:
    """Cut the power after each call that touched a file or told a client something.

    A reply counts as read when the service begins to send it.
    """
    disk, told = Disk(dict(before)), set()
    draw = random.Random(seed)
    stem = next(iter(before))
    for event in read_events(record):
        if event.name in ("sendto", "write"):
            told |= _ids(event.data)
        elif event.path.startswith(stem) and not event.path.endswith("-shm"):
            disk.happen(event)
        else:
            continue
        for files in disk.after_a_cut(draw):
            yield Cut(files, frozenset(told))


def _ids(sent: bytes) -> set[str]:
    """The id of what a reply's body acknowledges; nothing for heads and refusals."""
    try:
        told = json.loads(sent.rpartition(b"\r\n\r\n")[2])
        return {told["id"]}
    except (ValueError, TypeError, KeyError):
        return set()
