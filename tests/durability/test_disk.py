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
from tests.durability.rounds import NO_REPLY
from tests.durability.service import Client, Ledger, Seeded, injecting, items, serving

FULL = {"detail": "the disk is full; nothing was stored", "code": "disk-full"}


def send_all(client: Client, label: str, number: int) -> list[tuple[int, object]]:
    return [client.send(item) for item, _ in zip(items(label), range(number), strict=False)]


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


def test_a_full_disk_is_said_and_passes(seeded: Seeded, ledger: Ledger, tmp_path: Path):
    """Calls that write fail as on a full disk, for a while. Reads go on; no restart is needed."""
    file = seeded.copy(tmp_path)
    with serving(f"sqlite:///{file}", tmp_path) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        assert {status for status, _ in send_all(client, "before", 6)} == {201}

        with injecting(service, "pwrite64:error=ENOSPC"):
            refused = send_all(client, "full", 10)
            reading = client.ask("GET", f"{API}/notes?meeting=2026-03-12")
            health = client.ask("GET", f"{API}/health")

        assert refused == [(507, FULL)] * 10
        assert (reading[0], len(reading[1])) == (200, 3)
        assert health[0] == 200
        assert {status for status, _ in send_all(client, "after", 6)} == {201}
    counts = check(file, ledger.path)
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


@pytest.mark.parametrize("calls", ["fsync,fdatasync", "pwrite64"])
def test_a_failing_disk_ends_the_service_and_nothing_false_is_said(
    seeded: Seeded, ledger: Ledger, tmp_path: Path, calls: str
):
    """The first error is the last write: what a disk holds after it, nobody knows."""
    file = seeded.copy(tmp_path)
    with serving(f"sqlite:///{file}", tmp_path) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        send_all(client, "before", 4)
        told = []
        with injecting(service, f"{calls}:error=EIO:when=1"):
            try:
                for item, _ in zip(items("failing"), range(50), strict=False):
                    told.append(client.send(item))
            except NO_REPLY:
                pass
            assert service.wait() == 70
        assert [status for status, _ in told] == [503] * len(told)
        assert len(told) < 50
    counts = check(file, ledger.path)
    assert clean(counts), counts
    with serving(f"sqlite:///{file}", tmp_path) as again:
        assert again.port
        client = Client(again.port, seeded.tokens[0], ledger)
        assert client.send(next(items("again")))[0] == 201
