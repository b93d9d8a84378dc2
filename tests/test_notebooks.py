import subprocess
import sys
from pathlib import Path

import pytest

from demos import notebooks
from demos.facts import FACT_MIME

SCRIPT = """\
# %% [markdown]
# # What is asked
#
# Of heads.

# %%
from demos import heads

x = heads.count()

# %%

def later():
    from demos.late import y
    return y

# %% [markdown]
# Of x.

# %%
x
"""


@pytest.fixture
def demos(tmp_path):
    """A notebook that imports `heads`, which imports `layers`; and `late`, when it runs."""
    folder = tmp_path / "demos"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "heads.py").write_text("from .layers import n\n\ndef count():\n    return n\n")
    (folder / "layers.py").write_text("import math\nn = 3\n")
    (folder / "late.py").write_text("y = 1\n")
    (folder / "stranger.py").write_text("z = 1\n")
    (folder / "00_heads.py").write_text(SCRIPT)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("00_heads.py", "# Of heads.", "# Of attention heads."),
        ("00_heads.py", "# Of x.\n", "# Of x.\n\n# %% [markdown]\n# And more.\n"),
        ("stranger.py", "z = 1", "z = 2"),
    ],
)
def test_an_edit_of_what_is_not_run_keeps_the_key(demos, file, old, new):
    notebook = demos / "00_heads.py"
    before = notebooks.notebook_key(notebook)

    edit(demos / file, old, new)

    assert notebooks.notebook_key(notebook) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("00_heads.py", "x = heads", "x = 1 + heads"),
        ("00_heads.py", "\n# %%\nx\n", "\nx\n"),  # the same lines, in one cell less
        ("heads.py", "return n", "return n + 1"),
        ("layers.py", "n = 3", "n = 4"),
        ("late.py", "y = 1", "y = 2"),
        ("__init__.py", "", "n = 1\n"),
    ],
)
def test_an_edit_of_what_is_run_changes_the_key(demos, file, old, new):
    notebook = demos / "00_heads.py"
    before = notebooks.notebook_key(notebook)

    edit(demos / file, old, new)

    assert notebooks.notebook_key(notebook) != before


@pytest.mark.parametrize(
    "statement",
    [
        "import demos.toys.ring",
        "import demos.toys.ring as ring",
        "from demos.toys import ring",
        "from demos import toys",
    ],
)
def test_a_folder_of_modules_counts_as_a_whole(demos, statement):
    (demos / "toys").mkdir()
    (demos / "toys" / "__init__.py").touch()
    (demos / "toys" / "ring.py").write_text("from demos.stranger import z\n")
    edit(demos / "00_heads.py", "from demos import heads", f"from demos import heads\n{statement}")

    modules = notebooks.imported_modules(demos / "00_heads.py")

    names = [path.relative_to(demos).as_posix() for path in modules]
    assert sorted(names) == [
        "__init__.py",
        "heads.py",
        "late.py",
        "layers.py",
        "stranger.py",
        "toys/__init__.py",
        "toys/ring.py",
    ]


@pytest.mark.parametrize(
    ("namer", "file"), [("00_heads.py", "given.json"), ("layers.py", "other.txt")]
)
def test_a_data_file_that_the_code_names_belongs_to_the_key(demos, namer, file):
    (demos / "data").mkdir()
    for name in ("given.json", "other.txt"):
        (demos / "data" / name).write_text("1")
    old = {"00_heads.py": "x = heads", "layers.py": "n = 3"}[namer]
    edit(demos / namer, old, f'path = "data/{file}"\n{old}')
    keys = [notebooks.notebook_key(demos / "00_heads.py")]

    for name in ("given.json", "other.txt"):
        (demos / "data" / name).write_text("2")
        keys.append(notebooks.notebook_key(demos / "00_heads.py"))

    changed = {"given.json": keys[0] != keys[1], "other.txt": keys[1] != keys[2]}
    assert [name for name, was in changed.items() if was] == [file]


def test_a_notebook_draws_at_random_if_it_asks_for_a_seed(demos):
    path = demos / "00_heads.py"
    assert not notebooks.draws(path)

    edit(
        path,
        "from demos import heads",
        "from demos import heads\nfrom demos.seeds import base_seed",
    )
    assert notebooks.draws(path)


def test_only_numbered_scripts_are_notebooks(demos):
    (demos / "01_next.py").touch()
    assert [path.name for path in notebooks.discover(demos)] == ["00_heads.py", "01_next.py"]


def test_the_place_of_each_cell_in_its_script_is_known(demos):
    script = (demos / "00_heads.py").read_text().splitlines()

    lines = notebooks.first_lines(demos / "00_heads.py")

    # The last cell is the single letter x, which the prose before it has too.
    firsts = [script[line - 1] for line in lines]
    assert firsts == ["from demos import heads", "def later():", "x"]
    assert lines[-1] == len(script)


def run_by_hand(path, executed, value=3):
    """A result as execution would leave it: the last cell records a fact."""
    notebook = notebooks.read_script(path)
    for number, cell in enumerate(notebooks.code_cells(notebook), start=1):
        cell["execution_count"] = number
    fact = {"name": "n-heads", "value": value, "tolerance": 0}
    data = {"text/plain": f"n-heads = {value}\nand so on", FACT_MIME: fact}
    cell["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    sealed = notebooks.seal(notebook, notebooks.notebook_key(path), {"python": "3.11.7"})
    notebooks.write(sealed, notebooks.executed_path(path, executed))


def test_a_result_that_belongs_to_its_script_is_no_problem(demos, tmp_path):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)

    assert notebooks.stale([path], tmp_path) == []
    readout = notebooks.read_executed(tmp_path / "00_heads.ipynb")["metadata"]["readout"]
    assert len(readout.pop("outputs_sha256")) == 64
    assert readout == {
        "key": notebooks.notebook_key(path),
        "facts": {"n-heads": {"value": 3, "tolerance": 0}},
        "model": {"name": None, "sha256": None},
        "environment": {"python": "3.11.7"},
    }


def test_a_missing_result_is_a_problem(demos, tmp_path):
    path = demos / "00_heads.py"
    assert notebooks.stale([path], tmp_path) == [
        f"{path}: has never been executed; run `make demos`"
    ]


def test_changed_code_is_a_problem(demos, tmp_path):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)

    edit(demos / "layers.py", "n = 3", "n = 4")

    assert notebooks.stale([path], tmp_path) == [
        f"{path}: has changed since it was executed (its code, or a module that it imports); "
        "run `make demos`"
    ]


def test_changed_prose_is_taken_over_with_the_outputs_kept(demos, tmp_path):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)
    before = notebooks.read_executed(tmp_path / "00_heads.ipynb")

    edit(path, "# Of heads.", "# Of attention heads.")

    assert notebooks.stale([path], tmp_path) == [
        f"{path}: its prose changed; `make demos` takes it over, running nothing"
    ]
    assert notebooks.refresh_prose(path, tmp_path) is True
    assert notebooks.stale([path], tmp_path) == []
    after = notebooks.read_executed(tmp_path / "00_heads.ipynb")
    assert after["cells"][0]["source"] == "# What is asked\n\nOf attention heads."
    assert notebooks.code_cells(after) == notebooks.code_cells(before)
    assert after["metadata"] == before["metadata"]
    assert notebooks.refresh_prose(path, tmp_path) is False


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("n-heads = 3", "n-heads = 9", "has a result that was edited by hand"),
        ('"value": 3', '"value": 9', "has a result that was edited by hand"),
        ('"key"', '"kee"', "has an unreadable result"),
        ('"cells"', "cells", "has an unreadable result"),
    ],
)
def test_a_result_changed_by_hand_is_a_problem(demos, tmp_path, old, new, problem):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)
    result = tmp_path / "00_heads.ipynb"

    edit(result, old, new)

    assert notebooks.stale([path], tmp_path) == [f"{path}: {problem}, {result}; run `make demos`"]


def test_a_failed_cell_is_a_problem(demos, tmp_path):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)
    result = notebooks.read_executed(tmp_path / "00_heads.ipynb")
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'z'", "traceback": []}
    notebooks.code_cells(result)[0]["outputs"] = [error]
    notebooks.write(result, tmp_path / "00_heads.ipynb")

    assert notebooks.stale([path], tmp_path) == [
        f"{path}: has a cell that failed: KeyError: 'z'; run `make demos`"
    ]


def test_a_result_without_a_notebook_is_left_over(demos, tmp_path):
    path = demos / "00_heads.py"
    run_by_hand(path, tmp_path)

    assert notebooks.left_over([path], tmp_path) == []
    assert notebooks.left_over([], tmp_path) == [
        f"{tmp_path / '00_heads.ipynb'}: no notebook has this result any more; delete it"
    ]


def test_the_same_result_is_the_same_file(demos, tmp_path):
    path = demos / "00_heads.py"
    for folder in ("once", "again"):
        run_by_hand(path, tmp_path / folder)

    once, again = (tmp_path / folder / "00_heads.ipynb" for folder in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()


def test_a_result_is_a_valid_notebook(demos, tmp_path):
    import nbformat

    run_by_hand(demos / "00_heads.py", tmp_path)

    nbformat.validate(nbformat.read(tmp_path / "00_heads.ipynb", as_version=4))


def test_results_are_judged_without_torch():
    program = (
        "import sys; from demos import facts, models, notebooks; "
        "notebooks.stale(notebooks.discover()); "
        "print({'torch', 'transformers', 'nbclient', 'IPython'} & sys.modules.keys())"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
