import itertools
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from demos.figures import (
    PALETTE,
    WIDTH,
    Series,
    attention,
    bars,
    distribution,
    graph,
    heatmap,
    line,
    scatter,
)
from demos.figures.svg import PAGE

SVG = "{http://www.w3.org/2000/svg}"
PAGES = {"light": "#ffffff", "dark": "#1e2129"}
TITLES = {"title": "A title", "x_title": "layer", "y_title": "effect (logits)"}


def a_line(**changes):
    series = [
        Series("clean", [0.0, 5.0, 10.0], [(-1.0, 1.0), (4.0, 6.0), (9.0, 11.0)]),
        Series("control", [0.0, 0.5, -0.25]),
    ]
    return line(**({"x": [0, 1, 2], "series": series} | TITLES | changes))


def some_bars(**changes):
    series = [Series("accuracy", [1.0, 0.75, 0.5], [(0.9, 1.0), (0.6, 0.9), (0.4, 0.6)])]
    labels = ["first", "second", "third"]
    return bars(
        **({"labels": labels, "series": series, "reference": ("a coin", 0.5)} | TITLES | changes)
    )


def a_heatmap(**changes):
    given = {
        "values": [[0.0, -0.5, 1.0], [0.25, 0.0, 0.0]],
        "row_labels": ["0", "1"],
        "column_labels": ["0", "1", "2"],
        "value_title": "effect (share)",
        "title": "Heads",
        "x_title": "layer",
        "y_title": "head",
    }
    return heatmap(**(given | changes))


def a_distribution(**changes):
    groups = {"clean": [0.0, 0.1, 3.9], "swapped": [4.0, 2.1]}
    return distribution(groups, **({"title": "D", "x_title": "logits", "bins": 4} | changes))


def an_attention():
    return attention(["A", " b", "\n"], [[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]], title="Head")


def a_map_with_its_control():
    values = {"repeated": [[0.5, -1.0]], "fresh": [[0.25, 0.0]]}
    return a_heatmap(values=values, row_labels=["0"], column_labels=["0", "1"], outlined=[(0, 1)])


def a_scatter(**changes):
    groups = {"heads": [(1.0, 2.0), (3.0, 4.0)], "control": [(1.0, -1.0)]}
    labels = {"heads": ["L1H2", "L5H0"], "control": ["random"]}
    return scatter(**({"groups": groups, "labels": labels} | TITLES | changes))


def a_graph(**changes):
    layers = {"input": ["token"], "layer 0": ["0.1", "0.2"], "output": ["logits"]}
    edges = [
        ("token", "0.1", 0.5),
        ("token", "0.2", -2.0),
        ("0.1", "logits", 1.0),
        ("token", "logits", 0.0),
    ]
    given = {"layers": layers, "edges": edges, "title": "A circuit", "value_title": "effect"}
    return graph(**(given | changes))


def a_loss_curve():
    series = [Series("loss", [5.0, 0.5, 0.05]), Series("control", [5.0, 4.0, 3.0])]
    return a_line(
        x=[1, 10, 1000], series=series, log_x=True, log_y=True, reference=("uniform", 4.5)
    )


KINDS = [
    a_line,
    some_bars,
    a_heatmap,
    a_distribution,
    an_attention,
    a_map_with_its_control,
    a_scatter,
    a_graph,
    a_loss_curve,
]


class Page(HTMLParser):
    """The ids of a page, the cells of its tables row by row, and whatever it should not hold."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.rows, self.tags, self.attributes = [], [], [], []
        self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag == "tr":
            self.rows.append([])
        self.in_cell = tag in {"td", "th"}

    def handle_endtag(self, tag):
        self.in_cell = False

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1].append(data)


def marks(figure):
    """What hovering shows, mark by mark."""
    drawing = ElementTree.fromstring(figure.svg)
    return [
        element.find(f"{SVG}title").text
        for element in drawing.iter()
        if element is not drawing and element.find(f"{SVG}title") is not None
    ]


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dim = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_measured_as_wcag_defines_it():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_stands_out_from_both_pages(colour, page):
    assert contrast(colour, page) >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_named_and_described_to_those_who_do_not_see_it(kind):
    figure = kind()
    drawing = ElementTree.fromstring(figure.svg)

    assert drawing.get("role") == "img"
    named = [element for element in drawing if element.get("id")]
    assert drawing.get("aria-labelledby").split() == [element.get("id") for element in named]
    assert [element.tag for element in named] == [f"{SVG}title", f"{SVG}desc"]
    assert [element.text for element in named] == [figure.title, figure.description]


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_axes_take_the_colour_of_the_page_and_marks_one_of_the_palette(kind):
    drawing = ElementTree.fromstring(kind().svg)
    palette = {f"var(--readout-{n},{colour})" for n, colour in enumerate(PALETTE, start=1)}

    assert drawing.get("fill") == "currentColor"
    for element in drawing.iter():
        colours = {element.get("fill"), element.get("stroke")} - {None, "none"}
        assert colours <= palette | {"currentColor", PAGE}
        if element.tag == f"{SVG}text":
            assert not colours


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched_and_nothing_runs(kind):
    page = Page(kind().html)

    assert {"script", "style", "image", "img", "link", "a", "use"}.isdisjoint(page.tags)
    assert not [name for name in page.attributes if name.startswith("on") or name.endswith("href")]
    assert "url(" not in kind().html
    assert kind().html.replace("http://www.w3.org/2000/svg", "").count("://") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_type_is_at_least_eleven_pixels_high_in_a_phones_column(kind):
    drawing = ElementTree.fromstring(kind().svg)
    width = float(drawing.get("viewBox").split()[2])

    assert float(drawing.get("font-size")) * 345 / width >= 11
    assert not [element for element in drawing.iter(f"{SVG}text") if element.get("font-size")]
    assert "width:100%" in drawing.get("style")


@pytest.mark.parametrize("kind", KINDS)
def test_everything_lies_inside_the_drawing(kind):
    drawing = ElementTree.fromstring(kind().svg)
    height = float(drawing.get("viewBox").split()[3])

    for element in drawing.iter():
        for name, limit in (("x", WIDTH), ("y", height)):
            if element.get(name):
                assert 0 <= float(element.get(name)) <= limit


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_give_the_same_bytes(kind):
    assert kind().html == kind().html


def test_the_last_bits_of_a_float_do_not_change_the_bytes():
    sum_of_tenths = 0.1 + 0.2

    assert sum_of_tenths != 0.3
    figures = [a_line(series=[Series("s", [0.1, y, 1.0])]) for y in (0.3, sum_of_tenths)]
    assert figures[0].html == figures[1].html


def test_ids_do_not_collide_on_a_page():
    figures = [kind() for kind in KINDS] + [a_line(title="Another"), a_line(x=[0, 1, 3])]
    ids = Page("".join(figure.html for figure in figures)).ids

    assert len(ids) == 2 * len(figures)
    assert len(set(ids)) == len(ids)


def test_a_line_tells_its_numbers_three_times():
    figure = a_line()

    assert marks(figure) == [
        "clean, 0: 0 (-1 to 1)",
        "clean, 1: 5 (4 to 6)",
        "clean, 2: 10 (9 to 11)",
        "control, 0: 0",
        "control, 1: 0.5",
        "control, 2: -0.25",
    ]
    assert Page(figure.html).rows == [
        ["layer", "clean", "control"],
        ["0", "0 (-1 to 1)", "0"],
        ["1", "5 (4 to 6)", "0.5"],
        ["2", "10 (9 to 11)", "-0.25"],
    ]
    assert figure.description == (
        "effect (logits) against layer. "
        "clean: first 0 at 0, last 10 at 2, lowest 0 at 0, highest 10 at 2. "
        "control: first 0 at 0, last -0.25 at 2, lowest -0.25 at 2, highest 0.5 at 1."
    )


def test_a_line_is_drawn_where_its_axes_say():
    figure = a_line(x=[0, 10], series=[Series("s", [0.0, 10.0])])
    drawing = ElementTree.fromstring(figure.svg)
    texts = list(drawing.iter(f"{SVG}text"))
    x_of = {t.text: float(t.get("x")) for t in texts if t.get("text-anchor") == "middle"}
    y_of = {t.text: float(t.get("y")) for t in texts if t.get("text-anchor") == "end"}
    dots = [
        tuple(map(float, re.fullmatch(r"M(\S+) (\S+)h0", element.get("d")).groups()))
        for element in drawing.iter(f"{SVG}path")
        if element.get("d").endswith("h0")
    ]

    # A label on the y axis stands 5 lower than its tick, so that its middle is beside it.
    assert dots == [(x_of["0"], y_of["0"] - 5), (x_of["10"], y_of["10"] - 5)]


def test_bars_tell_their_numbers_and_start_at_zero():
    figure = some_bars()
    boxes = list(ElementTree.fromstring(figure.svg).iter(f"{SVG}rect"))

    assert marks(figure) == [
        "accuracy, first: 1 (0.9 to 1)",
        "accuracy, second: 0.75 (0.6 to 0.9)",
        "accuracy, third: 0.5 (0.4 to 0.6)",
    ]
    assert len({box.get("x") for box in boxes}) == 1
    widths = [float(box.get("width")) for box in boxes]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 0.75, 0.5], abs=0.01)
    assert Page(figure.html).rows[1:] == [
        ["first", "1 (0.9 to 1)"],
        ["second", "0.75 (0.6 to 0.9)"],
        ["third", "0.5 (0.4 to 0.6)"],
    ]
    assert "a coin: 0.5" in figure.svg


def test_a_bar_below_zero_goes_the_other_way():
    figure = some_bars(series=[Series("effect", [2.0, -2.0, 0.0])], reference=None)
    boxes = list(ElementTree.fromstring(figure.svg).iter(f"{SVG}rect"))
    left = [float(box.get("x")) for box in boxes]
    right = [float(box.get("x")) + float(box.get("width")) for box in boxes]

    assert right[1] == pytest.approx(left[0], abs=0.2)


def test_a_histogram_counts_everything_once():
    figure = a_distribution()

    assert Page(figure.html).rows == [
        ["logits", "clean", "swapped"],
        ["0 to 1", "2", "0"],
        ["1 to 2", "0", "0"],
        ["2 to 3", "0", "1"],
        ["3 to 4", "1", "1"],
    ]
    assert marks(figure) == [
        "clean, 0 to 1: 2",
        "clean, 3 to 4: 1",
        "swapped, 2 to 3: 1",
        "swapped, 3 to 4: 1",
    ]


def test_equal_numbers_make_a_histogram_too():
    rows = Page(distribution({"all": [2.0, 2.0]}, title="D", x_title="logits", bins=2).html).rows

    assert [row[1] for row in rows[1:]] == ["2", "0"]


def test_a_heat_map_is_strongest_where_its_value_is():
    figure = a_heatmap()
    cells = {
        element.find(f"{SVG}title").text: float(element.get("opacity"))
        for element in ElementTree.fromstring(figure.svg).iter(f"{SVG}path")
        if element.find(f"{SVG}title") is not None
    }

    assert cells == {
        "head 0, layer 0: 0": 0,
        "head 0, layer 1: -0.5": 0.5,
        "head 0, layer 2: 1": 1,
        "head 1, layer 0: 0.25": 0.25,
        "head 1, layer 1: 0": 0,
        "head 1, layer 2: 0": 0,
    }
    assert Page(figure.html).rows == [
        ["head / layer", "0", "1", "2"],
        ["0", "0", "-0.5", "1"],
        ["1", "0.25", "0", "0"],
    ]
    assert figure.description.endswith("from -0.5 to 1; furthest from 0 at head 0, layer 2.")


def test_above_and_below_zero_differ_in_colour():
    groups = ElementTree.fromstring(a_heatmap().svg).iter(f"{SVG}g")
    colours = {
        title.text.rpartition(": ")[2]: group.get("fill")
        for group in groups
        for title in group.iter(f"{SVG}title")
    }

    assert colours["1"] == colours["0.25"] != colours["-0.5"]


def test_a_map_of_thirty_layers_and_nine_heads_fits():
    values = [[(row * 30 + column) / 270 for column in range(30)] for row in range(9)]
    figure = a_heatmap(
        values=values,
        row_labels=[str(n) for n in range(9)],
        column_labels=[str(n) for n in range(30)],
    )

    assert len(marks(figure)) == 270
    assert len(figure.html.encode()) < 40_000


def test_attention_shows_the_spaces_and_line_ends_of_tokens():
    assert marks(an_attention())[:2] == ["query A, key A: 1", "query ·b, key A: 0.5"]
    assert Page(an_attention().html).rows[0] == ["query / key", "A", "·b", "⏎"]


def test_a_map_and_its_control_share_one_scale_and_the_same_outline():
    figure = a_map_with_its_control()
    drawing = ElementTree.fromstring(figure.svg)
    cells = {
        element.find(f"{SVG}title").text: element.get("opacity")
        for element in drawing.iter(f"{SVG}path")
        if element.find(f"{SVG}title") is not None
    }

    assert cells == {
        "repeated, head 0, layer 0: 0.5": "0.5",
        "repeated, head 0, layer 1: -1": "1",
        "fresh, head 0, layer 0: 0.25": "0.25",
        "fresh, head 0, layer 1: 0": "0",
    }
    outlines = [e for e in drawing.iter(f"{SVG}path") if e.get("stroke-width") == "2.5"]
    assert len(outlines) == 2
    assert Page(figure.html).rows[1:] == [
        ["repeated, 0", "0.5", "-1"],
        ["fresh, 0", "0.25", "0"],
    ]


def test_equal_factors_are_equal_distances_on_a_logarithmic_axis():
    figure = a_line(
        x=[1, 10, 100], series=[Series("s", [1.0, 1.0, 1.0])], log_x=True, reference=("chance", 2)
    )
    dots = [
        float(re.match(r"M(\S+)", element.get("d"))[1])
        for element in ElementTree.fromstring(figure.svg).iter(f"{SVG}path")
        if element.get("d").endswith("h0")
    ]

    assert dots[1] - dots[0] == pytest.approx(dots[2] - dots[1], abs=0.2)
    assert "chance: 2" in figure.svg
    assert figure.description.endswith(" chance: 2.")


@pytest.mark.parametrize(
    ("x", "ticks"),
    [
        ([1, 40], {"1", "2", "5", "10", "20"}),
        ([1, 1000], {"1", "10", "100", "1000"}),
        ([0.003, 3e9], {"0.01", "1", "100"}),
    ],
)
def test_a_logarithmic_axis_has_a_few_round_ticks(x, ticks):
    figure = a_line(x=x, series=[Series("s", [0.5, 7.0])], log_x=True)
    texts = list(ElementTree.fromstring(figure.svg).iter(f"{SVG}text"))
    shown = {e.text for e in texts if e.get("text-anchor") == "middle"} - {"layer"}

    assert ticks <= shown
    assert len(shown) <= 7


def test_a_scatter_plot_names_each_point():
    figure = a_scatter(diagonal=True)

    assert marks(figure) == ["L1H2: 1, 2", "L5H0: 3, 4", "random: 1, -1"]
    assert Page(figure.html).rows == [
        ["point", "layer", "effect (logits)"],
        ["L1H2", "1", "2"],
        ["L5H0", "3", "4"],
        ["random", "1", "-1"],
    ]
    assert figure.description == (
        "effect (logits) against layer. heads: 2 points, x from 1 to 3, y from 2 to 4. "
        "control: 1 point, x from 1 to 1, y from -1 to -1."
    )


def test_groups_of_points_differ_in_shape():
    shapes = {
        re.sub(r"^M\S+ [-\d.]+?(?=m)", "", element.get("d"))
        for element in ElementTree.fromstring(a_scatter().svg).iter(f"{SVG}path")
        if element.find(f"{SVG}title") is not None
    }
    assert len(shapes) == 2


def test_a_graph_tells_its_edges_from_the_strongest_on():
    figure = a_graph()

    assert Page(figure.html).rows == [
        ["from", "to", "effect"],
        ["token", "0.2", "-2"],
        ["0.1", "logits", "1"],
        ["token", "0.1", "0.5"],
        ["token", "logits", "0"],
    ]
    assert figure.description == (
        "4 nodes in 3 layers and 4 edges by effect; the strongest leads from token to 0.2: -2."
    )
    assert {"token", "0.1", "0.2", "logits", "token to 0.2: -2"} <= set(marks(figure))


def test_an_edge_is_as_thick_as_it_is_strong_and_dashed_below_zero():
    edges = {
        element.find(f"{SVG}title").text: (
            element.get("stroke-width"),
            element.get("stroke-dasharray"),
        )
        for element in ElementTree.fromstring(a_graph().svg).iter(f"{SVG}path")
        if element.find(f"{SVG}title") is not None
    }

    assert edges == {
        "token to 0.2: -2": ("7", "8 4"),
        "0.1 to logits: 1": ("4", None),
        "token to 0.1: 0.5": ("2.5", None),
        "token to logits: 0": ("1", None),
    }


def test_a_line_of_thirty_points_is_small():
    values = [0.37 * n for n in range(30)]
    figure = line(list(range(30)), [Series("effect", values)], **TITLES)

    assert len(figure.html.encode()) < 6_000


def test_words_from_outside_stay_words():
    figure = a_line(title="<script>&", series=[Series("<b>", [1.0, 2.0, 3.0])], caption='"<i>')

    assert {"script", "b", "i"}.isdisjoint(Page(figure.html).tags)
    assert ElementTree.fromstring(figure.svg)[0].text == "<script>&"


def test_a_notebook_gets_html_and_a_sentence():
    bundle = a_line()._repr_mimebundle_()

    assert bundle["text/html"].startswith('<figure class="readout-figure"')
    assert bundle["text/plain"] == f"Figure: A title. {a_line().description}"


@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1e-9, 0, 2e-9], [1e9, 0, -1e9]]
)
def test_flat_tiny_and_huge_numbers_can_be_drawn(values):
    figure = a_line(series=[Series("s", values)])

    assert "nan" not in figure.svg
    ticks = [e.text for e in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]
    assert len(ticks) > 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: a_line(x=[0, 1]), "'clean' has 3 values for 2 places"),
        (lambda: a_line(x=[], series=[Series("s", [])]), "'s' has 0 values for 0 places"),
        (lambda: Series("s", [1.0], []), "'s' has 1 values, 0 intervals"),
        (lambda: Series("s", [float("nan")]), "'s' holds a number that is not finite"),
        (lambda: some_bars(labels=["one"]), "'accuracy' has 3 values for 1 places"),
        (lambda: a_heatmap(row_labels=["0"]), "'heatmap' has 2 values for 1 places"),
        (lambda: a_heatmap(values=[[1.0], [2.0]]), "'row' has 1 values for 3 places"),
        (lambda: a_heatmap(values=[[1.0, 2.0, float("inf")], [0, 0, 0]]), "finite numbers"),
        (lambda: distribution({"a": []}, title="D", x_title="x"), "finite numbers, at least one"),
        (lambda: a_heatmap(values={}), "finite numbers, at least one"),
        (lambda: a_heatmap(outlined=[(2, 0)]), "no cell in row 2, column 0 to outline"),
        (lambda: a_line(log_x=True), "a logarithmic axis has no place for 0"),
        (lambda: a_line(x=range(500), series=[Series("s", [0.0] * 500)]), "500 points are more"),
        (lambda: a_scatter(groups={"heads": []}, labels=None), "finite numbers, at least one"),
        (lambda: a_scatter(labels={"heads": ["a"]}), "'heads' has 2 values for 1 places"),
        (lambda: a_graph(edges=[]), "at least one edge"),
        (lambda: a_graph(edges=[("token", "0.9", 1)]), "ends at no node '0.9'"),
        (lambda: a_graph(edges=[("0.1", "0.2", 1)]), "0.1 to 0.2 does not lead to a later layer"),
        (lambda: a_graph(edges=[("token", "0.1", float("nan"))]), "a weight that is not finite"),
        (lambda: a_graph(edges=[("token", "0.1", 1), ("token", "0.1", 2)]), "is given twice"),
        (lambda: a_graph(layers={"a": ["x"], "b": ["x"]}), "two nodes have the same name"),
    ],
)
def test_numbers_that_cannot_be_drawn_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_series_differ_in_more_than_colour():
    series = [Series(str(n), [float(n), n + 1.0, n + 2.0]) for n in range(4)]
    drawing = ElementTree.fromstring(a_line(series=series).svg)
    groups = [group for group in drawing.iter(f"{SVG}g") if group.get("stroke")]
    dashes = [group.find(f"{SVG}path").get("stroke-dasharray") for group in groups]

    assert len(dashes) == 4
    assert all(one != other for one, other in itertools.combinations(dashes, 2))
