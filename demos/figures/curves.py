"""One number against another: courses and clouds."""

import math
from collections.abc import Mapping, Sequence

from demos.figures import axes, svg
from demos.figures.axes import Axis
from demos.figures.parts import Figure, Series, course, same_length
from demos.figures.svg import DASHES, WIDTH

HEIGHT = 250
LEFT = 58
MOST_POINTS = 400  # of a figure; each can be hovered over and stands in the table
# Each drawn around a point: circle, square, triangle, diamond, cross, ring of six.
SHAPES = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-3.5-3.5h7v7h-7z",
    "m0-5l5 8.5h-10z",
    "m0-5.5l5.5 5.5-5.5 5.5-5.5-5.5z",
    "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "m-2.5-4.3h5l2.5 4.3-2.5 4.3h-5l-2.5-4.3z",
)


def line(
    x: Sequence[float],
    series: Sequence[Series],
    *,
    title: str,
    x_title: str,
    y_title: str,
    caption: str = "",
    reference: tuple[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """One line a series over common x values, with a band where it has intervals.

    `reference`: a name and a value to draw a level line at, such as ("chance", 0.5).
    `log_x`, `log_y`: axes on which equal distances are equal factors; all values are above 0.
    """
    for one in series:
        same_length(one.label, one.values, x)
    _refuse_too_many(len(x) * len(series))
    samples = axes.samples(series) + axes.reference_sample(reference, "M2 0h32")
    legend, top = axes.legend(samples, y_title)
    extent = [number for one in series for number in one.extent()]
    across = Axis.around(x, LEFT, WIDTH - 14, padded=False, log=log_x)
    levels = [*extent, *([reference[1]] if reference else [])]
    up = Axis.around(levels, top + HEIGHT, top, log=log_y)
    drawing = [legend, axes.x_axis(across, up.start, top, x_title), axes.y_axis(up, across)]
    drawing += [
        _course_of(index, one, x, across, up, named=len(series) > 1)
        for index, one in enumerate(series)
    ]
    if reference:
        level = f"{svg.path([(across.start, up(reference[1]))])}H{svg.coordinate(across.end)}"
        drawing.append(svg.tag("path", d=level, stroke="currentColor", stroke_width=2))
    at_level = f" {reference[0]}: {svg.number(reference[1])}." if reference else ""
    return Figure(
        title,
        f"{y_title} against {x_title}. " + " ".join(course(one, x) for one in series) + at_level,
        caption,
        top + HEIGHT + 46,
        "".join(drawing),
        (x_title, *(one.label for one in series)),
        tuple((svg.number(at), *(one.shown(n) for one in series)) for n, at in enumerate(x)),
    )


def _course_of(
    index: int, one: Series, x: Sequence[float], across: Axis, up: Axis, *, named: bool
) -> str:
    """A series as a line with a dot at each value, over the band of its intervals."""
    points = [(across(at), up(value)) for at, value in zip(x, one.values, strict=True)]
    name = f"{one.label}, " if named else ""
    band = ""
    if one.intervals is not None:
        low = [(across(at), up(ends[0])) for at, ends in zip(x, one.intervals, strict=True)]
        high = [(across(at), up(ends[1])) for at, ends in zip(x, one.intervals, strict=True)]
        outline = svg.path([*high, *reversed(low)]) + "Z"
        band = svg.tag("path", d=outline, fill=svg.colour(index), fill_opacity=0.2)
    # A line of no length with a round cap is a dot, and shorter to write than a circle.
    dots = "".join(
        svg.tag(
            "path",
            svg.hover(f"{name}{svg.number(at)}: {one.shown(n)}"),
            d=svg.path([point]) + "h0",
        )
        for n, (at, point) in enumerate(zip(x, points, strict=True))
    )
    stroke = svg.tag(
        "path", d=svg.path(points), stroke_width=2, stroke_dasharray=DASHES[index % len(DASHES)]
    )
    return band + svg.tag(
        "g",
        stroke + dots,
        fill="none",
        stroke=svg.colour(index),
        # Many dots side by side would hide the dashes that tell one line from another.
        stroke_width=6 if len(x) <= 40 else 3,
        stroke_linecap="round",
    )


def scatter(
    groups: Mapping[str, Sequence[tuple[float, float]]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    labels: Mapping[str, Sequence[str]] | None = None,
    diagonal: bool = False,
    caption: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """A mark for each (x, y), groups differing in colour and shape.

    `labels`: for each group the names of its points, shown on hovering and in the table.
    `diagonal`: also a line where y equals x.
    """
    points = [point for group in groups.values() for point in group]
    if not points or not all(math.isfinite(number) for point in points for number in point):
        raise ValueError("a scatter plot needs points of finite numbers, at least one")
    _refuse_too_many(len(points))
    names = labels or {
        group: [f"{group} {n}" if group else str(n) for n in range(1, len(places) + 1)]
        for group, places in groups.items()
    }
    for group, places in groups.items():
        same_length(group, places, names.get(group, ()))
    shapes = [
        (svg.tag("path", d=f"M18 0{_shape(index)}", fill=svg.colour(index)), group)
        for index, group in enumerate(groups)
    ]
    legend, top = axes.legend(shapes if len(groups) > 1 else [], y_title)
    both = [number for point in points for number in point]
    across = Axis.around(both if diagonal else [x for x, _ in points], LEFT, WIDTH - 20, log=log_x)
    up = Axis.around(both if diagonal else [y for _, y in points], top + HEIGHT, top, log=log_y)
    drawing = [legend, axes.x_axis(across, up.start, top, x_title), axes.y_axis(up, across)]
    if diagonal:
        ends = [(across(end), up(end)) for end in (up.low, up.high)]
        drawing.append(
            svg.tag("path", d=svg.path(ends), stroke="currentColor", stroke_dasharray="4 4")
        )
    for index, (group, places) in enumerate(groups.items()):
        marks = "".join(
            svg.tag(
                "path",
                svg.hover(f"{name}: {svg.number(x)}, {svg.number(y)}"),
                d=svg.path([(across(x), up(y))]) + _shape(index),
            )
            for name, (x, y) in zip(names[group], places, strict=True)
        )
        drawing.append(svg.tag("g", marks, fill=svg.colour(index)))
    return Figure(
        title,
        f"{y_title} against {x_title}. " + " ".join(map(_cloud, groups, groups.values())),
        caption,
        top + HEIGHT + 46,
        "".join(drawing),
        ("point", x_title, y_title),
        tuple(
            (name, svg.number(x), svg.number(y))
            for group, places in groups.items()
            for name, (x, y) in zip(names[group], places, strict=True)
        ),
    )


def _shape(index: int) -> str:
    return SHAPES[index % len(SHAPES)]


def _cloud(group: str, points: Sequence[tuple[float, float]]) -> str:
    """A group of points in words: how many, and how far they reach."""
    ranges = [
        f"{name} from {svg.number(min(values))} to {svg.number(max(values))}"
        for name, values in zip("xy", zip(*points, strict=True), strict=True)
    ]
    count = f"{len(points)} point{'s' if len(points) != 1 else ''}"
    return f"{group}: {count}, {', '.join(ranges)}."


def _refuse_too_many(count: int) -> None:
    if count > MOST_POINTS:
        raise ValueError(
            f"{count} points are more than the {MOST_POINTS} that a reader can look at one by one; "
            "take some of them, or means"
        )
