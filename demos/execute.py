"""Execute the notebooks whose results no longer belong to them, and keep what comes out.

    python -m demos.execute                 what changed
    python -m demos.execute --all           everything
    python -m demos.execute --check         everything again, compared with what is kept
    python -m demos.execute --check --rotate 2 --turn 7
                                            two of them, others at the next turn

Every notebook has a kernel of its own, and at most two run at a time. A result is stored as soon as
its notebook is done, so an interrupted run goes on where it stopped. A cell that fails ends the run
with its place and nothing stored.
"""

import argparse
import asyncio
import math
import os
import platform
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from demos import facts, notebooks
from demos.notebooks import DEMOS, EXECUTED, Notebook

PACKAGES = ("torch", "transformers", "transformer_lens")
CELL_TIMEOUT_S = 1800
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class CellFailed(Exception):
    """A cell raised; the message has script, line, cell and error."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        paths = _chosen(options.names, options.demos)
        _refuse_another_model(options.executed)
        if options.check:
            return _check(_turn(paths, options.rotate, options.turn), options)
        return _update(paths, options)
    except (ValueError, CellFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except PackageNotFoundError as error:
        print(f"{error.name} is not installed; `make demos` installs it", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; finished notebooks are stored.", file=sys.stderr)
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demos.execute", description="Execute notebooks and keep their results."
    )
    parser.add_argument("names", nargs="*", help="notebooks, such as 00_ioi; without any, all")
    parser.add_argument("--all", action="store_true", help="also those that did not change")
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    parser.add_argument("--rotate", type=int, metavar="N", help="with --check: only N of them")
    parser.add_argument("--turn", type=int, default=0, metavar="T", help="which N (default 0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="kernels at a time")
    parser.add_argument("--demos", type=Path, default=DEMOS, help=argparse.SUPPRESS)
    parser.add_argument("--executed", type=Path, default=EXECUTED, help="where results are kept")
    options = parser.parse_args(arguments)
    for name in ("rotate", "jobs"):
        if (number := getattr(options, name)) is not None and number < 1:
            parser.error(f"--{name} is 1 or more, not {number}")
    return options


def _chosen(names: Sequence[str], folder: Path) -> list[Path]:
    paths = notebooks.discover(folder)
    if not names:
        return paths
    known = {path.stem: path for path in paths}
    wanted = [Path(name).stem for name in names]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no notebook is named '{unknown[0]}'; there are {', '.join(known)}")
    return [known[name] for name in wanted]


def _turn(paths: list[Path], n: int | None, turn: int) -> list[Path]:
    """N consecutive notebooks of the ring; successive turns go once around it."""
    if n is None or n >= len(paths):
        return paths
    return [paths[(turn * n + offset) % len(paths)] for offset in range(n)]


def _refuse_another_model(executed: Path) -> None:
    from demos.models import MODEL_NAME

    name = os.environ.get("READOUT_MODEL") or MODEL_NAME
    if name != MODEL_NAME and executed == EXECUTED:
        raise ValueError(
            f"the committed results are those of {MODEL_NAME}; unset READOUT_MODEL, or keep the "
            f"results of {name} elsewhere with --executed FOLDER"
        )


def _update(paths: list[Path], options: argparse.Namespace) -> int:
    """Execute what needs it and fold edited prose into the rest."""
    environment = _environment()
    changed = []
    for path in paths:
        if options.all or notebooks.needs_execution(path, options.executed):
            changed.append(path)
        elif difference := _other_versions(path, options.executed, environment):
            warning = f"warning: {path.stem} was executed with {difference}; executing it again"
            print(warning, file=sys.stderr)
            changed.append(path)
        elif notebooks.refresh_prose(path, options.executed):
            print(f"{path.stem}: prose taken over")

    # Taken before they run: what is edited meanwhile will be seen as changed.
    keys = {path: notebooks.notebook_key(path) for path in changed}

    def store(path: Path, notebook: Notebook) -> None:
        sealed = notebooks.seal(notebook, keys[path], environment)
        notebooks.write(sealed, notebooks.executed_path(path, options.executed))

    _execute_all(changed, options.jobs, store)
    facts.read_facts(options.executed)  # refuses a name that two notebooks use
    print(f"notebooks executed: {len(changed)} of {len(paths)}")
    return 0


def _check(paths: list[Path], options: argparse.Namespace) -> int:
    """Execute again and compare with what is kept; 1 if anything differs."""
    if problems := notebooks.stale(paths, options.executed):
        print(*problems, sep="\n", file=sys.stderr)
        return 1

    differences: list[str] = []

    def compare(path: Path, notebook: Notebook) -> None:
        stored = notebooks.read_executed(notebooks.executed_path(path, options.executed))
        differences.extend(f"{path.stem}: {line}" for line in compare_results(stored, notebook))

    _execute_all(paths, options.jobs, compare)
    print(*sorted(differences), sep="\n", end="\n" if differences else "", file=sys.stderr)
    print(f"notebooks executed again: {len(paths)}, differences: {len(differences)}")
    return 1 if differences else 0


def compare_results(stored: Mapping[str, Any], fresh: Mapping[str, Any]) -> Iterator[str]:
    """How two results of the same notebook differ: in facts, beyond their tolerance, and in the
    kinds of output that each cell has."""
    old, new = facts.collect(stored), facts.collect(fresh)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name}: stored {old[name]['value']}, now not recorded"
        elif name not in old:
            yield f"{name}: not stored, now {new[name]['value']}"
        elif not _agree(old[name]["value"], new[name]["value"], old[name]["tolerance"]):
            values = f"stored {old[name]['value']}, now {new[name]['value']}"
            yield f"{name}: {values}, tolerance {old[name]['tolerance']:g}"

    if facts.loaded_model(stored) != facts.loaded_model(fresh):
        yield f"model: stored {facts.loaded_model(stored)}, now {facts.loaded_model(fresh)}"

    cells = zip(notebooks.code_cells(stored), notebooks.code_cells(fresh), strict=True)
    for number, (before, after) in enumerate(cells, start=1):
        if (kinds := _kinds(before)) != (now := _kinds(after)):
            yield f"cell {number}: stored outputs {_listed(kinds)}, now {_listed(now)}"


def _agree(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=0, abs_tol=tolerance)
    return type(old) is type(new) and old == new


def _kinds(cell: Mapping[str, Any]) -> Counter[str]:
    return Counter(
        output.get("name") or " + ".join(sorted(output.get("data", {}))) or output["output_type"]
        for output in cell["outputs"]
    )


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(sorted(kinds.elements())) or "none"


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _other_versions(path: Path, executed: Path, now: Mapping[str, Any]) -> str | None:
    """The packages that a result was made with in another version, such as 'torch 2.12.0'."""
    result = notebooks.read_executed(notebooks.executed_path(path, executed))
    then = result["metadata"]["readout"]["environment"]["packages"]

    def public(version: str) -> str:
        return version.partition("+")[0]  # 2.13.0+cpu and 2.13.0 are builds of the same source

    return ", ".join(
        f"{name} {old}"
        for name, old in then.items()
        if public(old) != public(now["packages"].get(name, "none"))
    )


def _execute_all(paths: Sequence[Path], jobs: int, done: Callable[[Path, Notebook], None]) -> None:
    """Execute notebooks, `jobs` at a time, and hand each over as soon as it is done.

    Raises CellFailed at the first cell that fails; those still running are given up.
    """
    if not paths:
        return
    from tqdm import tqdm

    scripts = {path: notebooks.read_script(path) for path in paths}
    n_cells = sum(len(notebooks.code_cells(notebook)) for notebook in scripts.values())
    threads = max(1, (os.cpu_count() or 1) // max(1, min(jobs, len(paths))))

    async def execute_one(path: Path, places: asyncio.Semaphore, bar: tqdm) -> None:
        async with places:
            bar.set_postfix_str(path.stem)
            notebook = await _execute(path, scripts[path], threads, bar.update)
            try:
                done(path, notebook)
            except facts.FactError as error:
                raise CellFailed(f"{notebooks.shown(path)}: {error}") from None

    async def execute_each() -> None:
        places = asyncio.Semaphore(jobs)
        with tqdm(total=n_cells, unit="cell", desc="Executing", file=sys.stderr) as bar:
            async with asyncio.TaskGroup() as group:
                for path in paths:
                    group.create_task(execute_one(path, places, bar))

    try:
        _run_interruptibly(execute_each())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _execute(
    path: Path, notebook: Notebook, threads: int, progress: Callable[[], object]
) -> Notebook:
    """The notebook with its outputs, less what differs from one run to the next."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    running = nbformat.from_dict(notebook)
    begun = []  # cell indices
    client = NotebookClient(
        running,
        kernel_name="python3",
        timeout=CELL_TIMEOUT_S,
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent.parent)}},
        on_cell_execute=lambda cell_index, **_: begun.append(cell_index),
        on_cell_executed=lambda **_: progress(),
    )
    # What a kernel itself writes (not its cells) is shown only if it dies.
    with tempfile.TemporaryDirectory() as profile, tempfile.TemporaryFile() as complaints:
        environment = _kernel_environment(profile, threads)
        try:
            await client.async_execute(env=environment, stderr=complaints)
        except CellExecutionError as error:
            what = f"{error.ename}: {error.evalue}".rstrip(": ")
            line = _line_in_cell(running["cells"][begun[-1]], error.traceback)
            raise CellFailed(_place(path, running, begun[-1], line) + what) from None
        except (CellTimeoutError, RuntimeError) as error:  # too long, or the kernel died
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").splitlines()
            last_words = [line for line in said if not line.startswith("[IPKernelApp] WARNING")]
            what = "\n".join([str(error).strip(), *last_words[-10:]])
            raise CellFailed(_place(path, running, begun[-1] if begun else 0, 1) + what) from None
    return _tidy(running)


def _kernel_environment(profile: str, threads: int) -> dict[str, str]:
    return os.environ | {
        "IPYTHONDIR": profile,  # nobody's start-up files or history
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "OMP_NUM_THREADS": str(threads),
        # A thread that waits for the next product gives its core away. Left to itself it spins,
        # which took seven times as long on a machine with other work.
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _tidy(notebook: Mapping[str, Any]) -> Notebook:
    """Without warnings, progress bars, timings and the kernel's own version."""
    tidy = notebooks.plain(notebook)
    tidy["metadata"] = dict(notebooks.KERNEL)
    for number, cell in enumerate(notebooks.code_cells(tidy), start=1):
        cell["metadata"].pop("execution", None)
        cell["outputs"] = [output for output in cell["outputs"] if _is_kept(output)]
        cell["execution_count"] = number
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = number
    return tidy


def _is_kept(output: Mapping[str, Any]) -> bool:
    if output["output_type"] == "stream":
        return output["name"] == "stdout"
    return "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def _place(path: Path, notebook: Mapping[str, Any], index: int, line_in_cell: int) -> str:
    """`demos/00_ioi.py:41: cell 7: `, with the line of the script and the number of code cells."""
    number = len(notebooks.code_cells({"cells": notebook["cells"][: index + 1]}))
    line = notebooks.first_lines(path)[number - 1] + line_in_cell - 1
    return f"{notebooks.shown(path)}:{line}: cell {number}: "


def _line_in_cell(cell: Mapping[str, Any], traceback: str) -> int:
    """The line of the cell itself, also where it called what failed."""
    place = rf"Cell In\[{cell['execution_count']}\], line (\d+)"
    found = re.search(place, ESCAPES.sub("", traceback))
    return int(found[1]) if found else 1


def _run_interruptibly(work: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run` in another thread, so that Ctrl-C cancels the work as a whole.

    In the main thread every nbclient takes the signal for itself and stops one kernel only.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        await work

    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(asyncio.run, run())
        try:
            running.result()
        except KeyboardInterrupt:
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
            raise


if __name__ == "__main__":
    sys.exit(main())
