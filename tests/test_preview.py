"""The preview: what is broken is left out and named, and the rest stays up."""

import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from queue import Queue

import pytest
import typer

from api.content import read_content
from api.preview import Memory, leave_out, marked, merge_search, notice, state, watch
from api.previewing import begin, rebuild
from api.settings import Settings
from api.site import build
from tests.conftest import CONTENT, ROOT
from tests.test_commands import free_port, wait_for_health  # noqa: F401

QUIZ = "docs/quizzes/example.md"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONTENT / "docs", tmp_path / "docs"))


def test_what_is_broken_is_left_out_and_named(docs: Path):
    quiz = docs / "quizzes" / "example.md"
    quiz.write_text(
        quiz.read_text("utf-8").replace("- [x] (a) A head", "- [ ] (a) A head"), "utf-8"
    )
    content = read_content(docs, CONTENT / "executed")

    assert leave_out(content) == {"quizzes/example.md"}
    assert content.quizzes == {}
    assert list(content.library) == ["2022-wang-ioi"]
    assert f"{QUIZ}:13: " in notice(content.problems)


def test_only_what_changed_is_read_again(docs: Path):
    cache = Memory().cache
    before = read_content(docs, None, cache)
    entry = docs / "library" / "2022-wang-ioi.md"
    entry.write_text(entry.read_text("utf-8") + "\nMore.\n", "utf-8")

    after = read_content(docs, None, cache)

    assert after.documents[QUIZ] is before.documents[QUIZ]
    assert after.library["2022-wang-ioi"].body.endswith("More.\n")


def test_a_change_is_seen_by_time_and_size(docs: Path):
    before = state([docs])
    page = docs / "quizzes" / "example.md"
    page.write_text(page.read_text("utf-8") + "x", "utf-8")
    new = docs / "library" / "new.md"
    new.write_text("x")

    assert {path for path, _ in before.items() ^ state([docs]).items()} == {str(page), str(new)}


def test_search_keeps_the_pages_that_were_not_built_again():
    memory = Memory()

    def entry(location: str, text: str) -> dict[str, str]:
        return {"location": location, "text": text}

    merge_search({"docs": [entry("a/", "1"), entry("a/#x", "2"), entry("b/", "3")]}, memory)
    merged = merge_search({"config": {}, "docs": [entry("a/", "new")]}, memory)

    assert merged == {"config": {}, "docs": [entry("a/", "new"), entry("b/", "3")]}


def test_the_next_meeting_is_the_nearest_ahead_else_the_last(docs: Path):
    text = (docs / "meetings" / "2026-03-12.md").read_text("utf-8")
    for date in ("2026-04-02", "2026-05-07"):
        (docs / "meetings" / f"{date}.md").write_text(text.replace("2026-03-12", date), "utf-8")
    content = read_content(docs)

    def next_after(day: str) -> str:
        return str(content.next_meeting(dt.date.fromisoformat(day)).date)

    assert [
        next_after(day) for day in ("2026-01-01", "2026-03-12", "2026-03-13", "2026-06-01")
    ] == [
        "2026-03-12",
        "2026-03-12",
        "2026-04-02",
        "2026-05-07",
    ]


def test_a_preview_that_cannot_be_built_at_first_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("api.previewing.watch", None)  # it does not come to that
    nowhere = tmp_path / "nowhere"

    with pytest.raises(typer.Exit) as ended:
        begin(Settings(content_dir=nowhere, site_dir=tmp_path / "site"))

    assert ended.value.exit_code == 1
    assert "readout: the preview was not built: " in capsys.readouterr().err


def test_a_preview_stays_up_and_says_so_where_a_build_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text(f"<body>{marked('')}As it was.</body>")
    watched: list[Callable[[set[str]], None]] = []
    monkeypatch.setattr("api.previewing.watch", lambda _, changed: watched.append(changed))
    with monkeypatch.context() as built_at_first:
        built_at_first.setattr("api.previewing.build", lambda *_: None)
        begin(Settings(content_dir=tmp_path / "gone", site_dir=page.parent))
    (changed,) = watched

    changed({"gone/glossary.md"})  # it is built again, and its folder has gone

    assert "As it was." in page.read_text()
    assert "Left out of this preview until mended" in page.read_text()
    assert "\nnot built: " in capsys.readouterr().err


def test_a_file_that_goes_while_a_change_is_looked_for_is_seen_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
):
    looks: list[object] = [{"a": (1, 1), "b": (1, 1)}, FileNotFoundError("b"), {"a": (1, 1)}]
    told: Queue[set[str]] = Queue()

    def look(_: object) -> object:
        if not looks:
            threading.Event().wait()  # for ever
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("api.preview.state", look)
    monkeypatch.setattr("api.preview.POLL_S", 0.01)
    watch([], told.put)

    assert told.get(timeout=60) == {"b"}


class Preview:
    """A preview of a copy of the project's content, built again on demand."""

    def __init__(self, folder: Path) -> None:
        self.docs = Path(shutil.copytree(ROOT / "docs", folder / "docs"))
        self.settings = Settings(content_dir=self.docs, site_dir=folder / "site")
        self.memory = Memory()
        build(ROOT, self.settings, self.memory)

    def page(self, path: str) -> Path:
        return self.settings.site_dir / path / "index.html"

    def html(self, path: str) -> str:
        return self.page(path).read_text("utf-8")

    def change(self, path: str, old: str, new: str) -> set[str]:
        """Replace text in a file, build, and say which pages were built again."""
        file = self.docs / path
        file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
        times = {page: page.stat().st_mtime_ns for page in self.settings.site_dir.rglob("*.html")}
        rebuild({str(file)}, self.settings, self.memory)
        return {
            page.parent.relative_to(self.settings.site_dir).as_posix()
            for page, before in times.items()
            if page.stat().st_mtime_ns != before
        }


@pytest.fixture(scope="module")
def previewed(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    return Preview(tmp_path_factory.mktemp("preview"))


def test_the_pages_that_name_a_changed_title_are_built_again(previewed: Preview):
    entry = "library/2022-wang-ioi.md"

    built = previewed.change(entry, "Interpretability in the Wild", "A circuit in the wild")

    assert "library/2022-wang-ioi" in built
    for path in ("topics/ioi", "library/2023-conmy-acdc", "meetings/2023-11-07", "library"):
        assert path in built
        assert "A circuit in the wild" in previewed.html(path)
    assert not built & {"glossary", "operating", "library/2023-zou-gcg", "demos/00_ioi"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "---\n\n",
            "---\n\nA formula that nobody can read: \\(\\frac{\\)\n\n",
            "not readable as TeX",
        ),
        ("---\n\n", "---\n\nMeasured: {fact:no-such-fact}\n\n", "records a fact"),
        ("kind: paper", "kind: papyrus", "is not known; choose from"),
    ],
)
def test_a_broken_file_is_named_on_every_page_until_it_is_mended(
    previewed: Preview, old: str, new: str, said: str
):
    entry = "library/2023-conmy-acdc.md"

    previewed.change(entry, old, new)
    broken = {path: previewed.html(path) for path in ("", "glossary", "library/2023-conmy-acdc")}
    previewed.change("library/2022-wang-ioi.md", "GPT-2 small says", "GPT-2 small writes")
    still = previewed.html("library/2022-wang-ioi")
    previewed.change(entry, new, old)

    for html in (*broken.values(), still):
        assert said in html
        assert "Left out of this preview" in html
    for page in previewed.settings.site_dir.rglob("*.html"):
        assert "Left out of this preview" not in page.read_text("utf-8")


def test_a_page_that_is_no_text_is_named_and_takes_no_other_down(previewed: Preview):
    glossary = previewed.docs / "glossary.md"
    sound = glossary.read_bytes()

    glossary.write_bytes(sound[:5000] + b"\xff")
    rebuild({str(glossary)}, previewed.settings, previewed.memory)
    broken = [previewed.html(path) for path in ("", "glossary", "topics/ioi", "library")]
    glossary.write_bytes(sound)
    rebuild({str(glossary)}, previewed.settings, previewed.memory)

    for html in broken:
        assert re.search(r"docs/glossary\.md:\d+: not UTF-8; save the file as UTF-8", html)
    assert "Left out of this preview" not in previewed.html("")
    assert 'class="term"' in previewed.html("topics/ioi")


def test_what_is_shown_stays_where_a_build_fails(
    previewed: Preview, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("something nobody thought of")

    glossary = str(previewed.docs / "glossary.md")
    before = previewed.html("library/2022-wang-ioi")
    with monkeypatch.context() as patched:
        patched.setattr("api.preview.notice", fail)
        with pytest.raises(RuntimeError, match="nobody thought of"):
            rebuild({glossary}, previewed.settings, previewed.memory)

    assert previewed.html("library/2022-wang-ioi") == before


def test_what_an_editor_keeps_for_itself_builds_nothing(docs: Path):
    before = state([docs])
    for name in (".2022-wang-ioi.md.swp", "2022-wang-ioi.md~"):
        (docs / "library" / name).write_text("x")

    assert state([docs]) == before


def test_a_preview_survives_a_broken_file_and_shows_a_change(free_port: int, tmp_path: Path):  # noqa: F811
    docs = Path(shutil.copytree(ROOT / "docs", tmp_path / "docs"))
    entry = docs / "library" / "2022-wang-ioi.md"
    (tmp_path / "secret.md").write_text("---\ntitle: Secret\n---\n")
    (docs / "library" / "linked.md").symlink_to(tmp_path / "secret.md")
    facts = docs / "library" / "2013-mikolov-regularities.md"
    facts.write_text(facts.read_text("utf-8") + "\n{fact:ioi-accuracy:d}\n", "utf-8")
    process = subprocess.Popen(
        [Path(sys.executable).with_name("readout"), "serve", "--preview", "--port", str(free_port)],
        cwd=ROOT,
        env={
            **os.environ,
            "READOUT_CONTENT_DIR": str(docs),
            "READOUT_CACHE_DIR": str(tmp_path / "cache"),
            "READOUT_DATABASE_URL": f"sqlite:///{tmp_path / 'readout.sqlite3'}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{free_port}/library/2022-wang-ioi/"

    def shows(text: str) -> bool:
        """Whether the present address comes to show a text, within a minute."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(address) as reply:
                    if text in reply.read().decode():
                        return True
            except (OSError, HTTPException):  # the page is being written at this moment
                pass
            time.sleep(0.2)
        return False

    try:
        wait_for_health(free_port, process)
        entry.write_text(entry.read_text("utf-8") + "\nA sentence just written.\n", "utf-8")
        assert shows("A sentence just written.")
        assert shows("library/linked.md:1: a symbolic link")
        assert shows("&#x27;ioi-accuracy:d&#x27;: ")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{free_port}/library/linked/")
        broken = docs / "library" / "2017-vaswani-attention.md"
        broken.write_text(broken.read_text("utf-8").replace("title:", "titel:", 1), "utf-8")
        entry.write_text(entry.read_text("utf-8") + "\nAnd another.\n", "utf-8")
        assert shows("And another.")
        assert shows("2017-vaswani-attention.md:2: unknown field")
        address = f"http://127.0.0.1:{free_port}/search/search_index.json"
        # While a build is under way, the index may hold its pages alone for a moment.
        assert shows('"location": "glossary/"')
        assert shows('"location": "library/2022-wang-ioi/"')
    finally:
        process.send_signal(signal.SIGINT)
        print(process.communicate(timeout=30)[0])  # shown when this fails
