"""The search for a prompt: its gradient, its steps, its budget."""

import pytest
import torch

from demos.attack_explorer import explorer_data
from demos.attacks import Frame, Reader, Search, naming, plain_words, search
from demos.runs import Engine
from tests.tiny import GPT2, LLAMA, random_model

FRAME = Frame(before=[7, 3, 11], after=[5, 9])
SLOTS = torch.tensor([[1, 2, 4], [20, 21, 22]])
WANTED = torch.tensor([30, 31])
EVERYWHERE = torch.ones_like(SLOTS, dtype=torch.bool)
ANYTHING = torch.ones(2, 50, dtype=torch.bool)


@pytest.fixture(scope="module", params=[GPT2, LLAMA], ids=["gpt2", "llama"])
def model(request):
    return random_model(**request.param)


@pytest.fixture(scope="module")
def reader(model):
    return Reader(Engine(model), FRAME)


def whole(model, slots):
    """Log-probabilities at every position, by the model itself."""
    prompts = torch.tensor([FRAME.around(slot) for slot in slots.tolist()])
    with torch.no_grad():
        return model(prompts).log_softmax(dim=-1)


def go(reader, by="gradient", **changes):
    settings = {
        "by": by,
        "steps": 5,
        "proposals": 3,
        "free": EVERYWHERE,
        "allowed": ANYTHING,
        "generator": torch.Generator().manual_seed(0),
        "best": 8,
    }
    return search(reader, SLOTS, WANTED, **(settings | changes))


def test_reading_a_slot_gives_what_the_model_says_after_the_whole_prompt(model, reader):
    theirs = whole(model, SLOTS)[:, -1]
    reading = reader.read(SLOTS)
    torch.testing.assert_close(reading.log_probs, theirs, atol=1e-4, rtol=1e-4)
    entropy = torch.distributions.Categorical(logits=theirs).entropy()
    torch.testing.assert_close(reading.entropy, entropy, atol=1e-4, rtol=1e-4)


def test_surprise_is_the_mean_over_the_words_of_the_slot(model, reader):
    log_probs = whole(model, SLOTS)
    by_hand = [
        -sum(log_probs[n, 2 + at, token].item() for at, token in enumerate(slot)) / 3
        for n, slot in enumerate(SLOTS.tolist())
    ]
    torch.testing.assert_close(reader.surprise(SLOTS), torch.tensor(by_hand), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_replacement_reads_as_the_whole_prompt_would(model, reader, place):
    by = torch.tensor([[40, 41], [42, 43]])
    found = reader.of_replacements(reader.read(SLOTS), torch.tensor([0, 1]), place, by, WANTED)
    for row in range(2):
        for cell in range(2):
            changed = SLOTS[row : row + 1].clone()
            changed[0, place] = by[row, cell]
            theirs = whole(model, changed)[0, -1, WANTED[row]]
            torch.testing.assert_close(found[row, cell], theirs, atol=1e-4, rtol=1e-4)


def test_the_gradient_is_the_slope_along_a_mixture_of_tokens(model, reader):
    """Finite differences: a token is mixed in a little, at one place."""
    _, gradient = reader.gradients(SLOTS, WANTED)
    W_E = reader.engine.gpt.W_E
    step, place = 1e-2, 1
    for token in (0, 13, 49):

        def mixed(sign, token=token):
            x = reader._embed(SLOTS, 0).clone()
            x[:, place] += sign * step * W_E[token]
            with torch.no_grad():
                return reader._read(SLOTS, x).log_probs.gather(1, WANTED[:, None])[:, 0]

        slope = (mixed(1) - mixed(-1)) / (2 * step)
        torch.testing.assert_close(slope, gradient[:, place, token], atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("by", ["gradient", "chance"])
def test_a_search_never_loses_changes_one_token_a_step_and_keeps_to_its_budget(reader, by):
    found = go(reader, by)
    assert (found.log_prob.diff(dim=0) > -1e-4).all()  # up to rounding
    assert (found.log_prob[-1] > found.log_prob[0]).all()
    assert ((found.slots[1:] != found.slots[:-1]).sum(dim=-1) <= 1).all()
    assert found.evaluations[:, 0].tolist() == [0, 9, 18, 27, 36, 45]
    assert (found.swaps[-1] <= 3).all()


def test_what_a_search_reports_is_true_of_its_prompts(model, reader):
    found = go(reader)
    for step in range(6):
        log_probs = whole(model, found.slots[step])[:, -1]
        torch.testing.assert_close(
            found.log_prob[step], log_probs.gather(1, WANTED[:, None])[:, 0], atol=1e-4, rtol=1e-4
        )
        assert found.says[step].tolist() == log_probs.argmax(dim=-1).tolist()


def test_what_is_not_free_or_not_allowed_is_left_alone(reader):
    free = torch.tensor([[True, False, False], [False, True, True]])
    allowed = torch.zeros_like(ANYTHING)
    allowed[0, [40, 41, 42]] = True
    allowed[1, [44, 45]] = True
    for by in ("gradient", "chance"):
        found = go(reader, by, free=free, allowed=allowed)
        end = found.slots[-1].tolist()
        assert end[0][1:] == [2, 4] and end[0][0] in (1, 40, 41, 42)
        assert end[1][0] == 20 and set(end[1][1:]) <= {21, 22, 44, 45}
        assert found.evaluations[-1].tolist() == [15, 30]


def test_the_best_of_all_replacements_is_taken(model, reader):
    """With two words on offer and many draws, a step is the best of all six single swaps."""
    allowed = torch.zeros_like(ANYTHING)
    allowed[:, [40, 41]] = True
    found = go(reader, "chance", steps=1, proposals=40, allowed=allowed)
    for row in range(2):
        swapped = SLOTS[row].repeat(6, 1)
        swapped[range(6), [0, 0, 1, 1, 2, 2]] = torch.tensor([40, 41] * 3)
        best = whole(model, swapped)[:, -1, WANTED[row]].max()
        start = whole(model, SLOTS[row : row + 1])[0, -1, WANTED[row]]
        torch.testing.assert_close(
            found.log_prob[1, row], torch.maximum(best, start), atol=1e-4, rtol=1e-4
        )


def test_a_search_stops_so_many_steps_after_it_has_reached_its_target(reader):
    said = reader.read(SLOTS).log_probs.argmax(dim=1)
    wanted = torch.tensor([said[0].item(), 31])  # the first is reached before it begins
    found = search(
        reader,
        SLOTS,
        wanted,
        by="chance",
        steps=4,
        proposals=1,
        free=EVERYWHERE,
        allowed=ANYTHING,
        generator=torch.Generator().manual_seed(0),
        further=2,
    )
    assert found.evaluations[:, 0].tolist() == [0, 3, 6, 6, 6]
    assert found.steps_needed[0] == 0
    assert found.reached[:, 0].all()


def made_up(says):
    """A search of two prompts and two steps that says these tokens."""
    says = torch.tensor(says)
    shape = says.shape
    return Search(
        wanted=torch.tensor([1, 2]),
        slots=torch.tensor([[[5], [6]], [[7], [6]], [[7], [8]]]),
        log_prob=torch.full(shape, 0.5).log(),
        entropy=torch.tensor([[0.1, 0.2], [2.0, 0.2], [3.0, 4.0]]),
        says=says,
        evaluations=torch.tensor([[0, 0], [4, 4], [8, 6]]),
    )


def test_a_target_once_reached_counts_as_reached():
    found = made_up([[0, 0], [1, 0], [0, 0]])
    assert found.reached.tolist() == [[False, False], [True, False], [True, False]]
    assert found.steps_needed.tolist() == [1, 3]  # never is one more than there were
    assert found.swaps.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert found.part(slice(1, 2)).wanted.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"proposals": 0}, "at least one proposal at a place, not 0"),
        ({"free": torch.zeros_like(EVERYWHERE)}, "prompt 0: no token of its slot may be replaced"),
        ({"allowed": ANYTHING & (torch.arange(50) == 3)}, "needs 2 allowed tokens, not 1"),
    ],
)
def test_a_search_that_cannot_propose_is_refused(reader, changes, says):
    with pytest.raises(ValueError, match=says):
        go(reader, **changes)


def test_a_frame_has_something_on_both_sides(reader):
    with pytest.raises(ValueError, match="before the slot and one after it"):
        Reader(reader.engine, Frame([], [1]))


def test_plain_words_are_whole_and_names_are_found_in_them():
    texts = [
        " London",
        "London",
        " a",
        " it's",
        " Lond",
        " lon",
        " el",
        "\n",
        " Londoner",
        " tea",
        " Londinium",
    ]
    assert plain_words(texts).tolist() == [
        True, False, False, False, True, True, True, False, True, True, True,
    ]  # fmt: skip
    assert naming(texts, ["London"]).tolist() == [
        True, True, False, False, True, True, False, False, True, False, True,
    ]  # fmt: skip


def test_the_explorer_holds_every_step_and_the_area_of_its_entropy():
    found = made_up([[0, 0], [1, 0], [1, 2]])
    texts = [f" w{n}" for n in range(10)]
    data = explorer_data({"one": found}, asked=["x", "y"], texts=texts, plain_entropy=[1.0])
    assert data == {
        "steps": 2,
        "asked": ["x", "y"],
        "searches": [
            {
                "name": "one",
                "reached": "0 50 100",
                "auc": "0 50 100",
                "prompts": [
                    {
                        "wanted": "w1",
                        "read": "0 4 8",
                        "steps": ["w5\tw0\t50\t0.1\t0", "w7\tw1\t50\t2.0\t1", "w7\tw1\t50\t3.0\t1"],
                    },
                    {
                        "wanted": "w2",
                        "read": "0 4 6",
                        "steps": ["w6\tw0\t50\t0.2\t0", "w6\tw0\t50\t0.2\t0", "w8\tw2\t50\t4.0\t1"],
                    },
                ],
            }
        ],
    }
    with pytest.raises(ValueError, match="2 prompts, 1 are named"):
        explorer_data({"one": found}, asked=["x"], texts=texts, plain_entropy=[1.0])
