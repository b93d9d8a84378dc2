"""What a Markdown page holds that can be wrong: headings, links, images, anchors, facts.

A full parse of 2,000 pages takes half a minute. These patterns find the same things in one second,
because code, mathematics and comments are blanked first. Blanking keeps the length of the text, so
every position found is a position in the file.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from itertools import islice
from typing import Any, NamedTuple

BY_REFERENCE = "[]"  # the target of an image that is written ![alt][name]
LONGEST_HEADING = 500
MOST_CANDIDATES = 1000  # no page has as many; each indented one is looked at with its context


class Heading(NamedTuple):
    level: int
    text: str  # as written, without the marks and the id
    id: str | None  # as written, in {#id}
    at: int
    spaced: bool  # Python-Markdown takes `#word` for a heading, a code host does not


class Link(NamedTuple):
    target: str  # "[label]" for one by reference that is defined nowhere
    at: int  # where the target stands
    alt: str | None  # of an image; None for a link
    tag: str = ""  # of HTML, whose targets the site leaves as they are


class FactUse(NamedTuple):
    name: str
    form: str | None
    at: int


@dataclass
class Page:
    """A page's prose and what was found in it."""

    text: str  # as in the file
    prose: str  # of the same length, code blanked
    first_line: int
    open_fence: int | None  # where a fence begins that is never closed
    headings: list[Heading] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    ids: list[tuple[str, int]] = field(default_factory=list)  # explicit ones
    facts: list[FactUse] = field(default_factory=list)
    active: list[tuple[str, int]] = field(default_factory=list)  # HTML that does more than show
    header: dict[str, Any] | None = None

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer(r"\n", self.text))]

    def line(self, at: int) -> int:
        """The line of the file at a position of the text."""
        return self.first_line + bisect_right(self._starts, at) - 1

    @cached_property
    def anchors(self) -> set[str]:
        """The ids of headings and elements, named as Python-Markdown's toc names them."""
        used = {name for name, _ in self.ids}
        for heading in self.headings:
            if heading.id is None:
                used.add(unique(slugify(plain_text(heading.text)), used))
        return used


# A pattern that begins with a literal is searched ten times as fast as one that begins with `^`.
_FENCE = re.compile(r"\n[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)")
_INLINE = re.compile(r"\\[()\[\]`]|`+")  # what can open or close code and mathematics
_BLANK_LINE = re.compile(r"\n[ \t]*\n|\n#")
_CLOSES = {"\\(": "\\)", "\\[": "\\]"}
_ATX = re.compile(r"\n(?P<indent>(?:    |\t)*)(?P<marks>#{1,6})(?!#)(?P<rest>[^\n]*)")
_SETEXT = re.compile(
    r"(?:\A|\n[ \t\r]*\n)(?P<text> {0,3}(?![-*+>#|=] |[-*=]{2})\S[^\n]*)\n(?P<line>=+|-+)[ \t\r]*$",
    re.MULTILINE,
)
_HEADING_ID = re.compile(r"[ ]\{:?[ ]*(?P<attributes>[^}\n]*)\}[ \t\r]*$")
_ID = re.compile(r"(?:^|\s)#(?P<id>[^\s}]+)")
_ATTRIBUTES = re.compile(r"\{:?(?P<attributes>[^{}\n]*)\}")
_HTML_ID = re.compile(r"<[a-zA-Z][^<>]*?\s(?:id|name)\s*=\s*[\"']?(?P<id>[^\s\"'<>]+)")
_INLINE_LINK = re.compile(r"\]\((?P<inside>[^()]*(?:\([^()]*\)[^()]*)*)\)")
_IMAGE = re.compile(r"(?<!\\)!\[(?P<alt>[^\[\]]*)\Z")
_TITLE = re.compile(r"^(?P<target>\S+)\s+(?:\"[^\"]*\"|'[^']*')$", re.DOTALL)
_REFERENCE = re.compile(r"(?<![\w\]\\])\[(?P<text>[^\[\]]+)\]\[(?P<label>[^\[\]]*)\](?![\[(:])")
_FOOTNOTE = re.compile(r"(?<!\\)\[(?P<label>\^[^\s\[\]]+)\](?!:)")
_DEFINITION = re.compile(
    r"^ {0,3}\[(?P<label>[^\[\]\n]+)\]:[ \t]*(?:\n[ \t]*)?<?(?P<target>[^\s<>]+)", re.MULTILINE
)
_UNNAMED_IMAGE = re.compile(r"(?<!\\)!\[\s*\]\[")
_AUTOLINK = re.compile(r"<(?P<target>https?://[^\s<>]+)>")
_HTML_TAG = re.compile(r"<(?P<tag>[a-zA-Z][\w-]*)(?P<attributes>\s[^<>]*)>")
_HTML_TARGET = re.compile(
    r"(?<![\w-])(?:href|src|poster)\s*=\s*"
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'<>`]+))",
    re.IGNORECASE,
)
_HTML_ALT = re.compile(r"(?<![\w-])alt(?![\w-])", re.IGNORECASE)
# A page is read by everybody who is signed in: what it holds may be shown, and may not act.
_ACTIVE = re.compile(
    r"<(?P<tag>script|iframe|object|embed|style|link|meta|base|form|frame|applet)\b"
    r"|<[a-zA-Z][^<>]*?\s(?P<handler>on[a-z]+)\s*=",
    re.IGNORECASE,
)
_FACT = re.compile(r"\{\s*fact\s*:(?P<inside>[^{}\n]*)\}")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->")
_LINK_TEXT = re.compile(r"!?\[(?P<text>[^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\])")
_EMPHASIS = re.compile(r"(?<!\w)(_+)(?=\S)(.+?)(?<=\S)\1(?!\w)")


def scan(text: str, first_line: int = 1) -> Page:
    """Find everything in the text of a page, without its header."""
    prose, open_fence = blank(text)
    page = Page(text, prose, first_line, open_fence)
    _find_headings(page)
    _find_links(page)
    if "{" in prose:
        for found in _FACT.finditer(prose):
            name, colon, form = found["inside"].partition(":")
            page.facts.append(FactUse(name, form if colon else None, found.start()))
        for found in _ATTRIBUTES.finditer(prose):
            named = _ID.search(found["attributes"])
            if named:
                page.ids.append((named["id"], found.start()))
    if "<" in prose:
        page.ids += [(found["id"], found.start()) for found in _HTML_ID.finditer(prose)]
        page.active += [
            (f"<{found['tag']}>" if found["tag"] else found["handler"], found.start())
            for found in _ACTIVE.finditer(prose)
        ]
    return page


# Blanking ----------------------------------------------------------------------------------------


def _spaces(text: str) -> str:
    return "\n".join([" " * len(line) for line in text.split("\n")])


def blank(text: str) -> tuple[str, int | None]:
    """The text with code, mathematics and comments as spaces, and where a fence is left open.

    After a fence that is never closed nothing can be known, so all of it is blanked.
    """
    open_fence = None
    if "\r" in text:
        text = text.replace("\r", " ")
    if "```" in text or "~~~" in text:
        text, open_fence = _without_fences(text)
    if "<!--" in text:
        text = _without_comments(text)
    if "\n    " in text or "\n\t" in text or text.startswith(("    ", "\t")):
        text = _without_indented_code(text)
    if "`" in text or "\\" in text:
        text = _without_inline_code(text)
    return text, open_fence


def _without_fences(text: str) -> tuple[str, int | None]:
    parts, done = [], 0
    mark, opened_at = "", 0
    for found in _FENCE.finditer("\n" + text):
        start, end = found.start("mark") - 1, found.end() - 1
        if not mark and "`" not in found["info"]:
            mark, opened_at = found["mark"], start
        elif mark and found["mark"].startswith(mark) and not found["info"].strip():
            parts += [text[done:opened_at], _spaces(text[opened_at:end])]
            mark, done = "", end
    if mark:
        parts += [text[done:opened_at], _spaces(text[opened_at:])]
        return "".join(parts), opened_at
    return "".join([*parts, text[done:]]), None


def _without_comments(text: str) -> str:
    parts, done = [], 0
    while (start := text.find("<!--", done)) >= 0 and (end := text.find("-->", start)) >= 0:
        parts += [text[done:start], _spaces(text[start : end + 3])]
        done = end + 3
    return "".join([*parts, text[done:]])


_MARGIN = re.compile(r"[ \t]*")
# What makes the indented text below it its own content: an admonition, a tab, a list item, ...
_OPENS = re.compile(r"(?:!!!|\?\?\?|===|[-*+][ \t]|\d+[.)][ \t]|\[\^[^\]\n]+\]:|:[ \t])")
HTML_BLOCK = re.compile(
    r"<(?P<end>/?)(?:article|aside|blockquote|details|div|dl|fieldset|figure|footer|header|main|nav"
    r"|ol|p|pre|section|table|tbody|td|th|thead|tr|ul|video)\b[^<>]*>",
    re.IGNORECASE,
)


def _without_indented_code(text: str) -> str:
    """Blank what is code by its indentation: four columns more than what it belongs to."""
    lines = text.split("\n")
    levels = [0]  # the columns at which the content of each open block begins
    in_html = 0
    begins, in_code = True, False  # a paragraph goes on in an indented line, and code does not
    for number, line in enumerate(lines):
        if not line.strip():
            begins, in_code = True, False
            continue
        column, written = _column(line), line.lstrip(" \t")
        if begins or _OPENS.match(written):
            while levels[-1] > column:
                levels.pop()
        in_code = column >= levels[-1] + 4 and (in_code or (begins and not in_html))
        if in_code:
            lines[number] = " " * len(line)
            continue
        if _OPENS.match(written):
            levels.append(column // 4 * 4 + 4)
        begins = written.startswith("#") and column == levels[-1]  # a heading is one line
        if "<" in written:
            for tag in HTML_BLOCK.finditer(written):
                in_html = max(0, in_html - 1) if tag["end"] else in_html + 1
    return "\n".join(lines)


def _column(line: str) -> int:
    margin = _MARGIN.match(line)
    assert margin
    return len(margin[0].expandtabs(4))


def _without_inline_code(text: str) -> str:
    """Blank code spans and mathematics. One pass: an unclosed one ends with its paragraph."""
    marks = list(_INLINE.finditer(text))
    closing = _matching(text, marks)
    parts, done = [], 0
    for index, mark in enumerate(marks):
        if mark.start() < done or index not in closing:
            continue
        end = marks[closing[index]].end()
        parts += [text[done : mark.start()], _spaces(text[mark.start() : end])]
        done = end
    return "".join([*parts, text[done:]])


def _matching(text: str, marks: list[re.Match[str]]) -> dict[int, int]:
    """For each opening mark, the next one of its paragraph that closes it."""
    following: dict[str, int] = {}
    closing: dict[int, int] = {}
    after = len(text)
    for index in range(len(marks) - 1, -1, -1):
        if _BLANK_LINE.search(text, marks[index].end(), after):
            following.clear()
        after = marks[index].start()
        mark = marks[index][0]
        closer = _CLOSES.get(mark, mark if mark[0] == "`" else "")
        if closer in following:
            closing[index] = following[closer]
        following[mark] = index
    return closing


# Headings ----------------------------------------------------------------------------------------


def _find_headings(page: Page) -> None:
    prose = page.prose
    for found in islice(_ATX.finditer("\n" + prose), MOST_CANDIDATES):
        indent = len(found["indent"].expandtabs(4))
        if indent and not _in_a_block(page.text, found.start(), indent):
            continue  # an indented block of code
        # The text as written: a word set as code is part of the heading's name.
        written = page.text[found.start("rest") - 1 : found.end("rest") - 1].strip()
        page.headings.append(
            _heading(
                len(found["marks"]),
                written.rstrip("#") if not written.endswith("}") else written,
                found.start("marks") - 1,
                not written or found["rest"][0] in " \t",
            )
        )
    if "\n==" in prose or "\n--" in prose:
        for found in _SETEXT.finditer(prose):
            level = 1 if found["line"][0] == "=" else 2
            written = page.text[found.start("text") : found.end("text")].strip()
            page.headings.append(_heading(level, written, found.start("text"), True))
        page.headings.sort(key=lambda heading: heading.at)


def _heading(level: int, written: str, at: int, spaced: bool) -> Heading:
    if len(written) > LONGEST_HEADING:
        return Heading(level, written[:LONGEST_HEADING], None, at, spaced)
    attributes = _HEADING_ID.search(" " + written)
    if not attributes:
        return Heading(level, written.strip(), None, at, spaced)
    named = _ID.search(attributes["attributes"])
    text = (" " + written)[: attributes.start()].strip()
    return Heading(level, text, named["id"] if named else None, at, spaced)


def _in_a_block(text: str, at: int, indent: int) -> bool:
    """Whether an indented line is the content of an admonition or a list item, and no code."""
    for line in reversed(text[max(0, at - 5000) : at].expandtabs(4).split("\n")):
        own = len(line) - len(line.lstrip())
        if line.strip() and own < indent:
            opens = re.match(r"\s*(?:!!!|\?\?\?|===|[-*+] |\d+[.)] |\[\^|: )", line)
            return opens is not None and own + 4 == indent
    return False


def plain_text(written: str) -> str:
    """A heading as its reader sees it: without marks, links, images and tags."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", written)
    text = _LINK_TEXT.sub(r"\g<text>", text)
    parts = re.split(r"(`+[^`]*`+)", text)
    for index in range(0, len(parts), 2):
        parts[index] = _EMPHASIS.sub(r"\2", _TAG.sub("", parts[index]))
    return unescape("".join(parts))


def slugify(text: str) -> str:
    """As markdown.extensions.toc.slugify, whose import would take longer than all pages."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def unique(name: str, used: set[str]) -> str:
    """As markdown.extensions.toc.unique: `x`, `x_1`, `x_2`; an empty name counts as used."""
    while name in used or not name:
        counted = re.match(r"^(.*)_([0-9]+)$", name)
        name = f"{counted[1]}_{int(counted[2]) + 1}" if counted else f"{name}_1"
    return name


# Links -------------------------------------------------------------------------------------------


def _find_links(page: Page) -> None:
    prose, links = page.prose, page.links
    for found in _INLINE_LINK.finditer(prose):
        inside, before = found["inside"], found.start()
        if "\n" in inside and _BLANK_LINE.search(inside):
            continue
        bracket = prose.rfind("[", max(0, before - 1000), before)
        image = _IMAGE.search(prose, max(0, bracket - 2), before) if bracket > 0 else None
        target = inside.strip()
        at = found.start("inside") + len(inside) - len(inside.lstrip())
        if target.startswith("<") and ">" in target:
            target, at = target[1 : target.index(">")], at + 1
        elif titled := _TITLE.match(target):
            target = titled["target"]
        links.append(Link(target, at, image["alt"] if image else None))
    _find_references(page)
    if "<" in prose:
        links += [Link(m["target"], m.start("target"), None) for m in _AUTOLINK.finditer(prose)]
        for found in _HTML_TAG.finditer(prose):
            tag, attributes = found["tag"].lower(), found["attributes"]
            alt = None
            if tag == "img":
                alt = "given" if _HTML_ALT.search(attributes) else ""
            for given in _HTML_TARGET.finditer(attributes):
                which = given.lastgroup or ""
                at = found.start("attributes") + given.start(which)
                links.append(Link(unescape(given[which]), at, alt, tag))


def _find_references(page: Page) -> None:
    """Definitions, and what refers to them. Where it leads stands in the definition."""
    prose, links = page.prose, page.links
    defined = set()
    if "]:" in prose:
        for found in _DEFINITION.finditer(prose):
            defined.add(_label(found["label"])[:80])
            if not found["label"].startswith("^"):
                links.append(Link(found["target"], found.start("target"), None))
    if "][" in prose:
        for found in _REFERENCE.finditer(prose):
            label = _label(found["label"] or found["text"])[:80]
            is_image = prose[found.start() - 1 : found.start()] == "!"
            target = BY_REFERENCE if label in defined else f"[{label}]"
            links.append(Link(target, found.start(), found["text"] if is_image else None))
        links += [Link(BY_REFERENCE, m.start(), "") for m in _UNNAMED_IMAGE.finditer(prose)]
    if "[^" in prose:
        for found in _FOOTNOTE.finditer(prose):
            if (label := _label(found["label"])[:80]) not in defined:
                links.append(Link(f"[{label}]", found.start(), None))


def _label(written: str) -> str:
    return " ".join(written.split()).lower()
