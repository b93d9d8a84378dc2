"""Figures as inline SVG that takes the page's colours, with the numbers behind them in a table.

Text and axes are drawn in `currentColor`, so a figure reads in light and in dark; series differ in
colour, dash and mark. Nothing here needs a script, a font or a file from anywhere. The same numbers
give the same bytes.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

# Each has a contrast of 3:1 or more with white and with the dark page (WCAG 2.2, 1.4.11); a test
# measures it. A page may set --readout-1 and so on.
PALETTE = ("#2e86d9", "#d9650f", "#16946c", "#b360d0", "#8a8a3c", "#8a8f98")
DASHES = ("none", "8 4", "2 4", "10 3 2 3", "5 5", "1 3")
# At 345 px, a phone's column, 460 units of width make 15 units of type 11 px high.
WIDTH = 460
FONT = 15
ROW = 20
LONGEST_LABEL = 20  # characters beside a row; longer ones are cut and stand whole in the table


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
        value = _number(self.values[index])
        if self.intervals is None:
            return value
        low, high = self.intervals[index]
        return f"{value} ({_number(low)} to {_number(high)})"


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
            f'viewBox="0 0 {WIDTH} {_coordinate(self.height)}" '
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


def line(
    x: Sequence[float],
    series: Sequence[Series],
    *,
    title: str,
    x_title: str,
    y_title: str,
    caption: str = "",
) -> Figure:
    """One line a series over common x values, with a band where it has intervals."""
    for one in series:
        _same_length(one.label, one.values, x)
    height = 250
    legend, top = _legend(series, y_title)
    extent = [number for one in series for number in one.extent()]
    across = _Axis.around(x, 58, WIDTH - 14, padded=False)
    up = _Axis.around(extent, top + height, top)
    drawing = [legend, _x_axis(across, up.start, top, x_title), _y_axis(up, across)]
    for index, one in enumerate(series):
        points = [(across(at), up(value)) for at, value in zip(x, one.values, strict=True)]
        named = f"{one.label}, " if len(series) > 1 else ""
        if one.intervals is not None:
            low = [(across(at), up(ends[0])) for at, ends in zip(x, one.intervals, strict=True)]
            high = [(across(at), up(ends[1])) for at, ends in zip(x, one.intervals, strict=True)]
            band = _path([*high, *reversed(low)]) + "Z"
            drawing.append(_tag("path", d=band, fill=_colour(index), fill_opacity=0.2))
        # A line of no length with a round cap is a dot, and shorter to write than a circle.
        dots = "".join(
            _tag("path", _title(f"{named}{_number(at)}: {one.shown(n)}"), d=_path([point]) + "h0")
            for n, (at, point) in enumerate(zip(x, points, strict=True))
        )
        stroke = _tag(
            "path", d=_path(points), stroke_width=2, stroke_dasharray=DASHES[index % len(DASHES)]
        )
        drawing.append(
            _tag(
                "g",
                stroke + dots,
                fill="none",
                stroke=_colour(index),
                stroke_width=6,
                stroke_linecap="round",
            )
        )
    return Figure(
        title,
        f"{y_title} against {x_title}. " + " ".join(_course(one, x) for one in series),
        caption,
        top + height + 46,
        "".join(drawing),
        (x_title, *(one.label for one in series)),
        tuple((_number(at), *(one.shown(n) for one in series)) for n, at in enumerate(x)),
    )


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
        _same_length(one.label, one.values, labels)
    legend, top = _legend(series, y_title, reference)
    row = ROW * max(1, 0.6 * len(series)) + 4
    thick = (row - 4) / len(series)
    end = top + row * len(labels)
    extent = [number for one in series for number in one.extent()]
    across = _Axis.around(
        [0, *extent, *([reference[1]] if reference else [])], _label_width(labels), WIDTH - 20
    )
    drawing = [legend, _x_axis(across, end, top, x_title)]
    drawing += [
        _text(_short(label), across.start - 8, top + row * (n + 0.5) + 5, "end")
        for n, label in enumerate(labels)
    ]
    for index, one in enumerate(series):
        marks = []
        for n, (label, value) in enumerate(zip(labels, one.values, strict=True)):
            y = top + row * n + 2 + thick * index
            left, right = sorted((across(0), across(value)))
            said = _title(f"{one.label}, {label}: {one.shown(n)}")
            marks.append(
                _tag("rect", said, x=left, y=y, width=max(right - left, 0.5), height=thick - 2)
            )
            if one.intervals is not None:
                low, high = map(across, one.intervals[n])
                middle = y + thick / 2 - 1
                whisker = (
                    f"{_path([(low, middle), (high, middle)])}"
                    f"{_path([(low, middle - 4)])}v8{_path([(high, middle - 4)])}v8"
                )
                marks.append(_tag("path", d=whisker, stroke="currentColor", stroke_width=1.5))
        drawing.append(_tag("g", "".join(marks), fill=_colour(index)))
    if reference:
        drawing.append(_reference(across(reference[1]), top, end))
    return Figure(
        title,
        f"{x_title} by {y_title}. " + " ".join(_course(one, labels) for one in series),
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
    legend, top = _legend(counted, y_title)
    across = _Axis.around([*edges, 0], 58, WIDTH - 14)
    up = _Axis.around([0, *(n for one in counted for n in one.values)], top + height, top)
    drawing = [legend, _x_axis(across, up.start, top, x_title), _y_axis(up, across)]
    for index, one in enumerate(counted):
        marks = [
            _tag(
                "rect",
                _title(f"{one.label}, {_span(edges, n)}: {count}"),
                x=across(edges[n]),
                y=up(count),
                width=across(edges[n + 1]) - across(edges[n]),
                height=up.start - up(count),
            )
            for n, count in enumerate(one.values)
            if count
        ]
        drawing.append(
            _tag(
                "g",
                "".join(marks),
                fill=_colour(index),
                fill_opacity=0.35,
                stroke=_colour(index),
                stroke_width=1.5,
                stroke_dasharray=DASHES[index % len(DASHES)],
            )
        )
    spans = [_span(edges, n) for n in range(bins)]
    return Figure(
        title,
        f"Histogram of {x_title}. " + " ".join(_course(one, spans) for one in counted),
        caption,
        top + height + 46,
        "".join(drawing),
        (x_title, *groups),
        tuple((span, *(one.shown(n) for one in counted)) for n, span in enumerate(spans)),
    )


def heatmap(
    values: Sequence[Sequence[float]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    x_title: str,
    y_title: str,
    value_title: str,
    caption: str = "",
) -> Figure:
    """A cell for each value; the stronger the colour, the further from 0.

    `values[row][column]`, with row 0 on top. Above 0 is orange, below 0 blue: a cell of 0 has the
    colour of the page.
    """
    _same_length("heatmap", values, row_labels)
    for row in values:
        _same_length("row", row, column_labels)
    extent = [value for row in values for value in row]
    if not extent or not all(map(math.isfinite, extent)):
        raise ValueError("a heat map needs finite numbers, at least one")
    strongest = max(map(abs, extent)) or 1.0
    left, top = _label_width(row_labels), 2 * ROW + 14
    cell = min((WIDTH - 14 - left) / len(column_labels), 26)
    tall = min(max(cell, 14), 26)
    right, end = left + cell * len(column_labels), top + tall * len(row_labels)
    places = [(n, m) for n in range(len(row_labels)) for m in range(len(column_labels))]

    def named(n: int, m: int) -> str:
        return f"{y_title} {row_labels[n]}, {x_title} {column_labels[m]}"

    def mark(n: int, m: int) -> str:
        corner = _path([(left + cell * m, top + tall * n)])
        box = f"{corner}h{_coordinate(cell)}v{_coordinate(tall)}h-{_coordinate(cell)}z"
        said = _title(f"{named(n, m)}: {_number(values[n][m])}")
        return _tag("path", said, d=box, opacity=abs(values[n][m]) / strongest)

    above = "".join(mark(n, m) for n, m in places if values[n][m] > 0)
    below = "".join(mark(n, m) for n, m in places if values[n][m] <= 0)
    drawing = [_scale(value_title, min(extent), strongest), _text(y_title, 0, top - 10)]
    drawing += [_tag("g", above, fill=_colour(1)), _tag("g", below, fill=_colour(0))]
    drawing.append(
        _tag(
            "path",
            d=f"M{left:g} {top:g}H{_coordinate(right)}V{_coordinate(end)}H{left:g}Z",
            fill="none",
            stroke="currentColor",
        )
    )
    every = math.ceil((FONT + 3) / tall)
    drawing += [
        _text(_short(label), left - 6, top + tall * (n + 0.5) + 5, "end")
        for n, label in enumerate(row_labels)
        if n % every == 0
    ]
    labels, deep = _column_labels(column_labels, left, cell, end)
    drawing += [labels, _text(x_title, (left + right) / 2, end + deep + 18, "middle")]
    furthest = max(places, key=lambda place: abs(values[place[0]][place[1]]))
    return Figure(
        title,
        f"{value_title} by {y_title} and {x_title}, from {_number(min(extent))} to "
        f"{_number(max(extent))}; furthest from 0 at {named(*furthest)}.",
        caption,
        end + deep + 26,
        "".join(drawing),
        (f"{y_title} / {x_title}", *column_labels),
        tuple((label, *map(_number, row)) for label, row in zip(row_labels, values, strict=True)),
    )


def attention(
    tokens: Sequence[str], pattern: Sequence[Sequence[float]], *, title: str, caption: str = ""
) -> Figure:
    """Where one head looks: from each token (a row) to the tokens up to it (columns).

    `pattern[query][key]`; each row sums to 1.
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
class _Axis:
    """Values from low to high, laid out from start to end."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(
        cls, values: Iterable[float], start: float, end: float, padded: bool = True
    ) -> "_Axis":
        """An axis that holds all values; padded, it reaches out to the next ticks."""
        values = list(values)
        low, high = min(values), max(values)
        if low == high:
            low, high = low - 0.5, high + 0.5
        axis = cls(low, high, start, end)
        if not padded:
            return axis
        step = axis.step()
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end)

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def step(self) -> float:
        """1, 2 or 5 times a power of ten, for four to seven ticks."""
        rough = (self.high - self.low) / 5
        power = 10 ** math.floor(math.log10(rough))
        return power * min((1, 2, 5, 10), key=lambda factor: abs(factor - rough / power))

    def ticks(self) -> list[float]:
        step = self.step()
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


def _x_axis(across: _Axis, y: float, top: float, title: str) -> str:
    grid = "".join(
        f"M{_coordinate(across(tick))} {_coordinate(y)}V{top:g}" for tick in across.ticks()
    )
    ticks = "".join(_text(_number(tick), across(tick), y + 18, "middle") for tick in across.ticks())
    middle = (across.start + across.end) / 2
    # A title wider than the plot is centred in the figure instead.
    at = WIDTH / 2 if len(title) * FONT * 0.5 > across.end - across.start else middle
    return (
        _tag("path", d=grid, stroke="currentColor", stroke_opacity=0.15)
        + ticks
        + _text(title, at, y + 38, "middle")
    )


def _y_axis(up: _Axis, across: _Axis) -> str:
    grid = "".join(
        f"M{across.start:g} {_coordinate(up(tick))}H{_coordinate(across.end)}"
        for tick in up.ticks()
    )
    ticks = "".join(_text(_number(t), across.start - 6, up(t) + 5, "end") for t in up.ticks())
    zero = ""
    if up.low <= 0 <= up.high:
        across_zero = f"M{across.start:g} {_coordinate(up(0))}H{_coordinate(across.end)}"
        zero = _tag("path", d=across_zero, stroke="currentColor", stroke_width=1.5)
    return _tag("path", d=grid, stroke="currentColor", stroke_opacity=0.15) + ticks + zero


def _legend(
    series: Sequence[Series], y_title: str, reference: tuple[str, float] | None = None
) -> tuple[str, float]:
    """A row for each series, then the title of the y axis; and where the plot may begin.

    A series that is alone needs no row: the axis says what it is.
    """
    rows = []
    named = series if len(series) > 1 else ()
    for index, one in enumerate(named):
        y = ROW * index + 12
        sample = _tag(
            "path",
            d=f"M2 {y}h32",
            stroke=_colour(index),
            stroke_width=4,
            stroke_dasharray=DASHES[index % len(DASHES)],
        )
        rows.append(sample + _text(one.label, 42, y + 5))
    count = len(named)
    if reference:
        y = ROW * count + 12
        mark = _tag("path", d=f"M18 {y - 8}v16", stroke="currentColor", stroke_width=2)
        rows.append(mark + _text(f"{reference[0]}: {_number(reference[1])}", 42, y + 5))
        count += 1
    rows.append(_text(y_title, 0, ROW * count + 22))
    return "".join(rows), ROW * count + 34


def _reference(x: float, top: float, end: float) -> str:
    return _tag(
        "path", d=f"{_path([(x, top)])}V{_coordinate(end)}", stroke="currentColor", stroke_width=2
    )


def _scale(title: str, low: float, strongest: float) -> str:
    """What a heat map's colours stand for."""
    steps = [n / 4 for n in range(-4 if low < 0 else 0, 5)]
    first = _number(steps[0] * strongest)
    start = len(first) * FONT * 0.62 + 6
    boxes = "".join(
        _tag(
            "rect",
            x=start + 16 * n,
            y=2,
            width=16,
            height=14,
            fill=_colour(1 if step > 0 else 0),
            fill_opacity=abs(step),
        )
        for n, step in enumerate(steps)
    )
    end = start + 16 * len(steps) + 6
    return _text(first, 0, 14) + boxes + _text(f"{_number(strongest)}  {title}", end, 14)


def _column_labels(
    labels: Sequence[str], left: float, cell: float, end: float
) -> tuple[str, float]:
    """Labels under the columns, upright where they fit; and how deep they reach."""
    longest = max(len(_short(label)) for label in labels)
    if all(label.isdigit() for label in labels):
        every = math.ceil((longest * FONT * 0.62 + 4) / cell)
        shown = [
            _text(label, left + cell * (n + 0.5), end + 18, "middle")
            for n, label in enumerate(labels)
            if n % every == 0
        ]
        return "".join(shown), 20
    every = math.ceil((FONT + 1) / cell)
    shown = []
    for n, label in enumerate(labels):
        if n % every == 0:
            x, y = left + cell * (n + 0.5) + 5, end + 6
            turn = f"rotate(-90 {_coordinate(x)} {_coordinate(y)})"
            shown.append(_text(_short(label), x, y, "end", transform=turn))
    return "".join(shown), longest * FONT * 0.58 + 8


def _course(series: Series, places: Sequence[float] | Sequence[str]) -> str:
    """A series in words: where it starts, ends, and is lowest and highest."""

    def at(index: int) -> str:
        place = places[index]
        named = place if isinstance(place, str) else _number(place)
        return f"{_number(series.values[index])} at {named}"

    order = sorted(range(len(places)), key=lambda index: series.values[index])
    return (
        f"{series.label}: first {at(0)}, last {at(-1)}, "
        f"lowest {at(order[0])}, highest {at(order[-1])}."
    )


def _same_length(label: str, values: Sequence[object], places: Sequence[object]) -> None:
    if len(values) != len(places) or not places:
        raise ValueError(f"{label!r} has {len(values)} values for {len(places)} places")


def _label_width(labels: Sequence[str]) -> float:
    return max(len(_short(label)) for label in labels) * FONT * 0.58 + 16


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _span(edges: Sequence[float], n: int) -> str:
    return f"{_number(edges[n])} to {_number(edges[n + 1])}"


def _colour(index: int) -> str:
    index %= len(PALETTE)
    return f"var(--readout-{index + 1},{PALETTE[index]})"


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _text(
    content: str, x: float, y: float, anchor: str = "start", transform: str | None = None
) -> str:
    turned = {"transform": transform} if transform else {}
    anchored = {} if anchor == "start" else {"text_anchor": anchor}
    return _tag("text", escape(content), x=x, y=y, **anchored, **turned)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Straight lines through the points; after M, SVG reads every further pair as a line."""
    return "M" + " ".join(f"{_coordinate(x)} {_coordinate(y)}" for x, y in points)


def _tag(name: str, content: str = "", **attributes: float | str) -> str:
    written = "".join(
        f' {key.replace("_", "-")}="{value if isinstance(value, str) else _coordinate(value)}"'
        for key, value in attributes.items()
        if value != "none" or key == "fill"
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _coordinate(value: float) -> str:
    """Rounded, so that the last bits of a float do not change the bytes."""
    return (
        f"{value:.2f}".rstrip("0").rstrip(".")
        if abs(value) < 1
        else f"{value:.1f}".removesuffix(".0")
    )


def _number(value: float) -> str:
    """Three significant digits, without an exponent for everyday sizes."""
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}') + 0.0:g}"
