import math

import torch

from demos.early_exit import (
    agreement,
    choose_threshold,
    leave,
    probe_scores,
    saturation,
    saved,
)

# One column a position: decided at once, at the end, in between, and right for a while in between.
TOP = torch.tensor([[7, 1, 1, 1], [7, 1, 5, 9], [7, 2, 5, 2], [7, 3, 5, 9]])


def test_saturation_is_the_first_state_from_which_the_answer_stays():
    assert saturation(TOP).tolist() == [0, 3, 1, 3]


def test_leaving_at_saturation_loses_nothing():
    at = saturation(TOP)
    assert agreement(TOP, at).all()
    assert saved(TOP, at).tolist() == [3, 0, 2, 0]


def test_one_leaves_where_the_score_first_reaches_the_threshold_or_at_the_end():
    score = torch.tensor([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5], [0.3, 0.9, 0.5], [0.1, 0.1, 0.1]])
    assert leave(score, 0.8).tolist() == [0, 1, 3]
    assert leave(score, math.inf).tolist() == [3, 3, 3]


def test_what_agrees_is_the_first_choice_where_one_left():
    assert agreement(TOP, torch.tensor([0, 2, 2, 1])).tolist() == [True, False, True, True]


def test_the_threshold_is_the_lowest_that_keeps_what_is_wanted():
    top = torch.tensor([[1, 2, 3, 4], [1, 2, 9, 9]])
    score = torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.0, 0.0, 0.0, 0.0]])

    assert choose_threshold(score, top, wanted=1.0) == score[0, 1]
    assert choose_threshold(score, top, wanted=0.75) == score[0, 2]
    assert leave(score, choose_threshold(score, top, wanted=0.75)).tolist() == [0, 0, 0, 1]


def test_if_nobody_may_leave_the_threshold_is_out_of_reach():
    top, score = torch.tensor([[1], [2]]), torch.tensor([[0.9], [0.1]])
    assert choose_threshold(score, top, wanted=1.0) in (0.9, math.inf)
    assert agreement(top, leave(score, math.inf)).all()


def test_a_probe_finds_a_direction_that_says_whether_one_agrees():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(2, 500, 8, generator=generator)
    agrees = states[..., 0] > 0

    scores = probe_scores(states[:, :300], agrees[:, :300], states[:, 300:], penalty=0.01)

    assert ((scores > 0.5) == agrees[:, 300:]).float().mean() > 0.9
    unrelated = agrees[:, torch.randperm(500, generator=generator)]
    scores = probe_scores(states[:, :300], unrelated[:, :300], states[:, 300:], penalty=0.01)
    assert ((scores > 0.5) == agrees[:, 300:]).float().mean() < 0.7
