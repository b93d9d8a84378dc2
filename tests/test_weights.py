import pytest
import torch

from demos.skip_trigrams import (
    count_trigrams,
    seen_before,
    skip_trigram_effects,
    strongest_trigrams,
)
from demos.toys import AttentionOnly, hand_built_induction
from demos.weights import (
    composition_scores,
    copying_score,
    full_ov,
    random_composition,
    self_promotion,
)


def test_copying_is_read_from_the_signs_of_the_eigenvalues():
    turned = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # a quarter turn: eigenvalues i and -i
    matrices = torch.stack(
        [torch.eye(2), -torch.eye(2), turned, torch.diag(torch.tensor([3.0, -1]))]
    )

    torch.testing.assert_close(copying_score(matrices), torch.tensor([1.0, -1.0, 0.0, 0.5]))


def test_random_heads_score_about_zero():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(50, 60, 8, generator=generator) for _ in range(2))

    assert abs(copying_score(left @ right.mT).mean().item()) < 0.1


def test_positive_eigenvalues_do_not_make_a_matrix_copy():
    next_one = torch.eye(20, dtype=torch.double) + 2 * torch.diag(torch.ones(19), 1).double()

    assert copying_score(next_one).item() == pytest.approx(1)
    assert self_promotion(next_one).item() == pytest.approx(1 / 20)  # only the last has no next
    assert self_promotion(torch.eye(20)).item() == 1


def test_the_hand_built_induction_head_copies_and_reads_through_its_keys():
    model = hand_built_induction(d_vocab=6, n_ctx=8)

    assert copying_score(full_ov(model, 1)).item() == pytest.approx(1)
    assert self_promotion(full_ov(model, 1)).item() == 1
    # What the previous-token head writes is no answer: it does not reach the logits by itself.
    assert full_ov(model, 0).abs().max() == 0

    ov = model.W_V @ model.W_O
    scores = composition_scores(ov[0], model.W_Q[1] @ model.W_K[1].mT, ov[1])

    # All six dimensions that the first writes are read as keys: the norm is 1 / sqrt(6).
    assert {part: score.item() for part, score in scores.items()} == pytest.approx(
        {"Q": 0, "K": 6**-0.5, "V": 0}
    )


def test_each_kind_of_composition_is_seen_by_itself():
    one = torch.eye(3)
    writes = one[:1].T @ one[1:2]  # reads dimension 0, writes dimension 1

    def scores(qk, ov):
        found = composition_scores(writes[None], qk[None], ov[None])
        return {part: score.item() for part, score in found.items()}

    nothing = one[2:].T @ one[2:]
    assert scores(one[1:2].T @ one[2:], nothing) == {"Q": 1, "K": 0, "V": 0}
    assert scores(one[2:].T @ one[1:2], nothing) == {"Q": 0, "K": 1, "V": 0}
    assert scores(nothing, one[1:2].T @ one[2:]) == {"Q": 0, "K": 0, "V": 1}


def test_random_pairs_compose_by_one_over_the_root_of_the_width():
    found = random_composition(64, 16, torch.Generator().manual_seed(0))

    assert found.shape == (200,)
    assert found.mean().item() == pytest.approx(64**-0.5, abs=0.01)


# ---- skip-trigrams -------------------------------------------------------------------------------


def test_a_skip_trigram_set_by_hand_is_the_strongest_one_read():
    """One head: 2 attends to 1 more than to others, and that raises 3."""
    model = AttentionOnly(5, 10, n_layers=1, n_heads=1, d_model=5, d_head=5)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.W_E.copy_(torch.eye(5))
        model.W_U.copy_(torch.eye(5))
        model.W_Q[0, 0, 2, 0] = 1.0
        model.W_K[0, 0, 1, 0] = 1.0
        model.W_V[0, 0, 1, 0] = 1.0
        model.W_O[0, 0, 0, 3] = 4.0
        effects = skip_trigram_effects(model, torch.full((5,), 0.2))

    strongest = strongest_trigrams(effects, torch.ones(5, dtype=torch.bool), n=1)

    assert strongest.tolist() == [[1, 2, 3]]
    torch.testing.assert_close(effects.mean(dim=-1), torch.zeros(5, 5), atol=1e-6, rtol=0)


def test_only_allowed_tokens_are_listed():
    effects = torch.zeros(3, 3, 3)
    effects[1, 0, 2] = 2.0
    effects[1, 2, 2] = 1.0

    allowed = torch.tensor([False, True, True])

    assert strongest_trigrams(effects, allowed, n=1).tolist() == [[2, 1, 2]]


def test_what_stands_before_is_seen_as_far_as_it_reaches():
    seen = seen_before(torch.tensor([0, 1, 2, 1]), d_vocab=3, reach=2)

    assert seen.tolist() == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [False, True, True],
    ]


def test_trigrams_are_counted_against_the_same_words_without_the_source():
    #          A     B  C        B  D        A  B  D        B  C
    tokens = [0, 4, 1, 2, 4, 4, 1, 3, 4, 0, 1, 3, 4, 4, 1, 2]

    observed, expected = count_trigrams(
        torch.tensor([[0, 1, 2], [3, 0, 2], [4, 9, 2]]), torch.tensor(tokens), d_vocab=10, reach=2
    )

    # With 0 among the two before: positions 2 (then 2) and 10 (then 3). Without: 6 (3) and 14 (2).
    assert observed.tolist() == [1, 0]
    # The second trigram's B, 0, stands at positions 0 and 9; 3 is before the second only.
    assert expected.tolist() == [1.0, 0.0]


def test_where_nothing_can_be_compared_nothing_is_counted():
    observed, expected = count_trigrams(
        torch.tensor([[0, 1, 2]]), torch.tensor([3, 3, 3]), d_vocab=4, reach=2
    )

    assert observed.numel() == expected.numel() == 0
