"""The hand-set gates: what they compute, and what patching says of them."""

import pytest
import torch

from demos.gates import answer, gate, prompt
from demos.patching import sweep

TRUE = {"and": [(1, 1)], "or": [(0, 1), (1, 0), (1, 1)]}
BITS = [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("kind", ["and", "or"])
def test_a_gate_computes_what_it_is_called(kind):
    model = gate(kind)

    for bits in BITS:
        with torch.no_grad():
            value = answer(model(prompt(*bits))[:, -1]).item()
        assert (value > 0.1) == (bits in TRUE[kind])
        assert (value < -0.1) == (bits not in TRUE[kind])


@pytest.mark.parametrize(("kind", "restored", "broken"), [("and", 0, 1), ("or", 1, 0)])
def test_one_head_suffices_for_or_and_is_needed_for_and(kind, restored, broken):
    model = gate(kind)
    denoised = sweep(model, prompt(1, 1), prompt(0, 0), answer, "z").normalized()
    noised = sweep(model, prompt(1, 1), prompt(0, 0), answer, "z", direction="noising").normalized()

    torch.testing.assert_close(denoised, torch.full((1, 2), float(restored)), atol=1e-5, rtol=0)
    torch.testing.assert_close(1 - noised, torch.full((1, 2), float(broken)), atol=1e-5, rtol=0)


def test_another_gate_is_refused():
    with pytest.raises(ValueError, match="a gate is 'and' or 'or', not 'xor'"):
        gate("xor")
