"""R1, R2: the process is killed, at any moment and at each call that touches the file."""

import itertools
import random
from pathlib import Path

import pytest

from tests.durability.oracle import clean
from tests.durability.rounds import kill_at_call, kill_while_writing
from tests.durability.service import Seeded


def test_a_kill_at_any_moment_loses_nothing_acknowledged(seeded: Seeded, tmp_path: Path):
    draw = random.Random(9)
    acknowledged = 0
    for number in range(20):
        counts = kill_while_writing(seeded, tmp_path / str(number), draw)
        assert clean(counts), counts
        acknowledged += counts.acknowledged
    assert acknowledged > 400  # the clients were under way when it was killed


@pytest.mark.parametrize(("calls", "step"), [("fsync,fdatasync", 1), ("pwrite64", 15)])
def test_a_kill_at_each_call_loses_nothing_acknowledged(
    seeded: Seeded, tmp_path: Path, calls: str, step: int
):
    """Until the service survives the script: no call is left at which it could be killed."""
    survived = 0
    for number in itertools.count(1, step):
        counts, reached = kill_at_call(seeded, tmp_path / str(number), calls, number)
        assert clean(counts), (calls, number, counts)
        if not reached:
            assert counts.acknowledged == 10
            break
        survived += 1
    assert survived >= 10
