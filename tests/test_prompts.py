import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from demos.prompts import (
    NAMES,
    OBJECTS,
    PLACES,
    TEMPLATES,
    Sentence,
    ioi_batch,
    ioi_batches,
    ioi_sentences,
    single_tokens,
)


class Words:
    """A tokenizer of words with their space before; a word of more than 8 letters is two tokens."""

    def __init__(self):
        self.ids = {}

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        pieces = []
        for word in re.findall(r" ?\w+|[^\w\s]", text):
            pieces += [word[:9], word[9:]] if len(word.strip()) > 8 else [word]
        return [self.ids.setdefault(piece, len(self.ids)) for piece in pieces]


def sentence(template=5, names=("Mary", "John", "John"), io="Mary", s="John", order="ABBA"):
    return Sentence(template, order, names, io, s, "store", "drink")


seeds = st.integers(0, 2**32)


def test_a_sentence_reads_as_the_paper_has_it():
    assert sentence().text == "After Mary and John went to the store, John gave a drink to"


def test_every_template_has_both_names_and_ends_before_the_answer():
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 15
    for template in TEMPLATES:
        assert template.index("{first}") < template.index("{second}") < template.index("{actor}")
        assert template.endswith(" to")
        # A name that opened the prompt would have no space before it, and another token.
        assert all(f" {{{name}}}" in template for name in ("first", "second", "actor"))


def test_words_of_two_tokens_are_left_out():
    tokenizer = Words()

    assert "Elizabeth" in NAMES
    assert "Elizabeth" not in single_tokens(NAMES, tokenizer)
    assert single_tokens(["Mary", "Elizabeth"], tokenizer) == {"Mary": tokenizer.ids[" Mary"]}
    for one in ioi_sentences(tokenizer, per_template=30, seed=0):
        assert {"Elizabeth", "restaurant", "basketball"}.isdisjoint(
            {*one.names, one.place, one.object}
        )


def test_each_template_and_order_comes_as_often_as_asked():
    sentences = ioi_sentences(Words(), per_template=3, seed=0)

    counts = {(t, o): 0 for t in range(15) for o in ("ABBA", "BABA")}
    for one in sentences:
        counts[one.template, one.order] += 1
    assert set(counts.values()) == {3}


@given(seeds)
def test_a_seed_gives_the_same_sentences_every_time(seed):
    assert ioi_sentences(Words(), 2, seed) == ioi_sentences(Words(), 2, seed)


def test_another_seed_gives_others():
    assert ioi_sentences(Words(), 2, seed=0) != ioi_sentences(Words(), 2, seed=1)


@given(seeds)
def test_the_subject_acts_and_the_answer_is_the_other_name(seed):
    for one in ioi_sentences(Words(), 1, seed):
        first, second, actor = one.names
        assert actor == one.s != one.io
        assert (first, second) == ((one.io, one.s) if one.order == "ABBA" else (one.s, one.io))


@given(seeds)
def test_tokens_are_those_of_the_text(seed):
    tokenizer = Words()
    batches = ioi_batches(ioi_sentences(tokenizer, 1, seed), tokenizer)

    assert sum(map(len, batches)) == 30
    lengths = [batch.tokens.shape[1] for batch in batches]
    assert lengths == sorted(set(lengths))
    for batch in (*batches, *(b.swapped() for b in batches), *(b.corrupted_abc() for b in batches)):
        encoded = [tokenizer.encode(text, add_special_tokens=False) for text in batch.text]
        assert batch.tokens.tolist() == encoded


def test_positions_are_named_as_in_the_paper():
    tokenizer = Words()
    # After Mary and John went to the store , John gave a drink to
    abba = sentence()
    baba = sentence(names=("John", "Mary", "John"), order="BABA")

    batch = ioi_batch([abba, baba], tokenizer)

    assert {name: at.tolist() for name, at in batch.positions.items()} == {
        "IO": [1, 3],
        "S1": [3, 1],
        "S1+1": [4, 2],
        "S2": [9, 9],
        "END": [13, 13],
    }


def test_swapping_changes_one_token_and_turns_the_answer_round():
    tokenizer = Words()
    batch = ioi_batch([sentence()], tokenizer)

    swapped = batch.swapped()

    assert swapped.text == ["After Mary and John went to the store, Mary gave a drink to"]
    assert swapped.order == ["BABA"]
    assert (swapped.tokens != batch.tokens).nonzero().tolist() == [[0, 9]]
    assert swapped.io.tolist() == batch.s.tolist() == [tokenizer.ids[" John"]]
    assert swapped.s.tolist() == batch.io.tolist() == [tokenizer.ids[" Mary"]]
    assert swapped.positions["S1"].tolist() == batch.positions["IO"].tolist()


@given(seeds)
def test_swapping_twice_gives_the_prompts_back(seed):
    tokenizer = Words()
    for batch in ioi_batches(ioi_sentences(tokenizer, 1, seed), tokenizer):
        again = batch.swapped().swapped()
        assert again.sentences == batch.sentences
        assert torch.equal(again.tokens, batch.tokens)
        assert torch.equal(again.io, batch.io)


@given(seeds)
def test_three_new_names_say_nothing_of_who_acts(seed):
    tokenizer = Words()
    for batch in ioi_batches(ioi_sentences(tokenizer, 1, seed), tokenizer):
        corrupted = batch.corrupted_abc(seed)
        for clean, new in zip(batch.sentences, corrupted.sentences, strict=True):
            assert len({*new.names, clean.io, clean.s}) == 5
        changed = (corrupted.tokens != batch.tokens).nonzero()[:, 1].reshape(-1, 3)
        assert torch.equal(changed, batch.name_positions)
        assert torch.equal(corrupted.io, batch.io)


def test_a_corrupted_prompt_still_knows_where_its_names_stand():
    batch = ioi_batch([sentence(names=("John", "Mary", "John"), order="BABA")], Words())

    positions = batch.corrupted_abc().positions

    assert {name: at.tolist() for name, at in positions.items()} == {
        name: at.tolist() for name, at in batch.positions.items()
    }


def test_prompts_of_different_lengths_are_refused():
    message = "prompts of 14, 15 tokens do not fit in one batch; ioi_batches"
    with pytest.raises(ValueError, match=message):
        ioi_batch([sentence(template=5), sentence(template=0)], Words())


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one sentence"):
        ioi_batch([], Words())


def test_a_name_of_two_tokens_is_refused():
    with pytest.raises(ValueError, match="the name 'Elizabeth' is not one token, or not in NAMES"):
        ioi_batch([sentence(names=("Elizabeth", "John", "John"), io="Elizabeth")], Words())


def test_a_tokenizer_that_cuts_every_name_is_refused():
    class Letters:
        def encode(self, text, *, add_special_tokens):
            return [ord(letter) for letter in text]

    with pytest.raises(ValueError, match="this tokenizer has 0 names, 0 places and 0 objects"):
        ioi_sentences(Letters(), per_template=1, seed=0)


@pytest.mark.model
def test_the_models_own_tokenizer_agrees_on_every_batch():
    from demos.models import load_model

    tokenizer = load_model().tokenizer
    for words in (NAMES, PLACES, OBJECTS):
        assert len(single_tokens(words, tokenizer)) > len(words) / 2
    for batch in ioi_batches(ioi_sentences(tokenizer, 2, seed=0), tokenizer):
        for variant in (batch, batch.swapped(), batch.corrupted_abc()):
            encoded = tokenizer(variant.text)["input_ids"]  # as a reader would call it
            assert variant.tokens.tolist() == encoded
