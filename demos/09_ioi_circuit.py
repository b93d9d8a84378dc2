# %% [markdown]
# # Which heads find the indirect object, and is it GPT-2's circuit?
#
# *When Mary and John went to the store, John gave a drink to* ... This model says Mary
# ([demo 00](00_ioi.py)). The best known circuit of all is the one by which GPT-2 small does it.
#
# **Question.** Which heads of SmolLM2-135M-Instruct do it, what does each of them do, and are they
# the classes that the paper found?
#
# **Source.** [Wang et al. 2022](https://arxiv.org/abs/2211.00593): path patching (section 3 and
# Algorithm 1), the classes (figure 2), how each is validated (section 3), faithfulness,
# completeness and minimality (section 4).
#
# **Criterion.** No head is named beforehand. Code finds the heads by their effect, and names them
# by where they look and what they write.
#
# 1. Name movers: heads that look at IO, copy what they look at (more than half of the names; the
#    paper: more than 95 % for its three), and carry a direct effect.
# 2. S-inhibition: heads that look at S2 and act through the *queries* of the name movers; without
#    them the name movers look at IO less.
# 3. Duplicate-token and induction heads: heads at S2 that act through the *values* of the
#    S-inhibition heads.
# 4. Negative name movers: heads that look at IO and push it down.
# 5. The name movers carry most of the direct effect, and no class that the paper does not have
#    carries more.
# 6. The circuit by itself has 87 % of the logit difference, as in the paper, and is ahead of at
#    least 19 of 20 random circuits of its size by a logit; it is complete and minimal by the
#    paper's measures.
# 7. When the name movers are knocked out, backups fill in: less than half is lost of what they
#    carried, and the head that gains most is not one that wrote against the answer before.
#
# **Cost.** Four minutes of one core, 3 GB of memory.

# %%
import random

import torch

from demos import facts
from demos.faithfulness import (
    completeness,
    faithfulness,
    greedy_set,
    minimality,
    random_circuits,
    random_subsets,
    without_each_class,
)
from demos.figures import Series, bars, graph, heatmap
from demos.heads import (
    duplicate_token_scores,
    induction_scores,
    ordinary_tokens,
    previous_token_scores,
    random_prompts,
    score_heads,
)
from demos.ioi_heads import class_of, copying, direct_attribution, effects, looks, through_scale
from demos.knockouts import Knockouts, Together, head_parts, mean_head_outputs
from demos.ledger import Claim, ledger, verdict
from demos.metrics import LogitDifference
from demos.models import load_model
from demos.nodes import Head, HeadInput, parse
from demos.prompts import ORDERS, TEMPLATES, ioi_batches, ioi_sentences
from demos.runs import Engine
from demos.seeds import base_seed
from demos.statistics import mean_interval

model = load_model()
engine = Engine(model)
n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
seed = base_seed()


def pairs(per_template, draw, half=False):
    """Prompts of all templates, and the same with three new names: nothing to find in them.

    With `half`, each template has one order of the names only, in turn.
    """
    number = 1000 * seed + draw
    sentences = ioi_sentences(model.tokenizer, per_template, seed=number)
    if half:
        sentences = [one for one in sentences if one.order == ORDERS[one.template % 2]]
    return [
        (batch, batch.corrupted_abc(number)) for batch in ioi_batches(sentences, model.tokenizer)
    ]


def share_interval_of(found, sender):
    """95 % interval of an effect as a share of the mean logit difference."""
    rows = found.effects[found.labels.index(str(sender))] / found.base.mean()
    low, high = mean_interval(rows)
    return low.item(), high.item()


# %% [markdown]
# ## From the logits backwards: who acts on them directly?
#
# *Path patching*: the prompt stays as it is, and one head at a time writes what it writes on a
# prompt with three other names. All other heads are held at what they wrote; feed-forward layers
# may answer. What the logit difference loses came from that head and passed through no other head.
# All 270 heads, 15 prompts: one of each template, the orders in turn.
#
# <details>
# <summary><strong>Predict first.</strong> Write down your guesses before you look.</summary>
#
# 1. In GPT-2 small the name movers stand in layers 9 to 11 of 12. In which of these 30 layers?
# 2. Will the head with the largest effect look at IO, or at S?
# 3. Does any head work *against* the answer?
#
# </details>

# %% tags=["predict"]
finding = pairs(1, draw=1, half=True)
direct = effects(model, finding, "heads", "logits")
candidates = [
    parse(label)
    for label, share in zip(direct.labels, direct.share.tolist(), strict=True)
    if abs(share) >= 0.03
]
table = direct.by_head(n_layers, n_heads)
heatmap(
    (100 * table).T.tolist(),
    row_labels=[str(head) for head in range(n_heads)],
    column_labels=[str(layer) for layer in range(n_layers)],
    title="Direct effect of every head on the logit difference",
    x_title="layer",
    y_title="head",
    value_title="% of the logit difference",
    outlined=[(head.head, head.layer) for head in candidates],
    caption="Path patching from three other names. Blue: the head helps the answer. "
    "Framed: 3 % and more.",
)

# %% [markdown]
# ## What are they?
#
# Whoever is picked for being large looks larger than it is. So everything that follows is measured
# on 60 fresh prompts, two of each template and order. For each candidate: its effect again, with
# the strict edge beside it, where feed-forward layers are frozen too; where it looks from the last
# token; and what it does with a name that it looks at. A name's state behind the first layer goes
# through the head's values and outputs alone: is the name then among the five likeliest of all
# tokens (*copies*), or the five least likely (*suppresses*)?

# %% tags=["predict"]
fresh = pairs(2, draw=2)
batches = [clean for clean, _ in fresh]
with torch.no_grad():
    runs = [(engine.run(clean.tokens), engine.run(other.tokens)) for clean, other in fresh]
clean_runs = [clean for clean, _ in runs]
measured = effects(model, fresh, candidates, "logits")
strict = effects(model, fresh, candidates, "logits", definition="strict")
look = looks(
    *(engine, clean_runs, batches),
    [("END", place) for place in ("IO", "S1", "S2", "END")]
    + [("S2", "S1"), ("S2", "S1+1"), ("S1+1", "S1")],
)


def attention(query, key, head):
    return look[query, key][:, head[0], head[1]].mean().item()


kind, copies, suppresses = {}, {}, {}
for head in candidates:
    at_end = {place: attention("END", place, head) for place in ("IO", "S1", "S2", "END")}
    copies[head], suppresses[head] = copying(engine, clean_runs, batches, head)
    kind[head] = class_of(head, at_end, copies[head], suppresses[head])

print("head   effect   strict   END to IO    S1    S2   END   copies  suppresses")
for head in sorted(candidates, key=measured.of):
    print(
        f"{head!s:>5}  {measured.of(head):+7.1%}  {strict.of(head):+7.1%}  "
        + "  ".join(f"{attention('END', place, head):8.2f}" for place in ("IO", "S1", "S2", "END"))
        + f"  {copies[head]:5.0%}  {suppresses[head]:5.0%}   {kind[head]}"
    )

# %%
SUPPRESSOR, MOVER, NEGATIVE, RELAY = (
    *("subject suppressor", "name mover", "negative name mover", "relay"),
)


def members(name):
    return [head for head in candidates if kind[head] == name]


def total(name):
    return sum(measured.of(head) for head in members(name))


largest = min(candidates, key=measured.of)
shown = sorted(candidates, key=measured.of)
bars(
    [f"{head} {kind[head]}" for head in shown],
    [
        Series(
            "heads frozen, feed-forward layers answer",
            [measured.of(head) for head in shown],
            [share_interval_of(measured, head) for head in shown],
        ),
        Series("strict edge", [strict.of(head) for head in shown]),
    ],
    title="Direct effects on fresh prompts, by two definitions",
    x_title="change of the logit difference (share of it)",
    y_title="head (layer.head) and class",
    caption="60 fresh prompts; 95 % bootstrap intervals.",
)

# %%
facts.record("circuit-largest-class", kind[largest], seed=seed, claim="The strongest direct effect")
facts.record("circuit-largest-layer", largest.layer, seed=seed)
facts.record("circuit-largest-head", largest.head, seed=seed)
facts.record(
    "circuit-suppressor-effect",
    total(SUPPRESSOR),
    tolerance=0.08,
    n=len(measured.base),
    interval=share_interval_of(measured, largest),
    seed=seed,
    unit="share of the logit difference, when it is patched",
    claim="A head that pushes the subject down carries more than the name movers",
)
facts.record(
    "circuit-name-mover-effect",
    total(MOVER),
    tolerance=0.12,
    n=len(measured.base),
    seed=seed,
    unit="share of the logit difference, summed over the name movers",
)
facts.record("circuit-name-movers", len(members(MOVER)), seed=seed)
facts.record(
    "circuit-suppressor-suppresses", suppresses[largest], tolerance=0.05, unit="share of names"
)
assert kind[largest] == SUPPRESSOR
assert members(MOVER)
assert members(NEGATIVE)
assert total(SUPPRESSOR) < total(MOVER) < -0.1
assert total(NEGATIVE) > 0.1

# %% [markdown]
# Name movers are there, and a negative one. But the largest effect by far is of a head that looks
# at the *subject's* second mention and writes it **down**. The paper has no such class: there, the
# subject loses because the name movers are turned away from it. Here a head crosses the name out.
#
# Does it need to have seen the name twice? On the prompts with three names no name comes twice.
# If it looks at the name that acts there too, it follows who acts and not who is repeated.

# %%
with torch.no_grad():
    other_look = looks(
        *(engine, [other for _, other in runs], [other for _, other in fresh]),
        [("END", place) for place in ("IO", "S1", "S2")],
    )
acting = {}
for head in [*members(SUPPRESSOR), *members(MOVER)]:
    acting[head] = other_look["END", "S2"][:, head.layer, head.head].mean().item()
    print(
        f"{head!s:>5} {kind[head]:>18}: from END to the acting name, repeated "
        f"{attention('END', 'S2', head):.2f}, new {acting[head]:.2f}"
    )
facts.record(
    "circuit-suppressor-looks-at-new-name",
    acting[largest] / attention("END", "S2", largest),
    tolerance=0.1,
    seed=seed,
    unit="share of its attention to a repeated name",
    claim="The suppressor follows who acts, repeated or not",
)

# %% [markdown]
# ## Two heads that look at no name
#
# Heads of the last layer carry large effects although they look at their own place, at no name. Do
# they only turn the volume up and down? The final norm divides by the length of the stream, so a
# head can move every logit difference without writing a name. The next cell splits each effect
# into what the head writes in the direction of the two names, at the norm's old scale, and what the
# change of scale does.

# %%
own, by_scale = {}, {}
with torch.no_grad():
    for head in candidates:
        own[head], by_scale[head] = through_scale(engine, runs, batches, head)
for head in shown:
    print(
        f"{head!s:>5} {kind[head]:>20}  own {own[head]:+.2f}  by scale {by_scale[head]:+.2f} logits"
    )
largest_by_scale = max(abs(value) for value in by_scale.values())
facts.record(
    "circuit-largest-scale-effect",
    largest_by_scale,
    tolerance=0.1,
    seed=seed,
    unit="logits",
    claim="No direct effect comes from the scale of the final norm",
)
facts.record("circuit-relays", len(members(RELAY)), seed=seed)
facts.record(
    "circuit-relay-effects-together",
    total(RELAY),
    tolerance=0.08,
    seed=seed,
    unit="share of the logit difference, summed",
)
relay_sizes = sum(abs(measured.of(head)) for head in members(RELAY))
relays_by_scale = sum(abs(by_scale[head]) for head in members(RELAY))
assert relays_by_scale < 0.3 * sum(abs(own[head]) for head in members(RELAY))
assert abs(total(RELAY)) < 0.6 * relay_sizes  # what one gives the other takes

# %% [markdown]
# It is not the scale. They look at the last token itself, so they can only pass on what earlier
# heads have brought there: one writes it once more, the other takes much of it back. We call them
# *relays*, and they carry no evidence of who the indirect object is.
#
# ## One step back: who tells the name movers where to look?
#
# Now the receivers are the *queries* of the name movers. A sender writes what it writes on three
# other names, at the last token; only those queries see it.

# %% tags=["predict"]
middle = pairs(1, draw=3, half=True)
to_queries = effects(
    model, middle, "heads", [HeadInput(*head, "q") for head in members(MOVER)], at="END"
)


def strongest_against(found, least):
    """Senders that take at least this share of the logit difference away, the strongest first."""
    ranked = found.share.argsort().tolist()
    return [parse(found.labels[n]) for n in ranked if found.share[n] <= -least]


def table_of(found, places, count=8):
    print("head   effect   95 % interval     " + "  ".join(f"{a} to {b}" for a, b in places))
    for number in found.share.argsort()[:count].tolist():
        head = parse(found.labels[number])
        low, high = share_interval_of(found, head)
        where = "  ".join(f"{attention(*place, head):8.2f}" for place in places)
        print(f"{head!s:>5}  {found.share[number]:+7.1%}  {low:+7.1%} {high:+7.1%}   {where}")


table_of(to_queries, [("END", "S2"), ("END", "IO"), ("END", "S1")])
inhibition = [
    head
    for head in strongest_against(to_queries, 0.03)
    if attention("END", "S2", head) > attention("END", "IO", head) + attention("END", "S1", head)
]
facts.record(
    "circuit-strongest-on-queries",
    str(parse(to_queries.labels[int(to_queries.share.argmin())])),
    seed=seed,
    claim="The strongest effect through the queries of the name movers",
)
facts.record(
    "circuit-strongest-on-queries-effect",
    to_queries.share.min().item(),
    tolerance=0.1,
    n=len(to_queries.base),
    seed=seed,
    unit="share of the logit difference",
)
assert str(inhibition[0]) == to_queries.labels[int(to_queries.share.argmin())]

# %% [markdown]
# They look at S2, as the paper's S-inhibition heads do. Do they inhibit? We put what they write on
# three other names in place of what they write here, and ask where the name movers then look. The
# control does the same with as many other heads of the same layers.


# %%
with torch.no_grad():
    middle_others = [engine.run(other.tokens) for _, other in middle]


def replaced(heads):
    """Mean attention of the name movers from END to IO and to S, with some heads as on ABC."""
    shares = []
    for (clean, _), other in zip(middle, middle_others, strict=True):
        kept = {}

        def put(z, hook, other=other):
            layer = int(hook.name.split(".")[1])
            of_layer = [head.head for head in heads if head.layer == layer]
            z[:, -1, of_layer] = other.z[layer][:, of_layer, -1]
            return z

        def read(pattern, hook, kept=kept):
            kept[int(hook.name.split(".")[1])] = pattern[:, :, -1]
            return pattern

        patched = sorted({head.layer for head in heads})
        reading = sorted({head.layer for head in members(MOVER)})
        hooks = [(f"blocks.{layer}.attn.hook_z", put) for layer in patched]
        hooks += [(f"blocks.{layer}.attn.hook_pattern", read) for layer in reading]
        with torch.no_grad():
            model.run_with_hooks(clean.tokens, return_type=None, fwd_hooks=hooks)
        row, places = torch.arange(len(clean.tokens)), clean.positions
        for head in members(MOVER):
            at = kept[head.layer][:, head.head]
            shares.append(
                torch.stack(
                    [at[row, places["IO"]], at[row, places["S1"]] + at[row, places["S2"]]], dim=1
                )
            )
    return torch.cat(shares).mean(dim=0).tolist()


chooser = random.Random(seed)
others = [
    Head(
        head.layer, chooser.choice([n for n in range(n_heads) if (head.layer, n) not in inhibition])
    )
    for head in inhibition
]
looking = {
    "as it is": replaced([]),
    "S-inhibition heads replaced": replaced(inhibition),
    f"control: {' and '.join(map(str, others))} replaced": replaced(others),
}
bars(
    list(looking),
    [
        Series("to IO", [io for io, _ in looking.values()]),
        Series("to S1 and S2", [s for _, s in looking.values()]),
    ],
    title="Where the name movers look from the last token",
    x_title="attention, mean over the name movers (share of 1)",
    y_title="what was replaced",
    caption="15 prompts; replaced heads write what they write on three other names.",
)

# %%
io_before, s_before = looking["as it is"]
io_without, s_without = looking["S-inhibition heads replaced"]
io_control, _ = list(looking.values())[2]
facts.record("circuit-movers-to-io", io_before, tolerance=0.05, seed=seed, unit="share of 1")
facts.record(
    "circuit-movers-to-io-without-inhibition",
    io_without,
    tolerance=0.06,
    seed=seed,
    unit="share of 1",
    claim="S-inhibition heads turn the name movers to IO",
)
inhibits = io_without < io_before - 0.1 and s_without > s_before + 0.1
assert inhibits
assert abs(io_control - io_before) < 0.3 * (io_before - io_without)

# %% [markdown]
# ## Two steps back: what do they read at S2?
#
# The receivers are the *values* of the S-inhibition heads, the senders heads at S2 in the layers
# below. The paper found two kinds there, both of which say "this name was here before": duplicate-
# token heads, which look from S2 to S1, and induction heads, which look from S2 to the token after
# S1.

# %%
to_values = effects(
    *(model, pairs(1, draw=4, half=True), "heads"),
    [HeadInput(*head, "v") for head in inhibition],
    at="S2",
)
table_of(to_values, [("S2", "S1"), ("S2", "S1+1")], count=10)
at_s2 = strongest_against(to_values, 0.01)
induction = [head for head in at_s2 if attention("S2", "S1+1", head) > 0.2]
duplicate = [
    head
    for head in at_s2
    if attention("S2", "S1", head) > 0.3 and attention("S2", "S1+1", head) <= 0.2
]

# %% [markdown]
# Are these what their names say, on prompts that have nothing to do with names? We score all heads
# on random tokens that come twice, as in [demo 04](04_induction.py).

# %%
period = 20
marks = (model.tokenizer.bos_token_id, model.tokenizer.eos_token_id)
vocabulary = ordinary_tokens(model.tokenizer)
repeats = random_prompts(
    *(vocabulary, next(mark for mark in marks if mark is not None)),
    *(period, 5, 1000 * seed),
)
scores = score_heads(
    model,
    repeats,
    {
        "duplicate": lambda pattern: duplicate_token_scores(pattern, period),
        "induction": lambda pattern: induction_scores(pattern, period),
        "previous": previous_token_scores,
    },
)


def rank_of(score, head):
    """1 for the head with the highest score of all."""
    return int((scores[score] > scores[score][head]).sum()) + 1


for name, found in {"induction": induction, "duplicate": duplicate}.items():
    for head in found:
        print(
            f"{head!s:>5} {name}: effect {to_values.of(head):+.1%}, "
            f"score {scores[name][head]:.2f}, rank {rank_of(name, head)} of {n_layers * n_heads}"
        )
facts.record(
    "circuit-strongest-at-s2",
    str(at_s2[0]),
    seed=seed,
    claim="The strongest effect at S2 through the values of the S-inhibition heads",
)
facts.record("circuit-strongest-at-s2-is-induction", at_s2[0] in induction, seed=seed)
assert induction
assert duplicate
assert at_s2[0] in induction
assert min(rank_of("duplicate", head) for head in duplicate) <= 20

# %% [markdown]
# An induction head needs a previous-token head before it, which writes at S1+1 that S1 came before.
# The senders are the heads below that look from S1+1 to S1; the control is as many others, drawn
# from the same layers.

# %%
below = min(head.layer for head in induction)
looking_back = [
    Head(layer, head)
    for layer in range(below)
    for head in range(n_heads)
    if attention("S1+1", "S1", (layer, head)) > 0.4
]
elsewhere = [
    Head(layer, head)
    for layer in sorted({head.layer for head in looking_back})
    for head in range(n_heads)
    if Head(layer, head) not in looking_back
]
compared = chooser.sample(elsewhere, min(len(looking_back), len(elsewhere)))
to_keys = effects(
    *(model, pairs(1, draw=6, half=True), [*looking_back, *compared]),
    [HeadInput(*head, "k") for head in induction],
    at="S1+1",
)
previous = [head for head in looking_back if to_keys.of(head) <= -0.005]
looking_total = sum(to_keys.of(head) for head in looking_back)
compared_total = sum(to_keys.of(head) for head in compared)
table_of(to_keys, [("S1+1", "S1")])
print(f"all {len(looking_back)} that look back: {looking_total:+.1%} ", end="")
print(f"as many others: {compared_total:+.1%}; previous-token heads kept: {len(previous)}")

# %% [markdown]
# ## The circuit
#
# Every head that was found, at the one position at which it was found. Edges are effects by path
# patching, as shares of the logit difference.

# %%
PLACE = {
    "S-inhibition": "END",
    "induction": "S2",
    "duplicate token": "S2",
    "previous token": "S1+1",
}
classes = {
    "previous token": previous,
    "duplicate token": duplicate,
    "induction": induction,
    "S-inhibition": inhibition,
}
for name in (MOVER, SUPPRESSOR, "subject copier", NEGATIVE, RELAY, "other"):
    found = [head for head in members(name) if head not in inhibition]
    if found:
        classes[name] = found
classes = {name: heads for name, heads in classes.items() if heads}
parts = {
    name: [(*head, PLACE.get(name, "END")) for head in heads] for name, heads in classes.items()
}
circuit = [part for of_class in parts.values() for part in of_class]
on_logits = [name for name in classes if name not in PLACE]
edges = [(str(head), "logits", measured.of(head)) for name in on_logits for head in classes[name]]
edges += [(str(head), f"queries of {MOVER}s", to_queries.of(head)) for head in inhibition]
edges += [
    (str(head), "values of S-inhibition", to_values.of(head)) for head in induction + duplicate
]
edges += [(str(head), "keys of induction", to_keys.of(head)) for head in previous]
graph(
    {
        "S1+1": [str(head) for head in previous] or ["none"],
        "read": ["keys of induction"],
        "S2": [str(head) for head in duplicate + induction],
        "read at S2": ["values of S-inhibition"],
        "END": [str(head) for head in inhibition],
        "read at END": [f"queries of {MOVER}s"],
        "END, to logits": [str(head) for name in on_logits for head in classes[name]],
        "": ["logits"],
    },
    edges,
    title="Heads that were found, and through what they act",
    value_title="effect (share of the logit difference)",
    caption="Dashed: without it the logit difference falls.",
)

# %% [markdown]
# ### Is it enough?
#
# Everything else is knocked out: each head, wherever it is not part of the circuit, writes its mean
# over prompts of the same template with three other names, the paper's choice. 30 new prompts. The
# control: twenty random circuits with as many heads at the same positions.
#
# (The control was the best of five, until under another seed one of the five came near the
# circuit. A circuit drawn at random may well hold a part of the real one; most do not.)


# %%
def knockouts(draw, half=False):
    found = []
    for clean, _ in pairs(1, draw, half):
        template = torch.tensor(clean.template)
        others = [clean.corrupted_abc(1000 * seed + 50 + n) for n in range(3)]
        means = mean_head_outputs(
            *(model, torch.cat([other.tokens for other in others])),
            groups=template.repeat(len(others)),
            of=template,
        )
        found.append(
            Knockouts(
                model,
                clean.tokens,
                LogitDifference(clean.io, clean.s),
                head_parts(model, clean.positions, clean.tokens.shape[1]),
                means,
            )
        )
    return Together(found)


whole = knockouts(draw=7)
faithful = faithfulness(whole, circuit)
everywhere = [
    (layer, head, place)
    for layer in range(n_layers)
    for head in range(n_heads)
    for place in sorted({part[2] for part in circuit})
]
at_random = whole.keep(random_circuits(everywhere, len(circuit), 20, seed)).mean(dim=1)
beaten = (at_random < faithful.circuit.mean() - 1).float().mean().item()
without = whole.knock_out(list(parts.values())).mean(dim=1)
low, high = faithful.interval()
print(f"whole model {faithful.full.mean():.2f}, circuit {faithful.circuit.mean():.2f} ", end="")
print(f"({faithful.share:.0%}, {low:.0%} to {high:.0%}), nothing {faithful.empty.mean():.2f}")
print(f"random circuits of {len(circuit)} parts: {at_random.min():.2f} to {at_random.max():.2f}")
print(f"their median: {at_random.median():.2f}; a logit ahead of {beaten:.0%} of them")

# %%
facts.record("circuit-size", len(circuit), seed=seed)
facts.record(
    "circuit-faithfulness",
    faithful.share,
    tolerance=0.15,
    n=len(faithful.full),
    interval=faithful.interval(),
    seed=seed,
    unit="share of the whole model's logit difference",
    claim="The circuit alone has most of the logit difference",
)
facts.record(
    "circuit-random-median",
    at_random.median().item() / faithful.full.mean().item(),
    tolerance=0.2,
    n=len(at_random),
    seed=seed,
    unit="share of the whole model's logit difference",
    claim="Most random circuits of the same size have little of it",
)
assert beaten > 0.75

# %% [markdown]
# ### Is it all, and is all of it needed?
#
# *Completeness*: take the same heads out of the circuit and out of the whole model; if the circuit
# is complete, both lose the same. We take out random halves, each class, and what a greedy search
# finds worst. *Minimality*: each head must matter, at least when the others of its class are gone.
# Fifteen prompts, because these are many runs.

# %%
judge = knockouts(draw=8, half=True)
halves = completeness(judge, circuit, random_subsets(circuit, 3, seed))
by_class = completeness(judge, circuit, parts.values())
greedy = greedy_set(judge, circuit, steps=2, candidates=4, seed=seed)
needs = minimality(judge, circuit, without_each_class(circuit, parts))
(full_here,) = judge.knock_out([()]).mean(dim=1).tolist()
print("taken out             circuit   model   apart (share of the logit difference)")
for name, one in [
    *((f"random half {n}", one) for n, one in enumerate(halves, 1)),
    *zip(parts, by_class, strict=True),
    (f"greedy ({len(greedy.removed)} heads)", greedy),
]:
    print(
        f"{name:>20}  {one.circuit:8.2f} {one.model:7.2f}   {one.incompleteness / full_here:6.0%}"
    )
worst_share = max(one.incompleteness for one in [*halves, *by_class, greedy]) / full_here

# %%
need = {part: abs(needs[part].change) / full_here for part in circuit}
ordered = sorted(circuit, key=lambda part: -need[part])
name_of = {part: name for name, of_class in parts.items() for part in of_class}
bars(
    [f"{layer}.{head} at {place}, {name_of[layer, head, place]}" for layer, head, place in ordered],
    [Series("change", [need[part] for part in ordered])],
    title="What each head of the circuit changes when it leaves",
    x_title="largest change of the circuit's logit difference (share of the model's)",
    y_title="head, position and class",
    reference=("the paper's least, 1 %", 0.01),
    caption="With the rest of its class there, or gone, whichever makes the larger change.",
)

# %%
needed = sum(value >= 0.01 for value in need.values())
facts.record("circuit-heads-needed", needed / len(circuit), tolerance=0.15, unit="share of heads")
facts.record(
    "circuit-worst-incompleteness",
    worst_share,
    tolerance=0.3,
    seed=seed,
    unit="share of the logit difference",
    claim="The circuit is not complete",
)

# %% [markdown]
# ## Backups
#
# In the paper the three name movers can all be knocked out and the logit difference falls by 5 %:
# other heads take over. Here: what the name movers carried by direct effect, and what is really
# lost without them; the same for the suppressor.

# %%
lost = {
    name: 1 - (value / faithful.full.mean()).item()
    for name, value in zip(parts, without.tolist(), strict=True)
}
carried = {name: -total(name) for name in (MOVER, SUPPRESSOR, NEGATIVE)}
bars(
    list(carried),
    [
        Series("direct effect, by path patching", [carried[name] for name in carried]),
        Series("lost when knocked out", [lost[name] for name in carried]),
    ],
    title="What a class carries, and what is missing without it",
    x_title="share of the logit difference",
    y_title="class",
    caption="Where less is missing than was carried, other heads fill in.",
)

# %%
filled = {name: 1 - lost[name] / carried[name] for name in (MOVER, SUPPRESSOR)}
facts.record(
    "circuit-lost-without-name-movers",
    lost[MOVER],
    tolerance=0.1,
    n=len(faithful.full),
    seed=seed,
    unit="share of the logit difference",
    claim="Backups make up for the name movers",
)
facts.record(
    "circuit-lost-without-suppressor",
    lost[SUPPRESSOR],
    tolerance=0.1,
    n=len(faithful.full),
    seed=seed,
    unit="share of the logit difference",
)
for name in filled:
    print(f"{name}: carried {carried[name]:.0%}, lost {lost[name]:.0%}, filled {filled[name]:.0%}")

# %% [markdown]
# Who fills in? We take the name movers' output from the prompts with three other names, let all
# heads above them respond, and compare what each head then writes in the direction of the answer.

# %%
movers_layers = {head.layer for head in members(MOVER)}


def written(replaced_too):
    """What each head writes at END along IO minus S, in logits: (layer, head)."""
    found = []
    for (clean, _), other in zip(middle, middle_others, strict=True):
        kept = []

        def step(z, hook, other=other, kept=kept):
            layer = int(hook.name.split(".")[1])
            if replaced_too and layer in movers_layers:
                gone = [head.head for head in members(MOVER) if head.layer == layer]
                z[:, -1, gone] = other.z[layer][:, gone, -1]
            kept.append(z[:, -1].clone())
            return z

        def read(x, hook, kept=kept):
            kept.append(x[:, -1].clone())
            return x

        hooks = [(f"blocks.{layer}.attn.hook_z", step) for layer in range(n_layers)]
        hooks.append((f"blocks.{n_layers - 1}.hook_resid_post", read))
        with torch.no_grad():
            model.run_with_hooks(clean.tokens, return_type=None, fwd_hooks=hooks)
            found.append(
                direct_attribution(engine, torch.stack(kept[:-1]), kept[-1], clean).sum(dim=1)
            )
    return sum(found) / sum(len(clean.tokens) for clean, _ in middle)


gain = written(True) - written(False)
above = [
    Head(layer, head)
    for layer in range(max(movers_layers) + 1, n_layers)
    for head in range(n_heads)
]
above.sort(key=lambda head: -gain[head].item())
for head in above[:6]:
    print(
        f"{head!s:>5}  {gain[head]:+.2f} logits more without the name movers   {kind.get(head, '')}"
    )
gain_of_negative = sum(gain[head].item() for head in members(NEGATIVE))
facts.record("circuit-first-backup", str(above[0]), seed=seed)

# %% [markdown]
# ## No template hides in the mean
#
# Demo 00 found a template that fails in one order of the names. Here is each template and order by
# itself, and what the two strongest classes carry in it: direct effects, in logits, on the 60 fresh
# prompts.

# %%
rows = {}
order_of = [(one.template, one.order) for batch in batches for one in batch.sentences]
by_sender = dict(zip(measured.labels, measured.effects, strict=True))
carry_of = {
    name: -sum(by_sender[str(head)] for head in members(name)) for name in (SUPPRESSOR, MOVER)
}
for key in sorted(set(order_of), key=lambda key: (key[0], ORDERS.index(key[1]))):
    chosen = torch.tensor([one == key for one in order_of])
    rows[key] = [
        measured.base[chosen].mean().item(),
        *(carry_of[name][chosen].mean().item() for name in carry_of),
    ]
bars(
    [f"template {template} {order}" for template, order in rows],
    [
        Series("logit difference", [row[0] for row in rows.values()]),
        Series("by the subject suppressor", [row[1] for row in rows.values()]),
        Series("by the name movers", [row[2] for row in rows.values()]),
    ],
    title="Every template in each order",
    x_title="logits",
    y_title="template and order, two prompts each",
    caption="What a class carries is its direct effect with the sign turned round.",
)

# %%
weakest = min(rows, key=lambda key: rows[key][0])
print(f"weakest: template {weakest[0]} {weakest[1]}: {TEMPLATES[weakest[0]]}")
carried_everywhere = sum(row[1] > 0 for row in rows.values())
print(f"the suppressor works for the answer in {carried_everywhere} of {len(rows)} rows")
facts.record("circuit-suppressor-helps", carried_everywhere / len(rows), tolerance=0.05)
assert carried_everywhere >= 0.9 * len(rows)

# %% [markdown]
# ## The paper's table beside ours
#
# The paper's numbers are from its sections 1, 3 and 4, for GPT-2 small with 12 layers of 12 heads.


# %%
def listed(name):
    return ", ".join(map(str, classes.get(name, []))) or "none"


mover_copies = min(copies[head] for head in members(MOVER))
negative_suppresses = min(suppresses[head] for head in members(NEGATIVE))
beside = [
    ("heads in the circuit", "26 of 144", f"{len(circuit)} of {n_layers * n_heads}"),
    ("name movers", "9.9, 9.6, 10.0", listed(MOVER)),
    ("negative name movers", "10.7, 11.10", listed(NEGATIVE)),
    ("S-inhibition", "7.3, 7.9, 8.6, 8.10", listed("S-inhibition")),
    ("induction", "5.5, 6.9 (5.8, 5.9)", listed("induction")),
    ("duplicate token", "0.1, 3.0 (0.10)", listed("duplicate token")),
    ("previous token", "2.2, 4.11", listed("previous token")),
    ("subject suppressor", "no such class", listed(SUPPRESSOR)),
    ("relays of the last layer", "no such class", listed(RELAY)),
    ("name movers copy", "above 95 %", f"{mover_copies:.0%} at least"),
    ("negative ones suppress", "98 %", f"{negative_suppresses:.0%} at least"),
    ("END to IO, name movers", "0.59", f"{io_before:.2f}"),
    (
        "END to S2, S-inhibition",
        "0.51",
        f"{sum(attention('END', 'S2', head) for head in inhibition) / len(inhibition):.2f}",
    ),
    ("circuit's share", "87 %", f"{faithful.share:.0%}"),
    ("worst incompleteness", "87 % (greedy)", f"{worst_share:.0%}"),
    ("lost without name movers", "5 %", f"{lost[MOVER]:.0%}"),
]
for what, paper, here in beside:
    print(f"{what:>26}   {paper:<22} {here}")

# %% [markdown]
# **Where they differ, and why.** GPT-2 small reaches the answer by copying the right name. This
# model copies the right name and, with one head, crosses out the name that acted last. It looks
# there more when that name came before, and most of the way also when it did not: *the giver is
# not the receiver* is a rule that needs no duplicate. The rest of the paper's story is here as
# well, a name seen twice, noticed at its second mention and told to the last token, and it serves
# the name movers. Corruption and knock-outs are the paper's, so the difference is one of the
# models. All of it happens in the last third of the layers, but for what is read at S2.
#
# The circuit is smaller than what the model uses. What is missing was not found by effects of a
# few per cent at one position: many small heads, and what heads do at other positions.
#
# **What this does not show.** Fifteen templates of one task, three other names as the only
# corruption. A head is named by where it looks and what it writes *here*. Thresholds (3 % at the
# logits and the queries, 1 % at S2, half of a percent at S1+1) decide who is a member; heads near
# them come and go with the prompts. Direct effects at the logits are large enough not to.
#
# ## Ledger

# %%
suppressor_rivals = total(SUPPRESSOR) < total(MOVER)
minimal = needed / len(circuit)
ledger(
    Claim(
        says="Name mover heads look at the indirect object and copy it.",
        source="Wang et al. 2022, section 3.1",
        found=f"{listed(MOVER)} copy {mover_copies:.0%} of names or more and carry "
        f"{-total(MOVER):.0%} of the logit difference; they look at IO with {io_before:.2f}.",
        control=f"{SUPPRESSOR} {listed(SUPPRESSOR)} copies {copies[largest]:.0%}.",
        verdict=verdict(mover_copies > 0.5, total(MOVER) < -0.1, io_before > s_before),
        limits="The weakest of them carries a few per cent.",
    ),
    Claim(
        says="The name movers are what writes the answer: no other class carries more.",
        source="Wang et al. 2022, section 3.1 and figure 3",
        found=f"A class that the paper does not have, {SUPPRESSOR} {listed(SUPPRESSOR)}, carries "
        f"{-total(SUPPRESSOR):.0%}: it looks at the subject and writes it down.",
        control=f"All name movers together carry {-total(MOVER):.0%}; strict edges: "
        f"{-sum(strict.of(head) for head in members(SUPPRESSOR)):.0%} against "
        f"{-sum(strict.of(head) for head in members(MOVER)):.0%}.",
        verdict=verdict(not suppressor_rivals),
        limits="Effects of single heads do not add up exactly behind a norm.",
    ),
    Claim(
        says="Negative name movers look at the indirect object and push it down.",
        source="Wang et al. 2022, section 3.4",
        found=f"{listed(NEGATIVE)} suppress {negative_suppresses:.0%} of names; patching them "
        f"raises the logit difference by {total(NEGATIVE):.0%}.",
        control=f"name movers suppress {max(suppresses[head] for head in members(MOVER)):.0%}.",
        verdict=verdict(negative_suppresses > 0.5, total(NEGATIVE) > 0.1),
        limits="Why a model should do so is not answered here either.",
    ),
    Claim(
        says="S-inhibition heads look at S2 and turn the name movers' queries away from S.",
        source="Wang et al. 2022, section 3.2",
        found=f"Without {listed('S-inhibition')} the name movers look at IO with {io_without:.2f} "
        f"and at S with {s_without:.2f}, before it was {io_before:.2f} and {s_before:.2f}.",
        control=f"With as many other heads of the same layers replaced: {io_control:.2f} at IO.",
        verdict=verdict(inhibits),
        limits="They are tested together.",
    ),
    Claim(
        says="Induction and duplicate-token heads at S2 feed the S-inhibition heads.",
        source="Wang et al. 2022, section 3.3",
        found=f"At S2, through their values: induction {listed('induction')}, duplicate token "
        f"{listed('duplicate token')}; the strongest is {at_s2[0]} with "
        f"{-to_values.share.min():.0%}.",
        control=f"On random tokens twice, of {n_layers * n_heads} heads, the best of the induction "
        f"heads is number {min(rank_of('induction', head) for head in induction)}, of the "
        f"duplicate-token heads number {min(rank_of('duplicate', head) for head in duplicate)}.",
        verdict=verdict(bool(induction), bool(duplicate)),
        limits="Fifteen prompts; the effects of single duplicate-token heads are small.",
    ),
    Claim(
        says="The circuit by itself keeps 87 % of the logit difference.",
        source="Wang et al. 2022, section 4",
        found=f"{faithful.share:.0%} ({low:.0%} to {high:.0%}) with {len(circuit)} heads.",
        control=f"A logit ahead of {beaten:.0%} of twenty random circuits of that size; the best "
        f"of them has {at_random.max():.2f} of {faithful.full.mean():.2f}, the median "
        f"{at_random.median():.2f}.",
        verdict=verdict(faithful.share > 0.87, beaten >= 0.95),
        limits="Mean ablation over three other names; the number depends on that choice.",
    ),
    Claim(
        says="The circuit is minimal: every head changes its logit difference by 1 % or more.",
        source="Wang et al. 2022, section 4.2",
        found=f"{needed} of {len(circuit)} heads do ({minimal:.0%}).",
        control="Each head was tried in the whole circuit, and without the rest of its class.",
        verdict=verdict(minimal == 1, minimal > 0.5),
        limits="The paper searches for the sets by hand, we try two for each head.",
    ),
    Claim(
        says="Backup heads take over from the name movers: without them little is lost.",
        source="Wang et al. 2022, section 3.4",
        found=f"They carried {carried[MOVER]:.0%}, and {lost[MOVER]:.0%} is lost without them; the "
        f"most is gained by {above[0]} ({gain[above[0]]:+.2f} logits).",
        control=f"The suppressor carried {carried[SUPPRESSOR]:.0%}; lost without it: "
        f"{lost[SUPPRESSOR]:.0%}.",
        verdict=verdict(lost[MOVER] < 0.5 * carried[MOVER], above[0] not in members(NEGATIVE)),
        limits="A negative name mover that writes less against the answer makes up for a loss, and "
        "takes over nothing. The paper's heads were knocked out one class at a time, as here.",
    ),
)
