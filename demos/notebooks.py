"""Notebooks and their committed results, without running anything.

A notebook is a percent script, `demos/00_ioi.py`. Its result is `demos/executed/00_ioi.ipynb`: the
same cells with their outputs, the facts they recorded, and a key that says which code was run. Here
is what decides whether a result still belongs to its script. The site is built with this module
alone, so it imports neither torch nor a kernel.
"""

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from demos import facts, ledger

DEMOS = Path(__file__).resolve().parent
EXECUTED = DEMOS / "executed"
SEEDS = (1, 2, 3)  # under which a notebook's conclusions are tried, besides 0
Notebook = dict[str, Any]

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    # Without a language the code fences of a converted page have no highlighting.
    "language_info": {
        "name": "python",
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "pygments_lexer": "ipython3",
    },
}


def discover(folder: Path = DEMOS) -> list[Path]:
    """The notebooks of a folder, in reading order."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def read_script(path: Path) -> Notebook:
    """A percent script as a notebook without outputs.

    Cells are named by their place, and nothing is kept that depends on jupytext's version, so the
    same script always gives the same notebook.
    """
    import jupytext

    notebook = jupytext.read(path, fmt="py:percent")
    for index, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{index:02d}"
        for layout in ("lines_to_next_cell", "lines_to_end_of_cell_marker"):
            cell["metadata"].pop(layout, None)
    notebook["metadata"] = dict(KERNEL)
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return plain(notebook)


def plain(notebook: Mapping[str, Any]) -> Notebook:
    """A notebook of dicts and lists only, whatever class it was parsed into."""
    return json.loads(json.dumps(notebook))


def first_lines(path: Path) -> list[int]:
    """The line of the script at which each code cell's first statement begins, counted from 1.

    A kernel counts from there too: it drops empty lines at the top of a cell.
    """
    text = path.read_text("utf-8")
    lines, searched = [], 0
    for cell in code_cells(read_script(path)):
        # Whole lines, so that a word of the prose is not taken for a cell.
        source = re.escape(cell["source"].lstrip("\n"))
        found = re.compile(rf"^{source}$", re.MULTILINE).search(text, searched)
        start, searched = found.span() if found else (searched, searched)
        lines.append(text.count("\n", 0, start) + 1)
    return lines


def code_cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def notebook_key(path: Path) -> str:
    """SHA-256 of all that decides what a notebook computes.

    That is the source of its code cells, the bytes of the `demos` modules beside it that they
    import, directly or through one another, and the files of `demos/data` that any of these name.
    The model is among them: its hash is in `models.py`.
    """
    sources = [cell["source"].strip() for cell in code_cells(read_script(path))]
    modules = imported_modules(path)
    code = [*sources, *(module.read_text("utf-8") for module in modules)]
    files = {
        file.relative_to(path.parent).as_posix(): _file_sha256(file)
        for file in [*modules, *named_data(path.parent / "data", code)]
    }
    return _sha256(json.dumps([sources, files], sort_keys=True))


def named_data(folder: Path, code: Iterable[str]) -> list[Path]:
    """The files of a folder whose names stand in the code."""
    text = "\n".join(code)
    return sorted(file for file in folder.glob("*") if file.is_file() and file.name in text)


def imported_modules(path: Path) -> list[Path]:
    """The files of the `demos` package that a script needs, wherever in it they are imported."""
    package = path.parent
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for name in _imported_names(waiting.pop()):
            modules = {package / f"{name}.py", *(package / name).rglob("*.py")}
            for module in modules - found:
                if module.is_file():
                    found.add(module)
                    waiting.append(module)
    return sorted(found)


def executed_path(path: Path, executed: Path = EXECUTED) -> Path:
    return executed / f"{path.stem}.ipynb"


def read_executed(path: Path) -> Notebook:
    from nbformat.v4 import rwbase

    return plain(rwbase.rejoin_lines(_nodes(json.loads(path.read_text("utf-8")))))


def seal(notebook: Notebook, key: str, environment: Mapping[str, Any]) -> Notebook:
    """Write into an executed notebook what it rests on and which facts it recorded."""
    ledger.collect(notebook)  # refuses two ledgers
    notebook["metadata"]["readout"] = {
        "key": key,
        "facts": facts.collect(notebook),
        "model": facts.loaded_model(notebook),
        "environment": dict(environment),
    }
    notebook["metadata"]["readout"]["outputs_sha256"] = _outputs_sha256(notebook)
    return notebook


def draws(path: Path) -> bool:
    """Whether a notebook depends on a seed: whether it asks for one itself."""
    return "seeds" in _imported_names(path)


def seed_outcomes(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """How a notebook came out under other seeds, by seed; empty if it has not been tried.

    An outcome has "failed" (None, or the cell, its code and the error), the "verdicts" of the
    ledger in order and the values of the "facts", without the sealed.
    """
    return dict(notebook["metadata"]["readout"].get("seeds", {}))


def outcome(
    notebook: Mapping[str, Any] | None, failed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept of an execution under another seed; of one that failed, only where and why."""
    recorded = facts.collect(notebook) if notebook else {}
    return {
        "failed": dict(failed) if failed else None,
        "verdicts": [claim["verdict"] for claim in ledger.collect(notebook)] if notebook else [],
        "facts": {name: fact["value"] for name, fact in recorded.items() if not fact.get("sealed")},
    }


def keep_outcome(result: Path, key: str, seed: int, kept: Mapping[str, Any]) -> None:
    """Store an outcome in the result that has this key; one of other code is left alone."""
    notebook = read_executed(result)
    readout = notebook["metadata"]["readout"]
    if readout["key"] == key:
        readout["seeds"] = seed_outcomes(notebook) | {str(seed): dict(kept)}
        readout["outputs_sha256"] = _outputs_sha256(notebook)
        write(notebook, result)


def attach_outputs(notebook: Notebook, executed: Mapping[str, Any]) -> Notebook:
    """The notebook with the outputs of a result that ran the same code cells."""
    for cell, run in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell["outputs"] = run["outputs"]
        cell["execution_count"] = run["execution_count"]
    notebook["metadata"]["readout"] = executed["metadata"]["readout"]
    return notebook


def stale(paths: Iterable[Path], executed: Path = EXECUTED) -> list[str]:
    """What keeps the results of these notebooks from being shown, one sentence for each problem."""
    return [problem for path in paths for problem in _problems(path, executed)]


def left_over(paths: Iterable[Path], executed: Path = EXECUTED) -> list[str]:
    """Results whose notebook is gone, one sentence each."""
    expected = {executed_path(path, executed) for path in paths}
    orphans = sorted(set(executed.glob("*.ipynb")) - expected)
    return [f"{shown(path)}: no notebook has this result any more; delete it" for path in orphans]


def needs_execution(path: Path, executed: Path = EXECUTED) -> str | None:
    """Why a notebook has to be run before its result can be shown; None if it has not."""
    result = executed_path(path, executed)
    if not result.is_file():
        return "has never been executed"
    try:
        notebook = read_executed(result)
        readout = notebook["metadata"]["readout"]
        key, recorded, outputs = readout["key"], readout["facts"], readout["outputs_sha256"]
    except (ValueError, KeyError, TypeError):
        return f"has an unreadable result, {shown(result)}"
    if key != notebook_key(path):
        return "has changed since it was executed (its code, or a module that it imports)"
    for cell in code_cells(notebook):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return f"has a cell that failed: {output['ename']}: {output['evalue']}"
    if outputs != _outputs_sha256(notebook) or recorded != facts.collect(notebook):
        return f"has a result that was edited by hand, {shown(result)}"
    return None


def refresh_prose(path: Path, executed: Path = EXECUTED) -> bool:
    """Take over edited prose into a result whose code is unchanged; True if it was written."""
    result = executed_path(path, executed)
    stored = read_executed(result)
    fresh = attach_outputs(read_script(path), stored)
    if fresh == stored:
        return False
    write(fresh, result)
    return True


def write(notebook: Mapping[str, Any], path: Path) -> None:
    """Replace a file by a notebook, at once; equal notebooks give equal bytes.

    Long texts are stored line by line, as every notebook has them, so that changes read well.
    """
    from nbformat.v4 import rwbase

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    by_line = rwbase.split_lines(_nodes(notebook))
    text = json.dumps(by_line, indent=1, sort_keys=True, ensure_ascii=False)
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _nodes(notebook: Mapping[str, Any]) -> Any:
    """A copy in nbformat's own class, which its functions expect and change."""
    from nbformat import from_dict

    return from_dict(plain(notebook))


def _problems(path: Path, executed: Path) -> list[str]:
    if reason := needs_execution(path, executed):
        return [f"{shown(path)}: {reason}; run `make demos`"]
    stored = read_executed(executed_path(path, executed))
    if attach_outputs(read_script(path), stored) != stored:
        return [f"{shown(path)}: its prose changed; `make demos` takes it over, running nothing"]
    return []


def _imported_names(path: Path) -> set[str]:
    """Names of `demos` modules that a file may import (also names of things inside them)."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"), path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["demos" if node.level else "", node.module or ""]))
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return {found[1] for found in parts if found[0] == "demos" and len(found) > 1} | {"__init__"}


def _outputs_sha256(notebook: Mapping[str, Any]) -> str:
    """Of all outputs, and of the outcomes under other seeds where there are any."""
    outputs = [cell["outputs"] for cell in code_cells(notebook)]
    seeds = seed_outcomes(notebook)
    return _sha256(json.dumps([outputs, seeds] if seeds else outputs, sort_keys=True))


def _file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def shown(path: Path) -> str:
    """A path as people write it, from the folder that holds `demos`."""
    root = DEMOS.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
