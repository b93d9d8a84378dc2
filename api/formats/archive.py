"""Zip archives from strangers, read in memory and within limits. Nothing is unpacked to a disk."""

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterable

from api.formats.model import Unreadable
from api.markup import Problem

MAX_ENTRIES = 5_000
MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_RATIO = 200  # text shrinks to a tenth; a bomb to a thousandth


def read_zip(path: str, data: bytes) -> dict[str, bytes]:
    """The files of an archive by name. Raises Unreadable if it is no sound or safe one."""

    def refused(reason: str) -> Unreadable:
        return Unreadable(Problem(path, 1, reason))

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries, refused)
            files = {}
            for entry in entries:
                with archive.open(entry) as file:
                    # The size that an entry states may be a lie. Asked for that much, the library
                    # unpacks no more, and then finds that the checksum differs.
                    files[entry.filename] = file.read(entry.file_size + 1)
            return files
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
        raise refused(f"no sound zip archive ({error}); export it again") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or a rare compression
        raise refused(f"cannot be unpacked ({error}); save it as a plain zip") from error


def _check(entries: list[zipfile.ZipInfo], refused: Callable[[str], Unreadable]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise refused(f"{len(entries):,} files in one archive; {MAX_ENTRIES:,} is the most")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise refused(f"unpacks to more than {MAX_UNPACKED_BYTES >> 20} MB; split it")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        normal = posixpath.normpath(name)
        unsafe = normal.startswith(("/", "..")) or "\\" in name or ":" in name or "\0" in name
        is_link = entry.external_attr >> 16 & 0o170000 == 0o120000
        if unsafe or is_link:
            raise refused(f"holds {name!r}, which points out of the archive")
        if name in seen:
            raise refused(f"holds {name!r} twice")
        seen.add(name)
        if entry.file_size > 10_000_000 and entry.file_size > MAX_RATIO * entry.compress_size:
            raise refused(f"{name!r} unpacks to {MAX_RATIO} times its size; no quiz does")


def write_zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """An archive that is the same whenever it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
