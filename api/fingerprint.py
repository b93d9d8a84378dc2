"""Whether the built site is still that of its sources. Quick, and without the site generator."""

import hashlib
import sys
from pathlib import Path

from api.settings import Settings

SOURCES = ("docs", "api", "demos", "mkdocs.yml")
STAMP = ".readout-build"


def is_current(root: Path, settings: Settings) -> bool:
    """Whether the site was built from the present sources, for the present address."""
    stamp = settings.site_dir / STAMP
    return stamp.is_file() and stamp.read_text("utf-8") == fingerprint(root, settings)


def write_stamp(root: Path, settings: Settings) -> None:
    (settings.site_dir / STAMP).write_text(fingerprint(root, settings), "utf-8")


def fingerprint(root: Path, settings: Settings) -> str:
    """A hash of everything that the site is made from."""
    digest = hashlib.sha256(f"{settings.base} {sys.version_info[:2]}".encode())
    for source in SOURCES:
        path = root / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\n{file.relative_to(root).as_posix()} ".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
