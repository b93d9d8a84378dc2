"""R12, R13: a backup of a busy database is one moment of it; a damaged one is not restored."""

import errno
import itertools
import os
import random
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pysqlite3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from api import backup as copies
from api.backup import Damaged, backup, manifest_of, restore, verify
from api.cli import app
from api.engines import Unusable
from tests.durability.copies import NOW, copies_under_load, flip_a_bit
from tests.durability.oracle import clean, connect
from tests.durability.rounds import killed_in
from tests.durability.schemas import kill_backup
from tests.durability.service import Client, Ledger, Seeded, items, serving


@pytest.mark.parametrize(("rounds", "megabytes"), [(20, 0), (4, 40)])
def test_a_backup_under_load_holds_all_that_was_acknowledged_before(
    seeded: Seeded, tmp_path: Path, rounds: int, megabytes: int
):
    with closing(copies_under_load(seeded, tmp_path, megabytes)) as copied:
        for number, counts in enumerate(islice(copied, rounds)):
            assert clean(counts), counts  # an answer and its tally are of the same moment, too
            assert counts.acknowledged >= 5 * number


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
    assert not target.with_name("readout.sqlite3.restoring").exists()


def test_a_log_whose_database_is_gone_does_not_spoil_the_restored_one(
    seeded: Seeded, kept: Path, tmp_path: Path
):
    """Somebody took a damaged database away, and left what SQLite keeps beside it."""
    target = seeded.copy(tmp_path / "there")
    log = target.with_name("readout.sqlite3-wal")
    with closing(connect(str(target))) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE member SET name = 'of the log'")
        database.commit()
        left = log.read_bytes()
    target.unlink()
    log.write_bytes(left)

    restored = restore(kept, target, NOW)

    assert restored.kept is None
    aside = target.with_name("readout.sqlite3.replaced-20260310T180000Z-wal")
    assert (aside.read_bytes(), log.exists()) == (left, False)
    assert backup(target, tmp_path / "again.sqlite3", NOW).rows == verify(kept).rows
    with closing(connect(str(target))) as database:
        assert ("of the log",) not in set(database.execute("SELECT name FROM member"))


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
        counts = flip_a_bit(kept, target, draw)
        assert clean(counts), counts
    for size in (0, 1, 4096, len(whole) - 1):
        kept.write_bytes(whole[:size])
        with pytest.raises(Damaged, match=f"has {size} bytes, and had {len(whole)}"):
            restore(kept, target, NOW)
    kept.write_bytes(whole)
    changed = [(b'"member": 4', b'"member": 5'), (b'00Z"', b'00"')]  # a moment of no time zone
    for wrong in (b"", described[:-20], *(described.replace(*change) for change in changed)):
        assert wrong != described
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
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_backup_has_no_name_and_hinders_none(seeded: Seeded, tmp_path: Path):
    file, target = seeded.copy(tmp_path), tmp_path / "copy.sqlite3"
    target.with_name("copy.sqlite3.partial").write_bytes(b"half of it")
    backup(file, target, NOW)
    assert verify(target).rows["member"] == 4
    with pytest.raises(Unusable, match="is there already; name another file"):
        backup(file, target, NOW)


def test_what_a_killed_backup_left_is_deleted_by_the_next_but_not_one_under_way(
    seeded: Seeded, tmp_path: Path
):
    file, folder = seeded.copy(tmp_path), tmp_path / "backups"
    folder.mkdir()
    second = "readout-20260309T18000"
    left = [folder / f"{second}0Z.sqlite3.partial{end}" for end in ("", "-journal", ".json")]
    left.append(folder / "before-0005-20260309T180000000000Z.sqlite3.partial")
    under_way = folder / f"{second}1Z.sqlite3.partial"
    of_another_program = folder / "film.partial"
    for path in (*left, under_way, of_another_program):
        path.touch()
    for path in (*left, of_another_program):
        os.utime(path, (0, 0))
    target = copies.default_target(file, NOW)

    backup(file, target, NOW)

    expected = [under_way, of_another_program, target, manifest_of(target)]
    assert sorted(folder.iterdir()) == sorted(expected)


CALLS = "fsync,rename,renameat,renameat2,link,linkat"


def test_a_kill_leaves_a_whole_backup_or_none(seeded: Seeded, tmp_path: Path):
    named = 0
    for number in itertools.count(1):
        counts, reached = kill_backup(seeded, tmp_path / str(number), CALLS, number)
        assert clean(counts), (number, counts)
        if not reached:
            break
        named += counts.acknowledged > 0
    assert 0 < named < number - 2  # some were killed before the name, some after it


def test_a_kill_leaves_the_old_database_or_the_restored_one(seeded: Seeded, tmp_path: Path):
    copy = tmp_path / "copy.sqlite3"
    backup(seeded.copy(tmp_path / "before"), copy, NOW)
    found = set()
    for number in itertools.count(1):
        file = seeded.copy(tmp_path / str(number))
        with closing(connect(str(file))) as database:
            database.execute("UPDATE member SET name = 'of the old one'")
            database.commit()
        if not killed_in(partial(restore, force=True), copy, file, NOW, calls=CALLS, number=number):
            break
        with closing(connect(str(file))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (names,) = zip(*database.execute("SELECT name FROM member"), strict=True)
        assert len(names) == 4
        found |= set(names)
    assert len(found) == 2


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


def test_what_is_no_database_or_no_backup_is_said(seeded: Seeded, tmp_path: Path):
    with pytest.raises(Unusable, match=r"no database .*nothing to back up"):
        backup(tmp_path / "none.sqlite3", tmp_path / "copy.sqlite3", NOW)
    with pytest.raises(Damaged, match=r"^no file"):
        verify(tmp_path / "copy.sqlite3")
    with pytest.raises(Damaged, match=f"^{tmp_path} is no file$"):
        verify(tmp_path)


def test_a_link_to_a_database_stays_where_what_it_leads_to_is_restored(
    seeded: Seeded, kept: Path, tmp_path: Path
):
    target, link = seeded.copy(tmp_path / "there"), tmp_path / "link.sqlite3"
    link.symlink_to(target)
    restored = restore(kept, link, NOW, force=True)
    assert link.readlink() == target
    assert target.read_bytes() == kept.read_bytes()
    assert restored.kept and restored.kept.parent == target.parent


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_file_in_the_place_of_a_folder_is_said(
    seeded: Seeded, kept: Path, tmp_path: Path, command: str
):
    taken = tmp_path / "taken"
    taken.touch()
    file, target = seeded.copy(tmp_path / "there"), taken / "new.sqlite3"
    given = (target, file) if command == "backup" else (kept, target)
    done = CliRunner().invoke(
        app, [command, str(given[0])], env={"READOUT_DATABASE_URL": f"sqlite:///{given[1]}"}
    )
    assert done.exit_code == 1
    assert done.stderr == f"readout: {taken}: File exists; mend that, or name another place\n"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("DROP TABLE alembic_version", "is no database of Readout: it has no schema version"),
        ("DELETE FROM alembic_version", "is no database of Readout: it has no schema version"),
        (
            "UPDATE member SET role = 'guest'",
            "is damaged: integrity_check says .*CHECK constraint failed in member",
        ),
        (
            "INSERT INTO sign_in (token_hash, member_id, device, made_at, used_at, expires_at) "
            "VALUES ('x', 'nobody', '', '2026-03-10', '2026-03-10', '2026-03-10')",
            "is damaged: foreign_key_check says",
        ),
    ],
)
def test_a_copy_that_is_not_sound_gets_no_name(
    seeded: Seeded, tmp_path: Path, change: str, complaint: str
):
    file, target = seeded.copy(tmp_path), tmp_path / "copy.sqlite3"
    with closing(connect(str(file))) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(change)
        database.commit()
    with pytest.raises(Damaged, match=f"{file} {complaint}"):
        backup(file, target, NOW)
    assert list(tmp_path.iterdir()) == [file]


def test_a_backup_of_a_newer_version_is_not_restored(seeded: Seeded, tmp_path: Path):
    file, copy, target = seeded.copy(tmp_path), tmp_path / "copy.sqlite3", tmp_path / "new.sqlite3"
    with closing(connect(str(file))) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    backup(file, copy, NOW)
    with pytest.raises(Unusable, match=r"schema '9999', which is newer .* install the newer"):
        restore(copy, target, NOW)
    assert not target.exists()


def test_a_copy_that_differs_replaces_nothing(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "new" / "readout.sqlite3"
    monkeypatch.setattr(copies.shutil, "copyfile", lambda _, to: to.write_bytes(b"half"))
    with pytest.raises(Damaged, match="differs from it; the disk is failing"):
        restore(kept, target, NOW)
    assert list(target.parent.iterdir()) == []


def on_a_full_disk(copied: Path, to: Path) -> None:
    to.write_bytes(copied.read_bytes()[:4096])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(to))


def no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")  # as on a disk without second names


@pytest.mark.parametrize("step", ["copyfile", "copy2"])
def test_a_restore_onto_a_full_disk_leaves_no_half_copy(
    seeded: Seeded, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    """It fills as the backup is copied, or as the database is, which is kept aside."""
    target = seeded.copy(tmp_path / "there")
    monkeypatch.setattr(copies.shutil, step, on_a_full_disk)
    monkeypatch.setattr(Path, "hardlink_to", no_links)

    with pytest.raises(OSError, match="No space left on device"):
        restore(kept, target, NOW, force=True)

    assert list(target.parent.iterdir()) == [target]
    assert backup(target, tmp_path / "again.sqlite3", NOW).rows == verify(kept).rows


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_database_s_place_is_said(kept: Path, tmp_path: Path, force: bool):
    with pytest.raises(Unusable, match=f"{tmp_path} is a folder; name a file"):
        restore(kept, tmp_path, NOW, force=force)
    assert list(tmp_path.parent.glob(f"{tmp_path.name}.*")) == []


def test_a_database_that_cannot_be_written_is_not_called_in_use(
    kept: Path, seeded: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = seeded.copy(tmp_path / "there")
    refused = pysqlite3.OperationalError("unable to open database file")
    monkeypatch.setattr(copies, "_connect", lambda _: refuse(refused))
    with pytest.raises(Unusable, match=f"cannot put {target} aside: unable to open"):
        restore(kept, target, NOW, force=True)
    assert list(target.parent.iterdir()) == [target]


def refuse(error: Exception) -> NoReturn:
    raise error


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_database_in_memory_is_neither_copied_nor_restored(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.chdir(tmp_path)
    given = [command, str(kept)] if command == "restore" else [command]
    memory = {"READOUT_DATABASE_URL": "sqlite:///:memory:"}

    done = CliRunner().invoke(app, given, env=memory)

    said = "readout: an SQLite database in memory would be lost; name a file: sqlite:///PATH\n"
    assert (done.exit_code, done.stderr) == (1, said)
    assert not (tmp_path / ":memory:").exists()


def test_a_damaged_database_is_replaced_and_kept_with_its_log(kept: Path, tmp_path: Path):
    """The file lost its end, and the log, which says how long it was, cannot be moved into it."""
    live, target = tmp_path / "live.sqlite3", tmp_path / "there" / "readout.sqlite3"
    target.parent.mkdir()
    with closing(connect(str(live))) as database:
        database.isolation_level = None
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE filler AS SELECT randomblob(1000000) AS bytes, 0 AS n")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("UPDATE filler SET n = 1")
        target.write_bytes(live.read_bytes()[:4096])
        log = live.with_name("live.sqlite3-wal").read_bytes()
    target.with_name("readout.sqlite3-wal").write_bytes(log)

    restored = restore(kept, target, NOW, force=True)

    assert restored.kept.stat().st_size == 4096
    assert restored.kept.with_name(f"{restored.kept.name}-wal").read_bytes() == log
    assert verify(kept).sha256 == copies._hash(target)


def test_a_disk_without_second_names_keeps_a_copy(
    kept: Path, seeded: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("links are not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    target = seeded.copy(tmp_path / "there")

    restored = restore(kept, target, NOW, force=True)

    again = tmp_path / "again.sqlite3"
    assert backup(restored.kept, again, NOW).rows == verify(kept).rows
    assert verify(kept).sha256 == copies._hash(target)


@pytest.mark.parametrize("links", [True, False])
def test_two_restores_in_one_second_keep_both(
    seeded: Seeded, kept: Path, tmp_path: Path, monkeypatch, links: bool
):
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    target = seeded.copy(tmp_path / "there")
    with closing(connect(str(target))) as database:
        database.execute("UPDATE member SET name = 'of the first one'")
        database.commit()

    first, second = (restore(kept, target, NOW, force=True).kept for _ in range(2))

    assert first.name == "readout.sqlite3.replaced-20260310T180000Z"
    assert second.name == f"{first.name}-2"
    with closing(connect(str(first))) as database:
        assert set(database.execute("SELECT name FROM member")) == {("of the first one",)}
    assert backup(second, tmp_path / "again.sqlite3", NOW).rows == verify(kept).rows


def test_only_the_newest_backups_are_kept(tmp_path: Path):
    for day in range(1, 5):
        file = tmp_path / f"readout-2026030{day}T180000Z.sqlite3"
        file.touch()
        if day != 2:  # one lost its description
            manifest_of(file).touch()
    (tmp_path / "mine.sqlite3").touch()

    forgotten = copies.forget_old(file, 2)

    assert [file.name[14:16] for file in forgotten] == ["01", "02"]
    assert copies.forget_old(file, 2) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine.sqlite3",
        *(f"readout-2026030{day}T180000Z.sqlite3{end}" for day in (3, 4) for end in ("", ".json")),
    ]


def test_the_backup_that_was_just_made_is_kept_whatever_the_clock_said_before(tmp_path: Path):
    made, later = (tmp_path / f"readout-{year}0301T180000Z.sqlite3" for year in (2026, 2040))
    for file in (made, later):
        file.touch()

    assert copies.forget_old(made, 1) == [later]
    assert made.exists()
