"""Write a small database of the present schema: `python -m tests.golden > tests/golden/NNNN.sql`.

Made once by each version that changes the schema, through the API as members use it, and never
again: later versions must bring it to theirs without losing a word.
"""

import datetime as dt
import sqlite3
import sys
import tempfile
import uuid
from pathlib import Path

from fastapi.testclient import TestClient

from api.app import create_app
from api.database import Database
from api.members import invite
from api.migrate import migrate
from api.settings import Settings

API = "/api/v1"
CONTENT = Path(__file__).resolve().parents[1] / "content"
NOW = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)


def fill(file: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{file}",
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=file.parent / "site",
        base_url="http://testserver",
    )
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    app = create_app(settings, lambda: NOW)
    with TestClient(app) as client:
        service = client.app.state.service
        for number, name in enumerate(("Ada", "Zoë 深い")):
            role = ("organizer", "member")[number]
            code = service.database.write(lambda session: invite(session, name, role, NOW))  # noqa: B023
            visitor = TestClient(app)
            visitor.post(f"{API}/join", json={"invite": code, "name": name}).raise_for_status()
            answer(visitor, number)
            write_notes(visitor, number)


def answer(visitor: TestClient, number: int) -> None:
    given = [("why-two-layers", "ab"[number]), ("linear-parts", ["a", "c"]), ("share-right", 0.73)]
    for place, (question, response) in enumerate([*given, given[1]]):
        body = {
            "id": str(uuid.UUID(int=100 * number + place)),
            "question": question,
            "response": response,
            "certainty": (1, 2, 3, None)[place],
            "reason": (None, "I counted.\r\nTwice.", "", "naïve “guess”")[place],
        }
        visitor.post(f"{API}/quizzes/example/answers", json=body).raise_for_status()


def write_notes(visitor: TestClient, number: int) -> None:
    note = {"meeting": "2026-03-12", "body": "# First\r\n\r\n$a_1$ 'quoted' \\ \t\r\n  "}
    made = visitor.post(f"{API}/notes", json={"id": str(uuid.UUID(int=number)), **note})
    made.raise_for_status()
    edit = {"body": "Second; with a semicolon\n", "visibility": ("private", "public")[number]}
    path, tag = f"{API}/notes/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    visitor.put(path, json=edit, headers=tag).raise_for_status()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "golden.sqlite3"
        fill(file)
        connection = sqlite3.connect(file)  # closed by the service; this driver can write it out
        for line in connection.iterdump():
            sys.stdout.write(f"{line}\n")
        connection.close()


if __name__ == "__main__":
    main()
