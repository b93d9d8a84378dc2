"""R16: memory, open files, the log and the time that a reply takes stay while a group works."""

from pathlib import Path

from tests.durability.oracle import clean
from tests.durability.service import Seeded
from tests.durability.soak import growth, is_flat, soak


def test_a_minute_of_work_leaves_the_process_as_it_was(seeded: Seeded, tmp_path: Path):
    soaked = soak(seeded, tmp_path, 60)

    assert clean(soaked.counts), soaked.counts
    assert soaked.counts.acknowledged > 300  # it had something to do
    assert len(soaked.copies) >= 2
    assert all(map(clean, soaked.copies)), soaked.copies
    assert is_flat(growth(soaked)), growth(soaked)
