"""Axes, their labels, legends and lines of reference."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from demos.figures import svg
from demos.figures.parts import Series
from demos.figures.svg import DASHES, FONT, ROW, WIDTH

LONGEST_LABEL = 20  # characters beside a row; longer ones are cut and stand whole in the table
MOST_TICKS = 7


@dataclass(frozen=True)
class Axis:
    """Values from low to high, laid out from start to end; `log` by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        start: float,
        end: float,
        padded: bool = True,
        log: bool = False,
    ) -> "Axis":
        """An axis that holds all values; padded, it reaches out to the next ticks.

        Raises ValueError if a logarithmic axis should hold 0 or less.
        """
        values = list(values)
        low, high = min(values), max(values)
        if log:
            if low <= 0:
                raise ValueError(f"a logarithmic axis has no place for {low}")
            if low == high:
                low, high = low / 2, high * 2
            if padded:
                low = max(tick for tick in _log_ticks(low / 10, low * 1.001) if tick <= low * 1.001)
                high = min(tick for tick in _log_ticks(high / 1.001, high * 10))
            return cls(low, high, start, end, log)
        if low == high:
            low, high = low - 0.5, high + 0.5
        axis = cls(low, high, start, end)
        if not padded:
            return axis
        step = axis.step()
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end)

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def step(self) -> float:
        """1, 2 or 5 times a power of ten, for four to seven ticks."""
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        return power * min((1, 2, 5, 10), key=lambda factor: abs(factor - rough / power))

    def ticks(self) -> list[float]:
        if self.log:
            return _few(_log_ticks(self.low, self.high))
        step = self.step()
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times every power of ten from low to high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def _few(ticks: list[float]) -> list[float]:
    """At most MOST_TICKS of the ticks of a logarithmic axis: powers of ten, then some of them."""
    if len(ticks) <= MOST_TICKS:
        return ticks
    decades = [tick for tick in ticks if math.isclose(math.log10(tick) % 1 % 1, 0, abs_tol=1e-9)]
    return decades[:: math.ceil(len(decades) / MOST_TICKS)]


def x_axis(across: Axis, y: float, top: float, title: str) -> str:
    places = [(tick, across(tick)) for tick in across.ticks()]
    grid = "".join(f"M{svg.coordinate(x)} {svg.coordinate(y)}V{top:g}" for _, x in places)
    ticks = "".join(svg.text(svg.number(tick), x, y + 18, "middle") for tick, x in places)
    middle = (across.start + across.end) / 2
    # A title wider than the plot is centred in the figure instead.
    at = WIDTH / 2 if len(title) * FONT * 0.5 > across.end - across.start else middle
    return (
        svg.tag("path", d=grid, stroke="currentColor", stroke_opacity=0.15)
        + ticks
        + svg.text(title, at, y + 38, "middle")
    )


def y_axis(up: Axis, across: Axis) -> str:
    places = [(tick, up(tick)) for tick in up.ticks()]
    right = svg.coordinate(across.end)
    grid = "".join(f"M{across.start:g} {svg.coordinate(y)}H{right}" for _, y in places)
    ticks = "".join(
        svg.text(svg.number(tick), across.start - 6, y + 5, "end") for tick, y in places
    )
    zero = ""
    if not up.log and up.low <= 0 <= up.high:
        across_zero = f"M{across.start:g} {svg.coordinate(up(0))}H{right}"
        zero = svg.tag("path", d=across_zero, stroke="currentColor", stroke_width=1.5)
    return svg.tag("path", d=grid, stroke="currentColor", stroke_opacity=0.15) + ticks + zero


def legend(samples: Sequence[tuple[str, str]], y_title: str) -> tuple[str, float]:
    """A row for each (mark drawn around 18, 0 and its name), then the title of the y axis.

    Also returns where the plot may begin.
    """
    rows = [
        svg.tag("g", mark, transform=f"translate(0 {ROW * n + 12})")
        + svg.text(name, 42, ROW * n + 17)
        for n, (mark, name) in enumerate(samples)
    ]
    rows.append(svg.text(y_title, 0, ROW * len(samples) + 22))
    return "".join(rows), ROW * len(samples) + 34


def samples(series: Sequence[Series]) -> list[tuple[str, str]]:
    """What a legend shows of series. One that is alone needs no row: the axis says what it is."""
    if len(series) < 2:
        return []
    return [
        (
            svg.tag(
                "path",
                d="M2 0h32",
                stroke=svg.colour(index),
                stroke_width=4,
                stroke_dasharray=DASHES[index % len(DASHES)],
            ),
            one.label,
        )
        for index, one in enumerate(series)
    ]


def reference_sample(reference: tuple[str, float] | None, mark: str) -> list[tuple[str, str]]:
    """What a legend shows of a named value that is drawn as a line."""
    if reference is None:
        return []
    name, value = reference
    line = svg.tag("path", d=mark, stroke="currentColor", stroke_width=2)
    return [(line, f"{name}: {svg.number(value)}")]


def column_labels(labels: Sequence[str], left: float, cell: float, end: float) -> tuple[str, float]:
    """Labels under the columns, upright where they fit; and how deep they reach."""
    longest = max(len(short(label)) for label in labels)
    if all(label.isdigit() for label in labels):
        every = math.ceil((longest * FONT * 0.62 + 4) / cell)
        shown = [
            svg.text(label, left + cell * (n + 0.5), end + 18, "middle")
            for n, label in enumerate(labels)
            if n % every == 0
        ]
        return "".join(shown), 20
    every = math.ceil((FONT + 1) / cell)
    shown = []
    for n, label in enumerate(labels):
        if n % every == 0:
            x, y = left + cell * (n + 0.5) + 5, end + 6
            turn = f"rotate(-90 {svg.coordinate(x)} {svg.coordinate(y)})"
            shown.append(svg.text(short(label), x, y, "end", transform=turn))
    return "".join(shown), longest * FONT * 0.58 + 8


def label_width(labels: Sequence[str]) -> float:
    return max(len(short(label)) for label in labels) * FONT * 0.58 + 16


def short(label: str, longest: int = LONGEST_LABEL) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"
