"""Do the tests notice? `make test-the-tests` plants one fault at a time and runs the test it names.

Each row of `FAULTS` is a slip that somebody could make: what to replace where, and the test that
must go red. It is planted in a copy of the checkout, so nothing here is touched. Before that, the
tests must pass without it. `make test-the-tests NAME=normal-sync` plants one. What an interrupted
run has found is kept in `build`, and the next one goes on from there while no file has changed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.checkout import ROOT, copy
from tests.faults import FAULTS
from tests.faults.planting import Edit, Fault


def plant(edits: tuple[Edit, ...], folder: Path) -> dict[Path, str]:
    """Make the edits; returns the files as they were."""
    before: dict[Path, str] = {}
    for edit in edits:
        path = folder / edit.file
        text = path.read_text("utf-8")
        before.setdefault(path, text)
        if text.count(edit.old) != 1:
            sys.exit(f"tests/faults: {edit.old!r} stands {text.count(edit.old)} times in {path}")
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
    return before


def run(tests: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}  # before what is installed
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def copied(folder: Path) -> str:
    """Copy the checkout; returns a digest of it."""
    digest = hashlib.sha256()
    for file in copy(folder):
        digest.update(f"{file}\0".encode() + (folder / file).read_bytes())
    return digest.hexdigest()[:16]


def notices(one: Fault, folder: Path) -> bool:
    """Whether the test goes red; one that cannot be run has noticed nothing."""
    before = plant(one.edits, folder)
    done = run([one.test], folder)
    for path, text in before.items():
        path.write_text(text, "utf-8")
    if done.returncode not in (0, 1):  # 1: a test failed; anything else: none was run
        print(done.stdout[-1000:], done.stderr[-1000:])
    return done.returncode == 1


def keep(file: Path, *found: str) -> None:
    """The tests that pass as they should, and the faults that were caught."""
    with file.open("a") as kept:
        kept.writelines(f"{line}\n" for line in found)


def main(names: list[str]) -> None:
    chosen = [one for one in FAULTS if one.name in names] if names else FAULTS
    if unknown := set(names) - {one.name for one in chosen}:
        sys.exit(f"no fault {', '.join(unknown)}; there are {', '.join(f.name for f in FAULTS)}")
    missed = []
    with tempfile.TemporaryDirectory(prefix="readout-faults-") as name:
        folder = Path(name)
        kept = ROOT / "build" / f"faults-{copied(folder)}.txt"
        kept.parent.mkdir(exist_ok=True)
        known = set(kept.read_text().splitlines()) if kept.exists() else set()
        left = [one for one in chosen if one.name not in known]
        print(f"{len(chosen) - len(left)} were caught before; {len(left)} are planted", flush=True)
        if unsure := sorted({one.test for one in left} - known):
            whole = run(unsure, folder)
            if whole.returncode != 0:
                sys.exit(f"the tests fail before anything is planted:\n{whole.stdout[-3000:]}")
            keep(kept, *unsure)
        for one in left:
            begun = time.perf_counter()
            if is_caught := notices(one, folder):
                keep(kept, one.name)
            else:
                missed.append(one.name)
            took = time.perf_counter() - begun
            print(f"{'caught' if is_caught else 'MISSED'}  {one.name} ({took:.0f} s)", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted faults were caught")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main(sys.argv[1:])
