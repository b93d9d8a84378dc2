"""HTML and plain text as Markdown, and back. What gets lost on the way is said in a few words."""

import html
import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import nh3
from markdown_it import MarkdownIt

from api.formats.xml import Node

REMOVED = {"script", "style", "iframe", "object", "embed", "applet", "form", "svg", "math", "video"}
REMOVED |= {"audio", "canvas", "noscript", "template", "title", "head", "select", "textarea"}
INLINE = {"a", "b", "strong", "i", "em", "code", "tt", "kbd", "samp", "var", "sub", "sup", "img"}
INLINE |= {"del", "s", "strike", "br", "cite", "dfn", "q", "abbr", "ins"}
WRAPPERS = {"span", "font", "u", "small", "big", "mark", "center", "label", "wbr", "bdi", "time"}
BLOCKS = {"p", "div", "ul", "ol", "li", "blockquote", "pre", "hr", "table", "thead", "tbody"}
BLOCKS |= {"tfoot", "tr", "th", "td", "caption", "h1", "h2", "h3", "h4", "h5", "h6", "section"}
BLOCKS |= {"article", "header", "footer", "main", "aside", "figure", "figcaption", "dl", "dt", "dd"}
BLOCKS |= {"address", "colgroup", "col", "html", "body", "nav", "details", "summary"}
VOID = {"br", "hr", "img", "wbr", "col", "input"}

# Every repetition is bounded, or ends at what begins the next match: a text may be hostile.
_MATH = re.compile(r"(?<!\\)\\\(.{1,500}?\\\)|(?<!\\)\\\[.{1,500}?\\\]|\$\$.{1,500}?\$\$", re.S)
MAX_TEXT = 200_000
_TAG = re.compile(r"<\s*([a-zA-Z][a-zA-Z0-9-]*)")
_LOOKS_LIKE_HTML = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&(?:#?\w+);")
# Of brackets the closing one: an opening one, escaped too, would make a formula of the two.
_ESCAPED = re.compile(r"[\\`*_\]<]|&(?=#?\w+;)|~(?=~)")
_BLOCK_START = re.compile(
    r"^(\s*)(#{1,6}(?=\s|$)|>|[-+=|](?=\s|$|-|=)|~~~|\d{1,9}(?=[.)](?:\s|$)))", re.M
)
_CODE = re.compile(
    r"(^[ \t]*(?P<fence>`{3,}|~{3,}).*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<tick>`+)(?!`).*?(?<!`)(?P=tick)(?!`))",
    re.S | re.M,
)
_DATA = re.compile(r"src\s*=\s*(?:\"\s*data:[^\"]*\"|'\s*data:[^']*')", re.I)
_SUPER = str.maketrans("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ")
_SUB = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("js-default", {"linkify": False, "xhtmlOut": True}).enable("table")


def _bounded(text: str) -> str:
    """The text. Raises ValueError if it is too long to be one of a question."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"a text of {len(text):,} characters; {MAX_TEXT:,} is the most")
    return text


def looks_like_html(text: str) -> bool:
    return bool(_LOOKS_LIKE_HTML.search(text))


def from_plain(text: str) -> str:
    """Markdown that shows the text as it is. Most texts are their own Markdown."""
    text = _bounded(text).strip()
    return text if _is_plain(text) else _escape(text)


def _is_plain(text: str) -> bool:
    if not re.search(r"[\\`*_\[\]<>&~#|=+-]|\d[.)]", text):
        return True
    if text.count("[") > 1_000:  # the time that a parser takes grows with their square
        return False
    shown = []
    for token in _parser().parse(_MATH.sub("x", text)):
        if token.type == "inline":
            children = token.children or []
            if any(child.type not in ("text", "softbreak", "hardbreak") for child in children):
                return False
            shown.append("".join(c.content if c.type == "text" else "\n" for c in children))
        elif token.type not in ("paragraph_open", "paragraph_close"):
            return False
    return _squeezed("\n".join(shown)) == _squeezed(_MATH.sub("x", text))


def without_fences(text: str, keep: Callable[[int, int], bool] = lambda start, end: False) -> str:
    """Fenced code blanked out, so that every line stays where it is. Reads each line once."""
    lines = text.split("\n")
    places = [0]
    for line in lines:
        places.append(places[-1] + len(line) + 1)
    opened, mark = -1, ""
    for number, line in enumerate(lines):
        sign = line.lstrip(" \t")[:3]
        if sign not in ("```", "~~~"):
            continue
        if opened < 0:
            opened, mark = number, sign
        elif sign == mark:
            if not keep(places[opened], places[number + 1] - 1):
                for each in range(opened, number + 1):
                    lines[each] = " " * len(lines[each])
            opened = -1
    return "\n".join(lines)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    """Each sign that could mean something, with a backslash. Formulas stay as they are."""
    parts, end = [], 0
    for match in [*_MATH.finditer(text), None]:
        piece = text[end : match.start() if match else len(text)]
        parts.append(_ESCAPED.sub(r"\\\g<0>", piece))
        if match:
            parts.append(match[0])
            end = match.end()
    return _BLOCK_START.sub(_escape_start, "".join(parts))


def _escape_start(match: re.Match[str]) -> str:
    # A number is escaped behind itself: `1\.`
    mark = match[2]
    return f"{match[1]}{mark}\\" if mark.isdigit() else f"{match[1]}\\{mark}"


def from_markdown(text: str) -> tuple[str, set[str]]:
    """Markdown of others, with raw HTML made text: neither we nor a preview obeys it."""
    remarks: set[str] = set()
    text = _bounded(text).strip()
    if "<" not in text:
        return text, remarks
    pieces, end = [], 0
    for match in [*_CODE.finditer(text), None]:
        prose = text[end : match.start() if match else len(text)]
        pieces.append(_without_tags(prose, remarks))
        if match:
            pieces.append(match[0])
            end = match.end()
    return "".join(pieces), remarks


def _without_tags(prose: str, remarks: set[str]) -> str:
    prose = re.sub(r"<br\s*/?>[ \t]*\n?", "  \n", prose, flags=re.I)
    prose = re.sub(
        r"<(sub|sup)>([^<>]*)</\1>", lambda m: _shifted(m[1].lower(), m[2]), prose, flags=re.I
    )
    quiet = re.sub(r"(?<!\\)<(?=[a-zA-Z/!?])(?!(?:https?|mailto):|[\w.+-]+@)", r"\\<", prose)
    if quiet != prose:
        remarks.add("raw HTML: shown as text")
    return quiet


def from_html(text: str) -> tuple[str, set[str]]:
    """HTML as Markdown, and what the HTML said that Markdown does not."""
    remarks: set[str] = set()
    without = _DATA.sub("src=", text)
    if without != text:
        remarks.add("a picture inside an address (data:): left out")
        text = without
    text = _bounded(text)
    if not _LOOKS_LIKE_HTML.search(text):
        return from_plain(text.replace("\xa0", " ")), remarks
    _find_losses(text, remarks)
    clean = nh3.clean(
        text,
        tags=INLINE | WRAPPERS | BLOCKS,
        clean_content_tags=REMOVED,
        attributes={
            "a": {"href"},
            "img": {"src", "alt", "data-equation-content", "title"},
            "ol": {"start"},
            "td": {"colspan", "rowspan"},
            "th": {"colspan", "rowspan"},
        },
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        strip_comments=True,
    )
    builder = _Tree()
    builder.feed(clean)
    builder.close()
    return "\n\n".join(_blocks(builder.root, remarks)), remarks


def _find_losses(text: str, remarks: set[str]) -> None:
    for tag in {tag.lower() for tag in _TAG.findall(text)}:
        if tag in REMOVED:
            remarks.add(f"<{tag}>: left out with what it holds")
        elif tag in WRAPPERS and tag not in ("span", "wbr"):
            remarks.add(f"<{tag}>: the words without the formatting")
        elif tag not in INLINE | WRAPPERS | BLOCKS:
            remarks.add(f"<{tag}>: the words without the element")
    if re.search(r"<[^<>]*\sstyle\s*=", text, re.I):
        remarks.add("style: the words without colours, sizes and positions")
    if re.search(r"<[^<>]*\son[a-z]+\s*=|javascript:", text, re.I):
        remarks.add("scripts in attributes: left out")
    if re.search(r"(col|row)span\s*=\s*[\"']?([2-9]|\d\d)", text, re.I):
        remarks.add("merged cells of a table: separated")
    if re.search(r"<!--(?!\s*(Start|End)Fragment)", text):
        remarks.add("HTML comment: left out")


class _Tree(HTMLParser):
    """What nh3 has cleaned is well formed, so that a stack of open elements suffices."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body", {}, 1)
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, 1)
        self.open[-1].parts.append(node)
        if tag not in VOID and len(self.open) < 60:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if any(node.tag == tag for node in self.open[1:]):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def _blocks(node: Node, remarks: set[str]) -> list[str]:
    """The blocks in an element: what stands between block elements is a paragraph."""
    blocks: list[str] = []
    line: list[Node | str] = []

    def end_paragraph() -> None:
        if paragraph := _paragraph(line, remarks):
            blocks.append(paragraph)
        line.clear()

    for part in node.parts:
        if isinstance(part, str) or (part.tag not in BLOCKS and not _holds_blocks(part)):
            line.append(part)
        else:
            end_paragraph()
            blocks.extend(_block(part, remarks))
    end_paragraph()
    return blocks


def _holds_blocks(node: Node) -> bool:
    return any(below.tag in BLOCKS for below in node.walk())


def _block(node: Node, remarks: set[str]) -> list[str]:
    match node.tag:
        case "ul" | "ol":
            return _list(node, remarks)
        case "pre":
            code = "".join(_raw(node)).strip("\n").replace("\xa0", " ")
            longest = max((len(run) for run in re.findall("`+", code)), default=0)
            fence = "`" * max(3, longest + 1)
            return [f"{fence}\n{code}\n{fence}"] if code.strip() else []
        case "blockquote":
            inner = "\n\n".join(_blocks(node, remarks))
            return ["\n".join(f"> {line}".rstrip() for line in inner.split("\n"))] if inner else []
        case "hr":
            return ["* * *"]
        case "table":
            return _table(node, remarks)
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            # Not above the third level: the second begins a question.
            text = _one_line(_inline(node, remarks))
            return [f"{'#' * max(3, int(node.tag[1]))} {text}"] if text else []
        case _:
            return _blocks(node, remarks)


def _raw(node: Node) -> list[str]:
    return [
        part if isinstance(part, str) else "\n" if part.tag == "br" else "".join(_raw(part))
        for part in node.parts
    ]


def _list(node: Node, remarks: set[str]) -> list[str]:
    start = int(node.get("start")) if node.get("start").isdecimal() else 1
    items = []
    for number, item in enumerate(node.each("li"), start):
        mark = "- " if node.tag == "ul" else f"{number}. "
        inner = "\n".join(_blocks(item, remarks)) or ""
        items.append(mark + inner.replace("\n", "\n" + " " * len(mark)))
    return ["\n".join(items)] if items else []


def _table(node: Node, remarks: set[str]) -> list[str]:
    rows = [
        [
            _one_line(" ".join(_blocks(cell, remarks))).replace("|", r"\|")
            for cell in row.children
            if cell.tag in ("td", "th")
        ]
        for row in node.below("tr")
    ]
    rows = [row for row in rows if row]
    if not rows:
        return []
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
    captions = [_inline(caption, remarks) for caption in node.each("caption")]
    table = "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])
    return [*[caption for caption in captions if caption], table]


def _paragraph(parts: list[Node | str], remarks: set[str]) -> str:
    parts = list(parts)
    for end in (0, -1):
        while parts and _is_space(parts[end]):
            parts.pop(end)
    if all(isinstance(part, str) for part in parts):
        text = re.sub(r"[ \t\r\n\f]+", " ", "".join(map(str, parts)))
        return from_plain(text.replace("\xa0", " "))
    text = _inline(Node("p", {}, 1, parts), remarks)
    text = re.sub(r"^(  \n)+|(  \n)+$", "", text).strip()
    return re.sub(r"[ \t]+(?!\n)", " ", re.sub(r"(?<=\n) +", "", text))


def _is_space(part: Node | str) -> bool:
    return not part.strip() if isinstance(part, str) else part.tag == "br"


def _inline(node: Node, remarks: set[str]) -> str:
    return "".join(
        _escape(re.sub(r"[ \t\r\n\f\xa0]+", " ", part))
        if isinstance(part, str)
        else _inline_element(part, remarks)
        for part in node.parts
    )


def _inline_element(node: Node, remarks: set[str]) -> str:
    match node.tag:
        case "br":
            return "  \n"
        case "strong" | "b":
            return _around("**", _inline(node, remarks))
        case "em" | "i" | "cite" | "dfn" | "var":
            return _around("*", _inline(node, remarks))
        case "del" | "s" | "strike":
            return _around("~~", _inline(node, remarks))
        case "code" | "tt" | "kbd" | "samp":
            return _code("".join(_raw(node)))
        case "sub" | "sup":
            return _shifted(node.tag, _inline(node, remarks))
        case "q":
            return f"“{_inline(node, remarks)}”"
        case "a":
            text, href = _inline(node, remarks).strip(), node.get("href")
            return f"[{text}]({_address(href)})" if href and text else text
        case "img":
            return _picture(node)
        case _:
            return _inline(node, remarks)


def _around(mark: str, text: str) -> str:
    """Emphasis begins and ends at a word, whatever the HTML says."""
    inner = text.strip()
    if not inner or "\n" in inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{mark}{inner}{mark}{after}"


def _code(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    if not text.strip():
        return text
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _shifted(tag: str, text: str) -> str:
    """x² where the signs exist, x^(n+1) where they do not."""
    shifted = text.translate(_SUPER if tag == "sup" else _SUB)
    if text and all(new != old for new, old in zip(shifted, text, strict=True)):
        return shifted
    sign = "^" if tag == "sup" else "_"
    return f"{sign}{text}" if len(text) == 1 else f"{sign}({text})" if text else ""


def _picture(node: Node) -> str:
    if equation := node.get("data-equation-content"):
        return rf"\({equation}\)"
    alt = re.sub(r"\s+", " ", node.get("alt") or node.get("title")).strip()
    if not node.get("src"):
        return _escape(alt)
    return f"![{_escape(alt)}]({_address(node.get('src'))})"


def _address(href: str) -> str:
    return re.sub(r"[\s()<>]", lambda m: f"%{ord(m[0][0]):02X}", href.strip())


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).strip()


def to_html(markdown: str) -> str:
    """XHTML for systems that read no Markdown. Formulas go through untouched."""
    formulas: list[str] = []

    def keep(match: re.Match[str]) -> str:
        formulas.append(html.escape(match[0], quote=False))
        return f"\ue000{len(formulas) - 1}\ue001"

    kept = _MATH.sub(keep, markdown.replace("\ue000", "").replace("\ue001", ""))
    shown = _parser().render(kept).strip()
    return re.sub("\ue000(\\d+)\ue001", lambda m: formulas[int(m[1])], shown)


def to_plain(markdown: str) -> str:
    """The words alone, on one line."""
    words = []
    for token in _parser().parse(_MATH.sub(lambda m: m[0].replace("\\", "\\\\"), markdown)):
        for child in token.children or []:
            words.append(" " if child.type in ("softbreak", "hardbreak") else child.content)
        words.append(token.content if token.type in ("fence", "code_block") else " ")
    return " ".join("".join(words).split())


PICTURE = re.compile(r"!\[(?P<alt>(?:\\.|[^\]\[\\]){0,500})\]\((?P<src>[^)\s]{0,2000})\)")
