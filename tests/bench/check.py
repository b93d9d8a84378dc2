"""`readout check`, the whole process, beside a full parse of the same pages."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.generated import BIN, ENTRIES, MEETINGS, Cost, generate, run

REPEATS = 5
# What would find links and headings as well: the parser that the site itself uses.
PARSE = """
import sys, pathlib, markdown
parser = markdown.Markdown(extensions=["tables", "toc", "footnotes", "attr_list", "admonition"])
for path in pathlib.Path(sys.argv[1]).rglob("*.md"):
    parser.reset().convert(path.read_text("utf-8"))
"""


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    with tempfile.TemporaryDirectory() as name:
        sizes = {"none": 0.0, "500": 500 / 2300, "half": 0.5, "2300": 1.0}
        docs = {size: Path(name) / size / "docs" for size in sizes}
        for size, share in sizes.items():
            docs[size].parent.mkdir()
            generate(docs[size], round(ENTRIES * share), round(MEETINGS * share))
        costs: dict[str, list[Cost]] = {size: [] for size in sizes}
        for _ in range(REPEATS):
            for size, folder in docs.items():
                costs[size].append(run(BIN / "readout", "check", READOUT_CONTENT_DIR=folder))
        for size in ("500", "2300"):
            parsing = run(sys.executable, "-c", PARSE, docs[size])
            named = "parsing them by Python-Markdown"
            wall, cpu = (median(c.wall for c in costs[size]), median(c.cpu for c in costs[size]))
            yield f"check-{size}-files", wall, "s", named, parsing.wall
            # On a busy machine the wall says little.
            yield f"check-{size}-cpu", cpu, "s", named, parsing.cpu
        none, half, full = (median(c.cpu for c in costs[s]) for s in ("none", "half", "2300"))
        yield "check-linear", full - half, "s", "what the first half of the files adds", half - none
