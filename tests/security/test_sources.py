"""What the code, its dependencies and its workflows may not do, read from the sources."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from api import bounded
from api.engines import OLDEST_SQLITE
from tests.conftest import ROOT, Join
from tests.durability.child import Here
from tests.security.routes import documented, world

API_FILES = sorted((ROOT / "api").rglob("*.py"))
DEMO_FILES = sorted((ROOT / "demos").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """Each call in a source, with the dotted name that is called."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def is_fixed(node: ast.expr) -> bool:
    """Whether text is written in the source, and put together from nothing else."""
    if isinstance(node, ast.IfExp):
        return is_fixed(node.body) and is_fixed(node.orelse)
    return isinstance(node, ast.Constant)


def is_put_together(node: ast.expr) -> bool:
    """Whether text is put together right here; SQLAlchemy's statements are calls and names."""
    if isinstance(node, ast.IfExp):
        return is_put_together(node.body) or is_put_together(node.orelse)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).endswith((".format", ".join", ".replace"))
    if isinstance(node, ast.JoinedStr):
        return not all(map(is_constant, node.values))
    return isinstance(node, ast.BinOp)


def is_constant(part: ast.expr) -> bool:
    """Written in the source, or named there in capitals."""
    if isinstance(part, ast.FormattedValue):
        return isinstance(part.value, ast.Name) and part.value.id.isupper()
    return isinstance(part, ast.Constant)


TEXT = re.compile(r"sa\.(text|literal_column|DDL)|(.*\.)?exec_driver_sql", re.DOTALL)
EXECUTED = re.compile(r"(.*\.)?execute(script|many)?", re.DOTALL)


def made_up_sql(source: str) -> list[str]:
    return [
        ast.unparse(call)
        for name, call in calls(source)
        if call.args
        and (
            (TEXT.fullmatch(name) and not is_fixed(call.args[0]))
            or (EXECUTED.fullmatch(name) and is_put_together(call.args[0]))
        )
    ]


@pytest.mark.parametrize(
    "planted",
    [
        'session.execute(sa.text(f"SELECT * FROM note WHERE id = {given}"))',
        'c.exec_driver_sql("SELECT %s" % name)',
        "connection.execute(f'SELECT count(*) FROM \"{quoted}\"')",
        'sqlite3.connect(file).execute("SELECT * FROM " + table)',
        'cursor().executescript("DROP TABLE {}".format(table))',
        'c.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", rows)',
        'sa.literal_column(f"{name}" if name else "x")',
        "sa.text(given)",
    ],
)
def test_a_statement_that_is_put_together_is_found(planted: str):
    assert made_up_sql(planted)


# SQLite binds no name: one of a check, out of the list beside it, and one of a table, in quotes.
NAMED = {
    "backup.py": [
        """connection.execute(f'SELECT count(*) FROM "{quoted}"')""",
        "db.execute(f'PRAGMA {check}')",
    ]
}


def test_no_statement_is_put_together_from_text():
    """T19."""
    found = {path.name: made_up_sql(path.read_text("utf-8")) for path in API_FILES}
    assert {name: some for name, some in found.items() if some} == NAMED
    names = [path.name for path in API_FILES if "sqlalchemy import text" in path.read_text("utf-8")]
    assert names == [], "write sa.text, which this test finds"


PICKLES = "pickle|cPickle|dill|cloudpickle|joblib|marshal|shelve"
RUNS_WHAT_IT_READS = re.compile(
    rf"({PICKLES})\.(load|loads|open)|(.*\.)?(Unpickler|read_pickle)|torch\.(jit\.)?load|"
    r"(builtins\.)?(eval|exec)|yaml\.(unsafe_|full_)?load(_all)?|os\.(system|popen)"
)
BRINGS_IT = re.compile(rf"^\s*(from ({PICKLES}) import|from builtins import (eval|exec)).*", re.M)


def running(source: str) -> list[str]:
    found = [name for name, _ in calls(source) if RUNS_WHAT_IT_READS.fullmatch(name)]
    found += [brought[0] for brought in BRINGS_IT.finditer(source)]
    for name, call in calls(source):
        for keyword in call.keywords:
            value = ast.unparse(keyword.value)
            if (keyword.arg, value) in (
                ("allow_pickle", "True"),
                ("trust_remote_code", "True"),
                ("shell", "True"),
                ("weights_only", "False"),
            ):
                found.append(f"{name}({keyword.arg}={value})")
    return found


@pytest.mark.parametrize(
    "planted",
    [
        *("torch.load(path)", "pickle.loads(data)", "np.load(path, allow_pickle=True)"),
        *("AutoModel.from_pretrained(x, trust_remote_code=True)", "joblib.load(p)", "eval(text)"),
        *("yaml.load(text, Loader=yaml.Loader)", "subprocess.run(x, shell=True)"),
        *("yaml.load_all(text, yaml.Loader)", "yaml.unsafe_load_all(text)", "yaml.full_load(text)"),
        *("yaml.full_load_all(text)", "pickle.Unpickler(file).load()", "torch.jit.load(path)"),
        *("builtins.eval(text)", "from pickle import loads", "pd.read_pickle(path)"),
    ],
)
def test_what_would_run_what_it_reads_is_found(planted: str):
    assert running(planted)


def test_no_file_that_is_read_is_run():
    """T25: a model comes as safetensors or GGUF, data as JSON; both are read, and not run."""
    found = {path.name: running(path.read_text("utf-8")) for path in [*API_FILES, *DEMO_FILES]}
    assert len(found) > 100
    assert {name: some for name, some in found.items() if some} == {}


SECRET_SOURCES = re.compile(r"(numpy|np|uuid|random)\.\w+")


def test_no_secret_is_drawn_by_chance_that_can_be_guessed():
    for name in ("members", "joining", "devices", "membership"):
        source = (ROOT / "api" / f"{name}.py").read_text("utf-8")
        found = [n for n, _ in calls(source) if SECRET_SOURCES.fullmatch(n)]
        assert found == (["uuid.uuid4"] if name == "members" else [])  # who a member is, no secret
    drawn = [n for n, _ in calls((ROOT / "api" / "members.py").read_text()) if "token_url" in n]
    assert drawn == ["secrets.token_urlsafe"] * 2


def test_the_service_asks_nobody(join: Join, monkeypatch: pytest.MonkeyPatch):
    """T24: no call to any endpoint connects to anything."""
    import socket

    asked: list[object] = []
    monkeypatch.setattr(bounded, "_pool", lambda _: Here())  # notes are set where we can see it
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: asked.append(to))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *to, **_: asked.append(to))
    group = world(join)
    for method, path in documented():
        if (method, path) not in (("DELETE", "/me"), ("DELETE", "/session")):
            group.prepare(method, path)
            group.call(group.as_organizer(), method, path)
    note = {"meeting": "2026-03-12", "body": "![](http://127.0.0.1:1/x) <http://[::1]/> [[x]]"}
    group.made(group.own, "/notes", note)
    assert asked == []


# Dependencies ------------------------------------------------------------------------------------

FLOORS = {
    "starlette": "1.0.1",
    "mkdocs-material": "9.7.7",
    "pymdown-extensions": "11.0.2",
    "Markdown": "3.8.1",
    "nbconvert": "7.17.1",
    "nh3": "0.3.8",
    "fastapi": "0.165",
    "torch": "2.6",
}


def test_known_holes_are_below_the_floors():
    """What is installed, and what may be installed: each floor is the version with the mend."""
    wanted = {
        requirement.name.lower(): requirement
        for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["demos"]]
        for requirement in [Requirement(line)]
    }
    for name, floor in FLOORS.items():
        assert Version(version(name)) >= Version(floor), name
        below = f"{floor}.dev0"  # what comes right before the mend
        assert not wanted[name.lower()].specifier.contains(below, prereleases=True), name
    assert OLDEST_SQLITE >= (3, 51, 3)


def test_packages_come_from_one_index():
    """T18: a second index is how a stranger's package takes the place of one of ours."""
    named = [ROOT / "Makefile", ROOT / "pyproject.toml", *(ROOT / ".github").rglob("*.yml")]
    for path in named:
        text = path.read_text("utf-8").lower()
        assert not re.search(r"extra[-_]index|index[-_]strategy|--trusted-host", text), path


def test_what_a_workflow_uses_is_pinned_by_its_hash():
    """T18: a tag can be moved to other code."""
    used = [
        (path.name, name)
        for path in (ROOT / ".github").rglob("*.yml")
        for name in re.findall(r"\buses:\s*(\S+)", path.read_text("utf-8"))
    ]
    assert len(used) > 5
    pinned = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
    assert [one for one in used if not pinned.fullmatch(one[1])] == []


# Workflows ---------------------------------------------------------------------------------------

ZIZMOR = shutil.which("zizmor") or str(Path(sys.executable).with_name("zizmor"))


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [ZIZMOR, "--offline", "--no-progress", "--no-config", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


BAD = """
name: Bad
on: pull_request_target
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          ref: ${{ github.event.pull_request.head.sha }}
      - run: echo "${{ github.event.pull_request.title }}" && make test
        env:
          TOKEN: ${{ secrets.TOKEN }}
"""


def test_no_workflow_gives_a_contributor_anything(tmp_path: Path):
    """T16."""
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "bad.yml").write_text(BAD)
    planted = zizmor(tmp_path)
    assert planted.returncode > 0 and "dangerous-triggers" in planted.stdout + planted.stderr
    ours = zizmor(ROOT / ".github" / "workflows")
    assert ours.returncode == 0, ours.stdout


def named_tests(cells: str) -> list[str]:
    """The tests that a row names. Each must be there."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cells)
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text("utf-8"), (path, name)
    return [f"{path}::{name}" for path, name in named]


def test_each_check_that_is_met_names_a_test_that_there_is():
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    met = text.partition("### Met, ")[2].partition("### Not met, ")[0]
    rows = [row for row in met.splitlines() if re.match(r"\| \d", row)]
    assert len(rows) > 30
    assert [row for row in rows if not named_tests(row)] == []


def test_each_threat_has_a_defence_and_a_test_that_there_is():
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    rows = re.findall(r"^\| T(\d+) \|(.+)\|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    assert [number for number, cells in rows if not named_tests(cells)] == []
