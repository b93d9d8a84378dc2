import pytest
import torch

from demos.toys import AttentionOnly
from demos.training import (
    BOS,
    RARE,
    Vocabulary,
    repeated_tokens,
    stretches,
    token_losses,
    train,
    windows,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_sequence_is_a_start_and_a_block_of_different_tokens_again_and_again():
    tokens = repeated_tokens(50, 4, d_vocab=7, n_ctx=11, generator=seeded())

    assert (tokens[:, 0] == BOS).all()
    assert torch.equal(tokens[:, 1:5], tokens[:, 5:9])
    assert torch.equal(tokens[:, 1:3], tokens[:, 9:])
    assert all(len(set(row[1:5].tolist())) == 4 for row in tokens)
    assert set(tokens[:, 1:].flatten().tolist()) == set(range(1, 7))


def test_each_sequence_draws_its_own_length():
    tokens = repeated_tokens(200, [2, 3], d_vocab=30, n_ctx=7, generator=seeded())

    by_two = (tokens[:, 1] == tokens[:, 3]).tolist()
    by_three = (tokens[:, 1] == tokens[:, 4]).tolist()

    assert all(two != three for two, three in zip(by_two, by_three, strict=True))
    assert 60 < sum(by_two) < 140


@pytest.mark.parametrize("period", [0, 7, [3, 7]])
def test_a_block_that_cannot_be_drawn_is_refused(period):
    with pytest.raises(ValueError, match="a block has 1 to 6 different tokens"):
        repeated_tokens(1, period, d_vocab=7, n_ctx=11, generator=seeded())


def test_words_beyond_the_commonest_share_one_number():
    vocabulary = Vocabulary.of("the cat, the dog, the end", size=3)

    assert vocabulary.words == ("<rare>", "the", ",")
    assert vocabulary.encode("the end, a").tolist() == [1, RARE, 2, RARE]


def test_windows_are_stretches_of_the_text():
    found = windows(torch.arange(10, 20), n_ctx=3, n=200, generator=seeded())

    assert torch.equal(found, found[:, :1] + torch.arange(3))
    assert set(found[:, 0].tolist()) == set(range(10, 18))


def test_stretches_ask_for_each_token_once():
    found = stretches(torch.arange(8), n_ctx=3)

    assert found.tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_losses_are_those_of_the_next_token():
    model = AttentionOnly(5, 4, n_layers=0)
    table = (model.W_E @ model.W_U).log_softmax(dim=-1)

    losses, likeliest = token_losses(model, torch.tensor([[2, 4, 1]]))

    torch.testing.assert_close(losses, -torch.stack([table[2, 4], table[4, 1]])[None])
    assert likeliest.tolist() == [[table[2].argmax().item(), table[4].argmax().item()]]


def batches(tokens):
    while True:
        yield tokens


def test_a_table_of_bigrams_is_learned():
    tokens = torch.tensor([[1, 2, 3, 1, 2, 3, 1]])
    model = AttentionOnly(4, 8, n_layers=0, d_model=8)

    history = train(
        model,
        batches(tokens),
        100,
        lambda now: token_losses(now, tokens)[0].mean().item(),
        40,
        0.05,
    )

    assert [step for step, _ in history] == [0, 40, 80, 100]
    assert history[0][1] > 1 > 0.1 > history[-1][1]
    assert model(tokens)[0, :3].argmax(dim=-1).tolist() == [2, 3, 1]


def test_what_is_ignored_is_not_learned_and_the_same_run_gives_the_same_model():
    tokens = torch.tensor([[1, 0, 1, 0, 1, 0]])

    once, again, all_asked = (AttentionOnly(3, 8, n_layers=1, seed=3) for _ in range(3))
    for model in (once, again):
        train(model, batches(tokens), 30, learning_rate=0.02, ignored=0)
    train(all_asked, batches(tokens), 30, learning_rate=0.02)

    def probability(model):  # of 0 after 1
        return model(tokens)[0, 0].softmax(dim=-1)[0].item()

    assert torch.equal(once(tokens), again(tokens))
    assert probability(all_asked) > 0.9
    assert probability(once) < 0.5
