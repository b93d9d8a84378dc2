"""Judge a database by what was acknowledged. `python -m tests.durability.oracle DATABASE LEDGER`.

Runs in a process that had no part in the writing, and imports nothing of the service.
"""

import collections
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Counts(NamedTuple):
    sent: int
    acknowledged: int
    stored: int
    lost: int  # acknowledged, and not there as it was sent
    twice: int
    wrong: str  # whatever else is not as it must be; empty if nothing

    def __str__(self) -> str:
        told = self._asdict()
        return ", ".join(f"{name} {told[name]}" for name in self._fields if told[name] != "")


STORED = """
    SELECT 'answer', id, reason FROM answer
    UNION ALL SELECT 'note', note_id, body FROM note_revision WHERE version = 1
    UNION ALL SELECT 'edit', note_id || ' ' || version, body FROM note_revision WHERE version > 1
    UNION ALL SELECT 'removal', id, 'removed ' || id FROM note WHERE deleted_at IS NOT NULL
"""
# An answer and its tally are written together.
TORN = """
    SELECT (SELECT count(*) FROM answer) - (SELECT coalesce(sum(n), 0) FROM tally),
           (SELECT count(*) FROM note WHERE version <> (
               SELECT max(version) FROM note_revision WHERE note_id = note.id))
"""


def judge(connection: Any, ledger: Path | list[list[str]]) -> Counts:
    lines = (
        ledger
        if isinstance(ledger, list)
        else [json.loads(line) for line in ledger.read_text().splitlines()]
    )
    sent = {(kind, key): text for event, kind, key, text in lines if event == "sent"}
    acknowledged = {(kind, key) for event, kind, key, _ in lines if event == "acknowledged"}
    cursor = connection.cursor()
    rows = cursor.execute(STORED).fetchall()
    stored = {(kind, key): text for kind, key, text in rows}
    texts = collections.Counter(text for *_, text in rows)
    wrong = [f"stored and never sent: {key}" for key in stored if key not in sent]
    wrong += [f"stored otherwise: {key}" for key in stored if stored[key] != sent.get(key)]
    wrong += [f"torn: {row}" for row in cursor.execute(TORN).fetchall() if any(row)]
    if "sqlite" in type(connection).__module__:
        for check in ("integrity_check", "foreign_key_check"):
            found = cursor.execute(f"PRAGMA {check}").fetchall()
            wrong += [f"{check}: {row}" for row in found if row != ("ok",)]
    return Counts(
        len(sent),
        len(acknowledged),
        len(stored),
        sum(stored.get(key) != sent[key] for key in acknowledged),
        sum(n - 1 for n in texts.values()),
        "; ".join(wrong[:5]),
    )


def check(database: Path | str, ledger: Path) -> Counts:
    """Ask a fresh process."""
    command = [sys.executable, "-m", "tests.durability.oracle", str(database), str(ledger)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return Counts(**json.loads(done.stdout))


def clean(counts: Counts) -> bool:
    return not (counts.lost or counts.twice or counts.wrong)


def connect(database: str) -> Any:
    if database.startswith("postgresql:"):
        import psycopg

        return psycopg.connect(database)
    import pysqlite3

    return pysqlite3.connect(database)


if __name__ == "__main__":
    print(json.dumps(judge(connect(sys.argv[1]), Path(sys.argv[2]))._asdict()))
