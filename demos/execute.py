"""Execute the notebooks whose results no longer belong to them, and keep what comes out.

    python -m demos.execute                 what changed
    python -m demos.execute --all           everything
    python -m demos.execute --seeds         and under the other seeds, what was not yet
    python -m demos.execute --check         everything again, compared with what is kept
    python -m demos.execute --check --seeds the same, also under the other seeds
    python -m demos.execute --check --rotate 2 --turn 7
                                            two of them, others at the next turn

Every notebook has a kernel of its own, and at most two run at a time. A result is stored as soon as
its notebook is done, so an interrupted run goes on where it stopped. A cell that fails ends the run
with its place and nothing stored; under another seed it is an outcome, and is stored as such.
"""

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from demos import facts, kernels, notebooks
from demos.compare import compare_outcomes, compare_results
from demos.kernels import CellFailed, Run
from demos.notebooks import DEMOS, EXECUTED, SEEDS, Notebook
from demos.seeds import base_seed

PACKAGES = ("torch", "transformers", "transformer_lens")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        paths = _chosen(options.names, options.demos)
        _refuse_other_conditions(options.executed)
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
    listed = ", ".join(map(str, SEEDS))
    parser.add_argument("--seeds", action="store_true", help=f"also under the seeds {listed}")
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


def _refuse_other_conditions(executed: Path) -> None:
    """The committed results are those of one model and of seed 0, whatever the environment says."""
    from demos.models import MODEL_NAME

    name = os.environ.get("READOUT_MODEL") or MODEL_NAME
    if executed == EXECUTED and name != MODEL_NAME:
        raise ValueError(
            f"the committed results are those of {MODEL_NAME}; unset READOUT_MODEL, or keep the "
            f"results of {name} elsewhere with --executed FOLDER"
        )
    if executed == EXECUTED and base_seed() != 0:
        raise ValueError(
            "the committed results are those of seed 0; unset READOUT_SEED, or keep the results of "
            f"seed {base_seed()} elsewhere with --executed FOLDER"
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
    keys = {path: notebooks.notebook_key(path) for path in paths}

    def store(run: Run, notebook: Notebook | None, _: object) -> None:
        assert notebook is not None
        sealed = notebooks.seal(notebook, keys[run.path], environment)
        notebooks.write(sealed, notebooks.executed_path(run.path, options.executed))

    kernels.execute_all([Run(path) for path in changed], options.jobs, store)
    facts.read_facts(options.executed)  # refuses a name that two notebooks use
    print(f"notebooks executed: {len(changed)} of {len(paths)}")
    if options.seeds:
        _update_seeds(paths, keys, options)
    return 0


def _update_seeds(paths: list[Path], keys: Mapping[Path, str], options: argparse.Namespace) -> None:
    """Execute under the seeds that have not been tried since the code last changed."""
    runs = [
        Run(path, seed)
        for path in paths
        if notebooks.draws(path)
        for seed in SEEDS
        if options.all or str(seed) not in notebooks.seed_outcomes(_stored(path, options))
    ]
    failed = []

    def store(run: Run, notebook: Notebook | None, failure: dict[str, Any] | None) -> None:
        assert run.seed is not None
        result = notebooks.executed_path(run.path, options.executed)
        kept = notebooks.outcome(notebook, failure)
        notebooks.keep_outcome(result, keys[run.path], run.seed, kept)
        if failure:
            failed.append(
                f"{run.path.stem} under seed {run.seed}: cell {failure['cell']}: "
                f"{failure['code']}: {failure['error']}"
            )

    kernels.execute_all(runs, options.jobs, store)
    print(*sorted(failed), sep="\n", end="\n" if failed else "", file=sys.stderr)
    print(f"executed under other seeds: {len(runs)}, failed: {len(failed)}")


def _check(paths: list[Path], options: argparse.Namespace) -> int:
    """Execute again and compare with what is kept; 1 if anything differs."""
    if problems := notebooks.stale(paths, options.executed):
        print(*problems, sep="\n", file=sys.stderr)
        return 1

    runs, differences = [Run(path) for path in paths], []
    for path in paths if options.seeds else ():
        if notebooks.draws(path):
            tried = notebooks.seed_outcomes(_stored(path, options))
            runs += [Run(path, seed) for seed in SEEDS if str(seed) in tried]
            differences += [
                f"{path.stem}: never executed under seed {seed}; run `make demos SEEDS=1`"
                for seed in SEEDS
                if str(seed) not in tried
            ]

    def compare(run: Run, notebook: Notebook | None, failure: dict[str, Any] | None) -> None:
        stored = _stored(run.path, options)
        if run.seed is None:
            assert notebook is not None
            differences.extend(
                f"{run.path.stem}: {line}" for line in compare_results(stored, notebook)
            )
            return
        tolerances = {name: fact["tolerance"] for name, fact in facts.collect(stored).items()}
        then = notebooks.seed_outcomes(stored)[str(run.seed)]
        lines = compare_outcomes(then, notebooks.outcome(notebook, failure), tolerances)
        differences.extend(f"{run.path.stem} under seed {run.seed}: {line}" for line in lines)

    kernels.execute_all(runs, options.jobs, compare)
    print(*sorted(differences), sep="\n", end="\n" if differences else "", file=sys.stderr)
    print(f"notebooks executed again: {len(runs)}, differences: {len(differences)}")
    return 1 if differences else 0


def _stored(path: Path, options: argparse.Namespace) -> Notebook:
    return notebooks.read_executed(notebooks.executed_path(path, options.executed))


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


if __name__ == "__main__":
    sys.exit(main())
