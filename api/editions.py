"""Which versions of a question ask the same: a mended typing error goes on where it was.

A version is a digest of what is asked and offered. When the service starts, it notes each version
that it has not seen, with what the author declared: `cosmetic` continues the edition before it,
anything else begins a new one, and with it statistics and turns.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from sqlmodel import Field, Session, SQLModel, col, select

from api.database import UtcDateTime
from api.questions import Question


class Edition(SQLModel, table=True):
    """One version of a question, and the edition that it belongs to. Rows are only added."""

    question: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    edition: int
    seen_at: dt.datetime = Field(sa_type=UtcDateTime)


def note(
    session: Session, questions: Iterable[Question], now: dt.datetime
) -> dict[str, frozenset[str]]:
    """Note new versions. Returns, by question, the versions of its present edition."""
    known: defaultdict[str, list[Edition]] = defaultdict(list)
    for row in session.exec(select(Edition).order_by(col(Edition.seen_at), col(Edition.edition))):
        known[row.question].append(row)
    present: dict[str, frozenset[str]] = {}
    for question in questions:
        rows = known[question.id]
        found = next((row for row in rows if row.version == question.version), None)
        if found is None:
            found = Edition(
                question=question.id,
                version=question.version,
                edition=_next(rows, cosmetic=question.revision == "cosmetic"),
                seen_at=now,
            )
            session.add(found)
            rows.append(found)
        same = {row.version for row in rows if row.edition == found.edition}
        present[question.id] = frozenset(same)
    return present


def _next(rows: list[Edition], *, cosmetic: bool) -> int:
    newest = max((row.edition for row in rows), default=0)
    return newest if cosmetic and newest else newest + 1
