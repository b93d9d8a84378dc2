"""A member's way through the real site and the real service, in a real browser."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.barriers import barriers
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

QUIZ = "quizzes/looking-inside-gpt/"
PAGES = [
    "",
    "topics/ioi/",
    "glossary/",
    "library/",
    "map/",
    "library/2022-wang-ioi/",
    "meetings/2023-11-07/",
    QUIZ,
    "quizzes/strengths-and-limits/",
    "demos/",
    "demos/00_ioi/",
    "contributing/",
    "join/",
    "me/",
    "members/",
    "nowhere/",
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('serve') / 'readout.sqlite3'}"


@pytest.fixture(scope="module")
def address(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The service as `make serve` starts it, on an empty database: its address and join link."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}/"
    process = subprocess.Popen(
        [Path(sys.executable).with_name("readout"), "serve", "--port", str(port)],
        cwd=ROOT,
        env={
            **os.environ,
            "READOUT_DATABASE_URL": database,
            "READOUT_SITE_DIR": str(tmp_path_factory.mktemp("built") / "site"),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{base}api/v1/health").close()
                break
            except OSError:
                time.sleep(0.1)
        yield base, lines[1].split()[-1]
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def context(browser: Browser, address: tuple[str, str]) -> Iterator[BrowserContext]:
    """A fresh browser in which a request to any other host fails the test."""
    context = browser.new_context(color_scheme="light", viewport={"width": 1280, "height": 900})
    strangers: list[str] = []

    def only_ours(route) -> None:
        if route.request.url.startswith((address[0], "data:", "blob:")):
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    context.route("**/*", only_ours)
    yield context
    context.close()
    assert strangers == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    # A page that is not there is a failed request, and the browser says so.
    assert [c for c in complaints if "status of 404" not in c] == []


def join(page: Page, link: str) -> None:
    """Join as a newcomer does."""
    page.goto(link)
    page.get_by_label("Your name, as the group knows you").fill("Ada")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Welcome, Ada.")).to_be_visible()
    assert "#" not in page.url


@pytest.fixture
def invitation(address: tuple[str, str], database: str) -> str:
    """A join link, as an organizer prints it."""
    done = subprocess.run(
        [Path(sys.executable).with_name("readout"), "invite", "Ada"],
        env={**os.environ, "READOUT_DATABASE_URL": database, "READOUT_BASE_URL": address[0]},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def member(page: Page, invitation: str) -> Page:
    join(page, invitation)
    return page


def test_the_printed_link_makes_the_first_organizer(page: Page, address):
    join(page, address[1])
    page.goto(address[0] + "me/")
    expect(page.get_by_text("organizer")).to_be_visible()


def test_a_member_answers_with_the_mouse_and_finds_it_again(member: Page, address):
    member.goto(address[0] + QUIZ)
    question = member.locator("#denoising-one-head")
    question.get_by_label("Restoring this head alone is not enough").check()
    question.get_by_label("over 4/5").check()
    question.get_by_role("button", name="Answer").click()

    feedback = question.get_by_role("status")
    expect(feedback).to_contain_text("Right (late).")
    expect(feedback).to_contain_text("Saved.")
    expect(feedback).to_contain_text("patching clean into corrupted tests sufficiency")
    expect(feedback).to_contain_text("Activation patching answers one counterfactual")

    member.reload()
    expect(question.get_by_role("status")).to_contain_text("Right (late).")
    expect(question.get_by_label("Restoring this head alone is not enough")).to_be_checked()
    expect(member.get_by_text("You answered 1 of 7.")).to_be_visible()


def test_a_member_answers_with_the_keyboard_alone(member: Page, address):
    member.goto(address[0] + QUIZ)
    question = member.locator("#shared-sum")
    question.get_by_label("Your answer").focus()
    member.keyboard.press("Enter")  # perhaps before the element is there: nothing may happen
    expect(question.get_by_role("button", name="Answer")).to_be_visible()
    assert "?" not in member.url
    member.keyboard.type("the residual stream")
    member.keyboard.press("Enter")

    feedback = question.get_by_role("status")
    expect(feedback).to_contain_text("Right (late).")
    expect(feedback).to_be_focused()


def test_a_computed_key_is_told_after_the_answer_only(member: Page, address):
    member.goto(address[0] + QUIZ)
    question = member.locator("#smollm2-share")
    assert "0.91" not in member.content()
    question.get_by_label("Your number").fill("0,5")
    question.get_by_role("button", name="Answer").click()

    feedback = question.get_by_role("status")
    expect(feedback).to_contain_text("Not right (late).")
    expect(feedback).to_contain_text("0.91")


def test_a_note_of_script_tags_is_harmless_under_its_meeting(member: Page, address):
    member.goto(address[0] + "meetings/2023-11-07/")
    member.evaluate("window.pwned = 0")
    notes = member.locator("readout-notes")
    notes.scroll_into_view_if_needed()  # nothing is loaded for them before
    text = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'> *done*"
    notes.get_by_role("textbox").fill(text)
    notes.get_by_role("button", name="Save").click()

    expect(notes.get_by_text("<script>window.pwned = 1</script>")).to_be_visible()
    expect(notes.locator("em", has_text="done")).to_be_visible()
    assert member.evaluate("window.pwned") == 0


def test_who_has_not_joined_is_told_how(page: Page, address):
    page.goto(address[0] + QUIZ)
    question = page.locator("#shared-sum")
    question.get_by_label("Your answer").fill("the residual stream")
    question.get_by_role("button", name="Answer").click()

    expect(question.get_by_role("status")).to_contain_text("you are not signed in")
    expect(question.get_by_label("Your answer")).to_have_value("the residual stream")


def test_a_self_check_is_graded_in_the_page(page: Page, address):
    page.goto(address[0] + "quizzes/strengths-and-limits/")
    question = page.locator("section.question").first
    question.locator("input, select").first.click()
    asked = []
    page.on("request", lambda request: asked.append(request.method))
    question.get_by_role("button", name="Answer").click()

    expect(question.get_by_role("status")).to_contain_text("ight.")
    assert "POST" not in asked


def test_search_finds_the_seed(page: Page, address):
    page.goto(address[0])
    page.get_by_placeholder("Search").click()
    page.keyboard.type("catastrophic forgetting")
    expect(page.locator(".md-search-result__link").first).to_be_visible()


def test_dark_mode_is_one_click_away_and_follows_the_system(context: BrowserContext, page, address):
    page.goto(address[0])
    assert page.locator("body").get_attribute("data-md-color-scheme") == "default"
    page.locator("label[title='Switch to dark mode']").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"


def test_pages_are_read_without_javascript(browser: Browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address[0] + QUIZ)
    expect(page.get_by_text("Which name does the framework give")).to_be_visible()
    expect(page.get_by_label("Restoring this head alone is not enough")).to_be_visible()
    page.goto(address[0] + "library/")
    expect(
        page.get_by_role("link", name="Zoom In: An Introduction to Circuits").first
    ).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_type_is_out_of_reach(
    browser: Browser, address, invitation, scheme: str, width: int
):
    """No violation of WCAG 2.2 AA that axe knows of, and no page that scrolls sideways."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    join(page, invitation)
    found, wide = [], []
    for path in PAGES:
        page.goto(address[0] + path)
        page.wait_for_load_state("networkidle")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
        found += [(path, *barrier) for barrier in barriers(page)]
    context.close()
    assert (found, wide) == ([], [])


def test_the_readme_shows_the_home_page_as_it_is(page: Page, address):
    """Make the picture of the README: `make screenshot` copies it to where it is shown."""
    page.set_viewport_size({"width": 1280, "height": 860})
    page.goto(address[0])
    picture = ROOT / "build" / "home.png"
    picture.parent.mkdir(exist_ok=True)
    page.screenshot(path=picture)
    assert 10_000 < picture.stat().st_size < 300_000
    assert (ROOT / "docs" / "assets" / "home.png").is_file()


@pytest.mark.parametrize(
    ("path", "kilobytes"),
    [
        ("", 100),
        ("topics/ioi/", 100),
        ("library/2022-wang-ioi/", 100),
        ("demos/04_induction/", 150),
    ],
)
def test_a_first_visit_keeps_its_weight(page: Page, address, path: str, kilobytes: int):
    """Everything that a browser fetches which has nothing yet, compressed."""
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))

    page.goto(f"{address[0]}{path}", wait_until="networkidle")

    weights = {request.url: request.sizes()["responseBodySize"] for request in finished}
    assert len(weights) > 3
    assert sum(weights.values()) <= kilobytes * 1000, weights


def test_the_search_index_comes_when_somebody_searches(page: Page, address):
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))  # a worker's too
    page.goto(address[0], wait_until="networkidle")
    assert not any("search_index" in url or "/workers/" in url for url in asked)

    page.keyboard.press("/")
    page.keyboard.type("induction")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    assert any("search_index" in url for url in asked)
