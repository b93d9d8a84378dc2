"""The unit explorer in a real browser: its numbers, its keys, its form without a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.play import (
    element,
    everybody_can_use,
    on_a_phone,
    serve_explorer,
    stays_within_the_phone,
    without_a_script_it_is_read,
)

pytestmark = pytest.mark.browser

ELEMENT = element("units", "Units and their tuning")


def unit(preferred: int, peak: int, sources=(), matches=()):
    curve = {
        "unit": f"0 {peak} 10",
        "shuffle": "5 20 0",
        "selectivity": 0.5,
        "preferred": preferred,
    }
    silent = curve | {"unit": "0 0 0"}
    return {
        "pixels": "100 -50 0 25",
        "tuning": {"thin bars": curve, "arcs": silent, "dots": curve | {"selectivity": 0.05}},
        "sources": [list(source) for source in sources],
        "matches": [list(match) for match in matches],
    }


DATA = {
    "stimuli": ["thin bars", "arcs", "dots"],
    "layers": [
        {"name": "first", "window": 2, "units": [unit(10, 70)]},
        {
            "name": "second",
            "window": 2,
            "units": [unit(20, 80), unit(60, 90, [(3, 40)], [("other", 7, 65)])],
        },
    ],
}
DATA["layers"][1]["units"][0]["sources"] = [[1, 55]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("units"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "slider") as page:
        yield page


def test_controls_choose_what_is_told(page: Page):
    status = page.locator("readout-units [role=status]")
    expect(status).to_contain_text("Unit 0 prefers thin bars at 20 degrees")

    page.get_by_role("slider").press("ArrowRight")
    expect(status).to_contain_text("Unit 1 prefers thin bars at 60 degrees")
    expect(status).to_contain_text("Its peak is 90 % and its trough 0 %")
    expect(page.get_by_text("other: unit 7, correlation 0.65")).to_be_visible()
    expect(page.get_by_text("unit 3: 40 %")).to_be_visible()

    page.get_by_label("Stimuli").select_option("arcs")
    expect(status).to_contain_text("Unit 1 does not answer to arcs")
    page.get_by_label("Stimuli").select_option("dots")
    expect(status).to_contain_text("Unit 1 does not tell dots apart by their angle")
    expect(status).to_contain_text("a selectivity of 0.05. Its peak is 90 %")
    page.get_by_label("Stimuli").select_option("thin bars")
    page.get_by_label("Layer").select_option("first")  # it has no unit 1
    expect(status).to_contain_text("Unit 0 prefers thin bars at 10 degrees")


def test_weights_and_curves_are_drawn_to_their_numbers(page: Page):
    cells = page.locator("svg.pixels rect[opacity]")
    assert [cell.get_attribute("opacity") for cell in cells.all()] == ["1", "0.5", "0.25"]
    curve = page.locator("svg.tuning polyline").last.get_attribute("points")
    heights = [float(point.split(",")[1]) for point in curve.split()]
    assert heights.index(min(heights)) == 1  # SVG counts downwards: the peak is in the middle


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    everybody_can_use(page, "units", scheme)
    stays_within_the_phone(page)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
