"""For whom each version of a note was saved, in which block of a file it stood; who invited"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("note_revision") as table:
        # Of older versions it is not known: these stay their author's.
        table.add_column(
            sa.Column("visibility", sa.String(), nullable=False, server_default="private")
        )
        table.add_column(sa.Column("block_version", sa.Integer(), nullable=True))
        table.create_check_constraint(
            table.f("ck_note_revision_visibility"), "visibility IN ('private', 'group', 'public')"
        )
    op.execute(
        "UPDATE note_revision SET visibility = note.visibility FROM note"
        " WHERE note.id = note_revision.note_id AND note.version = note_revision.version"
    )
    op.execute("UPDATE note_revision SET visibility = 'public' WHERE editor_id IS NULL")
    # What came from a file stood in the block of the last export before it, as far as is known.
    op.execute(
        "UPDATE note_revision SET block_version = note.exported_version FROM note"
        " WHERE note.id = note_revision.note_id AND note_revision.editor_id IS NULL"
        " AND note.exported_version < note_revision.version"
    )
    with op.batch_alter_table("invitation") as table:
        # Of older ones it is not known; they end after 14 days.
        table.add_column(sa.Column("made_by_id", sa.String(), nullable=True))
        table.create_foreign_key(
            table.f("fk_invitation_made_by_id"), "member", ["made_by_id"], ["id"]
        )
    with op.batch_alter_table("note_revision") as table:
        table.alter_column("visibility", existing_type=sa.String(), server_default=None)
