"""Notes in a real browser, against the real service: what is said to be saved is saved."""

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.group import Group, serve_group
from tests.conftest import Clock
from tests.test_render import HOSTILE

pytestmark = pytest.mark.browser

MEETING = "2026-03-12"
PAGES = {
    f"meetings/{MEETING}": f'<readout-notes data-meeting="{MEETING}">Not yet.</readout-notes>',
    "library/2022-wang-ioi": '<readout-notes data-entry="2022-wang-ioi"></readout-notes>',
}


def note(client: httpx.Client, body: str, **more: str) -> dict:
    given = {"id": str(uuid.uuid4()), "meeting": MEETING, "body": body, **more}
    return client.post("notes", json=given).raise_for_status().json()


def bodies(client: httpx.Client) -> list[str]:
    return [item["body"] for item in client.get("notes", params={"meeting": MEETING}).json()]


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
    context.set_default_timeout(10_000)
    group.enter(context, ada)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    visit(page)
    return page


def visit(page: Page, path: str = f"meetings/{MEETING}/") -> None:
    page.goto(path)
    expect(page.locator(".notes > *").first).to_be_visible()


def write(page: Page, text: str) -> None:
    """Type a new note, and wait until it is on the disk of the device."""
    page.get_by_label("Your note").fill(text)
    page.wait_for_function(
        """async (text) => {
          const { draft } = await import("/assets/elements/outbox.js");
          return (await draft("note 2026-03-12"))?.body === text;
        }""",
        arg=text,
    )


def test_a_note_is_written_with_the_keyboard_alone(page: Page, ada: httpx.Client):
    page.get_by_text("Preview", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your note").focus()
    page.keyboard.type("About $x^2$ in [[interpret")
    expect(page.get_by_role("listbox").get_by_role("option")).to_contain_text(
        "Interpretability in the Wild"
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your note")).to_have_value("About $x^2$ in [[2022-wang-ioi]]")
    preview = page.locator(".preview")
    expect(preview.get_by_role("link", name="Interpretability in the Wild")).to_be_visible()
    expect(preview.locator("msup")).to_have_count(1)
    page.get_by_label("Who reads it").focus()
    page.keyboard.type("Everybody")
    page.get_by_role("button", name="Save note").focus()
    page.keyboard.press("Enter")

    expect(page.locator("readout-notes .said")).to_have_text("Saved.")
    expect(page.locator(".notes article")).to_contain_text("for everybody · a draft")
    expect(page.locator(".notes article msup")).to_have_count(1)
    expect(page.get_by_label("Your note")).to_have_value("")
    assert bodies(ada) == ["About $x^2$ in [[2022-wang-ioi]]"]
    page.locator(".notes article").get_by_role("link").click()
    page.wait_for_url("**/library/2022-wang-ioi/")
    expect(page.locator("readout-notes")).to_contain_text("No notes yet.")


def test_what_others_write_appears_by_itself(page: Page, group: Group):
    expect(page.locator(".notes")).to_have_text("No notes yet.")
    bo = group.member("Bo")
    written = note(bo, "Written by Bo.")

    expect(page.locator(".notes article")).to_contain_text("Written by Bo.")
    expect(page.locator(".news")).to_have_text("A new note.")
    bo.put(
        f"notes/{written['id']}", json={"body": "Mended by Bo."}, headers={"If-Match": '"1"'}
    ).raise_for_status()
    expect(page.locator(".notes article")).to_contain_text("Mended by Bo.")
    bo.delete(f"notes/{written['id']}", headers={"If-Match": '"2"'})
    expect(page.locator(".notes")).to_have_text("No notes yet.")


def test_a_text_is_let_go_only_when_it_is_saved(page: Page, ada: httpx.Client):
    page.route("**/api/v1/notes", lambda route: route.abort())
    page.context.add_init_script("indexedDB.databases = undefined")
    written = note(ada, "One.")
    card = page.locator(".notes article", has_text="One.")
    card.get_by_role("button", name="Edit").click()
    path = f"**/api/v1/notes/{written['id']}"
    page.route(path, lambda route: route.fulfill(status=503, body='{"detail": "", "code": ""}'))
    page.get_by_label("Change the note").fill("One and two.")
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Not saved: the service is not reachable.")).to_contain_text(
        "Your text is kept on this device."
    )

    page.unroute(path)
    visit(page)
    expect(page.get_by_label("Change the note")).to_have_value("One and two.")
    assert bodies(ada) == ["One."]
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == ["One and two."]


def test_a_lost_reply_to_a_change_leads_to_one_version(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()

    def lose_the_reply(route) -> None:
        route.fetch()
        route.abort()

    page.route(f"**/api/v1/notes/{written['id']}", lose_the_reply, times=1)
    page.get_by_label("Change the note").fill("Two.")
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Not saved: the service is not reachable.")).to_be_visible()
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert [r["body"] for r in ada.get(f"notes/{written['id']}/revisions").json()] == [
        "One.",
        "Two.",
    ]


@pytest.mark.parametrize(
    ("way", "typed", "saved"),
    [
        ("Put both together", "A\nb\nc\nD", "A\nb\nc\nD"),
        ("Keep my text", "A\nb\nc\nd", "A\nb\nc\nd"),
        ("Take theirs", "a\nb\nc\nD", "a\nb\nc\nD"),
    ],
)
def test_who_was_overtaken_chooses_how_to_go_on(
    page: Page, group: Group, ada: httpx.Client, way: str, typed: str, saved: str
):
    written = note(ada, "a\nb\nc\nd")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("A\nb\nc\nd")
    group.member("Grace", "organizer").put(
        f"notes/{written['id']}", json={"body": "a\nb\nc\nD"}, headers={"If-Match": '"1"'}
    ).raise_for_status()
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Not saved: the note was changed meanwhile.")).to_be_visible()
    if way == "Keep my text":
        results = Axe().run(page)
        assert [found["id"] for found in results.response["violations"]] == []
    page.get_by_role("button", name=way).click()
    expect(page.get_by_label("Change the note")).to_have_value(typed)
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == [saved]


def test_an_older_version_is_compared_and_restored(page: Page, ada: httpx.Client):
    written = note(ada, "One two three.")
    path = f"notes/{written['id']}"
    ada.put(path, json={"body": "One 2 three."}, headers={"If-Match": '"1"'}).raise_for_status()
    expect(page.locator(".notes article")).to_contain_text("One 2 three.")
    page.get_by_role("button", name="History").click()
    page.get_by_text("Version 2, Ada").click()
    expect(page.locator("del")).to_have_text("two ")
    expect(page.locator("ins")).to_have_text("2 ")
    page.get_by_text("Version 1, Ada").click()
    results = Axe().run(page)
    assert [found["id"] for found in results.response["violations"]] == []
    page.get_by_role("button", name="Restore this text").click()
    expect(page.get_by_label("Change the note")).to_have_value("One two three.")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert [r["body"] for r in ada.get(f"{path}/revisions").json()] == [
        "One two three.",
        "One 2 three.",
        "One two three.",
    ]


def test_a_note_is_deleted_on_the_second_press(page: Page, ada: httpx.Client):
    note(ada, "One.")
    page.get_by_role("button", name="Delete").click()
    assert bodies(ada) == ["One."]
    page.get_by_role("button", name="Delete now").click()

    expect(page.locator(".notes")).to_have_text("No notes yet.")
    assert bodies(ada) == []


def test_notes_are_searched_where_they_are_written(page: Page, ada: httpx.Client):
    note(ada, "The residual stream.")
    page.get_by_text("Search all notes").click()
    page.get_by_label("Words in notes").fill("STREAM residual")
    page.get_by_role("button", name="Find").click()

    expect(page.locator(".found article")).to_contain_text("The residual stream.")
    page.get_by_label("Words in notes").fill("zebra")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("No note has all these words.")).to_be_visible()


def test_a_note_waits_for_the_same_member(
    context: BrowserContext, page: Page, group: Group, ada: httpx.Client
):
    bo = group.member("Bo")
    write(page, "Mine.")
    context.clear_cookies()  # the session has ended
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes .said")).to_contain_text("kept on this device")
    group.enter(context, bo)
    visit(page)
    expect(page.locator(".notes")).to_have_text("No notes yet.")
    assert bodies(bo) == []

    context.clear_cookies()
    group.enter(context, ada)
    visit(page)
    expect(page.locator(".notes article:not(.waiting)")).to_contain_text("Mine.")
    assert bodies(ada) == ["Mine."]


def kill(profile: Path) -> None:
    """SIGKILL to every process of the browser with this profile."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(profile).encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            pass  # it has ended meanwhile


def test_a_killed_browser_loses_neither_note_nor_draft_and_sends_once(
    browser: Browser, group: Group, ada: httpx.Client, tmp_path: Path
):
    profile = tmp_path / "profile"

    def opened() -> BrowserContext:
        installed = shutil.which("chromium") or shutil.which("google-chrome")
        context = browser.browser_type.launch_persistent_context(
            profile, executable_path=installed, base_url=group.url
        )
        context.set_default_timeout(10_000)
        group.enter(context, ada)
        return context

    page = opened().pages[0]
    visit(page)
    page.route("**/api/v1/**", lambda route: route.abort())
    write(page, "Written on the train.")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes .said")).to_contain_text("kept on this device")
    write(page, "A draft.")
    kill(profile)
    assert bodies(ada) == []

    context = opened()
    pages = [context.pages[0], context.new_page()]  # two tabs, of which one sends
    for page in pages:
        visit(page)
    for page in pages:
        expect(page.locator(".notes article:not(.waiting)")).to_contain_text("on the train")
        expect(page.get_by_label("Your note")).to_have_value("A draft.")
    context.close()
    assert bodies(ada) == ["Written on the train."]


def test_no_note_acts_in_the_browser_of_an_organizer(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    for text in HOSTILE:
        note(ada, text)
    grace = group.member("Grace", "organizer")
    context.clear_cookies()
    group.enter(context, grace)
    page = context.new_page()
    acts: list[str] = []
    page.on("dialog", lambda dialog: (acts.append(dialog.message), dialog.dismiss()))
    page.on(
        "console", lambda said: acts.append(said.text) if "Content Security" in said.text else 0
    )
    page.on(
        "request",
        lambda request: acts.append(request.url) if not request.url.startswith(group.url) else 0,
    )
    visit(page)
    expect(page.locator(".notes article")).to_have_count(len(HOSTILE))
    page.wait_for_load_state("networkidle")
    assert [act for act in acts if not act.startswith("data:,")] == []


def test_a_page_without_script_says_what_is_missing(browser: Browser, group: Group):
    context = browser.new_context(base_url=group.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"meetings/{MEETING}/")
    expect(page.get_by_text("Not yet.")).to_be_visible()
    context.close()
