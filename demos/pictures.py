"""Small pictures side by side: stimuli, filters, and other weights that lie on pixels."""

import math
from collections.abc import Mapping

from demos.figures.maps import Matrix
from demos.figures.parts import Figure
from demos.figures.svg import ROW, WIDTH, colour, coordinate, number, path, tag, text

LEVELS = 8  # of colour on each side of 0; cells of a level are drawn as one path


def pictures(
    panels: Mapping[str, Matrix],
    *,
    title: str,
    value: str,
    caption: str = "",
    columns: int = 8,
    one_scale: bool = False,
) -> Figure:
    """A picture for each panel, `panels[name][row][column]`; above 0 orange, below 0 blue.

    The strongest colour is the value furthest from 0: of each picture, or of all with `one_scale`.
    `value`: what a number of it is, such as "weight". Raises ValueError for a panel without rows of
    one length, or one that is not finite.
    """
    if not panels:
        raise ValueError("pictures need at least one panel")
    for name, panel in panels.items():
        if not panel or not panel[0] or len({len(row) for row in panel}) > 1:
            raise ValueError(f"{name!r}: a picture has rows of one length, at least one")
        if not all(math.isfinite(one) for row in panel for one in row):
            raise ValueError(f"{name!r}: a picture needs finite numbers")
    furthest = {
        name: max(abs(one) for row in panel for one in row) for name, panel in panels.items()
    }
    columns = min(columns, len(panels))
    side = min((WIDTH - 8) / columns - 8, 130)
    drawing = []
    for index, (name, panel) in enumerate(panels.items()):
        x = (side + 8) * (index % columns) + 4
        y = (side + ROW + 6) * (index // columns) + ROW
        strongest = max(furthest.values()) if one_scale else furthest[name]
        drawing.append(text(name, x + side / 2, y - 4, "middle"))
        drawing.append(_picture(panel, x, y, side, strongest or 1.0))
    return Figure(
        title,
        f"{len(panels)} pictures of {value}s. Furthest from 0: "
        + "; ".join(f"{name} {_place(panel)}" for name, panel in panels.items())
        + ".",
        caption,
        (side + ROW + 6) * math.ceil(len(panels) / columns) + 4,
        "".join(drawing),
        ("picture", f"lowest {value}", f"highest {value}", "furthest from 0"),
        tuple(
            (
                name,
                number(min(one for row in panel for one in row)),
                number(max(one for row in panel for one in row)),
                _place(panel),
            )
            for name, panel in panels.items()
        ),
    )


def _place(panel: Matrix) -> str:
    """Where the value furthest from 0 is, counted from 1."""
    cells = [(n, m) for n, row in enumerate(panel) for m in range(len(row))]
    n, m = max(cells, key=lambda cell: abs(panel[cell[0]][cell[1]]))
    return f"row {n + 1}, column {m + 1}"


def _picture(panel: Matrix, x: float, y: float, side: float, strongest: float) -> str:
    cell = side / max(len(panel), len(panel[0]))
    size = coordinate(cell)
    levels: dict[int, list[str]] = {}
    for n, row in enumerate(panel):
        for m, one in enumerate(row):
            if level := round(LEVELS * one / strongest):
                corner = path([(x + cell * m, y + cell * n)])
                levels.setdefault(level, []).append(f"{corner}h{size}v{size}h-{size}z")
    cells = "".join(
        tag("path", d="".join(boxes), fill=colour(level > 0), opacity=abs(level) / LEVELS)
        for level, boxes in sorted(levels.items())
    )
    wide, tall = (coordinate(cell * n) for n in (len(panel[0]), len(panel)))
    frame = f"{path([(x, y)])}h{wide}v{tall}h-{wide}z"
    return cells + tag("path", d=frame, fill="none", stroke="currentColor", stroke_opacity=0.35)
