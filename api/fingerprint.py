"""Whether the built site is still that of its sources. Quick, and without the site generator."""

import hashlib
import sys
from pathlib import Path

from api.settings import Settings

SOURCES = ("docs", "api", "demos", "mkdocs.yml")
STAMP = ".readout-build"


def is_current(root: Path, settings: Settings) -> bool:
    """Whether the site is whole, of the present sources, and for the present address."""
    stamp = settings.site_dir / STAMP
    return stamp.is_file() and stamp.read_bytes() == _stamp(root, settings)


def write_stamp(root: Path, settings: Settings) -> None:
    (settings.site_dir / STAMP).write_bytes(_stamp(root, settings))


def _stamp(root: Path, settings: Settings) -> bytes:
    """The sources' fingerprint, and the names and sizes of what was built."""
    files = sorted(path for path in settings.site_dir.rglob("*") if path.name != STAMP)
    built = [f"{path.relative_to(settings.site_dir)} {path.stat().st_size}" for path in files]
    digest = hashlib.sha256("\n".join(built).encode()).hexdigest()
    return f"{fingerprint(root, settings)} {digest}\n".encode()


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
