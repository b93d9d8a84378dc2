"""Run by Alembic, on the connection that `api.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from api import answers, editions, members, notes, regrade, reports, tally  # noqa: F401  their tables register themselves

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite changes a table by making it again
    compare_type=True,
)
context.run_migrations()
