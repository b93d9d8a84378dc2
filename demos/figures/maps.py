"""Heat maps, of heads, of positions and of attention."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from demos.figures import axes, svg
from demos.figures.parts import Figure, same_length
from demos.figures.svg import FONT, ROW, WIDTH

Matrix = Sequence[Sequence[float]]  # values[row][column], with row 0 on top


def heatmap(
    values: Matrix | Mapping[str, Matrix],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    x_title: str,
    y_title: str,
    value_title: str,
    outlined: Sequence[tuple[int, int]] = (),
    caption: str = "",
) -> Figure:
    """A cell for each value; the stronger the colour, the further from 0.

    `values`: `values[row][column]`, with row 0 on top; or several such maps by name, one under the
    other on one scale of colours, such as an effect and its control. Above 0 is orange, below 0
    blue: a cell of 0 has the colour of the page. `outlined`: (row, column) of cells with a frame.
    """
    panels = values if isinstance(values, Mapping) else {"": values}
    _check(panels, row_labels, column_labels, outlined)
    extent = [value for panel in panels.values() for row in panel for value in row]
    strongest = max(map(abs, extent)) or 1.0
    left, top = axes.label_width(row_labels), 2 * ROW + 14.0
    grid = _Grid(
        left,
        cell=min((WIDTH - 14 - left) / len(column_labels), 26),
        row_labels=row_labels,
        column_labels=column_labels,
        place=lambda n, m: f"{y_title} {row_labels[n]}, {x_title} {column_labels[m]}",
        outlined=outlined,
    )
    drawing = [_scale(value_title, min(extent), strongest), svg.text(y_title, 0, top - 10)]
    for name, panel in panels.items():
        if name:
            drawing.append(svg.text(name, left, top + 10))
            top += ROW
        drawing.append(grid.draw(panel, name, top, strongest))
        end = top + grid.height
        top = end + 8
    labels, deep = axes.column_labels(column_labels, left, grid.cell, end)
    drawing += [labels, svg.text(x_title, left + grid.width / 2, end + deep + 18, "middle")]
    furthest = max(
        ((name, n, m) for name, panel in panels.items() for n, m in grid.places),
        key=lambda at: abs(panels[at[0]][at[1]][at[2]]),
    )
    return Figure(
        title,
        f"{value_title} by {y_title} and {x_title}, from {svg.number(min(extent))} to "
        f"{svg.number(max(extent))}; furthest from 0 at {grid.named(*furthest)}.",
        caption,
        end + deep + 26,
        "".join(drawing),
        (f"{y_title} / {x_title}", *column_labels),
        tuple(
            (f"{name}, {label}" if name else label, *map(svg.number, row))
            for name, panel in panels.items()
            for label, row in zip(row_labels, panel, strict=True)
        ),
    )


def attention(
    tokens: Sequence[str],
    pattern: Matrix | Mapping[str, Matrix],
    *,
    title: str,
    caption: str = "",
) -> Figure:
    """Where a head looks: from each token (a row) to the tokens up to it (columns).

    `pattern[query][key]`; each row sums to 1. Several heads by name stand one under the other.
    """
    shown = [token.replace(" ", "·").replace("\n", "⏎") for token in tokens]
    return heatmap(
        pattern,
        row_labels=shown,
        column_labels=shown,
        title=title,
        x_title="key",
        y_title="query",
        value_title="attention (share of 1)",
        caption=caption,
    )


@dataclass(frozen=True)
class _Grid:
    """The cells of a map; several maps of a figure have the same."""

    left: float
    cell: float  # width
    row_labels: Sequence[str]
    column_labels: Sequence[str]
    place: Callable[[int, int], str]
    outlined: Sequence[tuple[int, int]]

    @property
    def tall(self) -> float:
        return min(max(self.cell, 14), 26)

    @property
    def width(self) -> float:
        return self.cell * len(self.column_labels)

    @property
    def height(self) -> float:
        return self.tall * len(self.row_labels)

    @property
    def places(self) -> list[tuple[int, int]]:
        columns = range(len(self.column_labels))
        return [(n, m) for n in range(len(self.row_labels)) for m in columns]

    def named(self, panel: str, n: int, m: int) -> str:
        return f"{panel}, {self.place(n, m)}" if panel else self.place(n, m)

    def box(self, n: int, m: int, top: float) -> str:
        corner = svg.path([(self.left + self.cell * m, top + self.tall * n)])
        wide = svg.coordinate(self.cell)
        return f"{corner}h{wide}v{svg.coordinate(self.tall)}h-{wide}z"

    def draw(self, values: Matrix, panel: str, top: float, strongest: float) -> str:
        def mark(n: int, m: int) -> str:
            said = svg.hover(f"{self.named(panel, n, m)}: {svg.number(values[n][m])}")
            strength = abs(values[n][m]) / strongest
            return svg.tag("path", said, d=self.box(n, m, top), opacity=strength)

        above = "".join(mark(n, m) for n, m in self.places if values[n][m] > 0)
        below = "".join(mark(n, m) for n, m in self.places if values[n][m] <= 0)
        frame = (
            f"{svg.path([(self.left, top)])}h{svg.coordinate(self.width)}"
            f"v{svg.coordinate(self.height)}h-{svg.coordinate(self.width)}z"
        )
        outlines = "".join(self.box(n, m, top) for n, m in self.outlined)
        every = math.ceil((FONT + 3) / self.tall)
        labels = [
            svg.text(axes.short(label), self.left - 6, top + self.tall * (n + 0.5) + 5, "end")
            for n, label in enumerate(self.row_labels)
            if n % every == 0
        ]
        return "".join(
            [
                svg.tag("g", above, fill=svg.colour(1)),
                svg.tag("g", below, fill=svg.colour(0)),
                svg.tag("path", d=frame, fill="none", stroke="currentColor"),
                svg.tag("path", d=outlines, fill="none", stroke="currentColor", stroke_width=2.5)
                if outlines
                else "",
                *labels,
            ]
        )


def _check(
    panels: Mapping[str, Matrix],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    outlined: Sequence[tuple[int, int]],
) -> None:
    for name, panel in panels.items():
        same_length(name or "heatmap", panel, row_labels)
        for row in panel:
            same_length("row", row, column_labels)
            if not all(map(math.isfinite, row)):
                raise ValueError("a heat map needs finite numbers, at least one")
    if not panels:
        raise ValueError("a heat map needs finite numbers, at least one")
    for n, m in outlined:
        if not (0 <= n < len(row_labels) and 0 <= m < len(column_labels)):
            raise ValueError(f"there is no cell in row {n}, column {m} to outline")


def _scale(title: str, low: float, strongest: float) -> str:
    """What a heat map's colours stand for."""
    steps = [n / 4 for n in range(-4 if low < 0 else 0, 5)]
    first = svg.number(steps[0] * strongest)
    start = len(first) * FONT * 0.62 + 6
    boxes = "".join(
        svg.tag(
            "rect",
            x=start + 16 * n,
            y=2,
            width=16,
            height=14,
            fill=svg.colour(1 if step > 0 else 0),
            fill_opacity=abs(step),
        )
        for n, step in enumerate(steps)
    )
    end = start + 16 * len(steps) + 6
    return svg.text(first, 0, 14) + boxes + svg.text(f"{svg.number(strongest)}  {title}", end, 14)
