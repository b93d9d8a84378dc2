"""The explorers of grammar and of knowledge in a real browser: numbers, keys, no script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.play import (
    element,
    everybody_can_use,
    on_a_phone,
    serve_explorer,
    stays_within_the_phone,
    without_a_script_it_is_read,
)

pytestmark = pytest.mark.browser


OTHERS = {"words": 0.5, "word pairs": 0.55, "one_person": 0.96, "gpt2_large": 0.99}
OTHERS |= {"transformer_xl": 0.91, "lstm": 0.88, "five_gram": 0.44}


def paradigm(name: str, hits: int, pairs: list[str]):
    return {"name": name, "rule": f"the rule of {name}", "hits": hits, "n": len(pairs)} | {
        "interval": [0.1, 0.9],
        "others": OTHERS,
        "pairs": pairs,
    }


GRAMMAR = {
    "vote": 0.964,
    "phenomena": [
        {"name": "agreement", "hits": 2, "n": 3, "interval": [0.2, 0.94]}
        | {
            "paradigms": [
                paradigm("gender", 1, ["She helps.\tHe help.\t10.5\t12.0", "A.\tB.\t9.0\t7.0"]),
                paradigm("number", 1, ["One is.\tOne are.\t3.0\t3.0"]),
            ]
        },
        {"name": "islands", "hits": 1, "n": 1, "interval": [0.2, 1.0]}
        | {"paradigms": [paradigm("adjunct", 1, ["Who left?\tWho did left?\t4.0\t8.5"])]},
    ],
}


def asked(name: str, shown: int, says: int):
    return {"format": name, "shown": shown, "prompt": f"{name}\nPoland", "says": says} | {
        "knows": 30,
        "confidence": 53,
        "invented": 11,
        "error": 9,
        "intervals": [[40, 60], [65, 85]],
        "countries": ["Poland\tWarsaw\t Warsaw\t91\t1", "Fiji\tSuva\t\n\t20\t0"],
    }


KNOWLEDGE = {
    "asked": 40,
    "formats": [asked("sentence", 0, 20), asked("sentence", 4, 28), asked("chat", 0, 0)],
}


@pytest.fixture(scope="module")
def grammar_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(
        tmp_path_factory.mktemp("grammar"), element("grammar", "Minimal pairs"), GRAMMAR
    ) as base:
        yield base


@pytest.fixture(scope="module")
def knowledge_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_explorer(
        tmp_path_factory.mktemp("knowledge"), element("knowledge", "Asked in other ways"), KNOWLEDGE
    ) as base:
        yield base


@pytest.fixture
def grammar(browser: Browser, grammar_site: str) -> Iterator[Page]:
    with on_a_phone(browser, grammar_site, "slider") as page:
        yield page


@pytest.fixture
def knowledge(browser: Browser, knowledge_site: str) -> Iterator[Page]:
    with on_a_phone(browser, knowledge_site, "slider") as page:
        yield page


def test_a_phenomenon_is_chosen_and_its_score_told(grammar: Page):
    told = grammar.locator("readout-grammar .said")
    expect(told).to_contain_text("agreement: 2 of 3 pairs right, 67 % (95 % interval 20 % to 94 %)")
    expect(told).to_contain_text(", below the 96.4 %")
    expect(told).to_contain_text("gender: 1 of 2")

    grammar.get_by_label("Paradigm").select_option("number")
    expect(told).to_contain_text("number: 1 of 1")
    grammar.get_by_label("Phenomenon").select_option("islands")
    expect(told).to_contain_text("not below the 96.4 %")
    expect(told).to_contain_text("adjunct: 1 of 1")
    expect(grammar.get_by_text("the rule of adjunct")).to_be_visible()


def test_a_pair_is_shown_with_what_the_model_prefers(grammar: Page):
    preferred = grammar.locator("readout-grammar .pair [role=status]")
    expect(preferred).to_have_text("The model prefers the right one, by 1.5 nats.")

    grammar.get_by_role("slider").press("ArrowRight")
    expect(grammar.get_by_role("slider")).to_have_attribute("aria-valuetext", "2")
    expect(preferred).to_have_text("The model prefers the wrong one, by 2.0 nats.")

    grammar.get_by_label("Paradigm").select_option("number")
    expect(preferred).to_have_text("Neither is preferred.")


def test_scores_of_others_stand_in_a_table(grammar: Page):
    row = grammar.get_by_role("row").filter(has_text="GPT-2 large")
    expect(row).to_contain_text("99 %")
    filled = row.locator(".bar").evaluate("bar => getComputedStyle(bar).backgroundImage")
    assert "99%" in filled


def test_a_format_is_chosen_and_its_answers_told(knowledge: Page):
    told = knowledge.locator("readout-knowledge .said")
    expect(told).to_contain_text("Says 50 % (40 to 60 %), knows 75 % (65 to 85 %)")
    expect(told).to_contain_text("for countries that do not exist 11 %")

    knowledge.get_by_role("slider").press("ArrowRight")
    expect(knowledge.get_by_role("slider")).to_have_attribute("aria-valuetext", "4")
    expect(told).to_contain_text("Says 70 %")

    knowledge.get_by_label("Format").select_option("chat")  # it was asked without examples only
    expect(told).to_contain_text("Says 0 %")
    expect(knowledge.get_by_role("region", name="Prompt")).to_have_text("chat\nPoland")


def test_a_token_that_cannot_be_seen_is_marked(knowledge: Page):
    expect(knowledge.get_by_role("row").filter(has_text="Poland")).to_contain_text("Warsaw (91 %)")
    expect(knowledge.get_by_role("row").filter(has_text="Fiji")).to_contain_text("⏎ (20 %)wrong")


@pytest.mark.parametrize("name", ["grammar", "knowledge"])
@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_everybody_can_use_it(request: pytest.FixtureRequest, name: str, scheme: str):
    page: Page = request.getfixturevalue(name)
    everybody_can_use(page, name, scheme)
    stays_within_the_phone(page)


@pytest.mark.parametrize("name", ["grammar", "knowledge"])
def test_without_a_script_its_fallback_is_read(
    request: pytest.FixtureRequest, browser: Browser, name: str
):
    without_a_script_it_is_read(browser, request.getfixturevalue(f"{name}_site"))
