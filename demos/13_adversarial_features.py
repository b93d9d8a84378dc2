# %% [markdown]
# # Are adversarial examples features, or bugs?
#
# A change that nobody minds makes a network name any class one likes. *Adversarial Examples Are Not
# Bugs, They Are Features* says that such a change carries patterns which do predict the label, and
# which only people cannot see. Its evidence is training sets: images of one class, changed a little
# and labelled as another, teach a new network to name untouched images rightly. We build these sets
# from small images that ship with packages, and let the critics have their say as experiments.
#
# **Question.** Does what an attack adds teach a network something true, and could the experiment
# have said no?
#
# **Sources.** [Ilyas et al. 2019](https://arxiv.org/abs/1905.02175), section 3 and the authors'
# data release; [Engstrom et al. 2019](https://distill.pub/2019/advex-bugs-discussion/), the
# comments of Goh (robust leakage), Nakkiran (bugs) and Wallace (learning from mistakes).
#
# **Criterion.** Chance is one in ten. ε, the radius of an attack in L2, is for each set of images
# the smallest of those listed at which a standard network keeps fewer than one held-out image in
# ten, or else the largest of them. All accuracies are on held-out images that nobody changed, with
# 95 % intervals over them.
#
# 1. *Wrong labels teach.* Trained on images moved towards the *next* class and labelled with it, a
#    network is right above chance, and above each control: the same labels without the change, and
#    with changes made for a network that has learned nothing true. The labels are visibly wrong: a
#    robust network still calls most of these images by their old label.
# 2. *Robust and non-robust sets.* Trained in the ordinary way on images that keep only what a
#    robust network represents, a network withstands attacks at half of ε better than a standard
#    one, and better than one trained on what a standard network represents.
# 3. *Networks share them.* An attack on one network leads others, of another seed and of another
#    architecture, to its target more often than noise of the same length does; and the images of 1
#    teach the other architecture above chance as well.
# 4. *Goh.* A linear readout of robust features learns something true from the set with random
#    labels, and nothing (chance or less) from the one with next labels.
# 5. *Nakkiran.* An attack that spares other networks transfers less than a quarter as often, and
#    teaches less (intervals apart). On light and dark squares, where all fragile knowledge is
#    learned by heart, attacks succeed and teach nothing.
# 6. *Wallace.* A network's mistakes on unchanged images teach above chance.
#
# Parts 1 to 3 were set beforehand. The rule for ε was written after a look at how networks fare
# under attack, the thresholds of 4 to 6 after a look at all of it, and the attack of 5 was given
# more steps when its first version had failed the criterion.
#
# **Cost.** About a minute of one core, under 1 GB. No language model is loaded.

# %%
import torch

from demos import facts
from demos.adversarial import (
    attack,
    convolutional,
    dense,
    names,
    noise_of_length,
    readout_of,
    rebuilt,
    right,
    right_under_attack,
    train,
)
from demos.epsilon_explorer import Example, Sweep, explorer_data
from demos.explorers import explorer
from demos.figures import Series, line
from demos.figures import bars as bar_chart
from demos.image_sets import mnist, planted, small_digits, squares
from demos.ledger import Claim, ledger, verdict
from demos.pictures import pictures
from demos.seeds import base_seed
from demos.statistics import share_interval

seed = base_seed()
torch.set_num_threads(1)  # the tensors are small: more threads would only wait for one another
torch.set_grad_enabled(False)
chance = torch.Generator().manual_seed(seed)

SETS = {
    "MNIST": mnist(),
    "8 x 8 digits": small_digits(seed),
    "planted patterns": planted(seed),
    "squares": squares(seed),
}
RADII = {
    "MNIST": [0.25, 0.5, 1.0, 1.5],
    "8 x 8 digits": [0.5, 1.0, 1.5],
    "planted patterns": [0.25, 0.5, 0.75],
    "squares": [0.5, 1.0],
}
networks_made = iter(range(1000 * seed, 1000 * seed + 1000))  # no two begin with the same weights


def taught(images, labels, of, *, make=convolutional, epochs=None, radius=0.0):
    """A new network, trained on these images and labels as if they were the set's own."""
    one = next(networks_made)
    return train(
        make(of.side, of.classes, one),
        images,
        labels,
        epochs=epochs or of.epochs,
        seed=one,
        radius=radius,
    )


def share_right(net, of):
    """Share of held-out images that a network names rightly, and its interval."""
    n = len(of.held_out.labels)
    hits = right(net, of.held_out.images, of.held_out.labels)
    return hits / n, share_interval(hits, n)


ATTACKED = 500  # held-out images, evenly spread: an attack costs twenty times a look


def withstood(net, of, radius):
    """Share that a network still names rightly while attacked, and its interval."""
    every = len(of.held_out.labels) // ATTACKED
    images, labels = of.held_out.images[::every], of.held_out.labels[::every]
    hits = right_under_attack(net, images, labels, radius, steps=10)
    return hits / ATTACKED, share_interval(hits, ATTACKED)


for name, of in SETS.items():
    length = of.fit.images.flatten(1).norm(dim=1).mean()
    print(
        f"{name}: {len(of.fit.labels)} images to fit, {len(of.held_out.labels)} held out, "
        f"{of.side} x {of.side} pixels, mean length {length:.1f}"
    )

# %% [markdown]
# ## Four sets of images
#
# *MNIST*, 14 x 14, and the digits of *8 x 8* pixels in scikit-learn are as they come. In *planted
# patterns*, MNIST digits carry a faint pattern of random pixels, nine times in ten that of their
# class: a useful feature that a small change flips, because we put it there. *Squares* are light
# or dark, with noise, and one label in ten is wrong: no fragile feature is useful. That is where
# the experiment has to say no.

# %%
standard = {name: taught(of.fit.images, of.fit.labels, of) for name, of in SETS.items()}
kept_by_standard = {
    name: [withstood(standard[name], of, radius) for radius in RADII[name]]
    for name, of in SETS.items()
}
epsilon = {
    name: next(
        (radius for radius, (share, _) in zip(RADII[name], kept, strict=True) if share < 0.1),
        RADII[name][-1],
    )
    for name, kept in kept_by_standard.items()
}
robust = {
    name: taught(
        of.fit.images,
        of.fit.labels,
        of,
        epochs=8,
        radius=epsilon[name],
    )
    for name, of in SETS.items()
}
kept_by_robust = {
    name: [withstood(robust[name], of, radius) for radius in RADII[name]]
    for name, of in SETS.items()
}
for name, of in SETS.items():
    print(
        f"{name}: epsilon {epsilon[name]}; untouched, standard "
        f"{share_right(standard[name], of)[0]:.3f}, robust {share_right(robust[name], of)[0]:.3f}"
    )
digit_sets = ("MNIST", "8 x 8 digits", "planted patterns")
assert all(kept_by_standard[name][-1][0] < 0.5 for name in SETS)
assert all(share_right(standard[name], SETS[name])[0] > 0.85 for name in digit_sets)

# %%
line(
    RADII["MNIST"],
    [
        Series(label, [share for share, _ in kept], [ends for _, ends in kept])
        for label, kept in (
            ("standard network", kept_by_standard["MNIST"]),
            ("robust network", kept_by_robust["MNIST"]),
        )
    ],
    title="What an attack leaves of two networks",
    x_title="radius of the attack (L2)",
    y_title="share of held-out images still right",
    caption="MNIST, 14 x 14 pixels. The robust network was trained on attacked images.",
)

# %%
MAIN = SETS["MNIST"]
EPSILON = epsilon["MNIST"]
at = RADII["MNIST"].index(EPSILON)
facts.record("adv-epsilon", EPSILON, seed=seed, unit="L2", claim="ε for MNIST, 14 x 14 pixels")
for fact, kept in (
    ("adv-standard-attacked", kept_by_standard),
    ("adv-robust-attacked", kept_by_robust),
):
    facts.record(
        fact,
        kept["MNIST"][at][0],
        tolerance=0.05,
        n=ATTACKED,
        interval=kept["MNIST"][at][1],
        seed=seed,
        unit="share of held-out images",
        claim="Right under attack at ε: " + fact.split("-")[1],
    )
is_robust = kept_by_robust["MNIST"][at][1][0] > kept_by_standard["MNIST"][at][1][1]
assert is_robust

# %% [markdown]
# ## The mislabelled sets
#
# For each set and radius two training sets. *Random*: each image is moved towards a class drawn by
# lot, and labelled with it (the paper's D_rand). *Next*: towards the class after its own, and
# labelled with that (D_det). In the second, whoever goes by what is visible is always wrong.


# %%
def mislabelled(name, radius):
    """The random and the next set: ((images, labels), (images, labels))."""
    of = SETS[name]
    drawn = torch.randint(of.classes, of.fit.labels.shape, generator=chance)
    following = (of.fit.labels + 1) % of.classes
    return tuple(
        (attack(standard[name], of.fit.images, given, radius, towards=True), given)
        for given in (drawn, following)
    )


def old_label(name, images):
    """Share of images that a robust network still calls by the label that they had."""
    return (names(robust[name], images) == SETS[name].fit.labels).float().mean().item()


built = {(name, radius): mislabelled(name, radius) for name in SETS for radius in RADII[name]}
students = {
    place: tuple(taught(*one, SETS[place[0]]) for one in pair) for place, pair in built.items()
}
random_set, next_set = built["MNIST", EPSILON]
still_old = {
    (name, radius): old_label(name, built[name, radius][1][0])
    for name in SETS
    for radius in RADII[name]
}


def first_of(name, label):
    return int((SETS[name].fit.labels == label).nonzero()[0, 0])


shown = [first_of("MNIST", label) for label in range(0, 10, 2)]
pictures(
    {
        f"seen as {label}": MAIN.fit.images[n].tolist()
        for label, n in zip("02468", shown, strict=True)
    }
    | {f"labelled {int(next_set[1][n])}": next_set[0][n].tolist() for n in shown},
    title="Untouched, and as they stand in the next set",
    value="brightness",
    columns=5,
    caption="MNIST at ε. The first image to fit of every second class.",
)

# %% [markdown]
# Controls for the next set of MNIST. *Unchanged*: the same wrong labels on untouched images.
# *Nothing true*: the same labels, and the same attack, but for a network that was trained on
# shuffled labels. Its changes tell the label quite as well; they tell it of nothing in the world.
#
# <details>
# <summary><strong>Predict first.</strong> Write down your guesses before you look.</summary>
#
# 1. What share of untouched digits does a network name rightly after training on the next set?
# 2. And after the two controls?
# 3. Can the experiment work at all on digits, whose strokes are robust features?
#
# </details>

# %% tags=["predict"]
following = next_set[1]
shuffled_labels = MAIN.fit.labels[torch.randperm(len(MAIN.fit.labels), generator=chance)]
learned_by_heart = taught(MAIN.fit.images, shuffled_labels, MAIN)
untrue = attack(learned_by_heart, MAIN.fit.images, following, EPSILON, towards=True)
led = (names(learned_by_heart, untrue) == following).float().mean().item()
rows = {
    "random": students["MNIST", EPSILON][0],
    "next": students["MNIST", EPSILON][1],
    "next, unchanged": taught(MAIN.fit.images, following, MAIN),
    "next, nothing true": taught(untrue, following, MAIN),
    "random, unchanged": taught(MAIN.fit.images, random_set[1], MAIN),
    "next, dense net": taught(*next_set, MAIN, make=dense),
}
scored = {label: share_right(student, MAIN) for label, student in rows.items()}
small = students["8 x 8 digits", epsilon["8 x 8 digits"]]
known = students["planted patterns", epsilon["planted patterns"]]
scored |= {
    f"{label}, {short}": share_right(pair[n], SETS[name])
    for name, short, pair in (
        ("8 x 8 digits", "8 x 8", small),
        ("planted patterns", "planted", known),
    )
    for n, label in enumerate(("random", "next"))
}
bar_chart(
    list(scored),
    [
        Series(
            "right on untouched held-out images",
            [share for share, _ in scored.values()],
            [ends for _, ends in scored.values()],
        )
    ],
    title="What mislabelled images teach",
    x_title="accuracy, 95 % interval over held-out images",
    y_title="trained on",
    reference=("chance", 0.1),
    caption="At the ε of each set; MNIST where no other is named.",
)

# %%
LABELLED_FACTS = {
    "adv-random": "random",
    "adv-next": "next",
    "adv-next-unchanged": "next, unchanged",
    "adv-next-untrue": "next, nothing true",
    "adv-random-unchanged": "random, unchanged",
    "adv-next-dense": "next, dense net",
    "adv-next-small": "next, 8 x 8",
    "adv-next-planted": "next, planted",
}
for fact, label in LABELLED_FACTS.items():
    share, ends = scored[label]
    facts.record(
        fact,
        share,
        tolerance=0.06,
        n=len(MAIN.held_out.labels) if "8 x 8" not in label else 500,
        interval=ends,
        seed=seed,
        unit="share of held-out images",
        claim=f"Right on untouched images, trained on: {label}",
    )
facts.record(
    "adv-still-old",
    still_old["MNIST", EPSILON],
    tolerance=0.05,
    n=len(following),
    seed=seed,
    unit="share of the next set",
    claim="Images that a robust network calls by their old label",
)
print(f"the network of shuffled labels is led to the next label in {led:.0%} of images")
controls = [scored[label][1][1] for label in ("next, unchanged", "next, nothing true")]
wrong_labels_teach = tuple(
    scored[label][1][0] > max(0.1, *controls) for label in ("next", "next, 8 x 8")
)
visibly_wrong = tuple(
    still_old[name, epsilon[name]] > 0.5 for name in ("MNIST", "8 x 8 digits", "planted patterns")
)
assert all(
    scored["next"][0] > scored[label][0] for label in ("next, unchanged", "next, nothing true")
)

# %% [markdown]
# We had expected MNIST to fail: its strokes are robust, and a network that learns them answers
# "next" throughout. It does not fail at this ε. It does at smaller ones, as the explorer below
# shows: what the experiment answers depends on how far the attack may go.
#
# The fall from random to next is what the strokes cost. In the next set they are learned too, and
# point to the wrong class.
#
# ## Robust and non-robust sets
#
# Each image of the robust set (D_R) is another image of the set, changed until a robust network
# represents it as it represents the first, whose label it gets. What the robust network does not
# look at is thus that of a stranger. The non-robust set (D_NR) is made in the same way with a
# standard network.


# %%
def kept_features(name, by):
    of = SETS[name]
    strangers = of.fit.images[torch.randperm(len(of.fit.images), generator=chance)]
    return rebuilt(by[name], of.fit.images, strangers)


halves = {}
rebuilt_sets = {}
for name in ("MNIST", "planted patterns"):
    of, half = SETS[name], epsilon[name] / 2
    for label, by in (("robust", robust), ("non-robust", standard)):
        images = kept_features(name, by)
        rebuilt_sets[name, label] = images
        student = taught(images, of.fit.labels, of)
        halves[name, label] = (share_right(student, of), withstood(student, of, half))
    halves[name, "untouched"] = (
        share_right(standard[name], of),
        withstood(standard[name], of, half),
    )
bar_chart(
    [f"{label}, {name.split()[0]}" for name, label in halves],
    [
        Series(
            "untouched",
            [one[0] for one, _ in halves.values()],
            [one[1] for one, _ in halves.values()],
        ),
        Series(
            "attacked at ε/2",
            [two[0] for _, two in halves.values()],
            [two[1] for _, two in halves.values()],
        ),
    ],
    title="Ordinary training on what a network represents",
    x_title="accuracy, 95 % interval over held-out images",
    y_title="trained on",
)

# %%
pictures(
    {
        f"image of {label}": MAIN.fit.images[n].tolist()
        for label, n in zip("02468", shown, strict=True)
    }
    | {
        f"robust {label}": rebuilt_sets["MNIST", "robust"][n].tolist()
        for label, n in zip("02468", shown, strict=True)
    }
    | {
        f"non-rob. {label}": rebuilt_sets["MNIST", "non-robust"][n].tolist()
        for label, n in zip("02468", shown, strict=True)
    },
    title="What a robust and a standard network represent alike",
    value="brightness",
    columns=5,
    caption="First row: untouched. Below: strangers, changed until a network sees no difference.",
)

# %%
for name, short in (("MNIST", "mnist"), ("planted patterns", "planted")):
    for label in ("robust", "non-robust", "untouched"):
        share, ends = halves[name, label][1]
        facts.record(
            f"adv-{short}-{label}-half",
            share,
            tolerance=0.06,
            n=ATTACKED,
            interval=ends,
            seed=seed,
            unit="share of held-out images",
            claim=f"Right under attack at ε/2, {name}, trained on the {label} set",
        )


def above(one, other):
    """Whether an interval lies wholly above another."""
    return one[1][0] > other[1][1]


robust_beats = {
    name: (
        above(halves[name, "robust"][1], halves[name, "untouched"][1]),
        above(halves[name, "robust"][1], halves[name, "non-robust"][1]),
    )
    for name in ("MNIST", "planted patterns")
}
print(robust_beats)

# %% [markdown]
# Half of this came out. The robust set makes a sturdier network than the non-robust one, in both
# sets of images; but not a sturdier one than untouched images do. Strangers' strokes stay in the
# rebuilt images, and are noise to whoever learns from them; and a standard network on small digits
# is less fragile at ε/2 than one on photographs, so that there is less to gain.
#
# ## Do other networks fall for the same attacks?

# %%
test_images, test_labels = MAIN.held_out.images, MAIN.held_out.labels
test_next = (test_labels + 1) % 10
others = {
    "another seed": taught(MAIN.fit.images, MAIN.fit.labels, MAIN),
    "a dense one": taught(MAIN.fit.images, MAIN.fit.labels, MAIN, make=dense),
}
changed = {
    "the attack": attack(standard["MNIST"], test_images, test_next, EPSILON, towards=True),
    "noise as long": noise_of_length(test_images, EPSILON, chance),
    "nothing": test_images,
}


def led_to_next(net, images):
    hits = int((names(net, images) == test_next).sum())
    return hits / len(test_next), share_interval(hits, len(test_next))


transfer = {
    (label, how): led_to_next(net, images)
    for label, net in {"the attacked one": standard["MNIST"], **others}.items()
    for how, images in changed.items()
}
bar_chart(
    list(others | {"the attacked one": None}),
    [
        Series(
            how,
            [transfer[label, how][0] for label in (*others, "the attacked one")],
            [transfer[label, how][1] for label in (*others, "the attacked one")],
        )
        for how in changed
    ],
    title="Made for one network, shown to others",
    x_title="share of held-out images named as the next class",
    y_title="network",
)

# %%
for label, fact in (
    ("another seed", "adv-transfer-seed"),
    ("a dense one", "adv-transfer-dense"),
):
    share, ends = transfer[label, "the attack"]
    facts.record(
        fact,
        share,
        tolerance=0.06,
        n=len(test_next),
        interval=ends,
        seed=seed,
        unit="share of held-out images",
        claim=f"The attack leads {label} to its target",
    )
shared = (
    *(above(transfer[label, "the attack"], transfer[label, "noise as long"]) for label in others),
    scored["next, dense net"][1][0] > 0.1,
)
assert shared[0]

# %% [markdown]
# ## Goh: do robust features leak?
#
# An attack may also add what a robust network sees: a bit of a real stroke. Goh's test: let the new
# network see robust features only. We take those of our robust network, fixed, and fit a linear
# readout of them to each mislabelled set.

# %%
leaks = {
    label: share_right(readout_of(robust["MNIST"], *one, epochs=MAIN.epochs, seed=seed), MAIN)
    for label, one in (("random", random_set), ("next", next_set))
}
for label, (share, ends) in leaks.items():
    facts.record(
        f"adv-leak-{label}",
        share,
        tolerance=0.06,
        n=len(test_next),
        interval=ends,
        seed=seed,
        unit="share of held-out images",
        claim=f"A linear readout of robust features, fitted to the {label} set",
    )
leak = (leaks["random"][1][0] > 0.1, leaks["next"][0] <= 0.1)
assert leak[0]

# %% [markdown]
# Goh's objection holds here more than in his own case: robust features alone account for about all
# that the random set teaches. That set shows nothing about non-robust features on these digits.
# The next set does.
#
# ## Nakkiran: attacks that are bugs
#
# The same attack, at one and a half ε, with one more thing asked of it: three other networks, two
# of the same architecture and a dense one, shall keep their answer. To compare what it teaches with
# what the ordinary attack teaches, we keep the images on which both succeed, and label them "next".
# As a control the same images are left unchanged: which images can be attacked is a choice too.

# %%
spared = [
    *(taught(MAIN.fit.images, MAIN.fit.labels, MAIN) for _ in range(2)),
    taught(MAIN.fit.images, MAIN.fit.labels, MAIN, make=dense),
]
far = 1.5 * EPSILON


def lone(images, labels, target):
    return attack(
        standard["MNIST"],
        images,
        target,
        far,
        steps=20,  # it has more to balance than an ordinary attack
        towards=True,
        spared=spared,
        kept=labels,
    )


kinds = {
    "ordinary": (
        attack(standard["MNIST"], MAIN.fit.images, following, far, towards=True),
        attack(standard["MNIST"], test_images, test_next, far, towards=True),
    ),
    "sparing others": (
        lone(MAIN.fit.images, MAIN.fit.labels, following),
        lone(test_images, test_labels, test_next),
    ),
}
succeeded = torch.stack(
    [names(standard["MNIST"], images) == following for images, _ in kinds.values()]
).all(dim=0)
taught_by = {
    label: share_right(taught(images[succeeded], following[succeeded], MAIN, epochs=15), MAIN)
    for label, images in (
        *((label, images) for label, (images, _) in kinds.items()),
        ("unchanged", MAIN.fit.images),
    )
}
carried = {
    label: {
        "on its own": led_to_next(standard["MNIST"], images),
        **{other: led_to_next(net, images) for other, net in others.items()},
    }
    for label, (_, images) in kinds.items()
}
bar_chart(
    ["leads its own", *("leads " + one for one in others), "teaches", "teaches, unchanged"],
    [
        Series(
            label,
            [
                *(share for share, _ in carried[label].values()),
                taught_by[label][0],
                taught_by["unchanged"][0],
            ],
            [
                *(ends for _, ends in carried[label].values()),
                taught_by[label][1],
                taught_by["unchanged"][1],
            ],
        )
        for label in kinds
    ],
    title="An ordinary attack and one that spares other networks",
    x_title="share of held-out images",
    y_title="what it does",
    caption="Led: named as the next class. Taught: a new network's accuracy on untouched images.",
)

# %%
place = ("squares", epsilon["squares"])
square_set = SETS["squares"]
square_success = (
    (names(standard["squares"], built[place][0][0]) == built[place][0][1]).float().mean().item()
)
square_scores = [share_right(student, square_set) for student in students[place]]
for fact, (share, ends), says in (
    (
        "adv-bug-transfer",
        carried["sparing others"]["another seed"],
        "A sparing attack leads another seed to its target",
    ),
    (
        "adv-far-transfer",
        carried["ordinary"]["another seed"],
        "An ordinary attack, as far, leads another seed to its target",
    ),
    ("adv-bug-teaches", taught_by["sparing others"], "Taught by sparing attacks"),
    ("adv-far-teaches", taught_by["ordinary"], "Taught by ordinary attacks on the same images"),
    ("adv-same-unchanged", taught_by["unchanged"], "Taught by the same images, unchanged"),
    ("adv-squares-random", square_scores[0], "Taught by the random set of squares; chance is 0.5"),
    ("adv-squares-next", square_scores[1], "Taught by the next set of squares; chance is 0.5"),
):
    facts.record(
        fact,
        share,
        tolerance=0.06,
        n=1000,
        interval=ends,
        seed=seed,
        unit="share of held-out images",
        claim=says,
    )
facts.record(
    "adv-squares-success",
    square_success,
    tolerance=0.05,
    n=len(square_set.fit.labels),
    seed=seed,
    unit="share of the random set",
    claim="Attacks on squares lead the network to the label drawn",
)
print(f"both attacks succeed on {int(succeeded.sum())} of {len(succeeded)} images")
bugs = (
    all(4 * carried["sparing others"][one][0] < carried["ordinary"][one][0] for one in others),
    above(taught_by["ordinary"], taught_by["sparing others"]),
    square_success > 0.8 and square_scores[0][1][0] < 0.5 < square_scores[0][1][1],
)
print(bugs)
assert carried["sparing others"]["another seed"][0] < carried["ordinary"]["another seed"][0]

# %% [markdown]
# An attack that spares others is a bug by Nakkiran's measure, transfer, and it teaches far less
# than an ordinary one. It does not teach nothing: not every direction that it shares with other
# networks has been taken from it. On squares the next set teaches less than a coin, and the random
# set a little more, under this seed and under the three others. A bit of lightness, the one true
# feature, may leak into it; we did not measure that.
#
# The random labels on unchanged digits, further up, can teach nothing in the mean, and come out
# above chance all the same. Among the 200 images of a class some label is drawn most often, and
# whoever goes by it is right or wrong about the whole class. The intervals are over held-out
# images, and do not hold this luck of a training set.
#
# ## Wallace: do wrong labels teach without any attack?
#
# A weak network, trained on sixty images, is asked about all others. Its mistakes, and only these,
# become a training set: no image is changed, and every label is wrong.

# %%
few = torch.randperm(len(MAIN.fit.labels), generator=chance)[:60]
weak = taught(MAIN.fit.images[few], MAIN.fit.labels[few], MAIN, epochs=60)
said = names(weak, MAIN.fit.images)
mistakes = said != MAIN.fit.labels
pupil = share_right(taught(MAIN.fit.images[mistakes], said[mistakes], MAIN, epochs=15), MAIN)
facts.record(
    "adv-mistakes",
    pupil[0],
    tolerance=0.08,
    n=len(test_next),
    interval=pupil[1],
    seed=seed,
    unit="share of held-out images",
    claim="Taught by a weak network's mistakes, unchanged images",
)
print(
    f"{int(mistakes.sum())} mistakes of a network that is right on {share_right(weak, MAIN)[0]:.3f}"
)
mistakes_teach = pupil[1][0] > 0.1
assert mistakes_teach

# %% [markdown]
# So a label can be wrong of every single image and still teach, when a trained network chose it. In
# the next set no network chose: the label follows from the class. That is the second reason for the
# paper's stricter set, beside Goh's.
#
# ## The paper's table beside ours
#
# Theirs: CIFAR-10, ResNet-50, from the authors' data release; robust accuracy at half of the radius
# of robust training, as here.

# %%
PUBLISHED = {
    "robust": (0.84, 0.48),
    "non-robust": (0.88, 0.0),
    "random": (0.63, 0.0),
    "next": (0.44, 0.0),
}
mislabelled_half = {
    label: withstood(students["MNIST", EPSILON][n], MAIN, EPSILON / 2)
    for n, label in enumerate(("random", "next"))
}
ours = {
    **{label: halves["MNIST", label] for label in ("robust", "non-robust")},
    **{label: (scored[label], mislabelled_half[label]) for label in ("random", "next")},
}
bar_chart(
    [f"{label}, {how}" for label in PUBLISHED for how in ("untouched", "attacked")],
    [
        Series("Ilyas et al., CIFAR-10", [share for pair in PUBLISHED.values() for share in pair]),
        Series("here, MNIST 14 x 14", [share for label in PUBLISHED for share, _ in ours[label]]),
    ],
    title="Four training sets, published and here",
    x_title="accuracy on the normal test set",
    y_title="trained on",
    reference=("chance", 0.1),
)

# %% [markdown]
# ## Choose how far the attack may go

# %%
SHOWN = {name: (1, 4, 7) if of.classes == 10 else (0, 1) for name, of in SETS.items()}


def example(name, label):
    n = first_of(name, label)
    attacked = torch.stack([built[name, radius][1][0][n] for radius in RADII[name]])
    return Example(
        SETS[name].fit.images[n],
        attacked,
        seen=label,
        given=int(built[name, RADII[name][0]][1][1][n]),
        robust=names(robust[name], attacked).tolist(),
    )


sweeps = [
    Sweep(
        name,
        RADII[name],
        chosen=epsilon[name],
        chance=1 / of.classes,
        length=of.fit.images.flatten(1).norm(dim=1).mean().item(),
        shares={
            "standard network": [share for share, _ in kept_by_standard[name]],
            "robust network": [share for share, _ in kept_by_robust[name]],
            "old label, to the robust network": [still_old[name, radius] for radius in RADII[name]],
            "trained on random labels": [
                share_right(students[name, radius][0], of)[0] for radius in RADII[name]
            ],
            "trained on next labels": [
                share_right(students[name, radius][1], of)[0] for radius in RADII[name]
            ],
        },
        examples=[example(name, label) for label in SHOWN[name]],
    )
    for name, of in SETS.items()
]
explorer(
    "epsilon",
    explorer_data(sweeps),
    title="How far the attack may go",
    fallback=line(
        RADII["MNIST"],
        [Series(label, shares) for label, shares in sweeps[0].shares.items()],
        title="MNIST, radius by radius",
        x_title="ε (L2)",
        y_title="share of images",
        reference=("chance", 0.1),
    ),
)

# %%
facts.record(
    "adv-next-smallest",
    sweeps[0].shares["trained on next labels"][0],
    tolerance=0.04,
    n=len(test_next),
    seed=seed,
    unit="share of held-out images",
    claim="Trained on the next set of the smallest ε",
)
facts.record(
    "adv-next-largest",
    sweeps[0].shares["trained on next labels"][-1],
    tolerance=0.06,
    n=len(test_next),
    seed=seed,
    unit="share of held-out images",
    claim="Trained on the next set of the largest ε",
)

# %% [markdown]
# ## Claim ledger

# %%


def said_of(pair):
    share, (low, high) = pair
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


ledger(
    Claim(
        says="Images labelled wrongly, with an attack towards that label, teach the right classes",
        source="Ilyas et al. 2019, section 3.2",
        found=f"next labels at ε = {EPSILON}: MNIST {said_of(scored['next'])}, 8 x 8 digits "
        f"{said_of(scored['next, 8 x 8'])}; a robust network calls "
        f"{still_old['MNIST', EPSILON]:.0%} of the MNIST set by the old label",
        control=f"chance 10 %; unchanged {said_of(scored['next, unchanged'])}; changes made for a "
        f"network of shuffled labels {said_of(scored['next, nothing true'])}",
        verdict=verdict(*wrong_labels_teach, visibly_wrong[0]),
        limits=f"at ε = {RADII['MNIST'][0]} the same set teaches "
        f"{sweeps[0].shares['trained on next labels'][0]:.1%}: less than chance",
    ),
    Claim(
        says="Ordinary training on robust features alone gives a robust network",
        source="Ilyas et al. 2019, section 3.1",
        found=f"under attack at ε/2, robust set: MNIST {said_of(halves['MNIST', 'robust'][1])}, "
        f"planted patterns {said_of(halves['planted patterns', 'robust'][1])}",
        control="non-robust set: MNIST "
        f"{said_of(halves['MNIST', 'non-robust'][1])}, planted patterns "
        f"{said_of(halves['planted patterns', 'non-robust'][1])}; untouched images: MNIST "
        f"{said_of(halves['MNIST', 'untouched'][1])}, planted patterns "
        f"{said_of(halves['planted patterns', 'untouched'][1])}",
        verdict=verdict(*robust_beats["MNIST"], *robust_beats["planted patterns"]),
        limits="a small robust network, trained for seconds; representations of 32 numbers",
    ),
    Claim(
        says="Different networks find the same non-robust features, so attacks transfer",
        source="Ilyas et al. 2019, section 3.3",
        found=f"led to the target: another seed {said_of(transfer['another seed', 'the attack'])}, "
        f"a dense network {said_of(transfer['a dense one', 'the attack'])}; taught by the next "
        f"set, a dense network {said_of(scored['next, dense net'])}",
        control="noise as long: "
        f"{said_of(transfer['another seed', 'noise as long'])} and "
        f"{said_of(transfer['a dense one', 'noise as long'])}; chance 10 %",
        verdict=verdict(*shared),
        limits="two small architectures and one set of images",
    ),
    Claim(
        says="Robust features leak into the set with random labels, not into that with next labels",
        source="Goh in Engstrom et al. 2019, robust feature leakage",
        found=f"linear readout of robust features: random {said_of(leaks['random'])}, next "
        f"{said_of(leaks['next'])}",
        control=f"a whole network: random {said_of(scored['random'])}, next "
        f"{said_of(scored['next'])}; chance 10 %",
        verdict=verdict(*leak),
        limits="our robust network is robust by training and not by proof",
    ),
    Claim(
        says="Some adversarial examples are bugs: they do not transfer and teach nothing",
        source="Nakkiran in Engstrom et al. 2019, adversarial examples are just bugs, too",
        found="sparing others, at 1.5 ε: leads another seed in "
        f"{said_of(carried['sparing others']['another seed'])}, teaches "
        f"{said_of(taught_by['sparing others'])}; random set of squares "
        f"{said_of(square_scores[0])}, attacks there succeed in {square_success:.0%}",
        control=f"ordinary: {said_of(carried['ordinary']['another seed'])}, teaches "
        f"{said_of(taught_by['ordinary'])}; the same images unchanged teach "
        f"{said_of(taught_by['unchanged'])}; chance on squares 50 %",
        verdict=verdict(*bugs),
        limits="teaches less is not teaches nothing: compare with the unchanged images",
    ),
    Claim(
        says="Labels that a network got wrong teach without any perturbation",
        source="Wallace in Engstrom et al. 2019, learning from incorrectly labeled data",
        found=f"trained on {int(mistakes.sum())} mistakes: {said_of(pupil)}",
        control=f"next labels on unchanged images: {said_of(scored['next, unchanged'])}; random "
        f"labels: {said_of(scored['random, unchanged'])}",
        verdict=verdict(mistakes_teach),
        limits="it explains sets whose labels a network chose; next labels follow from the class",
    ),
)

# %% [markdown]
# ## What this does not show
#
# - **How much luck is in one training.** Each bar is one network. Three other seeds of the whole
#   notebook are kept with it, and the ledger's page says how it held under them.
# - **That people cannot see the changes.** At this ε they can be seen if one looks, as grey blots.
#   "Visibly wrong" was judged by a robust network, not by people.
# - **How much of an attack is a feature.** What it teaches is a lower bound that depends on ε, on
#   the size of the set and on how easily the visible feature is learned.
# - **Anything about photographs.** The numbers beside the paper's are of another task; only the
#   order of the rows can be compared.
# - **That no robust feature leaks.** Goh's readout sees what one robust network has found.
# - **Anything about language models.** A token cannot be moved a little.
