"""What a note is shown as: harmless whatever was typed, judged on the parsed tree, and in time."""

import time
from contextlib import suppress
from urllib.parse import urlsplit

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import mathml as mathml_module
from api import render as render_module
from api.bounded import TooMuchWork, bounded, end_processes, start_process
from api.mathml import NotMath, mathml
from api.notes import LARGEST_NOTE
from api.render import fingerprint, render, render_inline, render_note

TITLES = {"2022-wang-ioi": "Interpretability in the <Wild>"}
HTML, MATHML = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/1998/Math/MathML}"
MAY_STAND = {
    "a": {"href", "title", "rel"},
    "ol": {"start"},
    "code": {"class"},
    "img": {"src", "alt", "title"},
}

# Each did harm somewhere: in HedgeDoc, in sanitizers, in converters of TeX.
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>*{position:fixed}</style>",
    "<div style='position:fixed;inset:0'>x</div>",
    "<form action=https://evil.example><input name=q></form>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "[a](javascript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](vbscript:x)",
    "[a](data:text/html,<script>alert(1)</script>)",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    "![a](https://evil.example/t.png)",
    "![a](//evil.example/t.png)",
    "![a](/\\evil.example/t.png)",
    "![a](\\\\evil.example/t.png)",
    "![a](https:evil.example/t.png)",
    "![a](/x//evil.example)",
    "![a](http://[::1/x.png)",
    "![](data:image/svg+xml;base64,PHN2Zz4=)",
    '![a" onerror="alert(1)](x.png)',
    '![a](x.png "t\\" onerror=\\"alert(1)")',
    '[a](https://example.org "x\\" onmouseover=\\"alert(1)")',
    '```x" onclick=alert(1)\ny\n```',
    "```<script>\ny\n```",
    "$\\text{<img src=x onerror=alert(1)>}$",
    "$\\text{</mtext><script>alert(1)</script>}$",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\style{position:fixed}{x}$",
    "$\\class{md-overlay}{x}$ $\\cssId{a}{x}$",
    "$$\n\\text{&lt;script&gt;}\\unicode{60}\n$$",
    "$\\html{<b>}$ $<script>alert(1)</script>$",
    "$`<img src=x onerror=alert(1)>`$",
    "\ue0000\ue001 $x$ [a](https://e.example/\ue0000\ue001)",
    "[see [[2022-wang-ioi]] here](https://example.org)",
    "[[2022-wang-ioi]](javascript:alert(1))",
    '[["onmouseover=alert(1)]] [[../../x]] [[<script>]]',
    "{{7*7}} {% include 'x' %} ${7*7}",
]


def tree(html: str):
    return html5lib.parseFragment(html)


def assert_harmless(html: str) -> None:
    """Only elements and attributes that are meant, no address but of the web, own pictures."""
    for element in tree(html).iter():
        if not isinstance(element.tag, str) or element.tag == "DOCUMENT_FRAGMENT":
            assert element.tag == "DOCUMENT_FRAGMENT", f"a comment: {html}"
            continue
        if element.tag.startswith(MATHML):
            assert element.tag.removeprefix(MATHML) in mathml_module.TAGS, html
            assert set(element.attrib) <= mathml_module.ATTRIBUTES, html
            continue
        tag = element.tag.removeprefix(HTML)
        assert tag in {*render_module.TAGS, "img"}, html
        assert set(element.attrib) <= MAY_STAND.get(tag, set()), html
        if "href" in element.attrib:
            scheme = urlsplit(element.attrib["href"].strip()).scheme
            assert scheme in ("", "http", "https", "mailto"), html
            assert element.attrib["rel"] == "noopener nofollow ugc"
        if "src" in element.attrib:
            parts = urlsplit(element.attrib["src"].replace("\\", "/"))
            assert (parts.scheme, parts.netloc) == ("", ""), html


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_harmless(text: str):
    assert_harmless(render_note(text, TITLES))
    assert_harmless(render_note(f"> - {text}\n\n| a |\n|---|\n| {text} |", TITLES))
    assert_harmless(render(text))


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text()), max_size=4).map("".join))
def test_no_mixture_of_texts_does_harm(text: str):
    assert_harmless(render_note(text, TITLES))


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text()), max_size=4).map("".join))
def test_cleaning_what_is_clean_changes_nothing(text: str):
    clean = render_module._note_cleaner().clean(text)
    assert render_module._note_cleaner().clean(clean) == clean


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# a\n\n### b\n", "<h3>a</h3>\n<h4>b</h4>\n"),
        (
            "see [[2022-wang-ioi]], not `[[2022-wang-ioi]]` or [[nowhere]]",
            '<p>see <a href="../../library/2022-wang-ioi/" rel="noopener nofollow ugc">'
            "Interpretability in the &lt;Wild&gt;</a>, not <code>[[2022-wang-ioi]]</code> "
            "or [[nowhere]]</p>\n",
        ),
        (
            "$x<3$ costs $5 and $6",
            '<p><math display="inline"><mrow><mi>x</mi><mo>&lt;</mo><mn>3</mn></mrow></math> '
            "costs $5 and $6</p>\n",
        ),
        (
            "$$\nx\n$$",
            '<p><math display="block"><mrow><mi>x</mi></mrow></math></p>\n',
        ),
        (
            "so $$x$$ it is",
            '<p>so <math display="block"><mrow><mi>x</mi></mrow></math> it is</p>\n',
        ),
        (
            "$d_k$ is 64",
            '<p><math display="inline"><mrow><msub><mi>d</mi><mi>k</mi></msub></mrow></math>'
            " is 64</p>\n",
        ),
        ("\\$x$ a\\$b$ 5$x$ $ x$", "<p>$x$ a$b$ 5$x$ $ x$</p>\n"),
        (
            "$$\na\n+ b\n$$",
            '<p><math display="block"><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></math></p>\n',
        ),
        ("$\\frac{$", "<p><code>\\frac{</code></p>\n"),
        ('$"<{$', '<p><code>"&lt;{</code></p>\n'),
        # Two characters that hold the place of a formula mean nothing in a text.
        ("a\ue000b\ue001c", "<p>a\ufffdb\ufffdc</p>\n"),
        (
            "[[2022-wang-ioi]]`a`",
            '<p><a href="../../library/2022-wang-ioi/" rel="noopener nofollow ugc">'
            "Interpretability in the &lt;Wild&gt;</a><code>a</code></p>\n",
        ),
        (
            "![of [[2022-wang-ioi]]](x.png)",
            '<p><img src="x.png" alt="of Interpretability in the &lt;Wild&gt;"></p>\n',
        ),
        (
            "![a head](../../assets/mark.svg)",
            '<p><img src="../../assets/mark.svg" alt="a head"></p>\n',
        ),
        (
            "![](https://e.example/x.png)",
            '<p><a href="https://e.example/x.png" rel="noopener nofollow ugc">'
            "https://e.example/x.png</a></p>\n",
        ),
        ("~~a~~ **b**", "<p><s>a</s> <strong>b</strong></p>\n"),
        # What looks like HTML was meant to be read; the cleaner alone would swallow it.
        ("a <b>b</b><script>c", "<p>a &lt;b&gt;b&lt;/b&gt;&lt;script&gt;c</p>\n"),
    ],
)
def test_a_text_is_set_as_its_author_means_it(text: str, html: str):
    assert render_note(text, TITLES) == html


def test_other_texts_are_set_without_pictures_and_formulas():
    assert render("*a* ![b](x.png) $c$\n\n<b>") == "<p><em>a</em>  $c$</p>\n<p>&lt;b&gt;</p>\n"
    assert render_inline("*a* ![b](x.png) <b>") == "<em>a</em>  &lt;b&gt;"


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("x.png", True),
        ("../../assets/mark.svg", True),
        ("", False),
        ("?a", False),
        ("https://e.example/x.png", False),
        ("//e.example/x.png", False),
        ("/x//e.example", False),
        ("\\\\e.example/x.png", False),
        ("/\te.example", False),
        ("data:,x", False),
        ("http://[::1/x.png", False),
    ],
)
def test_the_cleaner_lets_a_picture_of_this_site_alone_through(address: str, is_own: bool):
    """A second time: what is not of this site has been made a link before."""
    html = f'<a href="https://e.example/"><img alt="a" src="{address}"></a>'
    clean = tree(render_module._note_cleaner().clean(html))

    assert clean.find(f".//{HTML}a").attrib["href"] == "https://e.example/"
    assert clean.find(f".//{HTML}img").attrib.get("src") == (address if is_own else None)
    assert render_module._is_own(address) == is_own


def test_headings_begin_below_that_of_the_section_and_leave_out_no_level():
    html = render_note("# a\n\n## b\n\n### c\n\n#### d\n\n##### e", {})
    assert [e.tag for e in tree(html)] == [f"{HTML}h{n}" for n in (3, 4, 5, 6, 6)]


def test_a_rendering_is_known_by_its_rules_and_the_titles_that_it_shows():
    text = "see [[2022-wang-ioi]]"
    known = fingerprint(text, TITLES)

    assert len(bytes.fromhex(known)) == 8
    assert fingerprint(text, {**TITLES, "2020-other": "Other"}) == known
    assert fingerprint(text, {"2022-wang-ioi": "Another title"}) != known
    assert fingerprint(text, {}) != known


@pytest.mark.parametrize("tex", ["{", "\\begin{x}", "x" * 2_001, "{" * 900 + "}" * 900])
def test_what_is_no_formula_is_refused(tex: str):
    with pytest.raises(NotMath):
        mathml(tex, is_block=False)


def test_no_formula_brings_another_element(monkeypatch):
    monkeypatch.setattr(mathml_module, "TAGS", mathml_module.TAGS - {"mfrac"})

    with pytest.raises(NotMath, match="no formula needs <mfrac>"):
        mathml("\\frac{a}{b}", is_block=False)


# Bombs --------------------------------------------------------------------------------------------

SIZE = LARGEST_NOTE
BOMBS = {
    "brackets": "[" * SIZE,
    "pictures": "![" * (SIZE // 2),
    "links": "[a](" * (SIZE // 4),
    "closed": "[" * (SIZE // 2) + "]" * (SIZE // 2),
    "ticks": "".join("`" * n + "a" for n in range(1, 180)),
    "emphasis": "*a_" * (SIZE // 3),
    "strong": "**a " * (SIZE // 4),
    "quotes": ">" * SIZE,
    "lists": "- " * (SIZE // 2),
    "deeper lists": "".join(" " * n + "- a\n" for n in range(178)),
    "columns": "|a" * (SIZE // 4) + "\n" + "|-" * (SIZE // 4),
    "rows": "|a|b|\n|-|-|\n" + "|\n" * (SIZE // 2 - 8),
    "definitions": "".join(f"[{n}]: x\n" for n in range(1_700)),
    "entities": "&" * SIZE,
    "entries": "[[" * (SIZE // 2),
    "formulas": "$a$ " * (SIZE // 4),
    "braces": ("$" + "{" * 900 + "}" * 900 + "$ ") * 9,
    "matrix": ("$\\begin{matrix}" + "&" * 1_900 + "\\end{matrix}$ ") * 8,
    "roots": ("$" + "\\sqrt{" * 250 + "x" + "}" * 250 + "$ ") * 9,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_goes_off_in_a_process_of_its_own(name: str):
    """Set, or refused; the next text is set in any case."""
    with suppress(TooMuchWork):
        assert_harmless(bounded(render_note, BOMBS[name][:SIZE], TITLES))
    assert bounded(render_note, "*on*", TITLES) == "<p><em>on</em></p>\n"


def test_work_without_end_is_ended():
    with pytest.raises(TooMuchWork):
        bounded(time.sleep, 60)
    assert bounded(time.sleep, 0) is None


def test_a_process_that_was_started_early_or_ended_is_of_no_concern():
    start_process(render_note, "", {})
    assert bounded(render_note, "a", {}) == "<p>a</p>\n"
    end_processes()
    assert bounded(render_note, "b", {}) == "<p>b</p>\n"


def test_work_that_takes_too_much_memory_is_ended():
    with pytest.raises(TooMuchWork):
        bounded(bytes, 1 << 31)
    assert bounded(bytes, 1) == b"\0"
