# %% [markdown]
# # What happens between the tokens and the next word?
#
# The notes of the group's first meeting on GPT list six *things we missed last time*: positional
# encoding, the projection FF layer, layer norm, residuals and residual streams, multi head, and
# "the 12,288 giving space for calculations". Each of them is a few lines of code. Here are the
# lines, and for each item a measurement that would come out otherwise if we still missed it.
#
# **Question.** Can we compute the model's next-token scores from its raw weights, and what does
# each of the six items do?
#
# **Source.** [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762) for the parts,
# [Su et al. 2021](https://arxiv.org/abs/2104.09864), section 3, for rotary positions,
# [Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467), section 4, for the norm,
# [Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html), "High-Level
# Architecture", for the stream and the sum over heads, and
# [Brown et al. 2020](https://arxiv.org/abs/2005.14165), Table 2.1, for the 12,288.
#
# **Criterion.**
#
# 1. Our logits differ from the library's by less than 0.001 at every position and for every token.
# 2. Without positions and without the mask, shuffling the input shuffles the output and does
#    nothing else; with rotary positions it does more. Moving the whole text along changes nothing
#    for rotary positions and spoils learned ones.
# 3. RMSNorm ignores the scale of its input but not a shift; LayerNorm ignores both.
# 4. Embedding and all writes of attention and feed-forward layers add up to the final stream, to
#    within a relative error of 0.00001; each attention write is the sum of its heads' writes.
# 5. GPT-3's configuration gives 175 billion parameters to within 1 %, and random directions in
#    12,288 dimensions are as nearly perpendicular as the formula says, in 576 too.
#
# **Cost.** One core, 2 GB of memory, about a minute.

# %%
import math
from dataclasses import replace
from inspect import getsource
from textwrap import dedent

import torch
from IPython.display import Markdown
from torch import nn
from torch.nn import functional

from demos import facts
from demos.directions import (
    directions_within,
    expected_largest_cosine,
    largest_cosine,
    random_directions,
    recovered_share,
)
from demos.figures import Series, bars, heatmap, line
from demos.forward import GPT, Attention, Block, FeedForward, GPTConfig, Norm, rotate
from demos.ledger import Claim, ledger, verdict
from demos.models import load_model
from demos.seeds import base_seed
from demos.statistics import mean_interval, share_interval
from demos.texts import english_tokens

model = load_model()
seed = base_seed()
layers = range(model.cfg.n_layers)
random = torch.Generator().manual_seed(seed)

# %% [markdown]
# ## The whole model
#
# A block reads the stream twice and adds to it twice. That is all that a block does, and the model
# is an embedding, a row of blocks, a last norm and a matrix.


# %%
def show(*parts):
    """The source of these parts, as it is run below."""
    return Markdown(
        "\n".join(f"```python\n{dedent(getsource(part)).strip()}\n```" for part in parts)
    )


show(GPT.forward, Block)

# %% [markdown]
# The parts. Attention is where positions exchange something; each head has its own queries, keys
# and values. The feed-forward layer goes out to a wider layer and is projected back, for each
# position by itself. In front of both stands a norm.

# %%
show(Attention, FeedForward, Norm, rotate)

# %% [markdown]
# GPT-2 and the model here are two settings of this code. GPT-2 has learned positions, LayerNorm, a
# plain feed-forward layer and biases. SmolLM2 is a Llama: rotary positions, RMSNorm, a gated
# feed-forward layer, no biases. Its nine query heads share three key and value heads; we load it
# with each of these repeated three times, which is the same function.

# %%
gpt = GPT.from_bridge(model)
gpt.config

# %% [markdown]
# ## Does it compute what the model computes?
#
# Six passages from English that the model's makers did not write for us, cut at random places. Ours
# and the library's logits are compared at every position, for every token of the vocabulary. So
# that this is not a test that anything passes, we also compute it with one small slip each.

# %%
text = english_tokens(model.tokenizer, "held-out")
n_passages, length = 6, 40
starts = torch.randint(len(text) - length, (n_passages,), generator=random)
passages = torch.stack([text[start : start + length] for start in starts])

with torch.no_grad():
    expected = model(passages)
    logits = gpt(passages)
largest_error = (logits - expected).abs().max().item()
print(f"largest difference of {logits.numel():,} logits: {largest_error:.1e}")

slips = {
    "the mask forgotten": {"causal": False},
    "LayerNorm for RMSNorm": {"norm": "LN" if gpt.config.norm == "RMS" else "RMS"},
    "no positions": {"positions": "none"},
    "rotary base not read": {"rotary_base": 10 * gpt.config.rotary_base},
    "epsilon a thousandfold": {"eps": 1000 * gpt.config.eps},
}
slipped = {}
for slip, changes in slips.items():
    with torch.no_grad():
        slipped[slip] = GPT.from_bridge(model, **changes)(passages)
    print(f"{slip}: {(slipped[slip] - expected).abs().max():.1e}")

facts.record(
    "forward-logits-agree",
    largest_error < 1e-3,
    n=logits.numel(),
    seed=seed,
    claim="Logits rebuilt from raw weights differ from the library's by less than 0.001",
)
assert largest_error < 1e-3
smallest_slip = min((wrong - expected).abs().max().item() for wrong in slipped.values())
assert smallest_slip > 0.1

# %% [markdown]
# ## What is lost with each part?
#
# Now we take one part out at a time and ask how well what remains predicts the passages. The
# measure is the loss, the mean of minus the log of the probability that the next token got. Two
# things to hold it against: every token equally likely, and a table of how often each token occurs
# in other text of the same kind, which knows nothing of what came before.
#
# **Predict first.** Write down your guesses before you open the next output.
#
# 1. One of these hurts hardly at all: no positions, LayerNorm in RMSNorm's place, one head in nine,
#    no feed-forward layers. Which?
# 2. Which of them are worse than guessing among all tokens alike? Can a model with less in it be
#    worse than knowing nothing?
# 3. Lift the mask, so that each position sees the later ones too. Does the loss rise or fall?


# %%
class Nothing(nn.Module):
    """In place of an attention or feed-forward layer: adds nothing to the stream."""

    def forward(self, x, *_):
        return torch.zeros_like(x)


class WithoutResidual(Block):
    """Each layer's result replaces the stream instead of being added to it."""

    def forward(self, x, positions):
        return self.mlp(self.ln2(self.attn(self.ln1(x), positions)))


class OnlyGains(nn.Module):
    """In place of a norm: its learned gain, and no common scale."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, x):
        return x * self.norm.weight + self.norm.bias


def changed(change):
    """The model with `change` made in every block."""
    gpt = GPT.from_bridge(model)
    for block in gpt.blocks:
        change(block)
    return gpt


def remove_attention(block):
    block.attn = Nothing()


def remove_feed_forward(block):
    block.mlp = Nothing()


def keep_one_head(block):
    head = torch.randint(gpt.config.n_heads, (), generator=random)
    others = torch.arange(gpt.config.n_heads) != head
    block.attn.W_O = nn.Parameter(block.attn.W_O.masked_fill(others[:, None, None], 0.0), False)


def remove_residual(block):
    block.__class__ = WithoutResidual


def remove_norms(block):
    block.ln1, block.ln2 = OnlyGains(block.ln1), OnlyGains(block.ln2)


def losses(logits):
    """Loss in nats for each passage, mean over its tokens."""
    scores = logits[:, :-1].flatten(0, 1)
    return (
        functional.cross_entropy(scores, passages[:, 1:].flatten(), reduction="none")
        .view(n_passages, -1)
        .mean(dim=-1)
    )


counts = torch.bincount(english_tokens(model.tokenizer, "fit"), minlength=gpt.config.d_vocab) + 1.0
lost = {
    "complete": losses(expected),
    "token frequencies": losses(counts.log().expand_as(expected)),
    "other norm": losses(slipped["LayerNorm for RMSNorm"]),
    "no positions": losses(slipped["no positions"]),
}
for name, change in {
    "one head a layer": keep_one_head,
    "no attention": remove_attention,
    "no residual": remove_residual,
    "no feed-forward": remove_feed_forward,
}.items():
    with torch.no_grad():
        lost[name] = losses(changed(change)(passages))
lost["no mask"] = losses(slipped["the mask forgotten"])

# %% tags=["predict"]
uniform = math.log(gpt.config.d_vocab)


def intervals(samples):
    ends = [mean_interval(sample) for sample in samples]
    return [(low.item(), high.item()) for low, high in ends]


bars(
    list(lost),
    [Series("loss", [one.mean().item() for one in lost.values()], intervals(lost.values()))],
    title="What the model loses without each part",
    x_title="loss (nats per token)",
    y_title="what is left out",
    reference=("every token alike", uniform),
    caption=f"{n_passages} passages of {length} tokens; 95 % bootstrap intervals over passages.",
)

# %%
loss = {name: one.mean().item() for name, one in lost.items()}
for name in ("complete", "other norm", "no positions", "no attention", "no feed-forward"):
    facts.record(
        f"forward-loss-{name.replace(' ', '-')}",
        loss[name],
        tolerance=0.05,
        n=n_passages,
        seed=seed,
        unit="nats per token",
        claim="Which parts the trained model cannot do without",
    )
assert loss["complete"] < loss["token frequencies"] < uniform
assert loss["other norm"] - loss["complete"] < 0.1 * (loss["no positions"] - loss["complete"])
assert loss["no positions"] > loss["complete"] + 1
assert loss["one head a layer"] > loss["token frequencies"]
assert min(loss["no residual"], loss["no feed-forward"]) > uniform
assert loss["no mask"] < loss["complete"]

with torch.no_grad():
    unnormed = changed(remove_norms)
    positions = torch.arange(length)
    stream, overflow = unnormed.embed(passages, positions), None
    for layer, block in enumerate(unnormed.blocks):
        stream = block(stream, positions)
        if overflow is None and not stream.isfinite().all():
            overflow = layer
print(f"without norms the stream is no longer finite after layer {overflow}")
assert overflow is not None

# %% [markdown]
# Without its feed-forward layers or its residual connections the model is worse than a guess that
# treats all tokens alike: it is wrong with confidence. Without norms there is no number to report.
# Lifting the mask *lowers* the loss, since the answer then stands in view; a loss says something
# only if the model could not look. And these numbers speak of this trained model. One that had been
# trained without a part would have learned to do without.
#
# ## Positional encoding
#
# Attention compares contents; nothing in it knows which token came first. Rotary encoding turns
# queries and keys by an angle that grows with the position, so that their product depends on the
# distance. We compare what shuffling does, in three models that differ in nothing else.


# %%
def shuffled_output(gpt, tokens, order):
    """How far the outputs at shuffled inputs are from the shuffled outputs: largest logit gap."""
    with torch.no_grad():
        return (gpt(tokens[:, order]) - gpt(tokens)[:, order]).abs().max().item()


few = passages[:2]
order = torch.randperm(length, generator=random)
equivariance = {
    "no positions, no mask": GPT.from_bridge(model, positions="none", causal=False),
    "positions, no mask": GPT.from_bridge(model, causal=False),
    "no positions, mask": GPT.from_bridge(model, positions="none"),
}
gap = {name: shuffled_output(one, few, order) for name, one in equivariance.items()}
for name, value in gap.items():
    print(f"{name}: {value:.1e} logits")
assert gap["no positions, no mask"] < 1e-2
assert min(gap["positions, no mask"], gap["no positions, mask"]) > 1

# %% [markdown]
# Without positions and mask the model is blind to order. The mask alone brings some order back: the
# tenth token sees ten, the third sees three. In *one* layer that is not enough to tell the earlier
# ones apart, as the last token's first attention layer shows when only those are shuffled.

# %%
earlier = torch.cat([torch.randperm(length - 1, generator=random), torch.tensor([length - 1])])


def last_attention_write(gpt, tokens):
    """What the first attention layer writes at the last position."""
    positions = torch.arange(tokens.shape[1])
    block = gpt.blocks[0]
    with torch.no_grad():
        return block.attn(block.ln1(gpt.embed(tokens, positions)), positions)[:, -1]


change = {}
for name, one in {"no positions": equivariance["no positions, mask"], "positions": gpt}.items():
    before, after = (last_attention_write(one, tokens) for tokens in (few, few[:, earlier]))
    change[name] = ((after - before).norm() / before.norm()).item()
    print(f"{name}: the write changes by {change[name]:.1e} of its length")
assert change["no positions"] < 1e-4
assert change["positions"] > 0.01

# %% [markdown]
# ### Learned positions, in a small LayerNorm model
#
# GPT-2 adds a learned vector for each position to the embedding. To see what both kinds of code can
# and cannot do we train the same small GPT (LayerNorm, biases) four times on one task: name the
# token *before* the present one. A sequence is sixteen different tokens in random order, so a model
# that knows which tokens came before, but not their order, can at best pick one of them: at the
# t-th position it is right once in t.

# %%
small = GPTConfig(n_layers=1, n_heads=2, d_model=32, d_head=16, d_mlp=64, d_vocab=24, n_ctx=32)
short = 16


def random_orders(n, generator):
    return torch.rand(n, small.d_vocab, generator=generator).argsort(dim=-1)[:, :short]


def train(config, steps=400):
    """A GPT that learned to say at each token which one stood before it."""
    torch.manual_seed(seed)
    gpt, draws = GPT(config), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(gpt.parameters(), lr=5e-3)
    for _ in range(steps):
        tokens = random_orders(32, draws)
        loss = functional.cross_entropy(gpt(tokens)[:, 1:].flatten(0, 1), tokens[:, :-1].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return gpt.eval()


trained = {
    "learned": train(small),
    "rotary": train(replace(small, positions="rotary")),
    "none": train(replace(small, positions="none")),
    "none, two layers": train(replace(small, positions="none", n_layers=2)),
}

# %% tags=["predict"]
unseen = random_orders(256, torch.Generator().manual_seed(seed + 1000))
moved = 8


def hits(gpt, first_position):
    with torch.no_grad():
        named = gpt(unseen, first_position)[:, 1:].argmax(dim=-1)
    return int((named == unseen[:, :-1]).sum())


n_named = unseen[:, 1:].numel()
told = {"as in training": 0, f"told that it begins {moved} later": moved}
right = {label: [hits(one, first) for one in trained.values()] for label, first in told.items()}
blind = sum(1 / t for t in range(1, short)) / (short - 1)
bars(
    list(trained),
    [
        Series(label, [n / n_named for n in ns], [share_interval(n, n_named) for n in ns])
        for label, ns in right.items()
    ],
    title="Which token stood before this one?",
    x_title="accuracy (share of tokens)",
    y_title="position code of a one-layer model",
    reference=("best without order", blind),
    caption=f"{n_named} tokens in new sequences; 95 % Wilson intervals.",
)

# %%
accuracy = {
    (code, first): right[label][n] / n_named
    for label, first in told.items()
    for n, code in enumerate(trained)
}
for code, first in [("none", 0), ("none, two layers", 0), ("learned", moved), ("rotary", moved)]:
    name = code.replace(",", "").replace(" ", "-") + ("-moved" if first else "")
    facts.record(
        f"forward-previous-token-{name}",
        accuracy[code, first],
        tolerance=0.05,
        n=n_named,
        interval=share_interval(round(accuracy[code, first] * n_named), n_named),
        seed=seed,
        unit="share of tokens",
        claim="What a small model can know of order with each position code",
    )
facts.record("forward-order-blind-bound", blind, tolerance=1e-6, unit="share of tokens")
assert min(accuracy["learned", 0], accuracy["rotary", 0], accuracy["rotary", moved]) > 0.99
assert accuracy["learned", moved] < 0.75
assert accuracy["none", 0] < blind + 0.03
assert accuracy["none, two layers", 0] > 0.9

# %% [markdown]
# Learned positions say nothing about places where no text stood in training; rotary ones only know
# distances, and those have not changed. And a model without any position code learns the task if it
# has a second layer: through the mask its first layer can tell how many tokens lie before. Position
# has to be *possible*, not written down.
#
# The same holds for the real model: told that its text begins elsewhere, it says the same.

# %%
far = min(1000, gpt.config.n_ctx - few.shape[1])  # learned positions come to an end
with torch.no_grad():
    shift = (gpt(few, first_position=far) - gpt(few)).abs().max().item()
print(f"moved by {far} positions, no logit changes by more than {shift:.1e}")
assert shift < 0.05

# %% [markdown]
# ## The feed-forward layer and its projection
#
# The first matrix compares the normed stream with one direction a neuron, the last projects back:
# neuron i adds row i of `W_out`, as often as it fires. So the write of a layer is a sum of as many
# fixed vectors as it has neurons. We add them up, in the library's own activations, and look at
# whether a position feels what its neighbours hold.

# %%
names = [f"blocks.{layer}.{hook}" for layer in layers for hook in ("mlp.hook_in", "hook_mlp_out")]
with torch.no_grad():
    _, cache = model.run_with_cache(few, return_type=None, names_filter=names)


def relative(difference, whole):
    return (difference.norm() / whole.norm()).item()


sum_error, wrong_rows = 0.0, math.inf
for layer in layers:
    mlp, read = gpt.blocks[layer].mlp, cache[f"blocks.{layer}.mlp.hook_in"]
    written = cache[f"blocks.{layer}.hook_mlp_out"]
    with torch.no_grad():
        fired = mlp.neurons(read)
        neuron_by_neuron = torch.zeros_like(written)
        for part in torch.arange(gpt.config.d_mlp).split(256):
            neuron_by_neuron += fired[..., part] @ mlp.W_out[part]
        rolled = fired @ mlp.W_out.roll(1, dims=0) + mlp.b_out
    sum_error = max(sum_error, relative(neuron_by_neuron + mlp.b_out - written, written))
    wrong_rows = min(wrong_rows, relative(rolled - written, written))
print(f"sum over neurons: relative error {sum_error:.1e}; with the rows mixed up {wrong_rows:.2f}")
assert sum_error < 1e-4
assert wrong_rows > 0.5

disturbed = read.clone()
disturbed[:, 0] = torch.randn(disturbed[:, 0].shape, generator=random)
with torch.no_grad():
    felt = (mlp(disturbed) - mlp(read)).abs().amax(dim=(0, 2))
assert felt[0] > 1e-2
assert felt[1:].max() < 1e-4  # no other position notices

block = model.blocks[0]
in_layer = sum(weight.numel() for weight in block.mlp.parameters())
share = in_layer / (in_layer + 4 * gpt.config.d_model * gpt.config.n_heads * gpt.config.d_head)
facts.record(
    "forward-feed-forward-share",
    share,
    tolerance=0.001,
    unit="share of a block's weights",
    claim="Feed-forward layers hold two thirds of a block's weights",
)
print(f"{gpt.config.d_model} -> {gpt.config.d_mlp} -> {gpt.config.d_model}, {share:.1%} of a block")
assert abs(share - 2 / 3) < 0.01

# %% [markdown]
# Two thirds, as in GPT-2, with each key and value head counted as often as it is used; the nine
# heads of this model share three, so that in its file the share is larger. (The note may also mean
# the projection `W_O` after the heads. It is in the code above too, and comes back below.)
#
# ## LayerNorm and RMSNorm
#
# What does a norm not see? We change the stream that the last norm reads, vector by vector: seven
# times as long, and with the same number added to all entries.

# %%
from demos.lens import residual_stream

stream = residual_stream(model, passages, positions=list(range(length)))  # (layer + 1, ...)
vectors = stream[-1].flatten(0, 1)
vectors = vectors / vectors.pow(2).mean(dim=-1, keepdim=True).sqrt()  # epsilon is small beside 1
changes = {"seven times as long": 7 * vectors, "1 added to each entry": vectors + 1}
ignored = {}
for kind in ("RMS", "LN"):
    norm = Norm(replace(gpt.config, norm=kind)).requires_grad_(False)
    norm.weight.copy_(gpt.ln_final.weight)
    for name, changed_vectors in changes.items():
        ignored[kind, name] = relative(norm(changed_vectors) - norm(vectors), norm(vectors))
        print(f"{kind:3} {name}: output changes by {ignored[kind, name]:.1e} of its length")
assert ignored["RMS", "seven times as long"] < 1e-4
assert ignored["LN", "seven times as long"] < 1e-4
assert ignored["LN", "1 added to each entry"] < 1e-4
assert ignored["RMS", "1 added to each entry"] > 0.1

# %% [markdown]
# Why a norm at all? Because the stream grows. Here is its root mean square after each layer; the
# first token is shown by itself, because this model parks a huge vector there.

# %%
size = stream.pow(2).mean(dim=-1).sqrt()  # (layer + 1, passage, position)
after = list(range(-1, model.cfg.n_layers))
line(
    after,
    [
        Series("first token", size[:, :, 0].mean(dim=-1).tolist()),
        Series("all others", size[:, :, 1:].flatten(1).mean(dim=-1).tolist()),
    ],
    title="The residual stream grows",
    x_title="layer just passed, from 0 (-1: embedding)",
    y_title="root mean square, mean",
    log_y=True,
    caption="What every norm divides by. Equal distances are equal factors.",
)

# %%
growth = (size[-1, :, 1:].mean() / size[0, :, 1:].mean()).item()
peak = (size[:, :, 0].mean(dim=-1) / size[:, :, 1:].flatten(1).mean(dim=-1)).max().item()
facts.record(
    "forward-stream-growth",
    growth,
    tolerance=max(1.0, 0.05 * growth),
    n=n_passages * (length - 1),
    seed=seed,
    unit="times",
    claim="The residual stream grows from the embedding to the last layer",
)
print(f"at its peak the first token's vector is {peak:.0f} times as long as the others'")
assert growth > 3
assert peak > 10

# %% [markdown]
# ## The residual stream is a sum
#
# Every layer adds, none overwrites. If so, embedding and writes must add up to what the last norm
# reads. We take all of them from the library's hooks, add them in an order of our own, and leave
# one out as a control.

# %%
hooks = ["hook_attn_out", "hook_mlp_out"]
names = ["blocks.0.hook_resid_pre"]
names += [f"blocks.{layer}.{hook}" for layer in layers for hook in hooks]
last = f"blocks.{layers[-1]}.hook_resid_post"
heads_read = [f"blocks.{layer}.attn.hook_z" for layer in layers]
with torch.no_grad():
    _, cache = model.run_with_cache(
        passages, return_type=None, names_filter=[*names, *heads_read, last]
    )
writes = torch.stack([cache[name] for name in names])  # (1 + 2 * layers, passage, position, width)
final = cache[last]

total = writes[torch.randperm(len(writes), generator=random)].sum(dim=0)
stream_error = relative(total - final, final)
# Position by position, or the huge first vector would hide all the others.
by_position = ((total - final).norm(dim=-1) / final.norm(dim=-1)).max().item()
missing = (writes.norm(dim=-1) / final.norm(dim=-1)).mean(dim=(1, 2)).min().item()
print(f"{len(writes)} writes, relative error {stream_error:.1e}, at worst {by_position:.1e}")
print(f"without the smallest write: {missing:.1e}")
facts.record(
    "forward-writes",
    len(writes),
    claim="The final stream is the sum of this many writes, the embedding among them",
)
facts.record("forward-stream-is-a-sum", stream_error < 1e-5, n=final[..., 0].numel(), seed=seed)
assert stream_error < 1e-5
assert missing > 1e-3

# %%
length_of = writes[:, :, 1:].norm(dim=-1).flatten(1).mean(dim=-1)
line(
    list(layers),
    [
        Series("attention", length_of[1::2].tolist()),
        Series("feed-forward", length_of[2::2].tolist()),
    ],
    title="How much each layer adds",
    x_title="layer, from 0",
    y_title="length of the write, mean",
    caption=(
        f"The embedding itself has length {length_of[0]:.1f}. First tokens are left out; writes of "
        "opposite direction cancel, so lengths do not add up."
    ),
)

# %% [markdown]
# ## Multi-head attention is a sum over heads
#
# A library concatenates the heads and multiplies by one matrix. Cut that matrix into one block of
# rows a head, and the product is a sum: each head writes into the stream by itself, and none needs
# to know of the others. As a control, every head writes with its neighbour's matrix.

# %%
head_error, swapped_error, head_size = 0.0, math.inf, []
for layer in layers:
    z = cache[f"blocks.{layer}.attn.hook_z"]  # (passage, position, head, d_head)
    attn = gpt.blocks[layer].attn
    head_writes = torch.einsum("bphd,hdm->hbpm", z, attn.W_O)
    neighbours = torch.einsum("bphd,hdm->bpm", z, attn.W_O.roll(1, dims=0)) + attn.b_O
    written = cache[f"blocks.{layer}.hook_attn_out"]
    head_error = max(head_error, relative(head_writes.sum(dim=0) + attn.b_O - written, written))
    swapped_error = min(swapped_error, relative(neighbours - written, written))
    head_size.append(head_writes[:, :, 1:].norm(dim=-1).mean(dim=(1, 2)).tolist())
print(f"sum over heads: {head_error:.1e}; with the neighbour's matrix {swapped_error:.2f}")
facts.record("forward-attention-is-a-sum", head_error < 1e-4, n=len(layers), seed=seed)
assert head_error < 1e-4
assert swapped_error > 0.2
heatmap(
    head_size,
    row_labels=[str(layer) for layer in layers],
    column_labels=[str(head) for head in range(model.cfg.n_heads)],
    title="How much each head writes",
    x_title="head",
    y_title="layer",
    value_title="length of the write, mean",
    caption="Mean over passages and positions, first tokens left out.",
)

# %% [markdown]
# ## Why 12,288 dimensions give room
#
# "The 12,288" is the width of GPT-3's stream: 96 heads of 128. First, is it the right number? The
# configuration of Table 2.1 must give the 175 billion parameters of the paper's title page. We
# count by hand, and let transformers build a GPT-2 of this size, without memory for its weights.

# %%
width, n_blocks, vocabulary, context = 12_288, 96, 50_257, 2_048
per_block = {
    "attention": 4 * width * width + 4 * width,
    "feed-forward": 2 * width * 4 * width + 5 * width,
    "two norms": 4 * width,
}
by_hand = n_blocks * sum(per_block.values()) + (vocabulary + context) * width + 2 * width
for part, number in per_block.items():
    print(f"{part}: {n_blocks * number / 1e9:.3f} billion")
print(f"token embeddings, shared with the output: {vocabulary * width / 1e9:.3f} billion")

from transformers import GPT2Config, GPT2LMHeadModel

with torch.device("meta"):
    gpt3 = GPT2LMHeadModel(
        GPT2Config(
            n_embd=width, n_layer=n_blocks, n_head=96, vocab_size=vocabulary, n_positions=context
        )
    )
built = sum(weight.numel() for weight in gpt3.parameters())
narrow = by_hand - n_blocks * per_block["feed-forward"] * 3 // 4  # a projection of width d, not 4d
facts.record(
    "forward-gpt3-parameters",
    by_hand / 1e9,
    tolerance=0.001,
    unit="billion parameters",
    claim="GPT-3's configuration gives 175 billion parameters",
)
assert by_hand == built
assert abs(by_hand / 175e9 - 1) < 0.01
assert abs(narrow / 175e9 - 1) > 0.2

# %% [markdown]
# Room for what? Not for 12,288 things: for many more, if they need not be exactly perpendicular.
# Two random directions in a wide space nearly are. The largest cosine among many of them should be
# about the square root of 2 ln(n²/2) / width. Solved for n, this says how many can be drawn *at
# random* until the cosine of some two reaches 0.1. Chosen with care there are always more, as many
# perpendicular ones as dimensions to begin with; but in a wide space luck will do. Real embeddings
# of this model stand beside it as a reminder that learned vectors are not random.

# %%
n_directions = 2048
widths = [model.cfg.d_model, width]
directions = {d: random_directions(n_directions, d, random) for d in widths}
cosine = {}
for d in widths:
    cosine[d] = largest_cosine(directions[d])
    predicted = expected_largest_cosine(n_directions, d)
    print(
        f"{n_directions} directions in {d:,} dimensions: largest cosine {cosine[d]:.3f}, "
        f"expected {predicted:.3f}; drawn at random until two reach 0.1: "
        f"{directions_within(0.1, d):.1g}"
    )
    facts.record(
        f"forward-largest-cosine-{d}",
        cosine[d],
        tolerance=0.03 * predicted,
        n=n_directions,
        seed=seed,
        claim="Random directions in a wide space are nearly perpendicular",
    )
    assert abs(cosine[d] / predicted - 1) < 0.15
picked = torch.randperm(model.cfg.d_vocab, generator=random)[:n_directions]
embeddings = functional.normalize(model.W_E[picked].detach(), dim=-1)
learned_cosine = largest_cosine(embeddings)
print(f"as many of the model's token embeddings: {learned_cosine:.3f}")
assert learned_cosine > 2 * cosine[model.cfg.d_model]

# %% [markdown]
# What that buys: let each direction stand for one thing that may be the case. The stream holds the
# sum of those that are. Reading one of them by a product also picks up a little of all the others.
# How many can be held at once before the reading goes wrong?
#
# **Predict first.** Write down your guesses before you open the next output.
#
# The space is 21 times as wide. Does it hold the same number of things, about 5 times as many (the
# square root), about 21 times, or many more than that?

# %% tags=["predict"]
held = [2, 4, 8, 16, 32, 64, 128, 256, 512]
recovered = {d: recovered_share(directions[d], held, trials=12, generator=random) for d in widths}


def over_held(d):
    low, high = mean_interval(recovered[d])
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    return Series(f"{d:,} dimensions", recovered[d].mean(dim=-1).tolist(), ends)


line(
    held,
    [
        *(over_held(d) for d in widths),
        Series("by chance", [k / n_directions for k in held]),
    ],
    title=f"How many of {n_directions} things can one vector hold?",
    x_title="things held at once",
    log_x=True,
    y_title="share read off correctly",
    caption="Bands: 95 % bootstrap intervals over 12 random sets.",
)

# %%
full = {
    d: max(k for k, s in zip(held, recovered[d].mean(dim=-1), strict=True) if s > 0.9)
    for d in widths
}
# The largest number tried bounds what we can say.
most = {d: f"at least {k}" if k == held[-1] else f"up to {k}" for d, k in full.items()}
for d in widths:
    at = held.index(64)
    facts.record(
        f"forward-held-64-of-{d}",
        recovered[d][at].mean().item(),
        tolerance=0.06,
        n=recovered[d].shape[1],
        seed=seed,
        unit="share read off correctly",
        claim="A wider stream can hold more things at once",
    )
    print(f"{d:,} dimensions: nine in ten can be read with {most[d]} of them held")
assert recovered[width][held.index(64)].mean() > 0.99
assert recovered[model.cfg.d_model][held.index(64)].mean() < 0.9
assert full[width] >= 8 * full[model.cfg.d_model]

# %% [markdown]
# The number of directions that nearly do not disturb each other grows *exponentially* with the
# width; the number that can be *in use at once* grows about in proportion to it, as far as our
# scale reaches. Which is why features that are rarely active can share a space, the subject of
# [superposition](../docs/library/2022-elhage-superposition.md).
#
# ## What this does not show
#
# - **That a part is needed.** We took parts out of a model that was trained with them.
# - **That the real model stores random directions.** Its embeddings are far from random; the room
#   is there, and what moves in is another question.
# - **What the heads and layers do.** A sum can be taken apart; whether its terms mean anything is
#   for interventions to say.
# - **Speed.** Real implementations fuse these lines, keep keys and values, and compute in half
#   precision; then the numbers agree less closely.
# - **GPT-3.** Its weights are not public. Every second of its attention layers looks at a band
#   only, which changes no parameter count.

# %%
ledger(
    Claim(
        says="A GPT is an embedding, blocks that add to a stream, a last norm and a matrix",
        source="Vaswani et al. 2017, section 3; Elhage et al. 2021, High-Level Architecture",
        found=f"largest difference of {logits.numel():,} logits: {largest_error:.0e}",
        control=f"with one small slip, at least {smallest_slip:.1f} at the largest",
        verdict=verdict(largest_error < 1e-3, smallest_slip > 0.1),
        limits="The library and our code could share a misreading of the weights' meaning.",
    ),
    Claim(
        says="Positional encoding: without it, attention does not know the order",
        source="notes of 2023-11-07; Su et al. 2021, section 3",
        found=(
            f"one layer without positions names the previous token in {accuracy['none', 0]:.0%} "
            f"(bound {blind:.0%}), with rotary in {accuracy['rotary', 0]:.0%}"
        ),
        control=f"two layers without positions: {accuracy['none, two layers', 0]:.0%}",
        verdict=verdict(
            accuracy["none", 0] < blind + 0.03,
            gap["no positions, no mask"] < 1e-2,
            accuracy["none, two layers", 0] < 0.5,
        ),
        limits="The causal mask gives order away from the second layer on.",
    ),
    Claim(
        says="Rotary attention depends on positions only through their distance",
        source="Su et al. 2021, section 3.2.1",
        found=f"moved by {far} positions, logits change by {shift:.0e} at most",
        control=(
            f"moved by {moved}, accuracy {accuracy['rotary', moved]:.0%} with rotary and "
            f"{accuracy['learned', moved]:.0%} with learned positions"
        ),
        verdict=verdict(shift < 0.05, accuracy["rotary", moved] > 0.99),
        limits="Nothing about distances longer than those of training.",
    ),
    Claim(
        says="The projection FF layer: neurons write fixed vectors, each position by itself",
        source="notes of 2023-11-07; Geva et al. 2021, section 2",
        found=f"sum over neurons, relative error {sum_error:.0e}; {share:.0%} of a block's weights",
        control=f"rows of the projection mixed up: {wrong_rows:.2f}",
        verdict=verdict(sum_error < 1e-4, felt[1:].max() < 1e-4),
        limits="Not what a neuron stands for.",
    ),
    Claim(
        says="RMSNorm keeps LayerNorm's invariance to scale and gives up that to shift",
        source="Zhang and Sennrich 2019, Table 1",
        found=f"scale: {ignored['RMS', 'seven times as long']:.0e}; "
        f"shift: {ignored['RMS', '1 added to each entry']:.2f}",
        control=f"LayerNorm {ignored['LN', 'seven times as long']:.0e} and "
        f"{ignored['LN', '1 added to each entry']:.0e}; exchanged in the model, the loss rises by "
        f"{loss['other norm'] - loss['complete']:.2f}",
        verdict=verdict(
            ignored["RMS", "seven times as long"] < 1e-4,
            ignored["RMS", "1 added to each entry"] > 0.1,
            ignored["LN", "1 added to each entry"] < 1e-4,
        ),
        limits="Their claims on training speed and quality.",
    ),
    Claim(
        says="Residuals: the final stream is the sum of everything written to it",
        source="notes of 2023-11-07; Elhage et al. 2021, High-Level Architecture",
        found=f"{len(writes)} writes, relative error {stream_error:.0e}",
        control=f"without the smallest write {missing:.0e}",
        verdict=verdict(stream_error < 1e-5, missing > 1e-3),
        limits="The last norm divides by the sum's length: logits are a sum at fixed scale only.",
    ),
    Claim(
        says="Multi head: heads act independently and add their results",
        source="notes of 2023-11-07; Elhage et al. 2021, Attention Heads are Independent",
        found=f"sum over heads, relative error {head_error:.0e} in the worst layer",
        control=f"each with its neighbour's matrix {swapped_error:.2f}",
        verdict=verdict(head_error < 1e-4, swapped_error > 0.2),
        limits="Independent within a layer; later layers read what they wrote together.",
    ),
    Claim(
        says="The 12,288 gives space for calculations",
        source="notes of 2023-11-07; Brown et al. 2020, Table 2.1",
        found=(
            f"{by_hand / 1e9:.1f} billion parameters; {most[width]} of {n_directions} random "
            f"directions held at once, largest cosine {cosine[width]:.3f}"
        ),
        control=(
            f"width {model.cfg.d_model}: {most[model.cfg.d_model]} held, "
            f"largest cosine {cosine[model.cfg.d_model]:.3f}"
        ),
        verdict=verdict(
            abs(by_hand / 175e9 - 1) < 0.01, full[width] >= 8 * full[model.cfg.d_model]
        ),
        limits="Room, not its use: nobody outside has looked into GPT-3.",
    ),
)
