import pytest
import torch

from demos.heads import (
    ablate,
    chance,
    completes_earlier_pair,
    copying_scores,
    duplicate_token_scores,
    induction_scores,
    layer_matched,
    mean_outputs,
    ordinary_tokens,
    previous_token_scores,
    random_prompts,
    score_heads,
    sink_scores,
    strongest,
    token_losses,
)
from demos.models import load_model, tiny_model

PERIOD = 3
VOCABULARY = torch.arange(10, 30)


def looking(back):
    """A head that looks `back` positions back, and at the first where there are not so many."""
    pattern = torch.zeros(7, 7)
    for query in range(7):
        pattern[query, max(query - back, 0)] = 1
    return pattern


@pytest.fixture(scope="module", params=["LN", "RMS"])
def model(request):
    torch.manual_seed(0)
    model = tiny_model(normalization_type=request.param)
    with torch.no_grad():  # gains of 1 and biases of 0 would hide that one was forgotten
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module")
def repeated():
    return random_prompts(VOCABULARY, first=1, period=PERIOD, batch=4, seed=0)


def test_a_prompt_is_a_first_token_and_the_same_tokens_twice():
    tokens = random_prompts(VOCABULARY, first=1, period=5, batch=8, seed=0)

    assert tokens.shape == (8, 11)
    assert (tokens[:, 0] == 1).all()
    assert torch.equal(tokens[:, 1:6], tokens[:, 6:])
    assert all(len(set(row.tolist())) == 6 for row in tokens)
    assert set(tokens[:, 1:].flatten().tolist()) <= set(VOCABULARY.tolist())


def test_the_control_begins_alike_and_repeats_nothing():
    repeated = random_prompts(VOCABULARY, first=1, period=5, batch=8, seed=3)
    fresh = random_prompts(VOCABULARY, first=1, period=5, batch=8, seed=3, repeat=False)

    assert torch.equal(fresh[:, :6], repeated[:, :6])
    assert all(len(set(row.tolist())) == 11 for row in fresh)
    assert not torch.equal(fresh, random_prompts(VOCABULARY, 1, 5, 8, seed=4, repeat=False))


def test_a_vocabulary_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="22 different tokens cannot be drawn from 20"):
        random_prompts(VOCABULARY, first=1, period=11, batch=1, seed=0)


def test_each_score_finds_the_head_that_looks_there():
    # One, two and three positions back, and always at the first.
    pattern = torch.stack([looking(1), looking(2), looking(3), looking(7)]).expand(2, 4, 7, 7)

    torch.testing.assert_close(previous_token_scores(pattern), torch.tensor([1.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(
        induction_scores(pattern, PERIOD), torch.tensor([0.0, 1.0, 0.0, 0.0])
    )
    torch.testing.assert_close(
        duplicate_token_scores(pattern, PERIOD), torch.tensor([0.0, 0.0, 1.0, 0.0])
    )
    # The others look there from queries 1, 1 and 2, 1 to 3.
    torch.testing.assert_close(sink_scores(pattern), torch.tensor([1.0, 2.0, 3.0, 6.0]) / 6)
    torch.testing.assert_close(
        sink_scores(pattern, slice(4, None)), torch.tensor([0.0, 0.0, 0.0, 1.0])
    )


def test_a_head_that_looks_everywhere_scores_what_chance_gives():
    everywhere = torch.ones(7, 7).tril()
    pattern = (everywhere / everywhere.sum(-1, keepdim=True)).expand(2, 4, 7, 7)

    # From positions 4, 5 and 6 there are 5, 6 and 7 places to look.
    by_chance = (1 / 5 + 1 / 6 + 1 / 7) / 3
    assert chance(PERIOD) == pytest.approx(by_chance)
    expected = torch.full((4,), by_chance)
    torch.testing.assert_close(induction_scores(pattern, PERIOD), expected)
    torch.testing.assert_close(duplicate_token_scores(pattern, PERIOD), expected)


@pytest.mark.parametrize("score", [induction_scores, duplicate_token_scores])
def test_a_pattern_of_another_length_is_refused(score):
    with pytest.raises(ValueError, match="a period of 4 needs 9 positions, not 7"):
        score(torch.zeros(1, 1, 7, 7), 4)


def test_scores_are_those_of_the_patterns_that_the_model_has(model, repeated):
    scores = score_heads(
        model, repeated, {"induction": lambda p: induction_scores(p, PERIOD), "sink": sink_scores}
    )

    _, cache = model.run_with_cache(repeated)
    for layer in (0, 1):
        pattern = cache["pattern", layer]
        torch.testing.assert_close(
            scores["induction"][layer], pattern.diagonal(-2, -2, -1)[..., 2:].mean((0, -1))
        )
        torch.testing.assert_close(scores["sink"][layer], pattern[..., 1:, 0].mean((0, -1)))


def test_scoring_can_stop_early(model, repeated):
    whole = score_heads(model, repeated, {"sink": sink_scores})["sink"]
    first = score_heads(model, repeated, {"sink": sink_scores}, stop_at_layer=1)["sink"]

    torch.testing.assert_close(first, whole[:1])


def test_the_strongest_come_first():
    scores = torch.tensor([[0.1, 0.9, 0.2], [0.8, 0.0, 0.3]])

    assert strongest(scores, 3) == [(0, 1), (1, 0), (1, 2)]


def test_matched_heads_are_others_of_the_same_layers():
    heads = [(0, 0), (0, 1), (5, 2)]
    for seed in range(20):
        drawn = layer_matched(
            heads, n_heads=4, avoid=[(5, 0)], generator=torch.Generator().manual_seed(seed)
        )
        assert [layer for layer, _ in drawn] == [0, 0, 5]
        assert len({*drawn, *heads, (5, 0)}) == 7
    with pytest.raises(ValueError, match="layer 0 has no head left to draw"):
        layer_matched(heads, n_heads=3, avoid=[], generator=torch.Generator())


def test_a_mean_is_over_prompts_and_all_positions_but_the_first(model, repeated):
    _, cache = model.run_with_cache(repeated)

    means = mean_outputs(model, repeated)

    torch.testing.assert_close(means[1], cache["blocks.1.attn.hook_z"][:, 1:].mean(dim=(0, 1)))


def test_ablation_replaces_the_named_heads_and_no_other(model, repeated):
    outputs = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    names = [f"blocks.{layer}.attn.hook_z" for layer in (0, 1)]
    seen = {}

    def keep(name):
        def hook_z(z, hook):
            seen[name] = z.clone()
            return z

        return name, hook_z

    keeping = [keep(name) for name in names]
    _, cache = model.run_with_cache(repeated)
    model.run_with_hooks(repeated, fwd_hooks=[*ablate([(0, 1), (0, 3)], outputs), *keeping])

    torch.testing.assert_close(seen[names[0]][:, :, [1, 3]], outputs[0, [1, 3]].expand(4, 7, 2, 8))
    torch.testing.assert_close(seen[names[0]][:, :, [0, 2]], cache[names[0]][:, :, [0, 2]])
    assert not torch.allclose(seen[names[1]], cache[names[1]])  # it read another stream


def test_a_loss_is_the_negative_log_probability_of_the_token_that_came(model, repeated):
    with torch.no_grad():
        log_probabilities = model(repeated).log_softmax(dim=-1)
    losses = token_losses(model, repeated)

    assert losses.shape == (4, 6)
    for prompt, position in ((0, 0), (2, 5)):
        came = repeated[prompt, position + 1]
        torch.testing.assert_close(
            losses[prompt, position], -log_probabilities[prompt, position, came]
        )
    zeroed = token_losses(model, repeated, ablate([(0, 0)], torch.zeros(2, 4, 8)))
    assert not torch.allclose(zeroed, losses)
    torch.testing.assert_close(token_losses(model, repeated), losses)  # no hook stays behind


def test_copying_is_the_change_of_logits_with_the_norm_held(model, repeated):
    """Send a head's output alone through the norm, with the old scale, and read the logits."""
    layer, head = 1, 2
    _, cache = model.run_with_cache(repeated)
    output = cache["blocks.1.attn.hook_z"][:, :, head] @ model.blocks[layer].attn.W_O[head]
    if model.cfg.normalization_type == "LN":
        output = output - output.mean(dim=-1, keepdim=True)
    added = (output / cache["ln_final.hook_scale"] * model.ln_final.weight) @ model.W_U

    lifts = []
    for prompt in range(4):
        half = repeated[prompt, 1 : PERIOD + 1].tolist()
        for query in range(PERIOD, 2 * PERIOD):
            right = repeated[prompt, query + 1].item()
            others = [added[prompt, query, token] for token in half if token != right]
            lifts.append(added[prompt, query, right] - sum(others) / len(others))

    scores = copying_scores(model, repeated, PERIOD)
    torch.testing.assert_close(scores[layer, head], torch.stack(lifts).mean())


def test_a_pair_that_came_before_is_noticed_at_its_second_token():
    tokens = torch.tensor([[5, 6, 7, 5, 6, 7, 6], [1, 1, 1, 2, 1, 2, 3]])

    found = completes_earlier_pair(tokens)

    assert found.int().tolist() == [[0, 0, 0, 1, 1, 0], [0, 1, 0, 0, 1, 0]]


@pytest.mark.model
def test_the_real_model_has_heads_that_find_what_comes_next():
    model = load_model()
    vocabulary = ordinary_tokens(model.tokenizer)
    assert len(vocabulary) == model.cfg.d_vocab - len(model.tokenizer.get_added_vocab())
    tokens, control = (
        random_prompts(vocabulary, model.tokenizer.bos_token_id, 12, 2, seed=0, repeat=repeat)
        for repeat in (True, False)
    )
    score = {"induction": lambda pattern: induction_scores(pattern, 12)}

    repeated = score_heads(model, tokens, score)["induction"]
    fresh = score_heads(model, control, score)["induction"]

    assert repeated.max() > 4 * fresh.max()
