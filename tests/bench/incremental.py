"""How long an author waits for a changed note: from saving the file to the page that shows it."""

import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.generated import BIN, environment, generate
from tests.bench.site import ours
from tests.conftest import ROOT

REPEATS = 5
LONGEST_S = 900.0
ENTRY = "2022-wang-ioi-7"


@contextmanager
def preview(docs: Path, folder: Path) -> Iterator[str]:
    """The address of `readout serve --preview` on some content, once it has built it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [BIN / "readout", "serve", "--preview", "--port", str(port)],
        cwd=ROOT,
        env=environment(
            READOUT_CONTENT_DIR=docs,
            READOUT_CACHE_DIR=folder / "cache",
            READOUT_DATABASE_URL=f"sqlite:///{folder / 'readout.sqlite3'}",
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/v1/health", "ok")
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def wait_for(address: str, text: str) -> None:
    """Return once a page holds a text."""
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address) as reply:
                if text in reply.read().decode():
                    return
        except OSError:
            pass  # not up yet
        time.sleep(0.05)
    raise AssertionError(f"{address} does not show {text!r}")


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docs = folder / "docs"
        generate(docs)
        whole = ours(folder, docs)
        note, waits = docs / "library" / f"{ENTRY}.md", []
        with preview(docs, folder) as address:
            for number in range(REPEATS):
                added = f"Sentence {number} was just written."
                note.write_text(note.read_text("utf-8") + f"\n{added}\n", "utf-8")
                begun = time.perf_counter()
                wait_for(f"{address}/library/{ENTRY}/", added)
                waits.append(time.perf_counter() - begun)
                time.sleep(2)  # for the rest of the build, as an author pauses too
        yield "incremental-2300-files", median(waits), "s", "building the whole site", whole.wall
