"""Bring a database to the schema that this version of the service needs.

Alembic is imported only when there is something to migrate: a start should take no longer for it.
"""

import datetime as dt
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from api.database import Database
from api.engines import Unusable

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x726561646F7574  # any number of our own, by which workers that start together take turns
Contents = dict[str, dict[str, str]]  # by table and column: a hash of all values, in order of keys

log = logging.getLogger("readout")


def revisions() -> list[str]:
    """Every schema that this code knows, oldest first: `versions/0001_what_it_does.py`."""
    return sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def newest() -> str:
    """The schema that this code needs."""
    return revisions()[-1]


def present(database: Database) -> str | None:
    """The schema that the database has; None for an empty one.

    Raises Unusable if nobody can tell: the tables are there, and what they are a version of is not.
    """
    with database.engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        revision: str | None = None
        if "alembic_version" in tables:
            query = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            revision = query.scalar()
    if revision is None and "member" in tables:
        raise Unusable(
            "the database has members and no schema version; restore a backup: "
            "see docs/operating.md"
        )
    if database.is_sqlite and revision is None and set(tables) - {"alembic_version"}:
        raise Unusable(
            f"{database.engine.url.database} is a database of another program; "
            "name another file in READOUT_DATABASE_URL"
        )
    return revision


def migrate(database: Database) -> bool:
    """Migrate in one transaction and say whether there was anything to do.

    An SQLite file is copied first. Whatever the scripts do not declare as changed must be the
    same afterwards, or nothing is changed. Raises Unusable then, and if a later version of the
    service has migrated the database already.
    """
    revision = _known(database)
    if revision == newest():
        return False
    if revision and database.is_sqlite:
        _copy(database)
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="READ COMMITTED")
        if database.is_sqlite:
            # Making a table again would delete what refers to it. No effect inside a transaction.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                if not database.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
                before = contents(connection)
                _upgrade(connection)
                _compare(before, contents(connection), _declared(connection, revision))
                _check_references(connection, database.is_sqlite)
        finally:
            if database.is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")
    return True


def check_schema(database: Database) -> None:
    """Raises Unusable unless the database has the schema that this code needs."""
    revision = _known(database)
    if revision != newest():
        raise Unusable(
            f"the database has schema {revision or 'none'}, and this version of Readout needs "
            f"{newest()}; bring it there with: readout migrate"
        )


def _known(database: Database) -> str | None:
    """The schema that the database has. Raises Unusable if a later version made it."""
    revision = present(database)
    if revision and revision not in revisions():
        raise Unusable(
            f"the database has schema {revision!r}, which is newer than this version of Readout; "
            "install the newer version, or restore the backup that it made"
        )
    return revision


def config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command

    command.upgrade(config(connection), "head")


def _copy(database: Database) -> None:
    from api.backup import Damaged, backup, backups_of, database_file

    now = dt.datetime.now(dt.UTC)
    source = database_file(str(database.engine.url))
    target = backups_of(source) / f"before-{newest()}-{now:%Y%m%dT%H%M%S%f}Z.sqlite3"
    try:
        backup(source, target, now)
    except (Damaged, OSError) as error:
        raise Unusable(f"cannot copy the database before its migration: {error}") from error
    log.warning("copied the database to %s before its migration", target)


def contents(connection: sa.Connection) -> Contents:
    """What every table holds, column by column, so that what stayed can be told from what changed.

    The number of rows stands under the name of no column, "".
    """
    inspector = sa.inspect(connection)
    found: Contents = {}
    for name in inspector.get_table_names():
        if name == "alembic_version":
            continue
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(column["name"]) for column in inspector.get_columns(name)
        ]
        keys = inspector.get_pk_constraint(name)["constrained_columns"]
        query = sa.select(*columns).select_from(sa.table(name)).order_by(*map(sa.column, keys))
        hashes = [hashlib.sha256() for _ in columns]
        rows = 0
        for row in connection.execute(query.execution_options(yield_per=1_000)):
            rows += 1
            for digest, value in zip(hashes, row, strict=True):
                digest.update(f"{value!r}\x1f".encode())
        hashed = {c.name: h.hexdigest() for c, h in zip(columns, hashes, strict=True)}
        found[name] = {"": str(rows), **hashed}
    return found


def _declared(connection: sa.Connection, since: str | None) -> set[str]:
    """The tables ("answer") and columns ("answer.turn") that the scripts say they change."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config(connection))
    return {
        name
        for script in scripts.iterate_revisions(newest(), since or "base")
        for name in getattr(script.module, "changes", ())
    }


def _compare(before: Contents, after: Contents, declared: set[str]) -> None:
    if changed := list(_changed(before, after, declared)):
        raise Unusable(
            f"the migration would change what it should keep ({', '.join(changed[:5])}); "
            "nothing was changed; stay with the older version and report this"
        )


def _changed(before: Contents, after: Contents, declared: set[str]) -> Iterator[str]:
    for table, digests in before.items():
        for column, digest in digests.items():
            name = f"{table}.{column}" if column else f"the rows of {table}"
            if not {table, name} & declared and after.get(table, {}).get(column) != digest:
                yield name


def _check_references(connection: sa.Connection, is_sqlite: bool) -> None:
    if is_sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise Unusable(f"the migration would leave broken references: {broken[:3]}")
