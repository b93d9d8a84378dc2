import math

import pytest
import torch

from demos.toys import (
    AttentionOnly,
    as_bridge,
    hand_built_induction,
    prefix_matching,
    previous_token,
)
from demos.training import repeated_tokens


@pytest.fixture
def said_twice():
    """Eight sequences: a starting token, five different tokens, and the same five again."""
    return repeated_tokens(8, 5, d_vocab=9, n_ctx=11, generator=torch.Generator().manual_seed(0))


def test_an_induction_head_built_by_hand_scores_one_and_predicts_the_repeat(said_twice):
    model = hand_built_induction(d_vocab=9, n_ctx=11)

    logits, patterns = model.run(said_twice)

    torch.testing.assert_close(previous_token(patterns[0], last=10), torch.ones(1))
    torch.testing.assert_close(prefix_matching(patterns[1], period=5), torch.ones(1))
    assert torch.equal(logits[:, 6:-1].argmax(dim=-1), said_twice[:, 7:])


def test_without_its_previous_token_head_it_finds_nothing(said_twice):
    model = hand_built_induction(d_vocab=9, n_ctx=11)

    _, patterns = model.run(said_twice, without={(0, 0)})

    # No mark matches, so it looks everywhere alike: seven to eleven places, from the second block.
    everywhere = sum(1 / places for places in range(7, 12)) / 5
    torch.testing.assert_close(prefix_matching(patterns[1], 5), torch.tensor([everywhere]))


def test_a_head_that_looks_everywhere_scores_what_chance_gives():
    everywhere = torch.ones(7, 7).tril()
    pattern = (everywhere / everywhere.sum(-1, keepdim=True)).expand(2, 4, 7, 7)

    by_chance = (1 / 5 + 1 / 6 + 1 / 7) / 3  # from positions 4, 5 and 6
    torch.testing.assert_close(prefix_matching(pattern, period=3), torch.full((4,), by_chance))
    torch.testing.assert_close(
        previous_token(pattern, last=2), torch.full((4,), (1 / 2 + 1 / 3) / 2)
    )


def test_looking_at_the_copy_itself_is_not_prefix_matching():
    pattern = torch.zeros(1, 1, 7, 7)
    pattern[0, 0, range(4, 7), range(1, 4)] = 1

    assert prefix_matching(pattern, period=3).item() == 0


def test_prompts_without_a_second_block_are_refused():
    with pytest.raises(ValueError, match="a period of 4 needs 9 positions, not 8"):
        prefix_matching(torch.zeros(1, 1, 8, 8), period=4)


def test_without_layers_the_model_is_a_table():
    model = AttentionOnly(6, 4, n_layers=0)
    tokens = torch.tensor([[3, 1, 3, 5]])

    logits, patterns = model.run(tokens)

    assert patterns == []
    torch.testing.assert_close(logits, (model.W_E @ model.W_U)[tokens])


def test_with_patterns_held_fixed_a_layer_is_a_sum_of_tables():
    from demos.weights import full_ov

    model = AttentionOnly(6, 5, n_layers=1, n_heads=3, d_model=16, d_head=4)
    tokens = torch.tensor([[3, 1, 3, 5, 0]])

    logits, [pattern] = model.run(tokens)

    tables = full_ov(model, 0)[:, tokens[0]]  # (head, position, output)
    attended = torch.einsum("hqk,hko->qo", pattern[0], tables)
    torch.testing.assert_close(logits[0], (model.W_E @ model.W_U)[tokens[0]] + attended)


def test_scores_are_the_qk_table_where_positions_are_nothing():
    from demos.weights import full_qk

    model = AttentionOnly(6, 5, n_layers=1, n_heads=2, d_model=16, d_head=4)
    model.W_pos.data.zero_()
    tokens = torch.tensor([[3, 1, 3, 5, 0]])

    scores = model.scores(0, model.W_E[tokens])[0]

    torch.testing.assert_close(scores, full_qk(model, 0)[:, tokens[0]][:, :, tokens[0]])


def test_no_token_sees_a_later_one():
    model = AttentionOnly(9, 8, n_layers=2, smeared=True)
    tokens = torch.arange(8)[None]
    changed = tokens.clone()
    changed[0, 5:] = 8

    torch.testing.assert_close(model(tokens)[0, :5], model(changed)[0, :5])
    assert not torch.allclose(model(tokens)[0, 5], model(changed)[0, 5])


def test_a_smeared_key_is_half_the_one_before_until_it_learns():
    plain = AttentionOnly(9, 6, n_layers=1)
    smeared = AttentionOnly(9, 6, n_layers=1, smeared=True)
    residual = plain.W_E[torch.arange(6)[None]]

    before, after = plain.scores(0, residual), smeared.scores(0, residual)

    torch.testing.assert_close(after[..., 0], before[..., 0])
    torch.testing.assert_close(after[..., 1:], (before[..., 1:] + before[..., :-1]) / 2)


def test_the_same_seed_gives_the_same_weights_and_disturbs_no_other():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    once, again, other = (AttentionOnly(5, 4, 1, seed=seed) for seed in (1, 1, 2))
    tokens = torch.arange(4)[None]

    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(once(tokens), again(tokens))
    assert not torch.equal(once(tokens), other(tokens))


@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_bridge_computes_the_same_and_gives_the_same_patterns(n_layers):
    model = AttentionOnly(13, 9, n_layers, n_heads=3, d_model=20, d_head=6)
    tokens = torch.randint(13, (4, 9), generator=torch.Generator().manual_seed(0))

    bridge = as_bridge(model)
    logits, patterns = model.run(tokens)
    found, cache = bridge.run_with_cache(tokens)

    torch.testing.assert_close(found, logits)
    for layer in range(n_layers):
        torch.testing.assert_close(cache[f"blocks.{layer}.attn.hook_pattern"], patterns[layer])


def test_a_bridge_for_smeared_keys_is_refused():
    with pytest.raises(ValueError, match="no smeared keys"):
        as_bridge(AttentionOnly(5, 4, 1, smeared=True))


def test_a_removed_head_adds_nothing():
    model = AttentionOnly(9, 6, n_layers=1, n_heads=2)
    tokens = torch.arange(6)[None]

    alone, _ = model.run(tokens, without={(0, 0), (0, 1)})
    whole, patterns = model.run(tokens)
    _, unchanged = model.run(tokens, without={(0, 1)})

    torch.testing.assert_close(alone, (model.W_E @ model.W_U)[tokens])
    assert not torch.allclose(alone, whole)
    torch.testing.assert_close(unchanged, patterns)
    assert math.isclose(patterns[0][0, 0, 3].sum().item(), 1, abs_tol=1e-6)
