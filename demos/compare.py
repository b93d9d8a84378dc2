"""What differs between two executions of the same notebook."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from demos import facts, ledger, notebooks


def compare_results(stored: Mapping[str, Any], fresh: Mapping[str, Any]) -> Iterator[str]:
    """How two results of the same notebook differ: in facts, beyond their tolerance, and in the
    kinds of output that each cell has."""
    old, new = facts.collect(stored), facts.collect(fresh)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name}: stored {old[name]['value']}, now not recorded"
        elif name not in old:
            yield f"{name}: not stored, now {new[name]['value']}"
        elif not _agree(old[name]["value"], new[name]["value"], old[name]["tolerance"]):
            values = f"stored {old[name]['value']}, now {new[name]['value']}"
            yield f"{name}: {values}, tolerance {old[name]['tolerance']:g}"

    yield from _other_verdicts(ledger.collect(stored), ledger.collect(fresh))

    if facts.loaded_model(stored) != facts.loaded_model(fresh):
        yield f"model: stored {facts.loaded_model(stored)}, now {facts.loaded_model(fresh)}"

    cells = zip(notebooks.code_cells(stored), notebooks.code_cells(fresh), strict=True)
    for number, (before, after) in enumerate(cells, start=1):
        if (kinds := _kinds(before)) != (now := _kinds(after)):
            yield f"cell {number}: stored outputs {_listed(kinds)}, now {_listed(now)}"


def compare_outcomes(
    stored: Mapping[str, Any], fresh: Mapping[str, Any], tolerances: Mapping[str, float]
) -> Iterator[str]:
    """How two outcomes under the same seed differ; `tolerances` are those of the facts."""
    if stored["failed"] != fresh["failed"]:
        yield f"stored {_how(stored)}, now {_how(fresh)}"
        return
    if stored["verdicts"] != fresh["verdicts"]:
        yield f"verdicts: stored {stored['verdicts']}, now {fresh['verdicts']}"
    old, new = stored["facts"], fresh["facts"]
    for name in sorted(old.keys() | new.keys()):
        then, now = old.get(name), new.get(name)
        if not _agree(then, now, tolerances.get(name, 0)):
            yield f"{name}: stored {then}, now {now}, tolerance {tolerances.get(name, 0):g}"


def _how(outcome: Mapping[str, Any]) -> str:
    failed = outcome["failed"]
    return f"failed in cell {failed['cell']}: {failed['error']}" if failed else "held"


def _other_verdicts(
    stored: Sequence[Mapping[str, str]], fresh: Sequence[Mapping[str, str]]
) -> Iterator[str]:
    old, new = ({claim["says"]: claim["verdict"] for claim in claims} for claims in (stored, fresh))
    for says in sorted(old.keys() | new.keys()):
        then, now = old.get(says, "not claimed"), new.get(says, "not claimed")
        if then != now:
            yield f"claim {says!r}: stored {then}, now {now}"


def _agree(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=0, abs_tol=tolerance)
    return type(old) is type(new) and old == new


def _kinds(cell: Mapping[str, Any]) -> Counter[str]:
    return Counter(
        output.get("name") or " + ".join(sorted(output.get("data", {}))) or output["output_type"]
        for output in cell["outputs"]
    )


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(sorted(kinds.elements())) or "none"
