"""Rounds of R8, R9 and R10: two workers, a network that loses replies, many who edit one note."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from tests.conftest import API
from tests.durability.oracle import Counts, check
from tests.durability.proxy import LossyProxy
from tests.durability.rounds import NO_REPLY, in_threads
from tests.durability.service import Client, Item, Ledger, Seeded, Serving, items, serving

EDITORS = 8


class Group:
    """A database, its members, and the two workers that serve it."""

    def __init__(self, url: str, tokens: list[str], folder: Path, workers: list[Serving]) -> None:
        self.url, self.tokens, self.workers = url, tokens, workers
        self.ledger = Ledger(folder / "ledger")

    def client(self, worker: int, token: str) -> Client:
        return Client(self.workers[worker % 2].port, token, self.ledger)

    def check(self) -> Counts:
        return check(self.url.removeprefix("sqlite:///"), self.ledger.path)


@contextmanager
def two_workers(url: str, tokens: list[str], folder: Path) -> Iterator[Group]:
    with ExitStack() as stack:
        folders = [folder / str(number) for number in range(2)]
        for own in folders:
            own.mkdir()
        workers = [stack.enter_context(serving(url, own)) for own in folders]
        yield Group(url, tokens, folder, workers)


def run_all(jobs: list[Callable[[], None]]) -> None:
    """In a thread each; what one raises is raised here."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    for thread in in_threads([partial(run, job) for job in jobs]):
        thread.join(300)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def until_told(ask: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
    for _ in range(200):
        try:
            status, told = ask()
        except NO_REPLY:
            continue  # nobody knows whether it arrived: the same again
        if status in (200, 201):
            return status, told
        # PostgreSQL may give up on a transaction that met others too often.
        assert (status, told["code"]) == (503, "no-database"), told
    raise AssertionError("never told")


def work_on_two(group: Group, each: int) -> tuple[Counts, float]:
    """Eight clients go to both workers in turn, and find there what the other one stored.

    Each stores so many items, and changes its notes. Also the slowest reply, in seconds.
    """
    slowest: list[float] = []

    def work(token: str, label: str) -> None:
        clients = [group.client(worker, token) for worker in range(2)]
        for number, item in enumerate(islice(items(label), each)):
            here, there = clients[number // 2 % 2], clients[1 - number // 2 % 2]
            told, _ = until_told(partial(here.send, item))
            assert told == 201 or group.url.startswith("postgresql:")
            assert until_told(partial(there.send, item))[0] == 200  # it is known there already
            if item.kind == "note":
                text = f"{item.text}, changed"
                until_told(partial(there.edit, item.id, 1, text))
                status, note, _ = here.ask("GET", f"{API}/notes/{item.id}")
                assert (status, note["body"]) == (200, text)
        slowest.append(max(took for client in clients for took in client.took))

    run_all([partial(work, token, str(n)) for n, token in enumerate(group.tokens * 2)])
    return group.check(), max(slowest)


def lose_replies(group: Group, proxies: list[LossyProxy], each: int) -> Counts:
    """Each item is sent up to five times, some at the same time, until somebody is told."""

    def outbox(token: str, label: str) -> None:
        draw = random.Random(label)
        for item in islice(items(label), each):
            clients = [
                Client(draw.choice(proxies).port, token, group.ledger, timeout_s=5)
                for _ in range(draw.randint(1, 5))
            ]
            run_all([partial(_send_until_told, client, item) for client in clients])

    run_all([partial(outbox, token, str(n)) for n, token in enumerate(group.tokens * 2)])
    return group.check()


def _send_until_told(client: Client, item: Item) -> None:
    until_told(partial(client.send, item))


def restart_under(seeded: Seeded, folder: Path, each: int, seed: int) -> Counts:
    """Four outboxes are emptied through a lossy network, while the service is killed thrice."""
    file, ledger = seeded.copy(folder), Ledger(folder / "ledger")
    running: list[Serving] = []
    proxy = LossyProxy(lambda: running[-1].port, seed)
    done = threading.Event()

    def outbox(token: str, label: str) -> None:
        client = Client(proxy.port, token, ledger, timeout_s=5)
        for item in islice(items(label), each):
            while True:
                try:
                    if client.send(item)[0] in (200, 201):
                        break
                except NO_REPLY:
                    done.wait(0.02)

    with ExitStack() as stack:
        running.append(stack.enter_context(serving(f"sqlite:///{file}", folder)))
        threads = in_threads(
            [partial(outbox, token, str(n)) for n, token in enumerate(seeded.tokens)]
        )
        for _ in range(3):
            done.wait(0.4)
            running[-1].kill()
            running.append(stack.enter_context(serving(f"sqlite:///{file}", folder)))
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    proxy.close()
    return check(file, ledger.path)


Accepted = dict[str, list[tuple[int, str]]]  # by note: the version, and the line that it added


def edit_at_once(group: Group, each: int) -> Counts:
    """Eight editors add a line to three notes each time they win; every accepted line is there."""
    owner = group.client(0, group.tokens[0])
    # Lines of code: what is counted here is stored, and rendering it should take no time.
    given = {"meeting": "2026-03-12", "body": "```\nbegun\n"}
    accepted: Accepted = {
        owner.ask("POST", f"{API}/notes", {"id": str(uuid.uuid4()), **given})[1]["id"]: []
        for _ in range(3)
    }

    def edit(number: int) -> None:
        client = group.client(number, group.tokens[0])
        for turn in range(each):
            note = list(accepted)[(number + turn) % 3]
            accepted[note].append(_win(client, note, f"{number}.{turn}\n"))

    run_all([partial(edit, number) for number in range(EDITORS)])
    return _judge_edits(group.client(1, group.tokens[0]), accepted)


def _win(client: Client, note: str, line: str) -> tuple[int, str]:
    """Who comes too late is told the present text, and adds the line to that."""
    status, present, _ = client.ask("GET", f"{API}/notes/{note}")
    assert status == 200, present
    for _ in range(1_000):
        text, tag = present["body"] + line, {"If-Match": f'"{present["version"]}"'}
        status, told, _ = client.ask("PUT", f"{API}/notes/{note}", {"body": text}, **tag)
        if status == 200:
            assert told["body"] == text  # the reply is of what was sent
            return told["version"], line
        if status == 412:
            present = told["current"]
        else:
            assert status == 503, told
    raise AssertionError("never won")


def _judge_edits(reader: Client, accepted: Accepted) -> Counts:
    lost = twice = stored = 0
    wrong = []
    for note, won in accepted.items():
        text = reader.ask("GET", f"{API}/notes/{note}")[1]["body"]
        lines = text.splitlines(keepends=True)[2:]
        stored += len(lines)
        lost += sum(line not in lines for _, line in won)
        twice += len(lines) - len(set(lines))
        if [version for version, _ in sorted(won)] != list(range(2, 2 + len(won))):
            wrong.append("the versions have a gap")
        if lines != [line for _, line in sorted(won)]:
            wrong.append("the lines are not in the order of the versions")
        revisions = reader.ask("GET", f"{API}/notes/{note}/revisions")[1]
        if any(not b["body"].startswith(a["body"]) for a, b in pairwise(revisions)):
            wrong.append("a version lacks what the one before it had")
    told = sum(map(len, accepted.values()))
    return Counts(told, told, stored, lost, twice, "; ".join(wrong))
