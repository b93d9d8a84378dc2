"""Weights multiplied through the layers below: what a unit looks for in pixels, ReLUs ignored.

Source: Voss et al. 2021, "Visualizing Weights", section on expanded weights.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from demos.vision import DigitNet


def expanded_weights(
    net: DigitNet, layer: int, weight: Float[Tensor, "unit source row column"] | None = None
) -> Float[Tensor, "unit row column"]:
    """Per unit, the weight of each pixel of its window if all layers below were linear.

    The network without ReLUs and biases is run on images with one bright pixel each. Pooling takes
    means: that is what it does, or what maximum pooling does on the average. `weight`: of other
    units in the place of the layer's own.
    """
    side = net.window(layer)
    x = torch.eye(side * side).view(-1, 1, side, side)
    for spec, convolution in zip(
        net.architecture.layers[:layer], net.convolutions[:layer], strict=True
    ):
        x = nn.functional.conv2d(x, convolution.weight)
        if spec.pooled:
            x = nn.functional.avg_pool2d(x, 2)
    own = net.convolutions[layer].weight if weight is None else weight
    return nn.functional.conv2d(x, own)[:, :, 0, 0].T.reshape(-1, side, side)
