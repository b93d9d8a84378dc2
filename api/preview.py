"""`readout serve --preview`: the site while somebody writes it.

A broken file is left out and named in a notice; the preview stays up. After a change only the pages
that show something of it are built again.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from api.content import Cache, Content

POLL_S = 0.5


@dataclass
class Memory:
    """What the builds of one preview share. Handed to the hooks in the configuration."""

    cache: Cache = field(default_factory=dict)
    search: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by page
    added: dict[str, str] = field(default_factory=dict)  # by page: what it shows of other files
    broken: dict[str, str] = field(default_factory=dict)  # by page: why it cannot be made
    notice: str = ""  # as it stands on every page
    dirty: bool = False  # whether this build is of what changed only

    def outdated(self, added: dict[str, str]) -> list[str]:
        """The pages that show of other files what is no longer so. Keeps what they show now."""
        before, self.added = self.added, added
        return [path for path, shown in added.items() if before.get(path, shown) != shown]


def leave_out(content: Content) -> set[str]:
    """Take what is broken out of the content; its paths, as they stand in the content folder."""
    broken = {problem.path for problem in content.problems}
    for records in (content.topics, content.library, content.meetings, content.quizzes):
        for slug in [slug for slug, record in records.items() if record.path in broken]:
            del records[slug]
    return {path.removeprefix(f"{content.folder.name}/") for path in broken}


def notice(problems: Iterable[object]) -> str:
    """What is left out of the preview, to be seen on each of its pages; "" if nothing is."""
    items = "".join(f"<li><code>{escape(str(problem))}</code></li>" for problem in problems)
    return items and (
        '<div class="admonition warning" data-search-exclude><p class="admonition-title">'
        f"Left out of this preview until mended</p><ul>{items}</ul></div>"
    )


_MARKED = re.compile(r"<!-- preview -->.*?<!-- /preview -->", re.S)


def marked(notice: str) -> str:
    """The notice, to be found again in a built page."""
    return f"<!-- preview -->{notice}<!-- /preview -->"


def show_notice(notice: str, site_dir: Path) -> None:
    """Put another notice on every page that is built, also on the old one of a broken file."""
    for page in site_dir.rglob("*.html"):
        html = page.read_text("utf-8")
        changed = _MARKED.sub(lambda _: marked(notice), html, count=1)
        if changed != html:
            status = page.stat()
            page.write_text(changed, "utf-8")
            # Its time says from which state of its source it was built.
            os.utime(page, ns=(status.st_atime_ns, status.st_mtime_ns))


def ask_for(page: Path) -> None:
    """Make a built page look older than its source, so that it is built again."""
    if page.is_file():
        os.utime(page, (0, 0))


State = dict[str, tuple[int, int]]  # time of change and size, by path


def state(folders: list[Path]) -> State:
    found: State = {}
    for folder in folders:
        for path in _files(folder):
            status = path.stat()
            found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue  # what an editor keeps for itself
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def watch(folders: list[Path], changed: Callable[[set[str]], None]) -> None:
    """Call `changed` with the paths of each change, in a thread of its own, for ever."""

    def run() -> None:
        before = state(folders)
        while True:
            time.sleep(POLL_S)
            try:
                now = state(folders)
            except FileNotFoundError:
                continue  # a file went while we looked; the next look sees it
            if now != before:
                touched = {path for path, _ in before.items() ^ now.items()}
                before = now
                changed(touched)

    threading.Thread(target=run, name="preview", daemon=True).start()


def merge_search(index: dict[str, Any], memory: Memory) -> dict[str, Any]:
    """A search index of the pages just built, together with those that were built before."""
    fresh: dict[str, list[dict[str, Any]]] = {}
    for entry in index["docs"]:
        fresh.setdefault(entry["location"].split("#")[0], []).append(entry)
    memory.search |= fresh
    return {**index, "docs": [entry for page in memory.search.values() for entry in page]}
