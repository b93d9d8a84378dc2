"""R12, R13: a backup of a busy database is one moment of it; a damaged one is not restored."""

import itertools
import random
import shutil
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from api import backup as copies
from api.backup import Damaged, backup, manifest_of, restore, verify
from api.cli import app
from api.engines import Unusable
from tests.conftest import Clock
from tests.durability.oracle import check, clean, connect
from tests.durability.rounds import in_threads, killed_in
from tests.durability.service import Client, Ledger, Seeded, items, serving

NOW = Clock()()
ROUNDS = 20


def test_a_backup_under_load_holds_all_that_was_acknowledged_before(seeded: Seeded, tmp_path: Path):
    """Each backup is restored on an empty host and judged by what was acknowledged at its start."""
    file, ledger = seeded.copy(tmp_path), Ledger(tmp_path / "ledger")
    stop, acknowledged = threading.Event(), threading.Semaphore(0)

    def write(port: int, token: str, label: str) -> None:
        client = Client(port, token, ledger)
        for item in items(label):
            if stop.is_set():
                return
            client.send(item)
            acknowledged.release()

    with serving(f"sqlite:///{file}", tmp_path, checkpoint=30) as service:
        jobs = [partial(write, service.port, t, str(n)) for n, t in enumerate(seeded.tokens)]
        threads = in_threads(jobs)
        for number in range(ROUNDS):
            for _ in range(5):
                assert acknowledged.acquire(timeout=60)
            begun = tmp_path / f"ledger-{number}"
            shutil.copy(ledger.path, begun)
            copy = tmp_path / f"backup-{number}.sqlite3"
            backup(file, copy, NOW)
            shutil.copy(ledger.path, tmp_path / f"sent-{number}")
        stop.set()
        for thread in threads:
            thread.join(20)
    for number in range(ROUNDS):
        target = tmp_path / f"host-{number}" / "readout.sqlite3"
        restore(tmp_path / f"backup-{number}.sqlite3", target, NOW)
        known = whole_lines(tmp_path / f"ledger-{number}")
        sent = [line for line in whole_lines(tmp_path / f"sent-{number}") if '["sent"' in line]
        judged = tmp_path / f"judged-{number}"
        judged.write_text("".join(sent + [line for line in known if '["ack' in line]))
        counts = check(target, judged)
        assert clean(counts), counts  # an answer and its tally are of the same moment, too
        assert counts.acknowledged >= 5 * number


def whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def kept(seeded: Seeded, tmp_path: Path) -> Path:
    """A backup."""
    file = tmp_path / "kept" / "readout.sqlite3"
    backup(seeded.copy(tmp_path / "source"), file, NOW)
    return file


def test_what_is_restored_is_served(seeded: Seeded, kept: Path, ledger: Ledger, tmp_path: Path):
    target = tmp_path / "new" / "readout.sqlite3"
    restored = restore(kept, target, NOW)
    assert restored.kept is None
    assert restored.manifest.rows["member"] == 4
    assert oct(target.stat().st_mode)[-3:] == "600"
    with serving(f"sqlite:///{target}", tmp_path) as service:
        client = Client(service.port, seeded.tokens[0], ledger)
        assert client.send(next(items("after")))[0] == 201


def test_a_database_is_replaced_only_when_told_and_kept(seeded: Seeded, kept: Path, tmp_path: Path):
    target = seeded.copy(tmp_path / "there")
    before = target.read_bytes()
    with pytest.raises(Unusable, match="is there already; --force replaces it"):
        restore(kept, target, NOW)
    assert target.read_bytes() == before

    restored = restore(kept, target, NOW, force=True)

    assert restored.kept == target.with_name("readout.sqlite3.replaced-20260310T180000Z")
    again = tmp_path / "again.sqlite3"
    assert backup(restored.kept, again, NOW).rows == verify(kept).rows
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "readout.sqlite3",
        "readout.sqlite3.replaced-20260310T180000Z",
    ]


def test_a_database_in_use_is_not_replaced(seeded: Seeded, kept: Path, tmp_path: Path):
    target = seeded.copy(tmp_path / "there")
    with (
        serving(f"sqlite:///{target}", tmp_path),
        pytest.raises(Unusable, match="is in use; stop the service first"),
    ):
        restore(kept, target, NOW, force=True)


@pytest.mark.parametrize("companion", copies.COMPANIONS)
def test_a_backup_that_a_program_had_open_is_refused(kept: Path, tmp_path: Path, companion: str):
    kept.with_name(kept.name + companion).touch()
    with pytest.raises(Damaged, match=f"{companion} is beside it"):
        restore(kept, tmp_path / "new.sqlite3", NOW)
    assert not (tmp_path / "new.sqlite3").exists()


def test_a_damaged_backup_is_refused(kept: Path, tmp_path: Path):
    """Bits flipped anywhere, in the file or in what describes it; a short file; none at all."""
    whole, described = kept.read_bytes(), manifest_of(kept).read_bytes()
    draw = random.Random(13)
    target = tmp_path / "new.sqlite3"
    for _ in range(50):
        broken = bytearray(whole)
        broken[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        kept.write_bytes(broken)
        with pytest.raises(Damaged, match="its checksum is another"):
            restore(kept, target, NOW)
    for size in (0, 1, 4096, len(whole) - 1):
        kept.write_bytes(whole[:size])
        with pytest.raises(Damaged, match=f"has {size} bytes, and had {len(whole)}"):
            restore(kept, target, NOW)
    kept.write_bytes(whole)
    for wrong in (b"", described[:-20], described.replace(b'"member": 4', b'"member": 5')):
        manifest_of(kept).write_bytes(wrong)
        with pytest.raises(Damaged):
            restore(kept, target, NOW)
    manifest_of(kept).unlink()
    with pytest.raises(Damaged, match="is missing, so nobody knows"):
        restore(kept, target, NOW)
    assert not target.exists()


def test_a_damaged_database_is_not_passed_on(seeded: Seeded, tmp_path: Path):
    file = seeded.copy(tmp_path)
    content = bytearray(file.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)
    with pytest.raises((Damaged, Unusable), match=r"malformed|damaged"):
        backup(file, tmp_path / "copy.sqlite3", NOW)
    assert not (tmp_path / "copy.sqlite3").exists()
    assert not manifest_of(tmp_path / "copy.sqlite3").exists()


def test_an_interrupted_backup_has_no_name_and_hinders_none(seeded: Seeded, tmp_path: Path):
    file, target = seeded.copy(tmp_path), tmp_path / "copy.sqlite3"
    target.with_name("copy.sqlite3.partial").write_bytes(b"half of it")
    backup(file, target, NOW)
    assert verify(target).rows["member"] == 4
    with pytest.raises(Unusable, match="is there already; name another file"):
        backup(file, target, NOW)


CALLS = "fsync,rename,renameat,renameat2,link,linkat"


def test_a_kill_leaves_a_whole_backup_or_none(seeded: Seeded, tmp_path: Path):
    file, named = seeded.copy(tmp_path), 0
    for number in itertools.count(1):
        target = tmp_path / str(number) / "copy.sqlite3"
        if not killed_in(backed_up, file, target, calls=CALLS, number=number):
            break
        named += target.exists()
        if not target.exists():
            backup(file, target, NOW)
        assert verify(target).rows["member"] == 4
    assert 0 < named < number - 2  # some were killed before the name, some after it


def backed_up(file: Path, target: Path) -> None:
    backup(file, target, NOW)


def test_a_kill_leaves_the_old_database_or_the_restored_one(seeded: Seeded, tmp_path: Path):
    copy = tmp_path / "copy.sqlite3"
    backup(seeded.copy(tmp_path / "before"), copy, NOW)
    found = set()
    for number in itertools.count(1):
        file = seeded.copy(tmp_path / str(number))
        with closing(connect(str(file))) as database:
            database.execute("UPDATE member SET name = 'of the old one'")
            database.commit()
        if not killed_in(restored, copy, file, calls=CALLS, number=number):
            break
        with closing(connect(str(file))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (names,) = zip(*database.execute("SELECT name FROM member"), strict=True)
        assert len(names) == 4
        found |= set(names)
    assert len(found) == 2


def restored(copy: Path, file: Path) -> None:
    restore(copy, file, NOW, force=True)


def test_the_commands_copy_check_restore_and_judge(seeded: Seeded, tmp_path: Path):
    def readout(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment)

    file = seeded.copy(tmp_path / "data")
    settings = {
        "READOUT_DATABASE_URL": f"sqlite:///{file}",
        "READOUT_SITE_DIR": str(tmp_path / "site"),
    }
    first = readout("backup", "--keep", "1", **settings)
    assert first.exit_code == 0, first.stderr
    copy = Path(first.stdout.strip())
    assert copy.parent == file.parent / "backups"

    assert readout("restore", str(copy), "--check", **settings).stdout.startswith("whole: ")
    refused = readout("restore", str(copy), **settings)
    assert (refused.exit_code, "--force replaces it" in refused.stderr) == (1, True)
    assert readout("restore", str(copy), "--force", **settings).exit_code == 0

    told = readout("doctor", **settings)
    assert told.exit_code == 1
    assert "no site at" in told.stdout
    assert "ok     integrity_check finds nothing" in told.stdout
    assert "ok     the newest backup is whole" in told.stdout

    copy.write_bytes(copy.read_bytes()[:-1])
    assert "the newest backup is damaged" in readout("doctor", **settings).stdout

    elsewhere = {**settings, "READOUT_DATABASE_URL": "postgresql://readout@localhost/readout"}
    assert "pg_dump" in readout("backup", **elsewhere).stderr
