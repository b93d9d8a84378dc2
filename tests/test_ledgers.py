import pytest

from api.ledgers import DemoLedger, ledger_list, seeds_sentence
from api.notebook_pages import Demo

HELD = {"failed": None, "verdicts": ["Reproduced", "Not reproduced"]}
OTHER = {"failed": None, "verdicts": ["Reproduced", "Reproduced"]}
FAILED = {"failed": {"cell": 4, "code": "assert a < b", "error": "AssertionError"}, "verdicts": []}


@pytest.mark.parametrize(
    ("draws", "seeds", "sentence"),
    [
        (False, {}, "It draws nothing at random, so another seed would change nothing."),
        (True, {}, "It has not been executed under other seeds since its code last changed."),
        (True, {"1": HELD, "2": HELD}, "Its claims held under 2 of 2 other seeds."),
        (
            True,
            {"1": HELD, "2": OTHER, "3": FAILED},
            "Its claims held under 1 of 3 other seeds; under seed 2 claim 2 came out as reproduced;"
            " under seed 3 cell 4 failed at <code>assert a &lt; b</code>.",
        ),
    ],
)
def test_it_is_said_what_other_seeds_changed(draws, seeds, sentence):
    assert seeds_sentence(HELD["verdicts"], draws, seeds) == sentence


def a_ledger(slug, *verdicts):
    demo = Demo(slug, f"Does {slug} & it?", "", "")
    return DemoLedger(demo, list(verdicts), f"<table>{slug}</table>", False, {})


def test_every_ledger_stands_under_the_title_of_its_notebook():
    html = ledger_list(
        [a_ledger("00_ioi", "Reproduced", "Not reproduced"), a_ledger("01_heads", "Reproduced")],
        lambda path: f"to/{path}",
    )

    assert html.startswith(
        "<p>3 claims in 2 notebooks:</p>"
        "<ul><li><strong>2</strong> reproduced</li><li><strong>1</strong> not reproduced</li></ul>"
        '<h2 id="00_ioi">Does 00_ioi &amp; it?'
    )
    assert '<a href="to/demos/01_heads.ipynb">The notebook</a>' in html
    assert html.index("<table>00_ioi") < html.index('<h2 id="01_heads"') < html.index("<table>01_")


def test_without_a_ledger_the_page_says_so():
    assert ledger_list([], str) == "<p>No notebook has a ledger yet.</p>"
