"""Circuits against hooks and against circuits whose weights were written by hand."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.circuits import (
    Ablated,
    Circuit,
    Edge,
    EdgeGraph,
    EdgeRuns,
    faithfulness,
    parse_edge,
    random_circuits,
)
from demos.models import load_model, tiny_model
from demos.nodes import EMBED, LOGITS, Head, HeadInput, Mlp
from tests.test_models import llama, save_checkpoint

GRAPH = EdgeGraph(n_layers=2, n_heads=2)
D_VOCAB = 8
GENERATOR = torch.Generator().manual_seed(5)
CLEAN = torch.randint(D_VOCAB, (3, 5), generator=GENERATOR)
CORRUPTED = torch.randint(D_VOCAB, (3, 5), generator=GENERATOR)


def metric(logits):
    return logits[..., 3] - logits[..., 5]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A GPT-2 and a Llama as transformers has them, and the same two as we load them."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    gpt2 = GPT2Config(
        n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=D_VOCAB, initializer_range=0.3
    )
    made = {"gpt2": GPT2LMHeadModel(gpt2).eval(), "llama": llama(initializer_range=0.3).eval()}
    loaded = {}
    for name, hf_model in made.items():
        folder = tmp_path_factory.mktemp(name)
        save_checkpoint(folder, hf_model)
        loaded[name] = load_model(str(folder))
    return made, loaded


def test_the_graph_has_every_pair_of_a_sender_and_a_later_receiver():
    assert [str(edge) for edge in EdgeGraph(1, 1).edges] == [
        "embed -> 0.0 q",
        "embed -> 0.0 k",
        "embed -> 0.0 v",
        "embed -> mlp 0",
        "0.0 -> mlp 0",
        "embed -> logits",
        "0.0 -> logits",
        "mlp 0 -> logits",
    ]
    assert [str(edge) for edge in EdgeGraph(2, 1, mlps=False, split=False).edges] == [
        "embed -> 0.0",
        "embed -> 1.0",
        "0.0 -> 1.0",
        "embed -> logits",
        "0.0 -> logits",
        "1.0 -> logits",
    ]


def test_layers_below_the_first_are_one_sender():
    graph = EdgeGraph(3, 2, first_layer=2, split=False)

    assert graph.senders == (EMBED, Head(2, 0), Head(2, 1), Mlp(2))
    with pytest.raises(ValueError, match="layers 0 to 2"):
        EdgeGraph(3, 2, first_layer=3)


def test_every_head_input_hears_every_sender_before_it():
    before = [1 + layer * 13 for layer in range(12)]  # the embedding, 12 heads and an mlp a layer
    heads = sum(12 * 3 * n for n in before)
    mlps = sum(n + 12 for n in before)

    assert len(EdgeGraph(n_layers=12, n_heads=12).edges) == heads + mlps + 1 + 12 * 13


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_full_circuit_is_the_clean_run_and_an_empty_one_the_corrupted(models, name):
    model = models[1][name]
    graph = EdgeGraph.of(model)
    runs = EdgeRuns(model, graph, CLEAN, CORRUPTED)

    full, empty = runs.logits(np.stack([graph.possible, np.zeros_like(graph.possible)]))

    torch.testing.assert_close(full, model(CLEAN)[:, -1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(empty, model(CORRUPTED)[:, -1], atol=1e-4, rtol=1e-4)


def by_hooks(hf_model, kind, edge, replacement):
    """Logits of transformers' own model when one edge is cut, by hooks on its modules.

    The receiver's module is called once more, on a stream in which the sender's part is replaced.
    """
    body = hf_model.transformer if kind == "gpt2" else hf_model.model
    layers = body.h if kind == "gpt2" else body.layers
    norm_1, norm_2 = (
        ("ln_1", "ln_2") if kind == "gpt2" else ("input_layernorm", "post_attention_layernorm")
    )
    written = {}

    def writes(tokens):
        """What the sender writes in a plain run."""
        hooks, sender = [], edge.sender
        if sender is EMBED:
            hooks.append(
                layers[0].register_forward_pre_hook(
                    lambda module, args, kwargs: written.update(
                        value=args[0] if args else kwargs["hidden_states"]
                    ),
                    with_kwargs=True,
                )
            )
        elif isinstance(sender, Mlp):
            hooks.append(
                layers[sender.layer].mlp.register_forward_hook(
                    lambda module, args, output: written.update(value=output)
                )
            )
        else:
            attention = layers[sender.layer]
            out = attention.attn.c_proj if kind == "gpt2" else attention.self_attn.o_proj

            def keep(module, args):
                d_head = 8
                one = torch.zeros_like(args[0])
                at = slice(sender.head * d_head, (sender.head + 1) * d_head)
                one[..., at] = args[0][..., at]
                weight = module.weight if kind == "gpt2" else module.weight.T
                written.update(value=one @ weight)

            hooks.append(out.register_forward_pre_hook(keep))
        with torch.no_grad():
            hf_model(tokens)
        for hook in hooks:
            hook.remove()
        return written["value"].clone()

    old = writes(CLEAN)
    new = writes(CORRUPTED)
    new = {
        "corrupted": new,
        "mean": new.mean(dim=0, keepdim=True),
        "zero": torch.zeros_like(new),
    }[replacement]
    shift, receiver, hooks = new - old, edge.receiver, []
    if receiver is LOGITS or isinstance(receiver, Mlp):
        norm = (
            (body.ln_f if kind == "gpt2" else body.norm)
            if receiver is LOGITS
            else getattr(layers[receiver.layer], norm_2)
        )
        hooks.append(norm.register_forward_pre_hook(lambda module, args: (args[0] + shift,)))
    else:
        norm = getattr(layers[receiver.layer], norm_1)
        other = {}

        def both(module, args, output):
            if "busy" not in other:
                other["busy"] = True
                other["read"] = module(args[0] + shift)
                del other["busy"]

        hooks.append(norm.register_forward_hook(both))
        d_head = 8
        at = slice(receiver.head * d_head, (receiver.head + 1) * d_head)
        if kind == "gpt2":
            width = 32 * "qkv".index(receiver.letter)
            place = slice(width + at.start, width + at.stop)
            module = layers[receiver.layer].attn.c_attn
        else:
            # Two heads of the grouped model share a key and a value, so the query alone is tried.
            place = at
            module = getattr(layers[receiver.layer].self_attn, f"{receiver.letter}_proj")

        def one_head(module, args, output):
            if "busy" in other:
                return None
            other["busy"] = True
            output = output.clone()
            output[..., place] = module(other["read"])[..., place]
            del other["busy"]
            return output

        hooks.append(module.register_forward_hook(one_head))
    with torch.no_grad():
        logits = hf_model(CLEAN).logits[:, -1]
    for hook in hooks:
        hook.remove()
    return logits


EDGES = {
    "gpt2": "embed -> 0.1 q, embed -> 1.2 v, 0.3 -> 1.0 k, mlp 0 -> 1.1 q, 0.2 -> mlp 0, "
    "1.3 -> mlp 1, embed -> logits, 0.0 -> logits, mlp 1 -> logits",
    "llama": "embed -> 0.1 q, 0.3 -> 1.0 q, mlp 0 -> 1.1 q, 0.2 -> mlp 0, 0.0 -> logits, "
    "mlp 1 -> logits",
}


@pytest.mark.parametrize("replacement", ["corrupted", "mean", "zero"])
@pytest.mark.parametrize(
    ("kind", "edge"), [(kind, edge) for kind in EDGES for edge in EDGES[kind].split(", ")]
)
def test_a_cut_edge_is_as_cut_by_transformers_own_hooks(models, kind, edge, replacement):
    made, loaded = models
    graph = EdgeGraph.of(loaded[kind])
    runs = EdgeRuns(loaded[kind], graph, CLEAN, CORRUPTED, replacement)
    mask = graph.possible & ~graph.mask([parse_edge(edge)])

    found = runs.logits(mask[None])[0]

    expected = by_hooks(made[kind], kind, parse_edge(edge), replacement)
    effect = expected - runs.clean_logits
    assert effect.abs().max() > 2e-5
    tolerance = 0.02 * effect.abs().max().item()
    torch.testing.assert_close(found - runs.clean_logits, effect, atol=tolerance, rtol=0)


def plainly(runs, kept):
    """One circuit, node by node, at all positions, with nothing shared between nodes."""
    graph, gpt = runs.graph, runs.gpt
    positions = torch.arange(runs.n_positions)
    moved = {EMBED: runs.distance[0]}

    def read(receiver, quiet):
        row = graph.receiver_index[receiver]
        for sender, value in moved.items():
            if kept[row, graph.sender_index[sender]]:
                quiet = quiet + value
        return quiet

    quiet = runs.reference[0].expand_as(moved[EMBED])
    for layer in graph.layers:
        block = gpt.blocks[layer]
        new = {}
        for head in range(graph.n_heads):
            inputs = graph.inputs(Head(layer, head))
            q, k, v = (block.ln1(read(node, quiet)) for node in (inputs * 3)[:3])
            attn = block.attn
            made = []
            for x, name in ((q, "Q"), (k, "K"), (v, "V")):
                made.append(x @ getattr(attn, f"W_{name}")[head] + getattr(attn, f"b_{name}")[head])
            if gpt.config.positions == "rotary":
                from demos.forward import rotate

                made[:2] = [rotate(x, positions, gpt.config.rotary_base) for x in made[:2]]
            scores = made[0] @ made[1].mT / gpt.config.d_head**0.5
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
            at = graph.sender_index[Head(layer, head)]
            written = scores.softmax(dim=-1) @ made[2] @ attn.W_O[head]
            new[Head(layer, head)] = written - runs.reference[at]
        moved |= new
        heads = [graph.sender_index[head] for head in new]
        quiet = quiet + runs.reference[heads].sum(dim=0) + block.attn.b_O
        if graph.mlps:
            at = graph.sender_index[Mlp(layer)]
            moved[Mlp(layer)] = block.mlp(block.ln2(read(Mlp(layer), quiet))) - runs.reference[at]
            quiet = quiet + runs.reference[at]
    return (gpt.ln_final(read(LOGITS, quiet)) @ gpt.W_U + gpt.b_U)[:, -1]


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("first_layer", [0, 1])
@pytest.mark.parametrize("kept_share", [0.04, 0.3, 0.97])
def test_any_circuits_together_are_as_each_computed_plainly(models, split, first_layer, kept_share):
    model = models[1]["llama"]
    graph = EdgeGraph.of(model, split=split, first_layer=first_layer)
    runs = EdgeRuns(model, graph, CLEAN, CORRUPTED, "mean")
    chooser = np.random.default_rng(0)
    kept = graph.possible & (chooser.random((6, *graph.possible.shape)) < kept_share)
    kept[1] = kept[0] & (graph.receiver_ranks[:, None] > 2)  # cells that share some of their rows
    kept[2, :-1] = kept[0, :-1]

    found = runs.logits(kept)

    expected = torch.stack([plainly(runs, mask) for mask in kept])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_node_without_its_edges_is_a_knocked_out_node(models):
    model = models[1]["gpt2"]
    graph = EdgeGraph.of(model)
    runs = EdgeRuns(model, graph, CLEAN, replacement="zero")

    (found,) = Ablated(runs, metric, "node").knock_out([[Head(0, 1), Mlp(1)]])

    hooks = [
        ("blocks.0.attn.hook_z", lambda z, hook: z.index_fill(2, torch.tensor(1), 0.0)),
        ("blocks.1.hook_mlp_out", lambda out, hook: torch.zeros_like(out)),
    ]
    with torch.no_grad():
        expected = metric(model.run_with_hooks(CLEAN, fwd_hooks=hooks)[:, -1])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_all_positions_can_be_asked_for(models):
    model = models[1]["gpt2"]
    graph = EdgeGraph.of(model)
    kept = graph.possible & ~graph.outgoing([Head(0, 1)])

    every = EdgeRuns(model, graph, CLEAN, CORRUPTED, all_logits=True).logits(kept[None])
    last = EdgeRuns(model, graph, CLEAN, CORRUPTED).logits(kept[None])

    assert every.shape == (1, 3, 5, D_VOCAB)
    torch.testing.assert_close(every[:, :, -1], last, atol=1e-5, rtol=1e-4)


subsets = st.sets(st.sampled_from(GRAPH.edges))


@settings(max_examples=30, deadline=None)
@given(subsets)
def test_a_circuit_survives_its_json_and_the_order_of_its_edges(edges):
    circuit = Circuit(GRAPH, frozenset(edges))

    again = Circuit.from_json(circuit.to_json())

    assert again == circuit and hash(again) == hash(circuit)
    assert again.to_json() == Circuit(GRAPH, frozenset(sorted(edges, key=str))).to_json()
    assert Circuit.of_mask(GRAPH, circuit.mask) == circuit


@settings(max_examples=8, deadline=None)
@given(subsets, st.randoms())
def test_faithfulness_does_not_depend_on_order_or_on_edges_that_lead_nowhere(edges, chooser):
    model = tiny_model(n_heads=2, d_vocab=D_VOCAB)
    runs = EdgeRuns(model, GRAPH, CLEAN, CORRUPTED)
    shuffled = list(edges)
    chooser.shuffle(shuffled)
    circuit = Circuit(GRAPH, frozenset(edges))
    dead = {edge for edge in edges if edge.receiver not in live_receivers(circuit)}

    one = faithfulness(Ablated(runs, metric), edges)
    other = faithfulness(Ablated(runs, metric), [edge for edge in shuffled if edge not in dead])

    torch.testing.assert_close(one.circuit, other.circuit, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.full, metric(model(CLEAN)[:, -1]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.empty, metric(model(CORRUPTED)[:, -1]), atol=1e-5, rtol=1e-4)


def live_receivers(circuit):
    """Receivers with a path to the logits, by plain search."""
    live, before = {LOGITS}, None
    while live != before:
        before = set(live)
        for edge in circuit.edges:
            if edge.receiver in live:
                live |= set(circuit.graph.inputs(edge.sender))
    return live


def test_pruning_leaves_the_paths_from_end_to_end():
    edges = "embed -> 0.0 q, 0.0 -> 1.1 v, 1.1 -> logits, 0.1 -> logits, embed -> mlp 0"
    circuit = Circuit(GRAPH, frozenset(parse_edge(edge) for edge in edges.split(", ")))

    assert {str(edge) for edge in circuit.pruned.edges} == {
        "embed -> 0.0 q",
        "0.0 -> 1.1 v",
        "1.1 -> logits",
    }
    assert circuit.nodes == {EMBED, Head(0, 0), Head(0, 1), Mlp(0), Head(1, 1), LOGITS}


def test_a_circuit_of_nodes_has_all_edges_between_them():
    circuit = Circuit.of_nodes(GRAPH, [EMBED, Head(1, 0)])

    assert str(circuit) == "logits <- embed, 1.0\n1.0 v <- embed\n1.0 k <- embed\n1.0 q <- embed"


def test_the_largest_scores_make_a_circuit_whatever_their_sign():
    scores = torch.zeros(GRAPH.possible.shape)
    strong = [Edge(EMBED, Mlp(0)), Edge(Head(0, 1), HeadInput(1, 0, "v"))]
    scores[GRAPH.place(strong[0])] = -2.0
    scores[GRAPH.place(strong[1])] = 1.0

    assert Circuit.of_scores(GRAPH, scores, 2).edges == set(strong)
    with pytest.raises(ValueError, match="edges of"):
        Circuit.of_scores(GRAPH, scores, 10_000)


def test_overlap_is_what_both_have_of_what_either_has():
    one, other = (Circuit(GRAPH, frozenset(GRAPH.edges[:n])) for n in (2, 8))

    assert one.overlap(other) == 0.25
    assert one.overlap(one) == Circuit(GRAPH, frozenset()).overlap(Circuit(GRAPH, frozenset())) == 1
    drawn = Circuit.at_random(GRAPH, 5, seed=1)
    assert len(drawn) == 5 and drawn == Circuit.at_random(GRAPH, 5, seed=1)
    assert random_circuits(GRAPH.edges, 5, 1, seed=1) != [drawn]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "a circuit is a JSON object"),
        ("{", "a circuit is a JSON object"),
        (json.dumps({"graph": {"n_layers": 1, "n_heads": 1}, "edges": ["0.0 - 1.0"]}), "no edge"),
        (
            json.dumps({"graph": {"n_layers": 1, "n_heads": 1}, "edges": ["0.0 -> 0.0 q"]}),
            "the graph has no edge 0.0 -> 0.0 q",
        ),
    ],
)
def test_a_text_that_is_no_circuit_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        Circuit.from_json(text)


def test_prompts_and_replacements_that_do_not_fit_are_refused():
    model = tiny_model(n_heads=2, d_vocab=D_VOCAB)
    with pytest.raises(ValueError, match="same prompts and positions"):
        EdgeRuns(model, GRAPH, CLEAN, CORRUPTED[:, 1:])
    with pytest.raises(ValueError, match="give the corrupted prompts"):
        EdgeRuns(model, GRAPH, CLEAN, replacement="mean")
    with pytest.raises(ValueError, match="choose corrupted, mean or zero"):
        EdgeRuns(model, GRAPH, CLEAN, replacement="noise")
    runs = EdgeRuns(model, GRAPH, CLEAN, CORRUPTED)
    with pytest.raises(ValueError, match="not one number an example"):
        runs.measure([runs.everything], lambda logits: logits.mean())
