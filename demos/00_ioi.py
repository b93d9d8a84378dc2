# %% [markdown]
# # Does a 135M model know who gets the drink?
#
# *When Mary and John went to the store, John gave a drink to* ... A reader goes on with **Mary**.
# John is named more often and more recently, yet he is the one who gives. Finding the other name,
# the indirect object (IO), rather than the subject (S), is called *indirect object
# identification*.
#
# **Question.** Does SmolLM2-135M-Instruct do it, and in which of its layers does the answer
# appear?
#
# **Source.** [Wang et al. 2022](https://arxiv.org/abs/2211.00593), section 2 for the task and its
# two measures, section 3.1 for where the answer is written. They studied GPT-2 small, which prefers
# IO to S in 99.3 % of their prompts, by 3.56 logits on average. This model is a different one:
# thirty layers instead of twelve, another tokenizer, tuned on instructions, and its weights rounded
# to four bits (Q4_1). Nothing says beforehand that it must agree.
#
# **Criterion.** We say that the model does the task if, over all fifteen templates of the paper in
# both orders of the names,
#
# 1. it prefers IO in more than 95 % of the prompts, and the mean logit difference is above 3;
# 2. its preference turns round when the other person acts in the last clause, in at least nine
#    pairs of ten;
# 3. a copy of it with random weights does neither: it is far from all three numbers.
#
# The prompts are drawn at random, so three other seeds must come to the same conclusions.
# Afterwards, [a quiz](../docs/quizzes/who-gets-the-drink.md) asks what the measures count and what
# the controls exclude.
#
# **Cost.** Two cores, 3 GB of memory, about a minute once the model is loaded.

# %%
import copy
import math

import torch

from demos import facts
from demos.figures import Series, bars, distribution, line
from demos.ledger import Claim, ledger, verdict
from demos.lens import kl_to_final, lens_logit_difference, read_logits, residual_stream
from demos.models import load_model
from demos.prompts import ORDERS, TEMPLATES, ioi_batches, ioi_sentences
from demos.seeds import base_seed
from demos.statistics import mean_interval, share_error, share_interval

model = load_model()
n_layers = model.cfg.n_layers
seed = base_seed()

# %% [markdown]
# ## The prompts
#
# A sentence is a template with two names, a place and an object. Each of these words is one token
# of this model, so that the two answers can be compared by one logit each; words that are not are
# left out. ABBA says the indirect object first (*Mary and John ... John*), BABA the subject
# (*John and Mary ... John*), so that "the first name" is not a rule that works.

# %%
sentences = ioi_sentences(model.tokenizer, per_template=10, seed=seed)
batches = ioi_batches(sentences, model.tokenizer)  # by length: nothing is padded
templates = torch.tensor([number for batch in batches for number in batch.template])
n = len(templates)

for template in range(len(TEMPLATES)):
    example = next(one for one in sentences if one.template == template)
    print(f"{template:2}  {example.text} ... {example.io}, not {example.s}")
print(f"\n{n} prompts of {batches[0].tokens.shape[1]} to {batches[-1].tokens.shape[1]} tokens")

# %% [markdown]
# ## How often, and by how much?
#
# The *logit difference* of a prompt is the logit of IO minus the logit of S after its last token.
# Above 0 the model prefers the right name. Accuracy is the share of prompts above 0. We keep the
# difference after every layer too, and come back to that.
#
# Predict first, and write down three guesses before you open what the next cell found:
#
# 1. The share of prompts in which the right name wins. A coin gives one half.
# 2. Does every template come out the same, or does the model fail at one of them? Look at the list
#    above and name it.
# 3. The layer after which the answer can be read, if the first is layer 0 and the last is
#    layer 29.
#
# The next cells answer them in this order.


# %%
def difference_by_layer(model, batches):
    """Logit difference at the last token, read after every layer: (layer + 1, prompt)."""
    read = [
        lens_logit_difference(model, residual_stream(model, batch.tokens), batch.io, batch.s)
        for batch in batches
    ]
    return torch.cat(read, dim=1)


clean = difference_by_layer(model, batches)
final = clean[-1]
right = final > 0
accuracy, mean = right.float().mean().item(), final.mean().item()

# %% tags=["predict"]
low, high = mean_interval(final)
facts.record(
    "ioi-accuracy",
    accuracy,
    tolerance=0.01,
    n=n,
    se=share_error(int(right.sum()), n),
    interval=share_interval(int(right.sum()), n),
    seed=seed,
    unit="share of prompts",
    claim="The model prefers the indirect object to the subject",
)
facts.record(
    "ioi-logit-difference",
    mean,
    tolerance=0.05,
    n=n,
    se=(final.std() / math.sqrt(n)).item(),
    interval=(low.item(), high.item()),
    seed=seed,
    unit="logits",
    claim="The model prefers the indirect object to the subject",
)
assert accuracy > 0.95
assert mean > 3

# %% [markdown]
# A preference between two names is not yet an answer: a third word may be likelier than both. In
# which share of the prompts is the right name the likeliest of all tokens? It is measured here and
# kept back, because [a quiz](../docs/quizzes/looking-inside-gpt.md) asks you to predict it.

# %%
likeliest = torch.cat(
    [
        read_logits(model, residual_stream(model, batch.tokens)[-1]).argmax(dim=-1) == batch.io
        for batch in batches
    ]
)
facts.record(
    "ioi-top-answer",
    likeliest.float().mean().item(),
    tolerance=0.02,
    n=n,
    interval=share_interval(int(likeliest.sum()), n),
    seed=seed,
    unit="share of prompts",
    claim="The indirect object is the likeliest of all tokens",
    sealed=True,
)
assert (right | ~likeliest).all()  # who is likelier than everyone is likelier than the subject

# %% [markdown]
# Errors and intervals speak of other names, places and objects in these fifteen templates. They do
# not speak of other templates, and the next figure says why that matters.
#
# ## No template hides in the mean

# %%
of_template = [right[templates == template] for template in range(len(TEMPLATES))]
hits = [int(won.sum()) for won in of_template]
sizes = [len(won) for won in of_template]
shares = [hit / size for hit, size in zip(hits, sizes, strict=True)]
bars(
    [f"template {template}" for template in range(len(TEMPLATES))],
    [
        Series(
            "accuracy",
            shares,
            [share_interval(hit, size) for hit, size in zip(hits, sizes, strict=True)],
        )
    ],
    title="Accuracy by template",
    x_title="accuracy (share of prompts that prefer IO)",
    y_title="template, as numbered above",
    reference=("a coin", 0.5),
    caption=f"{sizes[0]} prompts each, half of them in each order; 95 % Wilson intervals.",
)

# %% [markdown]
# The worst of fifteen is worst partly by bad luck. So we draw new prompts for it alone, and look at
# the two orders apart.

# %%
worst = min(range(len(TEMPLATES)), key=lambda template: shares[template])
facts.record("ioi-worst-template", worst, claim="One template is much worse than the others")
print(TEMPLATES[worst])

fresh_right = {}
for order in ORDERS:
    fresh = ioi_sentences(model.tokenizer, 30, seed + 100, templates=[worst], orders=[order])
    differences = difference_by_layer(model, ioi_batches(fresh, model.tokenizer))[-1]
    fresh_right[order] = int((differences > 0).sum())
    facts.record(
        f"ioi-worst-template-accuracy-{order.lower()}",
        fresh_right[order] / len(fresh),
        tolerance=0.07,
        n=len(fresh),
        interval=share_interval(fresh_right[order], len(fresh)),
        seed=seed + 100,
        unit="share of prompts",
        claim="The worst template fails in one order of the names",
    )
    print(f"{order}: mean logit difference {differences.mean():.2f}")

n_fresh = 2 * len(fresh)
worst_accuracy = sum(fresh_right.values()) / n_fresh
facts.record(
    "ioi-worst-template-accuracy",
    worst_accuracy,
    tolerance=0.05,
    n=n_fresh,
    interval=share_interval(sum(fresh_right.values()), n_fresh),
    seed=seed + 100,
    unit="share of prompts",
    claim="One template is much worse than the others",
)
elsewhere = (sum(hits) - hits[worst]) / (n - sizes[worst])
assert share_interval(sum(fresh_right.values()), n_fresh)[1] < elsewhere
assert share_interval(fresh_right["ABBA"], len(fresh))[0] < 0.5
assert share_interval(fresh_right["BABA"], len(fresh))[0] > 0.5

# %% [markdown]
# The pooled accuracy passes the criterion, and one template does not: with the giver named first
# it is right, with the giver named second it is no better than a coin. A mean over templates would
# have kept that to itself, and we do not know the reason.
#
# ## Control: let the other person act
#
# Does the model read *who gives*, or does it like one of the two names better? We change a single
# token, the name in the last clause. Places, objects and the first two names stay, and the right
# answer is now the other name. We go on measuring the same difference, first prompt's IO minus
# first prompt's S, so a model that reads the clause must change sign.

# %%
swapped = -difference_by_layer(model, [batch.swapped() for batch in batches])
flipped = int((right & (swapped[-1] < 0)).sum())
flips = flipped / n
print(batches[0].text[0])
print(batches[0].swapped().text[0])
facts.record(
    "ioi-swap-flips",
    flips,
    tolerance=0.02,
    n=n,
    se=share_error(flipped, n),
    interval=share_interval(flipped, n),
    seed=seed,
    unit="share of pairs with both prompts right",
    claim="The preference follows who acts in the last clause",
)
assert flips > 0.9
assert swapped[-1].mean() < -3

distribution(
    {"as written": final.tolist(), "the other person acts": swapped[-1].tolist()},
    title="One token turns the preference round",
    x_title="logit of the first prompt's IO minus S (logits)",
    y_title="prompts",
    caption="The same prompts twice; only the name in the last clause differs.",
)

# %% [markdown]
# ## Control: the same architecture without what it learned
#
# Every weight matrix is drawn anew from a normal distribution with the mean and spread that it had.
# The layers, the tokens and our code stay. If the numbers above came from the prompts or from a
# slip in the code, they would come again. One draw of weights need not be indifferent to the two
# names, one of which stands in the prompt twice; but it has no reason to follow who acts.

# %%
random_model = copy.deepcopy(model)
generator = torch.Generator().manual_seed(seed)
with torch.no_grad():
    for weights in random_model.parameters():
        if weights.ndim > 1:
            weights.normal_(weights.mean().item(), weights.std().item(), generator=generator)

some = [one for index, one in enumerate(sentences) if index % 10 < 4]  # of each template and order
some_batches = ioi_batches(some, model.tokenizer)
unlearned = difference_by_layer(random_model, some_batches)
unlearned_swapped = -difference_by_layer(random_model, [one.swapped() for one in some_batches])
n_some, unlearned_hits = len(some), int((unlearned[-1] > 0).sum())
unlearned_flips = int(((unlearned[-1] > 0) & (unlearned_swapped[-1] < 0)).sum())
unlearned_low, unlearned_high = mean_interval(unlearned[-1])
facts.record(
    "ioi-accuracy-random-weights",
    unlearned_hits / n_some,
    tolerance=0.06,
    n=n_some,
    interval=share_interval(unlearned_hits, n_some),
    seed=seed,
    unit="share of prompts",
    claim="Random weights do not prefer the indirect object",
)
facts.record(
    "ioi-logit-difference-random-weights",
    unlearned[-1].mean().item(),
    tolerance=0.2,
    n=n_some,
    interval=(unlearned_low.item(), unlearned_high.item()),
    seed=seed,
    unit="logits",
    claim="Random weights do not prefer the indirect object",
)
facts.record(
    "ioi-swap-flips-random-weights",
    unlearned_flips / n_some,
    tolerance=0.06,
    n=n_some,
    interval=share_interval(unlearned_flips, n_some),
    seed=seed,
    unit="share of pairs with both prompts right",
    claim="Random weights do not follow who acts in the last clause",
)
# The whole interval lies on the other side of the criterion.
assert share_interval(unlearned_hits, n_some)[1] < 0.95
assert unlearned_high < 3
assert share_interval(unlearned_flips, n_some)[1] < 0.9

# %% [markdown]
# ## After which layer is the answer there?
#
# The *logit lens* ([nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru)) reads
# the residual stream after a layer as if it were the last: final norm, then unembedding. After the
# last layer it is the model's own answer, norm applied once. Before the first it sees only the
# token *to*, which is the same in both prompts, so there the two lines must meet exactly.
#
# We say that the answer is there from the layer on from which both lines stay on their right side:
# as written above 0, with the other person acting below 0, each with its whole interval. One line
# alone would not do. Where the unembedding happens to like the drawn names, it is above 0 for
# either actor.

# %%
layers = list(range(-1, n_layers))


def over_layers(label, differences):
    low, high = mean_interval(differences)
    intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    return Series(label, differences.mean(dim=-1).tolist(), intervals)


line(
    layers,
    [
        over_layers("as written", clean),
        over_layers("the other person acts", swapped),
        over_layers("random weights, as written", unlearned),
    ],
    title="The logit lens at the last token",
    x_title="layer just passed, from 0 (-1: embedding)",
    y_title="logit of the first prompt's IO minus S, mean (logits)",
    caption="Bands are 95 % bootstrap intervals over prompts.",
)

# %%
names_io, names_other = mean_interval(clean)[0] > 0, mean_interval(swapped)[1] < 0
both_right = (names_io & names_other).tolist()
first_layer = layers[len(layers) - both_right[::-1].index(False)]
facts.record(
    "ioi-lens-first-layer",
    first_layer,
    n=n,
    seed=seed,
    claim="From this layer on, counted from 0, the lens names the right person whoever acts",
)
decided = layers.index(first_layer)
torch.testing.assert_close(clean[0], swapped[0])
assert first_layer > n_layers / 2

gap = (clean - swapped).mean(dim=-1)
largest_before = gap[:decided].abs().max()
print(f"gap between the lines before layer {first_layer}: {largest_before:.2f} logits at most")
print(f"gap just after layer {first_layer}: {gap[decided]:.2f} logits")
assert gap[decided] > 10 * largest_before

# %% [markdown]
# Until then the lens shows a preference that does not depend on who acts: the two lines lie on each
# other, and what is left is how much the unembedding likes one name more than the other. Then one
# layer pulls them apart.
#
# ## How far to trust the lens
#
# A lens that speaks for the model should say nearly what the model says. We compare its
# distribution over all next tokens with the final one, on one prompt for each template and order.

# %%
sample = ioi_batches(ioi_sentences(model.tokenizer, per_template=1, seed=seed), model.tokenizer)
lens = torch.cat(
    [read_logits(model, residual_stream(model, batch.tokens)) for batch in sample], dim=1
)
kl = kl_to_final(lens)
# What knowing nothing costs: every token equally likely.
uniform = kl_to_final(torch.stack([torch.zeros_like(lens[-1]), lens[-1]]))[0].mean().item()
middle = kl[1:decided].mean().item()
facts.record(
    "ioi-lens-kl-before",
    middle,
    tolerance=0.5,
    n=kl.shape[1],
    seed=seed,
    unit="nats",
    claim="Before the answer appears, the raw lens says something else than the model will",
)
assert kl[1:decided].mean(dim=-1).min() > uniform
assert kl[-1].abs().max() < 1e-4
line(
    layers,
    [over_layers("raw logit lens", kl), Series("a uniform guess", [uniform] * len(layers))],
    title="The raw lens misreads this model until late",
    x_title="layer just passed, from 0 (-1: embedding)",
    y_title="KL(model's answer || lens), mean (nats)",
    caption="0 is agreement. Bands are 95 % bootstrap intervals over prompts.",
)

# %% [markdown]
# Before the two lines part, the raw lens is further from the model's answer than a guess that knows
# nothing. So its silence up to there proves little: the name may be present in a form that this
# lens cannot read. That it *can* be read afterwards is the safer half of the finding.
#
# ## Claim ledger

# %%
ledger(
    Claim(
        says="GPT-2 small prefers IO to S in 99.3 % of the prompts",
        source="Wang et al. 2022, section 2",
        found=f"{accuracy:.1%} of {n} prompts",
        control=f"random weights {unlearned_hits / n_some:.0%}; the preference follows who acts in "
        f"{flips:.1%} of the pairs, with random weights in {unlearned_flips / n_some:.0%}",
        verdict=verdict(accuracy > 0.95, flips > 0.9),
        limits="another model than theirs; a third word may be likelier than both names",
    ),
    Claim(
        says="Its mean logit difference is 3.56",
        source="Wang et al. 2022, section 2",
        found=f"{mean:.2f} logits ({low:.2f} to {high:.2f})",
        control=f"random weights {unlearned[-1].mean():.2f}; the other person acts "
        f"{swapped[-1].mean():.2f}",
        verdict=verdict(mean > 3, swapped[-1].mean() < -3),
        limits="a logit is no unit that two models share, so equal sizes would mean little",
    ),
    Claim(
        says="Every template behaves as the mean does",
        source="our own check of the pooled number",
        found=f"template {worst}: {worst_accuracy:.0%} of {n_fresh} new prompts, ABBA "
        f"{fresh_right['ABBA']} and BABA {fresh_right['BABA']} of {len(fresh)}",
        control=f"all other templates {elsewhere:.1%}",
        verdict=verdict(share_interval(sum(fresh_right.values()), n_fresh)[1] >= elsewhere),
        limits="why this template fails in one order of the names",
    ),
    Claim(
        says="The answer is written late, by heads in layers 9 and 10 of 12",
        source="Wang et al. 2022, section 3.1",
        found=f"the lens names the right person from layer {first_layer} (of 0 to {n_layers - 1}) "
        "on, whoever acts",
        control=f"gap to the other person {largest_before:.2f} logits at most before, "
        f"{gap[decided]:.1f} after",
        # Late is one half of the sentence; which heads do it is the other, and not measured here.
        verdict=verdict(first_layer > n_layers / 2, False),
        limits="which heads write it; the raw lens misreads the layers before",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **Which parts of the model do it.** The lens reads the sum of all that was written. To name
#   heads one has to take them out, or put in what they do on another prompt.
# - **How likely the right name is.** The logit difference compares two names; when a third word is
#   likelier than both, it does not notice.
# - **That nothing happens in the earlier layers.** The raw lens misreads them, as measured above.
# - **The size of the jump.** The lens leaves out what the later layers still do, so its height just
#   after the jump is not a logit difference that the model ever acts on.
# - **Other wordings.** The errors are over names, places and objects in fifteen templates, and one
#   of the fifteen already behaves differently.
