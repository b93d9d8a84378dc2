"""Train the networks of `demos.vision` and write their weights; a minute or two of one core.

python -m demos.train_vision            train all, write demos/data/digits-*.safetensors
python -m demos.train_vision --check    train all, compare with what is kept, write nothing
"""

import argparse
import sys
from collections.abc import Sequence

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from demos.vision import ARCHITECTURES, NETWORKS, DigitNet, Digits, digits, load_net, weights_path

EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 8, 100, 3e-3, 0.3
SHIFT = 2  # pixels: each batch is moved by up to so many, so that no unit learns a place by heart
AGREEMENT = 0.95  # of two trainings that differ by rounding alone; other seeds are not so near


def train(net: DigitNet, on: Digits, seed: int, epochs: int = EPOCHS) -> None:
    """Train in place to name digits. AdamW; the learning rate rises, then falls to 0."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n = len(on.labels)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * -(-n // BATCH)
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(n, generator=generator).split(BATCH):
            moved = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=generator).tolist()
            images = on.images[chosen].roll(moved, dims=(1, 2))
            loss = nn.functional.cross_entropy(net(images), on.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def trained(name: str, seed: int) -> DigitNet:
    """The network that the committed weights of this name and seed come from."""
    net = DigitNet(ARCHITECTURES[name], seed)
    train(net, digits("fit"), seed)
    return net


def filter_agreement(one: DigitNet, other: DigitNet) -> float:
    """Mean correlation of the first layer's filters, each with the one at its own place."""
    filters = [net.convolutions[0].weight.detach().flatten(1) for net in (one, other)]
    centred = [each - each.mean(dim=1, keepdim=True) for each in filters]
    return nn.functional.cosine_similarity(*centred, dim=1).mean().item()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demos.train_vision")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    torch.set_num_threads(1)  # small tensors: more threads would only wait for one another
    strayed = 0
    for name in ARCHITECTURES:
        nets = [trained(name, seed) for seed in range(NETWORKS)]
        if check:
            for seed, net in enumerate(nets):
                agreement = filter_agreement(net, load_net(name, seed))
                strayed += agreement < AGREEMENT
                print(f"{name} {seed}: filters agree with those kept by {agreement:.3f}")
        else:
            kept: dict[str, Tensor] = {
                part: torch.stack([net.state_dict()[part] for net in nets])
                for part in nets[0].state_dict()
            }
            save_file(kept, weights_path(name))
            print(f"{weights_path(name).name}: {NETWORKS} networks")
    return 1 if strayed else 0


if __name__ == "__main__":
    sys.exit(main())
