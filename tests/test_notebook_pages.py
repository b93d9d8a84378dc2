import re

import pytest

from api.notebook_pages import (
    fold_predictions,
    lean_notebook,
    link_to_pages,
    render_math,
    render_notebook_math,
)
from api.pages import Broken

PREDICT = "jp-Cell jp-CodeCell celltag_predict"


def cell(output, classes="jp-Cell jp-CodeCell"):
    """A cell as nbconvert writes it, in less detail: wrapped twice, tags above the code."""
    shown = f'<div class="jp-Cell-outputWrapper"><div>{output}</div></div>' if output else ""
    tags = (
        '<div class="celltoolbar">\n<div class="button_container tags_button_container">\n'
        '<span class="tag-container">\n<span class="cell-tag">predict</span>\n</span>\n'
        "</div>\n</div>"
    )
    return (
        f'<div class="{classes}"><div class="{classes}" id="c">{tags}<p>code</p>{shown}</div></div>'
    )


def test_only_the_output_of_a_tagged_cell_is_folded():
    html = cell("before") + cell("<div>found</div>", PREDICT) + cell("after")

    folded = fold_predictions(html, "demos/00_x.ipynb")

    details = re.findall(r"<details.*?</details>", folded)
    assert len(details) == 1
    assert "found" in details[0]
    assert not {"before", "after", "code"} & set(re.findall(r"\w+", details[0]))
    # Nothing is lost and all that was nested still is.
    fold = re.sub(r"</?details[^>]*>|<summary>.*?</summary>", "", folded)
    assert fold == html


def test_the_reader_is_told_to_predict_and_can_open_it_without_a_script():
    folded = fold_predictions(cell("found", PREDICT), "demos/00_x.ipynb")
    assert '<details class="predict"><summary><strong>Predict first.</strong>' in folded


def test_a_page_without_a_prediction_stays_as_it_is():
    assert fold_predictions(cell("found"), "demos/00_x.ipynb") == cell("found")


def test_a_prediction_of_nothing_is_refused():
    with pytest.raises(Broken, match=r"demos/00_x\.ipynb: a cell tagged 'predict' shows nothing"):
        fold_predictions(cell("", PREDICT) + cell("found"), "demos/00_x.ipynb")


def test_what_is_never_closed_is_folded_to_the_end():
    html = cell("found", PREDICT).replace("</div></div></div></div>", "")

    details = re.search(r"<details.*", fold_predictions(html, "demos/00_x.ipynb"))

    assert details
    assert details[0].endswith("found</details>")


def test_a_link_to_a_page_that_is_not_there_is_refused():
    source = "[This](../docs/library/here.md#b), [that](../docs/library/gone.md)"
    notebook = {"cells": [{"cell_type": "markdown", "source": source}]}

    with pytest.raises(Broken, match=r"^demos/00_x\.py: no page library/gone\.md$"):
        link_to_pages(notebook, "00_x.py", lambda path: path == "library/here.md")


def test_tags_are_not_shown():
    assert "cell-tag" not in lean_notebook(cell("found", PREDICT))


def test_formulas_in_the_prose_of_a_notebook_become_mathml():
    prose = "<p>The table $W_E W_U$ costs $5 or $6, and <code>$x$</code> is code.</p>"
    text = f'<div class="jp-RenderedHTMLCommon jp-RenderedMarkdown"><div>{prose}</div></div>'
    output = "<pre>$not$</pre>"

    shown = render_notebook_math(text + output, "demos/05.ipynb")

    assert shown.count("<math") == 1
    assert "<code>$x$</code> is code" in shown
    assert "costs $5 or $6" in shown
    assert shown.endswith(output)
    with pytest.raises(Broken, match=r"demos/05\.ipynb: not readable as TeX"):
        render_notebook_math(text.replace("W_E W_U", r"\frac{"), "demos/05.ipynb")


def test_a_formula_brings_no_html_into_a_page():
    html = '<span class="arithmatex">\\(\\text{&lt;img src=x onerror=alert(1)&gt;}\\)</span>'

    shown = render_math(html, "topics/ioi.md")

    assert "<mtext>&lt;img\xa0src=x\xa0onerror=alert(1)&gt;</mtext>" in shown
    assert "<img" not in shown
