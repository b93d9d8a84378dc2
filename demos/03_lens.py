# %% [markdown]
# # When does the model know its next word?
#
# From layer to layer a vector grows that is turned into words only at the end. If we turn it into
# words earlier, do we see a guess that gets better, and a point from which it no longer changes?
# The relational paper in the group's notes says so: at last the model *saturates*, and one could
# leave early. All of it rests on the lens through which one looks.
#
# **Question.** What does the logit lens show of this model, what does a lens fitted to it show, and
# how many layers could be saved?
#
# **Source.** [nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru), for the
# logit lens; [Belrose et al. 2023](https://arxiv.org/abs/2303.08112), section 3 and figure 5, for
# the tuned lens; [Geva et al. 2022](https://arxiv.org/abs/2203.14680), section 6, for saturation
# and early exit, with the authors' [code](https://github.com/aviclu/ffn-values), whose printed
# outputs are the published numbers here.
#
# **Criterion.** On held-out English,
#
# 1. the logit lens *works* on a state if it is closer to the model's answer than a table of token
#    frequencies; it fails on this model if it does not work on half of the states;
# 2. the fitted lens is better than the raw one on every state but the last, better than one that
#    may only shift and stretch, and better than one fitted to the answers of other positions;
# 3. its distance falls with depth: the rank correlation with the layer is below -0.9;
# 4. a rule that sees only the layers so far keeps 94 % of the model's answers and saves a fifth of
#    the layers, as the paper's does; and it beats stopping all tokens at one layer.
#
# **Cost.** One core, 3 GB of memory, about two minutes.

# %%
import copy

import torch
from IPython.display import Markdown

from demos import facts
from demos.early_exit import agreement, choose_threshold, leave, probe_scores, saturation, saved
from demos.figures import Series, line, scatter
from demos.ledger import Claim, ledger, verdict
from demos.lens import residual_stream
from demos.models import load_model
from demos.seeds import base_seed
from demos.statistics import mean_interval, rank_correlation
from demos.texts import english_tokens
from demos.tuned_lens import TunedLens, fit_lens, log_probabilities, normed_states, read, shift_lens

model = load_model()
seed = base_seed()
n_layers = model.cfg.n_layers
states = list(range(n_layers + 1))  # layers that have been run
random = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## Text to fit on, and other text to judge on
#
# Passages are cut at random from two sets of documents that share no run of twelve words. A *state*
# is the residual stream after so many layers, the embedding being state 0. We read each state after
# the model's final norm, as the logit lens does. The first token of a passage is left out: this
# model keeps a huge vector there which is no guess at anything.


# %%
def passages(part, n, length):
    text = english_tokens(model.tokenizer, part)
    starts = torch.randint(len(text) - length, (n,), generator=random)
    return torch.stack([text[start : start + length] for start in starts])


def states_of(model, tokens):
    """All states at all positions but the first: (state, passage * position, d_model)."""
    positions = list(range(1, tokens.shape[1]))
    parts = [
        normed_states(model, residual_stream(model, some, positions)) for some in tokens.split(8)
    ]
    return torch.cat(parts, dim=1)


n_judged = 12
fit_tokens = passages("fit", 40, 65)
to_fit = states_of(model, fit_tokens)
tokens = passages("held-out", n_judged, 33)
judged = states_of(model, tokens)
n = judged.shape[1]
print(f"fitted on {to_fit.shape[1]} positions, judged on {n} in {n_judged} held-out passages")

# %% [markdown]
# ## What the logit lens shows
#
# Two numbers for each state: how far the lens's distribution is from the model's own (KL divergence
# in nats), and how often its first choice is the model's. Beside them stands what a table of token
# frequencies would give, which looks into no state at all.
#
# **Predict first.** Write down your guesses before you open the next output.
#
# 1. In GPT-2 the raw lens gets better from layer to layer, from early on. Draw the curve that you
#    expect here.
# 2. A lens fitted by linear regression is allowed a map of its own for each state. At state 0 it
#    sees nothing but the present token. In which share of positions will it name the token that the
#    whole model names?
# 3. If every token left at the first state from which its answer stays, what share of the layers
#    would be saved?

# %%
raw = read(model, judged)

own = log_probabilities(model, judged[-1])
counts = torch.bincount(english_tokens(model.tokenizer, "fit"), minlength=own.shape[-1]) + 1.0
frequencies = counts.log().log_softmax(dim=-1)
kl_frequencies = (own.exp() * (own - frequencies)).sum(dim=-1).mean().item()


def over_passages(label, values):
    """Mean for each state, with a bootstrap interval over passages."""
    of_passage = values.float().unflatten(1, (-1, n // n_judged)).mean(dim=-1)
    low, high = mean_interval(of_passage)
    return Series(
        label, of_passage.mean(dim=-1).tolist(), list(zip(low.tolist(), high.tolist(), strict=True))
    )


kl_raw = raw.kl.mean(dim=-1)
works = kl_raw[:-1] < kl_frequencies
first_working = n_layers if not works.any() else works.tolist().index(True)
modes = [of_state.mode() for of_state in raw.top]
stuck = torch.stack(
    [
        (of_state == mode.values).float().mean()
        for of_state, mode in zip(raw.top, modes, strict=True)
    ]
)
echo = (raw.top == tokens[:, 1:].flatten()).float().mean(dim=-1)
middle = n_layers // 2
facts.record(
    "lens-raw-works-from",
    first_working,
    n=n,
    seed=seed,
    unit="layers run",
    claim="From here on the logit lens beats a table of token frequencies",
)
facts.record(
    "lens-raw-kl-middle",
    kl_raw[middle].item(),
    tolerance=0.5,
    n=n,
    seed=seed,
    unit="nats",
    claim="The logit lens fails on half of this model's states",
)
print(f"a table of token frequencies: {kl_frequencies:.2f} nats")
print(
    f"after {middle} layers the raw lens says {model.tokenizer.decode(modes[middle].values)!r} at "
    f"{stuck[middle]:.0%} of the positions, and the present token at {echo[middle]:.0%}"
)
assert first_working > middle

# %% [markdown]
# ## A lens fitted to the model
#
# Perhaps the guess is there in other coordinates. For each state we fit an affine map to the last
# state by ridge regression, and read the result with the model's own unembedding. With the identity
# as its map this is the logit lens again. Belrose et al. fit the map by gradient descent on the KL
# divergence; ours takes seconds, and its target is the last state, not a word, so it never learns
# which word was right.
#
# Three controls. A lens that may only *move and stretch* each state says whether turning is needed.
# A lens fitted to the last states of *other positions* says what comes from token frequencies
# alone. And the fitted lens on state 0 says what a linear map makes of the present token by itself.

# %%
tuned_lens = fit_lens(to_fit)
tuned = read(model, judged, tuned_lens)

some = sorted({*states[::6], n_layers})  # reading a state takes a second; controls get a part


def of_states(lens, chosen):
    return TunedLens(lens.maps[chosen], lens.offsets[chosen])


def read_some(lens):
    """KL divergence at some states; the last row is the model's own state, not the lens's."""
    return read(model, judged[some], of_states(lens, some)).kl


shifted = read_some(shift_lens(to_fit))
elsewhere = to_fit[-1][torch.randperm(to_fit.shape[1], generator=random)]
to_others = read_some(fit_lens(to_fit, target=elsewhere))

# %% tags=["predict"]
inner = some[:-1]  # the last state is the model's own, at distance 0
line(
    inner,
    [
        over_passages("logit lens", raw.kl[inner]),
        over_passages("moved and stretched", shifted[:-1]),
        over_passages("fitted to other positions", to_others[:-1]),
        over_passages("fitted", tuned.kl[inner]),
    ],
    title="Turning is what the raw lens lacks",
    x_title="layers run",
    y_title="KL(model || lens), mean (nats)",
    log_y=True,
    reference=("token frequencies", kl_frequencies),
    caption=f"{n} held-out positions; 95 % bootstrap intervals over {n_judged} passages.",
)

# %%
kl_tuned = tuned.kl.mean(dim=-1)
steady = rank_correlation(torch.tensor(states).float(), kl_tuned)
near_middle = min(range(len(some)), key=lambda index: abs(some[index] - middle))
for name, state in (("embedding", 0), ("middle", middle), ("last-but-one", n_layers - 1)):
    facts.record(
        f"lens-tuned-kl-{name}",
        kl_tuned[state].item(),
        tolerance=0.05,
        n=n,
        seed=seed,
        unit="nats",
        claim="A fitted lens is closer to the model's answer than the raw one on every state",
    )
better = [  # the parts of criterion 2
    (kl_tuned[:-1] < kl_raw[:-1]).all(),
    (kl_tuned[inner] < shifted[:-1].mean(dim=-1)).all(),
    (kl_tuned[inner] < to_others[:-1].mean(dim=-1)).all(),
]
assert all(better)
assert kl_tuned[:-1].max() < kl_frequencies
assert steady < -0.9
print(f"rank correlation of layer and KL divergence: {steady:.3f}")

# %% [markdown]
# The raw lens fails although its states hold more than it shows: a linear map that may turn brings
# out a guess, moving and stretching does not. How much of that guess is the state's and how much
# the map's is a question that the control at state 0 opens, below.
#
# Here is the beginning of the first passage, as both lenses read it. The passages were drawn by
# chance, and this is the first.


# %%
def as_cell(token):
    text = model.tokenizer.decode(token).strip(" ") or "␣"
    return "`" + text.replace("\n", "⏎").replace("|", "¦").replace("`", "'") + "`"


shown = 6
rows = [
    [f"after {state}, {name}", *(as_cell(token) for token in reading.top[state, :shown])]
    for name, reading in (("raw", raw), ("fitted", tuned))
    for state in [*some[:-1], n_layers - 2]
]
rows.append(["model", *(as_cell(token) for token in raw.top[-1, :shown])])
head = ["present token", *(as_cell(token) for token in tokens[0, 1 : shown + 1])]
Markdown("\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]))

# %% [markdown]
# ## How early is the model's first choice there?

# %%
agree = {"logit lens": raw.top == raw.top[-1], "fitted lens": tuned.top == raw.top[-1]}
strangers = raw.top[-1][torch.randperm(n, generator=random)]
by_luck = (tuned.top == strangers).float()
line(
    states,
    [
        *(over_passages(label, hit) for label, hit in agree.items()),
        over_passages("fitted, another position's answer", by_luck),
    ],
    title="The lens's first choice is the model's",
    x_title="layers run",
    y_title="share of positions",
    caption=f"{n} held-out positions; 95 % bootstrap intervals over passages.",
)

# %%
share_tuned = agree["fitted lens"].float().mean(dim=-1)
share_raw = agree["logit lens"].float().mean(dim=-1)
for name, share in (
    ("tuned-agrees-embedding", share_tuned[0]),
    ("tuned-agrees-middle", share_tuned[middle]),
    ("raw-agrees-middle", share_raw[middle]),
    ("tuned-agrees-last-but-one", share_tuned[-2]),
):
    facts.record(
        f"lens-{name}",
        share.item(),
        tolerance=0.03,
        n=n,
        seed=seed,
        unit="share of positions",
        claim="The model's first choice can be read before the last layer",
    )
assert share_tuned[middle] > share_raw[middle] + 0.1
assert share_tuned[0] > 2 * by_luck[0].mean()

# %% [markdown]
# At the embedding no layer has run, and yet the fitted lens often names the model's answer. A
# linear map of the present token knows which words usually follow it, and that is the lens's own
# doing. What the layers add is what comes on top of this.
#
# ## Saturation
#
# A position is *saturated* from the first state on at which the lens's first choice is the final
# one and stays so. An oracle that knew this would leave there and lose nothing. As a control, the
# same for a copy of the model with random weights, through the raw lens and through one that is
# fitted to the copy, on the same text and in the same way: what does it mean to "know" an answer in
# a model that knows nothing?

# %%
random_model = copy.deepcopy(model)
with torch.no_grad():
    for weights in random_model.parameters():
        if weights.ndim > 1:
            weights.normal_(weights.mean().item(), weights.std().item(), generator=random)
some_random = states_of(random_model, tokens[:2])
readings = {
    "logit lens": raw,
    "fitted lens": tuned,
    "random weights": read(random_model, some_random),
    "random weights fitted": read(
        random_model, some_random, fit_lens(states_of(random_model, fit_tokens))
    ),
}
del random_model

saturated = {label: saturation(reading.top) for label, reading in readings.items()}
line(
    states,
    [over_passages(label, at <= torch.tensor(states)[:, None]) for label, at in saturated.items()],
    title="From which state on does the first choice stay?",
    x_title="layers run",
    y_title="share of positions saturated",
    caption=(
        f"{n} held-out positions, with random weights {some_random.shape[1]} of them; "
        "95 % bootstrap intervals over passages."
    ),
)

# %%
oracle = {
    label: (saved(readings[label].top, at).float().mean() / n_layers).item()
    for label, at in saturated.items()
}
for label, share in oracle.items():
    facts.record(
        f"lens-oracle-saved-{label.replace(' ', '-')}",
        share,
        tolerance=0.03,
        n=len(saturated[label]),
        seed=seed,
        unit="share of layers",
        claim="An oracle that leaves at saturation saves this share of the layers",
    )
at_once = (saturated["fitted lens"] == 0).float().mean()
print(f"saturated before any layer has run, by the fitted lens: {at_once:.0%} of the positions")
assert oracle["fitted lens"] > 1.5 * oracle["logit lens"]

# %% [markdown]
# The two lenses disagree by far on *when* the model knew. Saturation is a property of model and
# lens together.
#
# ## Leaving early by a rule
#
# An oracle sees the future. A rule may look only at the state at hand. Ours leaves at the first
# state at which the lens gives its first choice a probability above a threshold. The threshold is
# chosen on half of the passages, so that a wanted share of answers is kept there, and judged on the
# other half; then the halves change places. Beside it:
#
# - *one layer for all*: every position stops at the same state, with the fitted lens. A rule that
#   does not beat this has learned nothing about positions;
# - *exits dealt out anew*: as many positions leave at each state as by the rule, but others;
# - *linear probe*: for each state a linear guess, from the vector itself, of whether it agrees by
#   now. It is the authors' own baseline in kind, fitted here to far fewer positions;
# - the same rule with the raw lens.

# %%
half = torch.arange(n_judged).repeat_interleave(n // n_judged) % 2 == 0
folds = [(half, ~half), (~half, half)]
wanted = [0.99, 0.97, 0.95, 0.9, 0.85, 0.8]


def probe(top, chosen, judged_here):
    """Scores of the linear probe: out of fold where it was fitted, and where it is judged."""
    agrees, where = top == top[-1], chosen.nonzero()[:, 0]
    halves = [(where[::2], where[1::2]), (where[1::2], where[::2])]
    inside = torch.zeros(len(top), len(where))
    for fitted, other in halves:
        scores = probe_scores(judged[:, fitted], agrees[:, fitted], judged[:, other], penalty=1.0)
        inside[:, torch.isin(where, other)] = scores
    outside = probe_scores(judged[:, where], agrees[:, where], judged[:, judged_here], penalty=1.0)
    return inside, outside


def judge(top, scores_of):
    """For each wanted share: agreement and layers saved where the threshold was not chosen."""
    left_at = {share: torch.zeros(n, dtype=torch.long) for share in wanted}
    for chosen, other in folds:
        inside, outside = scores_of(chosen, other)
        for share in wanted:
            threshold = choose_threshold(inside, top[:, chosen], share)
            left_at[share][other] = leave(outside, threshold)
    return left_at


def by_confidence(reading):
    return lambda chosen, other: (reading.confidence[:, chosen], reading.confidence[:, other])


rules = {
    "confidence, fitted lens": (tuned, judge(tuned.top, by_confidence(tuned))),
    "linear probe": (tuned, judge(tuned.top, lambda a, b: probe(tuned.top, a, b))),
    "confidence, raw lens": (raw, judge(raw.top, by_confidence(raw))),
}


def outcome(reading, left_at):
    """(share of layers saved, share of answers kept)."""
    kept = agreement(reading.top, left_at).float().mean().item()
    return saved(reading.top, left_at).float().mean().item() / n_layers, kept


points = {
    label: [outcome(reading, left_at[share]) for share in wanted]
    for label, (reading, left_at) in rules.items()
}
dealt = torch.randperm(n, generator=random)
points["exits dealt out anew"] = [
    outcome(tuned, left_at[dealt]) for left_at in rules["confidence, fitted lens"][1].values()
]
late = range(n_layers - 10, n_layers)
points["one layer for all"] = [outcome(tuned, torch.full((n,), state)) for state in reversed(late)]

# %% tags=["predict"]
names = [f"wanted {share:.0%}" for share in wanted]
scatter(
    points,
    labels={
        label: [f"after {state}" for state in reversed(late)]
        if label == "one layer for all"
        else names
        for label in points
    },
    title="Answers kept against layers saved",
    x_title="layers saved (share)",
    y_title="answers kept (share)",
    caption=f"{n} held-out positions, thresholds chosen on the other half of the passages.",
)

# %%
target = 0.95
saved_here, kept_here = outcome(tuned, rules["confidence, fitted lens"][1][target])
hits = agreement(tuned.top, rules["confidence, fitted lens"][1][target]).float()
low, high = mean_interval(hits.view(n_judged, -1).mean(dim=-1))
kept_dealt = points["exits dealt out anew"][wanted.index(target)][1]
probe_saved, probe_kept = points["linear probe"][wanted.index(target)]
raw_saved, raw_kept = points["confidence, raw lens"][wanted.index(target)]
# The best that stopping everybody at one layer keeps while saving at least as much.
fixed = max(
    (kept for saving, kept in points["one layer for all"] if saving >= saved_here), default=0.0
)
facts.record(
    "lens-rule-kept",
    kept_here,
    tolerance=0.03,
    n=n,
    interval=(min(low.item(), kept_here), max(high.item(), kept_here)),
    seed=seed,
    unit="share of positions",
    claim="A held-out exit rule keeps most of the model's answers",
)
facts.record(
    "lens-rule-saved",
    saved_here,
    tolerance=0.03,
    n=n,
    seed=seed,
    unit="share of layers",
    claim="A held-out exit rule saves a part of the layers",
)
assert kept_here > fixed
assert kept_here > kept_dealt
assert saved_here < oracle["fitted lens"]

# %% [markdown]
# ## Beside the published numbers
#
# The authors' table is for WikiLM, 16 layers, over five random splits.

# %%
published = {  # aviclu/ffn-values, early_exit, printed outputs of the two WikiLM notebooks
    "value vectors in clusters (the paper's rule)": (0.9486, 3.392 / 16),
    "linear on the residual stream": (0.944, 3.6 / 16),
    "linear on the feed-forward output": (0.929, 3.8 / 16),
}
measured = {
    "confidence, fitted lens": (kept_here, saved_here),
    "linear probe on the residual stream": (probe_kept, probe_saved),
    "confidence, raw lens": (raw_kept, raw_saved),
    "oracle, fitted lens": (1.0, oracle["fitted lens"]),
}
table = ["| model | rule | answers kept | layers saved |", "| --- | --- | --- | --- |"]
table += [
    f"| WikiLM | {rule} | {kept:.1%} | {part:.1%} |" for rule, (kept, part) in published.items()
]
table += [f"| here | {rule} | {kept:.1%} | {part:.1%} |" for rule, (kept, part) in measured.items()]
Markdown("\n".join(table))

# %% [markdown]
# ## What this does not show
#
# - **That the model uses what the lens reads.** A map fitted to the last state may do a part of the
#   later layers' work. State 0 shows that it does some.
# - **That the model "recognizes" that it is done.** We saw only that its first choice no longer
#   changes.
# - **Time saved.** The rule reads the vocabulary at every state, which costs more than it saves,
#   and later tokens need the keys and values of the layers that were left out.
# - **The paper's own rule.** We did not cluster value vectors; the model is another one, with twice
#   the layers, and its four-bit weights and tuning on instructions may matter.
# - **Other text.** Fitted and judged on one kind of English, manuals for programmers. On other text
#   the lens may read worse.
# - **Correctness.** An answer counts as kept if it is the model's own.

# %%
paper_kept, paper_saved = published["value vectors in clusters (the paper's rule)"]
ledger(
    Claim(
        says="Decoding early states with the output matrix shows guesses that get better steadily",
        source="nostalgebraist 2020, overview; of GPT-2",
        found=(
            f"raw KL divergence {kl_raw[middle]:.1f} nats after {middle} layers; better than token "
            f"frequencies only from {first_working} of {n_layers} layers on"
        ),
        control=f"token frequencies {kl_frequencies:.1f} nats; fitted lens {kl_tuned[middle]:.1f}",
        verdict=verdict(bool(works[middle:].all()), bool(works[1:middle].any())),
        limits="Another model might keep one basis throughout, as GPT-2 seems to.",
    ),
    Claim(
        says="A tuned lens is closer to the model's answer at all layers",
        source="Belrose et al. 2023, figure 5",
        found=(
            f"at all {n_layers} states before the last; after {middle} layers "
            f"{kl_tuned[middle]:.2f} nats instead of {kl_raw[middle]:.1f}"
        ),
        control=(
            f"moved and stretched only {shifted[near_middle].mean():.1f}; "
            f"fitted to other positions {to_others[near_middle].mean():.1f}"
        ),
        verdict=verdict(*better),
        limits="Our lens is a ridge regression, theirs is trained on the KL divergence.",
    ),
    Claim(
        says="Predictions converge smoothly from layer to layer",
        source="Belrose et al. 2023, section 3",
        found=f"rank correlation of layer and KL divergence {steady:.3f}",
        control=f"the raw lens: {rank_correlation(torch.tensor(states).float(), kl_raw):.3f}",
        verdict=verdict(steady < -0.9),
        limits="Every state is fitted to the same target, which asks for convergence.",
    ),
    Claim(
        says="The model enters saturation and ceases to update its answer",
        source="notes of 2023-11-07; Merullo et al. 2023, section 3; Geva et al. 2022, section 6",
        found=f"by the fitted lens an oracle would save {oracle['fitted lens']:.0%} of the layers",
        control=(
            f"random weights, by a lens fitted to them {oracle['random weights fitted']:.0%}; "
            f"with the raw lens {oracle['logit lens']:.0%} in the model and "
            f"{oracle['random weights']:.0%} with random weights"
        ),
        verdict=verdict(
            oracle["fitted lens"] > 0.2,
            oracle["fitted lens"] > oracle["random weights fitted"] + 0.1,
        ),
        limits="Whether a changed stream with an unchanged first choice is a model that is done.",
    ),
    Claim(
        says="A simple early-exit rule saves 20 % of the layers and keeps 94.9 % of the answers",
        source="Geva et al. 2022, abstract; their early_exit/README.md",
        found=f"{saved_here:.0%} saved, {kept_here:.1%} kept, thresholds held out",
        control=(
            f"the same exits dealt out anew keep {kept_dealt:.1%}; one layer for all {fixed:.1%}; "
            f"oracle {oracle['fitted lens']:.0%} saved"
        ),
        verdict=verdict(
            kept_here > kept_dealt and kept_here > fixed,
            saved_here >= 0.2 and kept_here >= 0.94,
        ),
        limits="Another rule on another model; no time is measured.",
    ),
    Claim(
        says="A plain linear probe exits as well as the interpretable rule",
        source="Geva et al. 2022, authors' early_exit/README.md, table",
        found=f"linear probe: {probe_saved:.0%} saved, {probe_kept:.1%} kept",
        control=f"confidence of the fitted lens: {saved_here:.0%} saved, {kept_here:.1%} kept",
        verdict=verdict(probe_saved >= saved_here - 0.02 and probe_kept >= kept_here - 0.02),
        limits="Theirs was fitted to far more positions than ours.",
    ),
)
