"""What keeps somebody out of a page, as far as axe can tell."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Of what passes it gathers nothing: half the time.
OPTIONS = {"runOnly": WCAG, "resultTypes": ["violations"]}
# On the way from one colour to another there is no contrast to judge.
AT_REST = """() => Promise.all(document.getAnimations()
  .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
  .map((one) => one.finished.catch(() => null)))"""


def barriers(page: Page, within: str | None = None) -> list[tuple[str, str]]:
    """The rules of WCAG 2.2 AA that are broken, with the first element that breaks each."""
    page.evaluate(AT_REST)
    found = Axe().run(page, context=within, options=OPTIONS)
    return [(one["id"], one["nodes"][0]["html"][:120]) for one in found.response["violations"]]
