"""Keep the preview's site up to date while it is served."""

import logging
import os
import time
from pathlib import Path

import typer

from api.console import ROOT
from api.preview import Memory, watch
from api.settings import Settings
from api.site import build

log = logging.getLogger("readout")

# Pages that list others: a change anywhere may change them.
LISTS = ("index.html", "library/index.html", "meetings/index.html", "quizzes/index.html")


def begin(settings: Settings) -> None:
    """Build the preview, and again after each change, in the background."""
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    memory = Memory()
    typer.echo("Building the preview ...", err=True)
    build(ROOT, settings, memory)

    def changed(paths: set[str]) -> None:
        begun = time.perf_counter()
        pages = all(path.endswith(".md") and Path(path).is_file() for path in paths)
        if pages:
            _ask_for(LISTS, settings.site_dir)
        try:
            # What was added, removed, or is no page touches every page.
            build(ROOT, settings, memory, dirty=pages)
        except Exception as error:  # the preview stays up, whatever somebody is typing
            typer.echo(f"not built: {error}", err=True)
        else:
            seconds = time.perf_counter() - begun
            typer.echo(f"built again in {seconds:.1f} s: {', '.join(sorted(paths))}", err=True)

    watch([settings.content_dir, settings.executed_dir, ROOT / "mkdocs.yml"], changed)


def _ask_for(pages: tuple[str, ...], site_dir: Path) -> None:
    """Make pages look older than their sources, so that they are built again."""
    for page in pages:
        if (site_dir / page).is_file():
            os.utime(site_dir / page, (0, 0))
