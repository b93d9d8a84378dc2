"""Every notebook page of the built site, in a real browser: light, complete and within reach."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from demos import notebooks
from tests.browser.barriers import barriers

pytestmark = pytest.mark.browser

PAGES = ["demos/ledger/", *(f"demos/{path.stem}/" for path in notebooks.discover())]
HEAVIEST = 150_000  # bytes, compressed, of all that a first visit fetches to show the page
# Fetched once, in the background, for the search of the whole site.
SEARCH = ("search_index.json", "/workers/search.")


@pytest.fixture
def page(browser: Browser, site) -> Iterator[Page]:
    context = browser.new_context(base_url=site[0])
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_first_visit_is_light_and_asks_nobody_else(page: Page, site, path: str):
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))

    page.goto(path)
    page.wait_for_load_state("networkidle")

    asked = {answer.url for answer in answers}
    assert not [url for url in asked if not url.startswith((site[0], "data:"))]
    weights = {
        answer.url: len(gzip.compress(answer.body()))
        for answer in answers
        if answer.ok and not any(part in answer.url for part in SEARCH)
    }
    assert len(weights) > 5
    assert sum(weights.values()) <= HEAVIEST, weights


@pytest.mark.parametrize(("scheme", "width", "turn"), [("light", 1280, 0), ("dark", 390, 1)])
def test_every_notebook_is_within_reach(browser: Browser, site, scheme: str, width: int, turn: int):
    """No violation of WCAG 2.2 AA that axe knows of, also in what is folded; none scrolls aside.

    The pages are made alike, and axe takes seconds for each, so they take turns. The first
    notebook is looked at in both.
    """
    context = browser.new_context(
        base_url=site[0],
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    page = context.new_page()
    found, wide = [], []
    for path in dict.fromkeys([PAGES[1], *PAGES[turn::2]]):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
        found += [(path, *barrier) for barrier in barriers(page)]
    context.close()
    assert (found, wide) == ([], [])


def test_a_prediction_is_unfolded_without_a_script(browser: Browser, site):
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto("demos/00_ioi/")
    found = page.locator("details.predict").get_by_text("ioi-accuracy =")

    expect(found).to_be_hidden()
    page.get_by_text("Predict first. Write down your guess").click()
    expect(found).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_ledger_is_a_table_at_any_width(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("demos/ledger/")
    table = page.get_by_role("table").first

    expect(table.get_by_role("columnheader")).to_have_text(
        ["Claim", "Measured", "Control", "Verdict", "What this does not show"]
    )
    verdicts = table.get_by_role("cell").and_(page.locator("[data-label=Verdict]"))
    expect(verdicts.first).to_have_text("Reproduced")


def test_a_notebook_can_be_carried_away(page: Page, tmp_path: Path):
    import nbformat

    page.goto("demos/00_ioi/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this notebook").click()
    download.value.save_as(tmp_path / "carried.ipynb")

    nbformat.validate(nbformat.read(tmp_path / "carried.ipynb", as_version=4))
