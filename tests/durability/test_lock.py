"""R6: another program holds the database."""

import logging
from pathlib import Path

import pytest

from tests.durability.oracle import clean
from tests.durability.rounds import Waited, lock
from tests.durability.service import Seeded

BUSY = {
    "detail": "another program holds the database; nothing was stored; try again",
    "code": "busy",
}
log = logging.getLogger(__name__)


def judged(seeded: Seeded, folder: Path, seconds: float) -> Waited:
    counts, waited = lock(seeded, folder, seconds)
    assert clean(counts), counts
    assert waited.heard > 1  # neither waits for the lock, and no writer keeps the process from them
    log.info("told after %.1f s; others heard %d times", waited.took_s, waited.heard)
    return waited


@pytest.mark.parametrize("seconds", [1, 4])
def test_writes_wait_for_a_short_lock(seeded: Seeded, tmp_path: Path, seconds: float):
    waited = judged(seeded, tmp_path, seconds)
    assert [status for status, *_ in waited.replies] == [201] * 4


def test_writes_are_refused_together_at_a_long_lock(seeded: Seeded, tmp_path: Path):
    waited = judged(seeded, tmp_path, 20)
    assert waited.replies == [(503, "2", BUSY)] * 4
    assert waited.took_s < 10  # one after the other would have taken 20 s
