"""Explorers: what a notebook measured, for a reader to play with in the page.

A cell shows an explorer once. Its data becomes a JSON file beside the page, which an element of
`docs/assets/elements/` fetches when it scrolls into view; the fallback is what everybody reads who
has no script, or who downloaded the notebook. Nothing here imports torch.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demos.figures import Figure

EXPLORER_MIME = "application/vnd.readout.explorer+json"
NAME = re.compile(r"[a-z]+(-[a-z]+)*")
LARGEST = 400_000  # bytes of JSON; what a phone should not be asked to fetch


class ExplorerError(ValueError):
    """An explorer that cannot be shown."""


@dataclass(frozen=True)
class Explorer:
    name: str
    title: str
    data: Mapping[str, Any]
    fallback: str  # HTML

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/html": self.fallback,
            "text/plain": f"Explorer: {self.title}",
            EXPLORER_MIME: {"name": self.name, "title": self.title, "data": self.data},
        }


def explorer(name: str, data: Mapping[str, Any], *, title: str, fallback: Figure | str) -> Explorer:
    """An explorer, as the last expression of a cell.

    `name`: the element that shows it, `<readout-NAME>` in `docs/assets/elements/NAME.js`.
    `data`: what that element reads, as JSON has it: no tensor, no number that is not finite.
    `title`: what it is called. `fallback`: a figure, or HTML without scripts, that says the same
    standing still. Raises ExplorerError if one of them does not fit.
    """
    if not NAME.fullmatch(name):
        raise ExplorerError(f"an explorer's name is lower-case words joined by '-', not {name!r}")
    if not title.strip():
        raise ExplorerError(f"explorer '{name}': it needs a title")
    html = fallback.html if isinstance(fallback, Figure) else fallback
    if not re.sub(r"<[^>]*>", "", html).strip():
        raise ExplorerError(f"explorer '{name}': its fallback says nothing")
    if re.search(r"<script\b", html, re.IGNORECASE):
        raise ExplorerError(f"explorer '{name}': its fallback holds a script")
    try:
        size = len(json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        raise ExplorerError(f"explorer '{name}': its data is not JSON: {error}") from None
    if size > LARGEST:
        raise ExplorerError(f"explorer '{name}': {size} bytes of data, {LARGEST} are allowed")
    return Explorer(name, title, data, html)
