"""What the hooks of the site do with what is broken: a preview names it, a build ends."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from api import site
from api.assembly import Parts
from api.content import Content, read_content
from api.glossary import Glossary
from api.preview import Memory
from api.settings import Settings
from demos import notebooks
from tests.conftest import CONTENT

SCRIPT = "# %% [markdown]\n# # A demo\n#\n# It reads [a page](../docs/nowhere.md).\n"


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the preview leaves out, as the build keeps it."""
    kept: list[str] = []
    monkeypatch.setattr(site._Build, "problems", kept, raising=False)
    return kept


def config_of(folder: Path, memory: Memory | None) -> MkDocsConfig:
    config = MkDocsConfig(config_file_path=str(folder / "mkdocs.yml"))
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    config.load_dict({"site_name": "Readout", "docs_dir": str(docs), "site_dir": "site"})
    config.extra = {"readout_preview": memory} if memory else {}
    config.use_directory_urls = True
    return config


def parts_of(content: Content) -> Parts:
    return Parts(content, Glossary([]), site._today())


@pytest.fixture
def parts() -> Parts:
    return parts_of(read_content(CONTENT / "docs", CONTENT / "executed"))


def test_a_broken_glossary_is_none_in_a_preview_and_ends_a_build(
    tmp_path: Path, memory: Memory, problems: list[str]
):
    config = config_of(tmp_path, memory)
    glossary = Path(config.docs_dir) / "glossary.md"
    glossary.write_text("# Glossary\n\n## Nothing {#nothing}\n")

    assert site._read_glossary(config).by_name == {}
    (problem,) = problems
    assert "Nothing" in problem and problem.startswith("glossary.md")
    with pytest.raises(PluginError, match="Nothing"):
        site._read_glossary(config_of(tmp_path, None))


@pytest.fixture
def demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two notebooks: one with a result of other code, one never executed."""
    folder = tmp_path / "demos"
    executed = folder / "executed"
    executed.mkdir(parents=True)
    for name in ("00_changed", "01_never"):
        (folder / f"{name}.py").write_text(SCRIPT)
    for name in ("executed_path", "stale", "left_over"):
        known = getattr(notebooks, name)
        monkeypatch.setattr(notebooks, name, lambda given, *_, known=known: known(given, executed))
    scripts = notebooks.discover(folder)
    monkeypatch.setattr(notebooks, "discover", lambda: scripts)
    notebook = notebooks.read_script(scripts[0])
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<marquee>x"}}
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {}, "source": "1", "id": "cell-01"}
    notebook["cells"].append({**cell, "execution_count": 1, "outputs": [output]})
    notebooks.seal(notebook, "0000", {})
    (executed / "00_changed.ipynb").write_text(json.dumps(notebook))
    return folder


def test_a_preview_names_the_notebooks_that_it_cannot_show(
    demos: Path, tmp_path: Path, memory: Memory, problems: list[str], parts: Parts
):
    config = config_of(tmp_path, memory)
    left = tmp_path / site.STAGE / "demos" / "99_gone.ipynb"
    left.parent.mkdir(parents=True)
    left.write_text("{}")

    staged = site._stage_notebooks(parts, Files([]), config)

    said = "\n".join(problems)
    assert "00_changed.py: has changed since it was executed" in said
    assert "01_never.py: has never been executed" in said
    assert "demos/executed/00_changed.ipynb: an output of cell 1 holds <marquee>" in said
    assert "demos/00_changed.py: no page nowhere.md" in said
    assert [path.name for path in staged] == ["00_changed.ipynb"]
    assert "marquee" not in staged[0].read_text()
    assert (len(parts.demos), parts.ledgers) == (1, [])  # it has made no claims
    assert not left.exists()


def test_notebooks_that_cannot_be_shown_end_a_build(demos: Path, tmp_path: Path, parts: Parts):
    with pytest.raises(PluginError, match="has never been executed"):
        site._stage_notebooks(parts, Files([]), config_of(tmp_path, None))


def test_a_page_with_an_unknown_fact_is_named_in_a_preview_and_ends_a_build(
    tmp_path: Path, memory: Memory, parts: Parts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(site._Build, "parts", parts, raising=False)
    config = config_of(tmp_path, memory)
    page = Page(None, File("about.md", config.docs_dir, config.site_dir, True), config)
    text = "Measured: {fact:nowhere}"
    why = "about.md: no notebook records a fact 'nowhere'"

    assert site.on_page_markdown(text, page, config, Files([])) == text
    assert why in memory.broken["about.md"]
    assert site.on_page_markdown("Mended.", page, config, Files([])) == "Mended."
    assert memory.broken == {}
    with pytest.raises(PluginError, match=why):
        site.on_page_markdown(text, page, config_of(tmp_path, None), Files([]))


def test_builds_of_one_checkout_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They share the folder of the notebooks, which each clears of what is not its own."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text("site_name: Readout\ntheme: mkdocs\nplugins: []\n")
    running, most = 0, []

    def run(config: MkDocsConfig, dirty: bool) -> None:
        nonlocal running
        running += 1
        most.append(running)
        time.sleep(0.1)
        running -= 1

    monkeypatch.setattr("mkdocs.commands.build.build", run)
    settings = [
        Settings(site_dir=tmp_path / f"site{n}", content_dir=tmp_path / "docs") for n in range(3)
    ]
    with ThreadPoolExecutor(len(settings)) as pool:
        list(pool.map(lambda each: site.build(tmp_path, each, Memory()), settings))

    assert most == [1, 1, 1]
