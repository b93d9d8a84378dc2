"""Markdown that members or authors wrote, as HTML that is safe to show."""

from functools import cache

import nh3
from markdown_it import MarkdownIt

VERSION = 1  # of the rules below: a stored rendering of an older version is made again

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
    *("pre", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
SCHEMES = {"http", "https", "mailto"}


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
