"""The site generator's hooks, and `build`, which runs it.

The hooks are thin: each hands text and records to a function elsewhere and puts the result back.
MkDocs loads this file by its path, once a build.
"""

import datetime as dt
import gzip
import html as html_text
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock
from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils import get_relative_url

from api import carrying, explorers, ledgers, notebook_pages, outputs, pages, policy, preview
from api.assembly import GLOSSARY, Parts, assemble, surroundings
from api.backlinks import find_mentions
from api.check import symbolic_links, unreadable_pages
from api.check_pages import wrong_facts
from api.content import read_content
from api.fingerprint import write_stamp
from api.glossary import Glossary, read_terms
from api.search import searchable
from api.settings import Settings
from demos import facts, ledger, notebooks  # the one place where the two meet; needs no torch
from demos.explorers import EXPLORER_MIME

STAGE = Path(".cache") / "notebook-pages"  # the executed notebooks as the site shows them


class _Build:
    """What one build knows. Set when its files are listed."""

    parts: Parts
    shown: dict[str, str]  # pages by path, while the search index reads their words
    problems: list[str]  # what a preview leaves out


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    # Python-Markdown would put a paragraph around an element that it does not know.
    config.markdown_extensions.append("api.blocks")
    return config


@event_priority(100)  # before mkdocs-jupyter looks at the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    settings, memory = Settings(), _memory(config)
    content = read_content(
        Path(config.docs_dir), settings.executed_dir, memory.cache if memory else None
    )
    content.problems += [*symbolic_links(content), *wrong_facts(content)]
    content.problems += (unread := unreadable_pages(content))
    _Build.shown, _Build.problems = {}, []
    if content.problems:
        _complain(memory, *content.problems)
        broken = preview.leave_out(content)
        below = tuple(f"{path}/" for path in broken)  # of a folder that is a symbolic link
        files = Files(
            [f for f in files if f.src_uri not in broken and not f.src_uri.startswith(below)]
        )
        for problem in unread:  # the navigation and other pages lead there: it stays, empty
            name = problem.path.removeprefix(f"{content.folder.name}/")
            files.append(File.generated(config, name, content=""))
    parts = Parts(content, _read_glossary(config), _today())
    for path in _stage_notebooks(parts, files, config):
        stage = Path(config.config_file_path).parent / STAGE
        name = path.relative_to(stage).as_posix()
        files.append(File(name, str(stage), config.site_dir, config.use_directory_urls))
    parts.mentions = find_mentions(content, parts.demos)
    _Build.parts = parts
    if memory:
        _prepare(memory, files)
    return files


def _complain(memory: preview.Memory | None, *problems: object) -> None:
    """End the build with what is wrong, or keep it for the notice of a preview."""
    if memory is None:
        raise PluginError("\n".join(str(problem) for problem in problems))
    _Build.problems += [str(problem) for problem in problems]


def _prepare(memory: preview.Memory, files: Files) -> None:
    """Ask for the pages that show what another file has changed."""
    for path in memory.outdated(surroundings(_Build.parts)):
        file = files.get_file_from_path(path)
        assert file, path  # a sound record has its page
        preview.ask_for(Path(file.abs_dest_path))
    if not memory.dirty:
        memory.notice = preview.notice(_Build.problems)


def _read_glossary(config: MkDocsConfig) -> Glossary:
    path = Path(config.docs_dir) / GLOSSARY
    try:
        return Glossary(read_terms(path.read_text("utf-8"), GLOSSARY) if path.is_file() else [])
    except pages.Broken as error:
        _complain(_memory(config), error)
        return Glossary([])
    except UnicodeDecodeError:
        return Glossary([])  # said already, of every page that is no UTF-8


def _stage_notebooks(parts: Parts, files: Files, config: MkDocsConfig) -> list[Path]:
    """Copy the executed notebooks, with links that hold on the site, and the data of explorers.

    Refuses stale ones.
    """
    scripts = notebooks.discover()
    if problems := [*notebooks.stale(scripts), *notebooks.left_over(scripts)]:
        _complain(_memory(config), *problems)
    folder = Path(config.config_file_path).parent / STAGE / "demos"
    folder.mkdir(parents=True, exist_ok=True)
    staged: list[Path] = []
    for script in scripts:
        executed = notebooks.executed_path(script)
        if not executed.is_file():
            continue  # complained of already
        notebook = facts.without_sealed(notebooks.read_executed(executed))
        if wrong := outputs.foreign(executed.read_text("utf-8")):
            _complain(_memory(config), f"demos/executed/{executed.name}: {wrong}")
            outputs.leave_out(notebook)
        demo = notebook_pages.read_demo(script.stem, notebook)
        parts.demos.append(demo)
        parts.ledgers += _ledger(script, notebook, demo)
        data: dict[str, str] = {}
        try:
            data = explorers.take_out(
                notebook, EXPLORER_MIME, f"demos/{script.name}", Path(config.docs_dir)
            )
            notebook_pages.link_to_pages(notebook, script.name, _is_page(files))
        except pages.Broken as error:
            _complain(_memory(config), error)
        texts = {folder / f"{script.stem}.ipynb": json.dumps(notebook)}
        texts |= {folder / script.stem / name: text for name, text in data.items()}
        for path, text in texts.items():
            # What is the same keeps its time, so that a preview does not convert it again.
            if not path.is_file() or path.read_text("utf-8") != text:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, "utf-8")
        staged += texts
    for left in {path for path in folder.rglob("*") if path.is_file()} - set(staged):
        left.unlink()
    return staged


def _ledger(
    script: Path, notebook: dict[str, Any], demo: notebook_pages.Demo
) -> list[ledgers.DemoLedger]:
    """The ledger of a notebook, if it has one."""
    claims = ledger.collect(notebook)
    if not claims:
        return []
    verdicts = [ledger.VERDICTS[claim["verdict"]] for claim in claims]
    outcomes = _in_words(notebooks.seed_outcomes(notebook))
    table, draws = ledger.ledger_table(claims), notebooks.draws(script)
    return [ledgers.DemoLedger(demo, verdicts, table, draws, outcomes)]


def _in_words(outcomes: dict[str, Any]) -> dict[str, Any]:
    return {
        seed: outcome | {"verdicts": [ledger.VERDICTS[name] for name in outcome["verdicts"]]}
        for seed, outcome in outcomes.items()
    }


def _is_page(files: Files) -> Callable[[str], bool]:
    return lambda path: files.get_file_from_path(path) is not None


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> Environment:
    # A build of 2,000 pages would ask 100,000 times whether a template has changed meanwhile.
    env.auto_reload = False
    return env


def _memory(config: MkDocsConfig) -> preview.Memory | None:
    """What a preview remembers from build to build; None for a build of the site itself."""
    memory = config.extra.get("readout_preview")
    assert memory is None or isinstance(memory, preview.Memory)
    return memory


def _site_linker(page: Page) -> pages.Linker:
    """Addresses of what is no page of the generator's, as seen from one."""
    return lambda path: get_relative_url(path, page.file.url)


def _linker(page: Page, files: Files) -> pages.Linker:
    """Addresses as seen from a page, for HTML that is put into it."""

    def address(path: str) -> str:
        file = files.get_file_from_path(path)
        if file is None:
            raise PluginError(f"{page.file.src_uri}: no page {path}")
        return get_relative_url(file.url, page.file.url)

    return address


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path, content, memory = page.file.src_uri, _Build.parts.content, _memory(config)
    folder, slug = path.rpartition("/")[0], Path(path).stem
    if folder == "meetings" and slug in content.meetings:
        page.meta.setdefault("title", content.meetings[slug].name)
    if "title" in page.meta:
        # The theme takes a title for HTML; `<eos>` is a word in ours.
        page.meta["title"] = html_text.escape(str(page.meta["title"]), quote=False)
    if folder == "quizzes" and slug in content.quizzes:
        # The questions come as HTML, later; their Markdown holds the keys.
        markdown = content.quizzes[slug].intro
    markdown = notebook_pages.link_from_page(markdown, path)
    if memory:
        memory.broken.pop(path, None)
    try:
        return pages.insert_facts(markdown, content.facts, path, _linker(page, files))
    except pages.Broken as error:
        _break(memory, path, error)
        return markdown


def _break(memory: preview.Memory | None, path: str, error: pages.Broken) -> None:
    """End the build with what is wrong with a page, or keep it for the notice of a preview."""
    if memory is None:
        raise PluginError(str(error)) from error
    memory.broken[path] = str(error)


@event_priority(-50)
def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path, memory = page.file.src_uri, _memory(config)
    head, foot = "", ""
    try:
        head, html, foot = assemble(
            html, path, _Build.parts, _linker(page, files), _site_linker(page)
        )
    except pages.Broken as error:
        _break(memory, path, error)
    page.toc.items[:0] = _toc(head)
    page.toc.items += _toc(foot)
    shown = (preview.marked(memory.notice) if memory else "") + head + html + foot
    # The index plugin reads a page's content after this, and before it is put into its template.
    _Build.shown[path] = shown
    return searchable(shown)


@event_priority(-100)  # after the index plugin
def on_page_context(context: Any, page: Page, config: MkDocsConfig, nav: Any) -> Any:
    page.content = _Build.shown.pop(page.file.src_uri)
    return context


def _toc(html: str) -> list[AnchorLink]:
    return [AnchorLink(title, name, 2) for name, title in pages.headings(html)]


def _today() -> dt.date:
    """The day of the build, which a reproducible build sets."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else dt.datetime.now(dt.UTC)
    return now.date()


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    linker = _site_linker(page)
    html = pages.search_later(carrying.announce_feed(output, linker), linker)
    return policy.protect(html, page.content or "", _base_path(config))


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The page of what is not there is a template, and no page."""
    if not template_name.endswith(".html"):
        return output_content
    return policy.protect(output_content, "", _base_path(config))


def _base_path(config: MkDocsConfig) -> str:
    return urlsplit(config.site_url or "/").path


@event_priority(-100)  # after the index plugin
def on_post_build(config: MkDocsConfig) -> None:
    site, content, memory = Path(config.site_dir), _Build.parts.content, _memory(config)
    packed = site / "sitemap.xml.gz"  # MkDocs packs it with the time of day
    packed.write_bytes(gzip.compress((site / "sitemap.xml").read_bytes(), mtime=0))
    if memory is None:
        carrying.write_exports(content, config.site_url or "", site)
        return
    if not memory.dirty:
        with suppress(pages.Broken):  # its page says so
            carrying.write_exports(content, config.site_url or "", site)
    index = site / "search" / "search_index.json"
    merged = preview.merge_search(json.loads(index.read_text("utf-8")), memory)
    index.write_text(json.dumps(merged), "utf-8")
    notice = preview.notice([*_Build.problems, *memory.broken.values()])
    if notice != memory.notice:
        preview.show_notice(notice, site)
        memory.notice = notice


# Building ----------------------------------------------------------------------------------------


def build(
    root: Path, settings: Settings, memory: preview.Memory | None = None, *, dirty: bool = False
) -> None:
    """Build the site, strictly. Raises MkDocs' Abort or another MkDocsException if it fails.

    With a preview's `memory`, broken files are left out and named on each page; `dirty` builds only
    the pages that changed. Builds of one checkout take turns.
    """
    from mkdocs.commands.build import build as run
    from mkdocs.config import load_config

    config = load_config(
        str(root / "mkdocs.yml"),
        docs_dir=str(settings.content_dir.resolve()),
        site_dir=str(settings.site_dir.resolve()),
        site_url=f"{settings.base}/",
        strict=memory is None,
    )
    if memory:
        memory.dirty = dirty
        config.extra["readout_preview"] = memory
    stage = root / STAGE
    stage.mkdir(parents=True, exist_ok=True)
    with FileLock(stage.with_suffix(".lock")):  # another build would clear away what this one reads
        config.plugins.on_startup(command="build", dirty=dirty)
        try:
            run(config, dirty=dirty)
        finally:
            config.plugins.on_shutdown()
    if memory is None:
        write_stamp(root, settings)
