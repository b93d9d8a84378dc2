"""What is written reads back as the same questions, whatever signs are in them."""

import html
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import formats
from api.formats import mkdocs_quiz, readout
from api.formats.model import Band, Bank, Choice, Item, plus
from api.formats.text import from_html, from_plain, to_html
from tests.formats.strategies import gaps, items, ours

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def again(bank: Bank, name: str) -> formats.Imported:
    exported = formats.write(bank, name)
    path, data = next(iter(exported.files.items()))
    return formats.read(path, data, name)


def a_bank(found: list[Item]) -> Bank:
    return Bank(items=tuple(found))


@quick
@given(st.lists(items(), min_size=1, max_size=3))
def test_gift_carries_every_sign(found):
    arrows = [i for i in found if "->" not in repr(i)]  # these are reported and changed
    if arrows:
        assert again(a_bank(arrows), "gift").items == tuple(arrows)


@quick
@given(st.lists(items(), min_size=1, max_size=3))
def test_moodle_xml_carries_every_sign(found):
    assert again(a_bank(found), "moodle").items == tuple(found)


@quick
@given(st.lists(items(), min_size=1, max_size=3))
def test_every_writer_settles(found):
    """Formatting may change once, to the form that a format has for it, and then no more."""
    for name in ("gift", "moodle", "qti21", "mkdocs-quiz"):
        dropped = [x for x in formats.write(a_bank(found), name).losses if x.what == "question"]
        if len(dropped) < len(found):
            once = again(a_bank(found), name)
            assert again(once.bank, name).items == once.items, name


@quick
@given(st.lists(ours(), min_size=1, max_size=4, unique_by=lambda item: item.id))
def test_our_markdown_reads_back_as_it_was(found):
    bank = Bank(items=tuple(found), title="A title: with a colon", intro="An intro.")

    text, _ = readout.to_markdown(bank)
    read = readout.read("quiz.md", text.encode()).bank

    assert readout.to_markdown(read)[0] == text
    named = [replace(i, name=i.stem.split("\n")[0][:200]) for i in found]
    assert [without_ids(i) for i in read.items] == [without_ids(i) for i in named]
    assert (read.title, read.intro) == (bank.title, bank.intro)


def without_ids(item: Item) -> Item:
    return item.but(choices=tuple(choice._replace(id="") for choice in item.choices))


@pytest.mark.parametrize(
    "stem", ["```", "~~~~", "Look:\n\n```\ncode", "```\n``", "```yaml\ntype: x"]
)
def test_an_open_fence_does_not_swallow_the_fields(stem: str):
    item = Item(kind="single", stem=stem, choices=(Choice("a", 1.0), Choice("b", 0.0)))
    text, _ = readout.to_markdown(a_bank([item]))
    assert len(readout.read("quiz.md", text.encode()).items) == 1


@quick
@given(st.lists(items(), min_size=1, max_size=3))
def test_whatever_is_imported_becomes_a_quiz_that_the_checker_accepts(found):
    text, losses = readout.to_markdown(a_bank(found))

    read = readout.read("quiz.md", text.encode()) if "\n## " in text else None

    dropped = {loss.item for loss in losses if loss.what == "question"}
    kept = [item for item in found if item.label not in dropped]
    assert len(read.items if read else []) >= len(kept)


@pytest.mark.parametrize("format_", ["gift", "moodle", "qti21"])
def test_a_measured_number_with_all_its_digits_keeps_its_tolerance(format_: str):
    measured = 0.12493744492530823
    found = Item(kind="number", stem="How much?", name="How much?")
    found = found.but(bands=(Band(plus(measured, -0.02), plus(measured, 0.02), measured),))

    (once,) = again(a_bank([found]), format_).items

    assert once.bands == found.bands
    assert again(a_bank([once]), format_).items == (once,)


def test_a_hash_sign_at_the_end_of_a_question_stays():
    """A heading may be closed by hash signs in Markdown, but what is asked may be about C#."""
    found = formats.read("x.gift", b"::Language:: What runs C\\# {=.NET ~a browser}")

    (written,) = formats.write(found.bank, "readout").files.values()

    assert found.items[0].stem == "What runs C#"
    assert formats.read("x.md", written, "readout").items[0].stem == "What runs C#"


@quick
@given(st.lists(gaps, min_size=1, max_size=3))
def test_gaps_stay_where_they_are(found):
    read = again(a_bank(found), "mkdocs-quiz")

    assert read.format == mkdocs_quiz.NAME
    assert read.items == tuple(found)


FULL = Item(
    kind="number",
    stem="How many?",
    id="how-many",
    name="A name",
    bands=(Band(2, 4, 3, feedback="Yes."), Band(0, 9, 4.5, fraction=0.5)),
    unit="heads",
    hints=("One.", "Two."),
    tags=("t",),
    category="c",
    points=5.0,
    penalty=0.25,
    hidden=True,
    vote=True,
    anchor="a.md#b",
    when_right="Good.",
    when_partly="Half.",
)
GENERAL = "remarks for right, partly right and wrong"


@pytest.mark.parametrize(
    ("format_", "lost"),
    [
        ("moodle", {"anchor", "vote"}),
        ("gift", {"anchor", "vote", "hints", "unit", "points", "penalty", "hidden", GENERAL}),
        (
            "qti21",
            {"anchor", "vote", "hints", "tags", "category", "penalty", "hidden"}
            | {"remark for partly right"},
        ),
        (
            "mkdocs-quiz",
            {"anchor", "vote", "hints", "tags", "category", "penalty", "hidden", "id", "name"}
            | {"unit", "points", "feedback", "tolerance", GENERAL},
        ),
        (
            "anki",
            {"anchor", "vote", "hints", "category", "points", "penalty", "hidden", "feedback"}
            | {"grading", GENERAL},
        ),
        (
            "readout",
            {"tags", "category", "points", "penalty", "hidden", "name", "feedback", "band", GENERAL}
            | {"hints", "why", "source"},
        ),
    ],
)
def test_nothing_is_lost_without_a_line(format_, lost):
    assert {loss.what for loss in formats.write(a_bank([FULL]), format_).losses} == lost


@pytest.mark.parametrize("format_", list(formats.WRITERS))
def test_writing_is_the_same_every_time(format_):
    bank = a_bank([Item(kind="essay", stem="Discuss.", id="one")])
    options = {"now_s": 1_700_000_000} if format_ == "anki" else {}

    first = formats.write(bank, format_, **options)

    assert formats.write(bank, format_, **options) == first


@pytest.mark.parametrize(
    "sign", [">1", ">>1", ">", "#", "# 1", "-", "- 1", "+ 1", "1. x", "=", "|"]
)
def test_what_would_begin_a_block_stays_a_sign(sign):
    shown = to_html(from_plain(sign))
    assert shown == f"<p>{html.escape(sign)}</p>"
    assert from_html(shown)[0] == from_plain(sign)
