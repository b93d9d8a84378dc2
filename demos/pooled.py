"""A network for digits that does not ask where: all places of its top layer count alike.

InceptionV1, of which the activation atlas was drawn, ends in a mean over all places; this ends in
a sum. `demos.vision.DigitNet` has weights of its own for each place instead.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from demos.vision import CLASSES, Architecture, DigitNet, Layer

POOLED = Architecture(
    (Layer(16, 5, True), Layer(64, 7, False)), nn.AvgPool2d, "trained where it is used"
)


class PooledNet(DigitNet):
    """Two convolutions, a sum over places, and one linear map: each place adds to a logit."""

    def __init__(self, seed: int = 0, architecture: Architecture = POOLED) -> None:
        super().__init__(architecture, seed)
        channels = architecture.layers[-1].channels
        generator = torch.Generator().manual_seed(seed)
        self.readout = nn.Linear(channels, CLASSES)
        with torch.no_grad():
            noise = torch.randn(self.readout.weight.shape, generator=generator)
            self.readout.weight.copy_(noise / channels)
            self.readout.bias.zero_()

    def forward(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image label"]:
        return self.read_out(self.activations(images, len(self.convolutions) - 1))

    def read_out(
        self, activations: Float[Tensor, "image unit row column"]
    ) -> Float[Tensor, "image label"]:
        """Logits from the activations of the top layer."""
        return self.readout(activations.sum(dim=(2, 3)))
