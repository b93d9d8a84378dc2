"""The search index gets the words of a page, under its headings."""

import pytest

from api.notebook_pages import lean_notebook
from api.search import searchable


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>An <em>old</em> <a href='x'>link</a>.</p>", "<p>An old link.</p>"),
        ("<ul><li>one</li></ul>", "<ul><li>one</li></ul>"),
        ("<pre><span class='k'>def</span> f</pre>", "<pre>def f</pre>"),
        ("<dl><dt>By</dt><dd>Ada</dd></dl>", "By  Ada"),
        ("a<div data-search-exclude>x<div>y</div>z</div>b", "ab"),
        ("a<figure><svg><text>axis</text></svg></figure>b", "ab"),
        ("a<svg><svg/>x<SVG></svg>y</svg>b", "ab"),
        ("a<svg><text>no end", "a"),
        ("a<template class='key'>{&quot;key&quot;: 1}</template>b", "ab"),
        ("a <math><mi>x</mi></math> b", "a  b"),
        ('<h2 id="x">T<a class="headerlink" href="#x">&para;</a></h2>', '<h2 id="x">T</h2>'),
        ("a<!-- note --><br>b", "a b"),
    ],
)
def test_words_are_kept_and_the_rest_is_not(html: str, expected: str):
    assert searchable(html) == expected


def test_a_question_is_found_by_its_words_and_at_its_place():
    html = (
        '<p>Intro.</p><readout-quiz><section class="question" id="why" data-id="why"><form>'
        "<fieldset><legend><p>Why <code>two</code> layers?</p><p>Think.</p></legend>"
        '<label class="option"><input type="radio"> <span>Because.</span></label></fieldset></form>'
        '<template class="key">secret</template></section></readout-quiz>'
    )
    text = searchable(html)
    assert '<h2 id="why">Why <code>two</code> layers?</h2><p>Think.</p>' in text
    assert "Because." in text
    assert "secret" not in text


def test_a_notebook_is_found_with_its_code_once_and_under_its_heading():
    notebook = """
<div class="jp-Notebook"><div class="jp-Cell"><div><div class="jp-MarkdownOutput">
<h2 id="The-prompts">The prompts<a class="anchor-link" href="#The-prompts">¶</a></h2><p>Words.</p>
</div></div></div><div class="jp-Cell jp-CodeCell"><div class="zeroclipboard-container">
<clipboard-copy for="cell-1"><div><span class="notice" hidden="">Copied!</span><svg><path/></svg>
</div></clipboard-copy></div><div class="highlight-ipynb"><pre><span>n</span> = 1</pre></div>
<div class="clipboard-copy-txt" id="cell-1">n = 1</div></div></div>"""
    text = " ".join(searchable(lean_notebook(notebook)).split())
    assert text == '<h2 id="The-prompts">The prompts</h2><p>Words.</p> <pre>n = 1</pre>'
