"""Rounds of R2 and R11: the service, a migration or a backup is killed on the way."""

from pathlib import Path

from api.backup import Damaged, backup, verify
from api.database import Database
from api.migrate import contents, newest, present
from tests.conftest import ROOT, Clock
from tests.durability import child
from tests.durability.oracle import Counts, connect
from tests.durability.rounds import killed_in
from tests.durability.service import MEMBERS, Seeded

GOLDEN = ROOT / "tests" / "golden"
Held = dict[str, dict[str, str]]  # as api/migrate.py tells the contents of tables


def golden(folder: Path, revision: str) -> Path:
    """The database that a version of the schema `revision` wrote."""
    folder.mkdir(exist_ok=True)
    file = folder / "readout.sqlite3"
    connection = connect(str(file))
    connection.executescript((GOLDEN / f"{revision}.sql").read_bytes().decode())
    connection.close()
    return file


def opened(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


def held(file: Path) -> Held:
    return held_at(f"sqlite:///{file}")


def held_at(url: str) -> Held:
    database = Database(url)
    with database.read() as session:
        found = contents(session.connection())
    database.close()
    return found


def kill_migration(folder: Path, revision: str, calls: str, number: int) -> tuple[Counts, bool]:
    """Kill a migration at its `number`th of these calls; also whether it came to that.

    The schema is the old or the new one, and the next start finishes what was begun.
    """
    file = golden(folder, revision)
    before, url = held(file), f"sqlite:///{file}"
    reached = killed_in(child.migrated, url, calls=calls, number=number)
    database = opened(file)
    between = present(database)
    database.close()
    child.migrated(url)
    after = held(file)
    rows = sum(int(columns[""]) for columns in before.values())
    lost = [
        f"{table}.{column}"
        for table, columns in before.items()
        for column, digest in columns.items()
        if after[table].get(column) != digest
    ]
    wrong = "" if between in (revision, newest()) else f"the schema was {between}"
    stored = sum(int(after[table][""]) for table in before)
    return Counts(rows, rows, stored, len(lost), 0, wrong or ", ".join(lost)), reached


def kill_backup(seeded: Seeded, folder: Path, calls: str, number: int) -> tuple[Counts, bool]:
    """Kill a backup at its `number`th of these calls: there is a whole one, or none of its name."""
    file, target = seeded.copy(folder), folder / "copies" / "copy.sqlite3"
    reached = killed_in(backup, file, target, Clock()(), calls=calls, number=number)
    named, wrong, stored = target.exists(), "", 0
    try:
        if not named:
            backup(file, target, Clock()())
        stored = verify(target).rows["member"]
    except Damaged as error:
        wrong = str(error)
    return Counts(MEMBERS, MEMBERS * named, stored, MEMBERS - stored, 0, wrong), reached
