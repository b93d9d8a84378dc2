"""The epsilon explorer in a real browser: its numbers, its keys, its form without a script."""

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

ELEMENT = element("epsilon", "How far the attack may go")


def images(name, radii, chosen, chance, old, strict):
    steps = len(radii)
    attacked = ["0 50 100 0", "100 0 0 100", "0 0 0 100"]
    return {
        "name": name,
        "radii": radii,
        "chosen": chosen,
        "chance": chance,
        "length": 4.2,
        "shares": {
            "standard network": " ".join(["500", "66", "0"][:steps]),
            "robust network": " ".join(["800", "400", "100"][:steps]),
            "old label, to the robust network": old,
            "trained on random labels": " ".join(["600", "700", "800"][:steps]),
            "trained on next labels": strict,
        },
        "examples": [
            {
                "seen": 4,
                "given": 5,
                "robust": " ".join(["4", "4", "5"][:steps]),
                "original": "0 50 100 0",
                "attacked": attacked[:steps],
            }
        ],
    }


DATA = {
    "sets": [
        images("digits", [0.5, 1, 2], 1, 0.1, "990 891 200", "30 283 640"),
        images("squares", [0.5, 1], 0.5, 0.5, "990 700", "0 10"),
    ]
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("epsilon"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "slider") as page:
        yield page


def test_it_begins_at_the_radius_of_the_notebook_and_the_keys_change_it(page: Page):
    status = page.locator("readout-epsilon [role=status]")
    expect(status).to_contain_text("ε = 1, where an image is 4.2 long")
    expect(status).to_contain_text("right on 6.6 % and the robust one on 40.0 %")
    expect(status).to_contain_text("89.1 % by their old label")
    expect(status).to_contain_text("28.3 % of untouched images rightly, above chance (10.0 %)")
    expect(page.get_by_text("the robust network says 4")).to_be_visible()

    page.get_by_role("slider").press("ArrowLeft")
    expect(status).to_contain_text("names 3.0 % of untouched images rightly, not above chance")
    page.get_by_role("slider").press("End")
    expect(page.get_by_text("the robust network says 5")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="random labels")).to_contain_text("80.0 %")


def test_another_set_has_its_own_radii_and_chance(page: Page):
    page.get_by_label("Images").select_option("squares")
    status = page.locator("readout-epsilon [role=status]")
    expect(status).to_contain_text("ε = 0.5")
    expect(status).to_contain_text("not above chance (50.0 %)")
    page.get_by_role("slider").press("End")
    expect(status).to_contain_text("ε = 1,")


def test_pictures_and_curves_are_drawn_to_their_numbers(page: Page):
    page.get_by_role("slider").press("Home")
    before, change, after = page.locator("svg.image").all()
    assert before.locator("path").count() == after.locator("path").count() == 2
    assert change.locator("path").count() == 0  # at the first radius nothing is changed
    page.get_by_role("slider").press("ArrowRight")
    strengths = [one.get_attribute("opacity") for one in change.locator("path").all()]
    assert sorted(strengths) == ["0.5", "1", "1"]  # -50 of 100, then 100 up and 100 down
    heights = [
        float(point.split(",")[1])
        for point in page.locator("svg.curves polyline").last.get_attribute("points").split()
    ]
    assert heights == sorted(heights, reverse=True)  # SVG counts downwards, the shares rise


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    everybody_can_use(page, "epsilon", scheme)
    stays_within_the_phone(page)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
