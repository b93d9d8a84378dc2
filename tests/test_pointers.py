import pytest
import torch

from demos.pointers import CELLS, counterfactuals, fit, prefixed, stretched
from demos.prompts import IOIPrompts, Sentence

NAMES = {name: 10 + number for number, name in enumerate(("Ann", "Bob", "Cy", "Di", "Ed"))}


def batch():
    """Bob is repeated in both; he stands second in the first prompt, first in the second."""
    said = [("Ann", "Bob", "Bob"), ("Bob", "Ann", "Bob")]
    sentences = tuple(
        Sentence(0, order, names, "Ann", "Bob", "store", "drink")
        for order, names in zip(("ABBA", "BABA"), said, strict=True)
    )
    tokens = torch.tensor([[1, NAMES[a], 2, NAMES[b], 3, NAMES[c], 4] for a, b, c in said])
    return IOIPrompts(
        sentences=sentences,
        tokens=tokens,
        io=torch.tensor([NAMES["Ann"]] * 2),
        s=torch.tensor([NAMES["Bob"]] * 2),
        name_positions=torch.tensor([[1, 3, 5]] * 2),
        name_tokens=NAMES,
    )


def test_the_six_prompts_differ_in_place_and_name_of_who_is_repeated():
    prompts = batch()

    made = counterfactuals(prompts, seed=0)

    said = {cell: [one.names for one in made[cell].sentences] for cell in CELLS}
    assert said[1, 1] == [("Ann", "Bob", "Bob"), ("Bob", "Ann", "Bob")]
    assert said[1, -1] == [("Bob", "Ann", "Ann"), ("Ann", "Bob", "Ann")]
    assert said[-1, 1] == [("Bob", "Ann", "Bob"), ("Ann", "Bob", "Bob")]
    assert said[-1, -1] == [("Ann", "Bob", "Ann"), ("Bob", "Ann", "Ann")]
    for (first, second, actor), repeats in zip(said[1, 0], (1, 0), strict=True):
        assert actor == (first, second)[repeats]
        assert not {first, second} & {"Ann", "Bob"}
    for as_was, other in zip(said[1, 0], said[-1, 0], strict=True):
        assert as_was[:2] == other[:2]
        assert as_was[2] != other[2]
    for cell in CELLS:
        ids = made[cell].tokens.gather(1, prompts.name_positions).tolist()
        assert ids == [[NAMES[name] for name in names] for names in said[cell]]
        assert torch.equal(made[cell].tokens[:, ::2], prompts.tokens[:, ::2])
        assert torch.equal(made[cell].io, prompts.io)


def test_a_linear_signal_is_recovered_and_its_r2_is_one():
    intercept, place, name = torch.tensor([[1.0, 2.0], [3.0, 0.5], [-1.0, 0.0]])
    cells = torch.stack([intercept + a * place + b * name for a, b in CELLS])

    found = fit(cells)

    torch.testing.assert_close(found.intercept, intercept)
    torch.testing.assert_close(found.place, place)
    torch.testing.assert_close(found.name, name, rtol=0, atol=1e-6)
    assert found.r2 == pytest.approx(1)
    together = torch.tensor([a * b for a, b in CELLS]).float()[:, None].expand(-1, 2)
    assert fit(together).r2 == pytest.approx(0, abs=1e-6)  # place times name is neither
    with pytest.raises(ValueError, match="6 cells, as CELLS lists them, not 2"):
        fit(cells[:2])


def test_a_prefix_moves_all_and_a_stretch_only_what_follows_the_names():
    prompts = batch()

    assert prefixed(prompts.tokens, [7, 8])[0].tolist() == [7, 8, 1, 10, 2, 11, 3, 11, 4]
    assert stretched(prompts, [7, 8])[0].tolist() == [1, 10, 2, 11, 7, 8, 3, 11, 4]
