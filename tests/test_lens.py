import pytest
import torch

from demos.lens import (
    kl_to_final,
    lens_logit_difference,
    logit_difference,
    read_logits,
    residual_stream,
)
from demos.models import load_model, tiny_model

TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])


@pytest.fixture(scope="module", params=["LN", "RMS"])
def model(request):
    torch.manual_seed(0)
    model = tiny_model(normalization_type=request.param)
    # Gains and biases of a fresh model are 1 and 0, and would hide that one was forgotten.
    with torch.no_grad():
        for parameter in (*model.ln_final.parameters(), *model.unembed.parameters()):
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return model


def by_hand(model, residual):
    norm = model.ln_final
    if model.cfg.normalization_type == "LN":
        residual = residual - residual.mean(dim=-1, keepdim=True)
    scale = (residual.pow(2).mean(dim=-1, keepdim=True) + model.cfg.eps).sqrt()
    bias = getattr(norm, "bias", None)
    normed = residual / scale * norm.weight + (0 if bias is None else bias)
    return normed @ model.W_U + model.b_U


def test_the_residual_stream_begins_with_the_embedding_and_has_a_row_for_each_layer(model):
    residual = residual_stream(model, TOKENS)

    _, cache = model.run_with_cache(TOKENS)
    rows = [cache["resid_pre", 0], cache["resid_post", 0], cache["resid_post", 1]]
    torch.testing.assert_close(residual, torch.stack([row[:, -1] for row in rows]))


def test_positions_are_one_for_all_several_or_one_for_each(model):
    whole = residual_stream(model, TOKENS, positions=[0, 1, 2, 3])
    assert whole.shape == (3, 3, 4, 32)

    torch.testing.assert_close(residual_stream(model, TOKENS, positions=1), whole[:, :, 1])
    each = residual_stream(model, TOKENS, positions=torch.tensor([3, 0, 2]))
    expected = torch.stack([whole[:, 0, 3], whole[:, 1, 0], whole[:, 2, 2]], dim=1)
    torch.testing.assert_close(each, expected)


def test_reading_is_the_final_norm_and_the_unembedding(model):
    residual = residual_stream(model, TOKENS)

    torch.testing.assert_close(read_logits(model, residual), by_hand(model, residual))


def test_after_the_last_layer_the_lens_says_what_the_model_says(model):
    logits = read_logits(model, residual_stream(model, TOKENS))

    with torch.no_grad():
        torch.testing.assert_close(logits[-1], model(TOKENS)[:, -1])
        assert not torch.allclose(logits[-2], model(TOKENS)[:, -1], atol=0.01)


def test_norming_the_last_row_twice_would_be_noticed(model):
    residual = residual_stream(model, TOKENS)[-1]
    with torch.no_grad():
        twice = model.ln_final(residual.unsqueeze(0)).squeeze(0)
        assert not torch.allclose(read_logits(model, twice), model(TOKENS)[:, -1], atol=0.01)


def test_a_logit_difference_is_right_minus_wrong_for_each_prompt():
    logits = torch.tensor([[[1.0, 4.0, 2.0], [7.0, 0.0, 3.0]], [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]])
    io, s = torch.tensor([1, 2]), torch.tensor([0, 0])

    torch.testing.assert_close(
        logit_difference(logits, io, s), torch.tensor([[3.0, -4.0], [0.0, 2.0]])
    )
    torch.testing.assert_close(logit_difference(logits[0], io, s), torch.tensor([3.0, -4.0]))


@pytest.mark.parametrize("rows", [slice(None), 1])
def test_the_short_way_to_a_logit_difference_agrees_with_the_long_one(model, rows):
    residual = residual_stream(model, TOKENS)[rows]
    io, s = torch.tensor([3, 14, 15]), torch.tensor([9, 26, 5])

    torch.testing.assert_close(
        lens_logit_difference(model, residual, io, s),
        logit_difference(read_logits(model, residual), io, s),
    )


def test_divergence_is_measured_from_the_last_row():
    sure = torch.tensor([0.8, 0.1, 0.1]).log()
    fair = torch.tensor([0.5, 0.25, 0.25]).log()
    logits = torch.stack([fair + 3, sure]).unsqueeze(1)  # a constant changes no distribution

    expected = 0.8 * torch.log(torch.tensor(1.6)) + 0.2 * torch.log(torch.tensor(0.4))
    torch.testing.assert_close(kl_to_final(logits), torch.tensor([[expected], [0.0]]))


@pytest.mark.model
def test_on_the_real_model_the_last_row_gives_its_own_logits():
    model = load_model()
    tokens = model.tokenizer(
        "After Mary and John went to the store, John gave", return_tensors="pt"
    )
    tokens = tokens["input_ids"]

    read = read_logits(model, residual_stream(model, tokens))

    with torch.no_grad():
        own = model(tokens)[:, -1]
    torch.testing.assert_close(read[-1], own, atol=1e-3, rtol=0)
    assert (read[-2] - own).abs().max() > 1
