"""The group's own notes, `seed.md`, stand in the built site word for word, each in its place."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.test_site import site  # noqa: F401  the built site

SEED = Path(__file__).with_name("seed.md")

# Where the parts of the seed live: its top-level headings, and the page that keeps each part.
PLACES = {
    None: "topics/strengths",  # the talks and the paper that it opens with
    "Strengths": "topics/strengths",
    "Adversarial & Visualization": "topics/adversarial",
    "2023-11-07 meeting": "meetings/2023-11-07",
    "IOI links": "topics/ioi",
}


def plain(text: str) -> str:
    """Text as a reader sees it: without marks, entities, and differences in white space."""
    return re.sub(r"\s+", "", unescape(text)).replace("’", "'")


class Text(HTMLParser):
    """The text of an article. What is not read as part of it is left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.skipped = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "template"):
            self.skipped += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "template"):
            self.skipped -= 1

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.parts.append(data)


def seed_blocks() -> list[tuple[str | None, str]]:
    """Every paragraph, bullet, quotation and heading of the seed, with the part it stands in."""
    part: str | None = None
    blocks = []
    tokens = MarkdownIt("commonmark").parse(SEED.read_text("utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type != "inline":
            continue
        text = "".join(
            child.content if child.type in ("text", "code_inline") else " "
            for child in token.children or []
            if child.type in ("text", "code_inline", "softbreak", "hardbreak")
        )
        if before is not None and before.type == "heading_open" and before.tag == "h1":
            part = text
        blocks.append((part, text))
    return blocks


@pytest.mark.parametrize("part", list(PLACES))
def test_each_part_of_the_seed_is_complete_and_in_its_place(site: Path, part: str | None):  # noqa: F811
    html = (site / PLACES[part] / "index.html").read_text("utf-8")
    article = html.split("<article", 1)[1].rsplit("</article>", 1)[0]
    found = plain("".join(Text(article).parts))
    title = plain("".join(Text(html.split("<title>")[1].split("</title>")[0]).parts))

    blocks = [text for where, text in seed_blocks() if where == part]
    missing = [text for text in blocks if plain(text) not in found and plain(text) not in title]

    assert blocks
    assert missing == []


def test_the_parts_are_all_of_the_seed():
    assert {part for part, _ in seed_blocks()} == set(PLACES)


def test_the_missing_picture_of_a_talk_became_our_own_mark(site: Path):  # noqa: F811
    html = (site / "topics" / "strengths" / "index.html").read_text("utf-8")
    marks = re.findall(r'<img[^>]*talk\.svg"[^>]*>', html)
    assert len(marks) == SEED.read_text("utf-8").count("yt.png")
    assert all('alt="' in mark and 'alt=""' not in mark for mark in marks)
