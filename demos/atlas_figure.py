"""An activation atlas that stands still: a square for each cell, and what it is called."""

from collections.abc import Sequence

from demos.atlas import Cells
from demos.figures.parts import Figure
from demos.figures.svg import WIDTH, colour, tag, text


def atlas_figure(cells: Cells, labels: Sequence[str], *, title: str, caption: str = "") -> Figure:
    """The larger a square, the more states its cell holds; the table counts by label.

    Raises ValueError unless each cell has a label.
    """
    if len(labels) != len(cells):
        raise ValueError(f"{len(cells)} cells need as many labels, not {len(labels)}")
    wide = WIDTH / cells.side
    most = int(cells.count.max())
    drawing = []
    for row, column, count, label in zip(
        cells.row.tolist(), cells.column.tolist(), cells.count.tolist(), labels, strict=True
    ):
        size = wide * (0.4 + 0.55 * (count / most) ** 0.5)
        x, y = wide * (column + 0.5), wide * (row + 0.5)
        drawing.append(
            tag(
                "rect",
                x=x - size / 2,
                y=y - size / 2,
                width=size,
                height=size,
                fill=colour(0),
                fill_opacity=0.2,
            )
        )
        drawing.append(text(label, x, y + 5, "middle"))
    kinds = sorted(set(labels))
    held = {
        kind: [
            count
            for count, label in zip(cells.count.tolist(), labels, strict=True)
            if label == kind
        ]
        for kind in kinds
    }
    return Figure(
        title,
        f"{len(cells)} cells of a grid of {cells.side} x {cells.side}: "
        + "; ".join(f"{kind} in {len(counts)}" for kind, counts in held.items())
        + ".",
        caption,
        WIDTH,
        "".join(drawing),
        ("label", "cells", "states in them"),
        tuple((kind, str(len(counts)), str(sum(counts))) for kind, counts in held.items()),
    )
