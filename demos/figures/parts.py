"""What every kind of figure is made of: series of numbers, and the figure that a notebook shows."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from demos.figures import svg
from demos.figures.svg import FONT, WIDTH


@dataclass(frozen=True)
class Series:
    """Numbers that belong together, each with its (low, high) interval where there is one."""

    label: str
    values: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        if self.intervals is not None and len(self.intervals) != len(self.values):
            raise ValueError(
                f"{self.label!r} has {len(self.values)} values, {len(self.intervals)} intervals"
            )
        if not all(math.isfinite(number) for number in self.extent()):
            raise ValueError(f"{self.label!r} holds a number that is not finite")

    def extent(self) -> list[float]:
        return [*self.values, *(end for interval in self.intervals or () for end in interval)]

    def shown(self, index: int) -> str:
        """The value as a reader sees it, with its interval: "4.97 (4.7 to 5.2)"."""
        value = svg.number(self.values[index])
        if self.intervals is None:
            return value
        low, high = self.intervals[index]
        return f"{value} ({svg.number(low)} to {svg.number(high)})"


@dataclass(frozen=True)
class Figure:
    """What a notebook shows: a drawing, what it says in words, and its numbers."""

    title: str
    description: str
    caption: str
    height: float
    drawing: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def svg(self) -> str:
        title, description = escape(self.title), escape(self.description)
        content = f"{title}{description}{self.drawing}"
        name = "f" + hashlib.sha256(content.encode()).hexdigest()[:10]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 0 {WIDTH} {svg.coordinate(self.height)}" '
            f'aria-labelledby="{name}t {name}d" font-size="{FONT}" fill="currentColor" '
            f'style="width:100%;max-width:{WIDTH + 80}px;height:auto">'
            f'<title id="{name}t">{title}</title><desc id="{name}d">{description}</desc>'
            f"{self.drawing}</svg>"
        )

    @property
    def html(self) -> str:
        caption = f" {escape(self.caption)}" if self.caption else ""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        return (
            f'<figure class="readout-figure" style="margin:1em 0">{self.svg}'
            f"<figcaption><strong>{escape(self.title)}.</strong>{caption}</figcaption>"
            f"<details><summary>Numbers</summary>"
            f'<div style="overflow-x:auto" tabindex="0" role="region" '
            f'aria-label="Numbers: {escape(self.title)}">'
            f'<table class="readout-numbers"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div></details></figure>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {
            "text/html": self.html,
            "text/plain": f"Figure: {self.title}. {self.description}",
        }


def course(series: Series, places: Sequence[float] | Sequence[str]) -> str:
    """A series in words: where it starts, ends, and is lowest and highest."""

    def at(index: int) -> str:
        place = places[index]
        named = place if isinstance(place, str) else svg.number(place)
        return f"{svg.number(series.values[index])} at {named}"

    order = sorted(range(len(places)), key=lambda index: series.values[index])
    return (
        f"{series.label}: first {at(0)}, last {at(-1)}, "
        f"lowest {at(order[0])}, highest {at(order[-1])}."
    )


def same_length(label: str, values: Sequence[object], places: Sequence[object]) -> None:
    if len(values) != len(places) or not places:
        raise ValueError(f"{label!r} has {len(values)} values for {len(places)} places")
