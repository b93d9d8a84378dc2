"""What whoever runs the service is told: numbers, and a line a request that holds no secret."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.settings import Settings
from api.telemetry import JsonLines
from tests.conftest import API, CONTENT, ROOT, Join


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


def test_the_log_holds_a_line_a_request_and_no_secret(sqlite_url: str, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    readout = str(Path(sys.executable).with_name("readout"))
    command = [readout, "serve", "--no-build", "--port", str(port)]
    environment = {
        "READOUT_DATABASE_URL": sqlite_url,
        "READOUT_CONTENT_DIR": str(CONTENT / "docs"),
        "READOUT_SITE_DIR": str(tmp_path / "site"),
        "READOUT_CACHE_DIR": str(tmp_path / "cache"),
        "READOUT_LOG_FORMAT": "json",
        "READOUT_METRICS_TOKEN": "CANARY-of-the-metrics",
    }
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as process,
    ):
        try:
            base = f"http://127.0.0.1:{port}{API}"
            while True:
                try:
                    urllib.request.urlopen(f"{base}/health").read()
                    break
                except urllib.error.URLError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
            asked = urllib.request.Request(
                f"{base}/notes/search?q=CANARY-query",
                headers={"Authorization": "Bearer CANARY-token", "Cookie": "readout=CANARY"},
            )
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(asked)
        finally:
            process.terminate()
            process.wait(20)
    text = log.read_text()
    assert "CANARY" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    replies = [(line["path"], line["status"]) for line in lines if line["message"] == "replied"]
    assert replies == [(f"{API}/health", 200), (f"{API}/notes/search", 401)]
