import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import torch

from demos.ledger import LEDGER_MIME, Claim, LedgerError, collect, ledger, verdict
from tests.conftest import ROOT

GIVEN = {
    "says": "Heads <copy> tokens",
    "source": "Olsson et al. 2022, section 3",
    "found": "0.98 of 270",
    "control": "random weights 0.03",
    "verdict": "partly",
    "limits": "what they write",
}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([True], "reproduced"),
        ([True, torch.tensor(True)], "reproduced"),
        ([True, False], "partly"),
        ([torch.tensor([False]), False], "not"),
    ],
)
def test_a_verdict_says_how_much_of_the_criterion_held(held, expected):
    assert verdict(*held) == expected


def test_a_verdict_on_nothing_is_refused():
    with pytest.raises(LedgerError, match="at least one part"):
        verdict()


@pytest.mark.parametrize(
    ("field", "text", "complaint"),
    [
        ("found", " ", "claim 'Heads <copy> tokens': found is a text, not ' '"),
        ("control", None, "claim 'Heads <copy> tokens': control is a text, not None"),
        ("verdict", "Partly", "a verdict is reproduced, partly, not, not 'Partly'"),
    ],
)
def test_a_claim_that_says_too_little_is_refused(field, text, complaint):
    with pytest.raises(LedgerError, match=complaint):
        Claim(**GIVEN | {field: text})


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ([], "at least one claim"),
        ([Claim(**GIVEN), Claim(**GIVEN)], "two claims that say 'Heads <copy> tokens'"),
    ],
)
def test_a_ledger_without_a_claim_or_with_one_twice_is_refused(claims, complaint):
    with pytest.raises(LedgerError, match=complaint):
        ledger(*claims)


class Cells(HTMLParser):
    """Texts of a table's cells, by row, and the roles that the elements state."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.roles = [], {}
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.roles[tag] = dict(attributes).get("role", self.roles.get(tag))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.rows[-1][-1] += data


def test_a_ledger_is_a_table_with_the_verdict_in_words():
    table = Cells(ledger(Claim(**GIVEN)).html)

    assert table.rows == [
        ["Claim", "Measured", "Control", "Verdict", "What this does not show"],
        [
            "Heads <copy> tokensOlsson et al. 2022, section 3",
            "0.98 of 270",
            "random weights 0.03",
            "Partly reproduced",
            "what they write",
        ],
    ]
    assert table.roles["table"] == "table"
    assert table.roles["tr"] == "row"
    assert table.roles["td"] == "cell"


def shown(*claims):
    """A notebook whose last cell shows these ledgers, as it is stored."""
    bundles = [ledger(claim)._repr_mimebundle_() for claim in claims]
    outputs = [{"output_type": "execute_result", "data": data} for data in bundles]
    return json.loads(json.dumps({"cells": [{"cell_type": "markdown"}, {"outputs": outputs}]}))


def test_a_ledger_is_read_back_from_the_notebook():
    assert collect(shown(Claim(**GIVEN))) == [GIVEN]
    assert collect(shown()) == []


def test_a_notebook_with_two_ledgers_is_refused():
    with pytest.raises(LedgerError, match="one ledger"):
        collect(shown(Claim(**GIVEN), Claim(**GIVEN | {"says": "And more"})))


def test_without_a_page_the_ledger_is_still_readable():
    bundle = ledger(Claim(**GIVEN))._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "Partly reproduced: Heads <copy> tokens (Olsson et al. 2022, section 3) "
        "Measured: 0.98 of 270 Control: random weights 0.03 Not shown: what they write"
    )
    assert bundle[LEDGER_MIME] == {"claims": [GIVEN]}


def test_ledgers_are_read_without_torch():
    program = "import sys; from demos import ledger, seeds, texts; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
