"""R1, R2: the process is killed, at any moment and at each call that touches the file."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.durability.oracle import Counts, clean
from tests.durability.rounds import kill_at_call, kill_while_writing, posts
from tests.durability.service import Seeded

AT_ONCE = 3  # each waits for its disk, its tracer and its clients, most of the time


def test_a_kill_at_any_moment_loses_nothing_acknowledged(seeded: Seeded, tmp_path: Path):
    draw = random.Random(9)
    acknowledged = 0
    for number in range(20):
        counts = kill_while_writing(seeded, tmp_path / str(number), draw)
        assert clean(counts), counts
        acknowledged += counts.acknowledged
    assert acknowledged > 400  # the clients were under way when it was killed


@pytest.mark.parametrize(
    ("calls", "step", "requests", "checkpoint"),
    [("fsync,fdatasync", 1, 60, 60), ("pwrite64", 15, 10, 10)],
)
def test_a_kill_at_each_call_loses_nothing_acknowledged(
    seeded: Seeded, tmp_path: Path, calls: str, step: int, requests: int, checkpoint: int
):
    """Until the service survives the script: no call is left at which it could be killed."""
    script = partial(posts, number=requests)

    def kill(number: int) -> tuple[Counts, bool]:
        return kill_at_call(seeded, tmp_path / str(number), calls, number, script, checkpoint)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in itertools.count(1, AT_ONCE * step):
            numbers = range(first, first + AT_ONCE * step, step)
            found = list(pool.map(kill, numbers))
            for number, (counts, reached) in zip(numbers, found, strict=True):
                assert clean(counts), (calls, number, counts)
                assert reached or counts.acknowledged == requests
            if not all(reached for _, reached in found):
                break
    assert first >= 10
