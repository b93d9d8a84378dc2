"""The site generator's hooks, and `build`, which runs it.

The hooks are thin: each hands text and records to a function elsewhere and puts the result back.
MkDocs loads this file by its path, once a build.
"""

import json
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
from mkdocs.utils import get_relative_url

from api import notebook_pages, pages, quiz_pages
from api.content import Content, read_content
from api.fingerprint import write_stamp
from api.settings import Settings
from demos import facts, notebooks  # the one place where the two meet; needs no torch

ROOT = Path(__file__).resolve().parent.parent
STAGE = Path(".cache") / "notebook-pages"  # the executed notebooks as the site shows them


class _Build:
    """What one build knows. Set when its files are listed."""

    content: Content
    files: Files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    # Python-Markdown would put a paragraph around an element that it does not know.
    config.markdown_extensions.append("api.blocks")
    return config


@event_priority(100)  # before mkdocs-jupyter looks at the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    settings = Settings()
    content = read_content(Path(config.docs_dir), settings.executed_dir)
    if content.problems:
        raise PluginError("\n".join(str(problem) for problem in content.problems))
    _Build.content, _Build.files = content, files
    for path in _stage_notebooks(config):
        name = f"demos/{path.name}"
        files.append(File(name, str(path.parents[1]), config.site_dir, config.use_directory_urls))
    return files


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
        path = folder / f"{script.stem}.ipynb"
        path.write_text(json.dumps(_with_site_links(notebook, script.name)), "utf-8")
        staged.append(path)
    return staged


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
    try:
        markdown = pages.insert_facts(markdown, content.facts, path, linker)
    except pages.Broken as error:
        raise PluginError(str(error)) from error
    if folder == "meetings" and slug in content.meetings:
        page.meta.setdefault("title", content.meetings[slug].name)
    if folder == "quizzes" and slug in content.quizzes:
        # The questions come as HTML, later; their Markdown holds the keys.
        return content.quizzes[slug].intro
    return markdown


@event_priority(-50)
def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    path, content, linker = page.file.src_uri, _Build.content, _linker(page, files)
    folder, slug = path.rpartition("/")[0], Path(path).stem
    if folder == "demos" and path.endswith(".ipynb"):
        return notebook_pages.notebook_page(html, f"{slug}.ipynb", path)
    html = notebook_pages.render_math(html, path)
    if folder == "library" and slug in content.library:
        entry = content.library[slug]
        return (
            pages.entry_head(entry, content, linker)
            + html
            + pages.entry_foot(entry, content, linker)
        )
    if folder == "meetings" and slug in content.meetings:
        meeting = content.meetings[slug]
        head = pages.meeting_head(meeting, content, linker)
        return head + html + pages.meeting_foot(meeting)
    if folder == "topics" and slug in content.topics:
        return html + pages.topic_foot(content.topics[slug], content, linker)
    if folder == "quizzes" and slug in content.quizzes:
        return html + quiz_pages.quiz_form(content.quizzes[slug], content.facts)
    return _fill(html, linker, content)


def _fill(html: str, linker: pages.Linker, content: Content) -> str:
    """Put the generated lists where a page asks for them: `<!-- home:meeting -->`."""
    latest, quiz = content.latest_meeting, pages.newest_quiz(content)
    lists: dict[str, Callable[[], str]] = {
        "home:meeting": lambda: pages.meeting_card(latest, linker) if latest else "",
        "home:topics": lambda: pages.topic_cards(content, linker),
        "home:demos": lambda: _demo_cards(linker),
        "home:quiz": lambda: pages.quiz_card(quiz, linker) if quiz else "",
        "list:library": lambda: pages.library_list(content, linker),
        "list:meetings": lambda: pages.meeting_list(content, linker),
        "list:quizzes": lambda: pages.quiz_list(content, linker),
        "list:demos": lambda: _demo_cards(linker),
    }
    for name, make in lists.items():
        placeholder = f"<!-- {name} -->"
        if placeholder in html:
            html = html.replace(placeholder, make())
    return html


def _demo_cards(linker: pages.Linker) -> str:
    cards = [
        pages.demo_card(
            script.stem, *notebook_pages.notebook_summary(notebooks.read_script(script)), linker
        )
        for script in notebooks.discover()
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


# Building ----------------------------------------------------------------------------------------


def build(root: Path, settings: Settings) -> None:
    """Build the site, strictly. Raises MkDocs' Abort or another MkDocsException if it fails."""
    from mkdocs.commands.build import build as run
    from mkdocs.config import load_config

    config = load_config(
        str(root / "mkdocs.yml"),
        site_dir=str(settings.site_dir.resolve()),
        site_url=f"{settings.base}/",
        strict=True,
    )
    config.plugins.on_startup(command="build", dirty=False)
    try:
        run(config)
    finally:
        config.plugins.on_shutdown()
    write_stamp(root, settings)
