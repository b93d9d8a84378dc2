"""HTML of other systems as Markdown: the words stay, with as much of the form as Markdown has."""

import pytest

from api.formats.text import MAX_TEXT, from_html, from_markdown, from_plain, without_fences


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<pre>```</pre>", "````\n```\n````"),
        ("a<pre> </pre>b", "a\n\nb"),
        ("a<hr>b", "a\n\n* * *\n\nb"),
        ("<h1>A\n<br>b</h1>", "### A b"),
        ("<h5>A</h5><h2> </h2>", "##### A"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<ul><li>a<p>b</p></li><li></li></ul>", "- a\n  b\n- "),
        ("<ol start=3><li>a</li><li>b</li></ol>a<ul></ul>", "3. a\n4. b\n\na"),
        ("<s>a</s> <del>b</del>", "~~a~~ ~~b~~"),
        ("<q>a</q>", "“a”"),
        ("<b> </b>a<b></b>", "a"),
        ("<code> </code>a<code>`b</code>", "a`` `b ``"),
        ("x<sup>2</sup> y<sub>10</sub> z<sup>k</sup> w<sup>a+b</sup>", "x² y₁₀ z^k w^(a+b)"),
        ("<img alt='a *'>", r"a \*"),
        ("<small>a</small>", "a"),
        (
            "<table><caption>C</caption><tr><th>a|b</th><th>c</th></tr><tr></tr>"
            "<tr><td><p>1</p><p>2</p></td></tr></table>",
            "C\n\n| a\\|b | c |\n| --- | --- |\n| 1 2 |  |",
        ),
        ("a<table></table>", "a"),
    ],
)
def test_each_element_has_its_form(source: str, markdown: str):
    assert from_html(source)[0] == markdown


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        ("<img src='data:image/png;base64,AA'>", "a picture inside an address (data:): left out"),
        ("<u>a</u>", "<u>: the words without the formatting"),
        ("<td colspan=2>a</td>", "merged cells of a table: separated"),
        ("a<!-- b -->", "HTML comment: left out"),
        ("<blink>a</blink>", "<blink>: the words without the element"),
    ],
)
def test_what_markdown_does_not_say_is_remarked(source: str, remark: str):
    assert remark in from_html(source)[1]


def test_elements_deeper_than_any_text_keep_their_words():
    source = "<blockquote>" + "<div>" * 60 + "<blockquote>a</blockquote>b" + "</div>" * 60
    assert from_html(f"{source}</blockquote><p>c</p>")[0].split() == [">", "a", "b", "c"]


@pytest.mark.parametrize("read", [from_html, from_markdown, from_plain])
def test_a_text_longer_than_any_question_is_refused(read):
    with pytest.raises(ValueError, match="a text of 200,001 characters; 200,000 is the most"):
        read("a" * (MAX_TEXT + 1))


def test_a_fence_of_other_signs_is_code_within_a_fence():
    assert without_fences("```\n~~~\n```\nb").split() == ["b"]
