"""The custom elements in a real browser, against a small stand-in for the service.

The stand-in keeps answers in memory and can be told to be down or to refuse; the pages are
served from the same origin, as the service does it.
"""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.barriers import barriers
from tests.browser.group import expect_draft
from tests.browser.killing import KILLS, kill, opened

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
CHROMIUM = Path("/usr/bin/chromium")
ADA = {"id": "ada", "name": "Ada", "role": "member"}
BOB = {"id": "bob", "name": "Bob", "role": "member"}
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
AWAY = (
    "The quiz service is not reachable. "
    "Your answers are kept on this device and will be sent later."
)

CHOICE = """
<section class="question" id="{id}" data-id="{id}" data-type="{type}">
  <form><fieldset><legend>What replaces the activation?</legend>
    <label class="option"><input type="{input}" name="{id}" value="a">
      <span>Zeros.</span></label>
    <label class="option"><input type="{input}" name="{id}" value="b">
      <span>The other run's.</span></label>
    <label class="option"><input type="{input}" name="{id}" value="c">
      <span>The mean.</span></label>
  </fieldset></form>{key}
</section>"""
OTHERS = """
<section class="question" id="accuracy" data-id="accuracy" data-type="number">
  <form><fieldset><legend>How accurate is the model?</legend>
    <label><span>Share</span> <input type="text" inputmode="decimal" name="accuracy"></label>
  </fieldset></form>
</section>
<section class="question" id="stream" data-id="stream" data-type="text">
  <form><fieldset><legend>Where do the heads write?</legend>
    <label><span>Name</span> <input type="text" name="stream"></label>
  </fieldset></form>
</section>
<section class="question" id="sequence" data-id="sequence" data-type="order">
  <form><fieldset><legend>Order the steps.</legend>
    <ol><li data-option="a">Run clean</li><li data-option="b">Patch</li>
      <li data-option="c">Run corrupted</li></ol>
  </fieldset></form>
</section>
<section class="question" id="pairs" data-id="pairs" data-type="match">
  <form><fieldset><legend>Match.</legend>
    <p><label for="pairs-a">Query</label> <select id="pairs-a" data-option="a">
      <option value="">choose</option><option value="1">asks</option>
      <option value="2">offers</option></select></p>
    <p><label for="pairs-b">Key</label> <select id="pairs-b" data-option="b">
      <option value="">choose</option><option value="1">asks</option>
      <option value="2">offers</option></select></p>
  </fieldset></form>
</section>"""
KEY = {
    "key": "b",
    "feedback": {"a": "<p>That is ablation.</p>"},
    "why_html": "<p>Patching takes it from the other run.</p>",
}


def quiz(kind: str, questions: str) -> str:
    return (
        f'<readout-quiz data-slug="gpt" data-kind="{kind}" data-opens-at="2023-11-01T12:00:00Z" '
        f'data-closes-at="2023-11-07T16:00:00Z">{questions}</readout-quiz>'
    )


SINGLE = CHOICE.format(id="patching", type="single", input="radio", key="")
MULTIPLE = CHOICE.format(id="several", type="multiple", input="checkbox", key="")
KEYED = CHOICE.format(
    id="keyed",
    type="single",
    input="radio",
    key=f'<template class="key">{json.dumps(KEY).replace("<", "&lt;")}</template>',
)
PAGES = {
    "/quiz": quiz("meeting", SINGLE + MULTIPLE + OTHERS),
    "/practice": quiz("self-check", KEYED),
    "/notes": '<readout-notes data-meeting="2023-11-07"></readout-notes>',
    "/join": "<readout-join></readout-join>",
    "/organize": "<readout-organize></readout-organize>",
    "/review": "<readout-review></readout-review>",
    "/quizzes/gpt/": quiz("meeting", SINGLE + MULTIPLE + OTHERS),
    "/card": '<p>6 questions<readout-answered data-slug="gpt"></readout-answered></p>',
    "/me": "<readout-member></readout-member> <readout-me></readout-me>",
}
HEAD = (
    '<!doctype html><html lang="en"><head><title>Specimen</title><meta name="viewport" '
    'content="width=device-width"><link rel="icon" href="data:,">'
    '<link rel="stylesheet" href="/assets/readout.css">'
    '<script type="module" src="/assets/readout.js"></script></head>'
    '<body class="md-typeset"><main><h1>Specimen</h1>'
)


@dataclass
class Service:
    """What the stand-in knows, open to the tests."""

    url: str = ""
    member: dict[str, str] | None = None
    down: bool = False
    silent: bool = False
    refusal: tuple[int, dict[str, str]] | None = None
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    posted: list[tuple[str, str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)  # told with every mark, over the usual
    reports: list[dict[str, Any]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    due: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/api/v1/session":
            if method == "DELETE":
                self.member = None
                return 204, None
            return 200, {"member": self.member}
        if path == "/api/v1/join":
            if body["invite"] != "GOOD-code_1":
                return 410, {"detail": "this invitation has been used", "code": "invite-used"}
            self.member = {**ADA, "name": body["name"]}
            return 201, {"member": self.member, "token": "secret"}
        if self.member is None:
            return 401, {"detail": "sign in first", "code": "signed-out"}
        if path == "/api/v1/me":
            self.member, self.stored = None, {}
            return 204, None
        if path == "/api/v1/review":
            return 200, self.due
        if path in ORGANIZED:
            return 200, ORGANIZED[path]
        if path.endswith("/reports") and method == "GET":
            return 200, [report for report in self.reports if report["id"] not in self.closed]
        if path.startswith("/api/v1/reports/"):
            self.closed.append(path.rpartition("/")[2])
            return 204, None
        own = [item for item in self.stored.values() if item["by"] == self.member["id"]]
        if method == "GET":
            return 200, [item for item in own if ("body" in item) == ("notes" in path)]
        self.posted.append((self.member["id"], path, body))
        if self.refusal:
            return self.refusal
        if body["id"] in self.stored:
            return 200, self.stored[body["id"]]
        if path.endswith("/reports"):
            made = {**body, "question": path.split("/")[-2]}
        else:
            made = self.note(body) if "notes" in path else self.grade(body)
        self.stored[body["id"]] = {**made, "by": self.member["id"]}
        return 201, self.stored[body["id"]]

    def note(self, body: dict[str, Any]) -> dict[str, Any]:
        html = f"<p>{body['body']}</p><img src=x onerror='window.hacked=1'>"
        assert self.member
        return {
            **body,
            "author": self.member["name"],
            "html": html,
            "created_at": "2023-11-07T18:00:00Z",
        }

    def grade(self, body: dict[str, Any]) -> dict[str, Any]:
        keys = {
            "patching": "b",
            "several": ["a", "b"],
            "accuracy": 0.96,
            "stream": "residual stream",
            "sequence": ["a", "c", "b"],
            "pairs": {"a": "1", "b": "2"},
        }
        right = body["response"] == keys[body["question"]]
        return {
            **body,
            "quiz": "gpt",
            "correct": right,
            "score": float(right),
            "late": False,
            "feedback": [{"option": "a", "text_html": "<p>That is ablation.</p>"}],
            "key": keys[body["question"]],
            "why_html": "<p>Patching takes it from the other run.</p>",
            "source_html": "<p>Wang et al. 2022</p>",
            "answered_at": "2023-11-02T12:00:00Z",
            **self.told,
        }


def agenda_item(question: str, advice: str, **more: Any) -> dict[str, Any]:
    return {
        "question": question,
        "type": "single",
        "stem": f"What of {question}?\n\nMore of it.",
        "quiz": "gpt",
        "advice": advice,
        "n": 4,
        "n_late": 0,
        "correct": 2,
        "score": 0.5,
        "difficulty": 0.5,
        "interval": [0.15, 0.85],
        "distribution": [
            {"response": "a", "n": 2, "correct": True},
            {"response": "b", "n": 2, "correct": False},
        ],
        "confident_and_wrong": 1,
        "reasons": ["Because <b>of it</b>."],
        "revote": None,
        "reports": [],
        "note": None,
        **more,
    }


ORGANIZED: dict[str, Any] = {
    "/api/v1/meetings": [{"date": "2023-11-07"}, {"date": "2024-01-09"}],
    "/api/v1/quizzes": [{"slug": "gpt", "meeting": "2023-11-07"}],
    "/api/v1/quizzes/gpt": {
        "questions": [
            {
                "id": "patching",
                "options": [{"id": "a", "text": "One head"}, {"id": "b", "text": "All"}],
            }
        ]
    },
    "/api/v1/meetings/2023-11-07/agenda": {
        "meeting": "2023-11-07",
        "title": "A meeting",
        "warm_up": [],
        "tells_until": "2023-11-08T12:00:00Z",
        "items": [
            agenda_item("patching", "vote-and-discuss"),
            agenda_item(
                "several",
                "too-few",
                difficulty=None,
                interval=None,
                distribution=None,
                reasons=[],
                note="not enough answers yet (1 of 3)",
            ),
        ],
    },
}


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def respond(self) -> None:
            path = self.path.partition("?")[0]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if path.startswith("/api/"):
                if service.down:
                    self.close_connection = True
                    return
                if service.silent:
                    threading.Event().wait(5)
                status, data = service.reply(self.command, path, json.loads(body or "null"))
                kind, content = "application/json", json.dumps(data).encode()
            elif path in PAGES:
                status, kind, content = 200, "text/html", (HEAD + PAGES[path] + "</main>").encode()
            else:
                file = ASSETS / path.removeprefix("/assets/")
                status = 200 if file.is_file() else 404
                kind = "text/css" if path.endswith(".css") else "text/javascript"
                content = file.read_bytes() if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", CSP)
            self.send_header("Content-Length", str(len(content) if status != 204 else 0))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815

    return Handler


@pytest.fixture
def service() -> Iterator[Service]:
    """The stand-in, with Ada signed in."""
    service = Service(member=ADA)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(service))
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = CHROMIUM if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=service.url, locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_timeout(30_000)
    return page


def visit(page: Page, path: str) -> None:
    """Open a page and let it finish asking the service."""
    page.goto(path)
    page.wait_for_load_state("networkidle")


def choose(page: Page, question: str, *options: str) -> None:
    for option in options:
        page.locator(f"#{question} input[value={option}]").first.check()


def press_answer(page: Page, question: str) -> None:
    page.locator(f"#{question}").get_by_role("button", name="Answer").click()


def said(page: Page, question: str) -> Any:
    return page.locator(f"#{question} .said")


def stored_on_device(page: Page) -> list[dict[str, Any]]:
    """The outbox as it lies in the browser's database."""
    return page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open("readout").onsuccess = ({ target: { result } }) => {
            result.transaction("outbox").objectStore("outbox").getAll().onsuccess =
              ({ target }) => { result.close(); resolve(target.result); };
          };
        })"""
    )


def test_an_answer_is_given_by_keyboard_and_marked(page: Page, service: Service) -> None:
    page.goto("/quiz")
    question = page.locator("#patching")
    expect(question.get_by_role("button", name="Answer")).to_be_visible()

    page.locator("#patching input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("I think so")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    expect(question.locator(".explanation")).to_be_visible()
    expect(question.locator(".feedback")).to_be_focused()
    expect(question.locator(".feedback")).to_have_role("status")
    expect(question.locator(".mark")).to_have_text(["not right, chosen", "right"])
    [(member, path, body)] = service.posted
    assert (member, path) == ("ada", "/api/v1/quizzes/gpt/answers")
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-\w{12}", body["id"]
    )
    assert {name: body[name] for name in body if name != "id"} == {
        "question": "patching",
        "response": "a",
        "certainty": 2,
        "reason": "I think so",
    }
    assert stored_on_device(page) == []


def test_each_type_is_sent_in_its_shape_and_comes_back(page: Page, service: Service) -> None:
    page.goto("/quiz")
    choose(page, "several", "a", "b")
    page.locator("#accuracy input[type=text]").fill("0,96")
    page.locator("#stream input[type=text]").fill(" residual stream ")
    page.get_by_role("button", name="Move up: Run corrupted").click()
    expect(said(page, "sequence")).to_have_text("Now 2 of 3: Run corrupted")
    expect(page.get_by_role("button", name="Move up: Run corrupted")).to_be_focused()
    page.select_option("#pairs-a", "1")
    page.select_option("#pairs-b", "2")
    asked = ["several", "accuracy", "stream", "sequence", "pairs"]
    for question in asked:
        press_answer(page, question)
        expect(said(page, question)).to_have_text("Right. Saved.")

    assert [body["response"] for _, _, body in service.posted] == [
        ["a", "b"],
        0.96,
        "residual stream",
        ["a", "c", "b"],
        {"a": "1", "b": "2"},
    ]

    page.reload()
    for question in asked:
        expect(said(page, question)).to_have_text("Right. Saved.")
    expect(page.locator("#several input:checked")).to_have_count(2)
    expect(page.locator("#sequence li").nth(1)).to_contain_text("Run corrupted")
    expect(page.locator("#pairs-b")).to_have_value("2")
    expect(page.locator(".progress")).to_contain_text("You answered 5 of 6.")


@pytest.mark.parametrize("question", ["patching", "several", "accuracy", "stream", "pairs"])
def test_an_empty_answer_is_not_sent(page: Page, service: Service, question: str) -> None:
    page.goto("/quiz")
    press_answer(page, question)

    expect(said(page, question)).to_have_text(re.compile("first|Enter a number"))
    assert service.posted == []


def test_answering_again_adds_an_answer(page: Page, service: Service) -> None:
    page.goto("/quiz")
    choose(page, "patching", "a")
    press_answer(page, "patching")
    page.locator("#patching").get_by_role("button", name="Answer again").click()
    expect(page.locator("#patching .mark")).to_have_count(0)
    choose(page, "patching", "b")
    press_answer(page, "patching")

    expect(said(page, "patching")).to_have_text("Right. Saved.")
    assert [body["response"] for _, _, body in service.posted] == ["a", "b"]


def answer_again_but_do_not_send(page: Page) -> None:
    """Answer `a`, then begin another answer, until its draft is on the disk."""
    choose(page, "patching", "a")
    press_answer(page, "patching")
    question = page.locator("#patching")
    question.get_by_role("button", name="Answer again").click()
    choose(page, "patching", "c")
    question.get_by_text("Why? (optional)").click()
    question.get_by_label("Why?").fill("On second thoughts")
    expect_draft(page, "quiz gpt patching", "On second thoughts", "reason")


@pytest.mark.parametrize("waits", [False, True])
def test_a_second_try_that_was_not_sent_is_there_after_a_reload(
    page: Page, service: Service, waits: bool
) -> None:
    visit(page, "/quiz")
    service.down = waits
    answer_again_but_do_not_send(page)

    for _ in range(2):  # it is kept until it is sent
        page.reload()
        expect(said(page, "patching")).to_have_text(
            "Not sent yet: what you typed after your last answer."
        )
        expect(page.locator("#patching input[value=c]")).to_be_checked()
        expect(page.locator("#patching textarea")).to_have_value("On second thoughts")
    service.down = False
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    assert [body["response"] for _, _, body in service.posted] == ["a", "c"]

    page.reload()
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    expect(page.locator("#patching input[value=c]")).to_be_checked()


def test_no_draft_is_taken_up_where_no_try_is_left(page: Page, service: Service) -> None:
    visit(page, "/quiz")
    answer_again_but_do_not_send(page)
    for answer in service.stored.values():  # the other tries were given on another device
        answer["tries_left"] = 0

    visit(page, "/quiz")
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    expect(page.locator("#patching input[value=a]")).to_be_checked()
    expect(page.locator("#patching textarea")).to_be_disabled()


def test_an_answer_waits_for_the_service_and_is_stored_once(
    page: Page, context: BrowserContext, service: Service
) -> None:
    visit(page, "/quiz")
    service.down = True
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text(AWAY)
    [kept] = stored_on_device(page)
    assert (kept["member"], kept["state"]) == ("ada", "kept")

    page.reload()
    expect(said(page, "patching")).to_have_text("Kept on this device.")
    assert page.locator("#patching input[value=b]").is_checked()

    service.down = False
    other = context.new_page()
    other.goto("/quiz")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(said(page, "patching")).to_have_text("Right. Saved.")
    expect(said(other, "patching")).to_have_text("Right. Saved.")
    assert [body["id"] for _, _, body in service.posted] == [kept["id"]]
    assert stored_on_device(page) == []


@pytest.mark.parametrize("number", range(KILLS))
def test_an_answer_outlives_a_killed_browser_and_is_sent_once(
    browser: Browser, service: Service, tmp_path: Path, number: int
) -> None:
    profile = tmp_path / "profile"
    page = opened(browser, profile, service.url).pages[0]
    visit(page, "/quiz")
    service.down = True
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text(AWAY)
    kill(profile)
    service.down = False

    context = opened(browser, profile, service.url)
    pages = [context.pages[0], context.new_page()]  # two tabs, of which one sends
    for page in pages:
        visit(page, "/quiz")
    for page in pages:
        expect(said(page, "patching")).to_have_text("Right. Saved.")
        assert page.locator("#patching input[value=b]").is_checked()
    assert stored_on_device(page) == []
    context.close()
    assert len(service.posted) == 1


def test_a_lost_reply_leads_to_one_stored_answer(page: Page, service: Service) -> None:
    page.goto("/quiz")
    lost = []

    def lose_first_reply(route: Any) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/answers", lose_first_reply)
    choose(page, "patching", "b")
    press_answer(page, "patching")
    # The page may have asked again, and have its answer, before we look.
    expect(said(page, "patching")).to_have_text(re.compile(f"^({re.escape(AWAY)}|Right. Saved.)$"))

    page.evaluate("dispatchEvent(new Event('online'))")
    expect(said(page, "patching")).to_have_text("Right. Saved.")
    assert lost == [201]
    assert len(service.posted) == 2
    assert len(service.stored) == 1


def test_a_silent_service_keeps_nobody_waiting(page: Page, service: Service) -> None:
    visit(page, "/quiz")
    choose(page, "patching", "b")
    page.wait_for_load_state("networkidle")
    service.silent = True
    press_answer(page, "patching")

    expect(said(page, "patching")).to_have_text(AWAY)


def test_a_refused_answer_stays_visible_with_its_reason(page: Page, service: Service) -> None:
    service.refusal = (422, {"detail": "'a' is not offered", "code": "not-offered"})
    page.goto("/quiz")
    choose(page, "patching", "a")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Rejected: 'a' is not offered")

    page.reload()
    expect(said(page, "patching")).to_have_text("Rejected: 'a' is not offered")
    assert page.locator("#patching input[value=a]").is_checked()
    assert len(service.posted) == 1


def test_an_answer_that_came_too_soon_is_kept_and_sent_again(page: Page, service: Service) -> None:
    service.refusal = (429, {"detail": "too many; try again in a minute", "code": "too-many"})
    visit(page, "/quiz")
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text(AWAY)

    service.refusal = None
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(said(page, "patching")).to_have_text("Right. Saved.")


def test_what_a_guest_entered_is_kept_until_they_have_joined(page: Page, service: Service) -> None:
    service.member = None
    page.goto("/quiz")
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_contain_text("Ask an organizer for a join link")
    assert service.posted == []

    service.member = ADA
    page.reload()
    expect(page.locator("#patching input[value=b]")).to_be_checked()
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Right. Saved.")


def test_an_answer_is_never_sent_as_another_member(page: Page, service: Service) -> None:
    visit(page, "/quiz")
    service.down = True
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text(AWAY)

    service.down, service.member = False, BOB
    page.evaluate("dispatchEvent(new Event('online'))")
    visit(page, "/quiz")
    expect(said(page, "patching")).to_have_text("")
    assert page.locator("#patching input:checked").count() == 0
    assert service.posted == []

    service.member = ADA
    page.reload()
    expect(said(page, "patching")).to_have_text("Right. Saved.")
    assert [member for member, _, _ in service.posted] == ["ada"]


def test_a_browser_that_stores_nothing_says_so(page: Page, service: Service) -> None:
    page.add_init_script("IDBFactory.prototype.open = () => { throw new Error('blocked') }")
    page.goto("/quiz")
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Right. Saved.")

    service.down = True
    choose(page, "several", "b")
    press_answer(page, "several")
    expect(said(page, "several")).to_contain_text("nothing can be kept on this device")


def test_a_self_check_is_graded_in_the_page(page: Page, service: Service) -> None:
    service.down = True
    page.goto("/practice")
    choose(page, "keyed", "a")
    press_answer(page, "keyed")
    expect(said(page, "keyed")).to_have_text("Not right.")
    expect(page.locator("#keyed .explanation")).to_contain_text("That is ablation.")

    page.get_by_role("button", name="Answer again").click()
    choose(page, "keyed", "b")
    press_answer(page, "keyed")
    expect(said(page, "keyed")).to_have_text("Right.")


@pytest.mark.parametrize(
    ("kind", "response", "keyed", "score"),
    [
        ("multiple", ["a", "c"], {"key": ["a", "b"]}, 0),
        ("multiple", ["a"], {"key": ["a", "b"]}, 0.5),
        ("multiple", ["b", "a"], {"key": ["a", "b"]}, 1),
        ("number", 0.95, {"key": 0.96, "tolerance": {"absolute": 0.02}}, 1),
        ("number", 0.93, {"key": 0.96, "tolerance": {"absolute": 0.02}}, 0),
        ("number", 101, {"key": 100, "tolerance": {"relative": 0.01}}, 1),
        ("number", 12300, {"key": 12288, "tolerance": {"digits": 3}}, 1),
        ("number", 12200, {"key": 12288, "tolerance": {"digits": 3}}, 0),
        ("number", 12288, {"key": 12288}, 1),
        ("text", "The  Residual stream.", {"key": "x", "accept": ["the residual stream"]}, 1),
        ("text", "stream", {"key": "residual stream"}, 0),
        ("order", ["a", "c", "b"], {"key": ["a", "b", "c"]}, 2 / 3),
        ("match", {"a": "1", "b": "1"}, {"key": {"a": "1", "b": "2"}}, 0.5),
    ],
)
def test_a_self_check_scores(
    page: Page, kind: str, response: object, keyed: dict[str, Any], score: float
) -> None:
    page.goto("/practice")
    graded = page.evaluate(
        """async ([kind, response, keyed]) =>
          (await import("/assets/elements/selfcheck.js")).grade(kind, response, keyed)""",
        [kind, response, keyed],
    )
    assert graded["score"] == pytest.approx(score)
    assert graded["correct"] == (score == 1)


def test_a_second_visit_builds_no_second_form(page: Page) -> None:
    page.goto("/quiz")
    expect(page.locator("#patching .buttons")).to_have_count(1)
    page.evaluate(
        """() => {
          const quiz = document.querySelector("readout-quiz");
          const { parentNode } = quiz;
          quiz.remove();
          parentNode.append(quiz);
        }"""
    )
    expect(page.locator("#patching .buttons")).to_have_count(1)


def test_a_note_is_saved_and_shown_without_its_scripts(page: Page, service: Service) -> None:
    page.goto("/notes")
    expect(page.locator(".notes")).to_have_text("No notes yet.")
    page.get_by_label("Your note").fill("Layer norm, again")
    expect_draft(page, "note 2023-11-07", "Layer norm, again")
    page.reload()
    expect(page.get_by_label("Your note")).to_have_value("Layer norm, again")
    page.get_by_role("button", name="Save note").click()

    expect(page.locator("readout-notes .said")).to_have_text("Saved.")
    expect(page.locator(".notes article")).to_contain_text("Layer norm, again")
    expect(page.get_by_label("Your note")).to_have_value("")
    assert page.evaluate("window.hacked") is None


def test_a_note_waits_for_the_service(page: Page, service: Service) -> None:
    page.goto("/notes")
    expect(page.locator(".notes")).to_have_text("No notes yet.")
    service.down = True
    page.get_by_label("Your note").fill("Written on the train")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes .said")).to_contain_text("kept on this device")
    expect(page.locator(".notes article.kept")).to_contain_text("Written on the train")

    service.down = False
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".notes article:not(.kept)")).to_contain_text("Written on the train")
    expect(page.locator(".notes article.kept")).to_have_count(0)


def test_a_guest_is_told_how_to_join(page: Page, service: Service) -> None:
    service.member = None
    page.goto("/notes")
    expect(page.locator(".notes")).to_contain_text("Ask an organizer for a join link")
    page.get_by_label("Your note").fill("Mine")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("readout-notes .said")).to_contain_text("you are not signed in")
    expect(page.get_by_label("Your note")).to_have_value("Mine")


def test_joining_signs_in_and_clears_the_address(page: Page, service: Service) -> None:
    service.member = None
    page.goto("/join#GOOD-code_1")
    page.get_by_label("Your name").fill("Grace")
    page.get_by_role("button", name="Join").click()

    expect(page.locator(".said").first).to_contain_text("Welcome, Grace.")
    assert page.url == f"{service.url}/join"
    assert "secret" not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


def test_a_used_link_says_so(page: Page, service: Service) -> None:
    service.member = None
    page.goto("/join#USED")
    page.get_by_label("Your name").fill("Grace")
    page.get_by_role("button", name="Join").click()

    expect(page.locator(".said").first).to_contain_text("this invitation has been used")


def test_signing_out_takes_what_waits_along(page: Page, service: Service) -> None:
    visit(page, "/quiz")
    service.refusal = (422, {"detail": "no", "code": "no"})
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Rejected: no")

    page.goto("/me")
    expect(page.locator(".waiting li")).to_contain_text("Rejected: no")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(
        page.get_by_text("What waits on this device (1) is removed unsent.").first
    ).to_be_visible()
    page.get_by_role("button", name="Sign out now").click()
    expect(page.locator("readout-me")).to_contain_text("You are not signed in.")
    assert service.member is None
    assert stored_on_device(page) == []


def test_an_answer_that_was_sent_later_is_no_draft(page: Page, service: Service) -> None:
    visit(page, "/quiz")
    service.down = True
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_contain_text("kept on this device")
    service.down = False
    page.goto("/me")
    expect(page.get_by_role("heading", name="Your devices")).to_be_visible()
    expect(page.get_by_role("heading", name="Your drafts")).to_have_count(0)


def test_a_member_can_erase_everything(page: Page, service: Service) -> None:
    page.goto("/me")
    expect(page.locator("readout-member")).to_have_text("Signed in as Ada")
    export = page.get_by_role("link", name="Download everything you wrote")
    expect(export).to_have_attribute("href", f"{service.url}/api/v1/me/export")
    page.get_by_role("button", name="Erase me", exact=True).click()
    assert service.member == ADA
    page.get_by_role("button", name="Erase me now").click()
    expect(page.get_by_text("Nothing was erased: type Ada, as it is written.")).to_be_visible()
    assert service.member == ADA
    page.get_by_label("Type your name, Ada, to go on").fill("Ada")
    page.get_by_role("button", name="Erase me now").click()
    expect(page.locator("readout-me")).to_contain_text("You are not signed in.")
    assert service.member is None


def test_questions_come_one_at_a_time_where_wanted(page: Page, service: Service) -> None:
    page.goto("/quiz")
    expect(page.locator("section.question:visible")).to_have_count(6)

    page.get_by_role("button", name="One at a time").press("Enter")
    expect(page.locator("section.question:visible")).to_have_count(1)
    expect(page.locator(".place")).to_have_text("Question 1 of 6")
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    page.get_by_role("button", name="Next").press("Enter")
    expect(page.locator("#several")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('section').id") == "several"

    page.goto("/quiz#stream")  # remembered; a question that the address names comes first
    expect(page.locator("#stream")).to_be_visible()
    expect(page.locator(".place")).to_have_text("Question 4 of 6")
    page.get_by_role("button", name="Show all").press("Enter")
    expect(page.locator("section.question:visible")).to_have_count(6)


def test_a_problem_with_a_question_is_reported(page: Page, service: Service) -> None:
    page.goto("/quiz")
    button = page.locator("#patching").get_by_role("button", name="Report a problem")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    form = page.locator("#patching form.report")
    form.get_by_label("What is wrong with this question?").fill("Two options are right.")
    form.get_by_role("button", name="Send the report").press("Enter")

    expect(form.get_by_role("status")).to_have_text(
        "Reported. An organizer sees it without your name."
    )
    ((_, path, body),) = service.posted
    assert path == "/api/v1/quizzes/gpt/questions/patching/reports"
    assert body["text"] == "Two options are right."


def test_tries_that_are_left_are_said_and_the_last_one_ends_them(
    page: Page, service: Service
) -> None:
    service.told = {"tries_left": 1, "key": None}
    page.goto("/quiz")
    choose(page, "patching", "a")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Not right. One try is left. Saved.")
    service.told = {"tries_left": 0}
    page.locator("#patching").get_by_role("button", name="Answer again").click()
    choose(page, "patching", "c")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    expect(page.locator("#patching").get_by_role("button", name="Answer again")).to_be_disabled()


def test_a_vote_tells_nothing_and_is_given_again_in_the_meeting(
    page: Page, service: Service
) -> None:
    service.told = {"correct": None, "score": None, "key": None, "feedback": [], "why_html": ""}
    page.goto("/quiz")
    choose(page, "patching", "a")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text(
        "Saved. The group discusses this one in the meeting."
    )
    page.locator("#patching").get_by_role("button", name="Vote again").click()
    choose(page, "patching", "b")
    with page.expect_response("**/answers"):
        press_answer(page, "patching")
    assert [body["response"] for _, _, body in service.posted] == ["a", "b"]


def test_a_corrected_question_says_what_changed_and_why(page: Page, service: Service) -> None:
    correction = {"correct": False, "score": 0.0, "why": "The key named the wrong head."}
    service.told = {"correction": correction}
    page.goto("/quiz")
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(page.locator("#patching .correction")).to_have_text(
        "This question was corrected. Your answer was not right and is now right. "
        "The key named the wrong head."
    )


def test_after_the_meeting_a_quiz_is_practice(page: Page, service: Service) -> None:
    page.goto("/quiz")
    expect(page.locator(".progress")).to_contain_text("answers now are marked late")
    page.evaluate(
        """() => {
          const quiz = document.querySelector("readout-quiz");
          quiz.dataset.overAt = "2023-11-08T12:00:00Z";
          quiz.progress();
        }"""
    )
    expect(page.locator(".progress")).to_have_text(
        "The meeting is over: answers now are practice. You answered 0 of 6."
    )


def test_the_card_says_how_many_the_member_answered(page: Page, service: Service) -> None:
    page.goto("/quiz")
    for response in ("a", "b"):
        choose(page, "patching", response)
        press_answer(page, "patching")
        page.locator("#patching").get_by_role("button", name="Answer again").click()
    page.goto("/card")
    expect(page.locator("p")).to_have_text("6 questions, you answered 1")


def test_what_was_missed_is_answered_again_on_the_review_page(page: Page, service: Service) -> None:
    page.goto("/review")
    expect(page.get_by_role("status")).to_have_text(
        "Nothing is due. What you miss comes back here."
    )

    service.due = [
        {"quiz": "gpt", "question": {"id": "patching"}, "why": "sure-and-wrong"},
        {"quiz": "gpt", "question": {"id": "gone"}, "why": "missed"},
    ]
    page.goto("/review")
    expect(page.get_by_role("status").first).to_have_text(
        "2 due. One question, the longest due first."
    )
    expect(page.locator("#patching .byline")).to_contain_text("You were sure, and wrong.")
    choose(page, "patching", "b")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Right. Saved.")
    ((_, path, body),) = service.posted
    assert (path, body["question"]) == ("/api/v1/quizzes/gpt/answers", "patching")


def test_organizers_see_what_to_discuss_and_put_reports_aside(page: Page, service: Service) -> None:
    service.member = {**ADA, "role": "organizer"}
    service.reports = [
        {"id": "r1", "question": "patching", "text": "<i>Odd</i>", "outdated": False}
    ]
    page.goto("/organize")

    headings = page.locator("readout-organize h2")
    expect(headings).to_have_text(
        ["Vote and discuss", "Too few answers yet", "Reported problems: gpt", "To carry away"]
    )
    first = page.locator(".item").first
    expect(first.get_by_role("link")).to_have_text("What of patching?")
    expect(first).to_contain_text("difficulty 50 % (95 % interval 15 % to 85 %); 1 sure and wrong")
    expect(first.locator("tbody th")).to_have_text(["One headright", "All"])
    expect(first.locator("details li")).to_have_text("Because <b>of it</b>.")
    expect(page.get_by_text("what stands here tells its answers")).to_be_visible()
    expect(page.locator(".item").nth(1)).to_contain_text("not enough answers yet (1 of 3)")
    page.set_viewport_size({"width": 390, "height": 800})  # where the table has to scroll
    assert barriers(page) == []
    page.get_by_role("button", name="Dealt with").click()
    expect(page.get_by_text("Put aside.")).to_be_visible()
    assert service.closed == ["r1"]


def test_the_organizers_page_is_empty_for_others(page: Page, service: Service) -> None:
    page.goto("/organize")
    expect(page.locator("readout-organize")).to_have_text(
        "This page is for organizers. You are signed in as a member."
    )


@pytest.mark.parametrize("path", PAGES)
def test_a_page_logs_no_error(page: Page, service: Service, path: str) -> None:
    errors: list[str] = []
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else 0
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    for member in (ADA, None):
        service.member = member
        visit(page, path)
    assert errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_a_quiz_comes_alive(page: Page, service: Service, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/quiz")
    choose(page, "patching", "a")
    press_answer(page, "patching")
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    page.add_init_script(
        """window.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto("/quiz")
    expect(said(page, "patching")).to_have_text("Not right. Saved.")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shift") < 0.02


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, path: str) -> None:
    visit(page, path)
    if path == "/quiz":
        choose(page, "patching", "a")
        press_answer(page, "patching")
        expect(said(page, "patching")).to_have_text("Not right. Saved.")
    assert barriers(page) == []


def test_targets_are_large_enough(page: Page) -> None:
    page.goto("/quiz")
    expect(page.locator("#pairs.ready")).to_be_visible()
    small = page.evaluate(
        """() => [...document.querySelectorAll(
            "label:has([type=radio], [type=checkbox]), .question button, select, summary")]
          .filter((target) => target.checkVisibility())
          .map((target) => [target.textContent.trim(), target.getBoundingClientRect().height])
          .filter(([, height]) => height < 24)"""
    )
    assert small == []
