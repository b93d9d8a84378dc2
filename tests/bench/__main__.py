"""`make bench`: every figure beside a named alternative, measured in the same run.

Writes build/bench.json: an object from the name of a benchmark to
{"value", "unit", "against", "against_value", "ratio"}, and prints a table, ratios first. A ratio
says how many times better ours is than the alternative. `python -m tests.bench NAME` runs one.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.bench import answers, check, incremental, paths, results, site
from tests.conftest import ROOT


class Figure(NamedTuple):
    name: str
    value: float
    unit: str
    against: str
    against_value: float

    @property
    def ratio(self) -> float:
        return round(self.against_value / self.value, 2)


def patching() -> Iterator[tuple[str, float, str, str, float]]:
    from tests.bench import patching  # needs torch, which the others do without

    return patching.measure()


Benchmark = Callable[[], Iterator[tuple[str, float, str, str, float]]]
BENCHMARKS: dict[str, Benchmark] = {
    "answers": answers.measure,
    "results": results.measure,
    "check": check.measure,
    "site": site.measure,
    "incremental": incremental.measure,
    "paths": paths.measure,
    "patching": patching,
}


def main(names: list[str]) -> None:
    if unknown := set(names) - BENCHMARKS.keys():
        sys.exit(f"no benchmark {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    kept = json.loads(path.read_text()) if path.is_file() else {}
    for name in names or BENCHMARKS:
        for figure in (Figure(*row) for row in BENCHMARKS[name]()):
            kept[figure.name] = {
                "value": round(figure.value, 4),
                "unit": figure.unit,
                "against": figure.against,
                "against_value": round(figure.against_value, 4),
                "ratio": figure.ratio,
            }
            path.write_text(json.dumps(kept, indent=2) + "\n")
            print(
                f"{figure.ratio:8.2f} x  {figure.name}: {figure.value:.3g} {figure.unit}, "
                f"{figure.against}: {figure.against_value:.3g} {figure.unit}",
                flush=True,
            )


main(sys.argv[1:])
