"""`[[slug]]` on a published page leads to the entry, and code stays code."""

import pytest

from api.content import read_content
from api.entry_links import link_entries
from tests.conftest import CONTENT


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<p>see [[2022-wang-ioi]]</p>",
            '<p>see <a href="library/2022-wang-ioi.md">Interpretability in the Wild</a></p>',
        ),
        ("<p>[[nowhere]] [[A b]] [x]</p>", None),
        ("<p><code>[[2022-wang-ioi]]</code></p>", None),
        ('<p><a href="x">[[2022-wang-ioi]]</a> <b title="[[2022-wang-ioi]]">x</b></p>', None),
        ("<p>no brackets</p>", None),
    ],
)
def test_a_slug_in_double_brackets_becomes_a_link(html: str, expected: str | None):
    content = read_content(CONTENT / "docs")
    assert link_entries(html, content, str) == (expected or html)
