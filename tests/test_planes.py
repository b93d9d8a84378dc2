import math
import xml.etree.ElementTree as ElementTree

import pytest

from demos.figures import WIDTH
from demos.planes import arrows

SVG = "{http://www.w3.org/2000/svg}"


def some_arrows(**changes):
    panels = {"dense": [(1, 0), (0, 1), (0, 0)], "sparse": [(1, 0), (-1, 0)]}
    return arrows(**({"panels": panels, "title": "A <title>", "vector": "feature"} | changes))


def circles(figure):
    """The rings, then the tips of the arrows."""
    everything = list(ElementTree.fromstring(figure.svg).iter(f"{SVG}circle"))
    rings = [circle for circle in everything if circle.get("fill") == "none"]
    return rings, [circle for circle in everything if circle not in rings]


def test_a_figure_is_well_formed_and_says_what_it_shows():
    figure = some_arrows()
    root = ElementTree.fromstring(figure.svg)

    assert root.find(f"{SVG}title").text == figure.title
    assert "dense: 2 of 3; sparse: 2 of 2" in figure.description
    ElementTree.fromstring(figure.html)


def test_arrows_share_one_scale_and_stay_inside():
    rings, tips = circles(some_arrows(panels={"a": [(3, 0), (0, -4)], "b": [(1, 1)]}))

    unit = float(rings[0].get("r"))
    assert len({ring.get("r") for ring in rings}) == 1
    east = float(tips[0].get("cx")) - float(rings[0].get("cx"))
    south = float(tips[1].get("cy")) - float(rings[0].get("cy"))
    assert east == pytest.approx(3 * unit, abs=0.5)
    assert south == pytest.approx(4 * unit, abs=0.5)
    assert all(0 < float(tip.get("cx")) < WIDTH for tip in tips)


def test_planes_stand_in_rows():
    panels = {str(n): [(1, 0)] for n in range(5)}
    rings, _ = circles(some_arrows(panels=panels, columns=3))

    assert len({ring.get("cy") for ring in rings}) == 2
    assert len({ring.get("cx") for ring in rings}) == 3


def test_every_vector_stands_in_the_table():
    assert some_arrows().header == ("plane", "feature 0", "feature 1", "feature 2")
    assert some_arrows().rows == (
        ("dense", "1, 0", "0, 1", "0, 0"),
        ("sparse", "1, 0", "-1, 0", ""),
    )


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "each panel needs at least one vector"),
        ({"a": []}, "each panel needs at least one vector"),
        ({"a": [(math.inf, 0)]}, "finite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels, message):
    with pytest.raises(ValueError, match=message):
        some_arrows(panels=panels)
