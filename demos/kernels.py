"""Run notebooks in kernels of their own, and tidy what comes out."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from demos import facts, ledger, notebooks
from demos.notebooks import Notebook
from demos.seeds import SEED_VARIABLE

CELL_TIMEOUT_S = 1800
MEMORY_BYTES = 3 * 2**30  # that a notebook may take
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class CellFailed(Exception):
    """A cell raised; the message has script, line, cell and error.

    `failure` has the number of the cell, its code and the error, where a cell raised by itself; it
    is None where the kernel died, or the time was up.
    """

    def __init__(self, message: str, failure: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class Run(NamedTuple):
    """A notebook to execute; under READOUT_SEED of the environment, or under a seed given here."""

    path: Path
    seed: int | None = None


# Takes a run and its notebook; or, of a run with a seed, None and what failed in it.
Done = Callable[[Run, Notebook | None, dict[str, Any] | None], None]


def execute_all(runs: Sequence[Run], jobs: int, done: Done) -> None:
    """Execute notebooks, `jobs` at a time if memory allows, and hand each over when it is done.

    Raises CellFailed at the first cell that fails, unless its run has a seed: then it is an outcome
    like any other. Those still running are given up.
    """
    if not runs:
        return
    from tqdm import tqdm

    scripts = {run.path: notebooks.read_script(run.path) for run in runs}
    n_cells = sum(len(notebooks.code_cells(scripts[run.path])) for run in runs)
    jobs = max(1, min(jobs, len(runs), available_memory() // MEMORY_BYTES))
    threads = max(1, (os.cpu_count() or 1) // jobs)

    async def execute_one(run: Run, places: asyncio.Semaphore, bar: tqdm) -> None:
        async with places:
            bar.set_postfix_str(run.path.stem + ("" if run.seed is None else f", seed {run.seed}"))
            notebook, failure = None, None
            try:
                notebook = await execute(run, scripts[run.path], threads, bar.update)
            except CellFailed as error:
                if run.seed is None or error.failure is None:
                    raise
                failure = error.failure
            try:
                done(run, notebook, failure)
            except (facts.FactError, ledger.LedgerError) as error:
                raise CellFailed(f"{notebooks.shown(run.path)}: {error}") from None

    async def execute_each() -> None:
        places = asyncio.Semaphore(jobs)
        with tqdm(total=n_cells, unit="cell", desc="Executing", file=sys.stderr) as bar:
            async with asyncio.TaskGroup() as group:
                for run in runs:
                    group.create_task(execute_one(run, places, bar))

    try:
        _run_interruptibly(execute_each())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def available_memory() -> int:
    """Bytes that can be had without swapping, as Linux counts them; elsewhere all there are."""
    try:
        found = re.search(r"^MemAvailable: *(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


async def execute(
    run: Run, notebook: Notebook, threads: int, progress: Callable[[], object]
) -> Notebook:
    """The notebook with its outputs, less what differs from one run to the next."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    path, running = run.path, nbformat.from_dict(notebook)
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
        environment = _kernel_environment(profile, threads, run.seed)
        try:
            await client.async_execute(env=environment, stderr=complaints)
        except CellExecutionError as error:
            what = f"{error.ename}: {error.evalue}".rstrip(": ")
            cell = running["cells"][begun[-1]]
            line = _line_in_cell(cell, error.traceback)
            failure = {
                "cell": _number(running, begun[-1]),
                "code": cell["source"].lstrip("\n").split("\n")[line - 1].strip(),
                "error": what,
            }
            raise CellFailed(_place(path, running, begun[-1], line) + what, failure) from None
        except (CellTimeoutError, RuntimeError) as error:  # too long, or the kernel died
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").splitlines()
            last_words = [line for line in said if not line.startswith("[IPKernelApp] WARNING")]
            what = "\n".join([str(error).strip(), *last_words[-10:]])
            raise CellFailed(_place(path, running, begun[-1] if begun else 0, 1) + what) from None
    return _tidy(running)


def _kernel_environment(profile: str, threads: int, seed: int | None) -> dict[str, str]:
    seeded = {} if seed is None else {SEED_VARIABLE: str(seed)}
    return (
        os.environ
        | seeded
        | {
            "IPYTHONDIR": profile,  # nobody's start-up files or history
            "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
            "OMP_NUM_THREADS": str(threads),
            # A thread that waits for the next product gives its core away. Left to itself it spins,
            # which took seven times as long on a machine with other work.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
            "PYTHONHASHSEED": "0",
            "TOKENIZERS_PARALLELISM": "false",
        }
    )


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
    number = _number(notebook, index)
    line = notebooks.first_lines(path)[number - 1] + line_in_cell - 1
    return f"{notebooks.shown(path)}:{line}: cell {number}: "


def _number(notebook: Notebook, index: int) -> int:
    """Which code cell the cell with this index is, counted from 1."""
    return len(notebooks.code_cells({"cells": notebook["cells"][: index + 1]}))


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
