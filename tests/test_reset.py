"""A reset network keeps every number and no order."""

import torch

from demos.attention_only import as_gpt
from demos.models import tiny_model
from demos.reset import reset


def test_each_matrix_keeps_its_numbers_and_loses_their_order():
    model = tiny_model()
    before = {name: value.clone() for name, value in as_gpt(model).named_parameters()}
    after = dict(reset(model, seed=3).named_parameters())

    for name, weight in before.items():
        if "blocks" not in name or ".W_" not in name:
            assert torch.equal(after[name], weight)
            continue
        one, other = (value.flatten(value.ndim - 2) for value in (weight, after[name]))
        assert torch.equal(one.sort(dim=-1).values, other.sort(dim=-1).values)
        assert not torch.equal(one, other)
    for name, value in as_gpt(model).named_parameters():
        assert torch.equal(value, before[name])


def test_the_seed_decides_the_disorder():
    model = tiny_model()
    tokens = torch.arange(6)[None]

    assert torch.equal(reset(model, 1)(tokens), reset(model, 1)(tokens))
    assert not torch.allclose(reset(model, 1)(tokens), reset(model, 2)(tokens))
