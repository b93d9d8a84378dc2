"""The explorer's numbers against whole forward passes with a hook."""

import pytest
import torch

from demos.models import tiny_model
from demos.patch_explorer import patched_logits
from demos.runs import Engine
from tests.test_patching import D_VOCAB, N_POSITIONS, prompts


@pytest.mark.parametrize(
    ("site", "hook"), [("resid_pre", "hook_resid_pre"), ("mlp_out", "hook_mlp_out")]
)
def test_every_patch_has_the_logits_of_a_run_with_a_hook(site, hook):
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = (tokens[:1] for tokens in prompts(2))
    _, cache = model.run_with_cache(clean)
    found = dict(patched_logits(Engine(model), clean, corrupted, site, "denoising"))

    assert {position for _, position, _ in found} <= set(range(2, N_POSITIONS))
    for (layer, position, _), logits in found.items():
        name = f"blocks.{layer}.{hook}"

        def put(x, hook, position=position, name=name):
            x = x.clone()
            x[:, position] = cache[name][:, position]
            return x

        with torch.no_grad():
            expected = model.run_with_hooks(corrupted, fwd_hooks=[(name, put)])[0, -1]
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)
