"""Attacks, robust training, mislabelled sets: on networks whose answers are known on paper."""

import pytest
import torch
from torch import nn

from demos import adversarial
from demos.adversarial import (
    attack,
    convolutional,
    dense,
    names,
    noise_of_length,
    readout_of,
    rebuilt,
    represented,
    right,
    right_under_attack,
    train,
)
from demos.epsilon_explorer import Example, Sweep, explorer_data
from demos.image_sets import PATTERN, mnist, patterns, planted, small_digits, squares


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lightness(side=4):
    """A network that says 1 where the pixels add up to more than half of them, and else 0."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 2))
    with torch.no_grad():
        net[1].weight[0], net[1].weight[1] = 0.0, 1.0
        net[1].bias.copy_(torch.tensor([0.0, -side * side / 2]))
    return net.requires_grad_(False)


def grey(*levels, side=4):
    return torch.tensor(levels)[:, None, None].expand(-1, side, side).clone()


def test_an_attack_on_a_sum_moves_all_pixels_alike_and_ends_at_its_radius():
    images, labels = grey(0.4, 0.6), torch.tensor([0, 1])
    attacked = attack(lightness(), images, labels, radius=0.8)

    # Each of 16 pixels is moved by 0.2, so that all of them together are moved by 0.8.
    torch.testing.assert_close(attacked, grey(0.6, 0.4))
    assert names(lightness(), attacked).tolist() == [1, 0]


def test_an_attack_towards_a_label_reaches_it():
    images, targets = grey(0.4, 0.6, 0.4), torch.tensor([1, 1, 0])
    attacked = attack(lightness(), images, targets, radius=0.8, towards=True)

    assert names(lightness(), attacked).tolist() == [1, 1, 0]
    torch.testing.assert_close(attacked[2], images[2] - 0.2)


def test_an_attack_stays_within_its_radius_and_within_what_a_pixel_can_be():
    images = torch.rand(700, 8, 8, generator=seeded())  # more than are attacked at once
    labels = (images[:, :4].mean(dim=(1, 2)) > 0.5).long()
    net = train(convolutional(8, 2, seed=0), images, labels, epochs=2, seed=0)
    attacked = attack(net, images, labels, radius=0.5)

    assert (attacked - images).flatten(1).norm(dim=1).max() < 0.5001
    assert (attacked.min() >= 0, attacked.max() <= 1) == (True, True)
    assert right(net, attacked, labels) < right(net, images, labels)
    torch.testing.assert_close(attack(net, images, labels, radius=0.0), images)


def test_an_attack_that_spares_a_network_does_not_fool_it():
    """The one attacked adds up the upper half, the one spared both halves."""
    fooled, spared = lightness(), lightness()
    fooled[1].weight[1, 8:] = 0
    fooled[1].bias[1] = -4.0
    images, labels, targets = grey(0.45), torch.tensor([0]), torch.tensor([1])

    def led(**sparing):
        attacked = attack(fooled, images, targets, radius=0.6, towards=True, steps=40, **sparing)
        return names(fooled, attacked).item(), names(spared, attacked).item()

    assert led() == (1, 1)
    assert led(spared=[spared], kept=labels) == (1, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -1.0}, "0 or more, not -1"),
        ({"radius": 1.0, "spared": [lightness()]}, "labels that they should keep"),
    ],
)
def test_an_attack_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        attack(lightness(), grey(0.4), torch.tensor([0]), **options)


def test_what_was_wrong_before_the_attack_does_not_count_as_withstood():
    images = grey(0.1, 0.45, 0.9)
    labels = torch.tensor([0, 0, 0])  # the last is wrong

    assert right(lightness(), images, labels) == 2
    assert right_under_attack(lightness(), images, labels, radius=0.4) == 1


def test_robust_training_goes_by_the_feature_that_an_attack_cannot_flip():
    """A pixel is always right but hardly moves; the rest is right four times in five, and far."""
    generator = seeded()
    labels = torch.randint(2, (600,), generator=generator)
    told = torch.where(torch.rand(600, generator=generator) < 0.8, labels, 1 - labels)
    images = (0.4 + 0.2 * told.float())[:, None, None].expand(-1, 4, 4).clone()
    images[:, 0, 0] = 0.35 + 0.3 * labels.float()

    def trained(radius):
        return train(dense(4, 2, seed=0), images, labels, epochs=15, seed=0, radius=radius)

    standard, robust = trained(0.0), trained(0.25)
    kept = [right_under_attack(net, images, labels, 0.25) for net in (standard, robust)]
    assert right(standard, images, labels) > 570
    assert right(robust, images, labels) < 530
    assert kept[1] > kept[0] + 100


def test_the_same_seed_trains_the_same_network_and_leaves_the_global_one_alone():
    images, labels = torch.rand(200, 6, 6, generator=seeded()), torch.arange(200) % 2
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    nets = [
        train(convolutional(6, 2, seed=seed), images, labels, epochs=1, seed=seed)
        for seed in (1, 1, 2)
    ]

    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(nets[0](images), nets[1](images))
    assert not torch.equal(nets[0](images), nets[2](images))
    assert not any(one.requires_grad for one in nets[0].parameters())


def test_a_rebuilt_image_is_represented_like_another_and_keeps_what_is_not_looked_at():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Linear(1, 2))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0, :8] = 1.0
        net[1].bias.zero_()
    images, starts = grey(0.8), grey(0.2)
    found = rebuilt(net, images, starts, steps=60)

    torch.testing.assert_close(represented(net, found), represented(net, images), atol=0.2, rtol=0)
    torch.testing.assert_close(found[0, 2:], starts[0, 2:])


def test_noise_has_the_length_asked_for_although_pixels_have_limits():
    images = torch.zeros(5, 14, 14)
    noisy = noise_of_length(images, 1.0, seeded())

    torch.testing.assert_close(noisy.flatten(1).norm(dim=1), torch.ones(5), atol=0.01, rtol=0)
    assert noisy.min() >= 0


def test_a_new_readout_learns_and_what_is_below_stays():
    images = torch.rand(300, 4, 4, generator=seeded())
    labels = (images.mean(dim=(1, 2)) > 0.5).long()
    net = train(dense(4, 2, seed=0), images, labels, epochs=20, seed=0)
    other = readout_of(net, images, 1 - labels, epochs=20, seed=1)

    assert right(net, images, 1 - labels) < 30
    assert right(other, images, 1 - labels) > 240
    assert torch.equal(represented(net, images), represented(other, images))


def test_no_image_is_both_fitted_and_held_out():
    for some in (mnist(), small_digits(3)):
        both = torch.cat([some.fit.images, some.held_out.images])
        assert len(both.flatten(1).unique(dim=0)) == len(both)
        assert len(both) in (3000, 1797)
        assert some.held_out.labels.bincount(minlength=10).min() > 20
        assert (some.side, some.classes) in ((14, 10), (8, 10))
    assert not torch.equal(small_digits(1).fit.labels, small_digits(2).fit.labels)


def test_a_planted_pattern_tells_nine_in_ten_classes_and_is_faint():
    shapes = patterns(10, 14, seed=0).flatten(1)
    torch.testing.assert_close(shapes @ shapes.T, PATTERN**2 * torch.eye(10), atol=1e-5, rtol=0)
    torch.testing.assert_close(shapes.sum(dim=1), torch.zeros(10), atol=1e-4, rtol=0)

    some, plain = planted(0), mnist()
    added = (some.fit.images - 0.2 - 0.6 * plain.fit.images).flatten(1)
    by_pattern = (added @ shapes.T).argmax(dim=1)
    share = (by_pattern == some.fit.labels).float().mean().item()
    assert share == pytest.approx(0.91, abs=0.02)
    torch.testing.assert_close(added.norm(dim=1).mean().item(), PATTERN, atol=0.01, rtol=0)


def test_squares_differ_in_lightness_and_one_label_in_ten_is_wrong():
    some = squares(0)
    light = some.fit.images.mean(dim=(1, 2)) > 0.5

    assert (light.long() == some.fit.labels).float().mean().item() == pytest.approx(0.9, abs=0.03)
    by_lightness = some.held_out.images.mean(dim=(1, 2)) > 0.5
    assert torch.equal(by_lightness.long(), some.held_out.labels)


def sweep(**changes):
    made = Example(grey(0.5)[0], grey(0.5, 1.0), seen=1, given=2, robust=[1, 2])
    values = {
        "name": "made up",
        "radii": [0.5, 1.0],
        "chosen": 1.0,
        "chance": 0.1,
        "length": 2.0,
        "shares": {"standard network": [0.5, 0.0525]},
        "examples": [made],
    }
    return Sweep(**(values | changes))


def test_the_explorer_gets_thousandths_and_hundredths():
    (made,) = explorer_data([sweep()])["sets"]

    assert made["shares"] == {"standard network": "500 52"}
    assert made["examples"][0]["robust"] == "1 2"
    assert made["examples"][0]["attacked"][1].split() == ["100"] * 16


def test_a_list_that_does_not_fit_the_radii_is_refused():
    with pytest.raises(ValueError, match="made up: 'standard network' has 1 entries for 2 radii"):
        explorer_data([sweep(shares={"standard network": [0.5]})])


def test_a_representation_holds_less_than_an_image():
    for make in (convolutional, dense):
        features = represented(make(8, 10, seed=0), torch.rand(2, 8, 8, generator=seeded()))
        assert features.shape == (2, adversarial.REPRESENTATION)
        assert features.shape[1] < 64
