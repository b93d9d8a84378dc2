"""Bring a database to the schema that this version of the service needs."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from api.database import Database, Unusable

SCRIPTS = Path(__file__).parent / "migrations"


def config(connection: sa.Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


def newest() -> str:
    """The schema that this code needs."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert head
    return head


def present(database: Database) -> str | None:
    """The schema that the database has; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database) -> bool:
    """Migrate in one transaction and say whether there was anything to do.

    Raises Unusable if a later version of the service has migrated the database already.
    """
    revision = present(database)
    if revision == newest():
        return False
    scripts = ScriptDirectory.from_config(config())
    if revision and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise Unusable(
            f"the database has schema {revision!r}, which is newer than this version of Readout; "
            "install the newer version, or restore the backup that it made"
        )
    with database.engine.connect() as connection:
        if database.is_sqlite:
            # Making a table again would delete what refers to it. No effect inside a transaction.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                command.upgrade(config(connection), "head")
                _check_references(connection, database.is_sqlite)
        finally:
            if database.is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")
    return True


def _check_references(connection: sa.Connection, is_sqlite: bool) -> None:
    if is_sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise Unusable(f"the migration would leave broken references: {broken[:3]}")
