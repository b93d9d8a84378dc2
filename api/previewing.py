"""Keep the preview's site up to date while it is served."""

import logging
import os
import shutil
import time
from pathlib import Path

import typer
from mkdocs.exceptions import Abort, MkDocsException

from api.console import ROOT, fail
from api.preview import Memory, ask_for, notice, show_notice, watch
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
    try:
        build(ROOT, settings, memory)
    except (Abort, MkDocsException) as error:
        fail(f"the preview was not built: {error}")

    def changed(paths: set[str]) -> None:
        begun = time.perf_counter()
        try:
            rebuild(paths, settings, memory)
        except Exception as error:  # the preview stays up, whatever somebody is typing
            memory.notice = notice([error])
            show_notice(memory.notice, settings.site_dir)
            typer.echo(f"not built: {error}", err=True)
        else:
            seconds = time.perf_counter() - begun
            typer.echo(f"built again in {seconds:.1f} s: {', '.join(sorted(paths))}", err=True)

    watch([settings.content_dir, settings.executed_dir, ROOT / "mkdocs.yml"], changed)


def rebuild(paths: set[str], settings: Settings, memory: Memory) -> None:
    """Build what a change of some files touches. What was removed, or is no page, touches all."""
    pages = all(_is_page(Path(path)) for path in paths)
    if pages:
        for page in [*LISTS, *(_page_of(Path(path), settings) for path in paths)]:
            ask_for(settings.site_dir / page)
        build(ROOT, settings, memory, dirty=True)
    else:
        _build_all(settings, memory)


def _build_all(settings: Settings, memory: Memory) -> None:
    """Build everything beside the site that is shown: it stays where the build fails."""
    shown = settings.site_dir
    made, old = (shown.with_name(f"{shown.name}-{name}") for name in ("next", "old"))
    build(ROOT, settings.model_copy(update={"site_dir": made}), memory)
    shutil.rmtree(old, ignore_errors=True)
    shown.rename(old)
    made.rename(shown)
    shutil.rmtree(old)


def _is_page(path: Path) -> bool:
    """Whether a change of a file touches its page and those that name it, and no others."""
    return path.suffix == ".md" and path.name != "glossary.md" and path.is_file()


def _page_of(path: Path, settings: Settings) -> str:
    """Where the page of a content file is built, below the site's folder."""
    page = path.resolve().relative_to(settings.content_dir.resolve()).with_suffix("")
    return f"{page.parent if page.name == 'index' else page}/index.html"
