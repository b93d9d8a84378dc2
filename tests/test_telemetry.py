"""What whoever runs the service is told: numbers, and a line a request that holds no secret."""

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from fastapi.testclient import TestClient

from api.settings import Settings
from api.telemetry import JsonLines, TextLines
from tests.conftest import API, CONTENT, ROOT, Join, unused_port


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        content_dir=CONTENT / "docs",
        executed_dir=CONTENT / "executed",
        site_dir=tmp_path / "site",
        base_url="http://testserver",
        metrics_token="CANARY-of-the-metrics",
    )


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer wrong", 401), ("CANARY", 401), ("Bearer CANARY-of-the-metrics", 200)],
)
def test_metrics_are_for_who_has_the_token(client: TestClient, authorization: str, status: int):
    reply = client.get(f"{API}/metrics", headers={"Authorization": authorization})
    assert reply.status_code == status


def test_metrics_are_for_organizers(join: Join):
    assert join("Ada").get(f"{API}/metrics").status_code == 403
    assert join("Grace", "organizer").get(f"{API}/metrics").status_code == 200


def test_metrics_count_writes_and_replies(organizer: TestClient):
    def read() -> dict[str, float]:
        lines = organizer.get(f"{API}/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    before = read()
    note = {"meeting": "2026-03-12", "body": "Counted."}
    assert organizer.post(f"{API}/notes", json=note).status_code == 201
    after = read()

    assert after["readout_writes_total"] == before["readout_writes_total"] + 1
    assert after['readout_replies_total{status="201"}'] == 1 + before.get(
        'readout_replies_total{status="201"}', 0
    )
    assert after["readout_database_failed"] == 0


def test_a_line_of_the_log_is_one_object_whatever_it_holds():
    record = logging.makeLogRecord(
        {
            "name": "readout",
            "levelname": "INFO",
            "msg": 'a\r\nb "c" \u2028',
            "more": {"status": 200},
        }
    )
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    told = json.loads(line)
    assert (told["message"], told["status"]) == ('a\r\nb "c" \u2028', 200)


def test_a_line_for_people_begins_with_the_moment_in_utc():
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "decided", "created": 1773165600})
    assert TextLines().format(record) == "2026-03-10T18:00:00Z INFO decided"


def test_a_line_of_the_log_holds_the_error_with_its_place():
    try:
        raise ValueError("of the test")
    except ValueError as error:
        failed = (ValueError, error, error.__traceback__)
    line = JsonLines().format(logging.makeLogRecord({"msg": "failed", "exc_info": failed}))

    assert len(line.splitlines()) == 1
    told = json.loads(line)["error"]
    assert told.startswith("Traceback") and told.endswith("ValueError: of the test")
    assert Path(__file__).name in told


def test_where_open_files_cannot_be_counted_the_other_numbers_are_told(
    organizer: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    counted = organizer.get(f"{API}/metrics").text
    monkeypatch.setattr("api.telemetry.DESCRIPTORS", tmp_path / "nowhere")
    uncounted = organizer.get(f"{API}/metrics").text

    assert "\nreadout_open_files " in counted
    assert "readout_open_files" not in uncounted
    assert "readout_writes_total " in uncounted


def asked(address: str, token: str = "", **body: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        return dict(json.load(reply))


def decide(base: str, code: str) -> tuple[str, list[str]]:
    """Join as an organizer and invite somebody: what the log must say of it, and must not."""
    joined = asked(f"{base}/join", invite=code, name="Grace")
    made = asked(f"{base}/invitations", joined["token"], name="Bo")
    said = f"{joined['member']['id']} made an invitation as member"
    return said, [code, joined["token"], made["link"].partition("#")[2], "Grace", "Bo"]


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def running(
    command: list[str], folder: Path, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that serves; it writes to `said` and `log` in the folder."""
    there = {
        "READOUT_DATABASE_URL": f"sqlite:///{folder / 'readout.sqlite3'}",
        "READOUT_CONTENT_DIR": str(CONTENT / "docs"),
        "READOUT_SITE_DIR": str(folder / "site"),
        "READOUT_CACHE_DIR": str(folder / "cache"),
        "READOUT_LOG_FORMAT": "json",
        "READOUT_METRICS_TOKEN": "CANARY-of-the-metrics",
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    with (
        (folder / "said").open("w") as said,
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **there, **environment}, stdout=said, stderr=log
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def await_health(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while True:
        try:
            urllib.request.urlopen(f"{base}/health").read()
            return
        except urllib.error.URLError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)


def test_the_log_holds_a_line_a_request_and_no_secret(tmp_path: Path):
    """And a line for what an organizer decided."""
    port = unused_port()
    base, log = f"http://127.0.0.1:{port}{API}", tmp_path / "log"
    with running(["readout", "serve", "--no-build", "--port", str(port)], tmp_path) as process:
        await_health(base, process, log)
        [code] = re.findall(r"/join#(\S+)", (tmp_path / "said").read_text())
        decided, secrets = decide(base, code)
        question = urllib.request.Request(
            f"{base}/notes/search?q=CANARY-query",
            headers={"Authorization": "Bearer CANARY-token", "Cookie": "readout=CANARY"},
        )
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(question)
    text = log.read_text()
    assert [secret for secret in ("CANARY", *secrets) if secret in text] == []
    lines = lines_of(text)
    replies = [(line["path"], line["status"]) for line in lines if line["message"] == "replied"]
    assert replies == [
        (f"{API}/health", 200),
        (f"{API}/join", 201),
        (f"{API}/invitations", 201),
        (f"{API}/notes/search", 401),
    ]
    others = [(line["level"], line["message"]) for line in lines if line["message"] != "replied"]
    assert others == [("info", decided)]


def test_the_processes_that_share_a_database_write_the_same_log(
    newest_sqlite: Path, tmp_path: Path
):
    """Started as docs/operating.md says."""
    shutil.copy(newest_sqlite, tmp_path / "readout.sqlite3")
    port = unused_port()
    base, log = f"http://127.0.0.1:{port}{API}", tmp_path / "log"
    with running(on_several_cores(workers=2, port=port), tmp_path) as process:
        await_health(base, process, log)
    lines = lines_of(log.read_text())
    assert [(line["path"], line["status"]) for line in lines] == [(f"{API}/health", 200)]


def test_what_uvicorn_says_is_a_line_of_json_too():
    """Its own command has set a log up before it asks for the service."""
    program = """
import logging, logging.config
from uvicorn.config import LOGGING_CONFIG
from api.telemetry import begin_log
logging.config.dictConfig(LOGGING_CONFIG)
begin_log("json")
logging.getLogger("uvicorn.error").error("a mistake\\nof two lines")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    [line] = lines_of(done.stderr)
    assert (line["logger"], line["message"]) == ("uvicorn.error", "a mistake\nof two lines")


def test_no_process_serves_a_database_of_another_schema(newest_sqlite: Path, tmp_path: Path):
    """It is said in a sentence, and uvicorn does not try for ever."""
    file = tmp_path / "readout.sqlite3"
    shutil.copy(newest_sqlite, file)
    with closing(pysqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    command = on_several_cores(workers=2, port=unused_port())
    with running([*command, "--timeout-worker-healthcheck", "1"], tmp_path) as process:
        process.wait(60)
    said = (tmp_path / "log").read_text()
    assert "readout: the database has schema '9999', which is newer than this version" in said
    assert "Traceback" not in said


def on_several_cores(**given: int) -> list[str]:
    """The command of docs/operating.md, with other values."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    [line] = re.findall(r"^uvicorn .*$", text, re.MULTILINE)
    for name, value in given.items():
        line = re.sub(rf"--{name} \d+", f"--{name} {value}", line)
    return shlex.split(line)
