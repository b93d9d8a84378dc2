"""Files that are changed as a whole: what stands in one may stand nowhere else."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def replace(file: Path, data: bytes) -> None:
    """Replace a file at once: an interruption or a full disk leaves the old one or the new one."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        with suppress(FileNotFoundError):  # a new one
            shutil.copymode(file, unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
