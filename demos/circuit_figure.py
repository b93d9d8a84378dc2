"""A circuit drawn: layers from the top down, a column for each head, edges by what they feed."""

from collections.abc import Mapping

from demos.circuit import Circuit
from demos.edge_graph import Edge
from demos.figures import svg
from demos.figures.parts import Figure
from demos.figures.svg import DASHES, FONT, PAGE, ROW, WIDTH
from demos.nodes import EMBED, LOGITS, Head, HeadInput, Mlp, Node, rank

BOX = 24  # height of a node
PITCH = 54  # from the top of one row to the top of the next
LEFT = 76  # the names of the rows
THICKEST = 5
KINDS = ("value", "query", "key", "other")  # of what an edge feeds: each with colour and dash


def circuit_figure(
    circuit: Circuit,
    effects: Mapping[Edge, float] | None = None,
    *,
    title: str,
    value_title: str = "effect",
    caption: str = "",
) -> Figure:
    """The edges of a circuit, the thicker, the larger the effect; pointing at one names it.

    `effects`: of edges, on whatever scale `value_title` says; without them all are alike.
    Raises ValueError for a circuit without edges, or if an edge has no effect among those given.
    """
    if not circuit.edges:
        raise ValueError("a circuit without edges cannot be drawn")
    if effects is not None and (missing := circuit.edges - effects.keys()):
        raise ValueError(f"no effect is given of {min(map(str, missing))}")
    sizes = {edge: effects[edge] if effects else 1.0 for edge in circuit.edges}
    ranked = sorted(sizes, key=lambda edge: (-abs(sizes[edge]), str(edge)))
    strongest = abs(sizes[ranked[0]]) or 1.0
    nodes = sorted(circuit.nodes, key=rank)
    tops = {place: 2 * ROW + PITCH * n for n, place in enumerate(sorted({*map(rank, nodes)}))}
    middle = {node: _middle(node, circuit.graph.n_heads) for node in nodes}

    def line(edge: Edge) -> str:
        receiver = circuit.graph.owner(edge.receiver)
        start = (middle[edge.sender], tops[rank(edge.sender)] + BOX)
        kind = _kind(edge.receiver)
        said = f"{edge}: {svg.number(sizes[edge])}" if effects else str(edge)
        return svg.tag(
            "path",
            svg.hover(said),
            d=_bend(start, (middle[receiver] + 5 * (kind % 3 - 1), tops[rank(receiver)])),
            fill="none",
            stroke=svg.colour(kind),
            stroke_width=1 + (THICKEST - 1) * abs(sizes[edge]) / strongest,
            stroke_dasharray=DASHES[kind],
        )

    rows = "".join(
        svg.text(_row_name(place), LEFT - 12, top + BOX / 2 + 5, "end")
        for place, top in tops.items()
        if place not in (rank(EMBED), rank(LOGITS))
    )
    # The strongest last, so that none is hidden by a weaker one.
    lines = "".join(line(edge) for edge in reversed(ranked))
    boxes = "".join(_box(node, middle[node], tops[rank(node)]) for node in nodes)
    header = ("from", "to", value_title) if effects else ("from", "to")
    return Figure(
        title,
        f"{len(circuit)} edges between {len(nodes)} nodes"
        + (f"; the strongest is {ranked[0]}: {svg.number(sizes[ranked[0]])}." if effects else "."),
        caption,
        max(tops.values()) + BOX + 8,
        _legend(sorted({_kind(edge.receiver) for edge in ranked})) + rows + lines + boxes,
        header,
        tuple(
            (str(edge.sender), str(edge.receiver), svg.number(sizes[edge]))[: len(header)]
            for edge in ranked
        ),
    )


def _kind(receiver: Node) -> int:
    letter = receiver.letter if isinstance(receiver, HeadInput) else ""
    return {"v": 0, "q": 1, "k": 2}.get(letter, 3)


def _middle(node: Node, n_heads: int) -> float:
    if not isinstance(node, Head):
        return (LEFT + WIDTH) / 2
    return LEFT + (WIDTH - LEFT) * (node.head + 0.5) / n_heads


def _row_name(place: int) -> str:
    return f"{'mlp' if place % 2 else 'layer'} {place // 2}"


def _box(node: Node, middle: float, top: float) -> str:
    # A row's name has the layer already, which leaves room for many heads side by side.
    name = (
        str(node.head) if isinstance(node, Head) else "mlp" if isinstance(node, Mlp) else str(node)
    )
    width = len(name) * FONT * 0.6 + 12
    box = svg.tag(
        "rect",
        svg.hover(str(node)),
        x=middle - width / 2,
        y=top,
        width=width,
        height=BOX,
        rx=4,
        fill=PAGE,
        stroke="currentColor",
    )
    return box + svg.text(name, middle, top + BOX / 2 + 5, "middle")


def _bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve that leaves and arrives upright."""
    (x1, y1), (x2, y2) = start, end
    half = (y2 - y1) / 2
    return (
        svg.path([start])
        + "C"
        + svg.path([(x1, y1 + half), (x2, y2 - half), (x2, y2)]).removeprefix("M")
    )


def _legend(kinds: list[int]) -> str:
    parts, x = [], 0.0
    for kind in kinds:
        mark = svg.tag(
            "path",
            d=f"M{svg.coordinate(x)} 9h28",
            stroke=svg.colour(kind),
            stroke_width=3,
            stroke_dasharray=DASHES[kind],
        )
        said = f"into a {KINDS[kind]}" if kind < 3 else "into all else"
        parts.append(mark + svg.text(said, x + 34, 14))
        x += 46 + len(said) * FONT * 0.52
    return "".join(parts)
