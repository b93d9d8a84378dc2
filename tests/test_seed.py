"""The group's own notes, `seed.md`, stand in the built site word for word, each in its place."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

SEED = Path(__file__).with_name("seed.md")
MARK = "The group's notes"

# The pages that keep the seed, and the parts that each keeps: its top-level headings.
PLACES: dict[str, list[str | None]] = {
    "topics/strengths": [None, "Strengths"],  # None: the talks and the paper that it opens with
    "topics/adversarial": ["Adversarial & Visualization"],
    "meetings/2023-11-07": ["2023-11-07 meeting"],
    "topics/ioi": ["IOI links"],
}


class Block(NamedTuple):
    """A paragraph, bullet, quotation or heading: its words, and where its links lead."""

    text: str
    links: tuple[str, ...]


def plain(text: str) -> str:
    """Text as a reader sees it: line breaks and runs of blanks are one blank."""
    return " ".join(text.split())


class Notes(HTMLParser):
    """The blocks of a page that are marked as the group's, and the headings right above them."""

    BLOCKS = frozenset(
        {"p", "li", "ul", "ol", "div", "blockquote", *(f"h{n}" for n in range(1, 7))}
    )

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self.heading: Block | None = None  # outside of the notes, the last thing before them
        self.inside = 0  # how many <div> are open, the notes' own included
        self.text = ""
        self.links: list[str] = []
        self.feed(html)

    def end_block(self, tag: str) -> None:
        block = Block(plain(self.text), tuple(self.links))
        self.text, self.links = "", []
        if not block.text:
            return
        if block.text == MARK:  # as the title of a box, or as a heading of ours
            self.blocks += [self.heading] if self.inside and self.heading else []
            self.heading = None
        elif self.inside:
            self.blocks.append(block)
        else:
            self.heading = block if tag == "h2" else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.BLOCKS:
            self.end_block(tag)
        if tag == "div" and (self.inside or "admonition" in (given.get("class") or "")):
            self.inside += 1
        if tag == "a" and given.get("class") is None:  # no term of the glossary, no anchor
            self.links.append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.BLOCKS:
            self.end_block(tag)
        if tag == "div" and self.inside:
            self.inside -= 1

    def handle_data(self, data: str) -> None:
        self.text += data.replace("¶", "")


def seed_blocks() -> list[tuple[str | None, Block]]:
    """Every paragraph, bullet, quotation and heading of the seed, with the part it stands in."""
    part: str | None = None
    blocks = []
    tokens = MarkdownIt("commonmark").parse(SEED.read_text("utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type != "inline":
            continue
        children = token.children or []
        text = "".join(
            child.content if child.type in ("text", "code_inline") else " "
            for child in children
            if child.type in ("text", "code_inline", "softbreak", "hardbreak")
        )
        links = (str(child.attrs["href"]) for child in children if child.type == "link_open")
        if before is not None and before.type == "heading_open" and before.tag == "h1":
            part = text
        blocks.append((part, Block(plain(text), tuple(links))))
    return blocks


@pytest.mark.parametrize("page", list(PLACES))
def test_a_page_keeps_its_part_of_the_seed_block_for_block(site: Path, page: str):
    html = (site / page / "index.html").read_text("utf-8")
    article = html.split("<article", 1)[1].rsplit("</article>", 1)[0]
    given = [block for part, block in seed_blocks() if part in PLACES[page]]
    if page.startswith("meetings/"):  # the heading of the whole part is the page's first sentence
        heading = given.pop(0)
        assert f"<strong>{heading.text}.</strong>" in article

    assert Notes(article).blocks == given


def test_the_parts_are_all_of_the_seed():
    assert {part for part, _ in seed_blocks()} == {
        part for kept in PLACES.values() for part in kept
    }


def test_the_missing_picture_of_a_talk_became_our_own_mark(site: Path):
    html = (site / "topics" / "strengths" / "index.html").read_text("utf-8")
    marks = re.findall(r'<img[^>]*talk\.svg"[^>]*>', html)
    assert len(marks) == SEED.read_text("utf-8").count("yt.png")
    assert all('alt="' in mark and 'alt=""' not in mark for mark in marks)
