"""The page of all claim ledgers: what each notebook tested, and how it came out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from api.notebook_pages import Demo
from api.pages import Linker, heading, link


class DemoLedger(NamedTuple):
    """The ledger at the end of a notebook."""

    demo: Demo
    verdicts: list[str]  # of its claims, in words
    table: str  # HTML
    draws: bool  # whether anything in it depends on a seed
    # By seed, how it came out: "failed" (None, or the cell, its code and the error) and "verdicts".
    seeds: Mapping[str, Mapping[str, Any]]


def ledger_list(ledgers: Sequence[DemoLedger], linker: Linker) -> str:
    """How many claims came out how, then the ledger of each notebook under its title."""
    if not ledgers:
        return "<p>No notebook has a ledger yet.</p>"
    counted = Counter(verdict for one in ledgers for verdict in one.verdicts)
    n, of = sum(counted.values()), len(ledgers)
    shares = "".join(
        f"<li><strong>{count}</strong> {escape(verdict.lower())}</li>"
        for verdict, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    head = (
        f"<p>{n} claim{'s' if n != 1 else ''} in {of} notebook{'s' if of != 1 else ''}:</p>"
        f"<ul>{shares}</ul>"
    )
    return head + "".join(_section(one, linker) for one in ledgers)


def _section(one: DemoLedger, linker: Linker) -> str:
    notebook = link(f"demos/{one.demo.slug}.ipynb", "The notebook", linker)
    return (
        f"{heading(one.demo.title, one.demo.slug)}"
        f"<p>{notebook}. {seeds_sentence(one.verdicts, one.draws, one.seeds)}</p>{one.table}"
    )


def seeds_sentence(
    verdicts: Sequence[str], draws: bool, seeds: Mapping[str, Mapping[str, Any]]
) -> str:
    """What happened under other seeds, as HTML: how many held, and what failed in the others."""
    if not draws:
        return "It draws nothing at random, so another seed would change nothing."
    if not seeds:
        return "It has not been executed under other seeds since its code last changed."
    failures = {
        seed: trouble for seed, outcome in seeds.items() if (trouble := _trouble(verdicts, outcome))
    }
    held = f"Its claims held under {len(seeds) - len(failures)} of {len(seeds)} other seeds"
    return (
        "; ".join(
            [held, *(f"under seed {escape(seed)} {trouble}" for seed, trouble in failures.items())]
        ).rstrip(".")
        + "."
    )


def _trouble(verdicts: Sequence[str], outcome: Mapping[str, Any]) -> str:
    """What came out otherwise, as HTML; nothing if all claims held."""
    if failed := outcome["failed"]:
        return f"cell {failed['cell']} failed at <code>{escape(failed['code'])}</code>"
    other = [
        f"claim {number} came out as {escape(now.lower())}"
        for number, (then, now) in enumerate(
            zip(verdicts, outcome["verdicts"], strict=True), start=1
        )
        if then != now
    ]
    return ", ".join(other)
