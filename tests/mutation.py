"""Do the tests notice any change? `make mutation NAME=grading` changes one module everywhere.

mutmut makes each small change in turn, in a copy of the checkout, and runs the tests that reach it.
A change that no test notices is a survivor. Those in `tests/survivors.toml` are excused, each by a
sentence; any other is printed and fails the run. Not changed are decorated functions (endpoints)
and what stands outside of functions; for these, faults are planted by hand (`tests/faults`).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.checkout import ROOT, copy

EXCUSED = ROOT / "tests" / "survivors.toml"

# By module of `api`: the tests that should notice. They take seconds, all of them together.
MODULES: dict[str, tuple[str, ...]] = {
    "grading": ("test_grading.py",),
    "guard": ("test_guard.py",),
    "render": ("test_render.py",),
    "keys": ("test_keys.py",),
    "database": ("test_write_path.py", "test_database.py"),
    "answers": ("test_answers.py", "test_around_the_meeting.py"),
    "members": ("test_invitations_and_sessions.py", "test_members.py"),
    "rights": ("test_members.py", "test_leaving.py"),
    "membership": ("test_membership.py",),
    "joining": ("test_joining.py", "test_devices.py"),
    "notes": ("test_notes.py",),
}

# Each test that reaches a function is run for each of its changes, so that PostgreSQL is asked only
# where a test is about it alone.
SETTINGS = """[mutmut]
source_paths=api
only_mutate=api/{name}.py
process_isolation=forkserver
timeout_constant=10
timeout_multiplier=3
use_setproctitle=false
pytest_add_cli_args=
    -p
    no:randomly
    -p
    no:cacheprovider
    -k
    not postgresql or on_postgresql
pytest_add_cli_args_test_selection=
    {tests}
"""
SHOW = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
meta = json.load(open(f"mutants/api/{sys.argv[1]}.py.meta"))["exit_code_by_key"]
print(json.dumps([
    [name, status, "" if status in ("killed", "timeout") else get_diff_for_mutant(name)]
    for name, status in ((name, status_by_exit_code[code]) for name, code in meta.items())
]))
"""


class Survivor(NamedTuple):
    """A change that no test noticed: in which function, and the lines without and with it."""

    function: str
    was: str
    now: str


class Result(NamedTuple):
    total: int
    slow: int  # changes whose tests did not end, which counts as noticed
    survivors: list[Survivor]


def survivor(name: str, diff: str) -> Survivor:
    """From mutmut's name of a change, `api.grading.x_within__mutmut_3`, and its diff."""
    mangled = name.rpartition("__mutmut_")[0].rpartition(".")[2]  # x_within, xǁGuardǁ_is_ours
    function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    lines = diff.splitlines()[2:]
    was, now = (
        "\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Survivor(function, was, now)


def mutate(name: str) -> Result:
    """Make every change to a module of `api`."""
    with tempfile.TemporaryDirectory(prefix="readout-mutation-") as made:
        folder = Path(made)
        copy(folder, "api", "tests", "pyproject.toml")
        tests = "\n    ".join(f"tests/{test}" for test in MODULES[name])
        (folder / "setup.cfg").write_text(SETTINGS.format(name=name, tests=tests))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", "1"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
        )
        if done.returncode != 0:
            sys.exit(f"mutmut could not change {name}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        shown = subprocess.run(
            [sys.executable, "-c", SHOW, name],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(shown.stdout)
    if unknown := [status for _, status, diff in told if diff and status not in LIVING]:
        sys.exit(f"mutmut could not judge {len(unknown)} changes to {name}: {set(unknown)}")
    slow = sum(status == "timeout" for _, status, _ in told)
    return Result(len(told), slow, [survivor(name, diff) for name, _, diff in told if diff])


LIVING = ("survived", "no tests")


def excused(name: str) -> list[Survivor]:
    entries = tomllib.loads(EXCUSED.read_text("utf-8")).get(name, [])
    return [Survivor(entry["function"], entry["was"], entry["now"]) for entry in entries]


def as_entry(module: str, one: Survivor) -> str:
    """A survivor as it would stand in the file."""
    quoted = [f"{field} = '''\n{value}'''" for field, value in (("was", one.was), ("now", one.now))]
    return "\n".join([f"[[{module}]]", f'function = "{one.function}"', *quoted, 'why = ""\n'])


def main(names: Sequence[str]) -> None:
    if unknown := set(names) - MODULES.keys():
        sys.exit(f"no module {', '.join(unknown)} here; there are {', '.join(MODULES)}")
    wrong = False
    for name in names or MODULES:
        begun = time.perf_counter()
        result, known = mutate(name), excused(name)
        n, took = len(result.survivors), time.perf_counter() - begun
        score = f"{100 * (result.total - n) / result.total:.1f} %"
        print(
            f"{name}: {result.total - n} of {result.total} noticed, {score}, "
            f"{result.slow} of them by a test that did not end ({took:.0f} s)"
        )
        new = [one for one in result.survivors if one not in known]
        gone = [one for one in known if one not in result.survivors]
        print(*(as_entry(name, one) for one in new), sep="\n", end="")
        for one in gone:
            print(f"{EXCUSED.name}: noticed by now, take it out: {one.function}: {one.now}")
        wrong |= bool(new or gone)
    sys.exit(wrong)


if __name__ == "__main__":
    main(sys.argv[1:])
