"""The patching explorer in a real browser: its numbers, its keys, its form without a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.play import (
    element,
    everybody_can_use,
    on_a_phone,
    serve_explorer,
    without_a_script_it_is_read,
)

pytestmark = pytest.mark.browser

ELEMENT = element("patching", "Patching explorer")
# Two layers, three tokens of which the second differs. The last cell brings half of the gap back.
CLEAN, CORRUPTED = [200, 900, [0, 900, 1, 50]], [-200, 100, [1, 800, 0, 100]]
HALF = [0, 500, [0, 500, 1, 500]]
PAIR = {
    "name": "A made-up pair",
    "answers": [" yes", " no"],
    "clean": {"tokens": ["Is", " fire", " hot"], "says": CLEAN},
    "corrupted": {"tokens": ["Is", " ice", " hot"], "says": CORRUPTED},
    "first": 1,
    "cells": {
        "resid_pre": {"denoising": {"0,1": CLEAN, "1,2": HALF}, "noising": {"0,1": CORRUPTED}}
    },
}
DATA = {"model": "made-up", "n_layers": 2, "pairs": [PAIR], "vocabulary": [" yes", " no"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("patching"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "grid") as page:
        yield page


def test_a_cell_tells_what_its_patch_does(page: Page):
    status = page.locator("readout-patching [role=status]")
    page.get_by_role("gridcell", name="layer 0, ice: 1.00").click()
    expect(status).to_contain_text("moves the logit difference by 1.00 of the way")
    patched = page.locator(".after > div").nth(1)
    expect(patched).to_contain_text("·yes 90.0 %")

    page.keyboard.press("ArrowDown")
    expect(status).to_contain_text("Layer 1, position 1")
    page.keyboard.press("ArrowRight")
    expect(status).to_contain_text("moves the logit difference by 0.50 of the way")
    expect(page.get_by_role("gridcell", selected=True)).to_have_count(1)


def test_direction_and_metric_change_the_map(page: Page):
    page.get_by_label("Direction").select_option("noising")
    expect(page.get_by_role("gridcell", name="layer 0, fire: 1.00")).to_be_visible()
    page.get_by_label("Metric").select_option("probability")
    expect(page.get_by_role("gridcell", name="layer 0, fire: 0.10")).to_be_visible()


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    everybody_can_use(page, "patching", scheme)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
