"""The check and the site with 2,000 library files and 300 meetings, beside stock Material."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

BIN = Path(sys.executable).parent
ENTRIES, MEETINGS = 2_000, 300


def generate(docs: Path, entries: int = ENTRIES, meetings: int = MEETINGS) -> None:
    """Copy the project's content and add library entries and meetings modelled on it."""
    shutil.copytree(ROOT / "docs", docs)
    models = [
        (path.stem, path.read_text("utf-8")) for path in sorted((docs / "library").glob("2*.md"))
    ]
    for number in range(entries - len(models)):
        slug, text = models[number % len(models)]
        year = slug[:4]
        lines = [
            line
            for line in text.splitlines()
            if not line.startswith(("arxiv:", "doi:", "openreview:", "url:", "title:"))
        ]
        added = [
            f'title: "Generated entry {number}"',
            f"url: https://example.org/generated/{number}",
        ]
        new = "\n".join([lines[0], *added, *lines[1:]]) + "\n"
        (docs / "library" / f"{year}-generated-{number}.md").write_text(new, "utf-8")
    meeting = (docs / "meetings" / "2023-11-07.md").read_text("utf-8")
    first = dt.date(2024, 1, 2)
    for number in range(meetings - 1):
        date = first + dt.timedelta(days=number)
        text = meeting.replace("date: 2023-11-07", f"date: {date}")
        (docs / "meetings" / f"{date}.md").write_text(text, "utf-8")


def stock(folder: Path, docs: Path) -> Path:
    """The same files for Material as it comes: every page in its navigation, no plugin of ours."""
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    nav = "\n".join(f"  - {page}" for page in pages)
    config = folder / "stock.yml"
    config.write_text(
        f"site_name: Stock\ndocs_dir: {docs}\nsite_dir: {folder / 'stock-site'}\n"
        f"theme:\n  name: material\n  font: false\nplugins: [search]\n"
        f"markdown_extensions: [admonition, attr_list, md_in_html, tables]\nnav:\n{nav}\n"
    )
    return config


def timed(*command: str | Path, **environment: str) -> float:
    """Wall seconds of a command that must succeed."""
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return time.perf_counter() - begun


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docs = folder / "docs"
        generate(docs)
        ours = {
            "READOUT_CONTENT_DIR": str(docs),
            "READOUT_SITE_DIR": str(folder / "site"),
            "NO_MKDOCS_2_WARNING": "1",
        }
        few = folder / "few" / "docs"
        few.parent.mkdir()
        generate(few, ENTRIES // 4, MEETINGS // 4)
        check_few = timed(BIN / "readout", "check", READOUT_CONTENT_DIR=str(few))
        check = timed(BIN / "readout", "check", **ours)
        yield "check-2300-files", check, "s", "4 times a quarter of the files", 4 * check_few
        build = timed(BIN / "readout", "build", **ours)
        material = timed(BIN / "mkdocs", "build", "-q", "-f", stock(folder, docs), **ours)
        yield "site-2300-files", build, "s", "stock Material, all pages in its navigation", material
