"""The explorer of attacks in a real browser: its numbers, its keys, its form without a script."""

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

ELEMENT = element("lies", "How many steps does a falsehood take?")
START = "The capital of Poland\tWarsaw\t0.01\t0.5\t0"
POLAND = [START, "The harbour of Poland\tGdynia\t4\t5.1\t1", START]
POLAND[2] = "The harbour mate Poland\tLondon\t31\t4.2\t2"
PERU = ["The capital of Peru\tLima\t0.02\t0.4\t0"] * 3


def found(name: str, reached: str) -> dict[str, object]:
    prompts = [
        {"wanted": "London", "read": "0 16 32", "steps": POLAND},
        {"wanted": "Oslo", "read": "0 8 8", "steps": PERU},
    ]
    return {"name": name, "reached": reached, "auc": "50 75 80", "prompts": prompts}


DATA = {
    "steps": 2,
    "asked": ["Poland", "Peru"],
    "searches": [found("by gradient", "0 0 50"), found("by chance", "0 0 25")],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(tmp_path_factory.mktemp("lies"), ELEMENT, DATA) as base:
        yield base


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with on_a_phone(browser, site, "slider") as page:
        yield page


def test_the_budget_is_moved_by_key_and_told(page: Page):
    status = page.locator("readout-lies [role=status]")
    expect(status).to_contain_text("With 32 prompts read, “The harbour mate Poland is” is followed")
    expect(status).to_contain_text("“London” has 31 %. 2 words swapped, entropy 4.2 nats")
    expect(status).to_contain_text("Of all 2 targets 50 % are reached; area for entropy 80 %")

    page.get_by_role("slider").press("ArrowLeft")
    expect(status).to_contain_text("With 16 prompts read, “The harbour of Poland is”")
    expect(status).to_contain_text("1 word swapped")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "1 step")


def test_the_search_and_the_country_are_chosen(page: Page):
    status = page.locator("readout-lies [role=status]")
    page.get_by_label("Search").select_option("by chance")
    expect(status).to_contain_text("25 % are reached")
    page.get_by_label("Country").select_option("Peru")
    expect(status).to_contain_text("With 8 prompts read, “The capital of Peru is”")
    expect(status).to_contain_text("is followed by “Lima”")


def test_only_steps_that_changed_something_are_listed_and_the_wanted_word_is_bold(page: Page):
    rows = page.locator("readout-lies tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.last.locator("strong")).to_have_text("London")
    expect(page.locator("readout-lies tbody strong")).to_have_count(1)
    page.get_by_label("Country").select_option("Peru")
    expect(rows).to_have_count(1)


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(page: Page, scheme: str):
    everybody_can_use(page, "lies", scheme)
    stays_within_the_phone(page)


def test_without_a_script_its_fallback_is_read(browser: Browser, site: str):
    without_a_script_it_is_read(browser, site)
