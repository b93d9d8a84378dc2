"""Do the tests notice? `make test-the-tests` plants one fault at a time and runs the test it names.

Each row of `FAULTS` is a slip that somebody could make: what to replace where, and the test that
must go red. It is planted in a copy of the checkout, so nothing here is touched. Before that, the
tests must pass without it. `make test-the-tests NAME=normal-sync` plants one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import FAULTS
from tests.faults.planting import Edit

ROOT = Path(__file__).resolve().parent.parent.parent


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


def main(names: list[str]) -> None:
    chosen = [one for one in FAULTS if one.name in names] if names else FAULTS
    if unknown := set(names) - {one.name for one in chosen}:
        sys.exit(f"no fault {', '.join(unknown)}; there are {', '.join(f.name for f in FAULTS)}")
    missed = []
    with tempfile.TemporaryDirectory(prefix="readout-faults-") as name:
        folder = Path(name)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        for file in filter(None, files.stdout.split("\0")):
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, folder / file)
        whole = run(sorted({one.test for one in chosen}), folder)
        if whole.returncode != 0:
            sys.exit(f"the tests fail before anything is planted:\n{whole.stdout[-3000:]}")
        for one in chosen:
            begun = time.perf_counter()
            before = plant(one.edits, folder)
            done = run([one.test], folder)
            for path, text in before.items():
                path.write_text(text, "utf-8")
            caught = done.returncode == 1  # 1: a test failed; anything else: none was run
            missed += [] if caught else [one.name]
            took = time.perf_counter() - begun
            print(f"{'caught' if caught else 'MISSED'}  {one.name} ({took:.0f} s)", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted faults were caught")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main(sys.argv[1:])
