"""R3: the power is cut, and the disk keeps what was synced and any part of the rest."""

from itertools import islice
from pathlib import Path

from tests.durability.oracle import clean
from tests.durability.power import read_events
from tests.durability.rounds import judge_cut, record_power
from tests.durability.service import Seeded

EVERY = 2  # of the states; what is at hand differs a little with how the clients meet


def test_a_power_cut_loses_nothing_acknowledged(seeded: Seeded, tmp_path: Path):
    judged = told = 0
    for cut, lines in islice(record_power(seeded, tmp_path, 60), 0, None, EVERY):
        counts = judge_cut(cut, lines, tmp_path / "disk")
        assert clean(counts), counts
        judged += 1
        told += counts.acknowledged
    assert judged >= 1_000
    assert told > 10 * judged  # most cuts came after much had been acknowledged


def test_a_call_that_another_thread_interrupts_is_read_whole(tmp_path: Path):
    """A sync whose end is missed would make honest disks look corrupt, or the reverse."""
    record = tmp_path / "strace.log"
    record.write_text(
        '7 pwrite64(9</a>, "\\x41\\x42", 2, 4 <unfinished ...>\n'
        '8 sendto(5<socket:[1]>, "\\x7b\\x7d", 2, 0, NULL, 0) = 2\n'
        "7 <... pwrite64 resumed>)       = 2\n"
        "7 fsync(9</a> <unfinished ...>\n"
        "8 +++ exited with 0 +++\n"
        "7 <... fsync resumed>)          = 0\n"
        '7 unlink("\\x2f\\x62")          = 0\n'
    )
    events = [(e.name, e.path, e.data, e.at) for e in read_events(record)]
    assert events == [
        ("pwrite64", "/a", b"AB", 4),
        ("sendto", "socket:[1]", b"{}", 0),
        ("fsync", "/a", b"", 0),
        ("unlink", "/b", b"", 0),
    ]
