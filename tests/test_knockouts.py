"""Knocked-out heads against TransformerLens's hooks, one run of the whole model at a time."""

import pytest
import torch

from demos.attention_only import as_gpt
from demos.faithfulness import faithfulness
from demos.knockouts import Knockouts, Together, head_outputs, head_parts, mean_head_outputs
from demos.models import tiny_model
from demos.toys import as_bridge, hand_built_induction
from tests.tiny import GPT2, LLAMA, random_model

KINDS = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "attention-only": {"attn_only": True},
    "bare": {"attn_only": True, "normalization_type": None},
}
GENERATOR = torch.Generator().manual_seed(3)
TOKENS = torch.randint(50, (3, 6), generator=GENERATOR)
OTHERS = torch.randint(50, (4, 6), generator=GENERATOR)
PLACES = {"first": torch.tensor([0, 1, 2]), "END": torch.tensor([5, 5, 5])}


@pytest.fixture(params=KINDS)
def model(request):
    return random_model(**KINDS[request.param])


def metric(logits):
    return logits[:, 3] - logits[:, 5]


def by_hooks(model, out, reference):
    """`out`: (batch, layer, head, position); the metric with z replaced there."""

    def replace(z, hook):  # (batch, position, head, d_head)
        here = out[:, hook.layer()].transpose(1, 2)[..., None]
        return torch.where(here, reference[hook.layer()].transpose(1, 2), z)

    hooks = [(f"blocks.{layer}.attn.hook_z", replace) for layer in range(model.cfg.n_layers)]
    with torch.no_grad():
        return metric(model.run_with_hooks(TOKENS, fwd_hooks=hooks)[:, -1])


def test_logits_are_those_of_the_model(model):
    torch.testing.assert_close(as_gpt(model)(TOKENS), model(TOKENS), atol=1e-4, rtol=1e-4)


def test_outputs_of_heads_are_those_of_the_model(model):
    _, cache = model.run_with_cache(TOKENS)

    expected = torch.stack([cache["z", layer].transpose(1, 2) for layer in range(2)])

    torch.testing.assert_close(head_outputs(model, TOKENS), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("ablation", ["mean", "zero", "resample"])
def test_heads_are_knocked_out_as_by_hooks(model, ablation):
    reference = {
        "mean": mean_head_outputs(model, OTHERS),
        "zero": torch.zeros(2, 1, 1, 1, 1),
        "resample": head_outputs(model, OTHERS[:3]),
    }[ablation]
    parts = head_parts(model, PLACES, n_positions=6)
    given = 0.0 if ablation == "zero" else reference
    knockouts = Knockouts(model, TOKENS, metric, parts, given)
    sets = [[(1, 0, "END")], [(0, 2, "first"), (1, 0, "END"), (1, 3, "first")], []]
    masks = [sum((parts[part] for part in one), torch.zeros(3, 2, 4, 6).bool()) for one in sets]

    torch.testing.assert_close(
        knockouts.knock_out(sets),
        torch.stack([by_hooks(model, mask, reference) for mask in masks]),
        atol=1e-4,
        rtol=1e-4,
    )
    torch.testing.assert_close(
        knockouts.keep(sets),
        torch.stack([by_hooks(model, ~mask, reference) for mask in masks]),
        atol=1e-4,
        rtol=1e-4,
    )


def test_whatever_is_asked_for_together_is_as_asked_for_alone(model):
    knockouts = Knockouts(model, TOKENS, metric, head_parts(model))
    sets = [[(0, 1)], [(1, 1)], [(0, 1), (1, 2)]]

    together = knockouts.keep(sets)

    alone = torch.cat([knockouts.keep([one]) for one in sets])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_a_mean_is_taken_over_the_group_of_each_example(model):
    groups, of = torch.tensor([0, 1, 1, 0]), torch.tensor([1, 0, 1])

    means = mean_head_outputs(model, OTHERS, groups, of)

    every = head_outputs(model, OTHERS)
    torch.testing.assert_close(means[:, 0], every[:, 1:3].mean(dim=1))
    torch.testing.assert_close(means[:, 1], every[:, [0, 3]].mean(dim=1))
    with pytest.raises(ValueError, match="no sample of group 7"):
        mean_head_outputs(model, OTHERS, groups, torch.tensor([7]))


def test_batches_of_different_lengths_are_judged_as_one():
    model = tiny_model()
    parts = head_parts(model)
    batches = [Knockouts(model, tokens, metric, parts) for tokens in (TOKENS, OTHERS[:2, :4])]

    kept = Together(batches).keep([[(0, 0)], list(parts)])

    assert kept.shape == (2, 5)
    torch.testing.assert_close(kept[:, :3], batches[0].keep([[(0, 0)], list(parts)]))


def test_the_induction_circuit_is_both_heads_and_either_alone_is_nothing():
    toy = hand_built_induction(d_vocab=6, n_ctx=8)
    tokens = torch.tensor([[0, 1, 2, 3, 1, 2], [5, 4, 0, 2, 5, 4]])  # next: 3 and 0

    def right(logits):
        return logits.softmax(dim=-1)[[0, 1], [3, 0]]

    knockouts = Knockouts(as_bridge(toy), tokens, right, head_parts(as_bridge(toy)))

    assert faithfulness(knockouts, [(0, 0), (1, 0)]).share == pytest.approx(1)
    assert faithfulness(knockouts, [(1, 0)]).share < 0.4
    assert faithfulness(knockouts, [(0, 0)]).share < 0.4


def test_parts_and_metrics_that_do_not_fit_are_refused():
    model = tiny_model()
    with pytest.raises(ValueError, match=r"\(9, 9\) is no part"):
        Knockouts(model, TOKENS, metric, head_parts(model)).keep([[(9, 9)]])
    with pytest.raises(ValueError, match="not one number an example"):
        Knockouts(model, TOKENS, lambda logits: logits.mean(), head_parts(model)).keep([[]])
    with pytest.raises(ValueError, match="need n_positions"):
        head_parts(model, PLACES)
