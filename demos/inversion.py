"""Feature inversion: a picture that a layer answers to as it is asked to.

Source: Mahendran and Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them",
arXiv:1412.0035; the pictures in the cells of an activation atlas are made in this way.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from demos.vision import DigitNet


def invert(
    net: DigitNet,
    layer: int,
    targets: Float[Tensor, "target unit"],
    *,
    seed: int,
    steps: int = 150,
    smoothness: float = 0.3,
) -> Float[Tensor, "target row column"]:
    """Pictures as wide as the layer's window whose activations are near the targets.

    Minimized is the squared distance to the target, as a share of the target's squared length, plus
    `smoothness` times the mean squared difference of neighbouring pixels: of all pictures that
    would do, a smooth one. Pixels are from 0 to 1. Adam from grey with a little noise.
    """
    side = net.window(layer)
    generator = torch.Generator().manual_seed(seed)
    free = 0.1 * torch.randn(len(targets), side, side, generator=generator) - 1
    scale = targets.pow(2).sum(dim=1).clamp(min=1e-6)
    with torch.enable_grad():
        free.requires_grad_(True)
        optimizer = torch.optim.Adam([free], lr=0.15)
        for _ in range(steps):
            pixels = free.sigmoid()
            missed = (net.activations(pixels, layer)[..., 0, 0] - targets).pow(2).sum(dim=1)
            rough = pixels.diff(dim=1).pow(2).mean(dim=(1, 2)) + pixels.diff(dim=2).pow(2).mean(
                dim=(1, 2)
            )
            loss = (missed / scale + smoothness * rough).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return free.detach().sigmoid()
