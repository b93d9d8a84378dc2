"""One head's output exchanged for something else: another run's, a mean, zeros.

What a head seems to do depends on what it is exchanged for. Here the same heads meet any number of
replacements, in the layout of `demos.knockouts`: `head_outputs` of other prompts,
`mean_head_outputs`, or zero.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.metrics import LogitDifference
from demos.patch_sites import Cell, copies
from demos.prompts import IOIPrompts
from demos.runs import Engine, Run

COPIES_AT_ONCE = 30  # more take memory and no less time


def random_names(
    prompts: IOIPrompts, vocabulary: Int[Tensor, " token"], generator: torch.Generator
) -> Int[Tensor, "batch position"]:
    """The tokens of the prompts with a token of the vocabulary, drawn anew, for each name.

    Unlike in p_ABC, what stands there is no name.
    """
    drawn = torch.randint(len(vocabulary), prompts.name_positions.shape, generator=generator)
    return prompts.tokens.scatter(1, prompts.name_positions, vocabulary[drawn].to(prompts.tokens))


@torch.no_grad()
def head_effects(
    engine: Engine,
    base: Run,
    reference: Float[Tensor, "layer batch head position d_head"] | float,
    metric: LogitDifference,
    first: int = 0,
) -> Float[Tensor, "layer head example"]:
    """How much the metric changes when one head gives the reference, from position `first` on.

    A batch or position of 1 in the reference stands for all. Later layers answer to the change.
    """
    given = torch.as_tensor(reference, dtype=base.z[0].dtype, device=base.tokens.device)
    if given.ndim == 0:
        given = given.expand(engine.n_layers, 1, 1, 1, 1)
    source = replace(base, z=[one.expand_as(z) for one, z in zip(given, base.z, strict=True)])
    n_heads = engine.config.n_heads
    cells = [Cell(layer, head=head) for layer in range(engine.n_layers) for head in range(n_heads)]
    measured = []
    for start in range(0, len(cells), COPIES_AT_ONCE):
        made = copies(engine, base, source, "z", cells[start : start + COPIES_AT_ONCE], first)
        measured.append(_measure(engine, engine.resume(base, first, made.pre, made.mid), metric))
    effects = torch.cat(measured) - logit_difference(engine, base, metric)
    return effects.unflatten(0, (engine.n_layers, n_heads))


def logit_difference(
    engine: Engine, run: Run, metric: LogitDifference
) -> Float[Tensor, " example"]:
    """The metric of a run after its last token."""
    return _measure(engine, run.resid_pre[-1][:, None], metric)[0]


def strongest_overlap(
    one: Float[Tensor, "layer head"], other: Float[Tensor, "layer head"], count: int
) -> int:
    """How many of the `count` heads with the largest effects, of either sign, both have."""
    return int((_largest(one, count) & _largest(other, count)).sum())


def _largest(effects: Float[Tensor, "layer head"], count: int) -> Bool[Tensor, " place"]:
    sizes = effects.flatten().abs()
    found = torch.zeros(len(sizes), dtype=torch.bool)
    found[sizes.topk(count).indices] = True
    return found


def _measure(
    engine: Engine, final: Float[Tensor, "batch cell position d_model"], metric: LogitDifference
) -> Float[Tensor, "cell batch"]:
    read = engine.unembed_to(final[:, :, -1], metric.tokens)
    return metric.of(read.transpose(0, 1))
