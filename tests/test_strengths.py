"""Minimal pairs, scores of sentences, questions about facts, and turns of a conversation."""

import random
from itertools import pairwise
from math import log

import pytest
import torch

from demos.conversations import (
    BETWEEN,
    OPENINGS,
    ROLES,
    WRITTEN,
    Turns,
    introductions,
    seen_before,
    turns_of,
)
from demos.heads import ablate
from demos.knowledge import (
    INVENTED,
    calibration,
    calibration_error,
    elements,
    judge,
    languages,
    next_logits,
)
from demos.minimal_pairs import (
    PARADIGMS,
    Pair,
    difference,
    extremes,
    minimal_pairs,
    plural,
    published,
    shuffled_alike,
)
from demos.models import tiny_model
from demos.relation_tasks import capitals
from demos.runs import Engine
from demos.sentences import Counts, preferred, token_logprobs
from demos.turn_losses import logits_after, reply_losses


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = tiny_model(normalization_type="RMS")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module")
def engine(model):
    return Engine(model)


def logprobs(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens]))[0].log_softmax(dim=-1)


@pytest.mark.parametrize("paradigm", PARADIGMS, ids=lambda paradigm: paradigm.name)
def test_the_sentences_of_a_pair_differ_in_what_the_paradigm_says(paradigm):
    pairs = minimal_pairs(paradigm, 40, random.Random(0))

    assert len(set(pairs)) == 40
    assert {difference(pair) for pair in pairs} == {paradigm.differs}
    for sentence in (sentence for pair in pairs for sentence in pair):
        assert sentence[0].isupper()
        assert sentence[-1] in ".?"
        assert "*" not in sentence
        assert "  " not in sentence


def test_the_paradigms_are_the_two_extremes_of_each_phenomenon():
    of = extremes(published())

    assert len(of) == 12
    chosen = {(one.phenomenon, one.name) for one in PARADIGMS}
    assert chosen == {(phenomenon, name) for phenomenon in of for name in of[phenomenon]}


def test_published_shares_have_the_published_means():
    rows = published().values()

    means = [sum(getattr(row, who) for row in rows) / 67 for who in ("gpt2_large", "five_gram")]
    assert means == pytest.approx([0.830, 0.612], abs=0.0005)
    assert sum(row.one_person for row in rows) / 67 == pytest.approx(0.886, abs=0.0005)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("anaphor_gender_agreement", "herself"),
        ("anaphor_number_agreement", "themselves"),
        ("regular_plural_subject_verb_agreement_1", "has"),
        ("distractor_agreement_relative_clause", "has"),
    ],
)
def test_where_two_forms_compete_each_is_right_about_as_often(name, word):
    paradigm = next(one for one in PARADIGMS if one.name == name)

    pairs = minimal_pairs(paradigm, 200, random.Random(0))

    good, bad = (
        sum(word in sentence.rstrip(".").split() for sentence in sentences)
        for sentences in zip(*pairs, strict=True)
    )
    assert 0.35 < good / (good + bad) < 0.65


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        (("A dog runs.", "A dog run."), "word"),
        (("A dog bites men.", "A men bites dog."), "order"),
        (("All dogs are there.", "There are all dogs."), "order"),
        (("He saw two dogs and she big dogs.", "He saw two small dogs and she big."), "noun"),
        (("A dog runs.", "A cat sleeps."), None),
        (("A dog runs.", "A dog."), None),
        (("A dog.", "A dog."), None),
    ],
)
def test_a_difference_is_named(pair, found):
    assert difference(Pair(*pair)) == found


@pytest.mark.parametrize(
    ("noun", "many"),
    [("box", "boxes"), ("mouse", "mice"), ("girl", "girls"), ("woman", "women"), ("son", "sons")],
)
def test_nouns_have_their_plurals(noun, many):
    assert plural(noun) == many


def test_an_exhausted_paradigm_says_so():
    with pytest.raises(ValueError, match=r"different pairs found, not 2"):
        minimal_pairs(PARADIGMS[3], 2, Loud())


class Loud(random.Random):
    """Always the first choice, so that there is one pair."""

    def choice(self, options):
        return options[0]


def test_a_shuffle_is_the_same_for_both_sentences():
    pair = Pair("A dog runs fast.", "A dog run fast.")

    good, bad = (one.rstrip(".").split() for one in shuffled_alike(pair, random.Random(0)))

    assert sorted(good) == sorted(["A", "dog", "runs", "fast"])
    assert good != ["A", "dog", "runs", "fast"]
    assert ["run" if word == "runs" else word for word in good] == bad


def test_texts_of_different_length_are_scored_as_if_alone(model, engine):
    texts = [[3, 4], [5, 6, 7, 8, 9], [10]]

    scored = token_logprobs(engine, texts, first=1)

    for text, found in zip(texts, scored, strict=True):
        alone = logprobs(model, [1, *text])
        expected = torch.stack([alone[at, token] for at, token in enumerate(text)])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_text_without_tokens_is_refused(engine):
    with pytest.raises(ValueError, match="without tokens"):
        token_logprobs(engine, [[3], []], first=1)


def test_a_table_of_words_knows_no_order():
    words = Counts.of([1, 2, 1, 2, 3], d_vocab=5, pairs=False)
    by_pairs = Counts.of([1, 2, 1, 2, 3], d_vocab=5, pairs=True)

    assert words.logprob([1, 2]) == words.logprob([2, 1]) == pytest.approx(2 * log(3 / 10))
    # 2 follows 1 always, and 1 follows 2 once in two.
    assert by_pairs.logprob([1, 2]) == pytest.approx(log(0.3) + log((1 + 0.3) / 2))
    assert by_pairs.logprob([2, 1]) == pytest.approx(log(0.3) + log((0.5 + 0.3) / 2))
    assert by_pairs.logprob([4, 4]) == pytest.approx(2 * log(0.1))  # never seen


def test_shares_of_a_table_add_up_to_one():
    table = Counts.of([1, 2, 1, 2, 1], d_vocab=5, pairs=True)
    after = [2.718281828459045 ** (table.logprob([2, n]) - table.logprob([2])) for n in range(5)]
    assert sum(after) == pytest.approx(1)


def test_a_tie_is_half_a_hit():
    assert [preferred(*scores) for scores in ((2, 1), (1, 2), (1, 1))] == [1, 0, 0.5]


def test_questions_after_a_shared_start_are_read_as_one_text(model, engine):
    start, questions = [1, 2, 3], [[4, 5], [6, 7, 8, 9]]

    logits = next_logits(engine, start, questions)

    for found, question in zip(logits, questions, strict=True):
        alone = logprobs(model, [*start, *question])[-1]
        torch.testing.assert_close(found.log_softmax(dim=-1), alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("start", "questions"), [([], [[1]]), ([1], [[2], []])])
def test_an_empty_question_is_refused(engine, start, questions):
    with pytest.raises(ValueError, match="need a token"):
        next_logits(engine, start, questions)


def test_saying_and_knowing_are_judged_apart():
    logits = torch.tensor([[9.0, 5, 1, 0], [0, 1, 5, 2], [9.0, 1, 5, 0]])

    replies = judge(logits, right=[1, 2, 1], answers=[1, 2])

    assert replies.said.tolist() == [0, 2, 0]
    assert replies.says.tolist() == [False, True, False]
    assert replies.knows.tolist() == [True, True, False]
    torch.testing.assert_close(replies.confidence, logits.softmax(dim=-1).amax(dim=-1))


def test_a_right_answer_has_to_be_among_the_answers():
    with pytest.raises(ValueError, match="right answer 3 is not among"):
        judge(torch.zeros(1, 4), right=[3], answers=[1, 2])


def test_calibration_counts_what_was_right_in_each_bin():
    confidence = torch.tensor([0.1, 0.15, 0.9, 1.0])
    right = torch.tensor([True, False, True, False])

    low, high = calibration(confidence, right, bins=2)

    assert (low.low, low.high, low.n, low.right) == (0.0, 0.5, 2, 1)
    assert (high.low, high.high, high.n, high.right) == (0.5, 1.0, 2, 1)
    assert calibration_error([low, high]) == pytest.approx((0.375 + 0.45) / 2)


def test_invented_states_are_none_and_lists_name_nothing_twice():
    states = {pair.argument for pair in capitals()}

    assert not states & set(INVENTED)
    assert len(set(INVENTED)) == 24
    # Left out of the capitals, where it is disputed what is right or there are two.
    assert {pair.argument for pair in languages()} <= states | {"Israel", "Netherlands"}
    for pairs in (languages(), elements()):
        assert len({pair.argument for pair in pairs}) == len(pairs)


class Words:
    """A tokenizer of words, with a chat format that has marks of its own."""

    def __init__(self):
        self.known = {}

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        spaced = text.replace("\n", " \n ").replace("|>", "|> ")
        return [self.known.setdefault(word, len(self.known)) for word in spaced.split(" ") if word]

    def apply_chat_template(self, conversation, *, tokenize):
        assert not tokenize
        turns = [f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in conversation]
        return "".join(turns)


def test_a_conversation_is_cut_before_its_last_two_turns():
    tokenizer = Words()
    turns = turns_of(["I like tea", "Good", "What then", "You like tea"], tokenizer)

    whole = (
        "<|im_start|>user\nI like tea<|im_end|>\n<|im_start|>assistant\nGood<|im_end|>\n"
        "<|im_start|>user\nWhat then<|im_end|>\n<|im_start|>assistant\nYou like tea"
    )
    assert [*turns.before, *turns.question, *turns.reply] == tokenizer.encode(
        whole, add_special_tokens=False
    )
    assert turns.reply == tokenizer.encode("You like tea", add_special_tokens=False)


def test_what_the_question_repeats_does_not_count_as_said_before():
    assert seen_before(Turns([1, 2, 3], [3, 4], [2, 3, 4, 9])) == [True, False, False, False]


def test_half_of_the_introductions_ask_for_the_first_named():
    made = introductions(12, ["Ann", "Bob", "Cid"], between=2, chooser=random.Random(0))

    assert sum(one.asked for one in made) == 6
    assert {one.opening for one in made if one.asked} == set(OPENINGS)
    for one in made:
        assert one.right != one.wrong
        assert {one.right, one.wrong} == set(one.names)
        *said, question, reply = one.turns
        assert len(said) == 2 + 2 * 2
        assert f"my {one.roles[one.asked]}?" in question
        assert reply.endswith(f" {one.right}")


def test_nobody_is_named_between():
    words = " ".join(turn for pair in BETWEEN for turn in pair).lower()
    assert not any(f" {role} " in words for pair in ROLES for role in pair)


def test_written_dialogues_end_with_a_reply():
    assert len(WRITTEN) == len(set(WRITTEN)) == 12
    assert {len(turns) for turns in WRITTEN} == {4}


def test_replies_are_judged_as_if_alone(model):
    said, replies = [[1, 2, 3], [4]], [[5, 6], [7, 8, 9]]

    losses = reply_losses(model, said, replies)

    for before, reply, found in zip(said, replies, losses, strict=True):
        alone = logprobs(model, [*before, *reply])
        at = len(before) - 1
        expected = torch.stack([-alone[at + n, token] for n, token in enumerate(reply)])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    after = logits_after(model, said)
    torch.testing.assert_close(
        after[1].log_softmax(dim=-1), logprobs(model, [4])[-1], atol=1e-4, rtol=1e-4
    )


def test_heads_taken_out_change_the_losses(model):
    outputs = torch.zeros(2, 4, 8)
    whole, without = (
        reply_losses(model, [[1, 2]] * 7, [[3]] * 7, hooks)
        for hooks in ((), ablate([(0, 1)], outputs))
    )
    assert len(whole) == 7  # more than are run at once
    assert all(one != other for one, other in zip(whole, without, strict=True))
    assert all(torch.equal(one, other) for one, other in pairwise(without[:6]))


def test_a_reply_to_nothing_is_refused(model):
    with pytest.raises(ValueError, match="something has to be said"):
        reply_losses(model, [[]], [[1]])
