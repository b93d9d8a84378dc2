"""The commands, each in a process of its own, as a newcomer runs them."""

import datetime as dt
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from api.database import Database
from api.members import invite
from tests.conftest import API, CONTENT, ROOT, unused_port
from tests.test_telemetry import decide

Run = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]


def imported_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_service_needs_no_torch():
    assert not imported_by("api.app") & {"torch", "transformers", "transformer_lens", "demos"}


def test_the_content_needs_no_web_framework():
    assert not imported_by("api.content") & {"fastapi", "starlette", "sqlalchemy", "mkdocs"}


def test_help_needs_nothing_heavy():
    heavy = {"fastapi", "sqlalchemy", "mkdocs", "pydantic", "torch", "yaml", "demos"}
    assert not imported_by("api.cli") & heavy


def test_only_the_build_hook_reads_the_demos():
    imports = re.compile(r"^\s*(?:from|import) demos\b", re.MULTILINE)
    readers = {
        path.name
        for path in (ROOT / "api").rglob("*.py")
        if imports.search(path.read_text("utf-8"))
    }
    assert readers == {"site.py"}
    back = re.compile(r"^\s*(?:from|import) api\b", re.MULTILINE)
    for path in (ROOT / "demos").glob("*.py"):
        assert not back.search(path.read_text("utf-8")), path


def test_every_command_shows_an_example(readout: Run):
    listed = readout("--help").stdout.split("Commands:")[1]
    names = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    assert {"serve", "check", "facts", "invite", "migrate", "build"} <= set(names)
    for name in names:
        assert "Example" in readout(name, "--help").stdout, name


def test_facts_are_printed_with_their_provenance(readout: Run):
    done = readout("facts", "--json")

    facts = json.loads(done.stdout)
    assert {"ioi-accuracy", "ioi-logit-difference"} <= facts.keys()
    for fact in facts.values():
        assert {"value", "tolerance", "notebook", "model", "key", "environment"} <= fact.keys()


def test_facts_are_a_line_each_for_a_reader(invoke: Invoke):
    done = invoke("facts", READOUT_EXECUTED_DIR=str(CONTENT / "executed"))

    assert done.stdout == "example-accuracy = 0.7310585 ± 0.01 (00_example)\n"


def test_the_published_content_has_no_problem(readout: Run):
    done = readout("check")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_mistake_is_named_with_its_place(readout: Run, tmp_path: Path):
    docs = tmp_path / "docs"
    for path in (CONTENT / "docs").rglob("*.md"):
        target = docs / path.relative_to(CONTENT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text("utf-8"), "utf-8")
    entry = docs / "library" / "2022-wang-ioi.md"
    text = (
        entry.read_text("utf-8").replace("authors:", "autors:").replace("[circuits]", "[circuts]")
    )
    entry.write_text(text, "utf-8")

    done = readout(
        "check", READOUT_CONTENT_DIR=str(docs), READOUT_EXECUTED_DIR=str(CONTENT / "executed")
    )

    assert done.returncode == 1
    assert "docs/library/2022-wang-ioi.md:3: unknown field 'autors'; did you mean 'authors'?" in (
        done.stdout.splitlines()
    )


def entry_in(folder: Path, header: str = "", body: str = "") -> Path:
    """A library entry, the only content of a folder `docs` but for a topic."""
    for name in ("topics", "library"):
        (folder / "docs" / name).mkdir(parents=True)
    (folder / "docs/topics/ioi.md").write_text("---\ntitle: T\nsummary: Made up.\n---\n")
    path = folder / "docs/library/2022-a.md"
    path.write_text(
        "---\ntitle: A\nauthors: [Ada Example]\nkind: tool\nyear: 2022\n"
        f"url: https://example.org/a\ntopics: [ioi]\n{header}---\n\n{body}\n"
    )
    return path


def test_a_check_mends_first_and_tells_what_is_left(invoke: Invoke, tmp_path: Path):
    path = entry_in(tmp_path, "added: 2023/11/07\n", "[T](../topics/ioi) and [no](nowhere.md)")

    done = invoke("check", "--fix", READOUT_CONTENT_DIR=str(tmp_path / "docs"))

    assert "added: 2023-11-07\n" in path.read_text()
    assert done.exit_code == 1
    told = done.stderr.splitlines()
    assert "docs/library/2022-a.md:8: 2023/11/07 -> 2023-11-07" in told
    assert "docs/library/2022-a.md:11: ../topics/ioi -> ../topics/ioi.md" in told
    assert told[-1] == "1 problem"
    assert done.stdout.startswith("docs/library/2022-a.md:11: ")
    assert "nowhere.md" in done.stdout


def test_a_file_that_cannot_be_mended_is_named(invoke: Invoke, tmp_path: Path):
    path = entry_in(tmp_path, "added: 2023/11/07\n")
    path.with_name(f".{path.name}.{os.getpid()}").mkdir()  # where the new text would be put

    done = invoke("check", "--fix", READOUT_CONTENT_DIR=str(tmp_path / "docs"))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"readout: cannot write {path.parent}/.{path.name}.")
    assert "added: 2023/11/07\n" in path.read_text()


def test_a_check_asks_external_links_where_it_is_told(invoke: Invoke, tmp_path: Path):
    path = entry_in(tmp_path, body="[x](http://127.0.0.1:9/x)")
    path.write_text(path.read_text().replace("https://example.org/a", "https://127.0.0.1:9/a"))
    there = {
        "READOUT_CONTENT_DIR": str(tmp_path / "docs"),
        "READOUT_CACHE_DIR": str(tmp_path / "cache"),
    }
    unasked = "http://127.0.0.1:9/x: 127.0.0.1 is in a private network, which is not asked"

    assert unasked not in invoke("check", **there).stdout
    done = invoke("check", "--outlinks", **there)

    assert f"docs/library/2022-a.md:10: {unasked}" in done.stdout
    assert done.exit_code == 1
    assert (tmp_path / "cache/outlinks.json").is_file()


def test_a_note_is_split_and_accounted_for(invoke: Invoke, tmp_path: Path):
    docs = entry_in(tmp_path).parents[1]
    note = tmp_path / "notes.md"
    note.write_text("Seen: this\n\n- [Toy](https://toy.example/toy) - **Bo Beispiel** - good\n")
    there = {"READOUT_CONTENT_DIR": str(docs)}

    counted = json.loads(invoke("import", str(note), "--json", "--dry-run", **there).stdout)
    assert [path.name for path in (docs / "library").iterdir()] == ["2022-a.md"]
    done = invoke("import", str(note), **there)
    again = invoke("import", str(note), "--dry-run", **there)

    (made,) = counted["files"]
    assert (docs / Path(made).relative_to("docs")).is_file()
    assert {part["text"]: part["line"] for part in counted["unplaced"]} == {"Seen: this": 1}
    assert {"text": "good", "line": 3} in [
        {name: part[name] for name in ("text", "line")} for part in counted["placed"]
    ]
    account = done.stdout.splitlines()
    assert (done.exit_code, "Files:" in account, made in account) == (0, True, True)
    assert "    Seen: this" in account
    for gap in counted["to_fill_in"]:
        assert f"{gap['path']}:{gap['line']}: {gap['name']}" in account
    assert "exists already" not in done.stdout
    refused = invoke("import", str(tmp_path / "none.md"), **there)
    assert (refused.exit_code, refused.stderr.startswith("readout: ")) == (1, True)
    assert "notes.md:3: already in the library as beispiel-toy" in again.stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"READOUT_SEED": "-1"}, "READOUT_SEED: Input should be greater than or equal to 0"),
        (
            {"READOUT_DATABASE_URL": "postgresql://h:secret/x"},
            "READOUT_DATABASE_URL: the port is no number; "
            "write @ and : in a password as %40 and %3A",
        ),
        (
            {"READOUT_CONTENT_DIR": "nowhere"},
            "no folder nowhere; start in the project, or set READOUT_CONTENT_DIR",
        ),
    ],
)
def test_a_wrong_setting_is_said_in_a_sentence(invoke: Invoke, environment: dict, said: str):
    done = invoke("check", **environment)

    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"readout: {said}\n")


def test_a_database_that_is_away_is_said_without_its_password(invoke: Invoke):
    url = "postgresql://readout:hunter2@127.0.0.1:9/readout"

    done = invoke("invite", "Ada", READOUT_DATABASE_URL=url)

    assert done.exit_code == 1
    assert done.stderr.startswith("readout: cannot use the database postgresql://readout:***@127.")
    assert "refused" in done.stderr
    assert "hunter2" not in done.output


def test_an_old_database_is_migrated_by_a_command(invoke: Invoke, tmp_path: Path):
    there = {"READOUT_DATABASE_URL": f"sqlite:///{tmp_path / 'readout.sqlite3'}"}

    first, again = (invoke("migrate", **there) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout == f"{again.stdout.strip()}, was empty\n"
    assert re.fullmatch(r"schema \w+\n", again.stdout)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], r"demos/\w+\.py: no page quizzes/"),
        # A preview leaves out what is broken; without the pages of the site itself it is none.
        (["--preview"], "library/2022-a.md: no page glossary.md"),
    ],
)
def test_a_site_that_is_not_built_is_told(
    invoke: Invoke, tmp_path: Path, caplog, options: list[str], why: str
):
    docs = entry_in(tmp_path).parents[1]
    (docs / "index.md").write_text("# Home\n")
    there = {"READOUT_CONTENT_DIR": str(docs), "READOUT_SITE_DIR": str(tmp_path / "site")}

    done = invoke("build", *options, **there)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("readout: the site was not built: ")
    assert re.search(why, caplog.text)


@pytest.fixture
def free_port() -> int:
    return unused_port()


def serve(port: int, folder: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sys.executable).with_name("readout"), "serve", "--port", str(port), *args],
        cwd=ROOT,
        env={
            **os.environ,
            "READOUT_DATABASE_URL": f"sqlite:///{folder / 'readout.sqlite3'}",
            "READOUT_SITE_DIR": str(folder / "site"),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_health(port: int, process: subprocess.Popen[str]) -> dict[str, object]:
    for _ in range(1_800):  # it builds the site first
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health") as reply:
                return dict(json.load(reply))
        except OSError:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the service did not start")


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=30)[0]


def invited(folder: Path) -> str:
    """A code with which an organizer joins."""
    database = Database(f"sqlite:///{folder / 'readout.sqlite3'}")
    now = dt.datetime.now(dt.UTC)
    code = database.write(lambda session: invite(session, "Grace", "organizer", now))
    database.close()
    return code


def test_serve_starts_invites_and_keeps_the_data(free_port: int, tmp_path: Path):
    first = serve(free_port, tmp_path)
    health = wait_for_health(free_port, first)
    said = stop(first)

    code = invited(tmp_path)
    second = serve(free_port, tmp_path)
    wait_for_health(free_port, second)
    decided, secrets = decide(f"http://127.0.0.1:{free_port}{API}", code)
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/") as reply:
        home = reply.read().decode()
    said_again = stop(second)

    assert (health["status"], health["database"]) == ("ok", "sqlite")
    assert f"Readout is at http://127.0.0.1:{free_port}/" in said
    assert re.search(rf"http://127.0.0.1:{free_port}/join#[\w-]{{32}}", said)
    assert "How GPT computes" in home
    assert "Building" in said
    assert "Building" not in said_again
    log = said_again.splitlines()[2:]  # after the address and another link for the first organizer
    assert [line.partition("Z ")[2] for line in log] == [f"INFO {decided}"]
    assert [secret for secret in secrets if secret in "".join(log)] == []


def test_a_port_in_use_is_said_in_a_sentence(free_port: int, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        process = serve(free_port, tmp_path)
        said = process.communicate(timeout=60)[0]

    assert process.returncode == 1
    assert said == (
        f"readout: port {free_port} of 127.0.0.1 cannot be used (Address already in use); "
        f"choose another: make serve PORT={free_port + 1}\n"
    )


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(free_port: int, readout: Run):
    done = readout(
        "serve", "--port", str(free_port), READOUT_SITE_DIR="/proc/site", READOUT_CACHE_DIR="/tmp"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("readout: cannot write to /proc/site: ")

    done = readout("invite", "Ada", READOUT_DATABASE_URL="sqlite:////proc/nowhere/readout.sqlite3")
    assert (done.returncode, done.stderr.startswith("readout: cannot make the folder")) == (1, True)


def test_a_python_that_is_too_old_is_said_in_a_sentence(tmp_path: Path):
    old = tmp_path / "python3"
    old.write_text(
        '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; --version) echo "Python 3.9.2";; esac\n'
    )
    old.chmod(0o755)
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "Makefile").write_text((ROOT / "Makefile").read_text())
    (clone / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())

    done = subprocess.run(
        ["make", "serve", f"PYTHON={old}"], cwd=clone, capture_output=True, text=True
    )

    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        "readout: Python 3.9.2 is too old; Python 3.11 or later is needed: make PYTHON=python3.12"
    )


def test_an_invitation_is_printed_as_a_link(readout: Run, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'readout.sqlite3'}"
    done = readout(
        "invite", "Ada", READOUT_DATABASE_URL=url, READOUT_BASE_URL="https://group.example.org/"
    )
    assert re.fullmatch(r"https://group\.example\.org/join#[\w-]{32}\n", done.stdout)


def test_an_invitation_leads_to_the_address_that_was_last_served(invoke: Invoke, tmp_path: Path):
    there = {
        "READOUT_DATABASE_URL": f"sqlite:///{tmp_path / 'readout.sqlite3'}",
        "READOUT_CACHE_DIR": str(tmp_path),
    }
    (tmp_path / "address").write_text("http://127.0.0.1:8123")

    assert invoke("invite", "Ada", **there).stdout.startswith("http://127.0.0.1:8123/join#")
    named = invoke("invite", "Bo", READOUT_BASE_URL="https://group.example.org", **there)
    assert named.stdout.startswith("https://group.example.org/join#")
