import re

import pytest
import torch

from demos import texts
from demos.texts import PARTS, TextError, english_documents, english_tokens
from demos.texts_snapshot import WINDOW, snapshot, windows


class Letters:
    """A tokenizer with a token for each character."""

    def __call__(self, text, add_special_tokens=True, verbose=True):
        assert not add_special_tokens
        return {"input_ids": [ord(letter) for letter in text]}


def test_the_snapshot_has_enough_of_both_parts_and_is_small():
    letters = {part: sum(map(len, english_documents(part).values())) for part in PARTS}
    assert letters["fit"] > 150_000
    assert letters["held-out"] > 50_000
    assert texts.SNAPSHOT.stat().st_size < 700_000


def test_no_sentence_and_no_run_of_words_is_in_both_parts():
    paragraphs = {
        part: {one for text in english_documents(part).values() for one in text.split("\n\n")}
        for part in PARTS
    }
    assert not paragraphs["fit"] & paragraphs["held-out"]
    runs = {part: set().union(*map(windows, paragraphs[part])) for part in PARTS}
    assert len(runs["fit"]) > 10_000
    assert not runs["fit"] & runs["held-out"]
    assert not english_documents("fit").keys() & english_documents("held-out").keys()


def test_the_text_is_prose():
    for part in PARTS:
        for text in english_documents(part).values():
            for paragraph in text.split("\n\n"):
                assert "\n" not in paragraph
                assert re.search(r"[.:]$", paragraph)


def test_the_licence_lies_beside_the_text():
    licence = texts.SNAPSHOT.with_name("english.LICENSE.txt").read_text("utf-8")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in licence
    assert "Changes made" in licence


def test_tokens_are_those_of_the_documents_one_after_the_other():
    tokens = english_tokens(Letters(), "held-out")

    assert tokens.dtype == torch.int64
    assert "".join(map(chr, tokens.tolist())) == "\n\n".join(english_documents("held-out").values())


def test_a_part_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a part of the text is fit or held-out, not 'test'"):
        english_documents("test")


@pytest.mark.parametrize("content", [None, "== fit: a\n\nAnother text.\n"])
def test_another_text_is_refused(monkeypatch, tmp_path, content):
    other = tmp_path / "english.txt"
    if content:
        other.write_text(content)
    monkeypatch.setattr(texts, "SNAPSHOT", other)
    texts._read.cache_clear()

    with pytest.raises(TextError, match=r"cannot be read|take it from the repository again"):
        english_documents()


def test_a_snapshot_keeps_each_paragraph_once_and_holds_every_third_document_out():
    shared = "This is said of one thing in the help, and it is long enough to be kept as a run."
    code = "   x = 1"

    def topic(name, extra=""):
        own = f"The topic {name} says something of its own that has eight words or more. {extra}"
        return f"Heading\n*******\n\n{own.strip()}\n\n{code}\n\n{shared}\n"

    # By size: a, b, c, d; of these c is held out.
    made = snapshot(
        {"b": topic("b", "." * 20), "a": topic("a", "." * 30), "c": topic("c", "." * 9)}
    )

    headings = re.findall(r"^== (.*)$", made, re.MULTILINE)
    assert headings == ["fit: a", "fit: b", "held-out: c"]
    assert made.count(shared) == 1
    assert "Heading" not in made and "x = 1" not in made


def test_what_shares_a_run_of_words_with_the_text_to_fit_on_is_not_held_out():
    run = " ".join(f"word{n}" for n in range(WINDOW))
    topics = {
        "a": f"First of all, {run} and so on. " + "It is the largest topic. " * 9 + "So it is.",
        "b": "This one has nothing in common with them. " + "It comes second. " * 12 + "Yes.",
        "c": f"Then again, {run} in it.\n\nBut this is new and has more than eight words.",
    }

    assert "Then again" not in snapshot(topics)
    assert "But this is new" in snapshot(topics)
