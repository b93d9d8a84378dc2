"""The sampling explorer in a real browser: fetched late, right in its numbers, usable by all."""

import functools
import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from mkdocs.commands.build import build
from mkdocs.config import load_config
from playwright.sync_api import Browser, Page, expect

from demos.generation import distribution, listed
from tests.browser.barriers import barriers
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

VOCABULARY = 5_000
ELEMENT = (
    '<div><readout-sampling data-explorer="sampling" data-src="data.json" role="group" '
    'aria-label="Choose the next token"><p>Standing still</p></readout-sampling></div>'
)


def logits(seed: int, spread: float) -> torch.Tensor:
    return spread * torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)).double()


PROMPTS = {"An open beginning": logits(0, 1.5), "A narrow beginning": logits(1, 4.0)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two pages in the project's own theme and assets; one has an explorer far down."""
    folder = tmp_path_factory.mktemp("explorers")
    docs = folder / "docs"
    shutil.copytree(ROOT / "docs" / "assets", docs / "assets")
    (docs / "index.md").write_text("# Home\n\n[The explorer](play.md)\n")
    filler = "\n\n".join(f"Paragraph {n}." for n in range(80))
    (docs / "play.md").write_text(f"# Play\n\n{filler}\n\n{ELEMENT}\n\n[Home](index.md)\n")
    data = {
        "model": "a made-up model",
        "vocabulary": VOCABULARY,
        "step": 0.01,
        "prompts": [
            {"text": text} | listed(values, name=lambda token: f" word{token}", n_listed=50)
            for text, values in PROMPTS.items()
        ],
    }
    (docs / "play").mkdir()
    (docs / "play" / "data.json").write_text(json.dumps(data))
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder / "site"))
    ) as server:
        base = f"http://127.0.0.1:{server.server_port}/"
        config = load_config(str(configuration(folder)), site_url=base)
        build(config)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield base
        server.shutdown()


def configuration(folder: Path) -> Path:
    """The project's theme with instant navigation, without its pages and hooks."""
    path = folder / "mkdocs.yml"
    path.write_text(
        "site_name: Explorers\n"
        "plugins: []\n"
        "theme:\n  name: material\n  language: en\n  font: false\n"
        "  features: [navigation.instant]\n"
        "  palette: {scheme: default, primary: indigo, accent: indigo}\n"
        "extra_css: [assets/readout.css, assets/explorers.css]\n"
        "extra_javascript: [{path: assets/readout.js, type: module}]\n"
    )
    return path


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    context = browser.new_context(
        base_url=site, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def opened(page: Page) -> Page:
    page.goto("play/")
    page.locator("readout-sampling").scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Draw a token")).to_be_visible()
    return page


def set_slider(page: Page, label: str, shown: str) -> None:
    """Move a slider with the arrow keys until it says what is wanted."""
    slider = page.get_by_role("slider", name=label)
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(30):
        if slider.get_attribute("aria-valuetext") == shown:
            return
        page.keyboard.press("ArrowRight")
    raise AssertionError(f"{label} never says {shown}")


def numbers(page: Page) -> dict[str, str]:
    pairs = page.locator("readout-sampling .numbers > div")
    return {
        pair.locator("dt").inner_text(): pair.locator("dd").inner_text() for pair in pairs.all()
    }


def test_the_data_is_fetched_when_the_explorer_comes_into_view(page: Page):
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))

    page.goto("play/")
    expect(page.get_by_text("Standing still")).to_be_attached()
    page.wait_for_load_state("networkidle")
    assert not any(url.endswith("data.json") for url in fetched)

    page.locator("readout-sampling").scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Draw a token")).to_be_visible()
    expect(page.get_by_text("Standing still")).to_have_count(0)
    assert [url for url in fetched if url.endswith("data.json")] == [f"{page.url}data.json"]


def test_without_a_script_the_fallback_is_what_one_reads(browser: Browser, site: str):
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("play/")
    expect(page.get_by_text("Standing still")).to_be_visible()
    context.close()


def test_without_its_data_the_fallback_stays_until_another_try(page: Page):
    page.route("**/data.json", lambda route: route.fulfill(status=404))
    page.goto("play/")
    page.locator("readout-sampling").scroll_into_view_if_needed()
    expect(page.get_by_role("status").filter(has_text="could not be fetched")).to_be_visible()
    expect(page.get_by_text("Standing still")).to_be_visible()

    page.unroute("**/data.json")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Draw a token")).to_be_visible()


@pytest.mark.parametrize("prompt", list(PROMPTS))
@pytest.mark.parametrize(
    ("temperature", "k", "p"),
    [("1.0", "all", "1.00"), ("0.5", "all", "0.90"), ("1.0", "10", "1.00"), ("2.0", "640", "0.95")],
)
def test_its_numbers_are_those_of_the_whole_vocabulary(
    page: Page, prompt: str, temperature: str, k: str, p: str
):
    opened(page)
    page.get_by_label("Prompt").select_option(label=f"{prompt} …")
    set_slider(page, "Temperature", temperature)
    set_slider(page, "Top-k", k)
    set_slider(page, "Top-p", p)

    values, heat = PROMPTS[prompt], float(temperature)
    whole = distribution(values, heat)
    kept = distribution(values, heat, None if k == "all" else int(k), float(p))
    shown = numbers(page)
    size = int(shown["Tokens kept"].split()[0].replace(",", ""))
    assert size == pytest.approx(int((kept > 0).sum()), rel=0.01)
    mass = float(shown["Mass kept"].removesuffix(" %")) / 100
    assert mass == pytest.approx(whole[kept > 0].sum().item(), abs=0.002)
    for name, of in (("Entropy before the cut", whole), ("Entropy after", kept)):
        bits = torch.special.entr(of).sum().item() / torch.log(torch.tensor(2.0)).item()
        assert float(shown[name].split()[0]) == pytest.approx(bits, abs=0.02)

    first = page.locator("readout-sampling tbody tr").first.locator("td")
    likeliest = first.nth(1).inner_text().strip().removesuffix(" %")
    assert float(likeliest) / 100 == pytest.approx(kept.max().item(), abs=0.001)


def test_a_draw_comes_from_what_was_kept_and_is_announced(page: Page):
    opened(page)
    set_slider(page, "Top-k", "2")
    page.get_by_role("button", name="Draw 100").click()
    said = page.locator("readout-sampling [role=status]")
    expect(said).to_contain_text("100 drawn")

    drawn = [row.locator("td").last.inner_text() for row in page.locator("tbody tr").all()]
    assert sum(int(times) for times in drawn[:2]) == 100
    assert not any(drawn[2:])

    set_slider(page, "Top-k", "1")
    expect(said).to_have_text("")  # draws of other settings are forgotten
    page.get_by_role("button", name="Draw a token").press("Enter")
    likeliest = int(PROMPTS["An open beginning"].argmax())
    expect(said).to_have_text(f"Draw 1: An open beginning word{likeliest} (100.0 %)")
    page.get_by_role("button", name="Draw a token").press("Enter")
    expect(said).to_contain_text("Draw 2:")  # the same words again are news, too


def test_reset_gives_the_whole_distribution_back(page: Page):
    opened(page)
    before = numbers(page)
    set_slider(page, "Top-p", "0.50")
    assert numbers(page) != before
    page.get_by_role("button", name="Reset").click()
    assert numbers(page) == before
    assert page.get_by_role("slider", name="Top-p").get_attribute("aria-valuetext") == "1.00"


def test_it_works_on_the_second_visit_by_instant_navigation(page: Page):
    page.goto("")
    page.evaluate("window.stayed = true")
    for _ in range(2):
        page.get_by_role("link", name="The explorer").click()
        page.wait_for_url(re.compile("/play/$"))
        page.locator("readout-sampling").scroll_into_view_if_needed()
        page.get_by_role("button", name="Draw a token").click()
        expect(page.locator("readout-sampling [role=status]")).to_contain_text("Draw 1:")
        expect(page.locator("readout-sampling .sliders")).to_have_count(1)
        page.locator("article").get_by_role("link", name="Home").click()
        page.wait_for_url(re.compile(r":\d+/$"))
    assert page.evaluate("window.stayed")  # no page was loaded anew


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_axe_has_nothing_to_say(page: Page, width: int, scheme: str):
    page.set_viewport_size({"width": width, "height": 900})
    opened(page)
    page.evaluate(f"document.body.dataset.mdColorScheme = '{scheme}'")
    set_slider(page, "Top-k", "5")
    page.get_by_role("button", name="Draw 100").click()

    assert barriers(page, "readout-sampling") == []
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
