"""Turns of answers, their tally, editions of questions, reported problems"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "edition",
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("question", "version", name=op.f("pk_edition")),
    )
    op.create_table(
        "problem_report",
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("question_version", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_problem_report_member_id")
        ),
        sa.PrimaryKeyConstraint("member_id", "id", name=op.f("pk_problem_report")),
    )
    op.create_index(op.f("ix_problem_report_question"), "problem_report", ["question"])
    op.create_table(
        "tally",
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("question_version", sa.String(), nullable=False),
        sa.Column("turn", sa.String(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("certainty", sa.Integer(), nullable=False),
        sa.Column("response_hash", sa.String(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "question",
            "question_version",
            "turn",
            "late",
            "certainty",
            "response_hash",
            name=op.f("pk_tally"),
        ),
    )
    op.add_column("answer", sa.Column("turn", sa.String(), nullable=True))
    op.execute("UPDATE answer SET turn = CASE WHEN attempt = 1 THEN 'first' ELSE 'again' END")
    with op.batch_alter_table("answer") as table:
        table.alter_column("turn", existing_type=sa.String(), nullable=False)
        table.drop_index(table.f("ix_answer_quiz_question"))
        table.drop_constraint(table.f("uq_answer_member_id_quiz_question_attempt"), type_="unique")
        table.create_unique_constraint(
            table.f("uq_answer_member_id_question_attempt"), ["member_id", "question", "attempt"]
        )
        table.create_check_constraint(
            table.f("ck_answer_turn"), "turn IN ('first', 'revote', 'again')"
        )
    op.create_index(op.f("ix_answer_question_turn"), "answer", ["question", "turn"])
    given = sa.text("reason IS NOT NULL")
    op.create_index(
        "ix_answer_reasons",
        "answer",
        ["question", "answered_at"],
        sqlite_where=given,
        postgresql_where=given,
    )
    _count(op.get_bind())


def _count(connection: sa.Connection) -> None:
    from sqlmodel import Session

    from api.tally import rebuild

    rebuild(Session(connection))
