"""Bring a database to the schema that this version of the service needs.

Alembic is imported only when there is something to migrate: a start should take no longer for it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from api.database import Database
from api.engines import Unusable

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """Every schema that this code knows, oldest first: `versions/0001_what_it_does.py`."""
    return sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def newest() -> str:
    """The schema that this code needs."""
    return revisions()[-1]


def present(database: Database) -> str | None:
    """The schema that the database has; None for an empty one."""
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def migrate(database: Database) -> bool:
    """Migrate in one transaction and say whether there was anything to do.

    Raises Unusable if a later version of the service has migrated the database already.
    """
    revision = present(database)
    if revision == newest():
        return False
    if revision and revision not in revisions():
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
                _upgrade(connection)
                _check_references(connection, database.is_sqlite)
        finally:
            if database.is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")
    return True


def config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command

    command.upgrade(config(connection), "head")


def _check_references(connection: sa.Connection, is_sqlite: bool) -> None:
    if is_sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise Unusable(f"the migration would leave broken references: {broken[:3]}")
