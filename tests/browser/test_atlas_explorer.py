"""The atlas explorer in a real browser: cells told, words found, moved about in by key and hand."""

import base64
import struct
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

ELEMENT = element("atlas", "Atlas of a text")
NONE = 65535


def shorts(*values: int) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}H", *values)).decode()


def at(*places: float) -> str:
    return shorts(*(round(65535 * place) for place in places))


# Four cells of a grid of 4 x 4: three in the upper row, one below on the left.
TEXT = {
    "name": "After 6 layers",
    "side": 4,
    "unit": "positions",
    "says": "Says",
    "holds": "Tokens there",
    "cells": "0 0 2 0 1 1 0 3 1 3 0 1",
    "words": "is\tare\nthe\ta\nis\twas\n⏎\tIf",
    "places": at(0.1, 0.1, 0.15, 0.15, 0.4, 0.1, 0.9, 0.1, 0.1, 0.9, 0.5, 0.6),
    "of": shorts(0, 0, 1, 2, 3, NONE),
}
DIGITS = TEXT | {
    "name": "Digits",
    "unit": "windows",
    "says": "Speaks for",
    "holds": "Digits",
    "words": "7\t9\n4\t9\n7\t1\n0\t6",
    "names": "7\t7\t4\t7\t0\t1",
    "icons": {"side": 2, "pixels": base64.b64encode(bytes([255, 0, 0, 255] * 4)).decode()},
}
DATA = {
    "length": 4,
    "tokens": "The\t␣cat\t␣cat\t␣sat\tA\t␣dog\t␣ran\t.",
    "first": 0,
    "maps": [TEXT, DIGITS],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("atlas"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "application") as page:
        yield page


def status(page: Page):
    return page.locator("readout-atlas [role=status]")


def view(page: Page) -> dict[str, float]:
    return page.evaluate("document.querySelector('readout-atlas').view")


def tap(page: Page, x: float, y: float) -> None:
    """At a place of the map that is wholly in view."""
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_a_cell_tells_what_it_says_and_holds(page: Page):
    expect(status(page)).to_contain_text("4 cells with 5 positions")
    tap(page, 0.12, 0.12)
    expect(status(page)).to_have_text(
        "Row 1, column 1: 2 positions. Says: “is”, “are”. Tokens there: “cat” 2×."
    )
    tap(page, 0.6, 0.6)  # no cell is there
    expect(status(page)).to_contain_text("4 cells with 5 positions")


def test_near_by_a_state_tells_what_it_stands_in(page: Page):
    page.evaluate("document.querySelector('readout-atlas').look({x: 0, y: 0, zoom: 4})")
    tap(page, 0.61, 0.61)  # the second state of the first cell
    expect(status(page)).to_contain_text("“cat” 2×. One of them: …The cat cat.")


def test_keys_go_from_cell_to_cell_and_zoom(page: Page):
    canvas = page.get_by_role("application")
    canvas.focus()
    tap(page, 0.12, 0.12)
    canvas.press("ArrowRight")
    expect(status(page)).to_contain_text("Row 1, column 2: 1 positions")
    canvas.press("ArrowRight")
    expect(status(page)).to_contain_text("Row 1, column 4")  # what is empty is passed over
    canvas.press("ArrowLeft")
    canvas.press("ArrowLeft")
    canvas.press("ArrowDown")
    expect(status(page)).to_contain_text("Row 4, column 1: 1 positions. Says: “⏎”, “If”")

    canvas.press("+")
    assert view(page)["zoom"] == pytest.approx(1.6)
    canvas.press("-")
    assert view(page) == {"x": 0, "y": 0, "zoom": 1}
    canvas.press("+")
    canvas.press("ArrowUp")  # the map follows whoever walks
    assert view(page)["y"] == 0
    canvas.press("0")
    assert view(page)["zoom"] == 1


def test_a_word_is_found_in_what_cells_say_and_what_they_hold(page: Page):
    field = page.get_by_label("Find a word")
    field.fill("IS")
    expect(status(page)).to_contain_text("“IS”: 2 of 4 cells say it, and 0 of 5 positions have it")
    page.get_by_role("button", name="row 1, column 4 (1)").click()
    expect(status(page)).to_contain_text("Row 1, column 4: 1 positions. Says: “is”, “was”")
    assert view(page)["zoom"] == 3

    field.fill("cat")
    expect(status(page)).to_contain_text("“cat”: 0 of 4 cells say it, and 2 of 5 positions have it")
    field.fill("is")
    field.press("Enter")
    expect(status(page)).to_contain_text("Row 1, column 1")  # the fullest
    field.fill("")
    expect(status(page)).to_contain_text("4 cells with 5 positions")


def test_another_map_has_its_own_cells_and_pictures(page: Page):
    page.locator("readout-atlas select").select_option("Digits")
    expect(status(page)).to_contain_text("4 cells with 5 windows")
    tap(page, 0.12, 0.12)
    expect(status(page)).to_have_text(
        "Row 1, column 1: 2 windows. Speaks for: “7”, “9”. Digits: “7” 2×."
    )
    # The picture of the first cell: white at the left above, black at the right.
    colours = page.evaluate(
        """() => new Promise((resolve) => requestAnimationFrame(() => {
          const explorer = document.querySelector("readout-atlas");
          explorer.paint();
          const { canvas } = explorer, context = canvas.getContext("2d");
          const cell = canvas.width / 4;
          resolve([0.3, 0.7].map((x) =>
            context.getImageData(cell * x, cell * 0.75, 1, 1).data[0]));
        }))"""
    )
    assert colours == [0, 255]  # the lower row of the picture


def test_dragging_moves_and_the_wheel_zooms_only_for_who_is_on_the_map(page: Page):
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.wheel(0, -400)
    assert view(page)["zoom"] == 1
    page.get_by_role("application").focus()
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => document.querySelector('readout-atlas').view.zoom > 2")
    before = view(page)
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 100, steps=4)
    page.mouse.up()
    after = view(page)
    assert after["x"] - before["x"] == pytest.approx(
        100 / (box["width"] - 2) / before["zoom"], abs=0.01
    )
    assert after["y"] == pytest.approx(before["y"])


def test_only_what_is_in_view_is_drawn(page: Page):
    tap(page, 0.12, 0.12)
    for _ in range(3):
        page.get_by_role("application").press("+")
    page.evaluate("document.querySelector('readout-atlas').look({x: 0, y: 0, zoom: 4})")
    page.wait_for_function("() => document.querySelector('readout-atlas').drawn < 4")


def test_all_cells_stand_in_a_table(page: Page):
    page.get_by_text("All cells of this map as a table").click()
    rows = page.locator("readout-atlas tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(3)).to_have_text("411⏎ If")


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    page.get_by_label("Find a word").fill("is")
    page.get_by_text("All cells of this map as a table").click()
    everybody_can_use(page, "atlas", scheme)
    stays_within_the_phone(page)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
