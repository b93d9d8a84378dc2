"""Take a free-form Markdown note apart: its blocks, its links, where each begins and ends.

Positions are offsets into the text, so that what is not a link or a heading can be kept as typed.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import groupby, takewhile
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from api.drafts import fold

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A stretch of whole lines. `text` and `item` can begin with a link that opens an entry."""

    kind: str  # heading, text, item, quote, code, html, table, rule, definition
    start: int
    end: int
    level: int = 0  # of a heading
    depth: int = 0  # of a list item, from 1
    first: bool = True  # an item's first lines, and not those after a list inside it
    marker: int = 0  # column of an item's bullet
    indent: int = 0  # column of an item's text


@dataclass(frozen=True)
class Link:
    """A link to the web, however it is written. `extra` is what is neither its text nor its URL."""

    start: int
    end: int
    text: str
    text_start: int
    url: str
    url_start: int = -1  # -1: the address stands elsewhere, in the definition `label`
    extra: str = ""
    label: str | None = None


@dataclass(frozen=True)
class Definition:
    """`[label]: url "title"`."""

    start: int
    end: int
    url: str
    extra: str


def read_blocks(text: str) -> list[Block]:
    """The blocks in order. Only blank lines lie between them."""
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)

    def block(kind: str, top: int, bottom: int, **more: int) -> Block | None:
        while bottom > top and not lines[bottom - 1].strip():
            bottom -= 1
        while top < bottom and not lines[top].strip():
            top += 1
        if top == bottom:
            return None
        return Block(kind, offsets[top], offsets[bottom] - 1, **more)  # type: ignore[arg-type]

    found: list[Block | None] = []
    covered = 0
    tokens = _MARKDOWN.parse(text)
    for index, token in enumerate(tokens):
        if token.level or not token.map:
            continue
        start, end = token.map
        found.append(block("definition", covered, start))
        covered = end
        if token.type in ("bullet_list_open", "ordered_list_open"):
            for run in _runs(tokens[index + 1 :], start, end):
                line = lines[run.item].expandtabs(4)
                outer = len(line) - len(line.lstrip())
                mark = re.match(r"\s*(?:(?:[-+*]|\d{1,9}[.)])(?:\s+|$))*", line)
                inner = len(mark[0]) if mark else outer
                more = {"depth": run.depth, "first": run.begins, "marker": outer, "indent": inner}
                found.append(block("item", run.top, run.bottom, **more))
        elif token.type == "heading_open":
            found.append(block("heading", start, end, level=int(token.tag[1])))
        else:
            kinds = {"paragraph_open": "text", "blockquote_open": "quote", "table_open": "table"}
            kinds |= {"fence": "code", "code_block": "code", "html_block": "html", "hr": "rule"}
            found.append(block(kinds[token.type], start, end))
    found.append(block("definition", covered, len(lines)))
    return [b for b in found if b]


class _Run(NamedTuple):
    """Lines of a list with one innermost item. An item has several if a list interrupts it."""

    item: int  # the line on which the item begins
    depth: int
    top: int
    bottom: int

    @property
    def begins(self) -> bool:
        return self.item == self.top


def _runs(tokens: list[Token], start: int, end: int) -> Iterator[_Run]:
    """The lines of the list whose inner tokens these are, without looking into quotations."""
    owner = [(start, 1)] * (end - start)
    quotes = depth = 0
    for token in takewhile(lambda token: token.level, tokens):
        quotes += token.nesting if token.type.startswith("blockquote") else 0
        if token.type.startswith("list_item") and not quotes:
            depth += token.nesting
            if token.nesting == 1 and token.map:
                top, bottom = token.map
                owner[top - start : bottom - start] = [(top, depth)] * (bottom - top)
    line = start
    for (item, item_depth), run in groupby(owner):
        bottom = line + len(list(run))
        yield _Run(item, item_depth, line, bottom)
        line = bottom


def mask_code(text: str) -> str:
    """The text with its code blanked, character for character: a link in code is none."""
    lines = text.split("\n")
    for token in _MARKDOWN.parse(text):
        if token.type in ("fence", "code_block") and token.map:
            for number in range(*token.map):
                lines[number] = " " * len(lines[number])
    return "\n".join(lines)


_DEFINITION = re.compile(
    r"""^\ {0,3}\[(?P<label>(?:[^\[\]\\]|\\.)+)\]:[ \t]*\n?[ \t]*
    (?:<(?P<angle>[^<>\n]*)>|(?P<url>\S+))
    (?P<extra>(?:[ \t]+|[ \t]*\n[ \t]*)(?:"[^"]*"|'[^']*'|\([^()]*\)))?[ \t]*$""",
    re.M | re.X,
)


def label_of(text: str) -> str:
    return " ".join(text.split()).casefold()


def read_definitions(text: str, blocks: list[Block]) -> dict[str, Definition]:
    """The definitions of reference-style links by label; the first of a label counts."""
    found: dict[str, Definition] = {}
    for block in blocks:
        if block.kind == "definition":
            for match in _DEFINITION.finditer(text, block.start, block.end):
                url = match["url"] if match["angle"] is None else match["angle"]
                extra = f"[{match['label']}] {(match['extra'] or '').strip()}".strip()
                definition = Definition(match.start(), match.end(), url, extra)
                found.setdefault(label_of(match["label"]), definition)
    return found


_LINK = re.compile(
    r"""(?P<skip> (?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`) | \\. | <!--.*?--> )
    | (?P<bang>!?)\[(?P<text>(?:[^\[\]\\]|\\.|\[[^\[\]]*\](?:\([^()]*\))?)*+)\]
      (?: (?P<open>\(\s*)(?:<(?P<angle>[^<>\n]*)>|(?P<url>(?:[^\s()\\<]|\\.|\([^\s()]*\))*+))
          (?P<title>\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)
        | \[(?P<label>[^\[\]]*)\] )?
    | <(?P<auto>https?://[^\s<>]+)>
    | <a\s[^>]*?href\s*=\s*(?P<quote>["']?)(?P<href>[^"'\s>]+)(?P=quote)[^>]*>(?P<anchor>.*?)</a>
    | (?<![\w/"'=])(?P<bare>https?://[^\s<>]+)""",
    re.S | re.X | re.I,
)


def find_links(
    masked: str, start: int, end: int, definitions: dict[str, Definition]
) -> Iterator[Link]:
    """The links to the web between two offsets, without images and without paths."""
    for match in _LINK.finditer(masked, start, end):
        link = None if match["skip"] or match["bang"] else _link(match, definitions)
        if link and re.match(r"https?://[^\s]+\Z", link.url):
            yield link


def _link(match: re.Match[str], definitions: dict[str, Definition]) -> Link | None:
    begin, end = match.span()
    if match["auto"]:
        return Link(begin, end, "", begin, match["auto"], match.start("auto"))
    if match["bare"]:
        url = _trim(match["bare"])
        return Link(begin, begin + len(url), "", begin, url, begin)
    if match["href"]:
        where = match.start("anchor"), match.start("href")
        return Link(begin, end, match["anchor"], where[0], unescape(match["href"]), where[1])
    at = match.start("text")
    if match["open"] is not None:
        group = "url" if match["angle"] is None else "angle"
        extra = (match["title"] or "").strip()
        return Link(
            begin, end, match["text"], at, unescape(match[group]), match.start(group), extra
        )
    label = label_of(match["label"] or match["text"])
    if label not in definitions:
        return None
    extra = f"[{match['label']}]" if match["label"] else ""
    return Link(begin, end, match["text"], at, definitions[label].url, -1, extra, label)


def _trim(url: str) -> str:
    """A bare address without the punctuation of the sentence around it."""
    while url[-1] in ".,;:!?'\"*_]}|" or (url[-1] == ")" and url.count("(") < url.count(")")):
        url = url[:-1]
    return url


def plain(markdown: str) -> str:
    """Inline Markdown as one line of text."""
    (inline,) = _MARKDOWN.parseInline(" ".join(markdown.split()))
    return " ".join("".join(t.content for t in inline.children or []).split())


def heading_text(raw: str) -> str:
    """A heading without its marks, on one line."""
    lines = raw.split("\n")
    if len(lines) > 1:  # underlined; a heading with # has one line
        return " ".join(" ".join(lines[:-1]).split())
    return re.sub(r"^\s{0,3}#{1,6}\s*|(?:^|\s+)#+\s*$", "", raw).strip()


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"(?P<month>(?:{'|'.join(_MONTHS)})[a-z]*)\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})\b"
_DATES = [
    re.compile(pattern, re.I)
    for pattern in (
        r"(?<!\d)(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?!\d)",
        rf"(?<!\d){_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}",
        rf"\b{_MONTH}\s+{_DAY},?\s+{_YEAR}",
        r"(?<!\d)(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})(?!\d)",
    )
]


def find_date(text: str) -> tuple[dt.date, str] | None:
    """The first date in a text, and as it stands there. Raises ValueError if no such day exists.

    03/05/2024 is not read: it is one day in London and another in New York.
    """
    for pattern in _DATES:
        if match := pattern.search(text):
            month = match["month"].lower()[:3]
            number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
            try:
                return dt.date(int(match["year"]), number, int(match["day"])), match[0]
            except ValueError:
                raise ValueError(f"there is no day {match[0]!r}") from None
    return None


_ONLY_A_DATE = re.compile(
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?)?[\W_]*", re.I
)


def dated_line(text: str) -> str | None:
    """What stands in a line that heads a meeting without a `#`: bold with a date, or a date alone.

    Raises ValueError for a day that does not exist.
    """
    bold = re.fullmatch(r"\s*(\*{1,3}|_{1,3})(?P<inside>[^\n*_]+)\1\s*:?\s*", text)
    inside = bold["inside"] if bold else text
    if "\n" in text.strip() or not (found := find_date(inside)):
        return None
    rest = inside.replace(found[1], "", 1)
    return inside.strip() if bold or _ONLY_A_DATE.fullmatch(rest) else None


def relist(source: str, start: int, end: int, block: Block, above: int = 0) -> str:
    """Text of an item with four columns for each level of its list, `above` levels taken off.

    Other readers of Markdown nest by two or three; ours would put such items on one level.
    """
    first, *others = source[start:end].split("\n")
    level = block.depth - above
    marks = _MARKERS.match(first) if block.first and start == block.start else None
    if marks:  # "- - a" opens two levels in one line
        outer = max(0, level - len(marks[0].split()))
        first = _moved(first, 4 * outer - block.marker)
    elif start == block.start:
        first = _moved(first, 4 * level - block.indent)
    return "\n".join([first, *(_moved(line, 4 * level - block.indent) for line in others)])


_MARKERS = re.compile(r"\s*(?:(?:[-+*]|\d{1,9}[.)])(?:\s+|$))+")


def _moved(line: str, columns: int) -> str:
    body = line.lstrip(" \t")
    margin = len(line[: len(line) - len(body)].expandtabs(4))
    return " " * max(0, margin + columns) + body if body else line


_NO_TOPIC = re.compile(
    "links?|papers?|talks?|notes?|readings?|list|more|and|on|the|of|other|further|to|read|watch"
)


def match_topics(heading: str, topics: dict[str, str]) -> list[str]:
    """The topics, slug to title, that a heading clearly names; none where one has to ask."""
    words = [word for word in fold(heading) if not _NO_TOPIC.fullmatch(word)]
    found = [
        slug
        for slug, title in topics.items()
        if any(_same(word, slug) for word in words)
        or (words and set(fold(title)) <= {*words, "and", "of", "the"})
    ]
    if found or not words:
        return found
    part = [slug for slug, title in topics.items() if set(words) <= set(fold(title))]
    return part if len(part) == 1 else []


def _same(word: str, slug: str) -> bool:
    """The same word up to one slip: a letter too many, too few, wrong, or two exchanged."""
    if word == slug:
        return True
    if min(len(word), len(slug)) < 5 or abs(len(word) - len(slug)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, slug, strict=False)) if a != b), None)
    if start is None:
        return True
    a, b = word[start:], slug[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])
