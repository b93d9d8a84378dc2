"""Markdown that members or authors wrote, as HTML that is safe to show."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, Literal
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from api.mathml import NotMath, mathml

VERSION = 2  # of the rules below: a stored rendering of an older version is made again

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
    *("pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
SCHEMES = {"http", "https", "mailto"}

# Two characters for private use, around the number of a formula. They mean nothing in a text.
_OPEN, _CLOSE = "\ue000", "\ue001"
_FORMULA = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
# As the site's pages do: no space inside the dollars, no digit after them ("$5 and $6").
_DOLLARS = re.compile(r"\$\$(?P<block>[^$]+)\$\$|\$(?P<inline>[^\s$](?:[^$]*[^\s$])?)\$(?!\d)")
_ENTRY = re.compile(r"\[\[([a-z0-9]+(?:-[a-z0-9]+)*)\]\]")
# What a link is to markdown-it: the type, the element, and whether it is opened or closed.
_LINK: tuple[tuple[str, str, Literal[-1, 0, 1]], ...] = (
    ("link_open", "a", 1),
    ("text", "", 0),
    ("link_close", "a", -1),
)


@cache
def _markdown() -> MarkdownIt:
    # "js-default" leaves HTML as text; the default preset would let it through.
    return MarkdownIt("js-default", {"linkify": False, "maxNesting": 20}).enable(
        ["table", "strikethrough"]
    )


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener nofollow ugc",
        strip_comments=True,
    )


def render(markdown: str) -> str:
    """HTML of a text that anyone may have written. Pictures and raw HTML do not survive."""
    return str(_cleaner().clean(_markdown().render(markdown)))


def render_inline(markdown: str) -> str:
    """The same for one line, without a paragraph around it."""
    return str(_cleaner().clean(_markdown().renderInline(markdown)))


# Notes: with formulas, links to entries, and pictures of this site -------------------------------


def entries_in(markdown: str) -> set[str]:
    """The slugs that stand in double brackets, whether or not there are such entries."""
    return set(_ENTRY.findall(markdown))


def render_note(markdown: str, titles: Mapping[str, str]) -> str:
    """HTML of a note. `titles` has the entries to which `[[slug]]` leads; others stay text.

    Links are those of a page two folders below the root, as meetings and entries are.
    """
    text = markdown.replace(_OPEN, "\ufffd").replace(_CLOSE, "\ufffd")
    formulas: list[str] = []
    env = {"titles": titles, "formulas": formulas}
    tokens = _note_markdown().parse(text, env)
    _lower(tokens)
    html = _note_markdown().renderer.render(tokens, _note_markdown().options, env)
    clean = str(_note_cleaner().clean(html))
    return _FORMULA.sub(lambda match: formulas[int(match[1])], clean)


@cache
def _note_markdown() -> MarkdownIt:
    note = MarkdownIt("js-default", {"linkify": False, "maxNesting": 20}).enable(
        ["table", "strikethrough"]
    )
    note.use(dollarmath_plugin, allow_labels=False)
    note.inline.ruler.before("link", "entry", _entry)
    # Its rule for formulas within a line looks at the wrong end of the text for a digit.
    note.inline.ruler.at("math_inline", _dollars)
    note.add_render_rule("math_inline", _formula)
    note.add_render_rule("math_inline_double", _formula)
    note.add_render_rule("math_block", _formula)
    note.add_render_rule("image", _picture)
    return note


@cache
def _note_cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=TAGS | {"img"},
        attributes=ATTRIBUTES | {"img": {"src", "alt", "title"}},
        attribute_filter=_own_pictures,
        url_schemes=SCHEMES,
        link_rel="noopener nofollow ugc",
        strip_comments=True,
    )


def _own_pictures(tag: str, attribute: str, value: str) -> str | None:
    return None if tag == "img" and attribute == "src" and not _is_own(value) else value


def _is_own(address: str) -> bool:
    """Whether a picture comes from this site. Browsers take `\\` for `/`, and drop tabs."""
    if re.search(r"[\\\x00-\x20]", address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.path) and not parts.scheme and not parts.netloc and "//" not in parts.path


def _lower(tokens: list[Token]) -> None:
    """Headings begin at the third level, below that of the section, and leave out none."""
    headings = [token for token in tokens if token.type.startswith("heading_")]
    used = sorted({token.tag for token in headings})
    for token in headings:
        token.tag = f"h{min(used.index(token.tag) + 3, 6)}"


def _entry(state: StateInline, silent: bool) -> bool:
    match = _ENTRY.match(state.src, state.pos)
    if match is None or match[1] not in state.env["titles"]:
        return False
    if not silent:
        opened, text, _ = [state.push(*kind) for kind in _LINK]
        opened.attrs = {"href": f"../../library/{match[1]}/"}
        text.content = state.env["titles"][match[1]]
    state.pos = match.end()
    return True


def _dollars(state: StateInline, silent: bool) -> bool:
    match = _DOLLARS.match(state.src, state.pos)
    if match is None or state.src[: state.pos][-1:].isdigit():
        return False
    if not silent:
        kind = "math_inline_double" if match["block"] else "math_inline"
        state.push(kind, "math", 0).content = match["block"] or match["inline"]
    state.pos = match.end()
    return True


def _formula(
    _: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    """Its place, to be filled in when the rest is clean."""
    token, formulas = tokens[index], env["formulas"]
    is_block = token.type != "math_inline"
    try:
        formulas.append(mathml(token.content.strip(), is_block=is_block))
    except NotMath:
        formulas.append(f"<code>{escape(token.content.strip(), quote=False)}</code>")
    place = f"{_OPEN}{len(formulas) - 1}{_CLOSE}"
    return f"<p>{place}</p>\n" if token.type == "math_block" else place


def _picture(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    """A picture of this site; one from elsewhere is a link: who looks tells nobody."""
    token = tokens[index]
    source = str(token.attrs["src"])
    words = escape(renderer.renderInlineAsText(token.children or [], options, env))
    if _is_own(source):
        return f'<img src="{escape(source)}" alt="{words}">'
    return f'<a href="{escape(source)}">{words or escape(source)}</a>'


def titles_in(markdown: str, titles: Mapping[str, str]) -> dict[str, str]:
    """Of all entries, those to which a text leads."""
    return {slug: titles[slug] for slug in sorted(entries_in(markdown)) if slug in titles}


def fingerprint(markdown: str, titles: Mapping[str, str]) -> str:
    """Of what a rendering depends on beside its text: the rules, and the titles that it shows."""
    shown = json.dumps([VERSION, titles_in(markdown, titles)])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]
