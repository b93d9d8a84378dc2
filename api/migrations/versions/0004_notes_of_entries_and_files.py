"""Notes under entries, their renderings, and what a published file changed"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("note") as note:
        note.add_column(sa.Column("entry", sa.String(), nullable=True))
        note.add_column(sa.Column("exported_version", sa.Integer(), nullable=True))
        note.alter_column("meeting", existing_type=sa.String(), nullable=True)
        note.create_index(note.f("ix_note_entry"), ["entry"], unique=False)
        note.create_check_constraint(
            note.f("ck_note_place"), "(meeting IS NULL) <> (entry IS NULL)"
        )
    with op.batch_alter_table("note_revision") as revision_:
        revision_.add_column(sa.Column("html", sa.Text(), nullable=True))
        revision_.add_column(sa.Column("fingerprint", sa.String(), nullable=True))
        revision_.alter_column("editor_id", existing_type=sa.String(), nullable=True)
