import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demos import compare, execute, kernels, notebooks
from demos.facts import FACT_MIME, MODEL_MIME
from demos.ledger import LEDGER_MIME

ROOT = Path(__file__).parent.parent
MEASURES = """\
# %% [markdown]
# # How much?

# %%
import sys
import warnings
from pathlib import Path

from demos import facts

warnings.warn("a warning")
print("to the log", file=sys.stderr)
print("measured")

# %%
half = float(Path("half.txt").read_text())
facts.record("one-half", half, 0.01, n=3)

# %%
import os

[os.environ[name] for name in ("HF_HUB_OFFLINE", "PYTHONHASHSEED", "TOKENIZERS_PARALLELISM")]
"""
# Two claims: under seed 2 the second comes out otherwise, and under seed 3 a cell fails.
DRAWS = """\
# %% [markdown]
# # Is it luck?

# %%
from demos import facts
from demos.ledger import Claim, ledger, verdict
from demos.seeds import base_seed

seed = base_seed()
facts.record("seed-drawn", 0.5 + seed / 10, 0.01, seed=seed)
facts.record("seed-hidden", seed, sealed=True)

# %%
assert seed != 3, "three"

# %%
given = {"source": "us", "found": str(seed), "control": "none", "limits": "all"}
ledger(
    Claim(says="one", verdict=verdict(True), **given),
    Claim(says="two", verdict=verdict(seed != 2), **given),
)
"""
FAILS = """\
# %% [markdown]
# # Does it?

# %%
x = 1

# %%


def claim():
    assert x == 2, "x is 1"


claim()
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with one notebook, which measures what `half.txt` says."""
    for name in ("READOUT_MODEL", "READOUT_SEED"):
        monkeypatch.delenv(name, raising=False)
    demos = tmp_path / "demos"
    demos.mkdir()
    (demos / "__init__.py").touch()
    for module in ("facts.py", "ledger.py", "seeds.py"):
        shutil.copy(ROOT / "demos" / module, demos)
    (demos / "00_measures.py").write_text(MEASURES)
    (tmp_path / "half.txt").write_text("0.5")
    return tmp_path


def run(project, *arguments):
    places = ["--demos", str(project / "demos"), "--executed", str(project / "executed")]
    return execute.main([*arguments, *places])


def result_of(project, name="00_measures"):
    return project / "executed" / f"{name}.ipynb"


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def executed(project):
    assert run(project) == 0
    return project


@pytest.fixture
def nothing_runs(monkeypatch):
    async def refuse(run, *_):
        raise AssertionError(f"{run.path.name} was executed")

    monkeypatch.setattr(kernels, "execute", refuse)


def test_a_result_keeps_what_is_the_same_in_every_run(executed):
    notebook = notebooks.read_executed(result_of(executed))

    log, fact, environment = [cell["outputs"] for cell in notebooks.code_cells(notebook)]
    assert log == [{"output_type": "stream", "name": "stdout", "text": "measured\n"}]
    # Shown once, though the cell also ends with the fact.
    assert [output["data"]["text/plain"] for output in fact] == ["one-half = 0.500 ± 0.01 (n = 3)"]
    assert [output["data"]["text/plain"] for output in environment] == ["['1', '0', 'false']"]
    readout = notebook["metadata"]["readout"]
    assert readout["facts"]["one-half"]["value"] == 0.5
    assert readout["environment"]["packages"].keys() == set(execute.PACKAGES)

    before = result_of(executed).read_bytes()
    assert run(executed, "--all") == 0
    assert result_of(executed).read_bytes() == before


def test_what_has_not_changed_is_not_executed(executed, nothing_runs, capsys):
    assert run(executed) == 0
    assert capsys.readouterr().out == "notebooks executed: 0 of 1\n"


def test_edited_prose_is_taken_over_and_nothing_runs(executed, nothing_runs, capsys):
    edit(executed / "demos" / "00_measures.py", "How much?", "How little?")

    assert run(executed) == 0

    assert capsys.readouterr().out == "00_measures: prose taken over\nnotebooks executed: 0 of 1\n"
    assert "How little?" in result_of(executed).read_text()


def test_another_version_of_a_package_is_a_reason_to_execute(executed, capsys):
    before = result_of(executed).read_bytes()
    result = notebooks.read_executed(result_of(executed))
    result["metadata"]["readout"]["environment"]["packages"]["torch"] = "1.0.0"
    notebooks.write(result, result_of(executed))

    assert run(executed) == 0

    said = capsys.readouterr()
    warning = "warning: 00_measures was executed with torch 1.0.0; executing it again\n"
    assert said.err.startswith(warning)
    assert said.out.endswith("notebooks executed: 1 of 1\n")
    assert result_of(executed).read_bytes() == before


def test_another_build_of_the_same_version_is_not(executed, nothing_runs):
    result = notebooks.read_executed(result_of(executed))
    packages = result["metadata"]["readout"]["environment"]["packages"]
    packages["torch"] = packages["torch"].partition("+")[0] + "+other"
    notebooks.write(result, result_of(executed))

    assert run(executed) == 0


def test_a_failing_cell_ends_the_run_and_is_named(project, capsys):
    failing = project / "demos" / "01_fails.py"
    failing.write_text(FAILS)

    assert run(project, "--jobs", "1") == 1

    line = FAILS.splitlines().index("claim()") + 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"{failing}:{line}: cell 2: AssertionError: x is 1"
    # The one that was done before is kept, and of the other there is nothing.
    assert list((project / "executed").iterdir()) == [result_of(project)]


def test_a_kernel_that_dies_is_named(project, capsys):
    (project / "demos" / "00_measures.py").write_text("# %%\nimport os\n\nos._exit(1)\n")

    assert run(project) == 1

    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"{project}/demos/00_measures.py:2: cell 1: Kernel died"


def test_a_fact_recorded_twice_is_refused(project, capsys):
    path = project / "demos" / "00_measures.py"
    path.write_text('# %%\nfrom demos import facts\n\nfacts.record("a", 1)\nfacts.record("a", 2)\n')

    assert run(project) == 1

    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"{path}: fact 'a' is recorded twice; give each its own name"
    assert not result_of(project).exists()


@pytest.mark.parametrize(("half", "agrees"), [("0.509", True), ("0.511", False)])
def test_a_check_compares_facts_within_their_tolerance(executed, capsys, half, agrees):
    before = result_of(executed).read_bytes()
    (executed / "half.txt").write_text(half)

    assert run(executed, "--check") == (0 if agrees else 1)

    difference = f"00_measures: one-half: stored 0.5, now {half}, tolerance 0.01\n"
    said = capsys.readouterr()
    assert said.err.endswith(difference) is not agrees
    assert said.out.endswith(f"notebooks executed again: 1, differences: {0 if agrees else 1}\n")
    assert result_of(executed).read_bytes() == before


def test_a_check_needs_a_result_that_belongs_to_the_code(executed, nothing_runs, capsys):
    path = executed / "demos" / "00_measures.py"
    edit(path, "n=3", "n=4")

    assert run(executed, "--check") == 1

    assert capsys.readouterr().err == (
        f"{path}: has changed since it was executed (its code, or a module that it imports); "
        "run `make demos`\n"
    )


def result(*outputs_of_each_cell):
    return {"cells": [{"cell_type": "code", "outputs": list(o)} for o in outputs_of_each_cell]}


def shown(mime, data):
    return {"output_type": "display_data", "data": {mime: data}, "metadata": {}}


def fact(name, value, tolerance=0):
    return shown(FACT_MIME, {"name": name, "value": value, "tolerance": tolerance})


def test_every_difference_between_two_results_is_listed():
    printed = {"output_type": "stream", "name": "stdout", "text": "0.1"}
    figure = shown("text/html", "<svg/>")
    stored = result(
        [fact("accuracy", 0.96, 0.02), fact("gone", 1)],
        [fact("best-head", [17, 3])],
        [printed, figure],
        [shown(MODEL_MIME, {"name": "SmolLM2", "sha256": "a"})],
    )
    fresh = result(
        [fact("accuracy", 0.9, 0.02), fact("new", 1)],
        [fact("best-head", [17, 4])],
        [printed | {"text": "0.2"}],
        [shown(MODEL_MIME, {"name": "SmolLM2", "sha256": "b"})],
    )

    assert list(compare.compare_results(stored, stored)) == []
    assert list(compare.compare_results(stored, fresh)) == [
        "accuracy: stored 0.96, now 0.9, tolerance 0.02",
        "best-head: stored [17, 3], now [17, 4], tolerance 0",
        "gone: stored 1, now not recorded",
        "new: not stored, now 1",
        "model: stored {'name': 'SmolLM2', 'sha256': 'a'}, now {'name': 'SmolLM2', 'sha256': 'b'}",
        "cell 3: stored outputs stdout, text/html, now stdout",
    ]


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "agree"),
    [
        (0.5, 0.5, 0, True),
        (0.5, 0.5000001, 0, False),
        (-4.0, 4.0, 0.1, False),
        (1, True, 0, False),  # a count is no truth value
        (3, 3.0, 0, False),
        ("L1H2", "L1H2", 0, True),
        ([1, 2], [2, 1], 0, False),
    ],
)
def test_values_agree_within_their_tolerance_and_kind(old, new, tolerance, agree):
    stored, fresh = result([fact("a", old, tolerance)]), result([fact("a", new, tolerance)])
    assert (list(compare.compare_results(stored, fresh)) == []) is agree


@pytest.mark.parametrize(("total", "n"), [(7, 2), (6, 3), (5, 4), (3, 1)])
def test_the_rotation_reaches_every_notebook_equally_often(total, n):
    paths = [Path(f"{number:02d}_x.py") for number in range(total)]

    turns = [execute._turn(paths, n, turn) for turn in range(total)]

    assert all(len(set(chosen)) == n for chosen in turns)
    reached = [path for chosen in turns for path in chosen]
    assert {reached.count(path) for path in paths} == {n}


def test_a_rotation_wider_than_the_shelf_takes_all():
    paths = [Path("00_x.py"), Path("01_y.py")]
    assert execute._turn(paths, 3, 5) == paths


def test_an_unknown_notebook_is_refused_with_those_there_are(project, capsys):
    assert run(project, "00_measure") == 1
    assert capsys.readouterr().err == ("no notebook is named '00_measure'; there are 00_measures\n")


def test_results_of_another_model_are_not_mixed_with_the_committed(monkeypatch, capsys):
    monkeypatch.setenv("READOUT_MODEL", "gpt2")

    assert execute.main([]) == 1

    assert capsys.readouterr().err == (
        "the committed results are those of SmolLM2-135M-Instruct; unset READOUT_MODEL, "
        "or keep the results of gpt2 elsewhere with --executed FOLDER\n"
    )


def draw(project):
    (project / "demos" / "00_measures.py").unlink()
    (project / "demos" / "01_draws.py").write_text(DRAWS)
    return run(project, "--seeds")


@pytest.fixture
def drawn(project):
    """A notebook that has been executed, also under the other seeds."""
    assert draw(project) == 0
    return project


def outcomes(project):
    result = notebooks.read_executed(result_of(project, "01_draws"))
    return notebooks.seed_outcomes(result)


def test_what_comes_out_under_other_seeds_is_kept(project, capsys):
    assert draw(project) == 0

    assert outcomes(project) == {
        "1": {"failed": None, "verdicts": ["reproduced"] * 2, "facts": {"seed-drawn": 0.6}},
        "2": {"failed": None, "verdicts": ["reproduced", "not"], "facts": {"seed-drawn": 0.7}},
        "3": {
            "failed": {
                "cell": 2,
                "code": 'assert seed != 3, "three"',
                "error": "AssertionError: three",
            },
            "verdicts": [],
            "facts": {},
        },
    }
    said = capsys.readouterr()
    assert said.out.endswith("executed under other seeds: 3, failed: 1\n")
    assert said.err.endswith(
        '01_draws under seed 3: cell 2: assert seed != 3, "three": AssertionError: three\n'
    )
    assert notebooks.stale([project / "demos" / "01_draws.py"], project / "executed") == []
    result = notebooks.read_executed(result_of(project, "01_draws"))
    assert notebooks.facts.collect(result)["seed-drawn"]["value"] == 0.5


def test_seeds_that_were_tried_are_not_tried_again(drawn, nothing_runs, capsys):
    assert run(drawn, "--seeds") == 0
    assert capsys.readouterr().out.endswith("executed under other seeds: 0, failed: 0\n")


def test_a_check_compares_what_came_out_under_each_seed(drawn, capsys):
    assert run(drawn, "--check", "--seeds") == 0
    assert capsys.readouterr().out.endswith("notebooks executed again: 4, differences: 0\n")

    path, key = result_of(drawn, "01_draws"), notebooks.notebook_key(drawn / "demos/01_draws.py")
    moved = {"failed": None, "verdicts": ["reproduced"] * 2, "facts": {"seed-drawn": 0.62}}
    for seed in (1, 3):
        notebooks.keep_outcome(path, key, seed, moved)

    assert run(drawn, "--check", "--seeds") == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "01_draws under seed 1: seed-drawn: stored 0.62, now 0.6, tolerance 0.01",
        "01_draws under seed 3: stored held, now failed in cell 2: AssertionError: three",
    ]


def test_changed_code_forgets_what_came_out_under_other_seeds(drawn, capsys):
    edit(drawn / "demos" / "01_draws.py", "seed / 10", "seed / 20")
    assert run(drawn) == 0
    assert outcomes(drawn) == {}
    capsys.readouterr()

    assert run(drawn, "--check", "--seeds") == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        f"01_draws: never executed under seed {n}; run `make demos SEEDS=1`" for n in (1, 2, 3)
    ]


def test_a_notebook_that_draws_nothing_is_tried_under_no_other_seed(executed, nothing_runs, capsys):
    assert run(executed, "--seeds") == 0
    assert capsys.readouterr().out.endswith("executed under other seeds: 0, failed: 0\n")


def test_an_outcome_changed_by_hand_is_noticed(drawn):
    edit(result_of(drawn, "01_draws"), '"seed-drawn": 0.6', '"seed-drawn": 0.65')

    problems = notebooks.stale([drawn / "demos" / "01_draws.py"], drawn / "executed")
    assert "has a result that was edited by hand" in problems[0]


def test_results_of_another_seed_are_not_mixed_with_the_committed(monkeypatch, capsys):
    monkeypatch.delenv("READOUT_MODEL", raising=False)
    monkeypatch.setenv("READOUT_SEED", "2")

    assert execute.main([]) == 1

    assert capsys.readouterr().err == (
        "the committed results are those of seed 0; unset READOUT_SEED, or keep the results of "
        "seed 2 elsewhere with --executed FOLDER\n"
    )


def test_another_verdict_is_a_difference():
    def judged(verdict):
        claim = {"says": "It copies", "verdict": verdict}
        return result([shown(LEDGER_MIME, {"claims": [claim]})])

    assert list(compare.compare_results(judged("not"), judged("not"))) == []
    assert list(compare.compare_results(judged("reproduced"), judged("partly"))) == [
        "claim 'It copies': stored reproduced, now partly"
    ]


def test_memory_allows_at_least_one_notebook_at_a_time(project, monkeypatch):
    assert kernels.available_memory() > 2**28
    monkeypatch.setattr(kernels, "available_memory", lambda: 1)
    assert run(project) == 0


def test_an_interrupted_run_keeps_what_was_done_and_leaves_no_kernel(project):
    waiting = (
        'from pathlib import Path\nimport os, time\nPath("pid").write_text(str(os.getpid()))\n'
    )
    (project / "demos" / "01_waits.py").write_text(f"# %%\n{waiting}time.sleep(600)\n")
    places = ["--demos", str(project / "demos"), "--executed", str(project / "executed")]
    running = subprocess.Popen(
        [sys.executable, "-m", "demos.execute", "--jobs", "1", *places],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # Where a shell runs the tests in the background, a child would inherit deafness to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not (project / "pid").exists() or not (project / "pid").read_text():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.1)

    running.send_signal(signal.SIGINT)
    _, said = running.communicate()

    assert running.returncode == 130
    assert said.endswith("Interrupted; finished notebooks are stored.\n")
    assert list((project / "executed").iterdir()) == [result_of(project)]
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


def test_finding_nothing_to_do_imports_neither_torch_nor_a_kernel_client(executed):
    places = ["--demos", str(executed / "demos"), "--executed", str(executed / "executed")]
    program = (
        "import json, sys; from demos import execute; "
        f"code = execute.main({places!r}); "
        "heavy = {'torch', 'transformers', 'nbclient'} & sys.modules.keys(); "
        "print(json.dumps([code, sorted(heavy)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
