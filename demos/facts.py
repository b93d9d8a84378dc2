"""Facts: the numbers that a notebook measured, kept in its own outputs.

`record` writes a line into the output of the cell that measured the value, with a machine-readable
twin beside it. What the reader sees, what a page quotes and what a quiz uses as its key are
therefore one artefact. Nothing here imports torch, so that pages and keys can be built without it.
"""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FACT_MIME = "application/vnd.readout.fact+json"
MODEL_MIME = "application/vnd.readout.model+json"
NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")
LONGEST_STRING = 80

Notebook = dict[str, Any]
Value = bool | int | float | str | list[int]


class FactError(ValueError):
    """A fact that cannot be recorded, or facts that contradict each other."""


@dataclass(frozen=True)
class Fact:
    name: str
    value: Value
    tolerance: float
    n: int | None = None
    se: float | None = None
    interval: tuple[float, float] | None = None
    seed: int | None = None
    unit: str | None = None
    claim: str | None = None
    sealed: bool = False

    def __str__(self) -> str:
        if self.sealed:
            return f"{self.name} is measured, and kept back: a quiz asks for it"
        shown = f"{self.name} = {self._quantity()}"
        notes = []
        if self.n is not None:
            notes.append(f"n = {self.n}")
        if self.se is not None:
            notes.append(f"standard error {self.se:.2g}")
        if self.interval is not None:
            low, high = (_rounded(end, self.tolerance) for end in self.interval)
            notes.append(f"interval {low} to {high}")
        if self.seed is not None:
            notes.append(f"seed {self.seed}")
        return f"{shown} ({', '.join(notes)})" if notes else shown

    def _quantity(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not isinstance(self.value, float):
            return f"{self.value}{unit}"
        margin = f" ± {self.tolerance:g}" if self.tolerance else ""
        return f"{_rounded(self.value, self.tolerance)}{margin}{unit}"

    def _ipython_display_(self) -> None:
        """Show nothing: `record` has shown this fact already."""


def record(
    name: str,
    value: Any,
    tolerance: float = 0,
    *,
    n: int | None = None,
    se: float | None = None,
    interval: Sequence[float] | None = None,
    seed: int | None = None,
    unit: str | None = None,
    claim: str | None = None,
    sealed: bool = False,
) -> Fact:
    """Check a measured value, show it under the running cell, and return it.

    `value`: a finite number, a truth value, a short string, or a list of integers (ranks, heads).
    One-element tensors and integer tensors are taken as what they hold.
    `tolerance`: how far the value may move on another machine; 0 unless the value is a float.
    `se`, `interval`: standard error and (low, high) of the value, in its unit. `claim`: the
    sentence that the value bears on. A `sealed` value is not shown, and the site leaves it out of
    the page and of the notebook to download: it is the key of a question that is put before a
    meeting. Raises FactError if anything does not fit.
    """
    fact = Fact(
        name=name,
        value=_plain(value),
        tolerance=_plain(tolerance),
        n=_plain(n),
        se=_plain(se),
        interval=None if interval is None else tuple(float(end) for end in interval),
        seed=_plain(seed),
        unit=unit,
        claim=claim,
        sealed=sealed,
    )
    _check(fact)
    publish(str(fact), FACT_MIME, asdict(fact))
    return fact


def collect(notebook: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The facts in the outputs of a notebook (as parsed from .ipynb), by name, in order.

    Raises FactError if two cells record the same name.
    """
    facts: dict[str, dict[str, Any]] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if FACT_MIME not in output.get("data", {}):
                continue
            fact = dict(output["data"][FACT_MIME])
            name = fact.pop("name")
            if name in facts:
                raise FactError(f"fact '{name}' is recorded twice; give each its own name")
            facts[name] = fact
    return facts


def without_sealed(notebook: Notebook) -> Notebook:
    """A copy of an executed notebook in which no sealed value stands any more."""
    shown: Notebook = json.loads(json.dumps(notebook))
    readout = shown["metadata"].get("readout", {})
    for name in [name for name, fact in readout.get("facts", {}).items() if fact.get("sealed")]:
        del readout["facts"][name]
    for cell in shown["cells"]:
        for output in cell.get("outputs", ()):
            if output.get("data", {}).get(FACT_MIME, {}).get("sealed"):
                del output["data"][FACT_MIME]
    return shown


def read_facts(executed: Path) -> dict[str, dict[str, Any]]:
    """Every fact of the executed notebooks in a folder, by name, each with where it comes from.

    Raises FactError if two notebooks record the same name.
    """
    facts: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(executed).glob("*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        readout = notebook["metadata"]["readout"]
        provenance = {
            "notebook": path.stem,
            "model": readout["model"]["name"],
            "model_sha256": readout["model"]["sha256"],
            "key": readout["key"],
            "environment": readout["environment"],
        }
        for name, fact in collect(notebook).items():
            if name in facts:
                first = facts[name]["notebook"]
                raise FactError(f"fact '{name}' is recorded by both {first} and {path.stem}")
            facts[name] = fact | provenance
    return dict(sorted(facts.items()))


def loaded_model(notebook: Mapping[str, Any]) -> dict[str, str | None]:
    """Name and weights' SHA-256 of the first model that a notebook loaded; None where it has none.

    A notebook compares others with the first: its controls, or models that it trains itself.
    """
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if MODEL_MIME in output.get("data", {}):
                return dict(output["data"][MODEL_MIME])
    return {"name": None, "sha256": None}


def _plain(value: Any) -> Any:
    """A Python value for a scalar or an integer list of numpy or torch."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _check(fact: Fact) -> None:
    def refuse(what: str) -> FactError:
        return FactError(f"fact '{fact.name}': {what}")

    if not isinstance(fact.name, str) or not NAME.fullmatch(fact.name):
        raise refuse("a name is lower-case words and digits joined by '-', like 'ioi-accuracy'")
    value = fact.value
    if isinstance(value, str):
        if not 0 < len(value) <= LONGEST_STRING:
            raise refuse(f"a string has 1 to {LONGEST_STRING} characters, not {len(value)}")
    elif isinstance(value, list):
        if not value or not all(_is_int(element) for element in value):
            raise refuse("a list holds integers, at least one")
    elif not isinstance(value, bool | int | float):
        raise refuse(f"a value is a number, a truth value, a string or integers, not {value!r}")
    elif not math.isfinite(value):
        raise refuse(f"a value is finite, not {value}")

    if not _is_number(fact.tolerance) or fact.tolerance < 0:
        raise refuse(f"a tolerance is a number, 0 or more, not {fact.tolerance!r}")
    if fact.tolerance and not isinstance(value, float):
        raise refuse(f"only a float has a tolerance, and {value!r} is not one")
    if fact.n is not None and (not _is_int(fact.n) or fact.n < 1):
        raise refuse(f"n is a positive integer, not {fact.n!r}")
    if fact.se is not None and (not _is_number(fact.se) or fact.se < 0):
        raise refuse(f"a standard error is a number, 0 or more, not {fact.se!r}")
    if fact.seed is not None and not _is_int(fact.seed):
        raise refuse(f"a seed is an integer, not {fact.seed!r}")
    if fact.interval is not None:
        if len(fact.interval) != 2 or not all(map(_is_number, fact.interval)):
            raise refuse(f"an interval is (low, high), not {fact.interval!r}")
        if not _is_number(value) or not fact.interval[0] <= value <= fact.interval[1]:
            raise refuse(f"the interval {fact.interval} does not hold the value {value}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _rounded(value: float, tolerance: float) -> str:
    """The value to one decimal more than its tolerance has."""
    if not tolerance:
        return f"{value:.6g}"
    decimals = max(0, 1 - math.floor(math.log10(tolerance)))
    return f"{value:.{decimals}f}"


def publish(text: str, mime: str, data: Mapping[str, Any]) -> None:
    """Add a line with a machine-readable twin to the running cell; outside a notebook, nothing."""
    if in_notebook():
        from IPython.display import publish_display_data

        publish_display_data({"text/plain": text, mime: dict(data)})


def in_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # a kernel has imported it; nobody else need
    return ipython is not None and ipython.get_ipython() is not None
