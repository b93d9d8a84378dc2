# %% [markdown]
# # Does another corruption find other heads?
#
# To see what a head does, one takes its output away. But something has to stand in its place: what
# it writes on another prompt, its mean over many prompts, or nothing. The group noted: *With
# patching in general, you have to choose your input distribution carefully.*
#
# **Question.** The same model, the same prompts, the same question of each head, and six things
# put in place of its output: which heads appear, which disappear, and why?
#
# **Source.** The group's notes, 7 November 2023. [Wang et al.
# 2022](https://arxiv.org/abs/2211.00593), section 2.1, take means over p_ABC (three different
# names) and not over p_IOI, where every prompt repeats a name. [Conmy et al.
# 2023](https://arxiv.org/abs/2304.14997), tables 2 and 3: for the IOI circuit ACDC has an area
# under the curve of 0.869 with other prompts and 0.539 with zeros. [Zhang and Nanda
# 2023](https://arxiv.org/abs/2309.16042) and [Miller et al.
# 2024](https://arxiv.org/abs/2407.08734) vary the choice one by one.
#
# **Criterion.** Everything is measured on two sets of prompts that share none. A head is *found* by
# a corruption if it moves the logit difference by 5 % or more, in the same direction, in both sets.
#
# 1. Corruptions after which no name is repeated rank the heads alike: every two of them agree more,
#    from one set to the other, than any of them does with one that repeats a name. This is not
#    noise: each agrees with itself more than with any of the other kind.
# 2. A head that looks from the second mention of a name to the first, and that the mean over p_ABC
#    finds, loses two thirds or more under the mean over p_IOI: that mean still says that a name
#    was repeated. The same under a swap that repeats the other name.
# 3. In the first three layers zeros find heads and nothing else does. These write nearly the same
#    on every prompt: on average more of their output is constant than of the heads that all six
#    find.
# 4. Not all depends on the choice: whichever head has the largest effect under one of the six, all
#    six find it.
#
# The criteria and the 5 % were fixed after seed 0 and five further draws of prompts had been seen.
# The seeds 1, 2 and 3 had not been: they are the test. One part failed it. Criterion 3 first
# compared the *least* constant head of the one kind with the *most* constant of the other. Under
# seed 1 that did not hold. It compares averages now, and of this part seed 1 is no test any more.
# Criterion 1 holds under seed 3 in part: *every two* is more than its few prompts can carry; the
# averages of the two kinds lie apart as they do here.
#
# **Cost.** Two minutes of one core, 3 GB of memory.

# %%
from itertools import combinations, product

import torch

from demos import facts
from demos.choices import choice
from demos.corruptions import head_effects, logit_difference, random_names, strongest_overlap
from demos.figures import Series, bars, heatmap, scatter
from demos.heads import ordinary_tokens
from demos.knockouts import head_outputs, mean_head_outputs
from demos.ledger import Claim, ledger, verdict
from demos.metrics import LogitDifference
from demos.models import load_model
from demos.prompts import ioi_batch, ioi_sentences
from demos.runs import Engine, check_engine
from demos.seeds import base_seed
from demos.statistics import mean_interval, rank_correlation

model = load_model()
seed = base_seed()
engine, tokenizer = Engine(model), model.tokenizer
n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
THRESHOLD = 0.05  # of the logit difference
EARLY = 3  # layers

# %% [markdown]
# ## Six things to put in a head's place
#
# Two sets of prompts of one template, each with both orders of the names. The means are taken over
# two more sets, one for each. A head's output is exchanged from the acting name on, S2, to the last
# word: before it, some of the corruptions leave the prompt as it is.

# %%
draw = 1000 * seed
prompts = ioi_batch(ioi_sentences(tokenizer, 4, draw + 1, templates=[0]), tokenizer)
many = ioi_batch(ioi_sentences(tokenizer, 20, draw + 2, templates=[0]), tokenizer)
set_of, set_of_many = torch.arange(len(prompts)) % 2, torch.arange(len(many)) % 2
places = {name: int(at[0]) for name, at in prompts.positions.items() if name in ("S2", "END")}
first = places["S2"]
assert all((prompts.positions[name] == at).all() for name, at in places.items())

generator = torch.Generator().manual_seed(draw)
other_names, swapped = prompts.corrupted_abc(draw + 1), prompts.swapped()
random_tokens = random_names(prompts, ordinary_tokens(tokenizer), generator)
many_abc = many.corrupted_abc(draw + 2).tokens
TAKEN = ("other names", "random tokens", "mean over p_ABC")  # no name is repeated any more
KEPT = ("roles swapped", "mean over p_IOI")  # a name is
replacements = {
    "other names": head_outputs(model, other_names.tokens),
    "random tokens": head_outputs(model, random_tokens),
    "mean over p_ABC": mean_head_outputs(model, many_abc, set_of_many, set_of),
    "roles swapped": head_outputs(model, swapped.tokens),
    "mean over p_IOI": mean_head_outputs(model, many.tokens, set_of_many, set_of),
    "zero": 0.0,
}
names = list(replacements)

difference = LogitDifference(prompts.io, prompts.s)
with torch.no_grad():
    base = engine.run(prompts.tokens)
    check_engine(model, engine, base)
    as_it_is = logit_difference(engine, base, difference)
    runs = {
        "other names": other_names.tokens,
        "random tokens": random_tokens,
        "roles swapped": swapped.tokens,
    }
    whole = {
        name: logit_difference(engine, engine.run(tokens), difference).mean().item()
        for name, tokens in runs.items()
    }
scale = as_it_is.mean()
print(f"prompt:        {prompts.text[0]}")
for name, tokens in runs.items():
    print(f"{name + ':':<14} {tokenizer.decode(tokens[0].tolist())}")
print(f"logit difference as it is: {scale:.2f} ({len(prompts)} prompts)")
for name, value in whole.items():
    print(f"if everything is as on '{name}': {value:+.2f}")

# %% [markdown]
# With the roles swapped the other person acts, and the answer turns round; with other names there
# is none. So an effect under the swap may be twice as large for the same work. Zero and the means
# are nobody's run: there is no prompt on which all heads would write that.
#
# <details>
# <summary><strong>Predict first.</strong> Write down your guesses before you look.</summary>
#
# 1. A head looks from the second John to the first, and says only *this name was here before*.
#    Under which of the six does it seem idle?
# 2. A head says *the repeated name was the second of the two*. Under which does it seem idle?
# 3. A head writes the same on every prompt whatsoever. Under which is it found?
# 4. Which of the six finds the most heads, and which the fewest?
#
# </details>
#
# ## Every head, under each
#
# The effect of a head is the change of the logit difference, as a share of what it is without any
# change: -0.1 means that a tenth of it is lost. Later layers answer to the change. A frame marks a
# head that is found, by the rule above: what is noise in one of the sets, or belongs to its
# prompts, has none.

# %% tags=["predict"]
effects = {
    name: head_effects(engine, base, given, difference, first) / scale
    for name, given in replacements.items()
}
mean = {name: effect.mean(-1) for name, effect in effects.items()}
one, other = (
    {name: effect[..., n::2].mean(-1) for name, effect in effects.items()} for n in (0, 1)
)
found = {
    name: (one[name].sign() == other[name].sign())
    & (torch.minimum(one[name].abs(), other[name].abs()) >= THRESHOLD)
    for name in names
}


def shown(name):
    return heatmap(
        mean[name].T.tolist(),
        row_labels=[str(head) for head in range(n_heads)],
        column_labels=[str(layer) for layer in range(n_layers)],
        title=f"Effect of every head: {name}",
        x_title="layer",
        y_title="head",
        value_title="effect (share)",
        outlined=[(head, layer) for layer, head in found[name].nonzero().tolist()],
        caption=f"Share of the logit difference, mean of {len(prompts)} prompts. Framed: "
        f"{THRESHOLD:.0%} or more in both sets. Each corruption has a scale of its own.",
    )


choice({name: shown(name) for name in names}, title="What stands in the head's place?")

# %% [markdown]
# ## Do two corruptions rank the heads alike?
#
# Each corruption in the one set against each in the other. On the diagonal, framed, a corruption
# meets itself on other prompts: that is the control. What it lacks to 1 is noise, and two
# corruptions that do rank the heads alike can be expected to come to about what each has with
# itself (their geometric mean: divided by it, an agreement is corrected for noise, Spearman 1904).
# The first map compares the order of all heads, in which most effects are small; the second only
# who is among the ten strongest.

# %% tags=["predict"]
agreement = {
    (a, b): (
        rank_correlation(one[a].flatten(), other[b].flatten())
        + rank_correlation(other[a].flatten(), one[b].flatten())
    )
    / 2
    for a, b in product(names, names)
}
in_common = {
    (a, b): (strongest_overlap(one[a], other[b], 10) + strongest_overlap(other[a], one[b], 10)) / 20
    for a, b in product(names, names)
}


def table(values):
    return [[values[a, b] for b in names] for a in names]


heatmap(
    {
        "rank correlation over all heads": table(agreement),
        "share of the ten strongest in common": table(in_common),
    },
    row_labels=names,
    column_labels=names,
    title="One set against the other",
    x_title="against",
    y_title="corruption",
    value_title="agreement",
    outlined=[(n, n) for n in range(len(names))],
    caption=f"{n_layers * n_heads} heads, {len(prompts) // 2} prompts a set; mean of both ways "
    "round. Framed: a corruption against itself.",
)

# %%
pairs = {"taken": list(combinations(TAKEN, 2)), "across": list(product(TAKEN, KEPT))}
within, across = ([agreement[pair] for pair in pairs[kind]] for kind in ("taken", "across"))
itself = [agreement[name, name] for name in (*TAKEN, *KEPT)]
least_common = min(in_common[a, b] for a, b in combinations(names, 2))


def average(values):
    return sum(values) / len(values)


corrected = {
    kind: average(
        [agreement[a, b] / (agreement[a, a] * agreement[b, b]) ** 0.5 for a, b in pairs[kind]]
    )
    for kind in pairs
}
for name, values, claim in (
    ("taken", within, "Corruptions that take the repetition away rank the heads alike"),
    ("across", across, "Corruptions of different kinds do not"),
    ("itself", itself, "A corruption agrees with itself on other prompts"),
):
    facts.record(
        f"input-agreement-{name}",
        average(values),
        tolerance=0.05,
        n=len(values),
        seed=seed,
        unit="rank correlation, mean over pairs",
        claim=claim,
    )
facts.record(
    "input-agreement-corrected",
    corrected["across"],
    tolerance=0.1,
    n=len(across),
    seed=seed,
    unit="rank correlation across kinds, corrected for noise",
)
print(f"no name repeated, among each other: {min(within):.2f} to {max(within):.2f}")
print(f"against those that repeat a name:   {min(across):.2f} to {max(across):.2f}")
print(f"each with itself:                   {min(itself):.2f} to {max(itself):.2f}")
print(f"the two that repeat a name:         {agreement[KEPT]:.2f}")
for name in names[:-1]:
    print(f"zero and {name + ':':<27} {agreement['zero', name]:.2f}")
print(f"zero with itself:                   {agreement['zero', 'zero']:.2f}")
print(f"corrected for noise: {corrected['taken']:.2f} within, {corrected['across']:.2f} across")
print(f"ten strongest: at least {least_common:.0%} in common, whatever the two")
assert average(within) > average(across)
assert min(itself) > average(across)
assert agreement["zero", "zero"] > average(itself)

# %% [markdown]
# Zeros agree with themselves more than the others do: they ask the same of every prompt. To be
# repeatable is not to be right.
#
# ## Which appear, which disappear?
#
# No head is picked by hand: the rows are all heads that at least one corruption finds, by the rule
# above. A frame says that it does.

# %% tags=["predict"]
by_any = torch.stack(list(found.values())).any(dim=0)
by_all = torch.stack(list(found.values())).all(dim=0)


def heads_in(mask):
    return [tuple(place) for place in mask.nonzero().tolist()]


def listed(heads):
    return ", ".join(f"{layer}.{head}" for layer, head in heads) or "none"


shown_heads = heads_in(by_any)
columns = list(product(names, (one, other)))
heatmap(
    [[each[name][at].item() for name, each in columns] for at in shown_heads],
    row_labels=[listed([at]) for at in shown_heads],
    column_labels=[f"{name}, {number}" for name in names for number in (1, 2)],
    title="Heads that at least one corruption finds",
    x_title="corruption and set",
    y_title="layer.head",
    value_title="effect (share)",
    outlined=[
        (row, column)
        for row, at in enumerate(shown_heads)
        for column, (name, _) in enumerate(columns)
        if found[name][at]
    ],
    caption=f"Share of the logit difference, in sets 1 and 2. Framed: {THRESHOLD:.0%} or more in "
    "both, in the same direction.",
)

# %%
noise = {name: ((one[name] - other[name]).abs() / 2).flatten().quantile(0.95) for name in names}
counts = {name: int(found[name].sum()) for name in names}
for name in names:
    alone = found[name] & (torch.stack([found[each] for each in names]).sum(dim=0) == 1)
    facts.record(
        "input-found-" + name.replace("p_", "").replace(" ", "-").lower(),
        counts[name],
        n=n_layers * n_heads,
        seed=seed,
        unit="heads",
    )
    print(f"{name}: noise {noise[name]:.3f}; nothing else finds {listed(heads_in(alone))}")
strongest = {name: divmod(int(mean[name].abs().argmax()), n_heads) for name in names}
facts.record(
    "input-found-by-all",
    int(by_all.sum()),
    n=n_layers * n_heads,
    seed=seed,
    unit="heads",
    claim="Some heads are found whatever stands in their place",
)
facts.record("input-strongest-layer", strongest["zero"][0], seed=seed)
print(f"found by all six: {listed(heads_in(by_all))}")
largest = listed(sorted(set(strongest.values())))
print(f"largest effect under one or more: {largest}")
assert max(noise.values()) < THRESHOLD
assert by_all.any()
assert min(layer for layer, _ in heads_in(by_all)) > n_layers / 2
assert max(counts, key=lambda name: counts[name]) == "zero"

# %% [markdown]
# *Noise* is half of the difference between the two sets that 95 % of the heads stay below. It lies
# under the threshold for each corruption.
#
# The heads that all six find stand in the second half, near the answer, where any change of what
# they write shows. The choice decides what is seen of how the model gets there.
#
# ## Why they disappear
#
# The prediction was about what a head looks at, so that is what decides here who is who. From the
# second mention of the name, S2, where does a head look most: to the first mention? Such a head
# can say *this name was here before*. That is also true of every prompt of p_IOI, and when the
# roles are swapped. Of the heads that the mean over p_ABC finds, how much of the effect is left?

# %% tags=["predict"]
pattern = torch.stack(
    [engine.pattern(q, k) for q, k in zip(base.q, base.k, strict=True)], dim=1
)  # (prompt, layer, head, query, key)
from_s2 = pattern[:, :, :, first, : first + 1]
rows = torch.arange(len(prompts))
to_s1 = from_s2[rows, :, :, prompts.positions["S1"]].mean(0)
at_s1 = from_s2.argmax(-1) == prompts.positions["S1"][:, None, None]
mostly = at_s1.float().mean(0) > 0.5  # in more than half of the prompts
reference = found["mean over p_ABC"]
duplicate = heads_in(reference & mostly)
rest = heads_in(reference & ~mostly)
assert duplicate


def left(name, at):
    return (mean[name][at] / mean["mean over p_ABC"][at]).item()


looks = {"looks from S2 mostly to S1": duplicate, "looks elsewhere": rest}
scatter(
    {
        group: [(to_s1[at].item(), left("mean over p_IOI", at)) for at in heads]
        for group, heads in looks.items()
    },
    labels={group: [listed([at]) for at in heads] for group, heads in looks.items()},
    title="What is left when the mean says that a name was repeated",
    x_title="attention from S2 to S1 (share of 1)",
    y_title="effect under p_IOI's mean, over that under p_ABC's",
    caption=f"The {len(duplicate) + len(rest)} heads that the mean over p_ABC finds. At 1 the mean "
    "makes no difference, at 0 the head has disappeared.",
)

# %%
labels = {"mean over p_ABC": "abc", "mean over p_IOI": "ioi", "roles swapped": "swap"}
said = {name: torch.stack([effects[name][at] for at in duplicate]).mean(0) for name in labels}
for name, label in labels.items():
    low, high = mean_interval(said[name])
    facts.record(
        f"input-duplicate-{label}",
        said[name].mean().item(),
        tolerance=0.02,
        n=len(prompts),
        interval=(low.item(), high.item()),
        seed=seed,
        unit="share of the logit difference, mean over these heads",
        claim="A head that says only that a name was repeated disappears where it still is",
    )
facts.record("input-duplicate-heads", listed(duplicate), seed=seed)
most_left = {name: max(abs(left(name, at)) for at in duplicate) for name in KEPT}
rest_left = torch.tensor([left("mean over p_IOI", at) for at in rest]).median().item()
facts.record(
    "input-rest-left",
    rest_left,
    tolerance=0.1,
    n=len(rest),
    seed=seed,
    unit="share of the effect, median of the other heads",
    claim="Other heads keep much of their effect under the mean over p_IOI",
)
print("              other  random   mean  |   swap   mean  |  zero   attention")
print("              names  tokens  p_ABC  |  roles  p_IOI  |         S2 to S1")
for at in duplicate:
    cells = [f"{mean[name][at]:+7.2f}" for name in names]
    cells = [*cells[:3], "|", *cells[3:5], "|", cells[5]]
    print(f"{listed([at]):>10}  {' '.join(cells)}   {to_s1[at]:8.2f}")
for name in KEPT:
    print(f"left of any of them, at most, under {name}: {most_left[name]:.0%}")
print(f"left of the others under the mean over p_IOI, median: {rest_left:.0%}")
assert -said["mean over p_ABC"].mean() > 3 * said["mean over p_IOI"].mean().abs()

# %% [markdown]
# These are the duplicate-token heads which [demo 09](09_ioi_circuit.py) found by path patching,
# from prompts of p_ABC. Over p_IOI they would have been missed, and with them the step in which the
# repetition is noticed. Other heads shrink too. A mean over both orders of the names takes away
# *which* of the two was repeated, so what passes on the order, as in
# [demo 10](10_value_or_pointer.py), should lose a part of its effect and not all.
#
# ## Why they appear
#
# Zeros find heads in the first layers, and nobody else does. One account: they write the same on
# every prompt, the model relies on it as on a constant, and only zeros take a constant away. Then
# most of what they write should be their mean. The *constant share* of a head is the squared length
# of its mean output, over the mean squared length of its output. It is taken over p_ABC, position
# by position. The heads that all six find are the control.

# %% tags=["predict"]
z = head_outputs(model, many_abc)[:, :, :, first:]
constant = (z.mean(1).pow(2).sum(-1) / z.pow(2).sum(-1).mean(1)).mean(-1)  # (layer, head)
early = {name: heads_in(found[name][:EARLY]) for name in names}
everywhere = heads_in(by_all)
groups = {"zeros, early": early["zero"], "all six": everywhere}
bars(
    [f"{listed([at])}, {group}" for group, heads in groups.items() for at in heads],
    [Series("constant share", [constant[at].item() for heads in groups.values() for at in heads])],
    title="How much of what a head writes is the same on every prompt",
    x_title="constant share (of 1)",
    y_title="head, and what finds it",
    reference=("median of all heads", constant.median().item()),
    caption=f"Over {len(many)} prompts of p_ABC, from S2 on.",
)

# %%
assert early["zero"]
others_early = [name for name in names[:-1] if early[name]]
constant_early, constant_everywhere = (
    average([constant[at].item() for at in heads]) for heads in groups.values()
)
furthest_early = max(mean[name][:EARLY].abs().max().item() for name in names[:-1])
facts.record(
    "input-early-zero",
    len(early["zero"]),
    n=EARLY * n_heads,
    seed=seed,
    unit="heads of the first three layers",
    claim="Zeros find heads of the first layers",
)
facts.record(
    "input-early-others",
    furthest_early,
    tolerance=0.01,
    n=EARLY * n_heads,
    seed=seed,
    unit="share of the logit difference, the furthest of these heads under any other corruption",
    claim="Nothing else finds heads of the first layers",
)
facts.record(
    "input-constant-early",
    constant_early,
    tolerance=0.01,
    n=len(many),
    seed=seed,
    unit="share, mean of the early heads that zeros find",
    claim="The early heads that zeros find write nearly the same on every prompt",
)
facts.record(
    "input-constant-everywhere",
    constant_everywhere,
    tolerance=0.02,
    n=len(many),
    seed=seed,
    unit="share, mean of the heads that all six find",
)
idle = int(((constant >= constant_early) & ~found["zero"]).sum())
print(f"in the first {EARLY} layers zeros find {listed(early['zero'])}")
print(f"others find some there: {', '.join(others_early) or 'none of them does'}")
print(f"constant share, mean: {constant_early:.3f}; where all find: {constant_everywhere:.3f}")
for name, heads in groups.items():
    ends = [constant[at].item() for at in heads]
    print(f"{name}: {min(ends):.3f} to {max(ends):.3f}")
print(f"as constant as that, and yet not found by zeros: {idle} heads")
assert constant_early > constant_everywhere
assert idle

# %% [markdown]
# To be constant is not enough: other heads are as constant, and nobody misses them.
#
# Whether that constant is part of the circuit is not for a measurement to say. Miller et al. put it
# so (section 6): who wants the circuit to include what every prompt shares should ablate by zeros;
# who asks what this prompt has to say should not.
#
# ## Claim ledger

# %%
ledger(
    Claim(
        says="With patching in general, you have to choose your input distribution carefully",
        source="the group's notes, 7 November 2023; Zhang and Nanda 2023; Miller et al. 2024",
        found=f"rank correlation {min(within):.2f} to {max(within):.2f} among corruptions that "
        f"repeat no name, {min(across):.2f} to {max(across):.2f} against those that do; "
        f"{min(counts.values())} to {max(counts.values())} heads found",
        control=f"each with itself on other prompts: {min(itself):.2f} to {max(itself):.2f}; "
        f"corrected for this noise, {corrected['taken']:.2f} within the kind on average and "
        f"{corrected['across']:.2f} across",
        verdict=verdict(min(within) > max(across), min(itself) > max(across)),
        limits="ranks of all heads are mostly ranks of small effects; the ten strongest have "
        f"{least_common:.0%} or more in common",
    ),
    Claim(
        says="A mean over p_IOI would keep the information that a name is repeated, so it is taken "
        "over p_ABC",
        source="Wang et al. 2022, section 2.1",
        found=f"heads that look from S2 to S1 ({listed(duplicate)}): "
        f"{said['mean over p_ABC'].mean():.2f} under the mean over p_ABC, "
        f"{said['mean over p_IOI'].mean():+.2f} over p_IOI, "
        f"{said['roles swapped'].mean():+.2f} with the roles swapped",
        control=f"the {len(rest)} other heads keep {rest_left:.0%} under the mean over p_IOI "
        "(median)",
        verdict=verdict(*(share < 1 / 3 for share in most_left.values()), rest_left > 1 / 3),
        limits="few heads, one template; other heads shrink too, for other reasons",
    ),
    Claim(
        says="Zeros also take away what every prompt shares; values of other prompts do not",
        source="after Miller et al. 2024, section 6; Conmy et al. 2023, tables 2 and 3",
        found=f"in the first {EARLY} layers zeros find {len(early['zero'])} heads; of what "
        f"these write {constant_early:.0%} is the same on every prompt, on average",
        control=f"under the others no head there moves more than {furthest_early:.2f}; of what "
        f"heads that all find write {constant_everywhere:.0%} is constant, on average",
        verdict=verdict(
            bool(early["zero"]), not others_early, constant_early > constant_everywhere
        ),
        limits="whether the model uses the constant, or is only thrown off by its absence",
    ),
    Claim(
        says="The strongest heads are found whatever stands in their place",
        source="ours",
        found=f"under one of the six or more {largest} has the largest effect; "
        f"{int(by_all.sum())} heads are found by all six",
        control=f"of {n_layers * n_heads} heads {int(by_any.sum())} are found by at least one",
        verdict=verdict(all(by_all[at] for at in strongest.values())),
        limits="one task, in which late heads act on the answer itself",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **Which choice is right.** Each answers a question of its own: what is lost without these names,
#   without knowing which of the two was repeated, without the head.
# - **Earlier positions.** Outputs are exchanged from S2 on. Heads that act at the first names or
#   behind them (previous-token heads) are not seen by any of the six.
# - **Circuits.** One head at a time. What a set of heads does under another corruption is another
#   measurement, and Miller et al. find it to differ more.
# - **Other tasks and templates.** One template, few prompts. The threshold decides which heads are
#   near enough to be called found; those near it come and go with the prompts.
