"""The organizer's results of a quiz with 1,000,000 stored answers, over real HTTP.

Beside them: counting the same answers with one GROUP BY over the table, which is what the service
would do without its tally, and the results of a tenth of the answers, which tell the growth. The
answers are spread over responses as a group might spread them: a few options each, a thousand
numbers, some words; a hundredth of them gives a reason.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlmodel import Session

from api.content import read_content
from api.database import Database
from api.members import JoinIn, invite, join
from api.migrate import migrate
from api.tally import rebuild
from tests.bench.answers import load, serving, timed
from tests.conftest import CONTENT

ANSWERS, REQUESTS = 1_000_000, 60
QUESTIONS = 6
RESPONSES = {
    "why-two-layers": """CASE WHEN i % 10 < 6 THEN '"a"' ELSE '"b"' END""",
    "linear-parts": """CASE i % 4 WHEN 0 THEN '["a"]' WHEN 1 THEN '["a", "b"]'
                       ELSE '["a", "c"]' END""",
    "share-right": "'0.' || substr('000' || i * 7919 % 1000, -3)",
    "the-sum": """CASE WHEN i % 3 THEN '"residual stream"' ELSE '"word ' || i % 50 || '"' END""",
    "steps": """CASE i % 3 WHEN 0 THEN '["e", "b", "c"]' WHEN 1 THEN '["b", "e", "c"]'
                ELSE '["e", "c", "b"]' END""",
    "changes": """CASE WHEN i % 5 THEN '{"a": "A node.", "b": "An edge."}'
                  ELSE '{"a": "An edge.", "b": "A node."}' END""",
}


def fill(database: Database, members: int) -> None:
    """Answers of so many members to all six questions, counted."""
    quiz = read_content(CONTENT / "docs", CONTENT / "executed").quizzes["example"]

    def insert(session: Session) -> None:
        run = session.connection().exec_driver_sql
        numbers = (
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {members})"
        )
        run(
            "INSERT INTO member (id, name, role, joined_at) "
            f"{numbers} SELECT 'member-' || i, 'x', 'member', '2026-03-10 18:00:00.000000' FROM n"
        )
        for question in quiz.questions:
            run(
                "INSERT INTO answer (member_id, id, quiz, question, attempt, turn,"
                " question_version, key_version, response, certainty, reason, late, answered_at,"
                f" request_hash, reply) {numbers} SELECT 'member-' || i, '{question.id}-' || i,"
                f" 'example', '{question.id}', 1, 'first', '{question.version}', 'none',"
                f" {RESPONSES[question.id]}, 1 + i % 3,"
                " CASE WHEN i % 100 = 0 THEN 'Because of ' || i END, 0,"
                " '2026-03-10 18:00:00.000000', '', '{}' FROM n"
            )

    database.write(insert)
    database.write(rebuild)


def measure_one(members: int) -> tuple[float, float, float]:
    """p95 of the results in ms, seconds of the plain GROUP BY, p95 of the statistics in ms."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "readout.sqlite3"
        database = Database(f"sqlite:///{file}")
        migrate(database)
        fill(database, members)
        token = database.write(_organizer)
        begun = time.perf_counter()
        with database.read() as session:
            query = "SELECT question, response, certainty, count(*) FROM answer GROUP BY 1, 2, 3"
            assert session.connection().exec_driver_sql(query).all()
        plain = time.perf_counter() - begun
        database.close()
        head = f" HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: readout={token}\r\n\r\n"
        results = f"GET /api/v1/quizzes/example/results{head}".encode()
        with serving(file) as (port, _):
            timed(load(port, [results], 1))
            replies = timed(load(port, [results] * REQUESTS, 1))
            assert {status for *_, status in replies} == {200}
            analysed = f"GET /api/v1/quizzes/example/statistics{head}".encode()
            ((_, slow, status),) = timed(load(port, [analysed], 1))
            assert status == 200
    p95 = statistics.quantiles([took for _, took, _ in replies], n=20)[18]
    return 1_000 * p95, 1_000 * plain, 1_000 * slow


def _organizer(session: Session) -> Any:
    import datetime as dt

    now = dt.datetime.now(dt.UTC)
    code = invite(session, "Grace", "organizer", now)
    session.flush()
    return join(session, JoinIn(invite=code, name="Grace"), now).token


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    members = ANSWERS // QUESTIONS + 1
    few, *_ = measure_one(members // 10)
    p95, plain, slow = measure_one(members)
    yield "results-1m-answers-p95", p95, "ms", "goal", 100.0
    yield "results-1m-answers", p95, "ms", "GROUP BY over all answers", plain
    yield "results-growth", p95, "ms", "10 times a tenth of the answers", 10 * few
    yield "statistics-1m-answers", slow, "ms", "GROUP BY over all answers", plain
