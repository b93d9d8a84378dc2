"""The site runs its own scripts and nothing else, wherever it is served: its pages say so."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

KINDS = [
    "library/2022-wang-ioi/",
    "quizzes/strengths-and-limits/",
    "demos/02_generation/",  # with an explorer
    "demos/ledger/",
    "map/",
    "glossary/",
    "meetings/2023-11-07/",
    "me/",
    "404.html",
    "",
]
PAYLOADS = [
    "<img src=x onerror=window.__pwned=1>",
    "<svg/onload=window.__pwned=1>",
    '"><script>window.__pwned=1</script>',
    "javascript:window.__pwned=1",
    "{{constructor.constructor('window.__pwned=1')()}}",
]
WATCH = """
  window.__refused = [];
  addEventListener("securitypolicyviolation", ({ violatedDirective, sourceFile, sample }) =>
    window.__refused.push([location.pathname, violatedDirective, sourceFile, sample]));
"""


@pytest.fixture
def page(browser: Browser, site) -> Iterator[Page]:
    """Where a dialog, a request to another origin, or a refused script is a failure."""
    context = browser.new_context(base_url=site[0], viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    acts: list[str] = []
    page.on("dialog", lambda dialog: (acts.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: (
            acts.append(request.url) if not request.url.startswith((site[0], "data:")) else None
        ),
    )
    yield page
    context.close()
    assert acts == []


def refused(page: Page) -> list[object]:
    return page.evaluate("window.__refused")


def test_every_kind_of_page_works_under_its_own_policy(page: Page):
    found: list[object] = []
    for path in KINDS:
        page.goto(path, wait_until="networkidle")
        page.locator("label[title^='Switch to']:visible").click()
        explorer = page.locator("[data-explorer]").first
        if explorer.count():
            explorer.scroll_into_view_if_needed()
            expect(explorer.locator("button, input, select").first).to_be_visible()
        copy = page.locator("button[data-clipboard-target], .md-code__button").first
        if copy.count():
            copy.click()
        found += refused(page)
    assert found == []


def test_search_and_instant_navigation_stay_within_it(page: Page, site):
    page.goto("", wait_until="networkidle")
    page.evaluate("window.sameDocument = true")
    page.get_by_placeholder("Search").click()
    page.keyboard.type("catastrophic forgetting")
    page.locator("a.md-search-result__link").first.click()
    # The address changes first. Who goes on before the page has come loads the next one whole.
    canonical = page.locator("link[rel=canonical]")
    expect(canonical).not_to_have_attribute("href", site[0])
    for path in ("map/", "quizzes/", "demos/", ""):
        # From one depth of folders to another.
        page.locator(f"a[href$='/{path}'], a[href='{site[0]}{path}']").first.evaluate(
            "a => a.click()"
        )
        expect(canonical).to_have_attribute("href", f"{site[0]}{path}")
    page.wait_for_load_state("networkidle")

    assert page.evaluate("window.sameDocument")
    assert refused(page) == []
    assert page.locator("meta[http-equiv='Content-Security-Policy']").count() == 1


def test_what_is_put_into_a_page_does_not_run(page: Page):
    """T27: the policy is in force, should anything ever come through."""
    page.goto("library/", wait_until="networkidle")
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.__pwned = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend",
            '<img src="data:," onerror="window.__pwned = 1">' +
            '<object data="data:text/html,x"></object>');
          const base = document.createElement("base");
          base.href = "https://evil.example/";
          document.head.append(base);
        }"""
    )
    page.wait_for_function("() => window.__refused.length >= 4")

    assert page.evaluate("window.__pwned") is None
    assert {directive for _, directive, _, _ in refused(page)} == {
        "script-src-elem",
        "script-src-attr",
        "object-src",
        "base-uri",
    }
    assert "evil" not in page.evaluate("document.baseURI")


def test_nothing_in_an_address_runs(page: Page):
    """T27: what a link brings into the search, the highlighting or the page's own scripts."""
    for payload in PAYLOADS:
        page.goto(f"library/?q={quote(payload)}")
        expect(page.get_by_placeholder("Search")).to_have_value(payload)
        expect(page.locator(".md-search-result__meta")).to_contain_text("matching documents")
        assert page.evaluate("window.__pwned") is None, payload
        assert refused(page) == []
    for path in ("library/2022-wang-ioi/?h=", "join/#", "quizzes/strengths-and-limits/#"):
        page.goto(path + quote(" ".join(PAYLOADS)), wait_until="networkidle")
        assert page.evaluate("window.__pwned") is None, path
        assert refused(page) == []
