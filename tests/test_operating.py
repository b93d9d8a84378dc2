"""What docs/operating.md tells an operator to type and to install, held against what there is."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli import app
from api.guard import LARGEST_BODY
from api.serving import FAILED
from api.settings import Settings
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")


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
