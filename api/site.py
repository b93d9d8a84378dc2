"""The site generator's hooks, and `build`, which runs it.

The hooks are thin: each hands text and records to a function elsewhere and puts the result back.
MkDocs loads this file by its path, once a build.
"""

import datetime as dt
import html
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils import get_relative_url

from api import carrying, ledgers, notebook_pages, pages, preview, quiz_pages
from api.backlinks import Mentions, find_mentions
from api.check import symbolic_links
from api.check_pages import wrong_facts
from api.content import Content, read_content
from api.fingerprint import write_stamp
from api.glossary import Glossary, read_terms
from api.map import library_map
from api.markup import Problem
from api.search import searchable
from api.settings import Settings
from demos import facts, ledger, notebooks  # the one place where the two meet; needs no torch

ROOT = Path(__file__).resolve().parent.parent
STAGE = Path(".cache") / "notebook-pages"  # the executed notebooks as the site shows them


GLOSSARY = "glossary.md"
LEDGERS = "demos/ledger.md"


class _Build:
    """What one build knows. Set when its files are listed."""

    content: Content
    files: Files
    demos: list[notebook_pages.Demo]
    ledgers: list[ledgers.DemoLedger]
    mentions: Mentions
    glossary: Glossary
    shown: dict[str, str]  # pages by path, while the search index reads their words
    notice: str  # what a preview leaves out


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    # Python-Markdown would put a paragraph around an element that it does not know.
    config.markdown_extensions.append("api.blocks")
    return config


@event_priority(100)  # before mkdocs-jupyter looks at the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    settings, memory = Settings(), _memory(config)
    cache = memory.cache if memory else None
    content = read_content(Path(config.docs_dir), settings.executed_dir, cache)
    content.problems += [*symbolic_links(content), *wrong_facts(content)]
    _Build.notice = ""
    if content.problems:
        if memory is None:
            raise PluginError("\n".join(str(problem) for problem in content.problems))
        broken = preview.leave_out(content)
        below = tuple(f"{path}/" for path in broken)  # of a folder that is a symbolic link
        files = Files(
            [f for f in files if f.src_uri not in broken and not f.src_uri.startswith(below)]
        )
        _Build.notice = preview.notice(content.problems)
    _Build.content, _Build.files, _Build.shown = content, files, {}
    _Build.demos, _Build.ledgers = [], []
    for path in _stage_notebooks(config):
        name = f"demos/{path.name}"
        files.append(File(name, str(path.parents[1]), config.site_dir, config.use_directory_urls))
    _Build.mentions = find_mentions(content, _Build.demos)
    try:
        _Build.glossary = _read_glossary(Path(config.docs_dir) / GLOSSARY)
    except PluginError as error:
        if memory is None:
            raise
        _Build.glossary = Glossary([])
        _Build.notice += preview.notice([Problem(GLOSSARY, 1, str(error))])
    return files


def _read_glossary(path: Path) -> Glossary:
    try:
        return Glossary(read_terms(path.read_text("utf-8"), GLOSSARY) if path.is_file() else [])
    except pages.Broken as error:
        raise PluginError(str(error)) from error


def _stage_notebooks(config: MkDocsConfig) -> list[Path]:
    """Copy the executed notebooks, with links that hold on the site. Refuses stale ones."""
    scripts = notebooks.discover()
    if problems := [*notebooks.stale(scripts), *notebooks.left_over(scripts)]:
        raise PluginError("\n".join(problems))
    folder = Path(config.config_file_path).parent / STAGE / "demos"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    staged = []
    for script in scripts:
        notebook = facts.without_sealed(notebooks.read_executed(notebooks.executed_path(script)))
        demo = notebook_pages.read_demo(script.stem, notebook)
        _Build.demos.append(demo)
        if claims := ledger.collect(notebook):
            _Build.ledgers.append(
                ledgers.DemoLedger(
                    demo,
                    [ledger.VERDICTS[claim["verdict"]] for claim in claims],
                    ledger.ledger_table(claims),
                    notebooks.draws(script),
                    _in_words(notebooks.seed_outcomes(notebook)),
                )
            )
        path = folder / f"{script.stem}.ipynb"
        path.write_text(json.dumps(_with_site_links(notebook, script.name)), "utf-8")
        staged.append(path)
    return staged


def _in_words(outcomes: dict[str, Any]) -> dict[str, Any]:
    return {
        seed: outcome | {"verdicts": [ledger.VERDICTS[name] for name in outcome["verdicts"]]}
        for seed, outcome in outcomes.items()
    }


_TO_DOCS = re.compile(r"\]\(\.\./docs/(?P<path>[^)#\s]+)\.md(?P<anchor>#[^)\s]*)?\)")
_TO_DEMO = re.compile(r"\]\((?P<path>[0-9]{2}_\w+)\.py(?P<anchor>#[^)\s]*)?\)")


def _with_site_links(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """Turn a notebook's links to sources (`../docs/x.md`, `01_y.py`) into links to pages."""

    def to_page(match: re.Match[str]) -> str:
        source = f"{match['path']}.md"
        if _Build.files.get_file_from_path(source) is None:
            raise PluginError(f"demos/{name}: no page {source}")
        return f"](../../{match['path']}/{match['anchor'] or ''})"

    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = _TO_DOCS.sub(to_page, cell["source"])
            cell["source"] = _TO_DEMO.sub(r"](../\g<path>/\g<anchor>)", text)
    return notebook


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


# On a code host a link to a notebook leads to its executed copy.
_CODE_HOST_NOTEBOOK = re.compile(r"\]\((?:\.\./)+demos/executed/")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path, content, linker = page.file.src_uri, _Build.content, _linker(page, files)
    depth = path.count("/")
    markdown = _CODE_HOST_NOTEBOOK.sub(f"]({'../' * depth}demos/", markdown)
    folder, slug = path.rpartition("/")[0], Path(path).stem
    if folder == "meetings" and slug in content.meetings:
        page.meta.setdefault("title", content.meetings[slug].name)
    if "title" in page.meta:
        # The theme takes a title for HTML; `<eos>` is a word in ours.
        page.meta["title"] = html.escape(str(page.meta["title"]), quote=False)
    if folder == "quizzes" and slug in content.quizzes:
        # The questions come as HTML, later; their Markdown holds the keys.
        markdown = content.quizzes[slug].intro
    try:
        return pages.insert_facts(markdown, content.facts, path, linker)
    except pages.Broken as error:
        if _memory(config) is None:
            raise PluginError(str(error)) from error
        return f"`{error}`\n\n{markdown}"


@event_priority(-50)
def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path = page.file.src_uri
    shown = _Build.notice + _page(html, page, _linker(page, files))
    # The index plugin reads a page's content after this, and before it is put into its template.
    _Build.shown[path] = shown
    return searchable(shown)


@event_priority(-100)  # after the index plugin
def on_page_context(context: Any, page: Page, config: MkDocsConfig, nav: Any) -> Any:
    page.content = _Build.shown.pop(page.file.src_uri)
    return context


def _page(html: str, page: Page, linker: pages.Linker) -> str:
    """A page's content with all that the site adds to it."""
    path, content = page.file.src_uri, _Build.content
    folder, slug = path.rpartition("/")[0], Path(path).stem
    if path.endswith(".ipynb"):
        html = notebook_pages.notebook_page(html, f"{slug}.ipynb", path)
        return _Build.glossary.link(html, linker(GLOSSARY))
    html = notebook_pages.render_math(html, path)
    if folder in ("topics", "library", "meetings", "quizzes") and slug != "index":
        html = _Build.glossary.link(html, linker(GLOSSARY))
    if folder == "library" and slug in content.library:
        entry, mentions = content.library[slug], _Build.mentions.get(slug, [])
        head = pages.entry_head(entry, content, linker) + pages.read_mark(slug)
        foot = pages.entry_foot(entry, content, mentions, linker)
        foot += carrying.citation_links(slug, _site_linker(page))
    elif folder == "meetings" and slug in content.meetings:
        head = pages.meeting_head(content.meetings[slug], content, linker)
        head += carrying.meeting_links(content.meetings[slug], _site_linker(page))
        foot = pages.meeting_foot(content.meetings[slug])
    elif folder == "topics" and slug in content.topics:
        head, foot = "", pages.topic_foot(content.topics[slug], content, linker)
    elif folder == "quizzes" and slug in content.quizzes:
        head, foot = "", quiz_pages.quiz_form(content.quizzes[slug], content.facts)
    else:
        filled = _fill(html, linker, _site_linker(page), content)
        if path == LEDGERS:
            page.toc.items += _toc(filled)
        return filled
    page.toc.items[:0] = _toc(head)
    page.toc.items += _toc(foot)
    return head + html + foot


def _toc(html: str) -> list[AnchorLink]:
    return [AnchorLink(title, name, 2) for name, title in pages.headings(html)]


def _today() -> dt.date:
    """The day of the build, which a reproducible build sets."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch else dt.datetime.now(dt.UTC)
    return now.date()


def _fill(html: str, linker: pages.Linker, files: pages.Linker, content: Content) -> str:
    """Put the generated lists where a page asks for them: `<!-- home:meeting -->`."""
    quiz = pages.newest_quiz(content)
    lists: dict[str, Callable[[], str]] = {
        "home:meeting": lambda: pages.home_meeting(content, _today(), linker),
        "home:topics": lambda: pages.topic_cards(content, linker),
        "home:demos": lambda: pages.demo_cards(_Build.demos, linker),
        "home:quiz": lambda: pages.quiz_card(quiz, linker) if quiz else "",
        "list:library": lambda: pages.library_list(content, linker),
        "list:meetings": lambda: pages.meeting_list(content, linker),
        "list:quizzes": lambda: pages.quiz_list(content, linker),
        "list:ledgers": lambda: ledgers.ledger_list(_Build.ledgers, linker),
        "list:demos": lambda: pages.demo_cards(_Build.demos, linker),
        "links:library": lambda: carrying.citation_links("library", files),
        "links:group": lambda: carrying.group_links(files),
        "map:library": lambda: library_map(content.library, linker),
    }
    for name, make in lists.items():
        placeholder = f"<!-- {name} -->"
        if placeholder in html:
            html = html.replace(placeholder, make())
    return html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    return carrying.announce_feed(output, _site_linker(page))


@event_priority(-100)  # after the index plugin
def on_post_build(config: MkDocsConfig) -> None:
    site = Path(config.site_dir)
    carrying.write_exports(_Build.content, config.site_url or "", site)
    if memory := _memory(config):
        index = site / "search" / "search_index.json"
        merged = preview.merge_search(json.loads(index.read_text("utf-8")), memory)
        index.write_text(json.dumps(merged), "utf-8")


# Building ----------------------------------------------------------------------------------------


def build(
    root: Path, settings: Settings, memory: preview.Memory | None = None, *, dirty: bool = False
) -> None:
    """Build the site, strictly. Raises MkDocs' Abort or another MkDocsException if it fails.

    With a preview's `memory`, broken files are left out and named on each page; `dirty` builds only
    the pages that changed.
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
        config.extra["readout_preview"] = memory
    config.plugins.on_startup(command="build", dirty=dirty)
    try:
        run(config, dirty=dirty)
    finally:
        config.plugins.on_shutdown()
    if memory is None:
        write_stamp(root, settings)
