"""Four sets of small images, on which adversarial examples may or may not be features.

Two are digits as they ship with packages. In one a faint pattern is planted, so that there is a
non-robust feature of which we know all. In the last there is none: a class is light or dark, and
some labels are wrong.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor, nn

from demos.vision import digits

HELD_OUT = 500  # of the 1,797 digits of 8 x 8 pixels
PATTERN, TRUE = (
    0.5,
    0.9,
)  # a planted pattern's length, and how often it is that of the image's class
CONTRAST, GROUND = 0.6, 0.2  # leave room for the pattern above and below
SQUARES, LIGHT, DARK, NOISE, MISTAKEN = 500, 0.75, 0.25, 0.2, 0.1


@dataclass(frozen=True)
class Labelled:
    images: Float[Tensor, "image row column"]
    labels: Int[Tensor, " image"]


@dataclass(frozen=True)
class ImageSet:
    """Images to fit and to judge on, the classes, and how many times training sees each image."""

    fit: Labelled
    held_out: Labelled
    classes: int
    epochs: int

    @property
    def side(self) -> int:
        return self.fit.images.shape[-1]


def mnist() -> ImageSet:
    """Digits of `demos.vision`, each 2 x 2 pixels averaged to one: 14 x 14.

    All 1,000 held-out ones, and every second of those to fit: a training set is built and learned
    dozens of times.
    """
    fit, held_out = digits("fit"), digits("held-out")
    parts = [
        Labelled(nn.functional.avg_pool2d(images, 2), labels)
        for images, labels in (
            (fit.images[::2], fit.labels[::2]),
            (held_out.images, held_out.labels),
        )
    ]
    return ImageSet(*parts, classes=10, epochs=16)


def small_digits(seed: int) -> ImageSet:
    """The digits of 8 x 8 pixels in scikit-learn; the seed says which are held out."""
    whole = load_digits()
    images = torch.from_numpy(whole.images).float() / 16
    labels = torch.from_numpy(whole.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out, fit = order[:HELD_OUT], order[HELD_OUT:]
    return ImageSet(
        Labelled(images[fit], labels[fit]),
        Labelled(images[held_out], labels[held_out]),
        classes=10,
        epochs=24,
    )


def patterns(classes: int, side: int, seed: int) -> Float[Tensor, "pattern row column"]:
    """Random patterns of length PATTERN, at right angles to each other and to a flat image."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(classes + 1, side * side, generator=generator)
    drawn[0] = 1.0
    at_right_angles = torch.linalg.qr(drawn.T).Q.T
    return PATTERN * at_right_angles[1:].view(classes, side, side)


def planted(seed: int) -> ImageSet:
    """MNIST with less contrast and with a faint pattern: nine times in ten that of the class.

    Otherwise it is the pattern of a class drawn by lot, so the pattern alone names 91 % of the
    images rightly.
    """
    plain = mnist()
    generator = torch.Generator().manual_seed(seed)
    shapes = patterns(plain.classes, plain.side, seed)

    def with_pattern(part: Labelled) -> Labelled:
        n = len(part.labels)
        told = torch.rand(n, generator=generator) < TRUE
        other = torch.randint(plain.classes, (n,), generator=generator)
        added = shapes[torch.where(told, part.labels, other)]
        return Labelled((GROUND + CONTRAST * part.images + added).clamp(0, 1), part.labels)

    return ImageSet(
        with_pattern(plain.fit), with_pattern(plain.held_out), classes=plain.classes, epochs=16
    )


def squares(seed: int, side: int = 14) -> ImageSet:
    """Light and dark squares under noise; one in ten of the labels to fit is wrong.

    Whether a square is light is a feature that no small change takes away. Nothing else is useful,
    and all that a network knows beyond it are the wrong labels that it learned by heart.
    Source: "adversarial squares", Nakkiran 2019, doi:10.23915/distill.00019.5.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(n: int) -> Labelled:
        labels = torch.randint(2, (n,), generator=generator)
        level = torch.where(labels == 1, LIGHT, DARK)[:, None, None]
        noise = NOISE * torch.randn(n, side, side, generator=generator)
        return Labelled((level + noise).clamp(0, 1), labels)

    fit, held_out = drawn(SQUARES), drawn(2 * SQUARES)
    mistaken = torch.rand(SQUARES, generator=generator) < MISTAKEN
    labels = torch.where(mistaken, 1 - fit.labels, fit.labels)
    return ImageSet(Labelled(fit.images, labels), held_out, classes=2, epochs=60)
