import random
import re

import pytest
import torch

from demos.models import load_model, tiny_model
from demos.relation_tasks import (
    Asked,
    Format,
    Pair,
    ask,
    capitals,
    irregular_past,
    ordinary_words,
    past_tense,
    regular_past,
    tell,
    told_apart,
    unrelated,
    upper_case,
    word_tokens,
)
from demos.relations import (
    add,
    answer_over_others,
    direct_effects,
    final_logits,
    hooked_logits,
    last_position,
    random_like,
    ranks,
    write_instead,
)
from demos.runs import Engine

FORM = Format("form", "Country: {x}\nCapital:", "Country: {x}\nCapital: {y}\n\n")
POLAND, FRANCE, CHINA = (
    Pair("Poland", "Warsaw"),
    Pair("France", "Paris"),
    Pair("China", "Beijing"),
)


class Words:
    """A tokenizer of words with their space before; a word of more than 8 letters is two tokens."""

    def __init__(self):
        self.ids = {}

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        pieces = []
        for word in re.findall(r" ?\w+|[^\w ]", text):
            pieces += [word[:9], word[9:]] if len(word.strip()) > 8 else [word]
        return [self.ids.setdefault(piece, len(self.ids)) for piece in pieces]

    def decode(self, tokens):
        names = list(self.ids)
        return "".join(names[token] for token in tokens)


@pytest.fixture(scope="module", params=["LN", "RMS"])
def model(request):
    torch.manual_seed(0)
    model = tiny_model(normalization_type=request.param)
    with torch.no_grad():  # gains of 1 and biases of 0 would hide that one was forgotten
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module")
def engine(model):
    return Engine(model)


@pytest.fixture(scope="module")
def asked():
    prompts = [[1, 2, 3], [4, 5, 6, 7], [8, 9, 10], [11, 12, 13]]
    return [Asked(POLAND, tokens, 20 + n, 30 + n) for n, tokens in enumerate(prompts)]


@pytest.mark.parametrize(
    ("verb", "past"), [("walk", "walked"), ("love", "loved"), ("try", "tried"), ("play", "played")]
)
def test_a_regular_past_tense_follows_the_rule(verb, past):
    assert past_tense(verb) == past


def test_the_lists_are_facts_that_say_each_thing_once():
    for pairs, least in ((capitals(), 140), (regular_past(), 150), (irregular_past(), 50)):
        arguments = [pair.argument for pair in pairs]
        assert len(set(arguments)) == len(arguments) >= least
        assert all(pair.argument and pair.answer for pair in pairs)
    assert {POLAND, FRANCE, CHINA} <= set(capitals())
    # The rule does not double a consonant, as it would have to in "stop" and "plan".
    doubled = re.compile("[^aeiou]*[aeiou][^aeiouwxy]")
    assert not [pair for pair in regular_past() if doubled.fullmatch(pair.argument)]
    assert all(past != past_tense(verb) for verb, past in irregular_past())


def test_a_capital_letter_is_put_on_each_word():
    assert upper_case(["bread"]) == [Pair("bread", "Bread")]


def test_ordinary_words_are_one_token_and_in_order():
    words = ordinary_words(Words())

    assert words == sorted(set(words))
    assert len(words) > 500
    assert all(re.fullmatch("[a-z]{4,8}", word) for word in words)


def test_a_format_puts_its_examples_before_the_question():
    assert FORM.prompt("Poland") == "Country: Poland\nCapital:"
    assert FORM.prompt("Poland", [FRANCE]) == (
        "Country: France\nCapital: Paris\n\nCountry: Poland\nCapital:"
    )


def test_pairs_stay_whose_first_tokens_say_which_word_is_meant():
    tokenizer = Words()
    alike = Pair("Djibouti", "Djibouti")
    twins = [Pair("Utopia", "Santafelonia"), Pair("Erewhon", "Santafelopolis")]
    long_argument = Pair("Netherlands", "Amsterdam")
    pairs = [POLAND, alike, *twins, long_argument]

    assert told_apart(pairs, tokenizer) == [POLAND, long_argument]
    assert told_apart(pairs, tokenizer, short_argument=True) == [POLAND]
    assert (
        told_apart([long_argument, Pair("Peru", "Limalimalima")], tokenizer, short_answer=True)
        == []
    )


def test_a_prompt_is_shown_other_pairs_and_knows_its_first_tokens():
    tokenizer = Words()
    pairs = [POLAND, FRANCE, CHINA]
    asked = ask(pairs, FORM, 2, pairs, tokenizer, random.Random(0))

    for one in asked:
        text = tokenizer.decode(one.tokens)
        assert text.endswith(f"Country: {one.pair.argument}\nCapital:")
        assert one.pair.answer not in text
        assert all(other.answer in text for other in pairs if other != one.pair)
        assert [one.argument] == word_tokens(one.pair.argument, tokenizer)
        assert [one.answer] == word_tokens(one.pair.answer, tokenizer)


def test_a_prompt_that_tells_has_its_own_answer_in_it():
    tokenizer = Words()
    [one] = tell([POLAND], FORM, tokenizer)

    assert tokenizer.decode(one.tokens) == (
        "Country: Poland\nCapital: Warsaw\n\nCountry: Poland\nCapital:"
    )


def test_a_text_about_nothing_repeats_until_the_argument_comes_next():
    tokenizer = Words()
    words = ["table", "free", "cloud", "Poland", "river"]
    for seed in range(10):
        [one] = unrelated([POLAND], words, tokenizer, random.Random(seed), repeats=2)
        first, second = one.tokens[:4], one.tokens[4:8]
        assert first == second
        assert one.tokens[8:] == first[:3]
        assert first[3] == one.argument
        assert len(set(first)) == 4  # the argument is none of the random words


def test_the_last_position_is_read_whatever_the_lengths(model, engine, asked):
    here = last_position(engine, asked)

    for n, one in enumerate(asked):
        _, cache = model.run_with_cache(torch.tensor([one.tokens]))
        for layer in (0, 1):
            for values, name in (
                (here.pre[layer], "resid_pre"),
                (here.mid[layer], "resid_mid"),
                (here.attention[layer], "attn_out"),
                (here.feed_forward[layer], "mlp_out"),
            ):
                torch.testing.assert_close(
                    values[n], cache[name, layer][0, -1], atol=1e-4, rtol=1e-4
                )
    assert here.argument.tolist() == [20, 21, 22, 23]
    assert here.answer.tolist() == [30, 31, 32, 33]


def test_final_logits_are_the_models(model, engine, asked):
    logits = final_logits(engine, last_position(engine, asked).pre[-1])

    for row, one in zip(logits, asked, strict=True):
        with torch.no_grad():
            own = model(torch.tensor([one.tokens]))[0, -1]
        torch.testing.assert_close(row, own, atol=1e-4, rtol=1e-4)


def test_some_prompts_are_taken_with_all_that_is_theirs(engine, asked):
    here = last_position(engine, asked)
    some = here.of(torch.tensor([False, True, False, True]))

    torch.testing.assert_close(some.feed_forward, here.feed_forward[:, [1, 3]])
    assert some.answer.tolist() == [31, 33]


def test_a_rank_counts_the_tokens_that_are_likelier():
    logits = torch.tensor([[0.0, 3.0, 2.0], [5.0, 5.0, 1.0]])

    assert ranks(logits, torch.tensor([2, 0])).tolist() == [2, 1]
    assert ranks(logits, torch.tensor([1, 2])).tolist() == [1, 3]


def test_direct_effects_sum_to_the_difference_of_logits(engine, asked):
    here = last_position(engine, asked)
    direction = engine.gpt.W_U[:, here.answer].T - engine.gpt.W_U[:, here.argument].T
    writes = torch.cat([here.pre[:1], here.attention, here.feed_forward])

    effects = direct_effects(engine, writes, here.pre[-1], direction)

    logits = final_logits(engine, here.pre[-1])
    difference = logits.gather(1, here.answer[:, None]) - logits.gather(1, here.argument[:, None])
    bias = engine.gpt.b_U[here.answer] - engine.gpt.b_U[here.argument]
    bias = bias + (direction * engine.gpt.ln_final.bias).sum(dim=-1)
    torch.testing.assert_close(effects.sum(dim=0) + bias, difference[:, 0], atol=1e-4, rtol=1e-4)


def test_an_answer_is_held_against_the_mean_of_the_others():
    unembedding = torch.tensor([[1.0, 2.0, 6.0], [0.0, 4.0, 2.0]])

    directions = answer_over_others(unembedding, torch.tensor([0, 1, 2]))

    torch.testing.assert_close(directions, torch.tensor([[-3.0, -3.0], [-1.5, 3.0], [4.5, 0.0]]))


def test_adding_is_what_a_hook_at_the_last_position_does(model, engine):
    tokens = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    vectors = torch.randn(3, 2, 32, generator=torch.Generator().manual_seed(0))
    layers = [1, 0, 1]  # in no order

    final = add(engine, engine.run(tokens), layers, vectors)

    for layer, vector, found in zip(layers, vectors, final, strict=True):

        def hook_resid_post(resid_post, hook, vector=vector):
            resid_post = resid_post.clone()
            resid_post[:, -1] += vector
            return resid_post

        with torch.no_grad():
            expected = model.run_with_hooks(
                tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_post", hook_resid_post)]
            )[:, -1]
        torch.testing.assert_close(final_logits(engine, found), expected, atol=1e-3, rtol=1e-3)


def test_adding_nothing_changes_nothing(engine):
    run = engine.run(torch.tensor([[1, 2, 3]]))

    final = add(engine, run, [0, 1], torch.zeros(2, 1, 32))

    torch.testing.assert_close(
        final, run.resid_pre[-1][:, -1].expand(2, 1, 32), atol=1e-5, rtol=1e-5
    )


def test_a_vector_without_a_layer_is_refused(engine):
    with pytest.raises(ValueError, match="2 vectors for 1 layers"):
        add(engine, engine.run(torch.tensor([[1, 2]])), [0], torch.zeros(2, 1, 32))


def test_random_vectors_are_as_long_and_lie_elsewhere():
    vectors = torch.randn(5, 4, 64, generator=torch.Generator().manual_seed(1)) * 7

    drawn = random_like(vectors, torch.Generator().manual_seed(2))

    torch.testing.assert_close(drawn.norm(dim=-1), vectors.norm(dim=-1))
    assert torch.cosine_similarity(drawn, vectors, dim=-1).abs().max() < 0.6
    assert torch.equal(drawn, random_like(vectors, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(("site", "part"), [("mlp_out", "feed_forward"), ("attn_out", "attention")])
def test_a_layer_removed_at_the_last_position_is_gone_from_the_sum(
    engine, model, asked, site, part
):
    here = last_position(engine, asked)

    logits = hooked_logits(model, asked, write_instead([1], site=site))

    without = here.pre[-1] - getattr(here, part)[1]
    if site == "attn_out":  # the last feed-forward layer reads what the attention wrote
        mid = here.mid[1] - here.attention[1]
        with torch.no_grad():
            without = mid + engine.feed_forward(1, mid)
    torch.testing.assert_close(logits, final_logits(engine, without), atol=1e-3, rtol=1e-3)


def test_each_prompt_may_get_a_vector_of_its_own(engine, model):
    asked = [Asked(POLAND, [n, n + 1, n + 2], 0, 0) for n in range(40)]  # more than a batch
    here = last_position(engine, asked)

    same = hooked_logits(model, asked, write_instead([1], here.feed_forward[1]))
    moved = hooked_logits(model, asked, write_instead([1], here.feed_forward[1].roll(1, dims=0)))

    own = final_logits(engine, here.pre[-1])
    torch.testing.assert_close(same, own, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(moved, own, atol=0.1)


@pytest.mark.model
def test_the_real_model_knows_some_capitals_and_its_vectors_are_its_own():
    model = load_model()
    engine = Engine(model)
    pairs = told_apart(capitals(), model.tokenizer)
    chosen = [pair for pair in pairs if pair in (POLAND, FRANCE, CHINA)]
    asked = ask(chosen, FORM, 0, pairs, model.tokenizer, random.Random(0))

    here = last_position(engine, asked)

    assert len(chosen) == 3
    assert final_logits(engine, here.pre[-1]).argmax(dim=-1).tolist() == here.answer.tolist()
    removed = hooked_logits(model, asked, write_instead([model.cfg.n_layers - 1]))
    expected = final_logits(engine, here.pre[-1] - here.feed_forward[-1])
    torch.testing.assert_close(removed, expected, atol=2e-2, rtol=1e-3)
