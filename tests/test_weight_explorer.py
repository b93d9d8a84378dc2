"""The data of the weight explorer, on units whose angles are known."""

import torch

from demos.weight_explorer import Picture, explorer_data


def test_a_picture_is_off_by_the_turn_between_two_bars():
    degrees = torch.tensor([0.0, 45.0, 90.0, 135.0])
    measured = torch.tensor([[2.0, 6.0, 4.0, 2.0], [9.0, 0.0, 0.0, 0.0]])
    right = Picture(torch.tensor([[[1.0, -2.0]], [[0.0, 0.0]]]), measured)
    turned = Picture(torch.ones(2, 1, 2), measured.roll(3, dims=1))

    data = explorer_data(degrees, {"4": (measured, {"right": right, "turned": turned})})

    (network,) = data["networks"]
    assert data["degrees"] == [0, 45, 90, 135]
    assert (network["name"], network["off"]) == ("4", {"right": 0, "turned": 45})
    first, silent = network["units"]
    assert (first["best"], first["pictures"]["turned"]["best"]) == (45, 0)
    assert first["measured"] == first["pictures"]["right"]["predicted"] == "0 100 50 0"
    assert first["pictures"]["right"]["pixels"] == "50 -100"
    assert silent["pictures"]["right"]["pixels"] == "0 0"  # nothing is divided by nothing
    # A bar turned by 135 degrees is one turned by 45 the other way.
    assert [unit["pictures"]["turned"]["off"] for unit in network["units"]] == [45, 45]


def test_angles_that_look_alike_in_hundredths_are_told_apart():
    degrees = torch.tensor([0.0, 7.5, 15.0])
    measured = torch.tensor([[0.999, 0.0, 1.0]])
    picture = Picture(torch.ones(1, 1, 1), torch.tensor([[1.0, 0.0, 0.999]]))

    (unit,) = explorer_data(degrees, {"0": (measured, {"one": picture})})["networks"][0]["units"]

    assert unit["measured"] == unit["pictures"]["one"]["predicted"] == "100 0 100"
    assert (unit["best"], unit["pictures"]["one"]["best"]) == (15, 0)
    assert unit["pictures"]["one"]["off"] == 15
