"""The claim ledger that ends a notebook: what was said, what we measured, and how it came out.

It is shown as a table, with a machine-readable twin beside it, from which the site makes one page
of all ledgers. Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import Any

LEDGER_MIME = "application/vnd.readout.ledger+json"
# What each verdict is called where people read it.
VERDICTS = {"reproduced": "Reproduced", "partly": "Partly reproduced", "not": "Not reproduced"}
COLUMNS = {
    "says": "Claim",
    "found": "Measured",
    "control": "Control",
    "verdict": "Verdict",
    "limits": "What this does not show",
}


class LedgerError(ValueError):
    """A claim that says too little, or a ledger that says something twice."""


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper or of the group, and what became of it here.

    `source`: where the sentence stands, with section or figure. `found`, `control`: our measurement
    and what it is held against, in words with measured numbers. `verdict`: one of VERDICTS, as the
    function `verdict` derives it. `limits`: what the measurement leaves open.
    """

    says: str
    source: str
    found: str
    control: str
    verdict: str
    limits: str

    def __post_init__(self) -> None:
        for field in fields(self):
            text = getattr(self, field.name)
            if not isinstance(text, str) or not text.strip():
                raise LedgerError(f"claim {self.says!r}: {field.name} is a text, not {text!r}")
        if self.verdict not in VERDICTS:
            raise LedgerError(
                f"claim {self.says!r}: a verdict is {', '.join(VERDICTS)}, not {self.verdict!r}"
            )


def verdict(*held: Any) -> str:
    """The verdict on a claim from the parts of its criterion, each of which held or did not.

    All of them: "reproduced"; none: "not"; else "partly". A part is a truth value, of Python or of
    a tensor with one element.
    """
    if not held:
        raise LedgerError("a verdict needs at least one part of the criterion")
    kept = [bool(part) for part in held]
    if all(kept):
        return "reproduced"
    return "partly" if any(kept) else "not"


@dataclass(frozen=True)
class Ledger:
    """What the last code cell of a notebook shows."""

    claims: tuple[Claim, ...]

    @property
    def html(self) -> str:
        return ledger_table([asdict(claim) for claim in self.claims])

    def __str__(self) -> str:
        return "\n".join(
            f"{VERDICTS[claim.verdict]}: {claim.says} ({claim.source}) "
            f"Measured: {claim.found} Control: {claim.control} Not shown: {claim.limits}"
            for claim in self.claims
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/html": self.html,
            "text/plain": str(self),
            LEDGER_MIME: {"claims": [asdict(claim) for claim in self.claims]},
        }


def ledger(*claims: Claim) -> Ledger:
    """The ledger of a notebook, as the last expression of its last code cell.

    Raises LedgerError without a claim, or if two claims say the same.
    """
    if not claims:
        raise LedgerError("a ledger holds at least one claim")
    said = [claim.says for claim in claims]
    if twice := sorted({says for says in said if said.count(says) > 1}):
        raise LedgerError(f"the ledger has two claims that say {twice[0]!r}")
    return Ledger(claims)


def collect(notebook: Mapping[str, Any]) -> list[dict[str, str]]:
    """The claims in the outputs of a notebook (as parsed from .ipynb), in order.

    Raises LedgerError if more than one cell shows a ledger.
    """
    found = [
        output["data"][LEDGER_MIME]["claims"]
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if LEDGER_MIME in output.get("data", {})
    ]
    if len(found) > 1:
        raise LedgerError("a notebook has one ledger, in its last code cell")
    return [dict(claim) for claim in found[0]] if found else []


def ledger_table(claims: Sequence[Mapping[str, str]]) -> str:
    """Claims as a table that a narrow page may lay out as one block a claim.

    The roles keep it a table for screen readers when a page's style no longer shows one.
    """
    head = "".join(
        f'<th scope="col" role="columnheader">{title}</th>' for title in COLUMNS.values()
    )
    return (
        '<table class="readout-ledger" role="table"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup">'
        + "".join(_row(claim) for claim in claims)
        + "</tbody></table>"
    )


def _row(claim: Mapping[str, str]) -> str:
    said = f"{escape(claim['says'])}<br><small>{escape(claim['source'])}</small>"
    cells = [f'<th scope="row" role="rowheader">{said}</th>']
    for name, title in list(COLUMNS.items())[1:]:
        text = escape(claim[name])
        if name == "verdict":
            text = f'<span data-verdict="{text}">{VERDICTS[claim[name]]}</span>'
        cells.append(f'<td role="cell" data-label="{escape(title)}">{text}</td>')
    return f'<tr role="row">{"".join(cells)}</tr>'
