# %% [markdown]
# # What can be read off the weights of a small transformer?
#
# A transformer without layers, one with one attention layer, one with two: *A Mathematical
# Framework for Transformer Circuits* says what each can compute, and reads it off products of
# weight matrices. Here all of them are trained before your eyes, in seconds.
#
# **Question.** Do our own small models hold what the framework says they hold: bigrams, then
# skip-trigrams, then induction heads? And does the induction head appear at once, together with a
# fall of the loss, where two layers can compose and nowhere else?
#
# **Source.** [Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html) for
# zero, one and two layers, copying by eigenvalues and composition; [Olsson et al.
# 2022](https://arxiv.org/abs/2209.11895), arguments 1 and 2, for the jump and for smeared keys.
# Their models are far larger and trained on text from the web.
#
# **Criterion.** Each is a line of the ledger below, and a no would show there:
#
# 1. *Zero layers.* The table $W_E W_U$ correlates above 0.95 with the logarithm of the bigram
#    shares of the text, and better than the words' own frequencies do.
# 2. *One layer.* It predicts held-out words better than bigrams, and only from the right context;
#    the ten thousand strongest skip-trigrams in its weights occur in held-out text at more than 1.5
#    times the rate by which trigrams with another source do, and the 95 % intervals lie apart.
# 3. *Copying.* Most of its heads have eigenvalues more positive than random heads have, and such
#    heads raise the token that they attend to above all others.
# 4. *Two layers.* Prefix matching reaches 0.5, and loss and matching cross their halfway marks
#    within 50 steps of each other. One layer never reaches 0.5; one layer with smeared keys does.
# 5. *Composition.* The previous-token head's score with the induction heads, through keys, is above
#    every one of 200 random pairs; without the heads that look back by one, prefix matching falls
#    by more than half.
#
# **Cost.** One core, 1 GB of memory, about a minute.

# %%
import math
from itertools import pairwise

import torch
from IPython.display import Markdown

from demos import facts
from demos.figures import Series, bars, heatmap, line, scatter
from demos.ledger import Claim, ledger, verdict
from demos.seeds import base_seed
from demos.skip_trigrams import count_trigrams, skip_trigram_effects, strongest_trigrams
from demos.statistics import mean_interval, share_interval
from demos.texts import english_documents
from demos.toys import AttentionOnly, hand_built_induction, prefix_matching, previous_token
from demos.training import (
    RARE,
    Vocabulary,
    repeated_tokens,
    token_losses,
    train,
    windows,
)
from demos.weights import (
    composition_scores,
    copying_score,
    full_ov,
    random_composition,
    self_promotion,
)

seed = base_seed()
torch.set_grad_enabled(False)
torch.set_num_threads(1)  # these matrices are too small to be shared among cores

# %% [markdown]
# ## The text
#
# Python's own help on the language, by words: the commonest have a number each, all others share
# one, which nobody is asked to predict. Whole topics are held out.

# %%
n_words, n_ctx = 300, 64
texts = {part: "\n\n".join(english_documents(part).values()) for part in ("fit", "held-out")}
vocabulary = Vocabulary.of(texts["fit"], n_words)
fit, held_out = (vocabulary.encode(texts[part]) for part in ("fit", "held-out"))
known = (held_out != RARE).float().mean().item()
print(f"{len(fit)} words to fit on, {len(held_out)} held out, of which {known:.0%} have a number")


def text_batches(offset):
    generator = torch.Generator().manual_seed(1000 * seed + offset)
    while True:
        yield windows(fit, n_ctx + 1, 16, generator)


def trained_on_text(n_layers, steps):
    with torch.enable_grad():
        model = AttentionOnly(n_words, n_ctx, n_layers, n_heads=8, seed=1000 * seed + n_layers)
        train(
            model,
            text_batches(n_layers),
            steps,
            learning_rate=4e-3,
            weight_decay=0.1,
            ignored=RARE,
        )
    return model


# %% [markdown]
# ## No layer: a table of bigrams
#
# Without layers a token's vector goes straight to the unembedding, so the whole model is the table
# $W_E W_U$ (the paper, with columns for vectors, writes $W_U W_E$). We count the bigrams of the
# text and compare, where a pair occurs at least five times. The control knows how frequent each
# word is, and nothing of the word before.

# %%
zero = trained_on_text(0, steps=900)
counts = torch.zeros(n_words, n_words)
counts.index_put_((fit[:-1], fit[1:]), torch.ones(len(fit) - 1), accumulate=True)
pairs = counts >= 5
pairs[:, RARE] = False

in_text = (counts / counts.sum(dim=1, keepdim=True)).log()[pairs]
in_weights = (zero.W_E @ zero.W_U).log_softmax(dim=-1)[pairs]
shares = counts.sum(dim=0) / counts.sum()
frequency = shares.log().expand(n_words, n_words)[pairs]


def correlation(one, other):
    return torch.corrcoef(torch.stack([one, other]))[0, 1].item()


bigram_correlation = correlation(in_weights, in_text)
frequency_correlation = correlation(frequency, in_text)
facts.record(
    "framework-bigram-correlation",
    bigram_correlation,
    tolerance=0.01,
    n=len(in_text),
    seed=seed,
    unit="Pearson correlation of log shares",
    claim="Without layers, the embedding times the unembedding is a table of bigrams",
)
facts.record(
    "framework-frequency-correlation",
    frequency_correlation,
    tolerance=0.001,
    n=len(in_text),
    seed=seed,
    unit="Pearson correlation of log shares",
    claim="The frequency of words alone explains the bigrams less well",
)
assert bigram_correlation > 0.95
assert bigram_correlation > frequency_correlation + 0.1

# %%
some = torch.randperm(len(in_text), generator=torch.Generator().manual_seed(seed))[:120]


def points(predicted):
    return list(zip(in_text[some].tolist(), predicted[some].tolist(), strict=True))


scatter(
    {
        "no layer: W_E W_U": points(in_weights),
        "control: frequency of the second word": points(frequency),
    },
    title="A model without layers is its bigram table",
    x_title="log share of the second word after the first, in the text",
    y_title="log share according to the weights, or to frequency",
    diagonal=True,
    caption=f"{len(some)} of the {len(in_text)} pairs that occur five times or more.",
)

# %% [markdown]
# ## One layer: skip-trigrams
#
# One attention layer adds, for each head, two more tables. **QK**: how much attention a word *B*
# pays to an earlier word *A*. **OV**: what attending to *A* does to the logit of each word *C*.
# With the patterns held fixed, the rest is a sum, and we check that first: bigram table plus
# patterns times OV tables must give the model's own logits.

# %%
one = trained_on_text(1, steps=800)
tokens = held_out.unfold(0, n_ctx + 1, 5)
contexts, answers = tokens[:, :-1], tokens[:, -1]
asked = answers != RARE

logits, [pattern] = one.run(contexts[:64])
by_tables = (one.W_E @ one.W_U)[contexts[:64]]
for head in range(one.n_heads):
    by_tables = by_tables + pattern[:, head] @ full_ov(one, 0)[head][contexts[:64]]
difference = (by_tables - logits).abs().max().item()
print(f"largest difference between tables and model: {difference:.1e} logits")
assert difference < 1e-3

# %% [markdown]
# Does the context help on text that the model has not seen? Three predictions of the same words:
# without layers; with one layer; and, as control, with one layer but a *foreign* context, where the
# last word is the right one and all before it come from elsewhere in the same text.

# %%
foreign = torch.cat([contexts.roll(len(contexts) // 2, dims=0)[:, :-1], contexts[:, -1:]], dim=1)


def right(model, contexts):
    """Whether the likeliest word is the one that follows, for each context."""
    logits = torch.cat([model(part)[:, -1] for part in contexts.split(512)])
    logits[:, RARE] = -torch.inf  # never asked for
    return (logits.argmax(dim=-1) == answers)[asked]


outcomes = {
    "no layer (bigrams)": right(zero, contexts),
    "one layer": right(one, contexts),
    "one layer, foreign context": right(one, foreign),
}
accuracy = {name: won.float().mean().item() for name, won in outcomes.items()}
for name, key in zip(outcomes, ("zero-layer", "one-layer", "foreign-context"), strict=True):
    facts.record(
        f"framework-{key}-accuracy",
        accuracy[name],
        tolerance=0.02,
        n=int(asked.sum()),
        interval=share_interval(int(outcomes[name].sum()), int(asked.sum())),
        seed=seed,
        unit="share of held-out words",
        claim="One attention layer predicts held-out words better than bigrams, from context",
    )
over_bigrams = mean_interval(outcomes["one layer"].float() - outcomes["no layer (bigrams)"].float())
over_foreign = mean_interval(
    outcomes["one layer"].float() - outcomes["one layer, foreign context"].float()
)
assert over_bigrams[0] > 0
assert over_foreign[0] > 0
bars(
    list(accuracy),
    [
        Series(
            "accuracy",
            list(accuracy.values()),
            [share_interval(int(won.sum()), len(won)) for won in outcomes.values()],
        )
    ],
    title="One layer needs its context",
    x_title="held-out words predicted (share)",
    y_title="model",
    caption="95 % Wilson intervals; neighbouring words are not independent, so they are too short.",
)

# %% [markdown]
# ### Reading the skip-trigrams
#
# From the two tables we compute what one *A* somewhere before *B* adds to the logit of *C*; no text
# is run through the model for that, and positions are left out. The largest effects, one for
# each pair of *A* and *C*:

# %%
effects = skip_trigram_effects(one, shares)
common = shares * len(fit) >= 20
common[RARE] = False
trigrams = strongest_trigrams(effects, common, n=10_000)

rows, listed = ["| A ... | B | C | adds to the logit of C |", "| --- | --- | --- | --- |"], set()
for source, destination, output in trigrams.tolist():
    if (source, output) not in listed and len(listed) < 10:
        listed.add((source, output))
        words = (vocabulary.words[number] for number in (source, destination, output))
        shown = " | ".join(f"`{word!r}`" for word in words)
        rows.append(f"| {shown} | {effects[destination, source, output]:.1f} |")
Markdown("\n".join(rows))

# %% [markdown]
# Are they true of text that the model has not seen? We take the ten thousand strongest:
# the held-out text is short, and a thousand of them decided nothing. For each we count how often
# *C* follows *B* when *A* is among the words before, against how often it follows *B* without *A*.
# Control: the same *B* and *C*, with *A* replaced by a word of about the same frequency. The
# intervals are over trigrams; many of those share words, so they are too short.

# %%
generator = torch.Generator().manual_seed(1000 * seed + 7)
by_frequency = shares.argsort(descending=True, stable=True)
rank = by_frequency.argsort()
step = torch.randint(1, 8, (len(trigrams),), generator=generator)
step = step * torch.where(torch.rand(len(trigrams), generator=generator) < 0.5, 1, -1)
neighbour = (rank[trigrams[:, 0]] + step).abs().clamp(max=n_words - 1)
other_source = torch.cat([by_frequency[neighbour][:, None], trigrams[:, 1:]], dim=1)

lift, tested, spans = {}, {}, {}
for name, listed in (("read", trigrams), ("control", other_source)):
    observed, expected = count_trigrams(listed, held_out, n_words, reach=n_ctx - 1)
    tested[name], lift[name] = len(observed), (observed.sum() / expected.sum()).item()
    # A ratio of two sums: what is resampled is how far each trigram moves it, to first order.
    moved = (observed - lift[name] * expected) / expected.mean()
    spans[name] = [lift[name] + end.item() for end in mean_interval(moved.float())]
    print(
        f"{name}: {tested[name]} trigrams can be tested; C followed {observed.sum():.0f} times, "
        f"{expected.sum():.1f} were to come: {lift[name]:.2f} times as often "
        f"({spans[name][0]:.2f} to {spans[name][1]:.2f})"
    )
facts.record(
    "framework-skip-trigram-lift",
    lift["read"],
    tolerance=0.5,
    n=tested["read"],
    interval=spans["read"],
    seed=seed,
    unit="observed over expected",
    claim="Skip-trigrams read off the weights occur in held-out text",
)
facts.record(
    "framework-skip-trigram-lift-control",
    lift["control"],
    tolerance=0.15,
    n=tested["control"],
    interval=spans["control"],
    seed=seed,
    unit="observed over expected",
    claim="With another source, the same words follow each other hardly more often",
)
lifts_apart = spans["read"][0] > spans["control"][1]
print(f"intervals apart: {lifts_apart}")
assert lift["read"] > 1.5 * lift["control"]
assert lifts_apart

# %% [markdown]
# ## Two layers: data in which only repetition can be learned
#
# Random tokens say nothing about each other, so a model can only learn that they come again. Each
# sequence is one starting token, then a block of different random tokens, repeated until the
# context is full. **The block's length varies from sequence to sequence.** With one fixed length a
# model could look back by a fixed distance, which is not induction; we come back to that.
#
# The *prefix-matching score* of a head is the attention from a token in the second block to the
# token that followed its first copy. First a test of the score itself: a two-layer model whose
# weights we set by hand, a previous-token head and a head that looks for its mark.

# %%
d_vocab, n_positions, period = 49, 33, 13
lengths = range(6, 17)
tests = {
    length: repeated_tokens(
        96, length, d_vocab, n_positions, torch.Generator().manual_seed(1000 * seed + length)
    )[:, : 2 * length + 1]
    for length in (10, period, 16)
}
by_hand = hand_built_induction(d_vocab, n_positions)
by_hand_score = prefix_matching(by_hand.run(tests[period])[1][1], period).item()
untrained = AttentionOnly(d_vocab, n_positions, 2, seed=1000 * seed)
untrained_score = prefix_matching(untrained.run(tests[period])[1][1], period).max().item()
print(f"built by hand {by_hand_score:.2f}, untrained {untrained_score:.2f}")
assert by_hand_score > 0.99
assert untrained_score < 0.2

# %% [markdown]
# Now four models are trained:
#
# - **two layers** and **one layer**, alike in everything else;
# - **one layer, smeared keys**: each key is mixed with the key one position earlier. That hands a
#   head what otherwise an earlier head must write: which token came before;
# - **one layer, fixed length**: the block always has the same length.
#
# <details>
# <summary><strong>Predict first.</strong> Four guesses, before you open the figure.</summary>
#
# 1. Which of the four reach a prefix-matching score above 0.5?
# 2. Which of the four get the loss on the second block close to 0?
# 3. Does the score rise evenly over training, or at once?
# 4. Does the one-layer model learn nothing at all from the repetition?
#
# </details>


# %%
def measured(model):
    """Loss on the second block, prefix matching of the last layer's heads, at the test length."""
    losses, _ = token_losses(model, tests[period])
    patterns = model.run(tests[period])[1]
    matching = prefix_matching(patterns[-1], period).max().item()
    return losses[:, period + 1 :].mean().item(), matching


def repeat_batches(lengths):
    generator = torch.Generator().manual_seed(1000 * seed + 99)
    while True:
        yield repeated_tokens(32, lengths, d_vocab, n_positions, generator)


n_steps = 500
designs = {
    "two layers": (2, False, lengths),
    "one layer": (1, False, lengths),
    "one layer, smeared keys": (1, True, lengths),
    "one layer, fixed length": (1, False, [period]),
}
models, histories = {}, {}
for name, (n_layers, smeared, trained_lengths) in designs.items():
    models[name] = AttentionOnly(
        d_vocab, n_positions, n_layers, smeared=smeared, seed=1000 * seed + 10 * n_layers
    )
    with torch.enable_grad():
        histories[name] = train(
            models[name],
            repeat_batches(trained_lengths),
            n_steps,
            measured,
            every=20,
            learning_rate=3e-3,
        )
at_step = [step for step, _ in histories["one layer"]]
loss = {name: [now[0] for _, now in history] for name, history in histories.items()}
matching = {name: [now[1] for _, now in history] for name, history in histories.items()}

# %% tags=["predict"]
line(
    at_step,
    [Series(name, values) for name, values in matching.items()],
    title="Prefix matching during training",
    x_title="training step",
    y_title="prefix-matching score of the best head (share of attention)",
    reference=("built by hand", by_hand_score),
    caption=f"Measured on blocks of {period} tokens; last layer of each model.",
)

# %%
line(
    at_step,
    [Series(name, values) for name, values in loss.items()],
    title="Loss on the second block during training",
    x_title="training step",
    y_title="loss on the second block (nats)",
    reference=("a uniform guess", math.log(d_vocab - 1)),
    caption="The same models at the same steps.",
)

# %% [markdown]
# The one-layer model does learn something. It copies: any token that occurred is likelier to occur
# again. It cannot know *which* of them is next, and the loss says so.
#
# ### The two curves cross halfway together
#
# Loss: halfway between a uniform guess and 0. Matching: half of what it ends at. A model that never
# gets there has no crossing.


# %%
def first_step(values, reached):
    """The step at which a measured curve passes a mark, on a straight line between measurements."""
    for (step, before), (after_step, after) in pairwise(zip(at_step, values, strict=True)):
        if (before < reached <= after) or (before > reached >= after):
            return step + (after_step - step) * (reached - before) / (after - before)
    return None


halfway_loss = math.log(d_vocab - 1) / 2
loss_step = {name: first_step(loss[name], halfway_loss) for name in designs}
match_step = first_step(matching["two layers"], 0.5 * matching["two layers"][-1])
for name in designs:
    crossed = "never" if loss_step[name] is None else f"at step {loss_step[name]:.0f}"
    print(f"{name}: loss halfway {crossed}; matching ends at {matching[name][-1]:.2f}")

fall = {  # below what a uniform guess gives: the step from random weights to that is no finding
    name: [math.log(d_vocab - 1) - min(value, math.log(d_vocab - 1)) for value in values]
    for name, values in loss.items()
}
window = 3 * (at_step[1] - at_step[0])
steepest = {
    name: max(later - earlier for earlier, later in zip(values, values[3:], strict=False))
    for name, values in fall.items()
}
at_once = steepest["two layers"] / fall["two layers"][-1]
print(
    f"the steepest {window} of {n_steps} steps bring {at_once:.0%} of the two-layer model's fall:"
)
print(f"{steepest['two layers']:.2f} nats, and with one layer {steepest['one layer']:.2f}")

apart = abs(loss_step["two layers"] - match_step)
print(f"two layers: half of its final matching at step {match_step:.0f}, {apart:.0f} steps apart")
for key, name in (
    ("two-layer", "two layers"),
    ("one-layer", "one layer"),
    ("smeared", "one layer, smeared keys"),
):
    facts.record(
        f"framework-{key}-matching",
        matching[name][-1],
        tolerance=0.08,
        n=len(tests[period]),
        seed=seed,
        unit="share of attention",
        claim="Prefix matching needs two layers, or keys that know the token before",
    )
    facts.record(
        f"framework-{key}-repeat-loss",
        loss[name][-1],
        tolerance=0.2,
        n=len(tests[period]),
        seed=seed,
        unit="nats",
        claim="Where prefix matching appears, the loss on the second block falls",
    )
facts.record(
    "framework-crossings-apart",
    apart,
    tolerance=10.0,
    seed=seed,
    unit="training steps",
    claim="Prefix matching and the fall of the loss come together",
)
facts.record(
    "framework-steepest-share",
    at_once,
    tolerance=0.15,
    seed=seed,
    unit="share of the fall of the loss",
    claim="Most of the fall comes within a small part of the training",
)
assert matching["two layers"][-1] > 0.5
assert apart <= 50
assert steepest["two layers"] > 2 * steepest["one layer"]
assert loss_step["one layer"] is None and max(matching["one layer"]) < 0.25
assert matching["one layer, smeared keys"][-1] > 0.5

# %% [markdown]
# ### A low loss is not induction
#
# The fourth model ends with a low loss and a high score, with one plain layer. Here is the same
# model, and the two-layer one, on blocks of other lengths.

# %%
elsewhere = {
    name: [
        prefix_matching(models[name].run(tests[length])[1][-1], length).max().item()
        for length in tests
    ]
    for name in designs
}
fixed = dict(zip(tests, elsewhere["one layer, fixed length"], strict=True))
varied = dict(zip(tests, elsewhere["two layers"], strict=True))
facts.record(
    "framework-fixed-length-matching",
    fixed[period],
    tolerance=0.08,
    n=len(tests[period]),
    seed=seed,
    unit="share of attention",
    claim="Trained on one length, one layer passes the test on that length",
)
facts.record(
    "framework-fixed-length-matching-elsewhere",
    max(fixed[10], fixed[16]),
    tolerance=0.08,
    n=len(tests[10]),
    seed=seed,
    unit="share of attention",
    claim="and fails it on every other: it counts positions",
)
assert fixed[period] > 0.5 and max(fixed[10], fixed[16]) < 0.2
assert min(varied.values()) > 0.5
bars(
    [f"blocks of {length}" for length in tests],
    [Series(name, elsewhere[name]) for name in ("two layers", "one layer, fixed length")],
    title="Vary the length, or position passes for induction",
    x_title="prefix-matching score of the best head (share of attention)",
    y_title="test sequences",
    caption=f"The second model saw blocks of {period} only and looks back by a fixed distance.",
)

# %% [markdown]
# ## How the two layers compose
#
# A later head can read what an earlier one wrote through its query, its key or its value. The
# *composition score* is the size of the product of the two heads' matrices over the product of
# their sizes. Random matrices do not give 0, so we draw two hundred random pairs.

# %%
model = models["two layers"]
patterns = model.run(tests[period])[1]
looks_back = previous_token(patterns[0], last=period - 1)
previous_head = looks_back.argmax().item()
ov = model.W_V @ model.W_O  # (layer, head, d_model, d_model)
composition = composition_scores(ov[0], model.W_Q[1] @ model.W_K[1].mT, ov[1])
random_pairs = random_composition(
    model.d_model, model.d_head, torch.Generator().manual_seed(1000 * seed + 5)
)
baseline = random_pairs.mean().item()
print("previous-token score of layer 0:", [f"{score:.2f}" for score in looks_back.tolist()])
print(f"random pairs: mean {baseline:.3f}, largest {random_pairs.max():.3f}")

heatmap(
    {
        f"through {name}": (composition[part] - baseline).tolist()
        for part, name in (("Q", "queries"), ("K", "keys"), ("V", "values"))
    },
    row_labels=[f"1.{head}" for head in range(model.n_heads)],
    column_labels=[f"0.{head}" for head in range(model.n_heads)],
    title="Composition through keys, with the previous-token head",
    x_title="earlier head",
    y_title="later head",
    value_title="score above random",
    caption=f"0.{previous_head} is the head that looks back by one.",
)

# %%
through_keys = composition["K"][:, previous_head].mean().item()
others = max(composition[part][:, previous_head].mean().item() for part in "QV")
facts.record(
    "framework-key-composition",
    through_keys,
    tolerance=0.03,
    seed=seed,
    unit="composition score",
    claim="The induction heads read the previous-token head through their keys",
)
facts.record(
    "framework-random-composition",
    baseline,
    tolerance=0.005,
    n=len(random_pairs),
    seed=seed,
    unit="composition score",
    claim="Random pairs of heads do not have a composition score of 0",
)
assert through_keys > random_pairs.max()
assert composition["K"].mean(dim=0).argmax() == previous_head
assert others < through_keys

# %% [markdown]
# A product of weights is not yet a use. So we take out the heads of layer 0 that look back by one
# (their output is set to zero), and look at what the heads of layer 1 then attend to. Control: all
# other heads of layer 0, removed together.

# %%
look_back = {(0, head) for head, score in enumerate(looks_back.tolist()) if score > 0.3}
do_not = {(0, head) for head in range(model.n_heads)} - look_back


def names(heads):
    return ", ".join(f"{layer}.{head}" for layer, head in sorted(heads)) or "no head"


def matching_without(heads):
    return prefix_matching(model.run(tests[period], without=heads)[1][1], period)


removed, spared = matching_without(look_back), matching_without(do_not)
intact = matching_without(())
whole, left, kept = (scores.max().item() for scores in (intact, removed, spared))
facts.record(
    "framework-matching-without-previous",
    left,
    tolerance=0.1,
    n=len(tests[period]),
    seed=seed,
    unit="share of attention, best head",
    claim="Without the heads that look back the induction heads lose their place",
)
assert left < whole / 2
assert kept > 0.7 * whole

bars(
    [f"head 1.{head}" for head in range(model.n_heads)],
    [
        Series("whole model", intact.tolist()),
        Series(
            f"without {', '.join(f'0.{head}' for _, head in sorted(look_back))}", removed.tolist()
        ),
        Series(f"without {', '.join(f'0.{head}' for _, head in sorted(do_not))}", spared.tolist()),
    ],
    title="Layer 1 needs the heads that look back",
    x_title="prefix-matching score (share of attention)",
    y_title="head of layer 1",
    caption="Zero ablation. The second bar removes the heads that look back by one, the third all "
    "others of layer 0.",
)

# %% [markdown]
# ## Copying, by eigenvalues
#
# A head copies if attending to a token raises that token's logit. The paper's summary of a head's
# OV table is the sum of its eigenvalues over the sum of their sizes: 1 if all are positive, near 0
# for random heads. It adds a caveat: *a matrix can have positive eigenvalues and not copy*. So we
# also count directly for how many tokens the attended token is the one that is raised most.
#
# One matrix made by hand has every eigenvalue equal to 1: each token raises itself by 1, and the
# next one by 2.

# %%
hand_made = torch.eye(n_words) + 2 * torch.diag(torch.ones(n_words - 1), diagonal=1)
generator = torch.Generator().manual_seed(1000 * seed + 6)
source, output = torch.randn(2, 200, n_words, one.d_head, generator=generator)
# The eigenvalues of a product, those of 0 apart, stay when its factors change places. So those of
# a table over the vocabulary are those of a small matrix.
random_scores = copying_score(output.mT @ source)
tables = {
    "one layer, on English": full_ov(one, 0)[:, 1:, 1:],
    "induction heads": full_ov(model, 1)[:, 1:, 1:],
    "random heads": source[:10] @ output[:10].mT,
    "made by hand": hand_made[None].double(),  # a defect matrix: float32 would blur it
}
by_eigenvalues = {name: copying_score(table) for name, table in tables.items()}
by_counting = {name: self_promotion(table) for name, table in tables.items()}
scatter(
    {
        name: list(zip(by_eigenvalues[name].tolist(), by_counting[name].tolist(), strict=True))
        for name in tables
    },
    title="Positive eigenvalues are not proof of copying",
    x_title="copying by eigenvalues, from -1 to 1",
    y_title="tokens that raise themselves most (share)",
    caption="A point is a head's OV table over the vocabulary.",
)

# %%
chance = random_scores.quantile(0.975).item()
positive = (by_eigenvalues["one layer, on English"] > chance).double().mean().item()
self_raising = by_counting["one layer, on English"].max().item()
induction_copies = by_counting["induction heads"].mean().item()
print(f"97.5 % of random heads lie below {chance:.2f}")
print(f"one layer on English: {positive:.0%} of the heads lie above that")
facts.record(
    "framework-copying-heads",
    positive,
    tolerance=0.26,
    n=one.n_heads,
    seed=seed,
    unit="share of heads above 97.5 % of random heads",
    claim="Most heads of a one-layer model have positive eigenvalues",
)
facts.record(
    "framework-self-raising",
    self_raising,
    tolerance=0.04,
    n=n_words - 1,
    seed=seed,
    unit="share of tokens, best head",
    claim="but hardly a token is raised most by attending to itself",
)
facts.record(
    "framework-induction-copying",
    by_eigenvalues["induction heads"].mean().item(),
    tolerance=0.03,
    n=model.n_heads,
    seed=seed,
    unit="sum of eigenvalues over sum of sizes",
    claim="Induction heads copy, by eigenvalues",
)
facts.record(
    "framework-induction-self-raising",
    induction_copies,
    tolerance=0.1,
    n=model.n_heads,
    seed=seed,
    unit="share of tokens, mean over heads",
    claim="and by counting",
)
assert by_eigenvalues["made by hand"].item() > 0.99 and by_counting["made by hand"].item() < 0.01
assert by_eigenvalues["one layer, on English"].mean() > random_scores.mean()
assert self_raising < 0.3 and induction_copies > 0.6

# %% [markdown]
# On English the heads of our one-layer model do not say "this word again". A word that they attend
# to raises itself a little on average, which is all that positive eigenvalues speak of, and raises
# others more. The induction heads copy by both measures.
#
# ## Claim ledger

# %%
ledger(
    Claim(
        says="A transformer without layers is a table of bigrams",
        source="Elhage et al. 2021, zero-layer transformers",
        found=f"correlation of log shares {bigram_correlation:.3f} over {len(in_text)} pairs",
        control=f"frequency of the second word alone {frequency_correlation:.3f}",
        verdict=verdict(bigram_correlation > 0.95, bigram_correlation > frequency_correlation),
        limits="rare pairs, where 64 dimensions and few counts blur both sides",
    ),
    Claim(
        says="One attention layer adds skip-trigrams that can be read off QK and OV",
        source="Elhage et al. 2021, one-layer transformers",
        found=f"held-out words {accuracy['one layer']:.1%}, with no layer "
        f"{accuracy['no layer (bigrams)']:.1%}; the trigrams read occur {lift['read']:.1f} times "
        f"({spans['read'][0]:.1f} to {spans['read'][1]:.1f}) as often as without their source",
        control=f"foreign context {accuracy['one layer, foreign context']:.1%}; another source "
        f"{lift['control']:.1f} times ({spans['control'][0]:.1f} to {spans['control'][1]:.1f})",
        verdict=verdict(
            over_bigrams[0] > 0,
            over_foreign[0] > 0,
            lift["read"] > 1.5 * lift["control"],
            lifts_apart,
        ),
        limits="positions are left out of the reading, and the model uses them; which of the "
        "trigrams are right: the held-out text is short, so only many together can be judged",
    ),
    Claim(
        says="Most heads of a one-layer model copy (10 of 12), as positive eigenvalues show",
        source="Elhage et al. 2021, detecting copying behaviour",
        found=f"{positive:.0%} of {one.n_heads} heads above random; in the best one "
        f"{self_raising:.1%} of the tokens raise themselves most",
        control=f"induction heads: {induction_copies:.0%} of the tokens; a matrix made by hand "
        f"scores {by_eigenvalues['made by hand'].item():.2f} and copies "
        f"{by_counting['made by hand'].item():.1%}",
        verdict=verdict(positive > 0.5, self_raising > 0.5),
        limits="models as large as theirs, on as much text; our text is short and on one subject",
    ),
    Claim(
        says="With two layers induction heads appear at once, together with a fall of the loss",
        source="Olsson et al. 2022, argument 1",
        found=f"matching {matching['two layers'][-1]:.2f}; halfway marks {apart:.0f} steps apart; "
        f"{window} of {n_steps} steps bring {at_once:.0%} of the fall",
        control=f"one layer {matching['one layer'][-1]:.2f}, loss "
        f"{loss['one layer'][-1]:.2f} against {loss['two layers'][-1]:.2f} nats, in its steepest "
        f"{window} steps {steepest['one layer']:.2f} nats against {steepest['two layers']:.2f}",
        verdict=verdict(
            matching["two layers"][-1] > 0.5,
            apart <= 50,
            at_once > 0.5,
            max(matching["one layer"]) < 0.5,
        ),
        limits="natural text, where much else is learned meanwhile; that the head is the cause",
    ),
    Claim(
        says="One layer gets there if its keys are smeared with the token before",
        source="Olsson et al. 2022, argument 2",
        found=f"matching {matching['one layer, smeared keys'][-1]:.2f}, loss "
        f"{loss['one layer, smeared keys'][-1]:.2f} nats",
        control=f"plain keys {matching['one layer'][-1]:.2f}, {loss['one layer'][-1]:.2f} nats; "
        f"fixed length {fixed[period]:.2f} there and {max(fixed[10], fixed[16]):.2f} elsewhere",
        verdict=verdict(
            matching["one layer, smeared keys"][-1] > 0.5, max(matching["one layer"]) < 0.5
        ),
        limits="deeper models with smeared keys, which they trained too",
    ),
    Claim(
        says="The induction head reads a previous-token head through its keys",
        source="Elhage et al. 2021, two-layer transformers",
        found=f"key composition {through_keys:.2f}; without the heads that look back matching "
        f"falls from {whole:.2f} to {left:.2f}",
        control=f"random pairs {baseline:.2f}, at most {random_pairs.max():.2f}; queries and "
        f"values {others:.2f}; without the heads that do not look back {kept:.2f}",
        verdict=verdict(through_keys > random_pairs.max(), left < whole / 2),
        limits="models whose stream carries positions, which could match by position instead",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **That large models work so.** These have no MLP, no norm, a vocabulary of a few hundred and
#   one task. What they teach is what the words mean and how the tests behave.
# - **That the phase change in large models is this one.** Here nothing but repetition can be
#   learned, so there is nothing else for the loss to fall by.
# - **That induction needs this mechanism.** Positions reach queries and keys only, as in the paper.
#   Where the stream carries them, a model can look up the position of the first copy and add one.
# - **How good skip-trigrams are as an account of English.** The text is small; a gain of a few per
#   cent over bigrams is all that we claim.
