"""Scores of heads on IOI prompts, some on a tiny model with weights set by hand."""

import pytest
import torch

from demos.ioi_heads import (
    class_of,
    copying,
    direct_attribution,
    effects,
    looks,
    through_scale,
)
from demos.metrics import LogitDifference
from demos.models import tiny_model
from demos.nodes import Head
from demos.runs import Engine
from tests.test_pointers import batch


@pytest.fixture(scope="module")
def model():
    return tiny_model(normalization_type="LN")


@pytest.mark.parametrize(
    ("at_end", "copies", "anti", "name"),
    [
        ({"IO": 0.6, "S1": 0.1, "S2": 0.1, "END": 0.0}, 0.9, 0.0, "name mover"),
        ({"IO": 0.6, "S1": 0.1, "S2": 0.1, "END": 0.0}, 0.0, 0.9, "negative name mover"),
        ({"IO": 0.1, "S1": 0.1, "S2": 0.6, "END": 0.0}, 0.0, 0.9, "subject suppressor"),
        ({"IO": 0.1, "S1": 0.3, "S2": 0.1, "END": 0.0}, 0.9, 0.0, "subject copier"),
        ({"IO": 0.1, "S1": 0.1, "S2": 0.1, "END": 0.5}, 0.9, 0.0, "relay"),
        ({"IO": 0.1, "S1": 0.1, "S2": 0.7, "END": 0.0}, 0.1, 0.2, "other"),
    ],
)
def test_a_head_is_named_by_where_it_looks_and_what_it_writes(at_end, copies, anti, name):
    assert class_of(Head(1, 0), at_end, copies, anti) == name


def test_looks_are_the_patterns_of_the_model(model):
    prompts, engine = batch(), Engine(model)
    with torch.no_grad():
        run = engine.run(prompts.tokens)
        _, cache = model.run_with_cache(prompts.tokens)

    found = looks(engine, [run], [prompts], [("END", "IO"), ("S2", "S1")])

    # In the first prompt IO stands at 1 and S at 3, in the second the other way round.
    for layer in range(2):
        pattern = cache["pattern", layer]
        expected = torch.stack([pattern[0, :, 6, 1], pattern[1, :, 6, 3]])
        torch.testing.assert_close(found["END", "IO"][:, layer], expected, rtol=1e-4, atol=1e-5)
        expected = torch.stack([pattern[0, :, 5, 3], pattern[1, :, 5, 1]])
        torch.testing.assert_close(found["S2", "S1"][:, layer], expected, rtol=1e-4, atol=1e-5)


def test_a_head_made_to_copy_copies_and_its_negative_suppresses(model):
    prompts, engine = batch(), Engine(model)
    with torch.no_grad():
        run = engine.run(prompts.tokens)
        attention = engine.blocks[1].attn
        kept = attention.W_O[0].clone()
        names = torch.tensor([10, 11])
        x = engine.blocks[1].ln1(run.resid_pre[1][0, [1, 3]])
        values = x @ attention.W_V[0] + attention.b_V[0]  # of the two names
        wanted = engine.gpt.W_U[:, names].T
        try:
            attention.W_O[0] = torch.linalg.pinv(values) @ wanted
            copies = copying(engine, [run], [prompts], Head(1, 0))
            attention.W_O[0] = -attention.W_O[0]
            suppresses = copying(engine, [run], [prompts], Head(1, 0))
        finally:
            attention.W_O[0] = kept

    assert copies[0] >= 0.75
    assert suppresses[1] >= 0.75
    assert copies[1] == suppresses[0] == 0


def test_a_direct_effect_is_what_is_written_and_what_the_scale_does(model):
    prompts, engine = batch(), Engine(model)
    other = prompts.corrupted_abc(0)
    with torch.no_grad():
        runs = [(engine.run(prompts.tokens), engine.run(other.tokens))]
        own, scale = through_scale(engine, runs, [prompts], Head(1, 2))
        written = [
            direct_attribution(
                engine,
                torch.stack([z[:, :, -1] for z in run.z]),
                runs[0][0].resid_pre[-1][:, -1],
                prompts,
            )
            for run in runs[0]
        ]

    found = effects(model, [(prompts, other)], ["1.2", "0.1"], "logits", definition="strict")

    assert own + scale == pytest.approx(found.effects[0].mean().item(), abs=1e-4)
    assert own == pytest.approx((written[1] - written[0])[1, :, 2].mean().item(), abs=1e-4)
    assert found.of("1.2") == pytest.approx((found.effects[0].mean() / found.base.mean()).item())
    assert found.by_head(2, 4)[0, 1] == pytest.approx(found.of(Head(0, 1)))
    torch.testing.assert_close(
        found.base, LogitDifference(prompts.io, prompts.s)(model(prompts.tokens)[:, -1])
    )
