"""Attribution patching: every cell of a sweep estimated from one gradient.

The estimate is the first term of a Taylor series around the run that is patched: gradient of the
metric, times what the patch would change. It is exact where the model is linear.

Source: Nanda 2023, "Attribution Patching"; Syed et al. 2023, arXiv:2310.10348.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from demos.blocks import Values, Workspace
from demos.runs import Run

# How an array of (batch, position, ...) or (batch, head, position, ...) becomes that of a sweep.
Part = Float[Tensor, "batch *any"]


@torch.enable_grad()
def estimate(work: Workspace, axes: tuple[str, ...]) -> Values:
    """What each cell of the workspace's sweep would come to, by metric."""
    job = work.job
    tracked = work.engine.run(work.base.tokens)
    measured = work.measure(work.logits(tracked))
    found = {}
    for name, values in measured.items():
        parts, changes = _parts(job.site, tracked, work.source, work.engine.pattern)
        gradients = torch.autograd.grad(values.sum(), parts, retain_graph=True)
        by_layer = [
            _effects(job.site, gradient, change, tracked, layer, axes)
            for layer, (gradient, change) in enumerate(zip(gradients, changes, strict=True))
        ]
        effects = torch.stack(by_layer)  # (layer, *axes, example)
        if len(values) == 1:
            effects = effects.sum(dim=-1, keepdim=True)
        found[name] = (work.base_values[name] + effects).detach()
    return found


def _parts(
    site: str, base: Run, source: Run, pattern: Callable[[Tensor, Tensor], Tensor]
) -> tuple[list[Part], list[Part]]:
    """The activations of a site, by layer, and how far those of the other run are from them."""
    layers = range(len(base.z))
    match site:
        case "attn_out":  # what is added to the stream has the stream's own gradient
            changes = [source.attn_out(layer) - base.attn_out(layer) for layer in layers]
            return base.resid_mid, changes
        case "mlp_out":
            changes = [source.mlp_out(layer) - base.mlp_out(layer) for layer in layers]
            return base.resid_pre[1:], changes
        case "resid_pre":
            return base.resid_pre[:-1], _differences(source.resid_pre[:-1], base.resid_pre[:-1])
        case "pattern":  # its gradient is that of z, taken along the values
            changes = [
                pattern(source.q[n], source.k[n]) - pattern(base.q[n], base.k[n]) for n in layers
            ]
            return base.z, changes
        case _:
            return getattr(base, site), _differences(getattr(source, site), getattr(base, site))


def _differences(new: list[Tensor], old: list[Tensor]) -> list[Tensor]:
    return [one - other for one, other in zip(new, old, strict=True)]


def _effects(
    site: str, gradient: Tensor, change: Tensor, base: Run, layer: int, axes: tuple[str, ...]
) -> Float[Tensor, "*axes example"]:
    if site == "pattern":
        gradient = gradient @ base.v[layer].mT  # (batch, head, query, key)
    effect = (gradient * change).sum(dim=-1)  # (batch, position) or (batch, head, position)
    match axes:
        case ("layer", "position"):
            return effect.mT
        case ("layer", "head"):
            return effect.sum(dim=-1).mT
        case _:
            return effect.permute(2, 1, 0)
