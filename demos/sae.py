"""A sparse autoencoder: directions that explain activations with few of them active at a time.

Source: the dictionary of Bricken et al. 2023, "Towards Monosemanticity", in its plainest form.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Activations = Float[Tensor, "run batch hidden"]


def train_dictionary(
    activations: Callable[[torch.Generator], Activations],
    n_latents: int,
    sparsity: float,
    seed: int,
    steps: int = 2000,
    learning_rate: float = 0.003,
) -> Float[Tensor, "run hidden latent"]:
    """Directions of length 1, as columns, learned from activations alone; many runs at once.

    `activations` draws a new batch with the generator given. Loss: squared error plus `sparsity`
    times the sum of the latents, which are ReLU(E (h - c) + e) and are decoded as D latents + c.
    """
    generator = torch.Generator().manual_seed(seed)
    runs, _, n_hidden = activations(generator).shape
    start = torch.randn(runs, n_hidden, n_latents, generator=generator)
    D = torch.nn.functional.normalize(start, dim=1).requires_grad_()
    E = D.detach().mT.clone().requires_grad_()
    e = torch.zeros(runs, 1, n_latents, requires_grad=True)
    c = torch.zeros(runs, 1, n_hidden, requires_grad=True)
    optimizer = torch.optim.Adam([D, E, e, c], lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        h = activations(generator)
        optimizer.zero_grad()
        latents = torch.relu((h - c) @ E.mT + e)
        error = (latents @ D.mT + c - h).square().sum(dim=-1)
        loss = (error + sparsity * latents.sum(dim=-1)).mean(dim=1).sum()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        with torch.no_grad():  # else the latents would shrink and the directions grow instead
            D.div_(D.norm(dim=1, keepdim=True))
    return D.detach()


def best_cosines(
    truth: Float[Tensor, "run hidden feature"], found: Float[Tensor, "run hidden latent"]
) -> Float[Tensor, "run feature"]:
    """For each true direction the cosine of the nearest one that was found."""
    unit = torch.nn.functional.normalize
    return (unit(truth, dim=1).mT @ unit(found, dim=1)).amax(dim=-1)
