"""HTML as text with tags in it: enough to leave elements out, without building a tree."""

import re
from collections.abc import Iterator

# A tag or a comment; a `>` within an attribute does not end it.
TAG = r"""<!--.*?-->|</?[a-zA-Z](?:[^<>"']|"[^"]*"|'[^']*')*+>"""
INSIDE = r"""(?:[^<>"']|"[^"]*"|'[^']*')*"""  # what follows the name of an element, up to its `>`


def outside(html: str, opening: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The stretches of a page that are in no element that begins with `opening`.

    `opening` matches a whole tag and captures, in one group, the name of its element. Only tags of
    that element are counted for its end, so a `<p>` that nobody closes does no harm.
    """
    done = 0
    while found := opening.search(html, done):
        yield done, found.start()
        done = (
            found.end()
            if found[0].endswith("/>")
            else _end(html, found.end(), found[found.lastindex or 0])
        )
    yield done, len(html)


def _end(html: str, start: int, element: str) -> int:
    """Where an element ends whose opening tag ends at `start`."""
    depth = 1
    for tag in re.compile(rf"<(?P<closes>/?){element}\b{INSIDE}>", re.I).finditer(html, start):
        if not tag[0].endswith("/>"):
            depth += -1 if tag["closes"] else 1
        if depth == 0:
            return tag.end()
    return len(html)
