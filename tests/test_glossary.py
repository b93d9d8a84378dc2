"""The glossary is read, and its terms are linked where they occur, without changing a word."""

import re
from html import escape, unescape

import pytest

from api.glossary import Glossary, Term, read_terms
from api.pages import Broken
from tests.conftest import ROOT

TERMS = [
    Term("token", "Token", ("Token", "tokens"), "A piece of text."),
    Term("feature", "Feature", ("Feature",), "A property of the input."),
    Term("robust-feature", "Robust feature", ("Robust feature",), "One that <lasts>."),
    Term("rag", "Retrieval", ("Retrieval", "RAG"), "Looking things up."),
    Term("stream", "Residual stream", ("Residual stream",), "The running sum."),
]


def words(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


def linked(html: str) -> list[str]:
    """The words that became links to the glossary."""
    return re.findall(r'<a class="term"[^>]*>([^<]*)</a>', Glossary(TERMS).link(html, "../g/"))


def test_a_term_is_read_with_its_names_and_a_plain_definition():
    text = r"""---
title: Glossary
---

One definition each.

## 12,288 {#d-model}

The *width*, written \( d_\text{model} \), of [a stream](#s): `A B` goes
on.

Also: model width,
d_model

See: [Brown et al. 2020](library/2020-brown-gpt3.md)

## Logit {#logit}

A score.
"""
    assert read_terms(text, "glossary.md") == [
        Term(
            "d-model",
            "12,288",
            ("12,288", "model width", "d_model"),
            "The width, written d_model, of a stream: A B goes on.",
        ),
        Term("logit", "Logit", ("Logit",), "A score."),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("## Token\n\nA piece.\n", "g.md:1: term 'Token' has no id; write ## Token {#...}"),
        ("\n## A {#a}\n\nAlso: b\n", "g.md:2: term 'A' has no definition; write one below it"),
        (
            "## A {#a}\n\nOne.\n\nAlso: b\n\n## B {#b}\n\nTwo.\n",
            "g.md:7: 'B' stands under 'A' too; take one out",
        ),
    ],
)
def test_a_term_that_cannot_be_linked_is_refused(text: str, complaint: str):
    with pytest.raises(Broken) as refused:
        read_terms(text, "g.md")
    assert str(refused.value) == complaint


def test_the_first_occurrence_is_linked_and_carries_the_definition():
    html = Glossary(TERMS).link("<p>A robust feature, and a robust feature.</p>", "../g/")
    assert html == (
        '<p>A <a class="term" href="../g/#robust-feature"'
        ' aria-description="One that &lt;lasts&gt;.">robust feature</a>, and a robust feature.</p>'
    )


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Robust features and a feature</p>", ["feature"]),
        ("<p>robust feature, then feature</p>", ["robust feature", "feature"]),
        ("<p>Tokens</p>", ["Tokens"]),
        ("<p>tokenizer, token-level, sub-token, token_id</p>", []),
        ("<p>(token), “feature”: stop</p>", ["token", "feature"]),
        ("<p>the residual\nstream</p>", ["residual\nstream"]),
        ("<p>a rag, then RAG</p>", ["RAG"]),
        ("<p><em>token</em></p>", ["token"]),
        ("<p>İİİ token É</p>", ["token"]),
        ("<p>1 &lt; token &amp; feature</p>", ["token", "feature"]),
    ],
)
def test_whole_words_are_found_the_longest_first(html: str, expected: list[str]):
    assert linked(html) == expected


def test_the_signs_of_a_pattern_are_letters_in_a_term():
    term = Term("a", "p(a|b)", ("p(a|b)", "x.y", "[c-e]+f"), "A piece of text.")
    html = "<p>{}</p>"
    for written in term.names:
        assert ">" + written + "</a>" in Glossary([term]).link(html.format(written), "")
    for other in ("pa", "pb", "p", "xzy", "def", "ccf"):
        assert Glossary([term]).link(html.format(other), "") == html.format(other)


@pytest.mark.parametrize(
    "html",
    [
        "<h2 id='x'>Token</h2>",
        '<p><a href="x">a <em>token</em> of it</a></p>',
        "<pre><code>token</code></pre>",
        "<p><code>token</code></p>",
        '<p><img alt="a > token"> <!-- token --></p>',
        "<figure><svg><text>token</text></svg></figure>",
        "<table><tr><td>token</td></tr></table>",
        "<math><mi>token</mi></math>",
        '<div class="jp-Cell-outputWrapper"><div>x</div><p>token</p></div>',
        "<label>token</label><button>token</button>",
        "<script>token</script><template>token</template>",
    ],
)
def test_no_link_where_it_would_be_wrong(html: str):
    assert Glossary(TERMS).link(html, "../g/") == html
    assert linked(f"{html}<p>token</p>") == ["token"]


def test_the_words_of_a_page_stay():
    glossary = Glossary(read_terms((ROOT / "docs/glossary.md").read_text("utf-8"), "glossary.md"))
    for path in sorted((ROOT / "docs").glob("*/*.md")):
        html = f"<p>{escape(path.read_text('utf-8'))}</p>"
        assert words(glossary.link(html, "../glossary/")) == words(html)


def test_no_glossary_changes_nothing():
    assert Glossary([]).link("<p>token</p>", "../g/") == "<p>token</p>"
