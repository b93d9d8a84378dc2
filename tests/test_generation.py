"""Our decoding on distributions made by hand, on toys, and against transformers."""

import itertools
import math

import pytest
import torch

from demos import generation
from demos.generation import (
    beam_search,
    chi_square,
    continue_texts,
    distribution,
    greedy,
    repeated_share,
    repeats_itself,
    repeats_itself_as_released,
    sampling,
    side_by_side,
    text_logprobs,
)
from demos.models import load_model, tiny_model
from tests.test_models import save_checkpoint

FOUR = torch.tensor([0.5, 0.3, 0.15, 0.05])


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected))


def test_temperature_raises_probabilities_to_a_power():
    powers = FOUR.sqrt() / FOUR.sqrt().sum()
    torch.testing.assert_close(distribution(FOUR.log(), temperature=2.0), powers)
    torch.testing.assert_close(distribution(FOUR.log() + 7), FOUR)


def test_top_k_keeps_k_tokens_and_their_proportions():
    close(distribution(FOUR.log(), top_k=2), [0.625, 0.375, 0, 0])
    torch.testing.assert_close(distribution(FOUR.log(), top_k=9), FOUR)


def test_top_p_keeps_the_smallest_set_that_reaches_p():
    shuffled = FOUR[[3, 1, 0, 2]].log()
    close(distribution(shuffled, top_p=0.4), [0, 0, 1.0, 0])
    close(distribution(shuffled, top_p=0.6), [0, 0.375, 0.625, 0])
    close(distribution(shuffled, top_p=0.9), [0, 0.3 / 0.95, 0.5 / 0.95, 0.15 / 0.95])
    torch.testing.assert_close(distribution(shuffled, top_p=1.0), shuffled.exp())


def test_top_p_is_a_share_of_what_top_k_left():
    # Of the three tokens kept first, the likeliest two have 0.8 / 0.95, which is less than 0.85.
    close(distribution(FOUR.log(), top_k=3, top_p=0.85), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0])


@pytest.mark.parametrize("settings", [{"top_k": 40}, {"top_p": 0.9}, {"top_p": 0.9999},
    {"temperature": 0.7, "top_k": 640, "top_p": 0.8}])  # fmt: skip
def test_a_cut_is_the_one_of_transformers(settings):
    from transformers import (
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = 3 * torch.randn(4, 20_000, generator=torch.Generator().manual_seed(0))
    warped = logits
    for name, warper in [
        ("temperature", TemperatureLogitsWarper),
        ("top_k", TopKLogitsWarper),
        ("top_p", TopPLogitsWarper),
    ]:
        if name in settings:
            warped = warper(settings[name])(None, warped)
    torch.testing.assert_close(distribution(logits, **settings), warped.softmax(dim=-1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "a temperature is above 0, not 0; greedy() is its limit"),
        ({"top_k": 0}, "top-k keeps 1 token or more, not 0"),
        ({"top_p": 1.5}, "top-p keeps a share above 0, up to 1, not 1.5"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError) as refused:
        distribution(FOUR.log(), **settings)
    assert str(refused.value) == message


def test_draws_follow_the_distribution_and_the_test_notices_when_they_do_not():
    choose = sampling(torch.Generator().manual_seed(0), top_k=3)
    counts = torch.bincount(choose(FOUR.log().expand(10_000, 4)), minlength=4)

    assert chi_square(counts, distribution(FOUR.log(), top_k=3))[2] > 0.001
    assert chi_square(counts, distribution(FOUR.log(), top_k=3, temperature=1.2))[2] < 1e-6
    assert chi_square(counts, distribution(FOUR.log(), top_k=2))[2] == 0  # the third was drawn


def test_chi_square_agrees_with_the_published_table():
    # Two fair dice rolls of three cells: 10, 20, 30 against 20 each is 10.0 with 2 degrees, and
    # exp(-x / 2) is the p-value for 2.
    statistic, freedom, p_value = chi_square(torch.tensor([10, 20, 30]), torch.ones(3) / 3)
    assert (statistic, freedom) == pytest.approx((10.0, 2))
    assert p_value == pytest.approx(math.exp(-5), rel=1e-5)


# ---- toys ----------------------------------------------------------------------------------------

V, T = 4, 4
PROMPTS = torch.tensor([[1, 2], [3, 0], [2, 2]])


@pytest.fixture(scope="module")
def toy():
    return tiny_model(d_vocab=V, n_ctx=8)


def every_text(toy, prompt):
    """All V ** T continuations with their log-probability, the likeliest first."""
    texts = torch.tensor(list(itertools.product(range(V), repeat=T)))
    whole = torch.cat([prompt.expand(len(texts), -1), texts], dim=-1)
    logprobs = text_logprobs(toy, whole, n_prompt=len(prompt)).sum(dim=-1)
    order = logprobs.argsort(descending=True)
    return texts[order], logprobs[order]


def test_with_as_many_beams_as_texts_beam_search_is_exhaustive(toy):
    beams = beam_search(toy, PROMPTS, T, V**T)
    for prompt, tokens, logprobs in zip(PROMPTS, beams.tokens, beams.logprobs, strict=True):
        texts, expected = every_text(toy, prompt)
        torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)
        assert torch.equal(tokens[0], texts[0])


def test_one_beam_is_greedy(toy):
    beams = beam_search(toy, PROMPTS, T, 1)
    continued = continue_texts(toy, PROMPTS, T, greedy)
    assert torch.equal(beams.tokens[:, 0], continued.tokens)
    torch.testing.assert_close(beams.logprobs[:, 0], continued.logprobs.sum(dim=-1))
    torch.testing.assert_close(beams.best, continued.logprobs.cumsum(dim=-1))


def test_a_continuation_has_the_probability_of_its_text_and_no_banned_token(toy):
    choose = side_by_side(greedy, sampling(torch.Generator().manual_seed(0)), greedy)
    continued = continue_texts(toy, PROMPTS, T, choose, banned=[1])

    assert not (continued.tokens == 1).any()
    whole = torch.cat([PROMPTS, continued.tokens], dim=-1)
    torch.testing.assert_close(continued.logprobs, text_logprobs(toy, whole, n_prompt=2))


# ---- repetition ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stated", "released"),
    [
        ("the cat sat on the mat", False, False),
        ("x a b a b a b", True, False),  # two tokens, three times
        ("x a b c a b c", False, True),  # three tokens, twice
        ("x a b c d a b c d a b c d", True, True),
        ("x a b a b a b y", False, False),  # not at the end
        ("x a a a", False, False),  # one token
        ("x a a a a a a", True, False),  # `a a` three times
    ],
)
def test_a_loop_at_the_end_is_found_by_the_rule_as_stated_and_as_released(text, stated, released):
    tokens = [ord(word[0]) for word in text.split()]
    if text.startswith("the"):
        tokens = [1, 2, 3, 4, 1, 5]
    assert repeats_itself(tokens) is stated
    assert repeats_itself_as_released(tokens) is released


@pytest.mark.parametrize(
    ("tokens", "share"),
    [
        ([1, 2, 3, 4, 5, 6], 0),
        ([1, 2, 3, 1, 2, 3], 0),  # (1, 2, 3) comes twice, no four tokens do
        ([1, 2, 1, 2, 1, 2], 1 / 3),  # 1212, 2121, 1212
        ([7] * 13, 9 / 10),
    ],
)
def test_phrases_of_four_that_stood_before_are_repeated(tokens, share):
    assert repeated_share(tokens) == pytest.approx(share)


def test_a_text_too_short_for_a_phrase_has_no_share():
    with pytest.raises(ValueError, match="3 tokens hold no phrase of 4"):
        repeated_share([1, 2, 3])


# ---- a distribution in small ---------------------------------------------------------------------


def test_a_distribution_in_small_stands_for_the_whole_vocabulary():
    logits = 3 * torch.randn(3_000, generator=torch.Generator().manual_seed(0)).double()
    given = generation.listed(logits, name=str, n_listed=50)

    exact = logits.log_softmax(dim=-1).sort(descending=True).values
    whole = generation.unlisted(given)
    assert whole.shape == exact.shape
    assert (whole - exact).abs().max() <= 0.0051
    assert given["tokens"] == [str(token) for token in logits.topk(50).indices.tolist()]


# ---- transformers --------------------------------------------------------------------------------


@pytest.fixture(params=["gpt2", pytest.param("default", marks=pytest.mark.model)])
def model(request, tmp_path):
    """A small GPT-2 with learned positions, and the real model."""
    if request.param == "default":
        return load_model()
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=64, vocab_size=200)
    save_checkpoint(tmp_path, GPT2LMHeadModel(config))
    return load_model(str(tmp_path))


def generated(model, prompts, n_new, **settings):
    """What transformers' own `generate` adds."""
    with generation.cached_attention(model):
        texts = model.original_model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=2,
            **settings,
        )
    return texts[:, prompts.shape[1] :]


def test_remembered_keys_and_values_change_no_logit(model):
    prompts = torch.randint(3, 190, (3, 12), generator=torch.Generator().manual_seed(1))
    continued = continue_texts(model, prompts, 8, greedy)
    whole = torch.cat([prompts, continued.tokens], dim=-1)
    torch.testing.assert_close(
        continued.logprobs, text_logprobs(model, whole, 12), atol=1e-3, rtol=0
    )


def test_greedy_and_beam_search_are_those_of_transformers(model):
    prompts = torch.randint(3, 190, (3, 12), generator=torch.Generator().manual_seed(1))

    continued = continue_texts(model, prompts, 16, greedy, banned=[2])
    assert torch.equal(continued.tokens, generated(model, prompts, 16))

    beams = beam_search(model, prompts, 16, 4, banned=[2])
    assert torch.equal(beams.tokens[:, 0], generated(model, prompts, 16, num_beams=4))
    assert not torch.equal(beams.tokens[:, 0], continued.tokens)  # the two differ somewhere
    whole = torch.cat([prompts, beams.tokens[:, 0]], dim=-1)
    torch.testing.assert_close(
        beams.logprobs[:, 0], text_logprobs(model, whole, 12).sum(-1), atol=5e-3, rtol=0
    )
