"""Attacks within a small distance, robust training, and the training sets that Ilyas et al. build.

A network here is a `Sequential` whose last module is its readout; what comes before is its
representation. Images are square and grey, from 0 to 1, and every change is measured by the
Euclidean length of all pixels together (L2).
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BATCH, CHUNK = 100, 500  # images: in a step of training, and attacked at once
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
REPRESENTATION = 32  # numbers before the readout, fewer than pixels: the image is not in them
OVERSHOOT = 2.5  # the steps of an attack together reach so many radii


class _Channel(nn.Module):
    def forward(self, images: Float[Tensor, "image row column"]) -> Tensor:
        return images[:, None]


def convolutional(side: int, classes: int, seed: int) -> nn.Sequential:
    """Two convolutions of stride 2, then a dense layer. The same `seed` gives the same weights."""
    small = -(-side // 4)
    return _seeded(
        seed,
        lambda: [
            _Channel(),
            nn.Conv2d(1, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * small * small, REPRESENTATION),
            nn.ReLU(),
            nn.Linear(REPRESENTATION, classes),
        ],
    )


def dense(side: int, classes: int, seed: int) -> nn.Sequential:
    """No convolution: two dense layers. The same `seed` gives the same weights."""
    return _seeded(
        seed,
        lambda: [
            nn.Flatten(),
            nn.Linear(side * side, 256),
            nn.ReLU(),
            nn.Linear(256, REPRESENTATION),
            nn.ReLU(),
            nn.Linear(REPRESENTATION, classes),
        ],
    )


def _seeded(seed: int, layers: Callable[[], list[nn.Module]]) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(*layers())


def train(
    net: nn.Sequential,
    images: Float[Tensor, "image ..."],
    labels: Int[Tensor, " image"],
    *,
    epochs: int,
    seed: int,
    radius: float = 0.0,
) -> nn.Sequential:
    """Train in place to name images, and return the network, frozen.

    AdamW; the learning rate rises, then falls to 0. With a `radius` each batch is attacked within
    it first, in three steps, and its attacked form is learned: robust training (Madry et al. 2018,
    arXiv:1706.06083, section 2). The radius grows to its full size over the first half.
    """
    net.requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        for epoch in range(epochs):
            reach = radius * min(1.0, 2 * (epoch + 1) / epochs)
            for chosen in torch.randperm(len(labels), generator=generator).split(BATCH):
                shown, said = images[chosen], labels[chosen]
                if reach:
                    shown = attack(net, shown, said, reach, steps=3)
                loss = nn.functional.cross_entropy(net(shown), said)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return net.requires_grad_(False)


def attack(
    net: nn.Sequential,
    images: Float[Tensor, "image row column"],
    labels: Int[Tensor, " image"],
    radius: float,
    *,
    steps: int = 10,
    towards: bool = False,
    spared: Sequence[nn.Sequential] = (),
    kept: Int[Tensor, " image"] | None = None,
) -> Float[Tensor, "image row column"]:
    """Images changed by at most `radius` so that the network is led away from their labels.

    With `towards` it is led to the `labels` instead. `spared` networks are not to be fooled: the
    same steps lower their loss on the `kept` labels, so that what is found is this network's own.
    Projected gradient descent from the image itself; each step has the same length, and ends
    within the radius and within 0 to 1. Raises ValueError for a radius below 0, or for networks
    to spare without labels to keep.
    Sources: Madry et al. 2018, section 2.1; sparing others: Nakkiran 2019,
    doi:10.23915/distill.00019.5.
    """
    if radius < 0:
        raise ValueError(f"a radius is 0 or more, not {radius:g}")
    if spared and kept is None:
        raise ValueError("networks to spare need the labels that they should keep")
    keeping = labels if kept is None else kept
    return torch.cat(
        [
            _attack(net, *some, radius, steps, towards, spared)
            for some in zip(
                images.split(CHUNK), labels.split(CHUNK), keeping.split(CHUNK), strict=True
            )
        ]
    )


def _attack(
    net: nn.Sequential,
    images: Tensor,
    labels: Tensor,
    kept: Tensor,
    radius: float,
    steps: int,
    towards: bool,
    spared: Sequence[nn.Sequential],
) -> Tensor:
    step = OVERSHOOT * radius / steps
    shown = images.clone()
    for _ in range(steps):
        shown.requires_grad_(True)
        with torch.enable_grad():
            loss = _summed_loss(net(shown), labels)
            descent = loss if towards else -loss
            for other in spared:
                descent = descent + _summed_loss(other(shown), kept)
            (gradient,) = torch.autograd.grad(descent, shown)
        change = shown.detach() - step * _unit(gradient) - images
        change = change * (radius / _lengths(change).clamp(min=radius or 1.0))
        shown = (images + change).clamp(0, 1)
    return shown.detach()


def _summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def _lengths(images: Tensor) -> Tensor:
    return images.flatten(1).norm(dim=1)[:, None, None]


def _unit(images: Tensor) -> Tensor:
    return images / _lengths(images).clamp(min=1e-12)


def represented(
    net: nn.Sequential, images: Float[Tensor, "image row column"]
) -> Float[Tensor, "image feature"]:
    """What the readout of a network reads."""
    features = images
    for module in list(net)[:-1]:
        features = module(features)
    return features


def rebuilt(
    net: nn.Sequential,
    images: Float[Tensor, "image row column"],
    starts: Float[Tensor, "image row column"],
    *,
    steps: int = 30,
    step: float = 0.3,
) -> Float[Tensor, "image row column"]:
    """Other images, changed until the network represents them as it represents `images`.

    What the network does not use is left as it is in `starts`. Steps of gradient descent on the
    distance of the representations; their length falls from `step` to 0.
    Source: Ilyas et al. 2019, section 3.1 and appendix C.
    """
    found = []
    for wanted, shown in zip(images.split(CHUNK), starts.split(CHUNK), strict=True):
        target = represented(net, wanted).detach()
        for done in range(steps):
            shown = shown.detach().requires_grad_(True)
            with torch.enable_grad():
                distance = (represented(net, shown) - target).norm(dim=1).sum()
                (gradient,) = torch.autograd.grad(distance, shown)
            shown = shown.detach() - step * (1 - done / steps) * _unit(gradient)
            shown = shown.clamp(0, 1)
        found.append(shown.detach())
    return torch.cat(found)


def names(net: nn.Sequential, images: Float[Tensor, "image row column"]) -> Int[Tensor, " image"]:
    """The class that a network names for each image."""
    with torch.no_grad():
        return net(images).argmax(dim=1)


def right(
    net: nn.Sequential,
    images: Float[Tensor, "image row column"],
    labels: Int[Tensor, " image"],
) -> int:
    """How many images are called by their labels."""
    return int((names(net, images) == labels).sum())


def right_under_attack(
    net: nn.Sequential,
    images: Float[Tensor, "image row column"],
    labels: Int[Tensor, " image"],
    radius: float,
    steps: int = 20,
) -> int:
    """How many images keep their label when this network is attacked within the radius.

    An image counts only if it was named rightly before the attack as well.
    """
    attacked = attack(net, images, labels, radius, steps=steps)
    kept = (names(net, images) == labels) & (names(net, attacked) == labels)
    return int(kept.sum())


def noise_of_length(
    images: Float[Tensor, "image row column"], length: float, generator: torch.Generator
) -> Float[Tensor, "image row column"]:
    """The images with noise of this L2 length added, within 0 to 1 as an attack is.

    What the limits cut off is made up for by stronger noise elsewhere.
    """
    noise = _unit(torch.randn(images.shape, generator=generator))
    strength = torch.full_like(_lengths(noise), length)
    for _ in range(8):
        shown = (images + strength * noise).clamp(0, 1)
        strength = strength * length / _lengths(shown - images).clamp(min=1e-12)
    return shown


def readout_of(
    net: nn.Sequential,
    images: Float[Tensor, "image row column"],
    labels: Int[Tensor, " image"],
    *,
    epochs: int,
    seed: int,
) -> nn.Sequential:
    """The network with its readout learned anew from these images; all below stays as it is."""
    *below, old = net
    assert isinstance(old, nn.Linear)
    (fresh,) = _seeded(seed, lambda: [nn.Linear(old.in_features, old.out_features)])
    with torch.no_grad():
        features = represented(net, images)
    readout = train(nn.Sequential(fresh), features, labels, epochs=epochs, seed=seed)
    return nn.Sequential(*below, *readout)
