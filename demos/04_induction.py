# %% [markdown]
# # Which heads find what came next the last time?
#
# *Barak Obama ... Barak* -> *Obama*. A head that looks back for the current token, and at
# what stood *after* it, can continue any text that repeats itself, whatever it is about. Such a
# head is called an *induction head*.
#
# **Question.** Does SmolLM2-135M-Instruct have induction heads? Does it need them, what do they
# need, and how much of what the model gains from a long text is theirs?
#
# **Source.** [Olsson et al. 2022](https://arxiv.org/abs/2209.11895): the definition on repeated
# random tokens (prefix matching and copying), the in-context learning score (loss at the 500th
# token minus loss at the 50th, about -0.4 nats in all their models of more than one layer), and the
# ablations (their argument 3). [Elhage et al.
# 2021](https://transformer-circuits.pub/2021/framework/index.html): an induction head works through
# its *keys*, into which a previous-token head of an earlier layer has written. In a two-layer
# teaching model of the ARENA course the score falls from 0.68 to nearly nothing when that one head
# is removed.
#
# **Criterion.** On random tokens that come twice, against fresh random tokens of the same length:
#
# 1. the eight highest induction scores are at least ten times what the same heads score on fresh
#    tokens, with three lengths of the repeat, so that no fixed distance can be what they use;
# 2. removing these eight raises the loss on the second copy by more than five times as much as
#    removing eight random heads of the same layers, and by more than five times as much as it moves
#    the loss on the first copy;
# 3. one previous-token head, removed alone, takes more than half of their mean score away; no
#    matched random head takes a fifth;
# 4. in English, removing them costs more than three times as much on a token that completes a pair
#    seen before as on other tokens, and the in-context learning score shrinks by more than half:
#    what it loses, less half of it, lies above 0 with its whole 95 % interval.
#
# The last half of 4 is the article's strongest claim, that induction heads are *most* of in-context
# learning. It is the one to watch.
#
# **Cost.** Two minutes of one core, 3 GB of memory.

# %%
import itertools

import torch

from demos import facts
from demos.figures import Series, attention, bars, heatmap, line, scatter
from demos.heads import (
    ablate,
    chance,
    completes_earlier_pair,
    copying_scores,
    duplicate_token_scores,
    induction_scores,
    layer_matched,
    mean_outputs,
    ordinary_tokens,
    previous_token_scores,
    random_prompts,
    score_heads,
    sink_scores,
    strongest,
    token_losses,
)
from demos.ledger import Claim, ledger, verdict
from demos.models import load_model
from demos.seeds import base_seed
from demos.statistics import mean_interval, rank_correlation
from demos.texts import english_tokens

model = load_model()
n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
seed = base_seed()
marks = (model.tokenizer.bos_token_id, model.tokenizer.eos_token_id)
first = next(mark for mark in marks if mark is not None)
vocabulary = ordinary_tokens(model.tokenizer)


def prompts(period, batch, draw, repeat=True):
    """Random prompts; another `draw` has other tokens, and another seed other draws."""
    return random_prompts(vocabulary, first, period, batch, seed=100 * seed + draw, repeat=repeat)


def name(head):
    return f"{head[0]}.{head[1]}"


# %% [markdown]
# ## Loss, before and after the repeat
#
# The prompt is the mark that begins a text, 32 random tokens, and the same 32 again. Nothing in the
# first half can be foreseen. In the second half all of it can, from the second token on, by looking
# back. The control goes on with new random tokens.

# %%
period = 32
repeated, fresh = prompts(period, 6, draw=0), prompts(period, 6, draw=0, repeat=False)
loss_repeated, loss_fresh = token_losses(model, repeated), token_losses(model, fresh)


def over_positions(label, losses):
    low, high = mean_interval(losses.T)
    return Series(
        label, losses.mean(dim=0).tolist(), list(zip(low.tolist(), high.tolist(), strict=True))
    )


line(
    list(range(1, 2 * period + 1)),
    [over_positions("repeated", loss_repeated), over_positions("fresh", loss_fresh)],
    title="The second copy is easy, once it is noticed",
    x_title="position (the copy begins at 33)",
    y_title="loss (nats)",
    caption="Six prompts; bands are 95 % bootstrap intervals over prompts.",
)

# %%
before, late = loss_repeated[:, :period].mean().item(), loss_repeated[:, -8:].mean().item()
late_fresh = loss_fresh[:, -8:].mean().item()
facts.record("induction-loss-first-copy", before, tolerance=0.2, n=6, seed=seed, unit="nats")
facts.record(
    "induction-loss-late-in-second-copy",
    late,
    tolerance=0.3,
    n=6,
    seed=seed,
    unit="nats, mean of the last 8 of 32 tokens",
    claim="The model continues a random sequence that it has seen once",
)
guess = torch.tensor(float(model.cfg.d_vocab)).log().item()
print(f"a uniform guess costs {guess:.1f} nats; fresh tokens, at the same place: {late_fresh:.1f}")
assert late < 4 < guess < late_fresh

# %% [markdown]
# On fresh tokens the model is worse than a uniform guess: it expects words, and gets none. On the
# second copy the loss falls, yet not at once. A few tokens of the copy go by before the model
# trusts what it sees.
#
# ## What does each head look at?
#
# Three scores, each a share of attention, for all heads at once:
#
# - **previous-token**: to the token just before;
# - **duplicate-token**: from a token's second copy to its first;
# - **induction**: from a token's second copy to what *followed* the first, the token to come.
#
# <details>
# <summary><strong>Predict first.</strong> Write down your guesses before you look.</summary>
#
# 1. How many of the heads give more than a third of their attention to the induction target?
# 2. In which layers: first third, middle, last third?
# 3. Must the previous-token heads lie in earlier layers than the induction heads?
#
# </details>

# %% tags=["predict"]
PERIODS = (12, 20, 32)
by_period, by_period_fresh = [], []
for draw, length in enumerate(PERIODS):
    scores = {
        "previous": previous_token_scores,
        "duplicate": lambda pattern, length=length: duplicate_token_scores(pattern, length),
        "induction": lambda pattern, length=length: induction_scores(pattern, length),
    }
    by_period.append(score_heads(model, prompts(length, 5, draw), scores))
    by_period_fresh.append(score_heads(model, prompts(length, 5, draw, repeat=False), scores))

kinds = ("previous", "duplicate", "induction")
score = {kind: torch.stack([one[kind] for one in by_period]) for kind in kinds}  # (period, l, h)
control = {kind: torch.stack([one[kind] for one in by_period_fresh]) for kind in kinds}
induction_heads = strongest(score["induction"].mean(dim=0), 8)
layers = [head[0] for head in induction_heads]
facts.record("induction-heads-above-a-third", int((score["induction"].mean(dim=0) > 1 / 3).sum()))
facts.record("induction-top-layer", induction_heads[0][0], claim="Where the strongest one is")
facts.record("induction-top-head", induction_heads[0][1], claim="Which one of its layer it is")


def score_maps(title, *shown):
    """Maps of all heads: each score that is `shown`, and under it the same on fresh tokens."""
    panels = {}
    for kind in shown:
        panels[f"{kind}, repeated tokens"] = score[kind].mean(dim=0).T.tolist()
        panels[f"{kind}, fresh tokens"] = control[kind].mean(dim=0).T.tolist()
    return heatmap(
        panels,
        row_labels=[str(head) for head in range(n_heads)],
        column_labels=[str(layer) for layer in range(n_layers)],
        title=title,
        x_title="layer",
        y_title="head",
        value_title="attention (share of 1)",
        caption=f"Mean over repeats of {', '.join(map(str, PERIODS))} tokens, five prompts each.",
    )


score_maps("Induction scores of all heads", "induction")

# %% tags=["predict"]
score_maps("Previous-token and duplicate-token scores of all heads", "previous", "duplicate")

# %%
classes = {kind: strongest(score[kind].mean(dim=0), 8) for kind in kinds}
for kind in kinds:
    mean, of_control = score[kind].mean(dim=0), control[kind].mean(dim=0)
    print(f"{kind}: head, score on repeated tokens, on fresh tokens")
    for head in classes[kind]:
        print(f"  {name(head):>5}  {mean[head]:.2f}  {of_control[head]:.3f}")
left_on_fresh = {
    kind: sum(control[kind].mean(dim=0)[head] for head in heads)
    / sum(score[kind].mean(dim=0)[head] for head in heads)
    for kind, heads in classes.items()
}
assert left_on_fresh["previous"] > 0.5
assert left_on_fresh["duplicate"] < 0.2
assert left_on_fresh["induction"] < 0.1

# %% [markdown]
# To look at the token before, a head needs no repeat: on fresh tokens these heads do the same. The
# other two classes have nothing to look at there, and go nearly dark.
#
# Now the eight highest induction scores, with each of the three lengths of the repeat, and the
# control. A head that had learned a *distance* would show at one length and not at the others; a
# head that looks everywhere would stand at chance.

# %%
bars(
    [name(head) for head in induction_heads],
    [
        *(
            Series(
                f"repeat of {length}",
                [score["induction"][n][head].item() for head in induction_heads],
            )
            for n, length in enumerate(PERIODS)
        ),
        Series(
            "fresh tokens",
            [control["induction"].mean(dim=0)[head].item() for head in induction_heads],
        ),
    ],
    title="The eight highest induction scores",
    x_title="attention to the token to come (share of 1)",
    y_title="head (layer.head)",
    reference=("chance", sum(map(chance, PERIODS)) / len(PERIODS)),
    caption="On fresh tokens the score looks the same distance back, where nothing is to be found.",
)

# %%
top_mean = torch.stack([score["induction"][:, layer, head] for layer, head in induction_heads])
top_fresh = torch.stack([control["induction"][:, layer, head] for layer, head in induction_heads])
contrast = (top_mean.mean(dim=0) / top_fresh.mean(dim=0)).min().item()
facts.record(
    "induction-top-eight-score",
    top_mean.mean().item(),
    tolerance=0.03,
    n=15,
    seed=seed,
    unit="share of attention",
    claim="Some heads attend to the token that followed the earlier copy",
)
facts.record("induction-top-eight-score-fresh", top_fresh.mean().item(), tolerance=0.01, seed=seed)
agreement = rank_correlation(score["induction"][0].flatten(), score["induction"][-1].flatten())
print(f"least ratio of repeated to fresh over the lengths: {contrast:.0f}")
print(f"rank correlation of all heads' scores between the shortest and longest: {agreement:.2f}")
assert contrast > 10
assert min(layers) > n_layers / 2

# %% [markdown]
# ## The sink: where an induction head waits
#
# One head, on one repeated sequence of twelve tokens. The first column is the mark that
# begins it.

# %%
short = prompts(12, 5, draw=0)
layer, head = induction_heads[0]
with torch.no_grad():
    _, cache = model.run_with_cache(
        short[:1], return_type=None, names_filter=f"blocks.{layer}.attn.hook_pattern"
    )
attention(
    [model.tokenizer.decode([token]) for token in short[0].tolist()],
    cache["pattern", layer][0, head].tolist(),
    title=f"Head {name(induction_heads[0])}",
    caption="In the first copy it looks at the first position; in the second, one past the match.",
)

# %%
halves = score_heads(
    model,
    repeated,
    {
        "first copy": lambda pattern: sink_scores(pattern, slice(4, period + 1)),
        "second copy": lambda pattern: sink_scores(pattern, slice(period + 4, None)),
    },
)
waiting, working = (
    torch.stack([halves[half][head] for head in induction_heads]) for half in halves
)
rest = torch.ones(n_layers, n_heads, dtype=torch.bool)
for head in induction_heads:
    rest[head] = False
bars(
    [*map(name, induction_heads), "all other heads"],
    [
        Series(half, [*chosen.tolist(), halves[half][rest].mean().item()])
        for half, chosen in (("first copy", waiting), ("second copy", working))
    ],
    title="Attention to the first position",
    x_title="attention to the first position (share of 1)",
    y_title="head (layer.head)",
    caption="The control is the mean of all other heads, on the same prompts.",
)

# %%
facts.record("induction-sink-waiting", waiting.mean().item(), tolerance=0.03, seed=seed)
facts.record("induction-sink-working", working.mean().item(), tolerance=0.03, seed=seed)
change_of_others = (halves["first copy"][rest] - halves["second copy"][rest]).mean().item()
assert waiting.mean() > 2 * working.mean()
assert (waiting > working).all()
assert waiting.mean() - working.mean() > 4 * change_of_others

# %% [markdown]
# A row of attention must sum to 1, so a head that finds nothing has to look somewhere. Is it the
# *mark* that it looks at, or the *place*? We put a random word first and the mark in the middle.

# %%
moved = prompts(period, 4, draw=1, repeat=False)
middle = period
moved[:, 0], moved[:, middle] = moved[:, middle].clone(), first
after = slice(middle + 8, None)
sinks = score_heads(
    model,
    moved,
    {
        "the first place": lambda pattern: sink_scores(pattern, after),
        "the mark in the middle": lambda pattern: pattern[:, :, after, middle].mean(dim=(0, -1)),
        "any one place": lambda pattern: pattern[:, :, after, 1:middle].mean(dim=(0, 2, 3)),
    },
)
for place, shares in sinks.items():
    print(f"{place}: {shares.mean():.3f} of the attention of all heads")
place_share, mark_share = (
    sinks["the first place"].mean().item(),
    sinks["the mark in the middle"].mean().item(),
)
facts.record("induction-sink-place", place_share, tolerance=0.03, n=4, seed=seed)
facts.record("induction-sink-mark-elsewhere", mark_share, tolerance=0.01, n=4, seed=seed)
assert place_share > 0.25 > 10 * mark_share

# %%
values = [f"blocks.{layer}.attn.hook_v" for layer in range(n_layers)]
with torch.no_grad():
    _, cache = model.run_with_cache(fresh, return_type=None, names_filter=values)
lengths = torch.stack([cache[one].norm(dim=-1) for one in values])  # (layer, batch, position, head)
relative = (lengths[:, :, 0] / lengths[:, :, 8:].mean(dim=2)).mean(dim=(1, 2))
by_layer = score_heads(model, fresh, {"sink": lambda pattern: sink_scores(pattern, slice(8, None))})
facts.record("induction-sink-value-length", relative.median().item(), tolerance=0.03, seed=seed)
line(
    list(range(n_layers)),
    [
        Series("attention to it (share of 1)", by_layer["sink"].mean(dim=1).tolist()),
        Series("length of its value vector", relative.tolist()),
    ],
    title="The first position is looked at and says little",
    x_title="layer",
    y_title="share of 1, and length over that at other places",
    caption="Mean over heads, on fresh random tokens, from position 8 on.",
)

# %%
sink_against_value = rank_correlation(by_layer["sink"].mean(dim=1), relative)
facts.record("induction-sink-value-correlation", sink_against_value, tolerance=0.1, seed=seed)
assert relative.median() < 0.5
assert sink_against_value < 0

# %% [markdown]
# It is the place. Layers that look there most find the shortest value vectors there: a head at rest
# adds next to nothing. So "this head attends to the first token" is no finding about the token, and
# a mean over attention that includes it says mostly how often heads rest.
#
# ## Take them out
#
# Each of the heads is replaced by its mean output on fresh random tokens, first the strongest, then
# two, four, eight. The control takes as many *other* heads out of the same layers, three draws. The
# heads were chosen on other prompts than these.

# %%
COUNTS = (1, 2, 4, 8)
length = 20
judged = prompts(length, 6, draw=10)
means = mean_outputs(model, prompts(length, 6, draw=11, repeat=False))
generator = torch.Generator().manual_seed(seed)
matched = [layer_matched(induction_heads, n_heads, [], generator) for _ in range(3)]


def copies(hooks=()):
    """Loss on the first and on the second copy, one number a prompt."""
    losses = token_losses(model, judged, hooks)
    return losses[:, :length].mean(dim=1), losses[:, length:].mean(dim=1)


intact = copies()
without = {count: copies(ablate(induction_heads[:count], means)) for count in COUNTS}
without_matched = {
    count: [copies(ablate(heads[:count], means)) for heads in matched] for count in COUNTS
}

# %%
rise = torch.stack([torch.zeros(6), *(without[count][1] - intact[1] for count in COUNTS)])
rise_matched = torch.stack(
    [
        torch.zeros(18),
        *(torch.cat([one[1] - intact[1] for one in without_matched[count]]) for count in COUNTS),
    ]
)
rise_first = torch.stack([torch.zeros(6), *(without[count][0] - intact[0] for count in COUNTS)])


def over_counts(label, rises):
    low, high = mean_interval(rises)
    return Series(
        label, rises.mean(dim=-1).tolist(), list(zip(low.tolist(), high.tolist(), strict=True))
    )


line(
    [0, *COUNTS],
    [
        over_counts("induction heads, second copy", rise),
        over_counts("random heads of the same layers, second copy", rise_matched),
        over_counts("induction heads, first copy", rise_first),
    ],
    title="What the second copy costs without them",
    x_title="heads taken out",
    y_title="loss added (nats)",
    caption="Bands are 95 % bootstrap intervals over prompts (and draws).",
)

# %%
added, added_matched = rise[-1].mean().item(), rise_matched[-1].mean().item()
low, high = mean_interval(rise[-1])
facts.record(
    "induction-ablation-added-loss",
    added,
    tolerance=0.4,
    n=6,
    interval=(low.item(), high.item()),
    seed=seed,
    unit="nats",
    claim="Without its induction heads the model cannot continue a repeated sequence",
)
facts.record(
    "induction-ablation-added-loss-matched",
    added_matched,
    tolerance=0.2,
    n=18,
    seed=seed,
    unit="nats",
    claim="Without its induction heads the model cannot continue a repeated sequence",
)
zeroed = copies(ablate(induction_heads, torch.zeros_like(means)))[1] - intact[1]
print(f"eight taken out: {added:.2f} nats; put to zero instead: {zeroed.mean():.2f}")
specific = added > 5 * max(added_matched, rise_first[-1].mean().abs().item())
assert specific

# %% [markdown]
# ## What they need: a head before them
#
# To look *past* the match, a position must know what stood before it, and only an earlier layer can
# have written that there. We take out previous-token heads one at a time and see what is left of
# the eight induction scores. The control takes out one random head of the same layer.

# %%
below = score["previous"].mean(dim=0)[: max(layers)]
previous_heads = strongest(below, 6)
others = layer_matched(previous_heads, n_heads, [*induction_heads, *classes["previous"]], generator)
measure = {"induction": lambda pattern: induction_scores(pattern, length)}


def left_over(heads):
    """Induction scores of the eight heads while some heads are taken out."""
    scores = score_heads(model, judged, measure, ablate(heads, means), max(layers) + 1)["induction"]
    return torch.stack([scores[head] for head in induction_heads])


whole = left_over([])
left = torch.stack([left_over([head]) for head in previous_heads])
left_matched = torch.stack([left_over([head]) for head in others])
bars(
    [f"{name(head)} (looks back {below[head]:.2f})" for head in previous_heads],
    [
        Series("without this head", left.mean(dim=1).tolist()),
        Series("without a random head of its layer", left_matched.mean(dim=1).tolist()),
    ],
    title="Induction scores that remain",
    x_title="mean induction score of the eight heads (share of 1)",
    y_title="head taken out (its previous-token score)",
    reference=("nothing taken out", whole.mean().item()),
)

# %%
lost = 1 - left.mean(dim=1) / whole.mean()
lost_matched = (1 - left_matched.mean(dim=1) / whole.mean()).max().item()
key_head = previous_heads[int(lost.argmax())]
facts.record("induction-key-head-layer", key_head[0], claim="One previous-token head carries most")
facts.record("induction-key-head", key_head[1], claim="One previous-token head carries most")
facts.record("induction-key-head-lost", lost.max().item(), tolerance=0.05, n=6, seed=seed)
facts.record("induction-key-head-lost-matched", lost_matched, tolerance=0.08, n=6, seed=seed)
idle = [head for head, share in zip(previous_heads, lost.tolist(), strict=True) if share < 0.1]
facts.record("induction-previous-heads-not-needed", len(idle), n=len(previous_heads), seed=seed)
print("not needed, though they look one back:", ", ".join(map(name, idle)))
for layer in sorted({*layers}):
    kept = [n for n, (of_layer, _) in enumerate(induction_heads) if of_layer == layer]
    print(
        f"layer {layer}: {left[int(lost.argmax()), kept].mean() / whole[kept].mean():.0%} is left"
    )
assert lost.max() > 0.5
assert lost_matched < 0.2
assert key_head[0] < max(layers)
assert len(idle) >= 3

# %% [markdown]
# One head carries the first induction heads. Others look back as firmly, in layers as early, and
# can go without a trace: a score says where a head looks, not who listens. (One in a later
# layer than an induction head could not have served that one; its score does not say so.)
#
# ## Looking is not yet saying
#
# The article's definition has two halves, *prefix matching* and *copying*. The second: by how much
# does the head's own output raise the right token's logit over the other tokens of the prompt?

# %%
copying = copying_scores(model, repeated, period)
matching = score["induction"].mean(dim=0)
everyone = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
clouds = {
    "the eight highest induction scores": induction_heads,
    "all other heads": [head for head in everyone if head not in induction_heads],
}
scatter(
    {
        label: [(matching[head].item(), copying[head].item()) for head in heads]
        for label, heads in clouds.items()
    },
    labels={label: [name(head) for head in heads] for label, heads in clouds.items()},
    title="Looking at the right token, and saying it",
    x_title="induction score (share of 1)",
    y_title="own lift of the token to come (logits)",
    caption="A direct effect only: what later layers make of a head's output is not in it.",
)

# %%
sayers = [head for head in induction_heads if copying[head] > 0.1]
silent = [head for head in induction_heads if copying[head] < 0.05]
most = strongest(copying, 1)[0]
facts.record("induction-silent-heads", len(silent), n=8, seed=seed)
facts.record("induction-sayers", len(sayers), n=8, seed=seed)
facts.record("induction-copying-top", name(most), claim="The head with the largest direct effect")
facts.record("induction-copying-top-score", matching[most].item(), tolerance=0.01, seed=seed)
print("say it themselves:", ", ".join(map(name, sayers)))
print("look, and do not say it:", ", ".join(map(name, silent)))
looks = score_heads(
    model,
    repeated,
    {
        "itself": lambda pattern: pattern.diagonal(dim1=-2, dim2=-1)[..., -period:].mean((0, -1)),
        "the first": lambda pattern: sink_scores(pattern, slice(period + 1, None)),
    },
)
print(f"lifts it most of all heads: {name(most)}, by {copying[most]:.2f}")
print(f"  but its induction score is {matching[most]:.3f}: it looks {looks['itself'][most]:.2f} at")
print(f"  its own position and {looks['the first'][most]:.2f} at the first")
assert sayers
assert silent

# %%
loss_without = {
    kind: (copies(ablate(heads, means))[1] - intact[1]).mean().item()
    for kind, heads in (("silent", silent), ("saying", sayers))
}
facts.record("induction-added-loss-silent", loss_without["silent"], tolerance=0.4, n=6, seed=seed)
facts.record("induction-added-loss-sayers", loss_without["saying"], tolerance=0.4, n=6, seed=seed)
for kind, heads in (("silent", silent), ("saying", sayers)):
    print(f"without the {len(heads)} {kind} heads: {loss_without[kind]:.2f} nats more")
print(f"without four random heads of such layers: {rise_matched[-2].mean():.2f} nats more")

# %% [markdown]
# By the letter of the definition the silent ones are half an induction head. They look at the right
# place, but what they write there is not yet the token's logit; if their removal costs anything,
# later layers must be reading it.
# And the head with the largest lift of all is no induction head: it does not look at the token that
# it promotes. A direct effect names who speaks last, not who found out.
#
# ## English
#
# Random tokens are a test of ability. What is it worth on text? Windows of 512 tokens of held-out
# English, each scored intact, without the eight heads, and without eight random heads of the same
# layers, drawn anew for each pair of windows. As constants we put in the means over the same text.

# %%
WINDOW, WINDOWS = 512, 6
english = english_tokens(model.tokenizer, part="held-out")
stride = len(english) // WINDOWS  # one window from each sixth, so that none overlap
starts = torch.randint(stride - WINDOW, (WINDOWS,), generator=generator)
starts += stride * torch.arange(WINDOWS)
windows = torch.stack([english[start : start + WINDOW] for start in starts])
typical = mean_outputs(model, windows[::3, :256])

rows = {"intact": [], "induction heads out": [], "random heads out": []}
for pair in windows.split(2):
    drawn = layer_matched(induction_heads, n_heads, [], generator)
    rows["intact"].append(token_losses(model, pair))
    rows["induction heads out"].append(token_losses(model, pair, ablate(induction_heads, typical)))
    rows["random heads out"].append(token_losses(model, pair, ablate(drawn, typical)))
losses = {label: torch.cat(parts) for label, parts in rows.items()}

EDGES = (1, 10, 20, 40, 60, 100, 150, 200, 300, 400, 512)
spans = list(itertools.pairwise(EDGES))


def over_spans(label, values):
    binned = torch.stack([values[:, low - 1 : high - 1].mean(dim=1) for low, high in spans])
    low, high = mean_interval(binned)
    return Series(
        label, binned.mean(dim=1).tolist(), list(zip(low.tolist(), high.tolist(), strict=True))
    )


line(
    [(low + high) / 2 for low, high in spans],
    [over_spans(label, values) for label, values in losses.items()],
    title="Loss falls along a text",
    x_title="position in the text (tokens)",
    y_title="loss (nats)",
    caption="Six windows of English; bands are 95 % bootstrap intervals over windows.",
)

# %%
# The article takes the 500th and the 50th token of very many texts; for six we average around them.
icl = {
    label: values[:, 449:].mean(dim=1) - values[:, 39:60].mean(dim=1)
    for label, values in losses.items()
}
low, high = mean_interval(icl["intact"])
facts.record(
    "induction-icl-score",
    icl["intact"].mean().item(),
    tolerance=0.1,
    n=WINDOWS,
    interval=(low.item(), high.item()),
    seed=seed,
    unit="nats",
    claim="Late tokens of a text are easier than early ones",
)
# Paired: the same windows with and without, so that most of their differences cancel.
shrinks = {label: values - icl["intact"] for label, values in icl.items() if label != "intact"}
for label, fact in (
    ("induction heads out", "induction-icl-lost"),
    ("random heads out", "induction-icl-lost-matched"),
):
    low, high = mean_interval(shrinks[label])
    facts.record(
        fact,
        shrinks[label].mean().item(),
        tolerance=0.05,
        n=WINDOWS,
        interval=(low.item(), high.item()),
        seed=seed,
        unit="nats",
        claim="Induction heads are the mechanism of most in-context learning",
    )
for label, values in icl.items():
    low, high = mean_interval(values)
    print(f"in-context learning score, {label}: {values.mean():.2f} ({low:.2f} to {high:.2f}) nats")
icl_lost = shrinks["induction heads out"].mean().item()
less_half = shrinks["induction heads out"] + icl["intact"] / 2  # the score is negative
low, high = (end.item() for end in mean_interval(less_half))
lost_less_half = f"{less_half.mean():.2f} nats ({low:.2f} to {high:.2f})"
most_is_lost = low > 0
print(f"what is lost, less half of the score: {lost_less_half}")

# %% [markdown]
# Both intervals, of the score and of what it loses, are wide: six windows fix neither. So we do not
# compare two means. From what each window loses we take half of its own score, and ask whether the
# interval of the rest lies above 0. If it does not, these windows do not show that most is lost.
#
# Now the same losses, split by what an induction head could know: does this token complete a *pair*
# that stood in the window before? The control sees the same tokens.

# %%
again = completes_earlier_pair(windows)
kinds_of_token = {"completes an earlier pair": again, "does not": ~again}
costs = {
    label: {kind: (values - losses["intact"])[which] for kind, which in kinds_of_token.items()}
    for label, values in losses.items()
    if label != "intact"
}


def cost_series(label):
    intervals = [mean_interval(values, 500) for values in costs[label].values()]
    return Series(
        label,
        [values.mean().item() for values in costs[label].values()],
        [(low.item(), high.item()) for low, high in intervals],
    )


bars(
    list(kinds_of_token),
    [cost_series(label) for label in costs],
    title="What a token of English costs without the heads",
    x_title="loss added (nats)",
    y_title="the token",
    caption=f"{int(again.sum())} tokens complete an earlier pair, {int((~again).sum())} do not.",
)

# %%
pair_cost, other_cost = (values.mean().item() for values in costs["induction heads out"].values())
pair_matched, other_matched = (
    values.mean().item() for values in costs["random heads out"].values()
)
for fact, value, of in (
    ("induction-english-pair-cost", pair_cost, again),
    ("induction-english-other-cost", other_cost, ~again),
    ("induction-english-pair-cost-matched", pair_matched, again),
    ("induction-english-other-cost-matched", other_matched, ~again),
):
    facts.record(fact, value, tolerance=0.03, n=int(of.sum()), seed=seed, unit="nats a token")
facts.record("induction-english-pairs", again.float().mean().item(), tolerance=0.001)
assert pair_cost > 3 * max(other_cost, 0.02)
assert pair_cost > 3 * pair_matched

# %% [markdown]
# ## Claim ledger

# %%
ledger(
    Claim(
        says="Some heads attend to the token that followed the earlier copy of the current one",
        source="Olsson et al. 2022, definition of induction heads",
        found=f"the eight highest score {top_mean.mean():.2f}, from layer {min(layers)} on, with "
        f"repeats of {', '.join(map(str, PERIODS))} tokens",
        control=f"the same heads on fresh tokens {top_fresh.mean():.3f}",
        verdict=verdict(contrast > 10),
        limits="attention says where a head looks, not what it writes",
    ),
    Claim(
        says="An induction head also raises the logit of the token it attends to",
        source="Olsson et al. 2022, definition of induction heads",
        found=f"{len(sayers)} of the eight lift it by more than 0.1 logits over the other tokens; "
        f"{len(silent)} by less than 0.05",
        control=f"all other heads {copying[rest].mean():.3f} on average",
        verdict=verdict(bool(sayers), not silent),
        limits="a direct effect on the logits; a head may speak to later heads instead",
    ),
    Claim(
        says="Removing induction heads removes the ability to continue a repeated sequence",
        source="Olsson et al. 2022, argument 3",
        found=f"{added:.1f} nats a token more on the second copy, {rise_first[-1].mean():.2f} "
        "on the first",
        control=f"as many random heads of the same layers: {added_matched:.2f}",
        verdict=verdict(specific),
        limits="random tokens; a mean in place of a head is one kind of ablation among several",
    ),
    Claim(
        says="Induction heads work through a previous-token head of an earlier layer",
        source="Elhage et al. 2021, induction heads; score 0.68 to near 0 in ARENA's model",
        found=f"without head {name(key_head)} alone, {lost.max():.0%} of their mean score is gone",
        control=f"a random head of the same layer: at most {lost_matched:.0%}; {len(idle)} of "
        f"{len(previous_heads)} previous-token heads can go with less than a tenth",
        verdict=verdict(lost.max() > 0.5, lost_matched < 0.2),
        limits="that the path runs through the keys, and not the queries, is not tested here",
    ),
    Claim(
        says="Induction heads are the mechanism of most in-context learning",
        source="Olsson et al. 2022, their main claim; score about -0.4 nats",
        found=f"without them the score of {icl['intact'].mean():.2f} nats shrinks by "
        f"{icl_lost:.2f}; that less half of the score: {lost_less_half}",
        control=f"random heads out: it shrinks by {shrinks['random heads out'].mean():.2f}",
        verdict=verdict(most_is_lost),
        limits="six windows of one kind of English, too few to fix the score itself; eight heads, "
        "while weaker ones may do the rest",
    ),
    Claim(
        says="In ordinary text, induction heads help where a pair of tokens was seen before",
        source="Olsson et al. 2022, definition of induction heads: [A][B] ... [A] gives [B]",
        found=f"without them a token that completes an earlier pair costs {pair_cost:.2f} nats "
        f"more, others {other_cost:.2f}",
        control=f"random heads out: {pair_matched:.2f} and {other_matched:.2f} nats",
        verdict=verdict(pair_cost > 3 * max(other_cost, pair_matched)),
        limits="literal pairs in one kind of English; such a pair is also easier to guess for "
        "other reasons",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **How they came to be.** The article's first argument is about training, where these heads
#   appear together with a drop in loss. We have one finished model.
# - **Which path the key head uses.** Removing it shows that its output is needed, not that it is
#   needed by the *keys*.
# - **That the eight are all.** Scores fall off gradually, and the ninth head is not a different
#   kind of thing. In-context learning that is left without these eight can be due to weaker ones,
#   or to mechanisms that no score here looks for.
# - **How large the in-context learning score is.** Single windows differ by more than the score.
#   The split by pairs rests on thousands of tokens, the score on some dozens a window.
# - **More than copying.** The pairs of English text are literal. Heads that continue a pattern in
#   another language or another form pass the same test on random tokens and do more than it shows.
# - **Other models.** The head names mean nothing elsewhere. The scores can be computed anywhere.
