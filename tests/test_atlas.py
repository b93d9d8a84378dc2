"""Activation atlases: layouts, cells, moves, pictures, and the data that the explorer reads."""

import base64
import struct

import pytest
import torch
from torch import nn

from demos.atlas import (
    NONE,
    choose_among,
    cut,
    flat_layout,
    layout,
    nearest_cell,
    nearest_neighbours,
    of_length,
    one_place_each,
    shared_neighbours,
    shuffled_units,
    trustworthiness,
)
from demos.atlas_explorer import explorer_data, map_data, shown
from demos.atlas_figure import atlas_figure
from demos.inversion import invert
from demos.pooled import PooledNet
from demos.vision import Architecture, DigitNet, Layer

TINY = Architecture((Layer(3, 3, True), Layer(4, 2, False)), nn.AvgPool2d, "unused.safetensors")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def two_groups(n=40):
    """States in two groups far from one another, in six dimensions."""
    states = torch.randn(2 * n, 6, generator=seeded())
    states[n:] += 30
    return states


def test_one_place_of_each_image_is_taken_and_none_at_the_edge():
    activations = torch.rand(200, 3, 4, 5, generator=seeded())

    states, places = one_place_each(activations, seeded())

    assert states.shape == (200, 3)
    assert {tuple(place) for place in places.tolist()} == {
        (row, column) for row in (1, 2) for column in (1, 2, 3)
    }
    for n, (row, column) in enumerate(places.tolist()):
        assert torch.equal(states[n], activations[n, :, row, column])


def test_a_layer_of_edges_has_no_place_to_take():
    with pytest.raises(ValueError, match="2 x 5 places have none that is not at the edge"):
        one_place_each(torch.rand(1, 1, 2, 5), seeded())


def test_shuffled_units_keep_their_values_and_lose_what_they_share():
    one = torch.randn(500, generator=seeded())
    states = torch.stack([one, one, one], dim=1)

    mixed = shuffled_units(states, seeded())

    assert torch.equal(mixed.sort(dim=0).values, states.sort(dim=0).values)
    assert torch.corrcoef(mixed.T).fill_diagonal_(0).abs().max() < 0.2


@pytest.mark.parametrize("dimensions", [6, 40])  # fewer and more than go into the layout
def test_a_layout_keeps_groups_apart_within_the_unit_square(dimensions):
    states = two_groups() @ torch.randn(6, dimensions, generator=seeded(1))

    for start in (None, flat_layout(states)):
        places = layout(states, seed=0, start=start, iterations=300)
        assert places.min() >= 0 and places.max() <= 1
        near = nearest_neighbours(places, 5)
        own_group = (near < 40) == (torch.arange(80) < 40)[:, None]
        assert own_group.float().mean() > 0.95  # by lot, half of them


def test_the_same_seed_gives_the_same_layout_and_another_seed_another():
    states = two_groups()
    one, same, other = (layout(states, seed=seed, iterations=250) for seed in (0, 0, 1))
    torch.testing.assert_close(one, same)
    assert (one - other).abs().max() > 0.05


def test_a_map_is_trusted_if_its_neighbours_are_neighbours():
    states = torch.rand(200, 2, generator=seeded())
    assert trustworthiness(states, states) == pytest.approx(1)
    by_lot = trustworthiness(states, torch.rand(200, 2, generator=seeded(1)))
    assert by_lot == pytest.approx(0.5, abs=0.05)


def test_shared_neighbours_are_counted_by_state():
    one = torch.tensor([[1, 2], [0, 2], [0, 1]])
    other = torch.tensor([[2, 1], [2, 3], [3, 4]])
    assert shared_neighbours(one, other).tolist() == [1.0, 0.5, 0.0]
    places = torch.tensor([[0.0, 0], [1, 0], [3, 0]])
    assert nearest_neighbours(places, 1).tolist() == [[1], [0], [1]]


def test_cells_hold_what_lies_in_them_and_small_ones_are_dropped():
    places = torch.tensor([[0.1, 0.1], [0.2, 0.2], [0.9, 0.1], [1.0, 1.0], [0.7, 0.9]])

    cells = cut(places, side=2, least=2)

    assert cells.of_state.tolist() == [0, 0, NONE, 1, 1]
    assert (cells.row.tolist(), cells.column.tolist()) == ([0, 1], [0, 1])
    assert cells.count.tolist() == [2, 2]
    values = torch.tensor([[1.0], [3], [100], [5], [7]])
    assert cells.mean(values).tolist() == [[2.0], [6.0]]
    assert cells.adjacent().tolist() == [[False, True], [True, False]]  # at a corner


@pytest.mark.parametrize(
    ("places", "least", "message"),
    [
        ([[0.5, 1.5]], 1, "places lie within the unit square"),
        ([[0.5, 0.5]], 2, "no cell of 3 x 3 holds 2 states"),
    ],
)
def test_a_grid_that_cannot_be_cut_says_why(places, least, message):
    with pytest.raises(ValueError, match=message):
        cut(torch.tensor(places), side=3, least=least)


def test_a_new_state_belongs_to_the_nearest_mean():
    means = torch.tensor([[0.0, 0], [10, 0]])
    assert nearest_cell(torch.tensor([[4.0, 1], [6, -1]]), means).tolist() == [0, 1]


def test_only_what_is_allowed_is_chosen_and_none_where_nothing_is():
    allowed = torch.tensor([[True, False, True], [False, False, False]]).repeat(100, 1)
    chosen = choose_among(allowed, seeded())
    assert set(chosen[::2].tolist()) == {0, 2}
    assert set(chosen[1::2].tolist()) == {NONE}


def test_a_random_step_has_the_length_that_is_asked_for():
    step = of_length(torch.tensor([2.0, 0.5]), torch.zeros(2, 7), seeded())
    torch.testing.assert_close(step.norm(dim=1), torch.tensor([2.0, 0.5]))


def test_a_pooled_network_adds_up_its_places():
    net = PooledNet(seed=3, architecture=TINY)
    image = torch.rand(2, 28, 28, generator=seeded())
    activations = net.activations(image, 1)

    by_place = activations.movedim(1, -1) @ net.readout.weight.T
    torch.testing.assert_close(net(image), by_place.sum(dim=(1, 2)) + net.readout.bias)
    # Where a place is makes no difference.
    torch.testing.assert_close(net.read_out(activations.flip(2)), net(image))
    assert not torch.equal(PooledNet(seed=4, architecture=TINY)(image), net(image))


def test_an_inverted_activation_is_reached():
    net = DigitNet(TINY, seed=2).requires_grad_(False)
    side = net.window(1)
    shown_to_it = torch.rand(3, side, side, generator=seeded())
    targets = net.activations(shown_to_it, 1)[..., 0, 0]

    found = invert(net, 1, targets, seed=0, steps=200, smoothness=0.001)

    assert found.shape == (3, side, side) and found.min() >= 0 and found.max() <= 1
    missed = (net.activations(found, 1)[..., 0, 0] - targets).norm(dim=1) / targets.norm(dim=1)
    assert missed.max() < 0.1


def small_map(**given):
    cells = cut(torch.tensor([[0.0, 0.0], [0.1, 0.1], [1.0, 0.5]]), side=2, least=2)
    settings = {"unit": "positions", "says": "Says", "holds": "Tokens"} | given
    places = torch.tensor([[0.0, 0.0], [0.1, 0.1], [1.0, 0.5]])
    return map_data("M", cells, places, [[" the", "\n"]], **settings)


def test_a_map_is_packed_as_the_explorer_reads_it():
    data = small_map(names=["7", "8", "9"], icons=torch.tensor([[[0.0, 1.0], [0.5, 0.0]]]))

    assert (data["cells"], data["words"], data["names"]) == ("0 0 2", "the\t⏎", "7\t8\t9")
    places = struct.unpack("<6H", base64.b64decode(data["places"]))
    assert places == (0, 0, 6554, 6554, 65535, 32768)
    assert struct.unpack("<3H", base64.b64decode(data["of"])) == (0, 0, 65535)
    assert data["icons"] == {
        "side": 2,
        "pixels": base64.b64encode(bytes([0, 255, 128, 0])).decode(),
    }
    whole = explorer_data([data], [["The", " cat"], [" sat", "."]])
    assert (whole["tokens"], whole["length"]) == ("The\t␣cat\t␣sat\t.", 2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="passages have one length"):
        explorer_data([], [["a"], ["a", "b"]])
    cells = cut(torch.zeros(1, 2), side=2)
    with pytest.raises(ValueError, match="'M': 1 cells need words"):
        map_data("M", cells, torch.zeros(1, 2), [], unit="u", says="s", holds="h")
    with pytest.raises(ValueError, match="1 cells need as many labels, not 0"):
        atlas_figure(cells, [], title="T")


def test_a_token_is_shown_on_one_line():
    assert [shown(token) for token in (" the", "\n", " ", "a\tb")] == ["the", "⏎", "␣", "a⇥b"]
    assert shown(" the", space="␣") == "␣the"


def test_the_still_atlas_counts_by_label():
    cells = cut(torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [0.9, 0.9]]), side=2)
    figure = atlas_figure(cells, ["3", "8", "3"], title="T")
    assert figure.rows == (("3", "2", "2"), ("8", "1", "2"))
    assert figure.drawing.count("<rect") == 3
