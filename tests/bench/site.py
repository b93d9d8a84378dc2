"""The site of 2,000 library files and 300 meetings, beside stock Material on the same files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.generated import BIN, ENTRIES, MEETINGS, Cost, generate, run
from tests.conftest import ROOT

REPEATS = 3


def stock(folder: Path, docs: Path) -> Path:
    """The same files and Markdown for Material as it comes: every page in its navigation."""
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    nav = "\n".join(f"  - {page}" for page in pages)
    config = folder / "stock.yml"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {docs}\nsite_dir: {folder / 'stock-site'}\n"
        "strict: false\nhooks: []\nplugins: [search]\nextra_css: []\nextra_javascript: []\n"
        f"theme: {{features: []}}\nnav:\n{nav}\n"
    )
    return config


def ours(folder: Path, docs: Path) -> Cost:
    return run(
        *(BIN / "readout", "build"), READOUT_CONTENT_DIR=docs, READOUT_SITE_DIR=folder / "site"
    )


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        docs, half, none = (folder / part / "docs" for part in ("full", "half", "none"))
        for docs_folder, share in ((docs, 1.0), (half, 0.5), (none, 0.0)):
            docs_folder.parent.mkdir()
            generate(docs_folder, round(ENTRIES * share), round(MEETINGS * share))
        builds = [ours(folder, docs) for _ in range(REPEATS)]
        material = run(BIN / "mkdocs", "build", "-q", "-f", stock(folder, docs))
        named = "stock Material, all pages in its navigation"
        yield "site-2300-files", median(b.wall for b in builds), "s", named, material.wall
        yield "site-2300-cpu", median(b.cpu for b in builds), "s", named, material.cpu
        yield "site-2300-memory", median(b.memory for b in builds), "MB", named, material.memory
        first = ours(folder, half).cpu
        begun = ours(folder, none).cpu
        added = median(b.cpu for b in builds) - first
        yield "site-linear", added, "s", "what the first half of the files adds", first - begun
