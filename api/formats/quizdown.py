"""quizdown, as quizdown-js reads it (src/parser.ts). Only read, not written.

Rules that surprise: `1. [x]` is a single choice, `- [x]` a multiple one even where only one is
right; a numbered list without boxes is a sequence; a quotation below the heading is a hint, within
an answer a comment; paragraphs stand below the heading wherever they are written.
"""

import re
from collections.abc import Callable
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.token import Token

from api.formats.gift import decode
from api.formats.model import (
    Bank,
    Choice,
    Imported,
    Item,
    Loss,
    Unreadable,
    even_shares,
)
from api.formats.text import from_markdown
from api.markup import Problem

NAME = "quizdown"
EXTENSIONS = (".md", ".quizdown", ".qd")

_MARKDOWN = MarkdownIt("js-default").disable(["inline", "linkify", "lheading"])
_BOX = re.compile(r"^\[([ xX])\]\s+(.*)$", re.S)
_OPTIONS = re.compile(r"^ {0,3}---[ \t]*\n(.*?)\n? {0,3}---[ \t]*$", re.S | re.M)
_FENCE = re.compile(r"^(?:`{3,}|~{3,})\s*\{?quizdown\}?[^\n]*$")
_DIV = re.compile(r"<div\b[^<>]*quizdown[^<>]*>\s*$")


def looks_like(path: str, text: str) -> bool:
    if path.lower().endswith((".quizdown", ".qd")) or _embedded(text):
        return True
    return bool(re.search(r"^#{1,6} .+\n(?:.*\n){0,60}?(?:[-*+]|\d+[.)]) \[[ xX]\] ", text, re.M))


def _embedded(text: str) -> list[tuple[int, str]]:
    """The quizzes within a page, in fences or in divisions, after how many lines each begins."""
    found = []
    begun, end = -1, ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if begun < 0 and (_FENCE.match(line) or _DIV.search(line)):
            begun, end = number + 1, line[:3] if _FENCE.match(line) else "</div>"
        elif (
            begun >= 0 and line.strip().startswith(end) and not line.strip(" \t`~").strip("</div>")
        ):
            found.append((begun, "\n".join(lines[begun:number])))
            begun = -1
    return found


def read(path: str, data: bytes) -> Imported:
    """Raises Unreadable with every question that has no answers."""
    text = decode(path, data)
    parts = _embedded(text)
    items: list[Item] = []
    losses: list[Loss] = []
    problems: list[Problem] = []
    for offset, part in parts or [(0, text)]:
        reader = _Reader(path, offset, part)
        reader.read()
        items += reader.items
        losses += reader.losses
        problems += reader.problems
    if problems:
        raise Unreadable(*problems)
    return Imported(Bank(items=tuple(items)), tuple(losses), NAME)


class _Reader:
    def __init__(self, path: str, offset: int, text: str) -> None:
        self.path, self.offset = path, offset
        self.items: list[Item] = []
        self.losses: list[Loss] = []
        self.problems: list[Problem] = []
        # The library decodes these before it reads.
        decoded = dedent(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        self.lines = self.without_options(decoded).split("\n")

    def without_options(self, text: str) -> str:
        """The text with its option blocks blanked out, each of which is reported."""

        def blank(match: re.Match[str]) -> str:
            if not re.match(r"\s*[\w]+\s*:", match[1]):
                return match[0]
            line = text.count("\n", 0, match.start())
            for name, value in re.findall(r"^\s*(\w+)\s*:\s*(.*?)\s*$", match[1], re.M):
                where = Item(kind="description", stem="", name="options", path=self.path)
                where = where.but(line=self.offset + line + 1)
                self.losses.append(where.loss("dropped", name, f"{value!r} has no place"))
            return re.sub(r"[^\n]", "", match[0])

        return _OPTIONS.sub(blank, text)

    def read(self) -> None:
        tokens = [t for t in _MARKDOWN.parse("\n".join(self.lines)) if t.map]
        top = [t for t in tokens if t.level == 0 and t.nesting >= 0]
        starts = [i for i, token in enumerate(top) if token.type == "heading_open"]
        if starts and starts[0] > 0:
            where = Item(kind="description", stem="", name="text before the first question")
            where = where.but(path=self.path, line=self.offset + 1)
            self.losses.append(where.loss("dropped", "text", "it belongs to no question"))
        for start, end in zip(starts, [*starts[1:], len(top)], strict=True):
            line = self.offset + _span(top[start])[0] + 1
            try:
                item = self.question(top[start:end], line)
                if item.kind == "multiple" and not any(c.fraction > 0 for c in item.choices):
                    why = "choosing nothing is right there; ours has at least one right option"
                    self.losses.append(item.loss("dropped", "question", why))
                else:
                    self.items.append(item)
            except ValueError as error:
                self.problems.append(Problem(self.path, line, str(error)))

    def question(self, tokens: list[Token], line: int) -> Item:
        remarks: set[str] = set()

        def text(source: str) -> str:
            markdown, found = from_markdown(source)
            remarks.update(found)
            return markdown

        heading = re.sub(r"^ *#{1,6} *|\s+#+\s*$", "", self.source(tokens[0])).strip()
        lists = [t for t in tokens if t.type in ("bullet_list_open", "ordered_list_open")]
        if not lists:
            raise ValueError(f"{heading[:40]!r} has no answers; write a list of them")
        stem = [heading]
        hints = []
        unread = [t.type.removesuffix("_open") for t in lists[1:]]
        for token in tokens[1:]:
            if token.type in ("paragraph_open", "fence", "code_block"):
                stem.append(self.source(token))
            elif token.type == "blockquote_open":
                hints.append(_unquoted(self.source(token)))
            elif token not in lists:
                unread.append(token.type.removesuffix("_open"))
        answers = [self.answer(item, text) for item in self.list_items(lists[0])]
        item = Item(
            kind="order",
            stem=text("\n\n".join(part for part in stem if part)),
            hints=tuple(text(hint) for hint in hints),
            line=line,
            path=self.path,
            choices=tuple(Choice(said, 0.0, comment) for _, said, comment in answers),
        )
        if lists[0].type == "bullet_list_open":
            item = _marked(item.but(kind="multiple"), answers)
        elif answers and answers[0][0] is not None:
            item = _marked(item.but(kind="single"), answers)
        self.losses += [item.loss("changed", "text", remark) for remark in sorted(remarks)]
        self.losses += [item.loss("dropped", what, "quizdown shows it nowhere") for what in unread]
        return item

    def source(self, token: Token) -> str:
        start, end = _span(token)
        return "\n".join(self.lines[start:end]).strip()

    def list_items(self, opening: Token) -> list[str]:
        """The Markdown of each item of a list, without its mark."""
        start, end = _span(opening)
        inner = _MARKDOWN.parse("\n".join(self.lines[start:end]))
        items = []
        for token in inner:
            if token.type == "list_item_open" and token.level == 1 and token.map:
                lines = self.lines[start + token.map[0] : start + token.map[1]]
                mark = re.match(r"\s*(?:[-*+]|\d+[.)])\s*", lines[0])
                width = len(mark[0]) if mark else 0
                rest = [re.sub(rf"^ {{0,{max(width, 4)}}}", "", each) for each in lines[1:]]
                items.append("\n".join([lines[0][width:], *rest]).strip())
        return items

    def answer(self, source: str, text: Callable[[str], str]) -> tuple[bool | None, str, str]:
        box = _BOX.match(source)
        checked = box[1] in "xX" if box else None
        body = box[2] if box else source
        lines = body.split("\n")
        quoted = [line for line in lines if line.lstrip().startswith(">")]
        said = [line for line in lines if not line.lstrip().startswith(">")]
        return checked, text("\n".join(said)), text(_unquoted("\n".join(quoted)))


def _marked(item: Item, answers: list[tuple[bool | None, str, str]]) -> Item:
    rights = [bool(checked) for checked, _, _ in answers]
    if item.kind == "single" and sum(rights) != 1:
        raise ValueError(f"{sum(rights)} right answers in a single choice; mark one [x]")
    shares = even_shares(rights) if item.kind == "multiple" else [float(r) for r in rights]
    choices = zip(item.choices, shares, strict=True)
    return item.but(choices=tuple(choice._replace(fraction=share) for choice, share in choices))


def _unquoted(source: str) -> str:
    return "\n".join(re.sub(r"^\s*>\s?", "", line) for line in source.split("\n")).strip()


def _span(token: Token) -> tuple[int, int]:
    assert token.map
    return token.map[0], token.map[1]
