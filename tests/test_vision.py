"""Networks for digits: their windows, their weights, what is asked of their units."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
import torch
from torch import nn

from demos import train_vision
from demos.expanded import expanded_weights
from demos.pictures import pictures
from demos.tuning import angles, apart, arcs, bars, peak_over_trough, preferred, selectivity
from demos.unit_explorer import explorer_data
from demos.units import (
    best_matches,
    correlation,
    mean_by_angle,
    partial_drives,
    shuffled,
    stroke_angles,
    tuning_curves,
    windows,
)
from demos.vision import (
    ARCHITECTURES,
    NETWORKS,
    Architecture,
    DigitNet,
    Digits,
    Layer,
    digits,
    load_net,
)

TINY = Architecture((Layer(2, 3, True), Layer(3, 2, False)), nn.AvgPool2d, "unused.safetensors")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_unit_sees_its_window_and_nothing_else(name):
    net = DigitNet(ARCHITECTURES[name])
    layer = len(net.convolutions) - 1
    side = net.window(layer)
    image = torch.rand(1, 28, 28, generator=seeded())
    elsewhere = image.clone()
    elsewhere[:, side:], elsewhere[:, :, side:] = 0, 0
    inside = elsewhere.clone()
    inside[:, 0, 0] += 1
    drives = [net.before_relu(one, layer)[0, :, 0, 0] for one in (image, elsewhere, inside)]

    assert side == 14
    torch.testing.assert_close(drives[0], drives[1])
    assert (drives[1] - drives[2]).abs().max() > 1e-4


def test_digits_are_split_by_class_and_no_image_is_in_both():
    fit, held_out = digits("fit"), digits("held-out")

    assert fit.labels.bincount().tolist() == [400] * 10
    assert held_out.labels.bincount().tolist() == [100] * 10
    assert (fit.images.min(), fit.images.max()) == (0, 1)
    both = torch.cat([fit.images, held_out.images]).flatten(1)
    assert len(both.unique(dim=0)) == 5000
    with pytest.raises(ValueError, match="'fit' and 'held-out', not 'test'"):
        digits("test")


def test_training_again_gives_the_network_that_is_kept():
    """Rounding may differ on another CPU; another seed's filters agree by chance only."""
    again = train_vision.trained("wide", 0)

    agreement = train_vision.filter_agreement(again, load_net("wide", 0))
    assert agreement > train_vision.AGREEMENT
    assert abs(train_vision.filter_agreement(again, load_net("wide", 1))) < 0.5
    images = digits("held-out").images
    same = again(images).argmax(dim=1) == load_net("wide", 0)(images).argmax(dim=1)
    assert same.float().mean() > 0.97


def test_a_network_that_is_not_kept_is_refused():
    with pytest.raises(ValueError, match=f"seeds 0 to {NETWORKS - 1}, not {NETWORKS}"):
        load_net("wide", NETWORKS)


def test_training_lowers_the_loss():
    few = Digits(digits("fit").images[::20], digits("fit").labels[::20])
    net = DigitNet(ARCHITECTURES["wide"])
    before = nn.functional.cross_entropy(net(few.images), few.labels).item()
    train_vision.train(net, few, seed=0, epochs=3)

    assert nn.functional.cross_entropy(net(few.images), few.labels).item() < before - 0.2


def test_bars_lie_at_their_angle_and_distance():
    level, upright = bars(9, torch.tensor([0.0, 90.0]), [0.0, 2.0], width=1.0)

    assert level[0, 4, 2:7].tolist() == [1] * 5
    assert level[0].sum(dim=1).argmax() == 4
    assert level[1].sum(dim=1).argmax() == 2  # two pixels above the middle
    torch.testing.assert_close(upright[0], level[0].T)


def test_no_angle_has_longer_bars_than_another():
    ink = bars(14, angles(24), [0.0], width=3.0).sum(dim=(1, 2, 3))

    assert ink.std() < 0.02 * ink.mean()


def test_an_arc_bulges_towards_its_angle():
    right, up = arcs(15, torch.tensor([0.0, 90.0]), [0.0], width=1.0, radius=5.0)

    assert right[0, 7, 7] == 1  # its middle
    assert right[0, 7, 8:].sum() == 0
    assert right[0, :, :7].sum() > 2
    torch.testing.assert_close(up, right.rot90(1, (1, 2)))


def test_tuning_is_summed_up_as_on_paper():
    one_angle, all_alike, silent = torch.eye(8)[2], torch.ones(8), torch.zeros(8)
    curves = torch.stack([one_angle, all_alike, silent])

    torch.testing.assert_close(selectivity(curves), torch.tensor([1.0, 0, 0]), atol=1e-6, rtol=0)
    assert preferred(one_angle).item() == pytest.approx(45)
    assert preferred(one_angle, turn=360).item() == pytest.approx(90)
    assert peak_over_trough(curves).tolist() == [100, 1, 1]
    assert peak_over_trough(torch.tensor([6.0, 2.0])).item() == 3
    assert apart(torch.tensor([175.0, 10]), torch.tensor([5.0, 100])).tolist() == [10, 90]


def test_a_unit_made_of_a_bar_prefers_its_angle():
    net = DigitNet(Architecture((Layer(3, 9, False),), nn.AvgPool2d, ""))
    degrees = torch.tensor([30.0, 75.0, 160.0])
    stimuli = bars(9, angles(36), [0.0], width=2.0)
    made = bars(9, degrees, [0.0], width=2.0) - 0.2
    curves = tuning_curves(net, 0, stimuli, made, torch.zeros(3))

    assert apart(preferred(curves), degrees).max() < 4  # pixels are coarse
    with pytest.raises(ValueError, match="stimuli of 9 x 9 pixels"):
        tuning_curves(net, 0, bars(11, angles(4), [0.0], width=2.0))


def test_a_shuffle_has_the_same_weights_elsewhere():
    weight = torch.arange(2 * 3 * 2 * 2.0).view(2, 3, 2, 2)
    other = shuffled(weight, seeded())

    assert torch.equal(other.flatten(1).sort().values, weight.flatten(1))
    assert not torch.equal(other, weight)


def test_windows_come_in_the_order_of_a_convolution():
    images = torch.rand(2, 6, 6, generator=seeded())
    kernel = torch.rand(3, 3, generator=seeded(1))
    by_window = (windows(images, side=3, stride=1) * kernel).sum(dim=(1, 2))
    by_convolution = nn.functional.conv2d(images[:, None], kernel[None, None]).flatten()

    torch.testing.assert_close(by_window, by_convolution)


def test_strokes_have_the_angle_that_they_were_drawn_at():
    degrees = angles(12)
    found, coherence = stroke_angles(bars(14, degrees, [0.0], width=4.0)[:, 0])

    assert apart(found, degrees).max() < 5  # pixels are coarse
    assert coherence.min() > 0.6
    crossed = bars(14, torch.tensor([20.0, 110.0]), [0.0], width=3.0)[:, 0].amax(dim=0)
    assert stroke_angles(crossed[None])[1].item() < 0.2


def test_responses_are_averaged_by_angle():
    degrees = torch.tensor([0.0, 179.0, 90.0, 91.0])
    means = mean_by_angle(torch.tensor([[1.0], [3.0], [5.0], [7.0]]), degrees, bins=2)

    assert means.tolist() == [[2, 6]]
    with pytest.raises(ValueError, match="no window has an angle near 45"):
        mean_by_angle(torch.ones(4, 1), degrees, bins=4)


def test_the_parts_of_a_sum_add_up_to_it():
    weight = torch.rand(4, 3, 3, generator=seeded())
    images = torch.rand(2, 4, 5, 5, generator=seeded(2))
    parts = partial_drives(weight, images, [2, 0, 3, 1])

    torch.testing.assert_close(
        parts[-1], nn.functional.conv2d(images, weight[None])[:, 0].flatten(1)
    )
    only = torch.zeros_like(weight)
    only[2] = weight[2]
    torch.testing.assert_close(parts[0], nn.functional.conv2d(images, only[None])[:, 0].flatten(1))


def test_matches_are_chosen_on_one_half_and_judged_on_the_other():
    own = torch.randn(3, 400, generator=seeded())
    other = own[[2, 0, 1]] * 3 + 1
    choosing = torch.arange(400) % 2 == 0
    match, likeness = best_matches(own, other, choosing)
    assert match.tolist() == [1, 2, 0]
    torch.testing.assert_close(likeness, torch.ones(3))

    noise = torch.randn(200, 400, generator=seeded(1))
    assert best_matches(own, noise, choosing)[1].abs().max() < 0.3  # not the best of 200
    assert correlation(torch.ones(4), torch.arange(4.0)).item() == 0


def test_expanded_weights_are_the_gradient_of_the_network_without_relus():
    net = DigitNet(TINY)
    side = net.window(1)
    image = torch.rand(1, 1, side, side, generator=seeded(), requires_grad=True)
    through = nn.functional.avg_pool2d(net.convolutions[0](image), 2)
    out = net.convolutions[1](through)[0, :, 0, 0]
    expanded = expanded_weights(net, 1)

    assert side == 6
    for unit in range(3):
        (gradient,) = torch.autograd.grad(out[unit], image, retain_graph=True)
        torch.testing.assert_close(expanded[unit], gradient[0, 0])
    torch.testing.assert_close(expanded_weights(net, 0), net.convolutions[0].weight[:, 0])


def test_the_explorer_says_what_the_functions_say():
    net = load_net("wide", 0)
    images = digits("held-out").images[::50]
    data = explorer_data({"one": net}, {"two": net}, images, seed=0)

    assert [len(layer["units"]) for layer in data["layers"]] == [16, 32]
    unit = data["layers"][1]["units"][5]
    assert unit["matches"] == [["two", 5, 100]]
    assert len(unit["pixels"].split()) == 14 * 14
    assert max(map(abs, map(int, unit["pixels"].split()))) == 100
    assert data["layers"][0]["units"][0]["sources"] == []
    peaks = [max(map(int, curve["unit"].split())) for curve in unit["tuning"].values()]
    assert 0 < max(peaks) <= 100


PANELS = {"<a>": [[1.0, -2.0], [0.0, 0.5]], "b": [[0.0, 0.0], [0.0, 4.0]]}


def test_pictures_are_well_formed_and_their_extremes_stand_in_the_table():
    figure = pictures(PANELS, title="Some <pictures>", value="weight")

    ElementTree.fromstring(figure.html)
    assert figure.rows == (
        ("<a>", "-2", "1", "row 1, column 2"),
        ("b", "0", "4", "row 2, column 2"),
    )
    assert "<a> row 1, column 2" in figure.description


def test_pictures_have_a_scale_each_or_one_for_all():
    def strengths(**options):
        root = ElementTree.fromstring(pictures(PANELS, title="t", value="w", **options).svg)
        paths = root.iter("{http://www.w3.org/2000/svg}path")
        return sorted(float(one.get("opacity")) for one in paths if one.get("opacity"))

    assert strengths() == [0.25, 0.5, 1, 1]
    assert strengths(one_scale=True) == [0.12, 0.25, 0.5, 1]


@pytest.mark.parametrize(
    ("panels", "message"),
    [({}, "at least one"), ({"a": [[1.0], []]}, "one length"), ({"a": [[math.nan]]}, "finite")],
)
def test_what_is_no_picture_is_refused(panels, message):
    with pytest.raises(ValueError, match=message):
        pictures(panels, title="t", value="w")
