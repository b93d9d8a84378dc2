"""Devices of a member, codes for them, removed members, wrong codes"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wrong_codes",
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_wrong_codes")),
    )
    moment = sa.DateTime(timezone=True)
    with op.batch_alter_table("member") as table:
        table.add_column(sa.Column("removed_at", moment, nullable=True))
    with op.batch_alter_table("invitation") as table:
        table.add_column(sa.Column("member_id", sa.String(), nullable=True))
        table.create_foreign_key(
            table.f("fk_invitation_member_id"), "member", ["member_id"], ["id"]
        )
        table.create_index(table.f("ix_invitation_member_id"), ["member_id"])
    with op.batch_alter_table("sign_in") as table:
        table.add_column(sa.Column("device", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("used_at", moment, nullable=True))
    op.execute("UPDATE sign_in SET used_at = made_at")
    with op.batch_alter_table("sign_in") as table:
        table.alter_column("device", existing_type=sa.String(), server_default=None)
        table.alter_column("used_at", existing_type=moment, nullable=False)
