"""The glossary, and links to it from where its terms occur.

An entry of the glossary is a heading with an id, its definition, and two lines that may be missing:

    ## Residual stream {#residual-stream}

    The running sum at each position ...

    Also: residual streams

    See: [Elhage et al. 2021](library/2021-elhage-framework.md)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from api.markup import Problem
from api.pages import Broken
from api.tags import INSIDE, TAG, outside


@dataclass(frozen=True)
class Term:
    slug: str
    title: str
    names: tuple[str, ...]  # as it may be written, the title first
    definition: str  # plain text


# Reading -----------------------------------------------------------------------------------------

_HEADING = re.compile(r"^## +(?P<title>[^\n]*?)(?: *\{#(?P<slug>[\w-]+)\})? *$", re.M)
_FIELD = re.compile(r"^(?P<name>Also|See): *(?P<value>.*?)(?=\n\s*\n|\Z)", re.M | re.S)


def read_terms(text: str, path: str) -> list[Term]:
    """The terms of a glossary page. Raises Broken for an entry that cannot be linked."""
    terms, problems = find_terms(text, path)
    if problems:
        raise Broken(str(problems[0]))
    return terms


def find_terms(text: str, path: str) -> tuple[list[Term], list[Problem]]:
    """The terms of a glossary page, and what keeps others from being linked."""
    headings = list(_HEADING.finditer(text))
    starts = [heading.start() for heading in headings]
    terms, taken, problems = [], dict[str, str](), []
    for heading, end in zip(headings, [*starts[1:], len(text)], strict=False):
        line = text.count("\n", 0, heading.start()) + 1
        body, title = text[heading.end() : end], heading["title"]
        fields = {found["name"]: found["value"] for found in _FIELD.finditer(body)}
        definition = plain(_FIELD.sub("", body))
        if not heading["slug"]:
            message = f"term {title!r} has no id; write ## {title} {{#...}}"
            problems.append(Problem(path, line, message))
        if not definition:
            message = f"term {title!r} has no definition; write one below it"
            problems.append(Problem(path, line, message))
        also = [" ".join(name.split()) for name in fields.get("Also", "").split(",")]
        names = (title, *filter(None, also))
        for name in names:
            if taken.setdefault(name.lower(), title) != title:
                message = f"{name!r} stands under {taken[name.lower()]!r} too; take one out"
                problems.append(Problem(path, line, message))
        terms.append(Term(heading["slug"] or "", title, names, definition))
    return terms, problems


_TEX = re.compile(r"\\\((.*?)\\\)", re.S)
_TEX_COMMAND = re.compile(r"\\\w+\{([^}]*)\}|\\|[{}]")
_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|(?<!\w)[*_]+(?=\S)|(?<=\S)[*_]+(?!\w)|`")


def plain(markdown: str) -> str:
    """A paragraph or two as one line without marks; of TeX, the letters."""
    text = _TEX.sub(
        lambda tex: _TEX_COMMAND.sub(lambda command: command[1] or "", tex[1]).strip(), markdown
    )
    return " ".join(_MARKS.sub(lambda found: found[1] or "", text).split())


# Linking -----------------------------------------------------------------------------------------

# Where a link would be wrong, or would disturb: what is code, a name, a picture or a control.
# A table scrolls sideways, and so would cut off the definition that hangs out of its cell.
_LEFT_OUT = re.compile(
    "<(a|abbr|button|code|dt|figure|h[1-6]|kbd|label|legend|math|nav|noscript|object|pre|samp"
    rf"|script|select|style|summary|svg|table|template|textarea)\b(?!-){INSIDE}>"
    rf'|<(div) class="[^"]*\bjp-Cell-outputWrapper\b[^"]*"{INSIDE}>',
    re.I,
)
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    """Small letters at the same places: `str.lower` makes two of the few like `İ`."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_LOWER)


class Glossary:
    """Terms, made ready to be found in many pages."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.by_name: dict[str, Term] = {}
        self.exact: dict[str, str] = {}  # of a name like RAG or RoPE, how it must be written
        for term in terms:
            for name in term.names:
                key = _lower(name)
                self.by_name[key] = term
                if sum(letter.isupper() for letter in name.split()[0]) > 1:
                    self.exact[key] = name
        self.pattern = re.compile(rf"{TAG}|{_one_of(self.by_name)}", re.S)

    def link(self, html: str, address: str) -> str:
        """Link the first occurrence of each term to the glossary at `address`.

        The definition goes into an attribute: it is no text of the page, is not searched for
        there, and stands once. The style sheet shows it; `aria-description` tells it.
        """
        if not self.by_name:
            return html
        seen: set[str] = set()
        done, parts = 0, []
        lowered = _lower(html)
        for start, end in outside(html, _LEFT_OUT):
            for found in self.pattern.finditer(lowered, start, end):
                term = self._term(found, html)
                if term is None or term.slug in seen:
                    continue
                seen.add(term.slug)
                written = html[found.start() : found.end()]
                parts += [html[done : found.start()], _link(term, written, address)]
                done = found.end()
        return "".join([*parts, html[done:]])

    def _term(self, found: re.Match[str], html: str) -> Term | None:
        """What was found, if it is a term and no tag; an acronym must have its capitals."""
        if found[0].startswith("<"):
            return None
        name = " ".join(found[0].split())
        written = " ".join(html[found.start() : found.end()].split())
        return self.by_name[name] if written == self.exact.get(name, written) else None


def _link(term: Term, written: str, address: str) -> str:
    return (
        f'<a class="term" href="{escape(address)}#{term.slug}"'
        f' aria-description="{escape(term.definition)}">{written}</a>'
    )


def _one_of(names: Iterable[str]) -> str:
    """A pattern for the longest of many names. As a tree of letters it does not slow with them.

    What may not stand before a name is looked at after its first letter: a pattern that begins with
    plain letters is searched several times as fast.
    """
    tree: dict[str, Any] = {}
    for name in names:
        node = tree
        for letter in name:
            node = node.setdefault(letter, {})
        node[""] = {}
    first = {re.escape(letter): after for letter, after in sorted(tree.items())}
    return "|".join(
        rf"{letter}(?<![\w-]{letter}){_rest(after)}(?![\w-])" for letter, after in first.items()
    )


def _rest(node: dict[str, Any]) -> str:
    ways = [
        (r"\s+" if letter == " " else re.escape(letter)) + _rest(after)
        for letter, after in sorted(node.items())
        if letter
    ]
    if not ways:
        return ""
    return f"(?:{'|'.join(ways)})" + ("?" if "" in node else "")
