"""An explorer's data leaves the notebook for a file of its own; its fallback stays."""

import json

import pytest

from api import explorers
from api.pages import Broken
from demos.explorers import EXPLORER_MIME, ExplorerError, explorer
from demos.figures import Series, bars

DATA = {"prompts": [{"text": "I saw a", "tokens": [" man", " “bird”"], "logprobs": [-1.5, -2]}]}


def cell(output):
    return {"cell_type": "code", "source": "", "outputs": [output]}


def shown(one):
    """A notebook with this explorer, as a kernel stores it."""
    bundle = json.loads(json.dumps(one._repr_mimebundle_()))
    return {"cells": [cell({"output_type": "execute_result", "data": bundle})]}


@pytest.fixture
def docs(tmp_path):
    script = tmp_path / "assets" / "elements" / "sampling.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    return tmp_path


def test_the_data_goes_to_a_file_and_the_element_stands_around_the_fallback(docs):
    notebook = shown(explorer("sampling", DATA, title='"A" & B', fallback="<p>Standing still</p>"))

    files = explorers.take_out(notebook, EXPLORER_MIME, "demos/02_x.py", docs)

    [(name, text)] = files.items()
    assert json.loads(text) == DATA
    assert notebook["cells"][0]["outputs"][0]["data"] == {
        "text/html": f'<readout-sampling data-explorer="sampling" data-src="{name}" role="group" '
        'aria-label="&quot;A&quot; &amp; B"><p>Standing still</p></readout-sampling>',
        "text/plain": 'Explorer: "A" & B',
    }


def test_a_file_is_named_by_what_is_in_it(docs):
    def names(data):
        notebook = shown(explorer("sampling", data, title="T", fallback="still"))
        return list(explorers.take_out(notebook, EXPLORER_MIME, "demos/02_x.py", docs))

    assert names(DATA) == names(dict(reversed(DATA.items())))
    assert names(DATA) != names(DATA | {"more": 1})


def test_a_notebook_without_an_explorer_stays_as_it_is(docs):
    notebook = {"cells": [cell({"output_type": "stream", "name": "stdout", "text": "hello"})]}
    before = json.dumps(notebook)

    assert explorers.take_out(notebook, EXPLORER_MIME, "demos/02_x.py", docs) == {}
    assert json.dumps(notebook) == before


def test_an_explorer_without_its_element_stops_the_build(docs):
    notebook = shown(explorer("atlas", DATA, title="T", fallback="still"))
    with pytest.raises(Broken) as refused:
        explorers.take_out(notebook, EXPLORER_MIME, "demos/02_x.py", docs)
    assert str(refused.value) == (
        "demos/02_x.py: an explorer 'atlas', but no docs/assets/elements/atlas.js"
    )


def test_a_figure_serves_as_fallback():
    figure = bars(["a"], [Series("s", [1.0])], title="T", x_title="x", y_title="y")
    assert explorer("sampling", DATA, title="T", fallback=figure).fallback == figure.html


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "A"}, "an explorer's name is lower-case words joined by '-', not 'A'"),
        ({"title": " "}, "explorer 'sampling': it needs a title"),
        ({"fallback": "<p> </p>"}, "explorer 'sampling': its fallback says nothing"),
        ({"fallback": "a<SCRIPT>b</SCRIPT>"}, "explorer 'sampling': its fallback holds a script"),
        ({"data": {"a": float("nan")}}, "explorer 'sampling': its data is not JSON: "),
        ({"data": {"a": {1, 2}}}, "explorer 'sampling': its data is not JSON: "),
        (
            {"data": {"a": "x" * 400_000}},
            "explorer 'sampling': 400009 bytes of data, 400000 are allowed",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_where_it_is_made(given, message):
    arguments = {"name": "sampling", "data": DATA, "title": "T", "fallback": "still"} | given
    with pytest.raises(ExplorerError) as refused:
        explorer(
            arguments["name"],
            arguments["data"],
            title=arguments["title"],
            fallback=arguments["fallback"],
        )
    assert str(refused.value).startswith(message)
