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
# 5. ACDC's circuit has most of the five heads with the largest direct effects, and more than chance
#    would have.
#
# Criteria 3 to 5 got this form after the results of two seeds had been seen, so those two do not
# test them: read them as descriptions.
#
# **Cost.** Two minutes of one core. To stay there, SmolLM2 is seen from layer 17 on (what is below
# is one sender), heads are whole (not query, key and value apart), and there are ten prompts of one
# template, where the paper has fifty of one.

# %%
import random

import torch

from demos import facts
from demos.circuits import (
    Circuit,
    EdgeGraph,
    EdgeRuns,
    acdc,
    auc_of_points,
    circuit_figure,
    edge_attribution,
    edge_effects,
    kl_divergence,
    parse_edge,
    rates,
    threshold_sweep,
)
from demos.figures import Series, bars, scatter
from demos.hand_circuits import gate_toy, induction_toy
from demos.ledger import Claim, ledger, verdict
from demos.metrics import LogitDifference
from demos.models import load_model
from demos.nodes import Head
from demos.paths import path_patch
from demos.prompts import ioi_batch, ioi_sentences
from demos.seeds import base_seed
from demos.statistics import rank_correlation

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
THRESHOLDS = (0.01, 0.1, 1.0, 10.0, 100.0)
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
# questions, and the truth that one compares with has chosen the question already. Beside our toys,
# the areas for edges from the paper. Its text and the table file in its authors' repository have
# other values in several cells; both are here, each under its name.

# %%
PUBLISHED = {  # the text (tables 2 and 3), and experiments/results/auc_tables.tex in the repository
    "tracr-reverse, zero": ("1.000", "1.000"),
    "tracr-proportion, zero": ("1.000", "1.000"),
    "tracr-reverse, corrupted": ("0.200", "0.200"),
    "tracr-proportion, corrupted": ("0.679", "0.600"),
    "IOI by KL, corrupted": ("0.869", "0.868"),
    "IOI by KL, zero": ("0.539", "0.226"),
    "Docstring by KL, corrupted": ("0.982", "0.434"),
}
print(f"{'':30}{'text':>8}{'file':>8}{'ours':>8}")
for setting, (text, file) in PUBLISHED.items():
    print(f"{setting:30}{text:>8}{file:>8}{'':>8}")
for (name, replacement, truth), area in areas.items():
    if truth == "program":
        print(f"{name + ' by hand, ' + replacement:30}{'':>8}{'':>8}{area:8.3f}")

# %% [markdown]
# ## Where a slope says nothing
#
# A third toy answers by a gate that is flat from one half on. At the clean input, nothing that
# feeds
# the gate moves it, and yet without the flag the answer turns over. EAP has the slope of the clean
# run only. EAP-IG averages over runs on the way from the corrupted input.

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
kept = {}
for order in ("latest first", "earliest first"):
    found = acdc(or_runs, 0.01, order=order).circuit
    kept[order] = [head for head in (0, 1) if parse_edge(f"0.{head} -> mlp 0") in found]
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
FIRST_LAYER, STEPS, TEMPLATE = 0.58, 5, 5
model = load_model()
first_layer = int(FIRST_LAYER * model.cfg.n_layers)


def prompts(draw):
    sentences = ioi_sentences(model.tokenizer, 5, draw, templates=[TEMPLATE])
    clean = ioi_batch(sentences, model.tokenizer)
    return clean, clean.corrupted_abc(draw)


clean, corrupted = prompts(seed)
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
SIZES = (10, 30, 100, 300, 1000, 3000)
discovered = acdc(runs, THRESHOLD).circuit


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
facts.record("discovery-edges", size, n=len(clean), seed=seed, unit="edges kept by ACDC")
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
assert ahead and nearest["ACDC"][0] < empty[0]

# %% [markdown]
# Two things are worth a pause. The best few edges by ACDC lower the divergence and leave the logit
# difference where it was: in this many edges one cannot have the task, and KL is lowered by getting
# rid of what is wrong, not by knowing the name. And a circuit by EAP of that size is no nearer to
# the model than nothing at all, though its logit difference is higher. Which circuit is the better
# one is decided by the metric, before any program runs.

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
sample = random.Random(seed).sample(edge_graph.edges, 100)
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
# ## The heads that one would find by hand
#
# The first step by hand is path patching from every head to the logits.

# %%
direct = path_patch(model, clean.tokens, corrupted.tokens, "heads", "logits", difference).by_head(
    model.cfg.n_layers, model.cfg.n_heads
)
direct[:first_layer] = 0
strongest = [
    Head(*divmod(place, model.cfg.n_heads))
    for place in direct.flatten().abs().topk(5).indices.tolist()
]
heads = {node for node in discovered.nodes if isinstance(node, Head)}
shared = [head for head in strongest if head in heads]
of_heads = (model.cfg.n_layers - first_layer) * model.cfg.n_heads
chance = len(strongest) * len(heads) / of_heads
facts.record("discovery-shared-heads", len(shared), n=len(strongest), seed=seed, unit="heads")
print("largest direct effects:", ", ".join(map(str, strongest)))
print(f"ACDC has {len(shared)} of them; {len(heads)} heads at random would have {chance:.2f}")

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
        source="Hanna et al. 2024, section 3",
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
        source="Hanna et al. 2024, section 4",
        found="nearer at every size: "
        + ", ".join(f"{name}: {'yes' if held else 'no'}" for name, held in better.items()),
        control=f"nothing kept: KL {empty[0]:.2f}; random circuits at best "
        f"{min(kl for kl, _ in judged['random'].values()):.2f}",
        verdict=verdict(*better.values()),
        limits="faithful by KL; by the logit difference the order is another at some sizes",
    ),
    Claim(
        says="ACDC finds the heads that were found by hand",
        source="Conmy et al. 2023, section 4",
        found=f"{len(shared)} of the {len(strongest)} heads with the largest direct effects",
        control=f"chance: {chance:.2f}",
        verdict=verdict(len(shared) > chance, len(shared) > len(strongest) / 2),
        limits="direct effects are the first step by hand, not a whole circuit",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **The lower layers.** They are one sender here. What they do for the task is not taken apart.
# - **Queries, keys and values.** A head's three inputs are cut together.
# - **Other thresholds, other orders.** One threshold on the real model; that the order matters is
#   shown on a toy.
# - **A reset network.** The paper also runs ACDC on a model with permuted weights. It is not done
#   here; the control is random circuits.
# - **Other prompts.** One template, ten prompts, judged on the prompts that chose the circuit.
