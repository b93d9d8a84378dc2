"""R4, R5: the disk is full, or fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import API
from tests.durability.oracle import check, clean
from tests.durability.rounds import FULL, fail_disk, fill_disk, send_all
from tests.durability.service import Client, Ledger, Seeded, serving


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own, of a size that a test may change."""
    folder.mkdir()
    mount(folder, f"size={size}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)


def test_a_full_disk_is_said_and_passes(seeded: Seeded, tmp_path: Path):
    counts, told = fill_disk(seeded, tmp_path, "1+")
    assert told == [(507, FULL)] * 10
    assert clean(counts), counts
    assert (counts.acknowledged, counts.stored) == (12, 12)


def test_a_small_disk_fills_and_is_made_larger(seeded: Seeded, ledger: Ledger, tmp_path: Path):
    if os.geteuid() != 0:  # only root may mount; anybody is root in a namespace of their own
        this = f"{__file__}::test_a_small_disk_fills_and_is_made_larger"
        pytest_again = [sys.executable, "-m", "pytest", "-q", this]
        subprocess.run(["unshare", "--map-root-user", "--mount", *pytest_again], check=True)
        return
    with small_disk(tmp_path / "disk", "512k") as disk:
        file = seeded.copy(disk)
        with serving(f"sqlite:///{file}", tmp_path) as service:
            client = Client(service.port, seeded.tokens[0], ledger)
            statuses = [status for status, _ in send_all(client, "filling", 300)]
            assert set(statuses) == {201, 507}
            assert statuses[-1] == 507
            assert client.ask("GET", f"{API}/notes?meeting=2026-03-12")[0] == 200

            mount_larger(disk)

            assert {status for status, _ in send_all(client, "larger", 6)} == {201}
        counts = check(file, ledger.path)
    assert clean(counts), counts
    assert counts.acknowledged == statuses.count(201) + 6


def mount_larger(folder: Path) -> None:
    mount(folder, "remount,size=16m")


@pytest.mark.parametrize(
    ("calls", "when"),
    [*(("fsync,fdatasync", n) for n in (1, 3, 9)), *(("pwrite64", n) for n in (1, 2, 30))],
)
def test_a_failing_disk_ends_the_service_and_nothing_false_is_said(
    seeded: Seeded, tmp_path: Path, calls: str, when: int
):
    counts, told = fail_disk(seeded, tmp_path, calls, when)
    assert clean(counts), counts
    # What was stored before the error, and nothing after it.
    assert set(told) <= {201, 503}
    assert told == sorted(told)
    assert (201 in told) is (when > 2)


def test_a_disk_that_became_read_only_ends_the_service(seeded: Seeded, tmp_path: Path):
    """As Linux makes it after an error; docs/operating.md says so."""
    counts, told = fail_disk(seeded, tmp_path, "pwrite64", 1, "EROFS")
    assert clean(counts), counts
    assert set(told) == {503}
