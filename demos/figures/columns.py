"""Bars, and how often each value occurs."""

import math
from collections.abc import Mapping, Sequence

from demos.figures import axes, svg
from demos.figures.axes import Axis
from demos.figures.parts import Figure, Series, course, same_length
from demos.figures.svg import DASHES, ROW, WIDTH


def bars(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    title: str,
    x_title: str,
    y_title: str,
    caption: str = "",
    reference: tuple[str, float] | None = None,
) -> Figure:
    """Horizontal bars from 0, a row for each label, with whiskers where there are intervals.

    `reference`: a name and a value to draw a line at, such as ("chance", 0.5).
    """
    for one in series:
        same_length(one.label, one.values, labels)
    samples = axes.samples(series) + axes.reference_sample(reference, "M18 -8v16")
    legend, top = axes.legend(samples, y_title)
    row = ROW * max(1, 0.6 * len(series)) + 4
    thick = (row - 4) / len(series)
    end = top + row * len(labels)
    extent = [number for one in series for number in one.extent()]
    across = Axis.around(
        [0, *extent, *([reference[1]] if reference else [])], axes.label_width(labels), WIDTH - 20
    )
    drawing = [legend, axes.x_axis(across, end, top, x_title)]
    drawing += [
        svg.text(axes.short(label), across.start - 8, top + row * (n + 0.5) + 5, "end")
        for n, label in enumerate(labels)
    ]
    for index, one in enumerate(series):
        marks = []
        for n, (label, value) in enumerate(zip(labels, one.values, strict=True)):
            y = top + row * n + 2 + thick * index
            left, right = sorted((across(0), across(value)))
            said = svg.hover(f"{one.label}, {label}: {one.shown(n)}")
            marks.append(
                svg.tag("rect", said, x=left, y=y, width=max(right - left, 0.5), height=thick - 2)
            )
            if one.intervals is not None:
                low, high = map(across, one.intervals[n])
                middle = y + thick / 2 - 1
                whisker = (
                    f"{svg.path([(low, middle), (high, middle)])}"
                    f"{svg.path([(low, middle - 4)])}v8{svg.path([(high, middle - 4)])}v8"
                )
                marks.append(svg.tag("path", d=whisker, stroke="currentColor", stroke_width=1.5))
        drawing.append(svg.tag("g", "".join(marks), fill=svg.colour(index)))
    if reference:
        upright = f"{svg.path([(across(reference[1]), top)])}V{svg.coordinate(end)}"
        drawing.append(svg.tag("path", d=upright, stroke="currentColor", stroke_width=2))
    return Figure(
        title,
        f"{x_title} by {y_title}. " + " ".join(course(one, labels) for one in series),
        caption,
        end + 46,
        "".join(drawing),
        (y_title, *(one.label for one in series)),
        tuple((label, *(one.shown(n) for one in series)) for n, label in enumerate(labels)),
    )


def distribution(
    groups: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_title: str,
    y_title: str = "count",
    bins: int = 24,
    caption: str = "",
) -> Figure:
    """A histogram of each group over common bins, drawn on top of each other."""
    everything = [value for values in groups.values() for value in values]
    if not everything or not all(map(math.isfinite, everything)):
        raise ValueError("a distribution needs finite numbers, at least one")
    low, high = min(everything), max(everything)
    width = (high - low) / bins or 1.0
    edges = [low + width * n for n in range(bins + 1)]
    counted = []
    for label, values in groups.items():
        counts = [0] * bins
        for value in values:
            counts[min(int((value - low) / width), bins - 1)] += 1
        counted.append(Series(label, counts))
    height = 200
    legend, top = axes.legend(axes.samples(counted), y_title)
    across = Axis.around([*edges, 0], 58, WIDTH - 14)
    up = Axis.around([0, *(n for one in counted for n in one.values)], top + height, top)
    drawing = [legend, axes.x_axis(across, up.start, top, x_title), axes.y_axis(up, across)]
    for index, one in enumerate(counted):
        marks = [
            svg.tag(
                "rect",
                svg.hover(f"{one.label}, {_span(edges, n)}: {count}"),
                x=across(edges[n]),
                y=up(count),
                width=across(edges[n + 1]) - across(edges[n]),
                height=up.start - up(count),
            )
            for n, count in enumerate(one.values)
            if count
        ]
        drawing.append(
            svg.tag(
                "g",
                "".join(marks),
                fill=svg.colour(index),
                fill_opacity=0.35,
                stroke=svg.colour(index),
                stroke_width=1.5,
                stroke_dasharray=DASHES[index % len(DASHES)],
            )
        )
    spans = [_span(edges, n) for n in range(bins)]
    return Figure(
        title,
        f"Histogram of {x_title}. " + " ".join(course(one, spans) for one in counted),
        caption,
        top + height + 46,
        "".join(drawing),
        (x_title, *groups),
        tuple((span, *(one.shown(n) for one in counted)) for n, span in enumerate(spans)),
    )


def _span(edges: Sequence[float], n: int) -> str:
    return f"{svg.number(edges[n])} to {svg.number(edges[n + 1])}"
