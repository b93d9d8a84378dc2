"""Finding things on the built site, in a real browser: filters, marks, terms, map, search."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.barriers import barriers
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

IOI = "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small"


@pytest.fixture
def page(browser: Browser, site) -> Iterator[Page]:
    context = browser.new_context(
        base_url=site[0], viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def shown(page: Page) -> list[str]:
    return page.locator("readout-library li:visible > a").all_inner_texts()


def test_the_list_narrows_and_its_address_can_be_shared(page: Page, browser: Browser, site):
    page.goto("library/")
    status = page.locator("readout-library [role=status]")
    whole = page.locator("readout-library li").count()
    expect(status).to_have_text(f"{whole} entries")

    page.get_by_role("combobox", name="Topic").select_option("ioi")
    page.get_by_role("combobox", name="Kind").select_option("paper")
    page.get_by_role("combobox", name="Year").select_option("2022")
    page.get_by_role("searchbox", name="Words").fill("variengien GPT-2")
    expect(status).to_have_text(f"1 of {whole} entries")
    assert shown(page) == [IOI]
    assert page.locator("readout-library h2:visible").all_inner_texts() == ["2022"]

    another = browser.new_context().new_page()
    another.goto(page.url)
    expect(another.locator("readout-library [role=status]")).to_have_text(f"1 of {whole} entries")
    assert shown(another) == [IOI]
    another.context.close()

    page.get_by_role("button", name="Show all").click()
    expect(status).to_have_text(f"{whole} entries")
    assert "?" not in page.url


def test_an_address_with_unknown_choices_shows_everything(page: Page):
    page.goto("library/?topic=nothing&year=x&page=2")
    assert len(shown(page)) == page.locator("readout-library li").count()


def test_what_was_read_is_kept_on_the_device_and_shown_everywhere(page: Page):
    page.goto("library/2022-wang-ioi/")
    page.get_by_label("I have read this").check()

    page.goto("library/?read=yes")
    expect(page.locator("readout-library li:visible > a")).to_have_text([IOI])
    mark = page.get_by_role("checkbox", name=f"read: {IOI}")
    expect(mark).to_be_checked()
    mark.focus()
    page.keyboard.press("Space")
    expect(mark).not_to_be_checked()
    expect(mark).to_be_visible()  # it does not vanish from under the reader's hands

    page.get_by_role("combobox", name="Read").select_option("no")
    expect(page.locator("readout-library li:visible")).to_have_count(
        page.locator("readout-library li").count()
    )


def test_a_device_that_keeps_nothing_is_told_so(page: Page):
    page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full') }")
    page.goto("library/")
    mark = page.get_by_role("checkbox", name=f"read: {IOI}")
    mark.click()
    expect(mark).not_to_be_checked()
    expect(page.locator("readout-library [role=status]")).to_contain_text("nothing can be marked")


def test_the_list_works_without_javascript_and_without_its_controls(browser: Browser, site):
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto("library/")
    expect(page.get_by_role("link", name=IOI)).to_be_visible()
    expect(page.locator("readout-library form")).to_be_hidden()
    expect(page.locator("readout-library .read").first).to_be_hidden()
    context.close()


def test_nothing_moves_when_the_library_wakes(page: Page):
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => {"
        "for (const e of list.getEntries()) window.moved += e.value"
        "}).observe({type: 'layout-shift', buffered: true})"
    )
    for path in ("library/", "library/?topic=ioi", "library/2022-wang-ioi/", "map/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.moved") < 0.01, path


def is_shown(page: Page) -> bool:
    return page.evaluate(
        "getComputedStyle(document.querySelector('a.term'), '::after').position === 'absolute'"
    )


def test_a_term_shows_its_definition_to_pointer_and_keyboard_until_escape(page: Page):
    page.goto("library/2022-wang-ioi/")
    term = page.locator("a.term").first
    definition = term.get_attribute("aria-description")
    assert (
        definition is not None and definition not in page.locator(".md-content__inner").inner_text()
    )

    term.hover()
    assert is_shown(page)
    box = term.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] + 20, steps=8)  # onto the definition
    assert is_shown(page)
    page.keyboard.press("Escape")
    assert not is_shown(page)
    page.mouse.move(0, 0)
    term.hover()
    assert is_shown(page)

    page.mouse.move(0, 0)
    page.get_by_label("I have read this").focus()
    page.keyboard.press("Tab")
    expect(term).to_be_focused()
    assert is_shown(page)
    page.keyboard.press("Escape")
    assert not is_shown(page)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/glossary/#attention-head$"))


def test_the_map_leads_to_an_entry_and_back_without_a_full_load(page: Page):
    page.goto("map/")
    page.evaluate("window.sameDocument = true")
    node = page.locator(".node").filter(has_text="path patching")
    expect(node.locator(".lit")).to_be_hidden()
    node.locator("a").focus()
    expect(node.locator(".lit")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Localizing Model Behavior")
    assert page.evaluate("window.sameDocument")


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("catastrophic forgetting", "library/2023-howard-end-of-finetuning/"),
        ("get_capital", "quizzes/looking-inside-gpt/#capital-stages"),
        (
            "deepcopy unlearned",
            "demos/00_ioi/#control-the-same-architecture-without-what-it-learned",
        ),
        ("Variengien", "library/2022-wang-ioi/"),
        ("attention sink", "glossary/#attention-sink"),
    ],
)
def test_search_finds(page: Page, query: str, place: str):
    page.goto("")
    page.get_by_placeholder("Search").click()
    page.keyboard.type(query)
    results = page.locator("a.md-search-result__link")
    expect(results.first).to_be_visible()
    found = results.evaluate_all("links => links.slice(0, 8).map(link => link.href)")
    # Each address also carries the words to highlight.
    plain = [re.sub(r"\?h=[^#]*", "", address) for address in found]
    assert any(address.endswith(place) for address in plain), plain


def test_the_index_holds_words_and_nothing_else(site):
    text = (site[1] / "search" / "search_index.json").read_text("utf-8")
    docs = json.loads(text)["docs"]
    assert len(docs) == len({doc["location"] for doc in docs})
    said = " ".join(f"{doc['title']} {doc['text']}" for doc in docs)
    for noise in ("¶", "Copied!", "In [1]", "Read next", "Mentioned in", "I have read this"):
        assert noise not in said
    assert said.count("from demos.models import load_model") == len(
        [p for p in (ROOT / "demos").glob("[0-9]*.py") if "import load_model" in p.read_text()]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_one_is_kept_out(browser: Browser, site, scheme: str, width: int):
    context = browser.new_context(
        base_url=site[0],
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    page = context.new_page()
    found, wide = [], []
    for path in ("library/", "map/", "library/2022-wang-ioi/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if path.endswith("ioi/"):
            page.locator("a.term").first.hover()
        if path == "map/":
            page.get_by_text("The map as text").click()
            if width == 390:
                expect(page.locator(".map .scroll")).to_have_attribute("tabindex", "0")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
        found += [(path, *barrier) for barrier in barriers(page)]
    context.close()
    assert (found, wide) == ([], [])
