"""R8, R9, R10: two workers, a network that loses replies, and many who edit the same note."""

import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import pytest

from tests.conftest import API
from tests.durability.oracle import check, clean
from tests.durability.proxy import FAULTS, LossyProxy
from tests.durability.rounds import NO_REPLY, in_threads
from tests.durability.service import Client, Item, Ledger, Seeded, Serving, items, seed, serving

EACH = 63  # items of each of eight clients, each sent to both workers: 1,008 requests
EDITS = 200  # of each of eight editors


class Group:
    """A database, its members, and the two workers that serve it."""

    def __init__(self, url: str, tokens: list[str], stack: ExitStack, folder: Path) -> None:
        self.url, self.tokens, self.folder = url, tokens, folder
        self.workers: list[Serving] = []
        for number in range(2):
            (folder / str(number)).mkdir()
            self.workers.append(stack.enter_context(serving(url, folder / str(number))))

    @property
    def database(self) -> str:
        return self.url.removeprefix("sqlite:///")


@pytest.fixture(params=["sqlite", "postgresql"])
def group(request: pytest.FixtureRequest, seeded: Seeded, tmp_path: Path) -> Iterator[Group]:
    if request.param == "sqlite":
        url, tokens = f"sqlite:///{seeded.copy(tmp_path)}", seeded.tokens
    else:
        url = request.getfixturevalue("postgresql_url")
        tokens = seed(url)
    with ExitStack() as stack:
        yield Group(url, tokens, stack, tmp_path)


def run_all(jobs: list) -> None:
    """In a thread each; what one raises is raised here."""
    errors: list[BaseException] = []

    def run(job: partial) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    for thread in in_threads([partial(run, job) for job in jobs]):
        thread.join(300)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def send_until_told(client: Client, item: Item) -> int:
    for _ in range(200):
        try:
            status, told = client.send(item)
        except NO_REPLY:
            continue  # nobody knows whether it arrived: the same again
        if status in (200, 201):
            return status
        # PostgreSQL may give up on a transaction that met others too often.
        assert (status, told["code"]) == (503, "no-database"), told
    raise AssertionError("never told")


def test_two_workers_on_one_database_lose_nothing(group: Group, ledger: Ledger):
    """Each client goes to both workers in turn, and finds what the other one stored."""

    def work(token: str, label: str) -> None:
        clients = [Client(worker.port, token, ledger) for worker in group.workers]
        for number, item in enumerate(islice(items(label), EACH)):
            told = send_until_told(clients[number % 2], item)
            assert told == 201 or group.url.startswith("postgresql:")
            # The other worker knows it already.
            assert clients[1 - number % 2].send(item)[0] == 200

    run_all([partial(work, token, str(n)) for n, token in enumerate(group.tokens * 2)])

    counts = check(group.database, ledger.path)
    assert clean(counts), counts
    assert counts.stored == 8 * EACH


def test_a_network_that_loses_replies_stores_each_once(group: Group, ledger: Ledger):
    """Each item is sent up to five times, some at the same time, until somebody is told."""
    proxies = [LossyProxy(lambda n=n: group.workers[n].port, seed=n) for n in range(2)]

    def outbox(token: str, label: str) -> None:
        draw = random.Random(label)
        for item in islice(items(label), 25):
            clients = [
                Client(draw.choice(proxies).port, token, ledger, timeout_s=5)
                for _ in range(draw.randint(1, 5))
            ]
            run_all([partial(send_until_told, client, item) for client in clients])

    run_all([partial(outbox, token, str(n)) for n, token in enumerate(group.tokens)])

    for proxy in proxies:
        proxy.close()
        assert all(proxy.faults[fault] for fault in FAULTS), proxy.faults
    counts = check(group.database, ledger.path)
    assert clean(counts), counts
    assert counts.stored == counts.acknowledged == 100


def test_an_outbox_is_emptied_across_restarts(seeded: Seeded, ledger: Ledger, tmp_path: Path):
    file = seeded.copy(tmp_path)
    running: list[Serving] = []
    proxy = LossyProxy(lambda: running[-1].port, seed=3)
    done = threading.Event()

    def outbox(token: str, label: str) -> None:
        client = Client(proxy.port, token, ledger, timeout_s=5)
        for item in islice(items(label), 30):
            while True:
                try:
                    if client.send(item)[0] in (200, 201):
                        break
                except NO_REPLY:
                    done.wait(0.02)

    with ExitStack() as stack:
        running.append(stack.enter_context(serving(f"sqlite:///{file}", tmp_path)))
        threads = in_threads(
            [partial(outbox, token, str(n)) for n, token in enumerate(seeded.tokens)]
        )
        for _ in range(3):
            done.wait(0.4)
            running[-1].kill()
            running.append(stack.enter_context(serving(f"sqlite:///{file}", tmp_path)))
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    proxy.close()
    counts = check(file, ledger.path)
    assert clean(counts), counts
    assert counts.stored == counts.acknowledged == 120


def test_an_id_is_one_members_and_means_one_thing(group: Group, ledger: Ledger):
    ada, grace = (Client(group.workers[0].port, token, ledger) for token in group.tokens[:2])
    key = str(uuid.uuid4())
    assert ada.send(Item("answer", key, "hers"))[0] == 201
    assert ada.ask("POST", *Item("answer", key, "something else").request())[0] == 409
    # Another member's answer under the same id is another answer.
    assert grace.ask("POST", *Item("answer", key, "his").request())[0] == 201
    mine = ada.ask("GET", f"{API}/quizzes/example/answers")[1]
    assert [(answer["id"], answer["reason"]) for answer in mine] == [(key, "hers")]


def test_no_edit_of_a_note_is_lost(group: Group, ledger: Ledger):
    """Eight editors add a line each time they win; every line that was accepted is there."""
    editors = [(group.tokens[0], n % 2) for n in range(8)]
    owner = Client(group.workers[0].port, group.tokens[0], ledger)
    notes = [
        owner.ask("POST", f"{API}/notes", {"meeting": "2026-03-12", "body": "begun\n"})[1]["id"]
        for _ in range(2)
    ]
    accepted: dict[str, list[tuple[int, str]]] = {note: [] for note in notes}

    def edit(token: str, worker: int, label: str) -> None:
        client = Client(group.workers[worker].port, token, ledger)
        for number in range(EDITS):
            note = notes[number % 2]
            line = f"{label}.{number}\n"
            for _ in range(1_000):
                status, present, headers = client.ask("GET", f"{API}/notes/{note}")
                assert status == 200, present
                body = {"body": present["body"] + line}
                tag = {"If-Match": headers["ETag"]}
                status, told, _ = client.ask("PUT", f"{API}/notes/{note}", body, **tag)
                if status == 200:
                    assert told["body"] == body["body"]  # the reply is of what was sent
                    accepted[note].append((told["version"], line))
                    break
                assert status in (412, 503), told
            else:
                raise AssertionError("never won")

    run_all([partial(edit, token, n, str(k)) for k, (token, n) in enumerate(editors)])

    owner = Client(group.workers[1].port, group.tokens[0], ledger)
    for note in notes:
        won = sorted(accepted[note])
        assert [version for version, _ in won] == list(range(2, 2 + 4 * EDITS))  # without a gap
        text = owner.ask("GET", f"{API}/notes/{note}")[1]["body"]
        assert text == "begun\n" + "".join(line for _, line in won)
        revisions = owner.ask("GET", f"{API}/notes/{note}/revisions")[1]
        for before, after in pairwise(revisions):
            assert after["body"].startswith(before["body"])


def test_stopping_loses_nothing_and_replies_to_all(seeded: Seeded, ledger: Ledger, tmp_path: Path):
    """SIGTERM: what was asked is answered, then the service ends by itself."""
    file = seeded.copy(tmp_path)
    with serving(f"sqlite:///{file}", tmp_path) as service:
        enough = threading.Event()

        def work(token: str, label: str) -> None:
            client = Client(service.port, token, ledger)
            for number, item in enumerate(items(label)):
                try:
                    client.send(item)
                except NO_REPLY:
                    return  # a new request after the end
                if number == 20:
                    enough.set()

        threads = in_threads(
            [partial(work, token, str(n)) for n, token in enumerate(seeded.tokens)]
        )
        assert enough.wait(30)
        assert service.terminate() in (0, -15)
        for thread in threads:
            thread.join(10)
    counts = check(file, ledger.path)
    assert clean(counts), counts
    assert not file.with_name("readout.sqlite3-wal").exists()  # closed in order
