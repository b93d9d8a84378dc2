"""A copy of the checkout for what changes it: planted faults, and mutants."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy(folder: Path, *under: str) -> list[str]:
    """Copy what git knows or would take, all or under these paths; the names of the files."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *under]
    told = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [file for file in sorted(told.stdout.split("\0")) if (ROOT / file).is_file()]
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return files
