"""How often each response was given: kept beside the answers, in the same transaction.

The answers are the truth. The tally saves reading a million of them for one page; it holds no mark,
so a key that changes leaves it as it is, and `rebuild` makes it again from the answers.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, Session, SQLModel


class Tally(SQLModel, table=True):
    """The number of answers that agree in all of the other columns."""

    question: str = Field(primary_key=True)
    question_version: str = Field(primary_key=True)
    turn: str = Field(primary_key=True)
    late: bool = Field(primary_key=True)
    certainty: int = Field(primary_key=True)  # 0 where none was given
    response_hash: str = Field(primary_key=True)  # a response can be longer than an index allows
    response: str = Field(sa_type=sa.Text)
    n: int


class Counted(NamedTuple):
    """The columns that a count is kept for."""

    question: str
    question_version: str
    turn: str
    late: bool
    certainty: int
    response_hash: str
    response: str


TALLY = SQLModel.metadata.tables["tally"]


def counted(answer: Mapping[str, Any]) -> Counted:
    return Counted(
        question=answer["question"],
        question_version=answer["question_version"],
        turn=answer["turn"],
        late=answer["late"],
        certainty=answer["certainty"] or 0,
        response_hash=hashlib.sha256(answer["response"].encode()).hexdigest()[:32],
        response=answer["response"],
    )


def add(session: Session, answers: Iterable[Mapping[str, Any]]) -> None:
    """Count answers that are stored in the same transaction."""
    connection = session.connection()
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
    statement: Any = insert(TALLY)
    statement = statement.on_conflict_do_update(
        index_elements=list(TALLY.primary_key),
        set_={"n": TALLY.c.n + statement.excluded.n},
    )
    counts = Counter(map(counted, answers))
    connection.execute(statement, [{**key._asdict(), "n": n} for key, n in counts.items()])


def take_back(session: Session, answers: Iterable[Mapping[str, Any]]) -> None:
    """Count answers no more."""
    connection = session.connection()
    for key, n in Counter(map(counted, answers)).items():
        same = [TALLY.c[name] == getattr(key, name) for name in key._fields if name != "response"]
        connection.execute(sa.update(TALLY).where(*same).values(n=TALLY.c.n - n))
    connection.execute(sa.delete(TALLY).where(TALLY.c.n <= 0))


def rebuild(session: Session) -> None:
    """Count all answers again. Nobody may write meanwhile: SQLite sees to that, PostgreSQL asks."""
    connection = session.connection()
    answer = SQLModel.metadata.tables["answer"]
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE answer IN SHARE MODE"))
    connection.execute(sa.delete(TALLY))
    columns = [answer.c[name] for name in ("question", "question_version", "turn", "late")]
    certainty = sa.func.coalesce(answer.c.certainty, 0)
    query = sa.select(*columns, certainty, answer.c.response, sa.func.count())
    grouped = connection.execute(query.group_by(*columns, certainty, answer.c.response))
    names = ("question", "question_version", "turn", "late", "certainty", "response", "n")
    for rows in grouped.partitions(1_000):
        given = [dict(zip(names, row, strict=True)) for row in rows]
        connection.execute(
            sa.insert(TALLY), [{**counted(row)._asdict(), "n": row["n"]} for row in given]
        )
