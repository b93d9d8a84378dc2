# %% [markdown]
# # Can a program find the circuit?
#
# Finding a circuit by hand takes a great deal of patching. ACDC cuts every edge of the model's
# graph that can be cut without much harm. Edge attribution (EAP) guesses all edges from one
# gradient, and EAP-IG from a few.
#
# **Question.** Do they find a circuit that we know, because we wrote its weights? And what do they
# find in SmolLM2-135M-Instruct on IOI, where nobody knows?
#
# **Source.** [Conmy et al. 2023](https://arxiv.org/abs/2304.14997), algorithm 1, tables 2 and 3 and
# appendix L; [Syed et al. 2023](https://arxiv.org/abs/2310.10348); [Hanna et al.
# 2024](https://arxiv.org/abs/2403.17806), section 4.
#
# **Criterion.**
#
# 1. Against a program written by hand, ACDC has an area under the ROC curve (AUC) of 1 with zero
#    ablation, and less than 0.9 with corrupted prompts. Against the part of the program that
#    differs between clean and corrupted prompts, corrupted prompts have 1.
# 2. Where a gate is saturated, EAP gives an edge of the program 0, and EAP-IG does not.
# 3. On SmolLM2, ACDC's circuit is nearer to the model (lower KL divergence) than each circuit of
#    its size by EAP, by EAP-IG and at random; and it has half of the model's logit difference.
# 4. EAP-IG's circuits are nearer to the model than EAP's at every size, by whichever metric they
#    were chosen.
# 5. ACDC has more of the heads and more of the edges that are found by hand than 97.5 % of random
#    choices of its size.
# 6. In a reset network the same search returns edges too, and they have no more in common with what
#    is found by hand than 97.5 % of random choices.
# 7. The order of the senders matters on SmolLM2 as on a toy: two orders share less than 90 % of the
#    edges of either.
#
# Criteria 3 to 5 got this form after the results of two seeds had been seen, so those two do not
# test them: read them as descriptions. What criterion 5 compares with, and criteria 6 and 7, were
# put down after trials under seed 0; the other seeds are their test.
#
# **Cost.** Two minutes of one core. To stay there, SmolLM2 is seen from layer 17 on (what is below
# is one sender), heads are whole (not query, key and value apart), and there are six prompts of one
# template, where the paper has fifty of one.

# %%
import random

import torch

from demos import facts
from demos.chance import RandomDraw
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
    kl_divergence,
    node_scores,
    parse_edge,
    rates,
    threshold_sweep,
)
from demos.figures import Series, bars, scatter
from demos.hand_circuits import gate_toy, induction_toy
from demos.ioi_heads import find_heads
from demos.ledger import Claim, ledger, verdict
from demos.metrics import LogitDifference
from demos.models import load_model
from demos.nodes import LOGITS, Head
from demos.prompts import ioi_batch, ioi_sentences
from demos.reset import reset
from demos.seeds import base_seed
from demos.statistics import rank_correlation, share_interval

seed = base_seed()

# %% [markdown]
# ## A circuit that is known
#
# Two small transformers have weights that were set by hand. One continues a repeated text with two
# heads; the other computes AND of two flags, with a threshold that a head writes. So the edges of
# the program are known: they are the positives, all other edges the negatives, and a sweep over
# ACDC's threshold gives a ROC curve.
#
# Some edges of a program say the same on clean and on corrupted prompts, such as where a position
# stands, or the threshold. So there are two truths: the whole program, and the part of it that
# varies. And there are two ways to cut an edge: put zero there, or what a corrupted prompt says.
#
# Predict first: which way to cut finds which truth?

# %% tags=["predict"]
THRESHOLDS = (0.01, 1.0, 100.0)
toys = {"induction": induction_toy(seed), "AND": gate_toy(threshold_by_head=True)}
replacements, truths = ("zero", "corrupted"), ("program", "varying")
areas = {}
for name, toy in toys.items():
    for replacement in replacements:
        runs = EdgeRuns(toy.model, toy.graph, toy.clean, toy.corrupted, replacement)
        found = [one.circuit for one in threshold_sweep(runs, THRESHOLDS)]
        for truth in truths:
            known = getattr(toy, truth).edges
            points = [rates(one.edges, known, len(toy.graph.edges)) for one in found]
            areas[name, replacement, truth] = auc_of_points(points)
bars(
    [f"{name}, {truth}" for name in toys for truth in truths],
    [
        Series(
            f"cut by {replacement}",
            [areas[name, replacement, truth] for name in toys for truth in truths],
        )
        for replacement in replacements
    ],
    title="ACDC against two truths",
    x_title="area under the ROC curve",
    y_title="toy and truth",
    caption="Each way to cut is the other's control. The area is that of steps: no credit between "
    "the points.",
)

# %%
zero_auc = min(areas[name, "zero", "program"] for name in toys)
corrupted_auc = max(areas[name, "corrupted", "program"] for name in toys)
varying_auc = min(areas[name, "corrupted", "varying"] for name in toys)
zero_on_varying = max(areas[name, "zero", "varying"] for name in toys)
facts.record(
    "discovery-auc-zero",
    zero_auc,
    n=len(toys),
    seed=seed,
    unit="area, the worse of two toys",
    claim="With zero ablation ACDC recovers a whole program",
)
facts.record(
    "discovery-auc-corrupted",
    corrupted_auc,
    tolerance=0.02,
    n=len(toys),
    seed=seed,
    unit="area, the better of two toys",
    claim="With corrupted prompts ACDC misses what they share with the clean ones",
)
facts.record(
    "discovery-auc-varying",
    varying_auc,
    n=len(toys),
    seed=seed,
    unit="area, the worse of two toys",
    claim="With corrupted prompts ACDC recovers what varies",
)
print(f"zero finds the program: {zero_auc:.3f}; corrupted prompts at best {corrupted_auc:.3f}")
print(f"corrupted prompts find what varies: {varying_auc:.3f}; zero at best {zero_on_varying:.3f}")
assert zero_auc == varying_auc == 1
assert corrupted_auc < 0.9 and zero_on_varying < 1

# %% [markdown]
# So the surprise of the paper's tables is not one. Neither way is wrong; they answer different
# questions, and the truth that one compares with has chosen the question already.
#
# ## Where a slope says nothing
#
# A third toy answers by a gate that is flat from one half on. At the clean input, nothing that
# feeds the gate moves it, and yet without the flag the answer turns over. EAP has the slope of the
# clean run only. EAP-IG averages over runs on the way from the corrupted input.

# %% tags=["predict"]
saturated = gate_toy("enough")
gate_runs = EdgeRuns(saturated.model, saturated.graph, saturated.clean, saturated.corrupted)


def answer(logits):
    return logits[..., 1] - logits[..., 0]


into_gate = parse_edge("0.0 -> mlp 0")
edges = [*sorted(saturated.varying.edges, key=str), parse_edge("0.2 -> mlp 0")]
gate_exact = edge_effects(gate_runs, answer, edges)
estimates = {steps: edge_attribution(gate_runs, answer, steps) for steps in (1, 20)}
bars(
    [str(edge) for edge in edges],
    [
        Series("exact", gate_exact.tolist()),
        *(
            Series(label, [estimates[steps][saturated.graph.place(edge)].item() for edge in edges])
            for steps, label in ((1, "EAP"), (20, "EAP-IG, 20 steps"))
        ),
    ],
    title="A saturated gate",
    x_title="change of the logit difference without the edge",
    y_title="edge",
    caption="The last edge is the control: it feeds the same layer and is no part of the program.",
)

# %%
exact_gate, flat, integrated = (
    values.item()
    for values in (
        gate_exact[edges.index(into_gate)],
        *(estimates[steps][saturated.graph.place(into_gate)] for steps in (1, 20)),
    )
)
facts.record("discovery-saturated-eap", flat, n=1, unit="logits", claim="EAP misses a flat gate")
facts.record(
    "discovery-saturated-share",
    integrated / exact_gate,
    tolerance=0.01,
    n=1,
    unit="share of the exact effect that EAP-IG finds",
    claim="EAP-IG finds what feeds a flat gate",
)
print(f"{into_gate}: exact {exact_gate:.1f}, EAP {flat:.1f}, EAP-IG {integrated:.1f}")
assert flat == 0 and abs(integrated / exact_gate - 1) < 0.15

# %% [markdown]
# ## Two edges that stand in for each other
#
# In an OR gate either flag is enough. ACDC tries the edges one after the other. Which one stays?

# %%
or_gate = gate_toy("or")
or_runs = EdgeRuns(or_gate.model, or_gate.graph, or_gate.clean, or_gate.corrupted)
kept, or_found = {}, {}
for order in ("latest first", "earliest first"):
    or_found[order] = acdc(or_runs, 0.01, order=order).circuit
    kept[order] = [head for head in (0, 1) if parse_edge(f"0.{head} -> mlp 0") in or_found[order]]
    print(f"{order}: of the heads 0.0 and 0.1, this stays: {kept[order]}")
assert len(kept["latest first"]) == len(kept["earliest first"]) == 1
assert kept["latest first"] != kept["earliest first"]

# %% [markdown]
# The one that is tried last. A circuit by ACDC is *a* circuit, not *the* circuit.
#
# ## SmolLM2 on IOI
#
# Clean prompts ask who gets the drink, corrupted ones have three other names, so that they ask
# nothing. ACDC goes by the KL divergence from the clean run's predictions. EAP and EAP-IG go by the
# logit difference, as their papers do, and EAP-IG by KL as well, to be on ACDC's terms (of EAP by
# KL nothing comes: at the clean run the divergence is at its minimum, and its slope is 0). All are
# then run: the edges of the circuit are kept, all others are cut.

# %%
FIRST_LAYER, STEPS, TEMPLATE, PAIRS = 0.58, 5, 5, 3
model = load_model()
first_layer = int(FIRST_LAYER * model.cfg.n_layers)
sentences = ioi_sentences(model.tokenizer, PAIRS, seed, templates=[TEMPLATE])
clean = ioi_batch(sentences, model.tokenizer)
corrupted = clean.corrupted_abc(seed)
difference = LogitDifference(clean.io, clean.s)
edge_graph = EdgeGraph.of(model, first_layer=first_layer, split=False)
runs = EdgeRuns(model, edge_graph, clean.tokens, corrupted.tokens)


def judge(circuit, runs=runs, difference=difference):
    """KL divergence from the whole model in nats, and the mean logit difference."""
    (logits,) = runs.logits(circuit.mask[None])
    return kl_divergence(logits, runs.clean_logits).item(), difference(logits).mean().item()


full = difference(runs.clean_logits).mean().item()
empty = judge(Circuit(edge_graph, frozenset()))
print(f"{len(clean)} prompts, such as: {clean.text[0]} ... {clean.sentences[0].io}")
print(f"{len(edge_graph.edges)} edges from layer {first_layer} on")
print(f"whole model: logit difference {full:.2f}")
print(f"nothing kept: logit difference {empty[1]:.2f}, KL {empty[0]:.2f}")
assert full > 3 and empty[1] < 1

# %% [markdown]
# Predict first:
#
# 1. How many of these edges does one need to come within 1 nat?
# 2. Can a circuit be *further* from the model than no circuit at all?
# 3. How many edges drawn at random do as well as a hundred chosen ones?

# %% tags=["predict"]
THRESHOLD = 0.2
SIZES = (10, 100, 1000, 3000)
search = acdc(runs, THRESHOLD)
discovered = search.circuit


def against_kl(logits):
    return kl_divergence(logits, runs.clean_logits)


scores = {
    "EAP": edge_attribution(runs, difference),
    "EAP-IG": edge_attribution(runs, difference, STEPS),
    "EAP-IG by KL": edge_attribution(runs, against_kl, STEPS),
}
judged = {"ACDC": {len(discovered): judge(discovered)}}
sizes = sorted({*SIZES, *judged["ACDC"]})
for name, values in scores.items():
    judged[name] = {size: judge(Circuit.of_scores(edge_graph, values, size)) for size in sizes}
judged["random"] = {size: judge(Circuit.at_random(edge_graph, size, seed)) for size in sizes}
scatter(
    {
        name: [(size, kl) for size, (kl, _) in sorted(points.items())]
        for name, points in judged.items()
    },
    title="How near a circuit comes to the model",
    x_title="edges kept",
    y_title="KL divergence (nats)",
    log_x=True,
    caption=f"Of {len(edge_graph.edges)} edges, on {len(clean)} prompts. Nothing kept: "
    f"{empty[0]:.1f} nats. The random circuits are the control.",
)

# %%
scatter(
    {
        name: [(size, at) for size, (_, at) in sorted(points.items())]
        for name, points in judged.items()
    },
    title="How much of the logit difference a circuit has",
    x_title="edges kept",
    y_title="logit difference",
    log_x=True,
    caption=f"The same circuits. Whole model: {full:.1f}; nothing kept: {empty[1]:.1f}.",
)

# %%
size = len(discovered)
nearest = {name: points[size] for name, points in judged.items()}
better = {
    name: all(judged[name][n][0] < judged["EAP"][n][0] for n in SIZES)
    for name in ("EAP-IG", "EAP-IG by KL")
}
ahead = all(nearest["ACDC"][0] < kl for name, (kl, _) in nearest.items() if name != "ACDC")
share = nearest["ACDC"][1] / full
further = [n for n in SIZES if judged["EAP"][n][0] > empty[0]]
# A rise just at the threshold could fall to the other side on another processor.
narrowest = min(abs(one.rise - THRESHOLD) for one in search.decisions)
print(f"no decision is nearer to the threshold than {narrowest:.4f} nats")
facts.record(
    *("discovery-edges", float(size)),
    tolerance=2,
    n=len(clean),
    seed=seed,
    unit="edges kept by ACDC",
)
facts.record("discovery-kl-empty", empty[0], tolerance=0.05, n=len(clean), seed=seed, unit="nats")
facts.record(
    "discovery-kl-acdc", nearest["ACDC"][0], tolerance=0.1, n=len(clean), seed=seed, unit="nats"
)
facts.record(
    "discovery-kl-eap", nearest["EAP"][0], tolerance=0.1, n=len(clean), seed=seed, unit="nats"
)
facts.record(
    "discovery-acdc-difference",
    nearest["ACDC"][1],
    tolerance=0.1,
    n=len(clean),
    seed=seed,
    unit="logits",
    claim="ACDC's small circuit does not do the task",
)
for name, (kl, at) in nearest.items():
    print(f"{name}, {size} edges: KL {kl:.2f}, logit difference {at:.2f}")
print(f"nothing kept: KL {empty[0]:.2f}; EAP is further than that at these sizes: {further}")
print(f"nearer than EAP at every size: {better}")
assert nearest["ACDC"][0] < min(empty[0], nearest["random"][0])

# %% [markdown]
# Two things are worth a pause. Edge for edge ACDC lowers the divergence most, and most of the logit
# difference is still missing: KL falls when what is wrong goes, and that takes no name. And the few
# edges that EAP puts first leave the output further from the model's than no edge at all, though
# their logit difference is higher. Which circuit is the better one is decided by the metric, before
# any program runs.

# %%
effects = dict.fromkeys(discovered.edges, 0.0)
listed = sorted(effects, key=str)
effects.update(zip(listed, edge_effects(runs, difference, listed).tolist(), strict=True))
circuit_figure(
    discovered,
    effects,
    title="What ACDC keeps",
    value_title="change of the logit difference without the edge",
    caption=f"Threshold {THRESHOLD}, layers from {first_layer} on; embed is all that is below.",
)

# %% [markdown]
# ## Is the estimate right?
#
# Edges drawn at random, each cut by itself, against the guesses.

# %%
sample = random.Random(seed).sample(edge_graph.edges, 50)
exact = edge_effects(runs, difference, sample)
agreement = {
    name: rank_correlation(
        torch.stack([scores[name][edge_graph.place(edge)] for edge in sample]), exact
    )
    for name in ("EAP", "EAP-IG")
}
for name, value in agreement.items():
    print(f"{name}: rank correlation with the exact effects {value:.2f}, {len(sample)} edges")
facts.record(
    "discovery-eap-correlation",
    agreement["EAP"],
    tolerance=0.05,
    n=len(sample),
    seed=seed,
    unit="Spearman's rank correlation",
)

# %% [markdown]
# ## Is there a circuit where there is none?
#
# A search always returns something. The control of the paper's appendix L is a *reset network*: the
# same weights, shuffled, here within each matrix of heads and feed-forward layers. Nothing is left
# between embedding and unembedding that could know who gets the drink. Prompts, threshold and code
# are the same. Predict: which of the two keeps more edges?

# %% tags=["predict"]
reset_runs = EdgeRuns(reset(model, seed), edge_graph, clean.tokens, corrupted.tokens)
reset_whole = difference(reset_runs.clean_logits).mean().item()
reset_empty = judge(Circuit(edge_graph, frozenset()), reset_runs)
in_reset = acdc(reset_runs, THRESHOLD).circuit
reset_scores = edge_attribution(reset_runs, difference)
reset_judged = {
    "ACDC": {len(in_reset): judge(in_reset, reset_runs)},
    "EAP": {n: judge(Circuit.of_scores(edge_graph, reset_scores, n), reset_runs) for n in SIZES},
}
both = {
    **{f"{name}, model": (judged[name], empty[0]) for name in reset_judged},
    **{f"{name}, reset network": (of, reset_empty[0]) for name, of in reset_judged.items()},
}
scatter(
    {
        name: [(n, kl / most) for n, (kl, _) in sorted(of.items())]
        for name, (of, most) in both.items()
    },
    title="The same searches in a model and in its disorder",
    x_title="edges kept",
    y_title="KL divergence (share of that of nothing kept)",
    log_x=True,
    caption=f"Nothing kept is 1: {empty[0]:.1f} nats in the model, {reset_empty[0]:.1f} in the "
    f"reset network. ACDC's threshold is {THRESHOLD} nats in both.",
)

# %%
reset_size, (reset_kl, reset_at) = len(in_reset), reset_judged["ACDC"][len(in_reset)]
rows = {
    "model": (full, size, nearest["ACDC"], empty),
    "reset network": (reset_whole, reset_size, (reset_kl, reset_at), reset_empty),
}
print("               logit difference of    edges     KL divergence    logit difference")
print("                   the whole          kept     kept     nothing    kept   nothing")
for name, (all_of_it, n, (kl, at), (most, none)) in rows.items():
    print(f"{name:15}{all_of_it:10.2f}{n:18}{kl:10.2f}{most:11.2f}{at:9.2f}{none:9.2f}")
facts.record(
    *("discovery-reset-edges", float(reset_size)),
    tolerance=4,
    n=len(clean),
    seed=seed,
    unit="edges kept by ACDC in the reset network",
    claim="A search returns edges where there is no circuit",
)
facts.record(
    *("discovery-reset-difference", reset_at),
    tolerance=0.5,
    n=len(clean),
    seed=seed,
    unit="logits, of ACDC's circuit in the reset network",
)
facts.record(
    *("discovery-reset-kl-share", reset_kl / reset_empty[0]),
    tolerance=0.1,
    n=len(clean),
    seed=seed,
    unit="share of the divergence of nothing kept",
)
assert reset_size > 0

# %% [markdown]
# Edges come back here too, and the divergence falls by cutting the rest. Neither their number nor
# their divergence says that there was nothing to find, and a logit difference of some size is luck
# with the names of a few prompts. It takes something from outside of the search: below, the heads
# that are found by hand.

# %% [markdown]
# ## Does the order matter here too?
#
# On the OR gate the order decided. On SmolLM2 each receiver's senders are tried once more from the
# earliest on.

# %%
again = acdc(runs, THRESHOLD, order="earliest first").circuit
or_overlap = or_found["latest first"].overlap(or_found["earliest first"])
order_overlap = discovered.overlap(again)
drawn = [Circuit.at_random(edge_graph, size, 1000 * seed + n) for n in range(20)]
by_luck = sum(discovered.overlap(one) for one in drawn) / len(drawn)
bars(
    ["OR gate", "SmolLM2", "SmolLM2, random edges"],
    [Series("edges of both, of the edges of either", [or_overlap, order_overlap, by_luck])],
    title="How far two orders agree",
    x_title="overlap (Jaccard)",
    y_title="what is searched",
    caption="Latest sender first against earliest first. The control: as many edges at random.",
)

# %%
again_kl, again_at = judge(again)
print(f"latest first: {size} edges, KL {nearest['ACDC'][0]:.2f}, overlap {order_overlap:.2f}")
print(f"earliest first: {len(again)} edges, KL {again_kl:.2f}, logit difference {again_at:.2f}")
facts.record(
    *("discovery-order-overlap", order_overlap),
    tolerance=0.15,
    n=len(discovered.edges | again.edges),
    seed=seed,
    unit="Jaccard overlap of two orders",
    claim="A circuit by ACDC depends on the order",
)

# %% [markdown]
# ## The circuit that one finds by hand
#
# The procedure of [demo 09](09_ioi_circuit.py), path patching from the logits backwards, on these
# prompts. Its heads come class by class, and so do its edges: heads with a direct effect to the
# logits, S-inhibition heads to name movers, heads at S2 to S-inhibition heads. What lies below
# layer 17 has no place in our graph and is left out. Two differences remain. By hand an edge may
# pass through feed-forward layers, and it has one position and one of query, key and value; here
# neither is told apart. Heads that only relay, or neither copy nor suppress a name, have no class
# in this procedure.

# %%
by_hand = find_heads(model, [(clean, corrupted)])
classes = {
    name: [Head(layer, head) for layer, head, _ in parts if layer >= first_layer]
    for name, parts in by_hand.classes.items()
}
INDIRECT = ("S-inhibition", "induction", "duplicate token")
at_logits = [head for name, heads in classes.items() if name not in INDIRECT for head in heads]
inhibiting = classes.get("S-inhibition", [])
at_s2 = [head for name in INDIRECT[1:] for head in classes.get(name, [])]
pairs = [(head, LOGITS) for head in at_logits]
pairs += [(one, mover) for one in inhibiting for mover in classes.get("name mover", [])]
pairs += [(one, other) for one in at_s2 for other in inhibiting]
hand_edges = {pair for pair in pairs if pair[1] is LOGITS or pair[0].layer < pair[1].layer}
hand_heads = {*at_logits, *inhibiting, *at_s2}
for name, heads in classes.items():
    print(f"{name:>20}: {', '.join(map(str, heads)) or 'none from this layer on'}")

# %%
of_heads = (model.cfg.n_layers - first_layer) * model.cfg.n_heads
candidates = {
    "ACDC": discovered,
    "ACDC, other order": again,
    **{name: Circuit.of_scores(edge_graph, values, size) for name, values in scores.items()},
    "ACDC, reset network": in_reset,
}
found_heads = {
    name: {node for node in one.nodes if isinstance(node, Head)} for name, one in candidates.items()
}
head_draws = {
    name: RandomDraw(len(heads), len(hand_heads), of_heads) for name, heads in found_heads.items()
}
shared = {name: len(heads & hand_heads) for name, heads in found_heads.items()}
bars(
    [f"{name} ({len(heads)} heads)" for name, heads in found_heads.items()],
    [
        Series("also found by hand", [shared[name] for name in found_heads]),
        Series(
            "as many heads at random",
            [draw.mean for draw in head_draws.values()],
            [draw.interval for draw in head_draws.values()],
        ),
    ],
    title=f"Heads among the {len(hand_heads)} found by hand",
    x_title="heads",
    y_title="search",
    caption=f"{of_heads} heads stand in layers {first_layer} and above. Whiskers: the central "
    "95 % of random choices of the same size. EAP's circuits have as many edges as ACDC's.",
)

# %%
edge_draw = RandomDraw(size, len(hand_edges), len(edge_graph.edges))
shared_edges = {name: len(one.edges & hand_edges) for name, one in candidates.items()}
for name, count in shared_edges.items():
    print(f"{name}: {count} of the {len(hand_edges)} edges by hand")
print(f"{size} edges at random: {edge_draw.mean:.3f}, 95 % of them {edge_draw.interval}")
for name in found_heads:
    chance = head_draws[name].at_least(shared[name])
    print(f"{name}: {shared[name]} heads; as many or more by chance: {chance:.2g}")
heads_beyond = shared["ACDC"] > head_draws["ACDC"].interval[1]
edges_beyond = shared_edges["ACDC"] > edge_draw.interval[1]
reset_name = "ACDC, reset network"
reset_beyond = shared[reset_name] > head_draws[reset_name].interval[1]
reset_edges_beyond = (
    shared_edges[reset_name]
    > RandomDraw(reset_size, len(hand_edges), len(edge_graph.edges)).interval[1]
)
facts.record(
    *("discovery-hand-edges", float(shared_edges["ACDC"])),
    tolerance=2,
    n=size,
    seed=seed,
    unit="edges of ACDC's that are found by hand too",
)
facts.record(
    *("discovery-hand-share", shared["ACDC"] / len(found_heads["ACDC"])),
    tolerance=0.2,
    interval=share_interval(shared["ACDC"], len(found_heads["ACDC"])),
    n=len(found_heads["ACDC"]),
    seed=seed,
    unit="share of ACDC's heads that are found by hand too",
    claim="ACDC finds heads that were found by hand",
)
facts.record(
    *("discovery-hand-chance", len(hand_heads) / of_heads),
    tolerance=0.05,
    n=of_heads,
    seed=seed,
    unit="share of all heads that are found by hand",
)

# %% [markdown]
# ## The paper's table beside ours
#
# Areas under the ROC curve of ACDC. The text is tables 2 (corrupted) and 3 (zero) of the paper, as
# far as we have read it; the file is `experiments/results/auc_tables.tex` in its authors'
# repository, trained weights. They differ in several cells, and both are here. Against the heads
# found by hand, SmolLM2's come from EAP: the size of what all edges that leave a head would change.

# %%
PUBLISHED = (  # cut by, metric, task, edges in the text, edges and nodes in the file
    ("corrupted", "KL", "Docstring", "0.982", "0.434", "0.391"),
    ("corrupted", "KL", "Greater-Than", "0.853", "0.883", "0.890"),
    ("corrupted", "KL", "IOI", "0.869", "0.868", "0.873"),
    ("corrupted", "task", "Docstring", "", "0.972", "0.938"),
    ("corrupted", "task", "Greater-Than", "", "0.461", "0.766"),
    ("corrupted", "task", "IOI", "0.589", "0.589", "0.777"),
    ("corrupted", "task", "tracr-proportion", "0.679", "0.600", "0.727"),
    ("corrupted", "task", "tracr-reverse", "0.200", "0.200", "0.312"),
    ("zero", "KL", "Docstring", "", "0.585", "0.190"),
    ("zero", "KL", "Greater-Than", "", "0.276", "0.653"),
    ("zero", "KL", "IOI", "0.539", "0.226", "0.511"),
    ("zero", "task", "Docstring", "", "0.816", "0.845"),
    ("zero", "task", "Greater-Than", "", "0.159", "0.317"),
    ("zero", "task", "IOI", "", "0.403", "0.541"),
    ("zero", "task", "tracr-proportion", "1.000", "1.000", "1.000"),
    ("zero", "task", "tracr-reverse", "1.000", "1.000", "1.000"),
)
places = [n for n, node in enumerate(edge_graph.senders) if isinstance(node, Head)]
head_areas = {}
for name, values in scores.items():
    effect_of = node_scores(values)
    of_each = {edge_graph.senders[n]: effect_of[n].item() for n in places}
    head_areas[name] = auc_of_scores(of_each, hand_heads)
print(f"{'cut by':10}{'metric':7}{'task':24}{'text':>7}{'file':>7}{'nodes':>7}{'ours':>7}")
for cut, metric, task, text, file, nodes in PUBLISHED:
    print(f"{cut:10}{metric:7}{task:24}{text:>7}{file:>7}{nodes:>7}")
for (name, replacement, truth), area in areas.items():
    if truth == "program":
        print(f"{replacement:10}{'KL':7}{name + ' by hand, edges':45}{area:7.3f}")
for name, area in head_areas.items():
    print(f"{'corrupted':10}{'':7}{'SmolLM2 on IOI, heads, ' + name:45}{area:7.3f}")

# %%
ledger(
    Claim(
        says="ACDC recovers a known program with zero ablation, not with corrupted activations",
        source="Conmy et al. 2023, tables 2 and 3",
        found=f"AUC {zero_auc:.3f} with zero; {corrupted_auc:.3f} at best with corrupted prompts",
        control=f"against what varies in it, corrupted prompts have {varying_auc:.3f}",
        verdict=verdict(zero_auc == 1, corrupted_auc < 0.9, varying_auc == 1),
        limits="toys of ours, not the compiled programs of the paper",
    ),
    Claim(
        says="EAP is blind where a gate is saturated; EAP-IG is not",
        source="Hanna et al. 2024, for the method; the gate is ours",
        found=f"EAP {flat:.1f}, EAP-IG {integrated:.1f}",
        control=f"exact: {exact_gate:.1f}",
        verdict=verdict(flat == 0, abs(integrated / exact_gate - 1) < 0.15),
        limits="how many gates of a trained model are saturated",
    ),
    Claim(
        says="ACDC finds a small circuit that does the task",
        source="Conmy et al. 2023, section 4",
        found=f"{size} edges: KL {nearest['ACDC'][0]:.2f}, logit difference "
        f"{nearest['ACDC'][1]:.2f} of {full:.2f}",
        control="; ".join(f"{name}: KL {kl:.2f}" for name, (kl, _) in nearest.items()),
        verdict=verdict(ahead, share > 0.5),
        limits="one threshold, layers from the middle on; smaller thresholds keep more edges",
    ),
    Claim(
        says="EAP-IG finds more faithful circuits than EAP",
        source="Hanna et al. 2024, abstract",
        found="nearer at every size: "
        + ", ".join(f"{name}: {'yes' if held else 'no'}" for name, held in better.items()),
        control=f"nothing kept: KL {empty[0]:.2f}; random circuits at best "
        f"{min(kl for kl, _ in judged['random'].values()):.2f}",
        verdict=verdict(*better.values()),
        limits="faithful by KL; by the logit difference the order is another at some sizes",
    ),
    Claim(
        says="ACDC finds parts of the circuit that was found by hand",
        source="Conmy et al. 2023, section 4",
        found=f"{shared['ACDC']} of its {len(found_heads['ACDC'])} heads and "
        f"{shared_edges['ACDC']} of its {size} edges are found by hand too",
        control=f"at random: {head_draws['ACDC'].mean:.1f} heads (95 %: "
        f"{head_draws['ACDC'].interval[0]} to {head_draws['ACDC'].interval[1]}), "
        f"{edge_draw.mean:.2f} edges (at most {edge_draw.interval[1]})",
        verdict=verdict(heads_beyond, edges_beyond),
        limits="what the search leaves out by hand has no class, or stands below the middle",
    ),
    Claim(
        says="In a network with shuffled weights the search finds nothing of the circuit",
        source="Conmy et al. 2023, appendix L, for the control",
        found=f"it keeps {reset_size} edges all the same, with a logit difference of "
        f"{reset_at:.2f}; {shared[reset_name]} of their {len(found_heads[reset_name])} heads and "
        f"{shared_edges[reset_name]} of the edges are among those found by hand",
        control=f"in the model {size} edges with {nearest['ACDC'][1]:.2f}; heads by chance "
        f"{head_draws[reset_name].mean:.1f}",
        verdict=verdict(reset_size > 0 and not reset_beyond, not reset_edges_beyond),
        limits="one shuffle a seed; neither the count of edges nor the fallen divergence tells "
        "that nothing was there",
    ),
    Claim(
        says="Which circuit ACDC finds depends on the order in which senders are tried",
        source="Conmy et al. 2023, section 3",
        found=f"two orders share {order_overlap:.2f} of the edges of either",
        control=f"on the OR gate {or_overlap:.2f}; random edges {by_luck:.3f}",
        verdict=verdict(order_overlap < 0.9),
        limits="one other order; receivers always come from the logits back",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **The lower layers.** They are one sender here. What they do for the task is not taken apart.
# - **Queries, keys and values.** A head's three inputs are cut together.
# - **Other thresholds.** One threshold on the real model.
# - **EAP or EAP-IG.** Six prompts do not settle it: with the names of other seeds, criterion 4 now
#   holds and now does not. What the ledger says of it goes for these prompts.
# - **Other prompts.** One template, six prompts, judged on the prompts that chose the circuit; the
#   circuit by hand is from the same six.
