import math

import pytest
import torch

from demos.sae import best_cosines, train_dictionary
from demos.superposition import (
    PHASES,
    dimensionality,
    dimensions_per_feature,
    interference,
    phase,
    phase_losses,
    polygon_error,
    reconstruct,
    represented,
    sparse_features,
    train_toys,
)


def polygon(n, length=1.0, turned=0.3):
    """n columns of equal length, at equal angles: (hidden, feature)."""
    angles = torch.arange(n) * 2 * math.pi / n + turned
    return length * torch.stack([angles.cos(), angles.sin()])


def draw(probability, seed=0):
    return sparse_features(
        torch.tensor(probability), 20_000, 3, torch.Generator().manual_seed(seed)
    )


def test_features_are_active_as_often_as_said_and_then_uniform():
    x = draw([1.0, 0.25])

    active = x > 0
    torch.testing.assert_close(
        active.float().mean(dim=(1, 2)), torch.tensor([1.0, 0.25]), atol=0.01, rtol=0
    )
    for toy in (0, 1):
        values = x[toy][active[toy]]
        assert values.min() > 0
        assert values.max() <= 1
        assert values.mean() == pytest.approx(1 / 2, abs=0.01)
        assert values.square().mean() == pytest.approx(1 / 3, abs=0.01)
    both = (active[1, :, 0] & active[1, :, 1]).float().mean()
    assert both == pytest.approx(1 / 16, abs=0.01)  # independent


def test_a_toy_gives_what_the_formula_says():
    x = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]]).repeat(2, 1, 1)
    W = torch.tensor([[[1.0, -1.0]]]).repeat(2, 1, 1)
    b = torch.tensor([[0.0, 0.25]]).repeat(2, 1)

    out = reconstruct(x, W, b, torch.tensor([False, True]))

    torch.testing.assert_close(out[0], torch.tensor([[1.0, 0.0], [0.0, 0.75]]))
    torch.testing.assert_close(out[1], torch.tensor([[1.0, -0.75], [-0.5, 0.75]]))


@pytest.mark.parametrize(("n", "share"), [(2, 1 / 2), (3, 2 / 3), (4, 1 / 2), (5, 2 / 5)])
def test_the_features_of_a_polygon_share_its_plane(n, share):
    pair = torch.tensor([[1.0, -1.0], [0.0, 0.0]])  # two share a line, not a plane
    W = pair if n == 2 else polygon(n)

    torch.testing.assert_close(dimensionality(W[None])[0], torch.full((n,), share))
    assert represented(W[None]).all()


def test_a_direction_of_its_own_is_a_whole_dimension_and_nothing_is_none():
    W = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.8, 0.0]]])

    torch.testing.assert_close(dimensionality(W), torch.tensor([[1.0, 1.0, 0.0]]))
    assert represented(W).tolist() == [[True, True, False]]
    assert interference(W).item() == 0
    torch.testing.assert_close(dimensions_per_feature(W), torch.tensor([2 / 1.64]))


def test_interference_is_the_worst_pair_of_those_represented():
    W = torch.stack(
        [polygon(5), torch.cat([polygon(4)[:, :2], 0.1 * polygon(4)[:, 2:], torch.zeros(2, 1)], 1)]
    )

    torch.testing.assert_close(
        interference(W), torch.tensor([math.cos(math.pi / 5), 0.0]), atol=1e-6, rtol=0
    )


def test_a_regular_polygon_has_no_error_and_a_bent_one_has_its_angle():
    bent = polygon(5).clone()
    turn = math.radians(10)
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    bent[:, 2] = rotation @ bent[:, 2]

    errors = polygon_error(torch.stack([polygon(5), 0.7 * polygon(5), bent]))
    torch.testing.assert_close(errors, torch.tensor([0.0, 0.0, 10.0]), atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="2 dimensions, not in 3"):
        polygon_error(torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="represents no feature"):
        polygon_error(torch.zeros(1, 2, 4))


def test_phases_are_told_apart():
    W = torch.tensor([[1.0, 0.1], [0.9, -0.9], [0.0, 1.0], [0.8, 0.8], [0.1, 0.1]])[:, None]

    assert phase(W).tolist() == [0, 1, 2, -1, -1]
    assert PHASES[1] == "both, as a pair"


@pytest.mark.parametrize("probability", [1.0, 0.3, 0.1])
def test_the_losses_of_the_phases_are_those_of_their_weights(probability):
    importance = 2.0
    W = torch.tensor([[1.0, 0.0], [1.0, -1.0], [0.0, 1.0]])[:, None]
    mean = probability / 2
    b = torch.tensor([[0.0, mean], [0.0, 0.0], [mean, 0.0]])
    x = sparse_features(torch.full((3,), probability), 300_000, 2, torch.Generator().manual_seed(0))

    errors = (reconstruct(x, W, b, torch.zeros(3, dtype=torch.bool)) - x).square().mean(dim=1)
    measured = errors @ torch.tensor([1.0, importance])

    closed = phase_losses(torch.tensor([probability]), torch.tensor([importance]))[0]
    torch.testing.assert_close(closed, measured, rtol=0.08, atol=1e-5)


def test_training_many_at_once_is_training_each():
    """Dense toys keep the most important two; sparse ones more; linear ones never."""
    probability = torch.tensor([1.0, 0.05, 0.05]).repeat_interleave(3)
    linear = torch.tensor([False, False, True]).repeat_interleave(3)
    importance = (0.5 ** torch.arange(5)).expand(9, 5)

    toys = train_toys(probability, importance, 2, seed=0, linear=linear, steps=1000)

    kept = represented(toys.W)
    assert kept[:3].tolist() == [[True, True, False, False, False]] * 3
    assert (kept[3:6].sum(dim=1) >= 3).all()
    assert (kept[6:].sum(dim=1) == 2).all()
    assert toys.loss[3:6].max() < toys.loss[6:].min()
    again = train_toys(probability, importance, 2, seed=0, linear=linear, steps=1000)
    torch.testing.assert_close(again.W, toys.W)
    some = toys[probability == 1]
    assert some.W.shape == (3, 2, 5)
    torch.testing.assert_close(some.W, toys.W[:3])


def test_a_dictionary_finds_directions_that_are_seldom_active():
    truth = torch.nn.functional.normalize(
        torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0)), dim=1
    )
    probability = torch.tensor([0.05, 0.05])

    def activations(generator):
        return sparse_features(probability, 256, 12, generator) @ truth.mT

    found = train_dictionary(activations, 16, sparsity=0.1, seed=0, steps=800)

    assert found.shape == (2, 6, 16)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2, 16))
    unlearned = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(1))
    assert best_cosines(truth, found).mean() > best_cosines(truth, unlearned).mean() + 0.1


def test_the_nearest_direction_counts_whatever_its_length_and_order():
    truth = torch.eye(3)[None, :, :2]
    found = torch.tensor([[[0.0, 5.0], [2.0, 5.0], [0.0, 0.0]]])

    torch.testing.assert_close(best_cosines(truth, found), torch.tensor([[1 / math.sqrt(2), 1.0]]))
