"""A member's account and the organizers' page in a real browser, against the real service."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.barriers import barriers
from tests.browser.group import Group, serve_group
from tests.conftest import Clock

pytestmark = pytest.mark.browser

PAGES = {
    "join": "<readout-join></readout-join>",
    "me": "<readout-me></readout-me>",
    "members": "<readout-members></readout-members>",
}


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with serve_group(tmp_path, PAGES, Clock()) as group:
        yield group


@pytest.fixture
def ada(group: Group) -> httpx.Client:
    return group.member("Ada")


@pytest.fixture
def grace(group: Group) -> httpx.Client:
    return group.member("Grace", "organizer")


@pytest.fixture
def context(browser: Browser, group: Group) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=group.url, locale="en-GB")
    context.set_default_timeout(30_000)
    yield context
    context.close()


def visit(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    page.wait_for_load_state("networkidle")
    return page


def open_me(context: BrowserContext, group: Group, member: httpx.Client) -> Page:
    group.enter(context, member)
    page = visit(context, "me/")
    expect(page.get_by_role("button", name="Add a device")).to_be_visible()
    return page


def open_members(context: BrowserContext, group: Group, organizer: httpx.Client) -> Page:
    group.enter(context, organizer)
    page = visit(context, "members/")
    expect(page.get_by_role("heading", name="Invitations")).to_be_visible()
    return page


def said(page: Page) -> object:
    return page.locator(".said").first


def stored(page: Page) -> str:
    """All that the browser keeps for the site and shows to its scripts."""
    return page.evaluate(
        """async () => {
          const kept = [{ ...localStorage }, { ...sessionStorage }, document.cookie];
          for (const { name } of await indexedDB.databases()) {
            const database = await new Promise((done) => {
              indexedDB.open(name).onsuccess = ({ target }) => done(target.result);
            });
            for (const store of database.objectStoreNames) {
              const all = database.transaction(store).objectStore(store).getAll();
              await new Promise((done) => (all.onsuccess = done));
              kept.push(store, all.result);
            }
            database.close();
          }
          return JSON.stringify(kept);
        }"""
    )


def test_the_last_organizer_of_others_is_told_to_hand_over_before_erasing(
    context: BrowserContext, group: Group, ada: httpx.Client, grace: httpx.Client
):
    page = open_me(context, group, grace)
    page.get_by_role("button", name="Erase me", exact=True).click()
    page.get_by_label("Type your name, Grace, to go on").fill("Grace")
    page.get_by_role("button", name="Erase me now").click()

    expect(said(page)).to_contain_text(
        "Nothing was changed: the group needs an organizer; make another member one first"
    )
    assert names(grace) == {"Ada": "member", "Grace": "organizer"}


def test_what_had_no_reply_is_not_called_undone(
    context: BrowserContext, group: Group, ada: httpx.Client, grace: httpx.Client
):
    page = open_me(context, group, grace)
    lose_the_reply(page, "**/api/v1/me/devices")
    page.get_by_role("button", name="Add a device").click()
    expect(said(page)).to_contain_text("It is not known whether that was done")

    page = open_members(context, group, grace)
    lose_the_reply(page, "**/api/v1/invitations")
    page.get_by_label("Whom to invite").fill("Bo")
    page.get_by_role("button", name="Make a join link").click()
    expect(said(page)).to_contain_text("It is not known whether that was done")
    assert [one["name"] for one in grace.get("invitations").json()] == ["Bo"]


def test_a_code_whose_reply_was_lost_is_not_called_good(
    context: BrowserContext, group: Group, grace: httpx.Client
):
    link = grace.post("invitations", json={"name": "Bo"}).json()["link"]
    page = visit(context, "join/")
    page.get_by_label("Your join link, or the code at its end").fill(link)
    page.get_by_label("Your name, as the group knows you").fill("Bo")
    context.set_offline(True)
    page.get_by_role("button", name="Join").click()
    expect(said(page)).to_contain_text("nothing was sent. Your code is as good as before")

    context.set_offline(False)
    lose_the_reply(page, "**/api/v1/join")
    page.get_by_role("button", name="Join").click()
    expect(said(page)).to_contain_text("It is not known whether you have joined: no reply came")
    assert names(grace) == {"Bo": "member", "Grace": "organizer"}
    page.unroute("**/api/v1/join")
    page.get_by_role("button", name="Join").click()
    expect(said(page)).to_contain_text("Not accepted: this code is unknown, used or expired")
    expect(said(page)).to_contain_text("ask an organizer for a code that signs you in")


def lose_the_reply(page: Page, path: str) -> None:
    """The service hears what is changed; the page does not hear the service."""

    def lose(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            route.fetch()
            route.abort()

    page.route(path, lose)


def names(client: httpx.Client) -> dict[str, str]:
    return {person["name"]: person["role"] for person in client.get("members").json()}


def test_a_code_signs_one_more_device_in_and_either_ends_the_other(
    browser: Browser, context: BrowserContext, group: Group, ada: httpx.Client
):
    page = open_me(context, group, ada)
    page.get_by_role("button", name="Add a device").click()
    link = page.get_by_label("Link", exact=True).input_value()
    assert link.endswith("/join/#" + page.get_by_label("Code", exact=True).input_value())

    other = browser.new_context()
    phone = other.new_page()
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))
    phone.goto(link)
    code = phone.get_by_label("Code for this device").input_value()
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_text("Welcome back, Ada.")).to_be_visible()
    assert (phone.url, [url for url in asked if code in url]) == (f"{group.url}/join/", [])

    [token] = [cookie["value"] for cookie in other.cookies() if cookie["name"] == "readout"]
    assert '"name":"Ada"' in stored(phone), "what is kept is seen here"
    for secret in (token, code, code.replace("-", "")):
        assert secret not in stored(phone), "no script of a page could read the session"

    page.reload()
    expect(page.locator(".rows li")).to_have_count(3)  # a program, this browser, and the phone
    expect(page.locator(".rows li", has_text="(this one)")).to_have_count(1)
    phone.goto(f"{group.url}/me/")
    phone.locator(".rows li", has_text="python-httpx").get_by_role("button").click()
    expect(said(phone)).to_have_text("python-httpx is signed out.")
    assert ada.get("me").status_code == 401
    other.close()


def test_a_session_that_was_ended_elsewhere_says_to_sign_in_again(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    page = open_me(context, group, ada)
    for device in ada.get("me/devices").json():
        if not device["current"]:
            ada.delete(f"me/devices/{device['id']}")

    page.get_by_role("button", name="Add a device").click()

    expect(said(page)).to_contain_text("you are not signed in, or not any more; sign in again")
    expect(said(page)).to_be_focused()
    page.reload()
    page.get_by_role("link", name="Join or sign in").click()
    expect(page.get_by_label("Code for this device")).to_be_visible()


def test_after_too_many_wrong_codes_the_page_says_when_to_try_again(
    context: BrowserContext, group: Group
):
    wrong = {"invite": "a guess", "name": "Eve"}
    for _ in range(10):
        httpx.post(f"{group.url}/api/v1/join", json=wrong)
    page = visit(context, "join/#another-guess")
    page.get_by_label("Your name, as the group knows you").fill("Eve")
    page.get_by_role("button", name="Join").click()

    told = re.escape("You have not joined: too many wrong codes; try again in 10 minutes")
    expect(said(page)).to_have_text(re.compile(rf"^{told} \(at \d+:\d\d [AP]M\)\.$"))


def test_what_is_pasted_may_be_the_link_or_its_code(
    context: BrowserContext, group: Group, grace: httpx.Client
):
    link = grace.post("invitations", json={"name": "Bo"}).json()["link"]
    page = visit(context, "join/")
    page.get_by_label("Your join link, or the code at its end").fill(f" {link}")
    page.get_by_label("Your name, as the group knows you").fill("Bo")
    page.get_by_role("button", name="Join").click()

    expect(page.get_by_text("Welcome, Bo.")).to_be_visible()
    page.goto("join/")
    expect(page.get_by_text("This browser is signed in as Bo already.")).to_be_visible()


def test_what_a_member_wrote_is_downloaded(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    page = open_me(context, group, ada)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download everything you wrote").click()

    assert '"name":"Ada"' in Path(downloading.value.path()).read_text()
    assert downloading.value.suggested_filename == "readout.json"


def test_an_organizer_invites_and_takes_back(
    browser: Browser, context: BrowserContext, group: Group, grace: httpx.Client
):
    page = open_members(context, group, grace)
    expect(page.get_by_text("No invitation is open.")).to_be_visible()
    for name in ("Bo", "Cy"):
        page.get_by_label("Whom to invite").fill(name)
        page.get_by_role("button", name="Make a join link").click()
        expect(said(page)).to_have_text(f"A join link for {name}:")
        expect(said(page)).to_be_focused()
    link = page.get_by_label("Join link", exact=True).input_value()
    page.get_by_role("button", name="Take back the invitation of Bo").click()
    expect(said(page)).to_have_text("The invitation of Bo was taken back.")
    assert [one["name"] for one in grace.get("invitations").json()] == ["Cy"]

    page.reload()
    expect(page.locator("readout-members")).not_to_contain_text(link)
    newcomer = browser.new_context()
    cy = newcomer.new_page()
    cy.goto(link)
    cy.get_by_label("Your name, as the group knows you").fill("Cy")
    cy.get_by_role("button", name="Join").click()
    expect(cy.get_by_text("Welcome, Cy.")).to_be_visible()
    newcomer.close()
    assert names(grace) == {"Cy": "member", "Grace": "organizer"}


def test_an_invitation_is_taken_back_once_with_the_link_that_is_shown(
    context: BrowserContext, group: Group, grace: httpx.Client
):
    page = open_members(context, group, grace)
    for name in ("Bo", "Cy"):
        page.get_by_label("Whom to invite").fill(name)
        page.get_by_role("button", name="Make a join link").click()
        expect(said(page)).to_have_text(f"A join link for {name}:")
    bo = page.get_by_role("button", name="Take back the invitation of Bo")
    bo.dblclick()
    expect(said(page)).to_have_text("The invitation of Bo was taken back.")
    page.wait_for_load_state("networkidle")
    expect(said(page)).to_have_text("The invitation of Bo was taken back.")
    assert [one["name"] for one in grace.get("invitations").json()] == ["Cy"]
    expect(page.get_by_label("Join link", exact=True)).to_be_visible()

    # Two presses, however they come, are one.
    page.get_by_role("button", name="Take back the invitation of Cy").evaluate(
        "button => { button.click(); button.click(); }"
    )
    expect(said(page)).to_have_text("The invitation of Cy was taken back.")
    expect(page.get_by_label("Join link", exact=True)).to_have_count(0)
    page.wait_for_load_state("networkidle")
    expect(said(page)).to_have_text("The invitation of Cy was taken back.")


def test_a_name_of_blanks_is_refused_in_plain_words(
    context: BrowserContext, group: Group, grace: httpx.Client
):
    blank = "name: is blank; write at least one letter or digit."
    page = open_members(context, group, grace)
    page.get_by_label("Whom to invite").fill("  ")
    page.get_by_role("button", name="Make a join link").click()
    expect(said(page)).to_have_text(f"Nothing was changed: {blank}")

    link = grace.post("invitations", json={"name": "Bo"}).json()["link"]
    context.clear_cookies()
    page = visit(context, link)
    page.get_by_label("Your name, as the group knows you").fill("  ")
    page.get_by_role("button", name="Join").click()
    expect(said(page)).to_have_text(f"You have not joined: {blank}")


def test_what_was_written_is_found_when_nobody_is_signed_in(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    page = open_me(context, group, ada)
    page.evaluate(
        """async () => {
          const outbox = await import("/assets/elements/outbox.js");
          await outbox.saveDraft("note 2026-03-12", { body: "A draft." });
        }"""
    )
    context.clear_cookies()  # the membership has ended
    page.evaluate(
        """async () => {
          const { send } = await import("/assets/elements/outbox.js");
          await send("notes", { id: crypto.randomUUID(), entry: "2022-wang-ioi", body: "A note." });
        }"""
    )
    page.reload()

    expect(said(page)).to_contain_text("You are not signed in.")
    expect(page.get_by_text("What you wrote here is still on this device.")).to_be_visible()
    waits = page.locator(".waiting li")
    expect(waits).to_contain_text("Kept on this device. A note under 2022-wang-ioi")
    expect(waits.get_by_label("Text 1", exact=True)).to_have_value("A note.")
    expect(page.get_by_label("Draft 1", exact=True)).to_have_value("A draft.")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.route("**/api/v1/**", lambda route: route.abort())
    page.reload()
    expect(said(page)).to_contain_text("The service is not reachable")
    expect(page.get_by_label("Text 1", exact=True)).to_have_value("A note.")


def test_after_signing_out_the_page_says_so_where_the_focus_is(
    context: BrowserContext, group: Group, ada: httpx.Client
):
    page = open_me(context, group, ada)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign out now").press("Enter")
    expect(said(page)).to_contain_text("You are not signed in.")
    expect(said(page)).to_be_focused()


def test_an_organizer_lets_a_member_back_in_and_removes_one(
    context: BrowserContext, group: Group, grace: httpx.Client, ada: httpx.Client
):
    page = open_members(context, group, grace)
    page.get_by_role("button", name="Change: Ada").click()
    page.get_by_role("button", name="New code: Ada").click()
    page.get_by_role("button", name="New code now: Ada").click()
    expect(said(page)).to_have_text("A code for Ada:")
    code = page.get_by_label("Code", exact=True).input_value()
    assert ada.get("me").status_code == 401
    assert httpx.post(f"{group.url}/api/v1/session", json={"code": code}).status_code == 201

    page.get_by_role("button", name="Change: Ada").click()
    page.get_by_role("button", name="Remove: Ada").click()
    assert names(grace) == {"Ada": "member", "Grace": "organizer"}, "the first press asks"
    page.get_by_role("button", name="Remove now: Ada").click()
    expect(said(page)).to_have_text("Ada was removed.")
    assert names(grace) == {"Grace": "organizer"}


def test_the_group_is_handed_over_with_the_keyboard_alone(
    context: BrowserContext, group: Group, grace: httpx.Client, ada: httpx.Client
):
    page = open_members(context, group, grace)
    expect(page.get_by_text("The only organizer.")).to_be_visible()
    page.get_by_role("button", name="Change: Ada").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Make organizer: Ada")).to_be_visible()
    page.keyboard.press("Tab")  # Make organizer
    page.keyboard.press("Tab")  # Hand over
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Hand over now: Ada")).to_be_focused()
    page.keyboard.press("Enter")

    expect(said(page)).to_contain_text("You are signed in as a member.")
    assert names(ada) == {"Ada": "organizer", "Grace": "member"}


def test_what_another_organizer_did_meanwhile_is_said(
    context: BrowserContext, group: Group, grace: httpx.Client, ada: httpx.Client
):
    page = open_members(context, group, grace)
    assert grace.delete(f"members/{ada.id}").status_code == 204
    page.get_by_role("button", name="Change: Ada").click()
    page.get_by_role("button", name="Make organizer: Ada").click()
    page.get_by_role("button", name="Make organizer now: Ada").click()

    expect(said(page)).to_have_text("Nothing was changed: no member has this id.")
    expect(page.get_by_role("button", name="Change: Ada")).to_have_count(0)


def test_every_state_is_within_reach_at_any_width(
    context: BrowserContext, group: Group, grace: httpx.Client, ada: httpx.Client
):
    """Whatever is unfolded: axe finds nothing, and no page scrolls sideways."""
    found: list[object] = []

    def look(page: Page, state: str) -> None:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            found.extend((state, width, *barrier) for barrier in barriers(page))
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append((state, width, "scrolls sideways"))

    look(visit(context, "me/"), "a stranger")
    look(visit(context, "join/"), "no code")
    page = visit(context, "join/#guess")
    page.get_by_label("Your name, as the group knows you").fill("Eve")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("You have not joined")).to_be_visible()
    look(page, "a wrong code")
    page = open_members(context, group, grace)
    page.get_by_label("Whom to invite").fill("B" + "o" * 79)
    page.get_by_role("button", name="Make a join link").click()
    expect(page.get_by_label("Join link", exact=True)).to_be_visible()
    page.get_by_role("button", name="Change: Ada").click()
    for step in ("Make organizer", "Hand over", "New code", "Remove"):
        page.get_by_role("button", name=f"{step}: Ada").click()
    look(page, "everything unfolded")
    page = open_me(context, group, grace)
    page.get_by_role("button", name="Add a device").click()
    for step in ("Sign out", "Erase me"):
        page.get_by_role("button", name=step, exact=True).click()
    expect(page.get_by_label("Code", exact=True)).to_be_visible()
    look(page, "an account")
    assert found == []
