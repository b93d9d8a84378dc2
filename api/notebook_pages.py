"""What other tools made of a notebook or of TeX, as our pages show it."""

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any, NamedTuple

from api.mathml import NotMath, mathml
from api.pages import Broken

_MATH = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S
)


def render_math(html: str, path: str) -> str:
    """Replace TeX by MathML, which browsers draw and screen readers read without a script."""

    def replace(match: re.Match[str]) -> str:
        return _mathml(unescape(match["tex"]), path, is_block=match["open"] == "[")

    return _MATH.sub(replace, html)


def _mathml(tex: str, path: str, *, is_block: bool) -> str:
    """Raises Broken if the formula cannot be read."""
    try:
        return mathml(tex, is_block=is_block)
    except NotMath as error:
        raise Broken(f"{path}: {error}") from error


_STYLE = re.compile(r"<style[^>]*>.*?</style>", re.S)
_SCRIPT = re.compile(r"<script\b.*?</script>", re.S)


_COPY_OF_CODE = re.compile(r'<div class="clipboard-copy-txt".*?</div>', re.S)
_COPY_BUTTON = re.compile(r"<clipboard-copy\b.*?</clipboard-copy>", re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_ANCHOR = re.compile(r'<a class="anchor-link" href="(?P<to>[^"]*)">¶</a>')
_TAGS = re.compile(r'<div class="celltoolbar">\s*<div[^>]*>.*?</div>\s*</div>', re.S)
_TAB_STOP = re.compile(r'(<div class="jp-Cell-inputWrapper") tabindex="0"')


def lean_notebook(html: str) -> str:
    """A converted notebook without the 570 KB of styles and the scripts that come with it.

    Each code cell also holds its code a second time, for a button, and is a stop of the tab key.
    """
    for part in (_STYLE, _SCRIPT, _COPY_OF_CODE, _COPY_BUTTON, _COMMENT, _TAGS):
        html = part.sub("", html)
    html = _ANCHOR.sub(
        r'<a class="headerlink" href="\g<to>" title="Permanent link">&para;</a>', html
    )
    return _TAB_STOP.sub(r"\1", html).strip()


_TEXT = re.compile(r'<div class="[^"]*\bjp-RenderedMarkdown\b')
# A formula, as notebooks write it; what stands in code or in a tag is passed over.
_DOLLARS = re.compile(
    r"(?P<code><(?P<tag>code|pre|svg)\b.*?</(?P=tag)>|<[^>]*>)"
    r"|\$\$(?P<block>[^$<]+)\$\$|\$(?=\S)(?P<inline>[^$<]*[^\s<])\$(?!\d)",
    re.S,
)


def render_notebook_math(html: str, path: str) -> str:
    """Replace the formulas of a notebook's prose by MathML. Raises Broken."""

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        tex = match["block"] or match["inline"]
        return _mathml(unescape(tex).strip(), path, is_block=bool(match["block"]))

    parts, done = [], 0
    for text in _TEXT.finditer(html):
        end = _end_of_div(html, text.start())
        parts += [html[done : text.start()], _DOLLARS.sub(replace, html[text.start() : end])]
        done = end
    return "".join([*parts, html[done:]])


_PREDICT = re.compile(r'<div class="[^"]*\bcelltag_predict\b[^"]*" id=')
_OUTPUT = '<div class="jp-Cell-outputWrapper">'
_DIV = re.compile(r"<(?P<close>/?)div\b")


def fold_predictions(html: str, path: str) -> str:
    """Fold the output of each cell tagged `predict`, until the reader has guessed and opens it.

    A `<details>`, which needs no script. Raises Broken for such a cell that shows nothing.
    """
    parts, done = [], 0
    for cell in _PREDICT.finditer(html):
        end = _end_of_div(html, cell.start())
        start = html.find(_OUTPUT, cell.start(), end)
        if start < 0:
            raise Broken(f"{path}: a cell tagged 'predict' shows nothing that could be folded")
        stop = _end_of_div(html, start)
        parts += [
            html[done:start],
            '<details class="predict"><summary><strong>Predict first.</strong> '
            "Write down your guess, then open what was found.</summary>",
            html[start:stop],
            "</details>",
        ]
        done = stop
    return "".join([*parts, html[done:]])


def _end_of_div(html: str, start: int) -> int:
    """Where the `<div>` that begins at `start` has ended."""
    depth = 0
    for tag in _DIV.finditer(html, start):
        depth += -1 if tag["close"] else 1
        if depth == 0:
            return html.index(">", tag.end()) + 1
    return len(html)


def notebook_page(html: str, file_name: str, path: str) -> str:
    """A converted notebook as it stands on its page, with the notebook itself to carry away."""
    download = (
        f'<p class="byline" data-search-exclude><a href="{escape(file_name)}" download>'
        "Download this notebook</a></p>"
    )
    shown = render_notebook_math(lean_notebook(html), path)
    return fold_predictions(shown, path) + download


# Links ------------------------------------------------------------------------------------------

_TO_DOCS = re.compile(r"\]\(\.\./docs/(?P<path>[^)#\s]+)\.md(?P<anchor>#[^)\s]*)?\)")
_TO_DEMO = re.compile(r"\]\((?P<path>[0-9]{2}_\w+)\.py(?P<anchor>#[^)\s]*)?\)")


def link_to_pages(notebook: dict[str, Any], name: str, is_page: Callable[[str], bool]) -> None:
    """Turn a notebook's links to sources (`../docs/x.md`, `01_y.py`) into links to pages.

    Raises Broken for a link to what is no page.
    """

    def to_page(match: re.Match[str]) -> str:
        source = f"{match['path']}.md"
        if not is_page(source):
            raise Broken(f"demos/{name}: no page {source}")
        return f"](../../{match['path']}/{match['anchor'] or ''})"

    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = _TO_DOCS.sub(to_page, cell["source"])
            cell["source"] = _TO_DEMO.sub(r"](../\g<path>/\g<anchor>)", text)


# On a code host a link to a notebook leads to its executed copy.
_CODE_HOST_NOTEBOOK = re.compile(r"\]\((?:\.\./)+demos/executed/")


def link_from_page(markdown: str, path: str) -> str:
    """Turn the links of a page's Markdown to executed notebooks into links to their pages."""
    return _CODE_HOST_NOTEBOOK.sub(f"]({'../' * path.count('/')}demos/", markdown)


# Demos -------------------------------------------------------------------------------------------


class Demo(NamedTuple):
    """A notebook as other pages speak of it."""

    slug: str
    title: str
    summary: str  # its first paragraph, as plain text
    text: str  # its Markdown


def read_demo(slug: str, notebook: dict[str, Any]) -> Demo:
    cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    title, _, rest = "\n\n".join(cells[:1]).strip().partition("\n")
    paragraph = rest.strip().split("\n\n")[0]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*_`]", r"\1", paragraph)
    return Demo(slug, title.lstrip("# ").strip(), " ".join(plain.split()), "\n\n".join(cells))
