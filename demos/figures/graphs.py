"""Graphs whose edges lead from one layer to a later one, such as circuits."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from demos.figures import axes, svg
from demos.figures.parts import Figure
from demos.figures.svg import DASHES, FONT, PAGE, ROW, WIDTH

BOX = 28  # height of a node
PITCH = 86  # from the top of one layer to the top of the next
THICKEST = 7


def graph(
    layers: Mapping[str, Sequence[str]],
    edges: Sequence[tuple[str, str, float]],
    *,
    title: str,
    value_title: str,
    caption: str = "",
) -> Figure:
    """Nodes in layers, from the first on top to the last, and edges between them.

    `layers`: the nodes of each named layer; no two nodes have the same name. `edges`: from, to and
    a weight; the thicker, the further from 0. Below 0 they are blue and dashed. Raises ValueError
    for an edge that has no node at an end, does not lead down, or is given twice.
    """
    depth = {name: n for n, names in enumerate(layers.values()) for name in names}
    _check(layers, edges, depth)
    left = axes.label_width(list(layers))
    top = 2 * ROW
    boxes = _boxes(layers, left, top)
    strongest = max(abs(weight) for *_, weight in edges) or 1.0
    titles = "".join(
        svg.text(axes.short(name), left - 10, top + PITCH * n + BOX / 2 + 5, "end")
        for n, name in enumerate(layers)
    )
    # The strongest last, so that none is hidden by a weaker one.
    lines = "".join(
        _edge(edge, _way(*edge[:2], layers, boxes, depth), strongest)
        for edge in sorted(edges, key=lambda edge: abs(edge[2]))
    )
    nodes = "".join(_node(name, *box) for name, box in boxes.items())
    ranked = sorted(edges, key=lambda edge: -abs(edge[2]))
    source, target, weight = ranked[0]
    return Figure(
        title,
        f"{len(depth)} nodes in {len(layers)} layers and {len(edges)} edges by {value_title}; "
        f"the strongest leads from {source} to {target}: {svg.number(weight)}.",
        caption,
        top + PITCH * (len(layers) - 1) + BOX + 8,
        _scale(value_title, strongest, ranked) + titles + lines + nodes,
        ("from", "to", value_title),
        tuple((source, target, svg.number(weight)) for source, target, weight in ranked),
    )


def _check(
    layers: Mapping[str, Sequence[str]],
    edges: Sequence[tuple[str, str, float]],
    depth: Mapping[str, int],
) -> None:
    if len(depth) < sum(map(len, layers.values())):
        raise ValueError("two nodes have the same name")
    if not edges:
        raise ValueError("a graph needs at least one edge")
    for source, target, weight in edges:
        for name in (source, target):
            if name not in depth:
                raise ValueError(f"the edge {source} to {target} ends at no node {name!r}")
        if depth[source] >= depth[target]:
            raise ValueError(f"the edge {source} to {target} does not lead to a later layer")
        if not math.isfinite(weight):
            raise ValueError(f"the edge {source} to {target} has a weight that is not finite")
    for one, other in pairwise(sorted(edge[:2] for edge in edges)):
        if one == other:
            raise ValueError(f"the edge {one[0]} to {one[1]} is given twice")


def _boxes(
    layers: Mapping[str, Sequence[str]], left: float, top: float
) -> dict[str, tuple[float, float, float]]:
    """Middle, top and width of each node's box."""
    boxes = {}
    for n, names in enumerate(layers.values()):
        place = (WIDTH - left - 8) / max(1, len(names))
        for m, name in enumerate(names):
            width = min(place - 6, len(name) * FONT * 0.6 + 14)
            boxes[name] = (left + place * (m + 0.5), top + PITCH * n, max(width, 12.0))
    return boxes


def _node(name: str, middle: float, top: float, width: float) -> str:
    room = max(1, int((width - 8) / (FONT * 0.56)))
    box = svg.tag(
        "rect",
        svg.hover(name),
        x=middle - width / 2,
        y=top,
        width=width,
        height=BOX,
        rx=4,
        fill=PAGE,
        stroke="currentColor",
    )
    return box + svg.text(axes.short(name, room), middle, top + BOX / 2 + 5, "middle")


def _way(
    source: str,
    target: str,
    layers: Mapping[str, Sequence[str]],
    boxes: Mapping[str, tuple[float, float, float]],
    depth: Mapping[str, int],
) -> str:
    """The path of an edge, through gaps between the nodes of the layers that it passes by."""
    (x1, top, _), (x2, end, _) = boxes[source], boxes[target]
    at, drawn = top + BOX, svg.path([(x1, top + BOX)])
    x = x1
    for n in range(depth[source] + 1, depth[target]):
        passed = [boxes[name] for name in list(layers.values())[n]]
        share = (n - depth[source]) / (depth[target] - depth[source])
        straight = x1 + (x2 - x1) * share
        gap = min(_gaps(passed, straight), key=lambda gap: abs(gap - straight))
        level = top + PITCH * (n - depth[source])
        drawn += _bend((x, at), (gap, level)) + f"V{svg.coordinate(level + BOX)}"
        x, at = gap, level + BOX
    return drawn + _bend((x, at), (x2, end))


def _gaps(passed: Sequence[tuple[float, float, float]], anywhere: float) -> list[float]:
    """Where a layer can be passed: beside its first and last node, and between two of them."""
    if not passed:
        return [anywhere]
    sides = [(middle - width / 2, middle + width / 2) for middle, _, width in passed]
    between = [(right + left) / 2 for (_, right), (left, _) in pairwise(sides)]
    return [sides[0][0] - 6, *between, sides[-1][1] + 6]


def _bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve that leaves and arrives upright."""
    (x1, y1), (x2, y2) = start, end
    half = (y2 - y1) / 2
    return "C" + svg.path([(x1, y1 + half), (x2, y2 - half), (x2, y2)]).removeprefix("M")


def _edge(edge: tuple[str, str, float], way: str, strongest: float) -> str:
    source, target, weight = edge
    return svg.tag(
        "path",
        svg.hover(f"{source} to {target}: {svg.number(weight)}"),
        d=way,
        fill="none",
        stroke=svg.colour(1 if weight >= 0 else 0),
        stroke_width=1 + (THICKEST - 1) * abs(weight) / strongest,
        stroke_dasharray=DASHES[0 if weight >= 0 else 1],
    )


def _scale(value_title: str, strongest: float, edges: Sequence[tuple[str, str, float]]) -> str:
    """What thickness and colour stand for."""
    signs = [sign for sign in (1, -1) if any(weight * sign > 0 for *_, weight in edges)] or [1]
    parts, x = [], 0.0
    for sign in signs:
        mark = svg.tag(
            "path",
            d=f"M{svg.coordinate(x)} 9h32",
            stroke=svg.colour(1 if sign > 0 else 0),
            stroke_width=THICKEST,
            stroke_dasharray=DASHES[0 if sign > 0 else 1],
        )
        said = svg.number(sign * strongest)
        parts.append(mark + svg.text(said, x + 38, 14))
        x += 50 + len(said) * FONT * 0.6
    return "".join(parts) + svg.text(value_title, x, 14)
