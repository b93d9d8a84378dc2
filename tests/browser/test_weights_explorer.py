"""The weight explorer in a real browser: its numbers, its keys, its form without a script."""

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

ELEMENT = element("weights", "A unit and its pictures")


def unit(measured: str, best: float, expanded: str, promised: float, off: float):
    picture = {"pixels": "100 -50 0 25", "predicted": expanded, "best": promised, "off": off}
    plain = {"pixels": "100", "predicted": "0 0 100", "best": 120, "off": 60}
    return {
        "measured": measured,
        "best": best,
        "pictures": {"expanded": picture, "naive": plain},
    }


DATA = {
    "degrees": [0, 60, 120],
    "networks": [
        {
            "name": name,
            "units": [
                unit("0 100 40", 60, "10 100 0", 60, 0),
                unit("100 0 50", 0, "0 20 100", 120, 60),
            ],
            "off": {"expanded": off, "naive": 40},
        }
        for name, off in (("2", 11), ("3", 13))
    ],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("weights"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "slider") as page:
        yield page


def test_controls_choose_what_is_told(page: Page):
    status = page.locator("readout-weights [role=status]")
    expect(status).to_contain_text("Unit 0 answers most to a bar at 60 degrees")
    expect(status).to_contain_text("expanded, promises 60: 0 degrees off")
    expect(status).to_contain_text("expanded is off by 11 degrees in the mean")

    page.get_by_role("slider").press("ArrowRight")
    expect(status).to_contain_text("Unit 1 answers most to a bar at 0 degrees")
    expect(status).to_contain_text("promises 120: 60 degrees off")
    page.get_by_role("combobox", name="Network").select_option(label="3")
    expect(status).to_contain_text("expanded is off by 13 degrees in the mean")
    page.get_by_role("combobox", name="Picture").select_option(label="naive")
    expect(status).to_contain_text("naive is off by 40 degrees in the mean")


def test_the_picture_is_drawn_to_its_weights(page: Page):
    cells = page.locator("svg.pixels rect[opacity]")
    assert [cell.get_attribute("opacity") for cell in cells.all()] == ["1", "0.5", "0.25"]
    page.get_by_role("combobox", name="Picture").select_option(label="naive")
    expect(cells).to_have_count(1)
    expect(page.locator("svg.tuning polyline")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    everybody_can_use(page, "weights", scheme)
    stays_within_the_phone(page)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
