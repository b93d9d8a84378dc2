"""What an executed notebook may show. Its outputs come with a pull request and go into a page.

Figures and tables of ours need few elements and attributes. Whatever else an output holds is
refused and not cleaned: an output that was not made by the code above it should be looked at.
"""

import json
import re
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from typing import Any

_OURS = "application/vnd.readout."  # facts, ledgers, explorers: data, which the site writes out
_PLAIN = {"text/plain", "text/markdown", "image/png"}
_HTML = {"text/html", "text/markdown"}
_TAGS = re.compile(
    "figure|figcaption|table|caption|thead|tbody|tfoot|tr|th|td|details|summary|div|span|p|br|hr"
    "|strong|em|b|i|small|code|pre|sub|sup|ul|ol|li"
    "|svg|g|defs|title|desc|path|rect|circle|ellipse|line|polyline|polygon|text|tspan"
)
_ATTRIBUTES = re.compile(
    r"(?:aria|data)-[a-z0-9-]+|class|id|role|tabindex|scope|colspan|rowspan|style|open|lang|xmlns"
    r"|viewbox|preserveaspectratio|d|points|[xy][12]?|[cdr][xy]|r|width|height|transform|opacity"
    r"|fill|(?:stroke|font|text|fill|dominant|alignment|vector)-[a-z]+|stroke",
)
# Colours, sizes and margins. No address, and nothing that leaves its place in the page.
_STYLE = re.compile(r"(?!.*(?:url|position|expression|\\|/\*|@))[\w\s:;.,%#()+*/-]*", re.I | re.S)

_ADDRESS = re.compile(r"(?:script|data|file)\s*:", re.I)  # of a link in Markdown
_END = "end-of-output"


class _Reader(HTMLParser):
    """Collects what does not belong into an output."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.last: str | None = None
        self.feed(f'{html}<hr id="{_END}">')
        self.close()
        if self.last != _END:  # the rest of the page would end it
            self.found.append("a tag or a comment without its end")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.last = dict(attrs).get("id")
        if not _TAGS.fullmatch(tag):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            plain = name != "style" or _STYLE.fullmatch(value or "")
            # Of <details> that share a name one is open. Elsewhere a name may hide from scripts
            # what the page itself calls so.
            ours = _ATTRIBUTES.fullmatch(name) or (tag, name) == ("details", "name")
            if not (ours and plain):
                self.found.append(f"{name}= in <{tag}>")

    def handle_comment(self, data: str) -> None:
        self.found.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.found.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.handle_decl(data)

    def unknown_decl(self, data: str) -> None:
        self.handle_decl(data)


@lru_cache(64)
def foreign(notebook: str) -> str | None:
    """What keeps the outputs of a notebook, given as JSON, off a page. None if nothing does."""
    for number, cell in enumerate(json.loads(notebook)["cells"]):
        if cell.get("attachments"):
            return f"cell {number} has an attachment; link to a file of docs/assets"
        for output in cell.get("outputs", []):
            for kind, value in output.get("data", {}).items():
                if found := _foreign(kind, value):
                    return f"an output of cell {number} {found}"
    return None


def leave_out(notebook: dict[str, Any]) -> None:
    """Take all outputs away, in place: a preview shows the rest."""
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = []


def _foreign(kind: str, value: Any) -> str | None:
    if kind.startswith(_OURS):
        return None
    if kind not in _PLAIN | _HTML:
        return f"is {kind}; show text, a table, or a figure of `demos.figures`"
    if kind not in _HTML:
        return None
    html = value if isinstance(value, str) else "".join(value)
    found = _Reader(html).found
    if kind == "text/markdown" and _ADDRESS.search(unescape(html)):
        found.append("an address that acts")
    return f"holds {found[0]}; execute the notebook again with `make demos`" if found else None
