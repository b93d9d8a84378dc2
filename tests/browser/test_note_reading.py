"""How notes are shown, searched and linked, in a real browser against the real service."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.group import Group, serve_group
from tests.conftest import Clock

pytestmark = pytest.mark.browser

MEETING = "2026-03-12"
PAGES = {f"meetings/{MEETING}": f'<readout-notes data-meeting="{MEETING}"></readout-notes>'}
WIDE = "$$\n" + " + ".join(f"a_{{{n}}} x^{{{n}}}" for n in range(40)) + "\n$$"
# What Material says of the size of text, which the page of the test goes without.
MATERIAL = ".md-typeset { font-size: 0.8rem } .md-typeset details { font-size: 0.64rem }"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with serve_group(tmp_path, PAGES, Clock()) as group:
        yield group


@pytest.fixture
def ada(group: Group) -> httpx.Client:
    return group.member("Ada")


@pytest.fixture
def context(browser: Browser, group: Group, ada: httpx.Client) -> Iterator[BrowserContext]:
    """A browser in which Ada is signed in."""
    context = browser.new_context(base_url=group.url, locale="en-GB")
    context.set_default_timeout(30_000)
    group.enter(context, ada)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"meetings/{MEETING}/")
    expect(page.locator(".notes > *").first).to_be_visible()
    return page


def note(client: httpx.Client, body: str) -> None:
    given = {"id": str(uuid.uuid4()), "meeting": MEETING, "body": body}
    client.post("notes", json=given).raise_for_status()


def search(page: Page, words: str) -> None:
    details = page.locator("details.search")
    if details.get_attribute("open") is None:
        page.get_by_text("Search all notes").click()
    page.get_by_label("Words in notes").fill(words)
    page.get_by_role("button", name="Find").click()


def test_a_wide_formula_scrolls_by_itself(page: Page, ada: httpx.Client):
    page.set_viewport_size({"width": 390, "height": 800})
    note(ada, f"Wide:\n\n{WIDE}\n\nNarrow:\n\n$$\nx\n$$")
    page.get_by_text("Preview", exact=True).click()
    page.get_by_label("Your note").fill(WIDE)
    search(page, "wide")

    for place in (".notes", ".preview", ".found"):
        formula = page.locator(f"{place} math[display=block]").first
        expect(formula).to_be_visible()
        assert formula.evaluate("formula => formula.scrollWidth > formula.clientWidth"), place
        expect(formula).to_have_attribute("tabindex", "0")
    expect(page.locator(".notes math").nth(1)).not_to_have_attribute("tabindex", re.compile(""))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_note_is_as_large_in_what_unfolds_as_in_its_place(page: Page, ada: httpx.Client):
    page.add_style_tag(content=MATERIAL)
    note(ada, "Here is `code`.")
    page.get_by_text("Preview", exact=True).click()
    page.get_by_label("Your note").fill("Here is `code`.")
    search(page, "code")

    sizes = set()
    for place in (".notes", ".preview", ".found"):
        code = page.locator(f"{place} code").first
        expect(code).to_be_visible()
        sizes.add(code.evaluate("code => getComputedStyle(code).fontSize"))
    assert len(sizes) == 1


def test_the_chosen_entry_is_seen_in_a_small_window(page: Page):
    page.set_viewport_size({"width": 390, "height": 300})
    entries = [{"slug": f"paper-{n}", "title": f"Paper {n}"} for n in range(8)]
    page.route("**/notes/entries", lambda route: route.fulfill(json=entries))
    page.get_by_label("Your note").focus()
    page.keyboard.type("[[")
    expect(page.locator(".links [role=option]")).to_have_count(8)
    for _ in entries:
        page.keyboard.press("ArrowUp")
        expect(page.locator(".links [aria-selected=true]")).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("before", ["```python\nx = ", "~~~\n\n", "See `x = ", "  ```\n"])
def test_no_entry_is_offered_in_code(page: Page, before: str):
    text = page.get_by_label("Your note")
    text.fill("[[")
    expect(page.get_by_role("listbox")).to_be_visible()  # the entries are known
    text.fill(before)
    page.keyboard.type("[[")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(text).to_have_value(f"{before}[[\n")


@pytest.mark.parametrize("before", ["```\nx\n```\n", "See `x`, and "])
def test_an_entry_is_offered_after_code(page: Page, before: str):
    page.get_by_label("Your note").fill(before)
    page.keyboard.type("[[")
    expect(page.get_by_role("listbox")).to_be_visible()


def test_a_search_for_blanks_is_not_made(page: Page, ada: httpx.Client):
    note(ada, "The residual stream.")
    search(page, "  ")
    expect(page.locator(".search .told")).to_have_text("Type a word to search for.")
    expect(page.get_by_label("Words in notes")).to_be_focused()
    expect(page.locator(".found article")).to_have_count(0)


def test_a_search_that_finds_more_than_is_shown_says_so(page: Page, ada: httpx.Client):
    for number in range(51):
        note(ada, f"Stream {number}.")
    search(page, "stream")
    expect(page.locator(".search .told")).to_have_text(
        "The newest 50 notes. More words find fewer."
    )
    expect(page.locator(".found article")).to_have_count(50)
    search(page, "7")
    expect(page.locator(".search .told")).to_have_text("5 notes")
