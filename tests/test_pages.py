"""What the pages of the site are made of."""

import pytest

from api.pages import insert_facts
from api.records import Fact


@pytest.mark.parametrize(
    "code",
    [
        "`{fact:a}`",
        "`` {fact:a} ` ``",
        "```\n{fact:a}\n```",
        "~~~\n{fact:a}\n~~~",
        "\n    {fact:a}",
    ],
)
def test_a_fact_in_code_is_shown_as_it_is_written(code):
    facts = {"a": Fact(value=0.5, notebook="01_n")}

    shown = insert_facts(f"{code}\n\n{{fact:a}}", facts, "docs/x.md", lambda path: path)

    assert shown == f'{code}\n\n<a class="fact" href="demos/01_n.ipynb">0.5</a>'
