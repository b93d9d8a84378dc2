"""A library of any size, made of our own pages, and commands timed on it."""

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from api.markup import read_document
from tests.conftest import ROOT

BIN = Path(sys.executable).parent
ENTRIES, MEETINGS = 2_000, 300
_ONCE = re.compile(r"^(?:title|arxiv|doi|openreview|url):.*\n", re.M)  # fields no two may share


def generate(docs: Path, entries: int = ENTRIES, meetings: int = MEETINGS) -> None:
    """Copy the project's content, then the library and the meeting again until there are enough.

    The copies of one round cite and link each other, as the originals do: the same lengths,
    anchors, terms, formulas and tables. Only what must be unique is made so.
    """
    shutil.copytree(ROOT / "docs", docs)
    models = sorted((docs / "library").glob("2*.md"))
    slugs = [model.stem for model in models]
    names = re.compile(rf"\b(?:{'|'.join(sorted(slugs, reverse=True))})(?![\w-])")

    def of_round(number: int, text: str) -> str:
        def name(found: re.Match[str]) -> str:
            there = number * len(slugs) + slugs.index(found[0]) < entries
            return f"{found[0]}-{number}" if there else found[0]

        return names.sub(name, text)

    for index in range(len(models), entries):
        number, model = index // len(models), models[index % len(models)]
        title = read_document(model, docs).header.values["title"]
        own = f"title: {json.dumps(f'{title} ({number})')}\nurl: https://example.org/{index}\n"
        _, header, body = model.read_text("utf-8").split("---\n", 2)
        text = f"---\n{own}{_ONCE.sub('', header)}---\n{body}"
        (docs / "library" / f"{model.stem}-{number}.md").write_text(of_round(number, text), "utf-8")
    meeting = (docs / "meetings" / "2023-11-07.md").read_text("utf-8")
    for index in range(1, meetings):
        date = dt.date(2023, 11, 7) + dt.timedelta(days=7 * index)
        text = of_round(index % (entries // len(slugs)) or 1, meeting)
        text = text.replace("date: 2023-11-07", f"date: {date}")
        (docs / "meetings" / f"{date}.md").write_text(text, "utf-8")


class Cost(NamedTuple):
    """Of a whole process: wall and processor seconds, and the most memory it held, in MB."""

    wall: float
    cpu: float
    memory: float


def environment(**given: str | Path) -> dict[str, str]:
    shown = {name: str(value) for name, value in given.items()}
    return {**os.environ, "NO_MKDOCS_2_WARNING": "1", **shown}


def run(*command: str | Path, **given: str | Path) -> Cost:
    """What a command costs that must succeed."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(**given), stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
