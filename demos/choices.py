"""Several figures of one kind, such as one measure under several conditions: the reader opens one.

What opens and closes is the page's own `<details>`, which needs no script. Nothing here imports
torch.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from demos.figures import Figure


@dataclass(frozen=True)
class Choice:
    title: str
    figures: Mapping[str, Figure]

    @property
    def html(self) -> str:
        # Those that share a name close one another. The next choice on the page has its own.
        name = "c" + hashlib.sha256(self.title.encode()).hexdigest()[:10]
        parts = "".join(
            f'<details name="{name}"{" open" if index == 0 else ""}>'
            f"<summary>{escape(label)}</summary>{figure.html}</details>"
            for index, (label, figure) in enumerate(self.figures.items())
        )
        return (
            f'<div class="readout-choice" role="group" aria-label="{escape(self.title)}">'
            f"<p><strong>{escape(self.title)}</strong></p>{parts}</div>"
        )

    def __str__(self) -> str:
        said = (
            f"{label}: {figure.title}. {figure.description}"
            for label, figure in self.figures.items()
        )
        return f"{self.title}\n" + "\n".join(said)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}


def choice(figures: Mapping[str, Figure], *, title: str) -> Choice:
    """Figures by what to choose them by; the first is open. The last expression of a cell.

    Raises ValueError with fewer than two figures, where there is nothing to choose.
    """
    if len(figures) < 2:
        raise ValueError(f"{title!r}: a choice has two figures or more, not {len(figures)}")
    return Choice(title, dict(figures))
