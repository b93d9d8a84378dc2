"""The packet of a meeting: complete, without keys, with links that hold."""

import datetime as dt
import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from api.content import Content, read_content
from api.packet import exports, linker, packet, sections
from api.pages import Broken
from tests.conftest import CONTENT, ROOT

BASE = "https://group.example.org"
PATH = "meetings/2026-03-12/packet/index.html"


class Outline(HTMLParser):
    """The headings, links and addresses of a page, and whether its tags are closed in order."""

    VOID = {"meta", "br", "hr", "img", "link", "input", "col"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((tag, ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.headings and self.headings[-1][0] in self.open:
            tag, text = self.headings[-1]
            self.headings[-1] = (tag, text + data)


@pytest.fixture
def example() -> Content:
    return read_content(CONTENT / "docs", CONTENT / "executed")


def change_reading(content: Content, body: str) -> None:
    [entry] = content.library.values()
    content.library[entry.slug] = entry.model_copy(update={"body": body})


def test_a_packet_has_agenda_readings_questions_and_room(example):
    page = Outline(exports(example, BASE)[PATH])

    assert page.headings == [
        ("h1", "An example meeting"),
        ("h2", "Agenda"),
        ("h2", "1. Interpretability in the Wild"),
        ("h3", "To discuss"),
        ("h2", "Quiz: An example quiz"),
        *[("h3", f"Question {number}") for number in range(1, 7)],
        ("h2", "Notes"),
    ]
    assert page.open == []
    text = " ".join(page.text.split())
    for said in (
        "What we asked",
        "The paper that names the heads.",
        "Why?",
        "Kevin Wang, Alexandre Variengien",
        "Answers count until 2026-03-12 16:00 UTC.",
        "A head that copies each token to the end.",
        "Your number: share",
    ):
        assert said in text


def test_a_packet_leaves_out_what_there_is_not(example):
    change_reading(example, "## What it claims\n\n- Nothing.\n")
    for slug, quiz in example.quizzes.items():
        example.quizzes[slug] = quiz.model_copy(update={"closes_at": None})

    page = Outline(exports(example, BASE)[PATH])

    assert ("h2", "1. Interpretability in the Wild") in page.headings
    assert ("h3", "To discuss") not in page.headings
    assert "Answers count until" not in page.text
    assert page.open == []


def test_a_reading_of_two_meetings_is_in_both_packets(example):
    meeting = example.meetings["2026-03-12"]
    later = meeting.model_copy(update={"slug": "2026-04-02", "date": dt.date(2026, 4, 2)})
    example.meetings[later.slug] = later

    found = exports(example, BASE)

    for path in (PATH, PATH.replace("2026-03-12", "2026-04-02")):
        assert ("h2", "1. Interpretability in the Wild") in Outline(found[path]).headings
        assert "The paper that names the heads." in found[path]


def test_a_packet_tells_no_answer(example):
    html = exports(example, BASE)[PATH]

    for question in example.quizzes["example"].questions:
        for said in (question.why, question.hint, *(o.feedback for o in question.options)):
            assert said is None or said not in html
    assert "CANARY" not in html
    assert "residual stream" not in html
    assert "0.73" not in html and "example-accuracy" not in html
    assert "checked" not in html


def test_what_is_to_be_ordered_or_matched_stands_in_no_telling_order(example):
    html = exports(example, BASE)[PATH]

    steps = example.quizzes["example"].question("steps")
    assert steps.offered != steps.options
    places = [html.index(f"</span>{option.text}</li>") for option in steps.offered]
    assert places == sorted(places)
    assert "<li>A: " in html and "=&gt;" not in html


def test_a_packet_asks_nobody_else_for_anything(example):
    page = Outline(exports(example, BASE)[PATH])

    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "base"})
    assert [a for a in page.addresses if not a.startswith("../")] == []
    assert "url(" not in exports(example, BASE)[PATH]
    # Without it a browser asks for one at the root of the site, where there is none.
    assert '<link rel="icon" href="../../../assets/mark.svg">' in exports(example, BASE)[PATH]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("library/2022-wang-ioi.md#try-it", "library/2022-wang-ioi/#try-it"),
        ("demos/00_ioi.ipynb", "demos/00_ioi/"),
        ("../demos/executed/00_ioi.ipynb", "demos/00_ioi/"),
        ("glossary.md#ioi", "glossary/#ioi"),
        ("library/index.md", "library/"),
        ("index.md", ""),
        ("assets/talk.svg", "assets/talk.svg"),
        ("meetings/2026-03-12.md", "meetings/2026-03-12/"),
    ],
)
def test_a_source_path_becomes_an_address(source, address):
    here = "meetings/2026-03-12/packet/"

    assert urljoin(f"{BASE}/{here}", linker(here)(source)) == f"{BASE}/{address}"


def test_links_facts_and_formulas_of_a_reading_are_those_of_the_site(example):
    change_reading(
        example,
        "Right in {fact:example-accuracy:percent}, see [circuits](../topics/circuits.md#x),"
        " [below](#to-discuss), [out](https://example.org/a?b=1&c=2).\n\n"
        "## To discuss\n\n1. Is \\( x^2 \\) & `../y.md` enough?\n\n## After\n\nNot this.\n",
    )

    html = exports(example, BASE)[PATH]

    site = "../../../"
    assert f'<a class="fact" href="{site}demos/00_example/">73.1 %</a>' in html
    assert f'href="{site}topics/circuits/#x"' in html
    assert f'href="{site}library/2022-wang-ioi/#to-discuss"' in html
    assert 'href="https://example.org/a?b=1&amp;c=2"' in html
    assert "<msup>" in html and "<code>../y.md</code>" in html
    assert "Not this." not in html


def test_a_reading_names_no_fact_that_does_not_exist(example):
    change_reading(example, "{fact:nope}\n")

    with pytest.raises(Broken, match=r"2022-wang-ioi\.md: no notebook records a fact 'nope'"):
        exports(example, BASE)


def test_what_authors_wrote_is_text_and_not_markup(example):
    [meeting] = example.meetings.values()
    meeting = meeting.model_copy(update={"title": "<i>A</i>", "body": "## `<b>` & *c*\n"})

    html = packet(meeting, example, str)

    assert "<h1>&lt;i&gt;A&lt;/i&gt;</h1>" in html
    assert "<li>&lt;b&gt; &amp; c</li>" in html


def test_a_meeting_with_nothing_prepared_still_has_room_for_notes(example):
    [meeting] = example.meetings.values()
    bare = meeting.model_copy(update={"slug": "2026-04-09", "readings": [], "body": "Soon.\n"})

    page = Outline(packet(bare, example, str))

    assert page.headings == [("h1", "An example meeting"), ("h2", "Notes")]


def test_a_heading_in_code_is_no_section():
    body = "Intro\n\n## One\n\ntext\n\n```\n## no\n```\n\nTwo\n---\n\nmore\n"

    assert sections(body) == [("One", "text\n\n```\n## no\n```"), ("Two", "more")]


def test_every_link_of_every_packet_leads_to_a_page():
    content = read_content(ROOT / "docs", ROOT / "demos" / "executed")
    docs = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    pages = {f"{path.with_suffix('')}/".removesuffix("index/") for path in docs}
    pages |= {f"demos/{path.stem}/" for path in (ROOT / "demos" / "executed").glob("*.ipynb")}

    for path, html in exports(content, BASE).items():
        addresses = [urljoin(f"{BASE}/{path}", a) for a in Outline(html).addresses]
        ours = {a.removeprefix(f"{BASE}/").split("#")[0] for a in addresses if a.startswith(BASE)}
        assert ours - pages == {"assets/mark.svg"}
