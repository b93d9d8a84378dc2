"""Activation patching beside TransformerLens's functions: the same values, in the same run.

Eight IOI prompts and the default model. TransformerLens runs the whole model once for each patch,
wherever it is made; it makes every third patch, spread over all layers, and its time is taken three
times. Its values are compared patch by patch.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd
import torch
from torch import Tensor
from transformer_lens import patching as theirs
from transformer_lens.model_bridge import TransformerBridge

from demos.forward import config_of
from demos.models import load_model, tiny_model
from demos.patching import sweep
from demos.prompts import IOIPrompts, ioi_batch, ioi_sentences
from tests.bench.operations import Products, least_operations
from tests.conftest import ROOT

TOLERANCE = 1e-4  # of the gap between the clean and the corrupted run
PER_ORDER = 4
EVERY = 3
SETTERS = {
    "resid_pre": (theirs.layer_pos_patch_setter, "pos"),
    "z": (theirs.layer_head_vector_patch_setter, "head_index"),
}
Row = tuple[str, float, str, str, float]
Metric = Callable[[Tensor], Tensor]


def measure() -> Iterator[Row]:
    model = load_model()
    prompts = pairs(model)
    clean, swapped = prompts.tokens, prompts.swapped().tokens
    metric = partial(logit_difference, io=prompts.io, s=prompts.s)
    from_first = prompts.corrupted_abc().tokens
    from_first[:, 0] = clean[:, 1]
    one_by_one(model, clean, swapped, mean_logit, "z", most=3)  # with it, what is made once

    seconds = {}
    for name, corrupted, site in (
        ("resid-pre", swapped, "resid_pre"),
        ("resid-pre-from-first", from_first, "resid_pre"),
        ("z", swapped, "z"),
    ):
        ours, found = timed(partial(sweep, model, clean, corrupted, metric, site))
        alternative, expected = timed(partial(one_by_one, model, clean, corrupted, metric, site))
        gap = (found.clean["metric"] - found.corrupted["metric"]).mean().abs().item()
        values = found.values.flatten()
        torch.testing.assert_close(values[::EVERY], expected, rtol=0, atol=TOLERANCE * gap)
        seconds[name] = ours
        yield f"patching-{name}", ours, "s", f"{len(values)} runs", EVERY * alternative

    with Products() as products:
        sweep(model, clean, swapped, metric)
    alone = products.seconds_alone()
    yield "patching-rate", seconds["resid-pre"], "s", "its matrix products alone", alone
    first = int((clean != swapped).any(dim=0).int().argmax())
    least = least_operations(config_of(model), *clean.shape, first) / 1e9
    yield "patching-operations", products.operations / 1e9, "GFLOP", "the least possible", least
    yield from growth()
    ours, alternative = (peak_memory_mb(whose) for whose in ("ours", "theirs"))
    yield "patching-memory", ours, "MB", "TransformerLens", alternative


def pairs(model: TransformerBridge) -> IOIPrompts:
    """Of the first template, in both orders."""
    sentences = ioi_sentences(model.tokenizer, PER_ORDER, seed=0, templates=[0])
    return ioi_batch(sentences, model.tokenizer)


def logit_difference(logits: Tensor, io: Tensor, s: Tensor) -> Tensor:
    last = logits if logits.ndim == 2 else logits[:, -1]
    return (last.gather(1, io[:, None]) - last.gather(1, s[:, None]))[:, 0]


def mean_logit(logits: Tensor) -> Tensor:
    return logits[..., 0].mean()


def one_by_one(
    model: TransformerBridge,
    clean: Tensor,
    corrupted: Tensor,
    metric: Metric,
    site: str,
    every: int = EVERY,
    most: int | None = None,
) -> Tensor:
    """TransformerLens's values of each so-manieth patch, by layer, then position or head."""
    setter, axis = SETTERS[site]
    width = clean.shape[1] if axis == "pos" else model.cfg.n_heads
    cells = [divmod(cell, width) for cell in range(0, model.cfg.n_layers * width, every)][:most]
    with torch.no_grad():
        _, cache = model.run_with_cache(clean)
        return theirs.generic_activation_patch(
            model,
            corrupted,
            cache,
            lambda logits: metric(logits).mean(),
            patch_setter=setter,
            activation_name=site,
            index_df=pd.DataFrame(cells, columns=["layer", axis]),
        )


def timed(run: Callable) -> tuple[float, object]:
    begun = time.perf_counter()
    result = run()
    return time.perf_counter() - begun, result


def growth() -> Iterator[Row]:
    """How many times more there is to compute when a model or a batch is twice as large."""
    sizes = {"layers": 8, "positions": 12, "batch": 4}
    start = counted(**sizes)
    for name, size in sizes.items():
        larger = counted(**sizes | {name: 2 * size})
        ours, alternative = (more / less for more, less in zip(larger, start, strict=True))
        yield f"patching-twice-the-{name}", ours, "times", "TransformerLens", alternative


def counted(layers: int, positions: int, batch: int) -> tuple[int, int]:
    """Operations of a sweep from the first token on, and of TransformerLens's."""
    model = tiny_model(n_layers=layers, d_model=64, d_mlp=256, d_head=16, n_ctx=64)
    generator = torch.Generator().manual_seed(0)
    clean, corrupted = torch.randint(50, (2, batch, positions), generator=generator)
    with Products() as ours:
        sweep(model, clean, corrupted, mean_logit)
    with Products() as alternative:
        one_by_one(model, clean, corrupted, mean_logit, "resid_pre", every=1)
    return ours.operations, alternative.operations


def peak_memory_mb(whose: str) -> float:
    """Of a process that loads the model and sweeps `z`."""
    command = [sys.executable, "-m", "tests.bench.patching", whose]
    return float(subprocess.check_output(command, cwd=ROOT, text=True).split()[-1])


def main(whose: str) -> None:
    model = load_model()
    prompts = pairs(model)
    metric = partial(logit_difference, io=prompts.io, s=prompts.s)
    pair = prompts.tokens, prompts.swapped().tokens
    if whose == "ours":
        sweep(model, *pair, metric, "z")
    else:
        one_by_one(model, *pair, metric, "z", most=3)  # each later patch takes what these take
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


if __name__ == "__main__":
    main(sys.argv[1])
