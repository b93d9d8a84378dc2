import math

import pytest
import torch

from demos.directions import (
    directions_within,
    expected_largest_cosine,
    largest_cosine,
    random_directions,
    recovered_share,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_the_largest_cosine_is_that_of_the_closest_pair_in_either_direction():
    half = math.sqrt(0.5)
    directions = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-half, 0.0, half]])
    assert largest_cosine(directions) == pytest.approx(half)
    assert largest_cosine(torch.eye(4)) == 0
    with pytest.raises(ValueError, match="a cosine needs two directions, not 1"):
        largest_cosine(torch.eye(4)[:1])


@pytest.mark.parametrize("width", [64, 1024])
def test_random_directions_are_as_close_as_the_formula_says(width, generator):
    directions = random_directions(1000, width, generator)

    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(1000))
    expected = expected_largest_cosine(1000, width)
    assert largest_cosine(directions) == pytest.approx(expected, rel=0.15)


def test_counting_directions_undoes_expecting_a_cosine():
    assert directions_within(expected_largest_cosine(500, 300), 300) == pytest.approx(500)


def test_perpendicular_directions_are_all_recovered_and_crowded_ones_are_not(generator):
    shares = recovered_share(torch.eye(16), [1, 8, 16], trials=3, generator=generator)
    torch.testing.assert_close(shares, torch.ones(3, 3))

    crowded = random_directions(200, 8, generator)
    shares = recovered_share(crowded, [1, 50], trials=3, generator=generator)
    torch.testing.assert_close(shares[0], torch.ones(3))
    assert shares[1].mean() < 0.7
