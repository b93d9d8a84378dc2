"""Vectors of two numbers as arrows, a small plane for each set: how features share a space."""

import math
from collections.abc import Mapping, Sequence

from demos.figures.parts import Figure
from demos.figures.svg import ROW, WIDTH, colour, hover, number, path, tag, text


def arrows(
    panels: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    vector: str,
    caption: str = "",
    columns: int = 4,
) -> Figure:
    """A plane for each panel, with an arrow from its middle for each vector.

    All planes have the same scale, and a circle of radius 1. `vector`: what one of them is, such as
    "feature". Raises ValueError for a panel without a vector, or one that is not finite.
    """
    if not panels or not all(panels.values()):
        raise ValueError("each panel needs at least one vector")
    lengths = [math.hypot(x, y) for vectors in panels.values() for x, y in vectors]
    if not all(map(math.isfinite, lengths)):
        raise ValueError("a vector needs finite numbers")
    columns = min(columns, len(panels))
    side = min((WIDTH - 8) / columns, WIDTH / 2)
    unit = (side / 2 - 6) / max(1.0, *lengths)
    drawing = []
    for index, (label, vectors) in enumerate(panels.items()):
        x = WIDTH / 2 + side * (index % columns + 0.5 - columns / 2)
        y = (side + ROW) * (index // columns) + ROW + side / 2
        drawing.append(text(label, x, y - side / 2 - 5, "middle"))
        drawing.append(_plane(label, vectors, x, y, unit))
    most = max(map(len, panels.values()))
    long = {
        label: f"{sum(math.hypot(*one) > 0.5 for one in vectors)} of {len(vectors)}"
        for label, vectors in panels.items()
    }
    said = "; ".join(f"{label}: {count}" for label, count in long.items())
    return Figure(
        title,
        f"Arrows in {len(panels)} planes, one for each {vector}. Longer than a half: {said}.",
        caption,
        (side + ROW) * math.ceil(len(panels) / columns) + 8,
        "".join(drawing),
        ("plane", *(f"{vector} {n}" for n in range(most))),
        tuple(
            (
                label,
                *(f"{number(x)}, {number(y)}" for x, y in vectors),
                *[""] * (most - len(vectors)),
            )
            for label, vectors in panels.items()
        ),
    )


def _plane(
    label: str, vectors: Sequence[tuple[float, float]], x: float, y: float, unit: float
) -> str:
    ring = tag(
        "circle", cx=x, cy=y, r=unit, fill="none", stroke="currentColor", stroke_opacity=0.35
    )
    tips = [(x + unit * east, y - unit * north) for east, north in vectors]  # SVG counts downwards
    shafts = "".join(path([(x, y), tip]) for tip in tips)
    heads = "".join(
        tag("circle", hover(f"{label}, {n}: {number(east)}, {number(north)}"), cx=cx, cy=cy, r=3.5)
        for n, ((east, north), (cx, cy)) in enumerate(zip(vectors, tips, strict=True))
    )
    lines = tag("path", d=shafts, stroke=colour(0), stroke_width=2, fill="none")
    return ring + lines + tag("g", heads, fill=colour(0))
