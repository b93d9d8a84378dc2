"""One head's output exchanged, against runs of the whole model with that head knocked out."""

import pytest
import torch

from demos.corruptions import head_effects, logit_difference, random_names, strongest_overlap
from demos.knockouts import Knockouts, head_outputs, head_parts, mean_head_outputs
from demos.metrics import LogitDifference
from demos.prompts import IOIPrompts
from demos.runs import Engine
from tests.tiny import GPT2, LLAMA, random_model

KINDS = {"gpt2": GPT2, "llama": LLAMA}
GENERATOR = torch.Generator().manual_seed(5)
TOKENS = torch.randint(50, (3, 6), generator=GENERATOR)
OTHERS = torch.randint(50, (3, 6), generator=GENERATOR)
METRIC = LogitDifference(torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6]))


@pytest.fixture(params=KINDS)
def model(request):
    return random_model(**KINDS[request.param])


@pytest.fixture
def engine(model):
    return Engine(model)


@pytest.fixture
def base(engine):
    with torch.no_grad():
        return engine.run(TOKENS)


def test_metric_is_that_of_the_model(model, engine, base):
    expected = METRIC(model(TOKENS)[:, -1])

    torch.testing.assert_close(logit_difference(engine, base, METRIC), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["other run", "mean", "zero"])
def test_effect_of_a_head_is_that_of_knocking_it_out(model, engine, base, kind):
    reference = {
        "other run": head_outputs(model, OTHERS),
        "mean": mean_head_outputs(model, OTHERS),
        "zero": 0.0,
    }[kind]
    knockouts = Knockouts(model, TOKENS, METRIC, head_parts(model), reference)

    found = head_effects(engine, base, reference, METRIC)

    expected = knockouts.knock_out([[part] for part in knockouts.parts])
    expected = expected - METRIC(model(TOKENS)[:, -1])
    torch.testing.assert_close(found.flatten(0, 1), expected, atol=1e-4, rtol=0)
    assert found.abs().max() > 0.01


def test_from_the_last_position_on_only_that_position_is_exchanged(model, engine, base):
    places = {"END": torch.tensor([5, 5, 5])}
    parts = head_parts(model, places, n_positions=6)
    reference = head_outputs(model, OTHERS)

    found = head_effects(engine, base, reference, METRIC, first=5)

    expected = Knockouts(model, TOKENS, METRIC, parts, reference).knock_out([[p] for p in parts])
    expected = expected - METRIC(model(TOKENS)[:, -1])
    torch.testing.assert_close(found.flatten(0, 1), expected, atol=1e-4, rtol=0)


def test_own_output_changes_nothing(model, engine, base):
    found = head_effects(engine, base, head_outputs(model, TOKENS), METRIC)

    assert found.abs().max() < 1e-4


def test_only_names_are_drawn_anew_and_from_the_vocabulary():
    names = torch.tensor([[0, 2, 4], [1, 2, 5], [0, 3, 5]])
    prompts = IOIPrompts((), TOKENS, METRIC.right, METRIC.wrong, names, {})
    vocabulary = torch.tensor([60, 61])

    found = random_names(prompts, vocabulary, torch.Generator().manual_seed(0))

    assert set(found.gather(1, names).flatten().tolist()) <= {60, 61}
    assert torch.equal(found.scatter(1, names, 0), TOKENS.scatter(1, names, 0))


def test_overlap_counts_strong_effects_of_either_sign():
    one, other = torch.tensor([[3.0, -2.0], [1.0, 0.0]]), torch.tensor([[0.0, 5.0], [-4.0, 1.0]])

    assert strongest_overlap(one, other, 2) == 1
    assert strongest_overlap(one, one, 2) == 2
