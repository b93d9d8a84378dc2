"""Figures of which the reader opens one."""

import re

import pytest

from demos.choices import choice
from demos.figures import Series, bars


def figure(title):
    return bars(["head 0"], [Series("effect", [0.5])], title=title, x_title="x", y_title="y")


def test_the_first_figure_is_open_and_opening_another_closes_it():
    html = choice({"zero": figure("A"), "mean": figure("B")}, title="What is put in").html

    opened = re.findall(r'<details name="(\w+)"( open)?><summary>(\w+)</summary>', html)

    [(name, *_), _] = opened
    assert opened == [(name, " open", "zero"), (name, "", "mean")]


def test_two_choices_of_a_page_do_not_close_each_other():
    figures = {"zero": figure("A"), "mean": figure("B")}

    names = {
        re.search(r'name="(\w+)"', choice(figures, title=title).html)[1] for title in ("one", "two")
    }

    assert len(names) == 2


def test_labels_are_text_and_every_figure_is_said_without_a_page():
    made = choice({"<b>": figure("A"), "mean": figure("B")}, title='"A" & B')

    shown = made._repr_mimebundle_()

    assert "<summary>&lt;b&gt;</summary>" in shown["text/html"]
    assert 'aria-label="&quot;A&quot; &amp; B"' in shown["text/html"]
    assert "<b>: A." in shown["text/plain"] and "mean: B." in shown["text/plain"]


def test_one_figure_is_no_choice():
    with pytest.raises(ValueError, match="two figures or more, not 1"):
        choice({"zero": figure("A")}, title="What is put in")
