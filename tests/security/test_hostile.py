"""What a pull request may try: outputs that act, pages that read what is not theirs."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from api.outputs import foreign
from demos import notebooks
from tests.conftest import ROOT

EVIL = {
    "script": ("text/html", "<script>alert(1)</script>"),
    "handler": ("text/html", "<p onclick=alert(1)>x</p>"),
    "picture": ("text/html", "<img src=x onerror=alert(1)>"),
    "unfinished": ("text/html", "<b>x</b><img src=x onerror=alert(1)"),
    "unfinished in svg": ("text/html", "<svg/onload=alert(1)//"),
    "address": ("text/html", "<a href=javascript:alert(1)>x</a>"),
    "frame": ("text/html", "<iframe srcdoc='x'></iframe>"),
    "overlay": ("text/html", "<div style='position:fixed;inset:0'>x</div>"),
    "overlay, escaped": ("text/html", r"<div style='p\\6fsition:fixed'>x</div>"),
    "tracker": ("text/html", "<div style='background:url(//example.org/x)'>x</div>"),
    "form": ("text/html", "<form action=/api/v1/session><button>x</button></form>"),
    "a name that is the page's own": ("text/html", "<div name=cookie>x</div>"),
    "svg link": ("text/html", "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>"),
    "foreign": ("text/html", "<svg><foreignObject>x</foreignObject></svg>"),
    "animation": ("text/html", "<svg><set attributeName=onload to=alert(1) /></svg>"),
    "hidden": ("text/html", "<!--><img src=x onerror=alert(1)>-->"),
    "declaration": ("text/html", "<![CDATA[<img src=x onerror=alert(1)>]]>"),
    "instruction": ("text/html", "<?php system('id') ?>"),
    "comment without an end": ("text/html", "<p>x</p><!-- "),
    "style": ("text/html", "<style>body{display:none}</style>"),
    "in lines": ("text/html", ["<scr", "ipt>alert(1)</script>"]),
    "markdown": ("text/markdown", "*x* <img src=x onerror=alert(1)>"),
    "markdown link": ("text/markdown", "[x](java&#115;cript:alert(1))"),
    "javascript": ("application/javascript", "alert(1)"),
    "svg": ("image/svg+xml", "<svg onload='alert(1)'/>"),
    "widget": ("application/vnd.jupyter.widget-view+json", {"model_id": "1"}),
    "latex": ("text/latex", r"\href{javascript:alert(1)}{x}"),
}


def notebook(kind: str, value: object) -> str:
    output = {"output_type": "display_data", "metadata": {}, "data": {kind: value}}
    return json.dumps({"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]})


@pytest.mark.parametrize("name", EVIL)
def test_an_output_that_does_more_than_show_is_refused(name: str):
    assert str(foreign(notebook(*EVIL[name]))).startswith("an output of cell 0 ")


def test_a_file_in_a_cell_is_refused():
    prose = {"cell_type": "markdown", "source": "x", "attachments": {"../../x": {}}}
    assert str(foreign(json.dumps({"cells": [prose]}))).startswith("cell 0 has an attachment")


def test_what_our_notebooks_show_is_let_pass():
    executed = [notebooks.executed_path(script) for script in notebooks.discover()]
    assert {foreign(path.read_text("utf-8")) for path in executed} == {None}
    assert len(executed) > 10


CANARY = "canary-5b1f0c"
MARK = "was-run"
ENTRY = """\
---
title: "{{ env }} !ENV CANARY ${{ secrets.CANARY }}"
authors: [A. Hostile]
year: 2022
kind: paper
url: https://example.org/
topics: [circuits]
---
--8<-- "canary.txt"

{% include "canary.txt" %} {{ config }} {{ ''.__class__.__mro__ }} $CANARY ${CANARY} %(CANARY)s

<!-- !!python/object/apply:os.system ["touch was-run"] -->
"""
REFUSED = {
    "links.md": "![x](../../../canary.txt) [x](file:///etc/passwd)\n",
    "tag.md": '---\ntitle: !!python/object/apply:os.system ["touch was-run"]\n---\nx\n',
    "environment.md": "---\ntitle: !ENV CANARY\n---\nx\n",
    "bomb.md": "---\na: &a [x, x]\ntitle: [*a, *a]\n---\nx\n",
}


# The build reads mkdocs.yml as its author wrote it, like the code beside it; the check does not.
SETTINGS = """\
site_name: !!python/object/apply:os.system ["touch was-run"]
copyright: !ENV CANARY
"""


PICKLES = ["docs/library/pickled.md", "docs/quizzes/pickled.yml", "model.safetensors"]


class Pickled:
    """Whoever unpickles it runs a command."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {MARK}",)


def test_what_is_hostile_would_act_where_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without this, the test below could pass because nothing in it would ever act."""
    monkeypatch.chdir(tmp_path)
    for run in (lambda: pickle.loads(pickle.dumps(Pickled())), lambda: load_settings(SETTINGS)):
        run()
        (tmp_path / MARK).unlink()


def load_settings(text: str) -> object:
    """As MkDocs does."""
    return yaml.load(text.replace("!ENV ", ""), yaml.Loader)


def shorten(executed: Path) -> None:
    """Leave the title and the recorded facts of a notebook: showing all of it takes seconds."""
    found = json.loads(executed.read_text("utf-8"))
    executed.write_text(json.dumps(found | {"cells": found["cells"][:1]}), "utf-8")


def test_the_check_of_a_pull_request_runs_nothing_and_tells_nothing(tmp_path: Path):
    """The workflow's steps on what somebody wrote, with a secret in reach."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "api", tree / "api")
    shutil.copytree(ROOT / "demos", tree / "demos")
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tree)
    (tree / "canary.txt").write_text(CANARY)
    (tree / "docs/library/2022-hostile.md").write_text(ENTRY, "utf-8")
    for name, text in REFUSED.items():
        (tree / "docs/library" / name).write_text(text, "utf-8")
    for name in PICKLES:
        (tree / name).write_bytes(pickle.dumps(Pickled()))
    (tree / "docs/conftest.py").write_text(f"open({MARK!r}, 'w')")
    executed = tree / "demos/executed/00_ioi.ipynb"
    for other in set(executed.parent.glob("*.ipynb")) - {executed}:
        shorten(other)
    found = json.loads(executed.read_text("utf-8"))
    code = next(cell for cell in found["cells"] if cell["cell_type"] == "code")
    evil = json.loads(notebook("text/html", f"<script>{MARK}</script>"))
    code["outputs"] = evil["cells"][0]["outputs"]
    executed.write_text(json.dumps(found), "utf-8")
    (tree / "docs/library/link.md").symlink_to("/etc/passwd")
    environment = {**os.environ, "CANARY": CANARY, "PYTHONPATH": str(tree)}
    said = ""
    for arguments in (["build", "--preview"], ["check", "--format", "github"]):
        if arguments[0] == "check":
            (tree / "mkdocs.yml").write_text(SETTINGS)
        done = subprocess.run(
            [sys.executable, "-c", "from api.cli import app; app()", *arguments],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said += done.stdout + done.stderr
    assert "{{ config }}" in (tree / "site/library/2022-hostile/index.html").read_text("utf-8")
    assert "docs/library/pickled.md" in said
    for name in (*REFUSED, "link.md"):
        assert f"docs/library/{name}" in said
    assert "demos/executed/00_ioi.ipynb,line=1::an output of cell" in said
    shown = {path: path.read_bytes() for path in (tree / "site").rglob("*") if path.is_file()}
    assert shown
    assert CANARY not in said
    assert "root:" not in said
    for told in (CANARY, "root:x", f"<script>{MARK}"):
        assert not [path for path, data in shown.items() if told.encode() in data]
    assert not list(tree.rglob(MARK))
