"""What stands around a link in free text: is it the head of an entry, and who is named behind it?

All positions are offsets into the source.
"""

import re
from typing import NamedTuple

from api.notefile import Block, Link, heading_text, plain

_LOGO = re.compile(r"!\[[^\[\]]*\]\([^()]*\)\s*\Z")
_LABEL = re.compile(r"\s*[^.!?\n]{1,40}:[\s*_]*\Z")
_MARKER = re.compile(r"\s*(?:(?:[-+*]|\d{1,9}[.)])\s+)+")
_SEPARATOR = re.compile(r"\s*(?:[-–—|:·•]+(?=\s|\Z))?\s*")
BETWEEN = re.compile(r"[\s.,;|/·•&+–—-]*")
BYLINE = re.compile(r"(?P<mark>\*\*|__)(?P<names>[^*_\n]+)(?P=mark)(?=\s*(?:\n|\Z)|\s+[-–—|:·•])")
_SAYS_NOTHING = re.compile(r"(?:click )?(?:here|link|this|paper|pdf|video|code|slides|talk)", re.I)


class Lead(NamedTuple):
    """A link that opens an entry, and where its stretch of text begins: at its logo or label."""

    start: int
    link: Link
    labelled: bool


def find_leads(source: str, links: list[Link], start: int, end: int) -> list[Lead]:
    """The links that open entries: at the beginning, on a line of their own, or in a row."""
    found: list[Lead] = []
    for link in links:
        logo = _LOGO.search(source[start : link.start])
        begin = start + logo.start() if logo else link.start
        line = max(start, source.rfind("\n", start, begin) + 1)
        above, before = source[start:line], source[line:begin]
        label = bool(_LABEL.fullmatch(before)) and "[" not in before
        ended = not above.strip() or re.search(r"[.!?;)\]*\"'”’]\s*\Z", above)
        if found and min(line, begin) < found[-1].link.end and label:
            continue  # the label is itself a link
        if (not before.strip() or label) and (ended or stands_alone(source, link, end)):
            found.append(Lead(line if label else begin, link, label))
        elif found and BETWEEN.fullmatch(source, found[-1].link.end, begin):
            found.append(Lead(begin, link, False))
    return found


def stands_alone(source: str, link: Link, end: int) -> bool:
    """Whether a link is followed as a heading is, and not by the rest of a sentence."""
    after = source[link.end : end]
    below = re.match(r"[^\S\n]*\n\s*(\S)", after)
    return bool(
        BETWEEN.fullmatch(after)
        or re.match(r"\s*[-–—|:·•]+(?:\s|\Z)", after)
        or (below and not below[1].islower())
    )


def read_byline(source: str, start: int, end: int) -> tuple[list[str], int]:
    """The names in bold behind a link, and where what follows begins."""
    after = _end(_SEPARATOR.match(source, start, end))
    byline = BYLINE.match(source, after, end)
    names = read_names(byline["names"]) if byline else []
    if byline and names:
        after = _end(_SEPARATOR.match(source, byline.end(), end))
    return names, after


def content_of(source: str, block: Block) -> tuple[int, int]:
    """Where the text of a block begins behind its bullet or `#`, and where it ends."""
    text = source[block.start : block.end]
    if block.kind == "heading":
        inner = heading_text(text)
        start = block.start + max(0, text.find(inner.split(" ")[0]))
        end = text.rfind("\n") if "\n" in text else len(re.sub(r"\s+#+\s*\Z", "", text))
        return start, block.start + end
    marker = _MARKER.match(text) if block.kind == "item" and block.first else None
    return block.start + (marker.end() if marker else 0), block.end


def outside(source: str, block: Block, links: list[Link]) -> str:
    """The text of a block without its links."""
    text, at = "", block.start
    for link in links:
        text, at = f"{text}{source[at : link.start]} ", link.end
    return text + source[at : block.end]


def read_title(text: str) -> str | None:
    """A title from the text of a link, if that is one."""
    title = plain(re.sub(r"!\[[^\[\]]*\](?:\([^()]*\))?", "", text))
    says = title and not title.startswith("http") and not _SAYS_NOTHING.fullmatch(title)
    return title if says and len(title) <= 500 else None


_PARTICLE = r"van|von|der|den|de|del|della|di|da|dos|la|le|el|al|bin|ibn|ten|ter"
_NAME = rf"(?:{_PARTICLE}|(?![a-zß-ÿ])[^\W\d_][\w.'’-]*)"


def read_names(text: str) -> list[str]:
    """The names of people in a bold text; none if it does not look like names."""
    text = re.sub(r"\bet al\.?", "", text)
    parts = [" ".join(p.split()) for p in re.split(r",|;|&|\band\b", text) if p.strip()]
    return (
        parts
        if parts and all(re.fullmatch(rf"{_NAME}(?: {_NAME}){{0,4}}", part) for part in parts)
        else []
    )


def _end(match: re.Match[str] | None) -> int:
    assert match  # of a pattern that matches everywhere
    return match.end()
