"""ACDC and edge attribution on circuits whose weights were written by hand."""

import json
import math
from html import escape

import pytest
import torch

from demos.circuits import (
    Circuit,
    EdgeGraph,
    EdgeRuns,
    acdc,
    auc_of_points,
    auc_of_scores,
    circuit_figure,
    edge_attribution,
    edge_effects,
    falling,
    node_scores,
    parse_edge,
    rates,
    threshold_sweep,
)
from demos.hand_circuits import gate_toy, induction_toy
from demos.models import load_model, tiny_model
from demos.nodes import EMBED, Head
from demos.roc import Rates
from tests.test_models import llama, save_checkpoint

TOYS = {
    "induction": induction_toy,
    "and": gate_toy,
    "threshold by head": lambda: gate_toy(threshold_by_head=True),
}
THRESHOLDS = (0.01, 0.1, 1.0, 10.0, 100.0)


def metric(logits):
    return logits[..., 1] - logits[..., 0]


def runs_of(toy, replacement="corrupted"):
    return EdgeRuns(toy.model, toy.graph, toy.clean, toy.corrupted, replacement)


def auc(toy, truth, replacement):
    runs = runs_of(toy, replacement)
    found = [run.circuit for run in threshold_sweep(runs, THRESHOLDS)]
    return auc_of_points(rates(one.edges, truth.edges, len(toy.graph.edges)) for one in found)


@pytest.mark.parametrize("name", TOYS)
def test_zero_ablation_recovers_the_program_and_corruption_what_varies_in_it(name):
    toy = TOYS[name]()

    assert acdc(runs_of(toy, "zero"), 0.01).circuit == toy.program
    assert acdc(runs_of(toy), 0.01).circuit == toy.varying


@pytest.mark.parametrize("name", TOYS)
def test_each_ablation_is_perfect_on_its_own_truth_and_not_on_the_other(name):
    toy = TOYS[name]()

    assert auc(toy, toy.program, "zero") == 1
    assert auc(toy, toy.varying, "corrupted") == 1
    assert auc(toy, toy.program, "corrupted") < 0.9
    # In the plain gate a constant edge matters less than any other, so a high threshold drops it.
    assert (auc(toy, toy.varying, "zero") == 1) == (name == "and")


@pytest.mark.parametrize("gate", ["and", "or", "enough"])
@pytest.mark.parametrize("flags", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_gate_computes_its_gate(gate, flags):
    toy = gate_toy(gate)
    (logits,) = toy.model(torch.tensor([[*flags, 2]]))[:, -1]

    expected = {"and": all(flags), "or": any(flags), "enough": bool(flags[0])}[gate]
    assert logits.argmax() == expected


def test_of_two_edges_that_stand_in_for_each_other_the_one_tried_last_stays():
    runs = runs_of(gate_toy("or"))
    late, early = (
        acdc(runs, 0.01, order=order).circuit for order in ("latest first", "earliest first")
    )

    assert parse_edge("0.0 -> mlp 0") in late and parse_edge("0.1 -> mlp 0") not in late
    assert parse_edge("0.1 -> mlp 0") in early and parse_edge("0.0 -> mlp 0") not in early
    assert len(late) == len(early)


def plain_acdc(runs, threshold, damage):
    """Algorithm 1 of the paper as it stands there, one edge at a time."""
    kept, now = runs.everything, 0.0
    for receiver in reversed(runs.graph.receivers):
        for sender in reversed(runs.graph.parents(receiver)):
            place = runs.graph.place((sender, receiver))
            tried = kept.copy()
            tried[place] = False
            value = damage(runs.logits(tried[None])[0], runs.clean_logits).item()
            if value - now < threshold:
                kept, now = tried, value
    return Circuit.of_mask(runs.graph, kept), now


@pytest.mark.parametrize("replacement", ["corrupted", "mean", "zero"])
@pytest.mark.parametrize("damage", ["kl", "metric"])
def test_acdc_is_the_papers_algorithm_whatever_is_tried_together(replacement, damage):
    model = noisy(tiny_model(n_heads=2))
    tokens = torch.randint(50, (4, 5), generator=torch.Generator().manual_seed(1))
    runs = EdgeRuns(model, EdgeGraph.of(model), tokens[:2], tokens[2:], replacement)
    from demos.circuits import kl_divergence

    measure = kl_divergence if damage == "kl" else falling(metric)
    for threshold in (0.0003, 0.003):
        found = acdc(runs, threshold, measure)
        expected, value = plain_acdc(runs, threshold, measure)

        assert 0 < len(expected) < len(runs.graph.edges)
        assert found.circuit == expected
        assert found.damage == pytest.approx(value, abs=1e-5)
        assert [one.kept for one in found.decisions].count(True) == len(expected)


def test_nodes_are_found_as_edges_are():
    toy = gate_toy()

    found = acdc(runs_of(toy), 0.01, level="node")

    assert {str(one.part) for one in found.decisions if one.kept} == {
        "embed",
        "0.0",
        "0.1",
        "mlp 0",
    }
    assert found.circuit.nodes >= {EMBED, Head(0, 0), Head(0, 1)}


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    toy, path = induction_toy(), tmp_path / "acdc.json"
    asked = []

    class Stopped(Exception):
        pass

    def damage(logits, clean):
        asked.append(1)
        if len(asked) == stop_at:
            raise Stopped
        return (clean.softmax(-1) - logits.softmax(-1)).abs().sum(-1).mean()

    stop_at = math.inf
    whole = acdc(runs_of(toy), 0.01, damage)
    calls, stop_at = len(asked), len(asked) + 9
    with pytest.raises(Stopped):
        acdc(runs_of(toy), 0.01, damage, checkpoint=path)
    asked.clear()
    stop_at = math.inf

    assert acdc(runs_of(toy), 0.01, damage, checkpoint=path) == whole
    assert len(asked) < calls
    with pytest.raises(ValueError, match="holds another run"):
        acdc(runs_of(toy), 0.02, damage, checkpoint=path)


def test_what_acdc_cannot_do_is_refused():
    with pytest.raises(ValueError, match="an order is one of"):
        acdc(runs_of(gate_toy()), 0.01, order="by name")


def noisy(model):
    with torch.no_grad():
        for parameter in model.original_model.parameters():
            generator = torch.Generator().manual_seed(parameter.numel())
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


def test_attribution_is_that_of_transformer_lens(tmp_path):
    from transformer_lens.tools.analysis import EdgeAttributionConfig, attribution_patch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=8, initializer_range=0.3
    )
    save_checkpoint(tmp_path, GPT2LMHeadModel(config))
    model = load_model(str(tmp_path))
    clean, corrupted = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([[5, 2, 0, 4, 1]])
    # TransformerLens goes the other way: from the corrupted run towards the clean one.
    graph = EdgeGraph.of(model)
    runs = EdgeRuns(model, graph, clean=corrupted, corrupted=clean)

    ours = edge_attribution(runs, metric)

    for parameter in model.parameters():  # without any that learns it finds no gradient
        parameter.requires_grad_(True)
    theirs = attribution_patch(
        model, clean, corrupted, lambda logits: metric(logits[:, -1]).mean(),
        EdgeAttributionConfig(granularity="edge"),
    )  # fmt: skip
    summed = torch.zeros_like(ours)
    kinds = {"q_input": " q", "k_input": " k", "v_input": " v"}

    def name(node):
        if node.kind in ("embed", "logits"):
            return node.kind
        if node.kind.startswith("mlp"):
            return f"mlp {node.layer}"
        return f"{node.layer}.{node.head}{kinds.get(node.kind, '')}"

    for (sender, receiver), score in theirs.edge_scores.items():  # one for each position
        summed[graph.place(parse_edge(f"{name(sender)} -> {name(receiver)}"))] += score
    assert ours.abs().max() > 0.01
    torch.testing.assert_close(ours, summed, atol=1e-5, rtol=1e-3)


def test_where_a_toy_is_saturated_the_slope_is_zero_and_the_average_slope_right():
    toy = gate_toy("enough")
    runs = runs_of(toy)
    edges = sorted(toy.varying.edges, key=str)

    exact = edge_effects(runs, metric, edges)
    eap, ig = edge_attribution(runs, metric), edge_attribution(runs, metric, steps=40)

    assert exact.tolist() == [-16.0] * 3
    behind, before = parse_edge("mlp 0 -> logits"), parse_edge("0.0 -> mlp 0")
    assert eap[toy.graph.place(before)] == 0
    assert eap[toy.graph.place(behind)] == pytest.approx(-16)  # nothing is flat after the gate
    assert [ig[toy.graph.place(edge)].item() for edge in edges] == pytest.approx(
        [-16] * 3, rel=0.05
    )
    assert Circuit.of_scores(toy.graph, eap, 3) != toy.varying
    assert Circuit.of_scores(toy.graph, ig, 3) == toy.varying


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("first_layer", [0, 1])
def test_integrated_slopes_at_the_input_add_up_to_what_the_metric_loses(
    kind, first_layer, tmp_path
):
    torch.manual_seed(2)
    if kind == "llama":
        save_checkpoint(tmp_path, llama(initializer_range=0.1))
        model = load_model(str(tmp_path))
    else:
        model = noisy(tiny_model(d_vocab=8))
    clean, corrupted = torch.tensor([[1, 2, 3, 4], [0, 1, 1, 6]]), torch.tensor([[5, 2, 0, 4]] * 2)
    runs = EdgeRuns(model, EdgeGraph.of(model, first_layer=first_layer), clean, corrupted)

    scores = edge_attribution(runs, metric, steps=400)

    lost = metric(model(corrupted)[:, -1]).mean() - metric(runs.clean_logits).mean()
    assert node_scores(scores)[0].item() == pytest.approx(lost.item(), rel=0.03)


def test_of_a_linear_model_attribution_is_exact():
    model = noisy(tiny_model(attn_only=True, normalization_type=None, n_heads=2))
    with torch.no_grad():
        for name, parameter in model.original_model.named_parameters():
            if {"q", "k"} & set(name.split(".")):
                parameter.zero_()  # every head looks everywhere, whatever it reads
    tokens = torch.randint(50, (4, 5), generator=torch.Generator().manual_seed(1))
    runs = EdgeRuns(model, EdgeGraph.of(model), tokens[:2], tokens[2:], "mean")

    scores = edge_attribution(runs, metric)

    exact = edge_effects(runs, metric, runs.graph.edges)
    found = torch.stack([scores[runs.graph.place(edge)] for edge in runs.graph.edges])
    assert exact.abs().max() > 0.1
    torch.testing.assert_close(found, exact, atol=1e-4, rtol=1e-3)


def test_the_area_under_steps_is_that_of_the_rectangles_below_the_points():
    assert auc_of_points([Rates(0, 1)]) == 1
    assert auc_of_points([]) == 0
    assert auc_of_points([Rates(0.5, 0.8), Rates(0.25, 0.6), Rates(0.6, 0.7)]) == pytest.approx(
        0.25 * 0 + 0.25 * 0.6 + 0.5 * 0.8
    )


def test_the_area_of_scores_is_the_chance_of_the_right_order():
    scores = {"a": -3.0, "b": 2.0, "c": 2.0, "d": 0.0}

    assert auc_of_scores(scores, "ab") == pytest.approx((2 + 1.5) / 4)
    assert auc_of_scores(scores, "a") == 1
    with pytest.raises(ValueError, match="nothing to tell apart"):
        auc_of_scores(scores, "abcd")


def test_a_picture_names_every_edge_and_its_effect():
    toy = gate_toy()
    effects = dict.fromkeys(toy.program.edges, -1.5) | {parse_edge("mlp 0 -> logits"): -16.0}

    figure = circuit_figure(toy.program, effects, title="A gate", value_title="change")

    for edge in toy.program.edges:
        assert f"<title>{escape(str(edge))}: {effects[edge]:g}</title>" in figure.svg
    assert figure.rows[0] == ("mlp 0", "logits", "-16")
    assert len(figure.rows) == len(toy.program)
    assert "A gate" in figure.html
    assert len(circuit_figure(toy.program, title="A gate").rows[0]) == 2
    with pytest.raises(ValueError, match="without edges"):
        circuit_figure(Circuit(toy.graph, frozenset()), title="Nothing")
    with pytest.raises(ValueError, match="no effect is given of"):
        circuit_figure(toy.program, {}, title="A gate")


def test_decisions_in_a_file_are_readable(tmp_path):
    acdc(runs_of(gate_toy()), 0.01, checkpoint=tmp_path / "acdc.json")

    held = json.loads((tmp_path / "acdc.json").read_text("utf-8"))
    assert sum(map(len, held["groups"])) == len(gate_toy().graph.edges)
