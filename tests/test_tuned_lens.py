import pytest
import torch

from demos.lens import kl_to_final, read_logits, residual_stream
from demos.models import load_model, tiny_model
from demos.tuned_lens import fit_lens, normed_states, read, shift_lens

TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])


@pytest.fixture(scope="module", params=["LN", "RMS"])
def model(request):
    torch.manual_seed(0)
    model = tiny_model(normalization_type=request.param)
    with torch.no_grad():
        for parameter in (*model.ln_final.parameters(), *model.unembed.parameters()):
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return model


def test_without_a_map_it_is_the_logit_lens(model):
    residual = residual_stream(model, TOKENS)

    reading = read(model, normed_states(model, residual))

    logits = read_logits(model, residual)
    assert torch.equal(reading.top, logits.argmax(dim=-1))
    confidence = logits.softmax(dim=-1).max(dim=-1).values
    torch.testing.assert_close(reading.confidence, confidence)
    torch.testing.assert_close(reading.kl, kl_to_final(logits), atol=1e-5, rtol=1e-4)


def test_positions_stand_in_one_row_passage_by_passage(model):
    residual = residual_stream(model, TOKENS, positions=[1, 2])
    normed = normed_states(model, residual)
    assert normed.shape == (3, 6, 32)
    torch.testing.assert_close(normed[1, 3], model.ln_final(residual[1, 1, 1][None, None])[0, 0])


@pytest.fixture
def turned():
    """Three states: the last one turned and moved, noise, and the last one itself."""
    generator = torch.Generator().manual_seed(0)
    last = torch.randn(400, 6, generator=generator)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator))
    noise = torch.randn(400, 6, generator=generator)
    return torch.stack([last @ rotation + 3, noise, last])


def test_a_fitted_lens_undoes_a_turn_and_learns_nothing_from_noise(turned):
    fitted, held_out = turned[:, :300], turned[:, 300:]

    translated = fit_lens(fitted, penalties=[1e-6, 1.0]).translate(held_out)

    torch.testing.assert_close(translated[0], held_out[-1], atol=1e-3, rtol=0)
    torch.testing.assert_close(translated[2], held_out[-1], atol=1e-3, rtol=0)
    mean = fitted[-1].mean(dim=0)
    assert (translated[1] - mean).pow(2).mean() < 0.2
    # Moving and stretching cannot turn; it does find a state that needs no turn.
    moved = shift_lens(fitted).translate(held_out)
    torch.testing.assert_close(moved[2], held_out[-1])
    assert (moved[0] - held_out[-1]).pow(2).mean() > 0.5


def test_the_penalty_is_chosen_where_it_was_not_fitted(turned):
    generator = torch.Generator().manual_seed(1)
    few = torch.cat([turned[:, :12], torch.randn(3, 12, 30, generator=generator)], dim=-1)
    # With as many samples as dimensions, a small penalty fits noise exactly.
    strong = fit_lens(few, penalties=[10.0]).maps
    torch.testing.assert_close(fit_lens(few, penalties=[1e-9, 10.0]).maps[1], strong[1])


def test_a_lens_can_be_fitted_to_another_target(turned):
    elsewhere = turned[-1].flip(0)
    lens = fit_lens(turned, target=elsewhere, penalties=[1.0])
    torch.testing.assert_close(lens.translate(turned).mean(dim=1)[0], elsewhere.mean(dim=0))
    assert lens.maps[2].abs().max() < 0.3


def test_penalties_are_positive(turned):
    with pytest.raises(ValueError, match="penalties are positive"):
        fit_lens(turned, penalties=[0.0])


@pytest.mark.model
def test_the_last_state_of_the_real_model_says_what_the_model_says():
    model = load_model()
    tokens = model.to_tokens("After Mary and John went to the store, John gave")
    positions = list(range(tokens.shape[1]))
    normed = normed_states(model, residual_stream(model, tokens, positions))

    reading = read(model, normed[[0, 15, -1]])

    with torch.no_grad():
        own = model(tokens)[0]
    assert torch.equal(reading.top[-1], own.argmax(dim=-1))
    confidence = own.softmax(dim=-1).max(dim=-1).values
    # Products of another shape are summed in another order, and processors differ in how.
    torch.testing.assert_close(reading.confidence[-1], confidence, atol=1e-4, rtol=1e-4)
    assert reading.kl[-1].abs().max() < 1e-3
    assert reading.kl[:-1].mean() > 5
