from dataclasses import replace

import pytest
import torch

from demos.forward import GPT, GPTConfig, Norm, config_of, rotate
from demos.models import load_model, tiny_model
from tests.test_models import llama, save_checkpoint

TOKENS = torch.tensor([[6, 7, 2, 3, 4, 5], [2, 2, 5, 3, 7, 6]])
PLACES = torch.arange(TOKENS.shape[1])
SMALL = GPTConfig(
    n_layers=2, n_heads=2, d_model=16, d_head=8, d_mlp=32, d_vocab=8, n_ctx=12, causal=True
)


def checkpoint(folder, kind):
    """A small random model as transformers saves it, with biases and gains that are not trivial."""
    from transformers import GPT2Config, GPT2LMHeadModel

    if kind == "llama":
        return save_checkpoint(folder, llama(rope_theta=500.0, mlp_bias=True))
    config = GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=8)
    return save_checkpoint(folder, GPT2LMHeadModel(config))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_logits_are_those_of_transformers(kind, tmp_path):
    expected = checkpoint(tmp_path, kind)(TOKENS).logits

    gpt = GPT.from_bridge(load_model(str(tmp_path)))

    torch.testing.assert_close(gpt(TOKENS), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"rotary_base": 10_000.0},
        {"positions": "none"},
        {"norm": "LN"},
        {"activation": "gelu"},
        {"causal": False},
        {"eps": 1.0},
    ],
)
def test_each_setting_matters(changes, tmp_path):
    expected = checkpoint(tmp_path, "llama")(TOKENS).logits
    model = load_model(str(tmp_path))

    slipped = GPT.from_bridge(model, **changes)

    assert (slipped(TOKENS) - expected).abs().max() > 1e-2


@pytest.mark.parametrize("norm", ["LN", "RMS"])
@pytest.mark.parametrize("gated", [True, False])
def test_logits_are_those_of_a_new_model(norm, gated):
    model = tiny_model(normalization_type=norm, gated_mlp=gated)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        expected = model(TOKENS)

    torch.testing.assert_close(GPT.from_bridge(model)(TOKENS), expected, atol=1e-4, rtol=1e-4)


def test_a_rotation_that_we_do_not_know_is_refused():
    with pytest.raises(ValueError, match="rotation 'by neighbours': this GPT knows default"):
        config_of(tiny_model(positional_embedding_type="rotary"))


def test_weights_are_shared_and_not_trained():
    model = tiny_model()
    gpt = GPT.from_bridge(model)
    assert gpt.W_E.data_ptr() == model.W_E.data_ptr()
    assert not any(parameter.requires_grad for parameter in gpt.parameters())


def test_a_norm_brings_a_vector_to_length_one_for_each_entry():
    x = torch.tensor([[1.0, 3.0, 1.0, 3.0]])
    config = replace(SMALL, d_model=4, eps=0.0)

    centred = Norm(config)(x)
    not_centred = Norm(replace(config, norm="RMS"))(x)

    torch.testing.assert_close(centred, torch.tensor([[-1.0, 1.0, -1.0, 1.0]]))
    torch.testing.assert_close(not_centred, x / 5**0.5)


def test_rotation_turns_coordinate_i_with_coordinate_i_plus_half():
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0]])
    angle = torch.tensor(3.0)  # at position 3; the second pair turns a hundred times slower
    slow = angle / 100

    expected = torch.stack([angle.cos(), -2 * slow.sin(), angle.sin(), 2 * slow.cos()])
    turned = rotate(x, torch.tensor([3]), base=10_000.0)
    torch.testing.assert_close(turned[0], expected)


def test_the_product_of_rotated_vectors_depends_on_the_distance_only():
    torch.manual_seed(0)
    q, k = torch.randn(1, 8), torch.randn(1, 8)

    def product(query_at, key_at):
        at = torch.tensor
        return rotate(q, at([query_at]), 100.0) @ rotate(k, at([key_at]), 100.0).T

    torch.testing.assert_close(product(5, 2), product(25, 22))
    assert (product(5, 2) - product(5, 3)).abs() > 0.01


def test_without_positions_and_mask_the_output_is_shuffled_as_the_input_is():
    torch.manual_seed(0)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    blind = GPT(replace(SMALL, positions="none", causal=False))
    torch.testing.assert_close(blind(TOKENS[:, order]), blind(TOKENS)[:, order])

    for changes in ({"causal": False}, {"positions": "none"}):
        sees = GPT(replace(SMALL, **changes))
        assert not torch.allclose(sees(TOKENS[:, order]), sees(TOKENS)[:, order], atol=1e-3)


def test_with_a_mask_no_token_sees_a_later_one():
    torch.manual_seed(0)
    gpt = GPT(replace(SMALL, positions="rotary"))
    changed = TOKENS.clone()
    changed[:, -1] = 1

    torch.testing.assert_close(gpt(changed)[:, :-1], gpt(TOKENS)[:, :-1])
    assert not torch.allclose(gpt(changed)[:, -1], gpt(TOKENS)[:, -1])


def test_attention_is_the_sum_of_what_its_heads_write():
    torch.manual_seed(0)
    gpt = GPT(SMALL)
    attn = gpt.blocks[0].attn
    x = gpt.embed(TOKENS, PLACES)

    z = attn.mix(x, PLACES)
    by_head = sum(z[:, head] @ attn.W_O[head] for head in range(SMALL.n_heads))

    torch.testing.assert_close(by_head + attn.b_O, attn(x, PLACES))
    pattern = attn.pattern(x, PLACES)
    torch.testing.assert_close(pattern.sum(dim=-1), torch.ones(2, 2, 6))
    assert (pattern.triu(1) == 0).all()


def test_a_new_gpt_can_be_trained():
    torch.manual_seed(0)
    gpt = GPT(SMALL)
    optimizer = torch.optim.Adam(gpt.parameters(), lr=1e-2)

    def loss():
        return torch.nn.functional.cross_entropy(gpt(TOKENS).flatten(0, 1), TOKENS.flatten())

    before = loss().item()
    for _ in range(20):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.2 * before


@pytest.mark.model
def test_on_the_real_model_logits_are_the_library_s():
    model = load_model()
    tokens = model.to_tokens("When Mary and John went to the store, John gave a drink to")

    gpt = GPT.from_bridge(model)

    with torch.no_grad():
        assert (gpt(tokens) - model(tokens)).abs().max() < 1e-3
    assert gpt.config.rotary_base == 100_000
