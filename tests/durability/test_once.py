"""R8, R9, R10: two workers, a network that loses replies, and many who edit the same note."""

import threading
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import API
from tests.durability.crowd import (
    EDITORS,
    Group,
    edit_at_once,
    lose_replies,
    restart_under,
    two_workers,
    work_on_two,
)
from tests.durability.oracle import check, clean
from tests.durability.proxy import FAULTS, LossyProxy
from tests.durability.rounds import NO_REPLY, in_threads
from tests.durability.service import Client, Item, Ledger, Seeded, items, seed, serving

EACH = 42  # items of each of eight clients, at three requests each in the middle: 1,008 requests
# Items of each of eight outboxes on each database, and of each of four across restarts: 2,000.
SENT, SENT_ON = 112, 52
EDITS = {"sqlite": 200, "postgresql": 100}  # of each of eight editors


@pytest.fixture(params=["sqlite", "postgresql"])
def group(request: pytest.FixtureRequest, seeded: Seeded, tmp_path: Path) -> Iterator[Group]:
    if request.param == "sqlite":
        url, tokens = f"sqlite:///{seeded.copy(tmp_path)}", seeded.tokens
    else:
        url = request.getfixturevalue("postgresql_url")
        tokens = seed(url)
    with two_workers(url, tokens, tmp_path) as group:
        yield group


def test_two_workers_on_one_database_lose_nothing(group: Group):
    counts, slowest_s = work_on_two(group, EACH)
    assert clean(counts), counts
    assert counts.stored == 8 * (EACH + EACH // 2)
    assert slowest_s < 10  # nobody waits while others have their turn again and again


def test_a_network_that_loses_replies_stores_each_once(group: Group):
    proxies = [LossyProxy(lambda n=n: group.workers[n].port, seed=n) for n in range(2)]
    counts = lose_replies(group, proxies, SENT)
    for proxy in proxies:
        proxy.close()
        assert all(proxy.faults[fault] for fault in FAULTS), proxy.faults
    assert clean(counts), counts
    assert counts.stored == counts.acknowledged == 8 * SENT


def test_an_outbox_is_emptied_across_restarts(seeded: Seeded, tmp_path: Path):
    counts = restart_under(seeded, tmp_path, SENT_ON, seed=3)
    assert clean(counts), counts
    assert counts.stored == counts.acknowledged == len(seeded.tokens) * SENT_ON


def test_an_id_is_one_members_and_means_one_thing(group: Group):
    ada, grace = (group.client(0, token) for token in group.tokens[:2])
    key = str(uuid.uuid4())
    assert ada.send(Item("answer", key, "hers"))[0] == 201
    assert ada.ask("POST", *Item("answer", key, "something else").request())[0] == 409
    # Another member's answer under the same id is another answer.
    assert grace.ask("POST", *Item("answer", key, "his").request())[0] == 201
    mine = ada.ask("GET", f"{API}/quizzes/example/answers")[1]
    assert [(answer["id"], answer["reason"]) for answer in mine] == [(key, "hers")]


def test_no_edit_of_a_note_is_lost(group: Group):
    each = EDITS[group.url.partition(":")[0]]
    counts = edit_at_once(group, each)
    assert clean(counts), counts
    assert counts.stored == EDITORS * each


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
