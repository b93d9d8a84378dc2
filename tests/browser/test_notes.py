"""Notes in a real browser, against the real service: what is said to be saved is saved."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.barriers import barriers
from tests.browser.group import Group, expect_draft, serve_group
from tests.browser.killing import KILLS, kill, opened
from tests.conftest import Clock
from tests.test_render import HOSTILE

pytestmark = pytest.mark.browser

MEETING = "2026-03-12"
PAGES = {
    f"meetings/{MEETING}": f'<readout-notes data-meeting="{MEETING}">Not yet.</readout-notes>',
    "library/2022-wang-ioi": '<readout-notes data-entry="2022-wang-ioi"></readout-notes>',
    "me": "<readout-me></readout-me>",
}

# Requests of a method wait, before or after the service hears them, until `letGo()`.
HELD = """([method, isHeard]) => {
  const ask = window.fetch;
  window.fetch = async (url, options = {}) => {
    if (options.method !== method) return ask(url, options);
    const again = () => ask(url, { ...options, signal: undefined });
    const reply = isHeard ? await again() : null;
    await new Promise((letGo) => Object.assign(window, { letGo, isHeld: true }));
    return reply ?? again();
  };
}"""

STORES_NOTHING = """
  window.opens = IDBFactory.prototype.open;
  IDBFactory.prototype.open = () => { throw new Error('blocked'); };
"""


def note(client: httpx.Client, body: str, **more: str | None) -> dict:
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
    context.set_default_timeout(30_000)
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
    expect_draft(page, f"note {MEETING}", text)


def rewrite(page: Page, written: dict, text: str) -> None:
    """Type a change of a note, and wait until it is on the disk of the device."""
    page.get_by_label("Change the note").fill(text)
    expect_draft(page, f"note-change {written['id']}", text)


def hold(page: Page, method: str, is_heard: bool = False) -> None:
    page.evaluate(HELD, [method, is_heard])


def send(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).click()
    page.wait_for_function("() => window.isHeld")


def lose_the_reply(route: Route) -> None:
    """The service hears the request; the page does not hear the service."""
    route.fetch()
    route.abort()


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
    expect(page.get_by_text("It is not known whether your note was saved")).to_contain_text(
        "Your text is kept on this device."
    )

    page.unroute(path)
    visit(page)
    expect(page.get_by_label("Change the note")).to_have_value("One and two.")
    assert bodies(ada) == ["One."]
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == ["One and two."]


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "not heard"])
def test_a_note_is_stored_once_whenever_its_tab_was_closed(
    context: BrowserContext, page: Page, ada: httpx.Client, is_heard: bool
):
    hold(page, "POST", is_heard)
    write(page, "One.")
    send(page, "Save note")
    page.close()
    page = context.new_page()
    visit(page)
    expect(page.locator(".notes article:not(.waiting)")).to_have_text(re.compile("One."))
    expect_draft(page, f"note {MEETING}", None)
    expect(page.get_by_label("Your note")).to_have_value("")

    hold(page, "POST", is_heard)
    write(page, "Two.")
    send(page, "Save note")
    write(page, "Two and three.")
    page.close()
    page = context.new_page()
    visit(page)
    expect(page.get_by_label("Your note")).to_have_value("Two and three.")
    expect(page.locator("readout-notes > form .said")).to_have_text(
        "This is what you had not saved yet."
    )
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes > form .said")).to_have_text("Saved.")
    assert sorted(bodies(ada)) == ["One.", "Two and three."]


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "not heard"])
def test_a_change_is_saved_or_kept_whenever_its_tab_was_closed(
    context: BrowserContext, page: Page, ada: httpx.Client, is_heard: bool
):
    written = note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    hold(page, "PUT", is_heard)
    page.get_by_label("Change the note").fill("Two.")
    send(page, "Save change")
    page.close()
    page = context.new_page()
    visit(page)
    if is_heard:
        expect_draft(page, f"note-change {written['id']}", None)
        expect(page.locator(".notes article")).to_contain_text("Two.")
        expect(page.get_by_label("Change the note")).to_have_count(0)
    else:
        expect(page.get_by_label("Change the note")).to_have_value("Two.")
        expect(page.locator(".notes .said")).to_contain_text("It is not known whether this was")
        page.get_by_role("button", name="Save change").click()
        expect(page.locator(".told")).to_have_text("Saved.")
    assert versions(ada, written["id"]) == ["One.", "Two."]


def test_the_draft_of_an_earlier_visit_stands_above_what_is_typed_before_it_is_read(
    context: BrowserContext, page: Page
):
    page.locator("readout-notes select").select_option("private")
    write(page, "Two hours of writing.")
    page.close()
    page = context.new_page()
    held: list[Route] = []
    page.route("**/api/v1/notes?*", lambda route: held.append(route))
    with page.expect_request("**/api/v1/notes?*"):
        page.goto(f"meetings/{MEETING}/")
    page.get_by_label("Your note").fill("H")
    expect(page.get_by_role("button", name="Save note")).to_be_disabled()
    held[0].continue_()

    expect(page.get_by_label("Your note")).to_have_value("Two hours of writing.\n\nH")
    expect(page.locator("readout-notes select")).to_have_value("private")
    expect_draft(page, f"note {MEETING}", "Two hours of writing.\n\nH")


def test_what_is_said_of_a_text_is_of_the_text_that_stands_there(page: Page, ada: httpx.Client):
    said = page.locator("readout-notes > form .said")
    save(page, "One.", "Saved.")
    page.get_by_label("Your note").fill("x" * 17_000)
    expect(said).to_have_text("17,000 bytes; a note may have 16,384.")
    page.get_by_label("Your note").fill("Two.")
    expect(said).to_have_text("")


def test_words_typed_while_a_text_is_sent_are_a_change_of_what_is_saved(
    page: Page, ada: httpx.Client
):
    stale: list[int] = []
    page.on("response", lambda reply: stale.append(reply.status) if reply.status == 412 else None)
    hold(page, "POST")
    write(page, "One.")
    send(page, "Save note")
    write(page, "One and two.")
    page.evaluate("window.letGo()")
    said = page.locator("readout-notes > form .said")
    expect(said).to_contain_text("What you typed since then is not saved yet.")
    page.reload()
    expect(page.get_by_label("Your note")).to_have_value("One and two.")
    save(page, "One and two.", "Saved.")
    [written] = ada.get("notes", params={"meeting": MEETING}).json()
    assert versions(ada, written["id"]) == ["One.", "One and two."]

    hold(page, "PUT")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("Three.")
    send(page, "Save change")
    page.get_by_role("button", name="Cancel").click()  # what is sent is not taken back
    page.get_by_label("Change the note").fill("Three and four.")
    page.evaluate("window.letGo()")
    expect(page.locator(".notes .said")).to_have_text(
        "Saved. What you typed since then is not saved yet."
    )
    expect_draft(page, f"note-change {written['id']}", "Three and four.")
    visit(page)
    expect(page.get_by_label("Change the note")).to_have_value("Three and four.")
    page.get_by_role("button", name="Save change").click()
    expect(page.locator(".told")).to_have_text("Saved.")
    assert versions(ada, written["id"])[2:] == ["Three.", "Three and four."]
    assert stale == []


def test_a_draft_whose_note_is_gone_is_found_on_the_page_me(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    write(page, "Another note.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    rewrite(page, written, "An hour\nof changes.")
    ada.delete(f"notes/{written['id']}", headers={"If-Match": '"1"'}).raise_for_status()
    page.goto("me/")
    expect(
        page.locator("li", has_text="A note under 2026-03-12").locator("textarea")
    ).to_have_value("Another note.")
    lost = page.locator("li", has_text="A change of a note")
    expect(lost.locator("textarea")).to_have_value("An hour\nof changes.")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("2 drafts that you have not sent are removed.").first).to_be_visible()
    lost.get_by_role("button", name="Discard").click()
    assert barriers(page) == []
    lost.get_by_role("button", name="Discard now").click()

    expect(page.locator("li textarea")).to_have_count(1)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("A draft that you have not sent is removed.").first).to_be_visible()
    page.get_by_role("button", name="Sign out now").click()
    expect(page.locator("readout-me")).to_contain_text("You are not signed in.")
    expect_draft(page, f"note {MEETING}", None)


def test_only_notes_that_can_be_published_are_offered_to_everybody(page: Page, ada: httpx.Client):
    choices = page.locator("readout-notes > form option")
    expect(choices).to_have_text(["The group", "Everybody, once it is published", "Only I"])
    note(ada, "Earlier.", meeting=None, entry="2022-wang-ioi", visibility="public")
    visit(page, "library/2022-wang-ioi/")
    expect(choices).to_have_text(["The group", "Only I"])
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    expect(page.locator(".notes select")).to_have_value("public")


def test_entries_are_offered_for_where_the_caret_is(page: Page):
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    text, offered = page.get_by_label("Your note"), page.get_by_role("listbox")
    text.focus()
    page.keyboard.type("See [[wang")
    expect(offered).to_be_visible()
    page.keyboard.press("Home")
    expect(offered).to_be_hidden()
    page.keyboard.press("Enter")
    expect(text).to_have_value("\nSee [[wang")
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.type("g")
    expect(offered).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(text).to_have_value("\nSee [[2022-wang-ioi]]")
    assert wrong == []


def test_a_lost_reply_to_a_change_leads_to_one_version(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()

    page.route(f"**/api/v1/notes/{written['id']}", lose_the_reply, times=1)
    page.get_by_label("Change the note").fill("Two.")
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("It is not known whether your note was saved")).to_be_visible()
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert versions(ada, written["id"]) == ["One.", "Two."]


@pytest.mark.parametrize("again", [False, True], ids=["in the open form", "on a later visit"])
def test_who_writes_on_after_a_lost_reply_meets_no_conflict_with_themselves(
    page: Page, ada: httpx.Client, again: bool
):
    written = note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    for text in ("Two.", "Three."):
        page.route(f"**/api/v1/notes/{written['id']}", lose_the_reply, times=1)
        page.get_by_label("Change the note").fill(text)
        page.get_by_role("button", name="Save change").click()
        expect(page.locator(".notes .said")).to_contain_text("It is not known")
        expect(page.locator(".notes .told")).not_to_contain_text("Somebody else")
    page.unroute_all()
    if again:
        visit(page)
        expect(page.get_by_label("Change the note")).to_have_value("Three.")
    page.get_by_label("Change the note").fill("Four.")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert versions(ada, written["id"]) == ["One.", "Two.", "Four."]


def test_what_was_not_sent_is_called_not_saved(page: Page, ada: httpx.Client):
    note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("Two.")
    page.context.set_offline(True)
    page.get_by_role("button", name="Save change").click()
    expect(page.locator(".notes .said")).to_have_text(
        "Not saved: this device is offline. Your text is kept on this device."
    )
    page.context.set_offline(False)
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == ["Two."]


def test_a_lost_reply_to_a_deletion_is_not_called_not_deleted(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    page.route(f"**/api/v1/notes/{written['id']}", lose_the_reply, times=1)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete now").click()

    expect(page.locator(".told")).to_contain_text("It is not known whether the note was deleted")
    expect(page.locator(".notes")).to_have_text("No notes yet.")


def versions(client: httpx.Client, note_id: str) -> list[str]:
    return [each["body"] for each in client.get(f"notes/{note_id}/revisions").json()]


@pytest.fixture
def unkept(context: BrowserContext) -> Page:
    """A page of a browser that stores nothing, after a first try whose reply was lost."""
    context.add_init_script(STORES_NOTHING)
    page = context.new_page()
    visit(page)
    page.route("**/api/v1/notes", lose_the_reply, times=1)
    save(page, "One.", "It is not known whether your note was saved")
    return page


def save(page: Page, text: str, said: str) -> None:
    page.get_by_label("Your note").fill(text)
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes > form .said")).to_contain_text(said)


def test_another_text_after_a_lost_reply_changes_the_note(unkept: Page, ada: httpx.Client):
    unkept.route("**/api/v1/notes/*", lose_the_reply, times=1)
    save(unkept, "Two.", "It is not known whether your note was saved")
    save(unkept, "x" * 17_000, "Rejected")
    save(unkept, "Three.", "Saved.")

    [stored] = ada.get("notes", params={"meeting": MEETING}).json()
    assert versions(ada, stored["id"]) == ["One.", "Two.", "Three."]


def test_a_browser_that_stores_again_does_not_let_the_newer_text_go(
    unkept: Page, ada: httpx.Client
):
    unkept.evaluate("() => { IDBFactory.prototype.open = window.opens; }")
    unkept.route("**/api/v1/notes", lambda route: route.abort())
    save(unkept, "Two.", "Your text is kept on this device.")
    expect(unkept.get_by_label("Your note")).to_have_value("Two.")
    unkept.unroute("**/api/v1/notes")
    save(unkept, "Two.", "Saved.")

    [stored] = ada.get("notes", params={"meeting": MEETING}).json()
    assert versions(ada, stored["id"]) == ["One.", "Two."]


def test_a_note_whose_reply_was_lost_may_be_changed_or_deleted_elsewhere(
    unkept: Page, ada: httpx.Client
):
    """The text in the form is another note then; until that is saved, it stays in the form."""
    [first] = ada.get("notes", params={"meeting": MEETING}).json()
    change(ada, first, body="From the phone.")
    save(unkept, "Two.", "what you sent first is saved, and was changed meanwhile")
    save(unkept, "Two.", "Saved.")
    assert sorted(bodies(ada)) == ["From the phone.", "Two."]

    unkept.route("**/api/v1/notes", lose_the_reply, times=1)
    save(unkept, "Three.", "It is not known whether your note was saved")
    stored = ada.get("notes", params={"meeting": MEETING}).json()
    third = next(each for each in stored if each["body"] == "Three.")
    ada.delete(f"notes/{third['id']}", headers={"If-Match": '"1"'}).raise_for_status()
    save(unkept, "Four.", "Rejected: no note")
    save(unkept, "Four.", "Saved.")
    assert sorted(bodies(ada)) == ["Four.", "From the phone.", "Two."]


def test_a_note_is_stored_once_where_the_browser_stores_nothing(
    context: BrowserContext, ada: httpx.Client
):
    context.add_init_script(STORES_NOTHING)
    page = context.new_page()
    visit(page)
    said = page.locator("readout-notes > form .said")
    page.route("**/api/v1/notes", lose_the_reply, times=1)
    page.get_by_label("Your note").fill("One.")
    page.get_by_role("button", name="Save note").click()
    expect(said).to_contain_text("It is not known whether your note was saved")
    assert bodies(ada) == ["One."]
    page.get_by_role("button", name="Save note").click()
    expect(said).to_have_text("Saved.")
    assert bodies(ada) == ["One."]

    page.get_by_label("Your note").fill("One.")  # said once more, and meant
    page.get_by_role("button", name="Save note").click()
    expect(page.locator(".notes article", has_text="One.")).to_have_count(2)
    assert bodies(ada) == ["One.", "One."]


def test_a_text_stays_in_the_form_where_neither_service_nor_browser_took_it(
    context: BrowserContext, ada: httpx.Client
):
    context.add_init_script(STORES_NOTHING)
    page = context.new_page()
    visit(page)
    page.get_by_label("Your note").fill("One.")
    context.clear_cookies()  # the session has ended
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes > form .said")).to_contain_text(
        "Not saved: you are not signed in. Nothing can be kept on this device"
    )
    expect(page.get_by_label("Your note")).to_have_value("One.")
    assert bodies(ada) == []


def overtaken(page: Page, group: Group, ada: httpx.Client) -> None:
    """Ada's change meets another one, and the ways to go on are shown."""
    written = note(ada, "a\nb\nc\nd")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("A\nb\nc\nd")
    group.member("Grace", "organizer").put(
        f"notes/{written['id']}", json={"body": "a\nb\nc\nD"}, headers={"If-Match": '"1"'}
    ).raise_for_status()
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Not saved: the note was changed meanwhile.")).to_be_visible()


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
    overtaken(page, group, ada)
    if way == "Keep my text":
        assert barriers(page) == []
    page.get_by_role("button", name=way).click()
    expect(page.get_by_label("Change the note")).to_have_value(typed)
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == [saved]


def change(client: httpx.Client, written: dict, **given: str) -> None:
    """The second version, from another device."""
    client.put(f"notes/{written['id']}", json=given, headers={"If-Match": '"1"'}).raise_for_status()


def stored(client: httpx.Client, written: dict) -> tuple[str, str]:
    found = client.get(f"notes/{written['id']}").raise_for_status().json()
    return found["body"], found["visibility"]


@pytest.mark.parametrize("way", ["Put both together", "Take theirs"])
def test_what_was_made_private_on_one_device_stays_private_on_the_other(
    page: Page, ada: httpx.Client, way: str
):
    written = note(ada, "a\nb\nc\nd")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("A\nb\nc\nd")
    change(ada, written, body="a\nb\nc\nD", visibility="private")
    page.get_by_role("button", name="Save change").click()
    words = "Who reads it was changed meanwhile, from “The group” to “Only I”."
    expect(page.locator(".notes .choices")).to_contain_text(words)
    page.get_by_role("button", name=way).click()
    expect(page.locator(".notes .said")).to_contain_text(words)
    expect(page.locator(".notes select")).to_have_value("private")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    merged = {"Put both together": "A\nb\nc\nD", "Take theirs": "a\nb\nc\nD"}
    assert stored(ada, written) == (merged[way], "private")


def test_a_draft_on_an_older_version_does_not_undo_private(page: Page, ada: httpx.Client):
    written = note(ada, "a\nb\nc\nd")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    rewrite(page, written, "A\nb\nc\nd")
    change(ada, written, body="a\nb\nc\nD", visibility="private")
    visit(page)
    expect(page.get_by_label("Change the note")).to_have_value("A\nb\nc\nd")
    page.get_by_role("button", name="Save change").click()
    page.get_by_role("button", name="Put both together").click()
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(ada, written) == ("A\nb\nc\nD", "private")


def test_a_choice_of_readers_on_both_devices_is_told_before_it_is_saved(
    page: Page, ada: httpx.Client
):
    written = note(ada, "One.")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.locator(".notes select").select_option("public")
    change(ada, written, body="Two.", visibility="private")
    page.get_by_role("button", name="Save change").click()
    words = "is now “Only I”; your choice here is “Everybody, once it is published”"
    expect(page.locator(".notes .choices")).to_contain_text(words)
    page.get_by_role("button", name="Take theirs").click()
    expect(page.locator(".notes .said")).to_contain_text(words)
    expect(page.locator(".notes select")).to_have_value("public")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(ada, written) == ("Two.", "public")


def test_an_organizer_can_save_after_the_author_chose_other_readers(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    written = note(ada, "a\nb\nc\nd")
    context.clear_cookies()
    group.enter(context, group.member("Grace", "organizer"))
    page = context.new_page()
    visit(page)
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("A\nb\nc\nd")
    change(ada, written, body="a\nb\nc\nD", visibility="public")
    page.get_by_role("button", name="Save change").click()
    page.get_by_role("button", name="Put both together").click()
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(ada, written) == ("A\nb\nc\nD", "public")


@pytest.mark.parametrize(
    ("body", "typed", "saved"),
    [
        ("one\r\ntwo\r\n", "one\n2\n", "one\r\n2\r\n"),
        ("one\r\ntwo\n", "one\ntwo\n", "one\r\ntwo\n"),
        ("one\ntwo\n", "one\n2\n", "one\n2\n"),
    ],
    ids=["a word changed", "no word changed", "no carriage return before"],
)
def test_a_change_leaves_the_line_ends_as_they_were(
    page: Page, ada: httpx.Client, body: str, typed: str, saved: str
):
    written = note(ada, body)
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill(typed)
    page.locator(".notes select").select_option("private")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(ada, written) == (saved, "private")


def test_texts_put_together_keep_their_line_ends(page: Page, ada: httpx.Client):
    written = note(ada, "a\r\nb\r\nc\r\nd")
    page.locator(".notes article").get_by_role("button", name="Edit").click()
    page.get_by_label("Change the note").fill("A\nb\nc\nd")
    change(ada, written, body="a\r\nb\r\nc\r\nD")
    page.get_by_role("button", name="Save change").click()
    page.get_by_role("button", name="Put both together").click()
    expect(page.get_by_label("Change the note")).to_have_value("A\nb\nc\nD")
    page.get_by_label("Change the note").fill("A\nb\nC\nD")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stored(ada, written)[0] == "A\r\nb\r\nC\r\nD"


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
    assert barriers(page) == []
    page.get_by_role("button", name="Restore this text").click()
    expect(page.get_by_label("Change the note")).to_have_value("One two three.")
    page.get_by_role("button", name="Save change").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    assert [r["body"] for r in ada.get(f"{path}/revisions").json()] == [
        "One two three.",
        "One 2 three.",
        "One two three.",
    ]


def test_an_older_version_replaces_no_text_that_is_being_written(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    change(ada, written, body="Two.")
    expect(page.locator(".notes article")).to_contain_text("Two.")
    page.get_by_role("button", name="History").click()
    page.get_by_text("Version 1, Ada").click()
    page.get_by_role("button", name="Edit").click()
    rewrite(page, written, "An hour of changes.")
    page.get_by_role("button", name="Restore this text").click()

    expect(page.locator(".told")).to_contain_text("Save or cancel your change first")
    expect(page.get_by_label("Change the note")).to_have_value("An hour of changes.")
    expect_draft(page, f"note-change {written['id']}", "An hour of changes.")


def test_a_history_says_that_versions_are_their_authors_alone(page: Page, group: Group):
    bo = group.member("Bo")
    written = note(bo, "Secret.", visibility="private")
    change(bo, written, body="Told.", visibility="group")
    expect(page.locator(".notes article")).to_contain_text("Told.")
    page.get_by_role("button", name="History").click()

    expect(page.locator(".history summary")).to_have_count(1)
    expect(page.locator(".history")).to_contain_text("Version 2, Bo")
    expect(page.locator(".history p")).to_have_text(
        "Versions that were for their author alone are not shown."
    )
    assert barriers(page) == []


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


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_browser_loses_neither_note_nor_draft_and_sends_once(
    browser: Browser, group: Group, ada: httpx.Client, tmp_path: Path, number: int
):
    profile = tmp_path / "profile"

    def signed_in() -> BrowserContext:
        context = opened(browser, profile, group.url)
        group.enter(context, ada)
        return context

    page = signed_in().pages[0]
    visit(page)
    page.route("**/api/v1/**", lambda route: route.abort())
    write(page, "Written on the train.")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes .said")).to_contain_text("kept on this device")
    write(page, "A draft.")
    kill(profile)
    assert bodies(ada) == []

    context = signed_in()
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


# Whatever else happens meanwhile ----------------------------------------------------------------


def test_what_is_typed_beside_the_ways_to_go_on_is_kept(
    page: Page, group: Group, ada: httpx.Client
):
    overtaken(page, group, ada)
    expect(page.get_by_role("button", name="Put both together")).to_be_visible()
    page.get_by_label("Change the note").fill("A\nb\nc\nd and more")

    expect(page.get_by_role("button", name="Put both together")).to_have_count(0)
    page.get_by_role("button", name="Keep my text").click()
    expect(page.get_by_label("Change the note")).to_have_value("A\nb\nc\nd and more")
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == ["A\nb\nc\nd and more"]


@pytest.mark.parametrize("way", ["Put both together", "Take theirs"])
def test_there_is_a_way_back_to_ones_own_text(
    page: Page, group: Group, ada: httpx.Client, way: str
):
    overtaken(page, group, ada)
    expect(page.get_by_text("Somebody else has just changed this note.")).to_be_visible()
    page.get_by_role("button", name=way).click()
    expect(page.get_by_text("Somebody else has just changed this note.")).to_be_hidden()
    page.get_by_role("button", name="Back to my text").click()

    expect(page.get_by_label("Change the note")).to_have_value("A\nb\nc\nd")
    page.get_by_role("button", name="Save change").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert bodies(ada) == ["A\nb\nc\nd"]


def taken_out(page: Page) -> None:
    """Leave the page and come back, as instant navigation does: the script goes on."""
    page.evaluate("""() => {
      const left = document.querySelector("readout-notes");
      window.left = left;
      const again = document.createElement("readout-notes");
      Object.assign(again.dataset, left.dataset);
      left.replaceWith(again);
    }""")


def test_a_text_on_its_way_takes_no_newer_draft_with_it(page: Page, ada: httpx.Client):
    hold(page, "POST")
    write(page, "First, slow.")
    send(page, "Save note")
    taken_out(page)
    write(page, "Second, precious.")
    page.evaluate("window.letGo()")
    page.wait_for_function("() => left.editor.said.textContent === 'Saved.'")
    page.wait_for_timeout(200)

    expect_draft(page, f"note {MEETING}", "Second, precious.")
    page.reload()
    expect(page.get_by_label("Your note")).to_have_value("Second, precious.")
    assert bodies(ada) == ["First, slow."]


def test_cancel_drops_the_draft_of_this_form_alone(
    page: Page, context: BrowserContext, ada: httpx.Client
):
    written = note(ada, "One.")
    other = context.new_page()
    for tab in (other, page):
        visit(tab)
        tab.get_by_role("button", name="Edit").click()
    other.get_by_label("Change the note").fill("Begun, and given up.")
    rewrite(page, written, "An hour of changes.")
    other.get_by_role("button", name="Cancel").click()
    expect(other.get_by_label("Change the note")).to_have_count(0)
    page.wait_for_timeout(500)  # what should not happen would have happened

    expect_draft(page, f"note-change {written['id']}", "An hour of changes.")


def test_a_text_is_never_saved_under_another_name(page: Page, group: Group, ada: httpx.Client):
    write(page, "Mine alone.")
    bo = group.member("Bo")
    page.context.clear_cookies()
    group.enter(page.context, bo)
    other = page.context.new_page()
    visit(other)  # Bo is here now, and another tab is still Ada's
    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_text("another member is signed in here now")).to_be_visible()
    expect(page.get_by_label("Your note")).to_have_value("Mine alone.")
    assert bodies(bo) == []


def test_an_unfinished_change_takes_no_words_that_are_typed_elsewhere(
    page: Page, ada: httpx.Client
):
    written = note(ada, "One.")
    page.get_by_role("button", name="Edit").click()
    rewrite(page, written, "One, changing")
    page.add_init_script(f"({HELD})(['GET', false])")
    page.reload()
    page.wait_for_function("() => window.isHeld")
    page.get_by_label("Your note").press_sequentially("before")
    page.evaluate("setInterval(() => window.letGo(), 50)")
    expect(page.get_by_label("Change the note")).to_have_value("One, changing")
    page.keyboard.type(" and after")

    expect(page.get_by_label("Your note")).to_have_value("before and after")
    expect(page.get_by_label("Change the note")).to_have_value("One, changing")


def test_a_note_that_waited_is_called_saved_once_it_is(page: Page, ada: httpx.Client):
    page.context.set_offline(True)
    write(page, "Later.")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("Not sent yet. Your note is kept")).to_be_visible()
    page.context.set_offline(False)

    expect(page.locator(".note-editor .said")).to_have_text("Saved.")
    assert bodies(ada) == ["Later."]


def test_a_double_click_deletes_nothing_and_opens_one_history(page: Page, ada: httpx.Client):
    note(ada, "One.")
    page.get_by_role("button", name="Delete").dblclick()
    page.get_by_role("button", name="History").dblclick()

    expect(page.locator(".history")).to_have_count(1)
    expect(page.get_by_role("button", name="History")).to_have_attribute("aria-expanded", "true")
    assert bodies(ada) == ["One."]
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Delete")).to_have_text("Delete")


def test_who_deleted_a_note_is_told(page: Page, ada: httpx.Client):
    note(ada, "One.")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete now").click()

    expect(page.get_by_text("Deleted.")).to_be_focused()


def test_an_open_history_follows_its_note(page: Page, ada: httpx.Client):
    written = note(ada, "One.")
    page.get_by_role("button", name="History").click()
    expect(page.locator(".history summary")).to_have_count(1)
    change(ada, written, body="Two.")

    expect(page.locator(".history summary")).to_have_count(2)


def test_what_a_member_may_do_follows_their_role(page: Page, group: Group, ada: httpx.Client):
    grace = group.member("Grace", "organizer")
    note(grace, "Not Ada's.")
    article = page.locator(".notes article")
    expect(article.get_by_role("button", name="History")).to_be_visible()
    expect(article.get_by_role("button", name="Edit")).to_have_count(0)
    grace.put(f"members/{ada.id}/role", json={"role": "organizer"}).raise_for_status()

    expect(article.get_by_role("button", name="Edit")).to_be_visible()


def test_who_is_a_member_no_more_is_told_at_once(page: Page, group: Group, ada: httpx.Client):
    grace = group.member("Grace", "organizer")
    note(grace, "Of the group.")
    expect(page.locator(".notes article")).to_have_count(1)
    grace.delete(f"members/{ada.id}").raise_for_status()

    expect(page.locator(".notes")).to_contain_text("Ask an organizer for a join link")
    expect(page.get_by_text("Of the group.")).to_have_count(0)


def test_what_waits_is_shown_to_who_is_signed_in_no_more(
    page: Page, group: Group, ada: httpx.Client
):
    page.context.set_offline(True)
    write(page, "Never sent.")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator(".waiting")).to_contain_text("Never sent.")
    group.member("Grace", "organizer").delete(f"members/{ada.id}").raise_for_status()
    page.context.set_offline(False)
    page.reload()

    expect(page.locator(".notes")).to_contain_text("Ask an organizer for a join link")
    expect(page.locator(".waiting")).to_contain_text("Never sent.")


def test_a_note_that_was_refused_stands_in_the_form_alone(page: Page, ada: httpx.Client):
    for text in ("x" * 16_385, "x" * 16_386):
        write(page, text)
        page.get_by_role("button", name="Save note").click()
        expect(page.locator(".note-editor .said")).to_contain_text("Rejected: ")
    write(page, "Shorter.")
    page.get_by_role("button", name="Save note").click()

    expect(page.locator(".note-editor .said")).to_have_text("Saved.")
    expect(page.locator(".waiting")).to_have_count(0)
    assert bodies(ada) == ["Shorter."]


def test_notes_of_others_move_nothing_from_under_a_hand(
    page: Page, group: Group, ada: httpx.Client
):
    for number in range(6):
        note(ada, f"{number}\n\n" * 9)
    expect(page.locator(".notes article")).to_have_count(6)
    field = page.get_by_label("Your note")
    field.fill("Ready.")
    before = field.bounding_box()["y"]
    note(group.member("Bo"), "Many\n\nlines\n\n" * 9)
    expect(page.locator(".notes article")).to_have_count(7)

    assert abs(field.bounding_box()["y"] - before) < 2


def test_a_page_that_was_left_asks_no_more(page: Page, ada: httpx.Client):
    hold(page, "GET")
    page.wait_for_function("() => window.isHeld")
    page.evaluate("document.querySelector('readout-notes').remove()")
    page.evaluate("() => { isHeld = false; letGo(); }")
    page.wait_for_timeout(6_000)

    assert not page.evaluate("isHeld")
