"""The built site: complete, strict, without a third party, and without a key."""

import base64
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

import pytest

from api.content import Content, read_content
from api.grading import find_key
from api.markup import markdown_files
from api.questions import FactKey, Question
from demos.explorers import EXPLORER_MIME
from tests.conftest import BASE, ROOT


@pytest.fixture(scope="session")
def content() -> Content:
    return read_content(ROOT / "docs", ROOT / "demos" / "executed")


class Page(HTMLParser):
    """Addresses, ids and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.text = ""
        self.hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src", "srcset", "poster", "action"):
            if given.get(name):
                self.addresses.append((tag, given[name]))
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.text += data


def html_pages(site: Path) -> Iterator[tuple[str, Page]]:
    for path in sorted(site.rglob("*.html")):
        yield path.relative_to(site).as_posix(), Page(path.read_text("utf-8"))


def test_every_internal_link_and_anchor_holds(site: Path):
    pages = dict(html_pages(site))
    broken = []
    for name, page in pages.items():
        here = f"{BASE}/{name.removesuffix('index.html')}"
        for _, address in page.addresses:
            target = urlparse(urljoin(here, address))
            if f"{target.scheme}://{target.netloc}" != BASE or name == "404.html":
                continue
            path = unquote(target.path).lstrip("/")
            path = f"{path}index.html" if not path or path.endswith("/") else path
            if not (site / path).is_file():
                broken.append((name, address))
            elif target.fragment and path in pages:
                fragment = unquote(target.fragment)
                known = pages[path].ids | {"__comments", "join"}
                if fragment not in known:
                    broken.append((name, address))
    assert broken == []


def test_no_page_asks_a_third_party_for_anything(site: Path):
    asked = [
        (name, address)
        for name, page in html_pages(site)
        for tag, address in page.addresses
        if tag not in ("a",) and not address.startswith(("data:", "#"))
        if urlparse(urljoin(f"{BASE}/", address)).netloc != "127.0.0.1:8000"
    ]
    styles = [
        (path.name, url)
        for path in site.rglob("*.css")
        for url in re.findall(r"url\(['\"]?(https?:[^)'\"]+)", path.read_text("utf-8"))
    ]
    assert asked == []
    assert styles == []


def test_every_link_of_the_seed_has_its_entry(content: Content):
    links = [
        "https://www.youtube.com/watch?v=jkrNMKz9pWU",
        "https://www.youtube.com/watch?v=5Sze3kHAZqE",
        "https://www.youtube.com/watch?v=qw4PrtyvJI0&t=24953s",
        "https://openreview.net/pdf?id=gEZrGCozdqR",
        "https://www.youtube.com/watch?v=Kc1atfJkiJU",
        "https://transformer-circuits.pub/",
        "https://arxiv.org/abs/1905.02175",
        "https://arxiv.org/abs/2310.01469",
        "https://distill.pub/2019/advex-bugs-discussion/",
        "https://distill.pub/2020/circuits/visualizing-weights/",
        "https://distill.pub/2020/circuits/zoom-in/",
        "https://distill.pub/2019/activation-atlas/",
        "https://transformer-circuits.pub/2021/framework/index.html",
        "https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/index.html",
        "https://bbycroft.net/llm",
    ]
    assert set(links) <= {entry.url for entry in content.library.values()}


def test_every_content_file_is_a_page(site: Path):
    for folder in ("topics", "library", "meetings", "quizzes"):
        for path in markdown_files(ROOT / "docs" / folder):
            assert (site / folder / path.stem / "index.html").is_file()
    for notebook in (ROOT / "demos" / "executed").glob("*.ipynb"):
        assert (site / "demos" / notebook.stem / "index.html").is_file()
        assert (site / "demos" / notebook.stem / notebook.name).is_file()


def test_every_question_is_read_without_the_service(site: Path, content: Content):
    """R15: what is asked, and what is offered, stands in the page, also for who runs no script."""
    asked = 0
    for quiz in content.quizzes.values():
        html = (site / "quizzes" / quiz.slug / "index.html").read_text("utf-8")
        for question in quiz.questions:
            start = f'<section class="question" id="{question.id}"'
            section = html.partition(start)[2].partition("</section>")[0]
            assert "<legend>" in section, question.id
            offered = re.findall(r'(?:data-option|value|name)="([^"]+)"', section)
            assert {option.id for option in question.offered} <= set(offered), question.id
            asked += 1
    assert asked > 50


def encodings(text: str) -> set[str]:
    """The forms in which somebody might hide a text."""
    raw = text.encode()
    return {text, text[::-1], raw.hex(), base64.b64encode(raw).decode(), json.dumps(text)[1:-1]}


def secrets(question: Question, content: Content) -> set[str]:
    """What of a meeting question must not be in the site: key, explanation, feedback."""
    key = find_key(question, content.facts).response
    told = {question.why.strip()[:60], *(o.feedback[:60] for o in question.options if o.feedback)}
    if question.type == "number":
        # A rounded number stands in many places by chance; in all its digits it does not.
        told.add(str(key))
        assert isinstance(question.key, FactKey)
        told |= {f"{question.key.fact} =", f"{question.key.fact}&quot;: {{"}
    return told


def test_no_key_of_a_meeting_quiz_is_in_the_site(site: Path, content: Content):
    # Compared without markup and line breaks, in every file that a browser could fetch.
    texts = {
        path.relative_to(site).as_posix(): " ".join(path.read_text("utf-8").split())
        for path in site.rglob("*")
        if path.suffix in (".html", ".json", ".js", ".ipynb", ".xml", ".txt", ".md", ".svg")
    }
    questions = [
        (quiz.slug, question)
        for quiz in content.quizzes.values()
        if quiz.kind == "meeting"
        for question in quiz.questions
    ]
    found = [
        (slug, question.id, secret, name)
        for slug, question in questions
        for secret in secrets(question, content)
        for form in encodings(" ".join(secret.split()))
        for name, text in texts.items()
        if form in text
    ]
    assert questions
    assert found == []


def test_a_self_check_carries_its_keys(site: Path, content: Content):
    # Without this, the test above could pass because the search finds nothing at all.
    quiz = next(quiz for quiz in content.quizzes.values() if quiz.kind == "self-check")
    html = (site / "quizzes" / quiz.slug / "index.html").read_text("utf-8")
    for question in quiz.questions:
        assert question.why.split()[0] in html


def test_a_meeting_quiz_does_not_tell_by_its_order(site: Path, content: Content):
    for quiz in content.quizzes.values():
        html = (site / "quizzes" / quiz.slug / "index.html").read_text("utf-8")
        for question in quiz.questions:
            section = html.split(f' id="{question.id}"')[1].split("</section>")[0]
            assert not re.search(r"<\w[^>]*\bchecked", section)
            assert "data-correct" not in section
            if question.type == "order":
                shown = re.findall(r'<li data-option="(\w+)"', section)
                assert shown == [option.id for option in question.offered]


def test_pages_keep_their_weight(site: Path):
    import gzip

    # The theme takes 65 KB of a first visit, for which a notebook has 150 KB and another page 100.
    heavy = {
        name: size
        for path in site.rglob("*.html")
        if (size := len(gzip.compress(path.read_bytes())))
        > (82_000 if (name := path.relative_to(site).as_posix()).startswith("demos/") else 35_000)
    }
    assert heavy == {}


def test_search_finds_a_page_of_each_kind(site: Path):
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    found = {entry["location"].split("/")[0] for entry in index["docs"]}
    assert {"topics", "library", "meetings", "quizzes", "demos", "glossary"} <= found


def test_the_data_of_an_explorer_lies_beside_its_page_and_not_in_it(site: Path):
    sources = {
        page: re.findall(r'data-explorer="[a-z-]+" data-src="([^"]+)"', page.read_text("utf-8"))
        for page in (site / "demos").rglob("index.html")
    }
    assert any(sources.values())
    for page, names in sources.items():
        for name in names:
            assert json.loads((page.parent / name).read_text("utf-8"))
        for copy in (page, *page.parent.glob("*.ipynb")):
            assert EXPLORER_MIME not in copy.read_text("utf-8")
