"""Minimal pairs: two sentences that differ in one point of grammar, one of which has it right.

Twenty-four paradigms of the twelve phenomena of BLiMP: of each phenomenon the paradigm in which
GPT-2 large did best and the one in which it did worst. The rules are BLiMP's, the sentences our
own: a small grammar for each paradigm fills a frame with words. `data/blimp-published.csv` holds
what others reached on BLiMP's own sentences. Nothing here imports torch.

Source: Warstadt et al. 2020, arXiv:1912.00582; shares from `raw_results/summary` of the authors'
repository, alexwarstadt/blimp (CC BY 4.0): mean over 1,000 pairs for a model, over about 100 single
judgements for `one_person`.
"""

import csv
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

PUBLISHED = Path(__file__).parent / "data" / "blimp-published.csv"
MAJORITY_VOTE = 0.964  # agreement of the majority of people with the labels; abstract
TRIES = 200  # for each pair that is asked for, before a paradigm counts as exhausted

# What differs in a pair: one word in its place; the order of the same words; or a noun that has
# moved and left an adjective behind.
Difference = Literal["word", "order", "noun"]
Choice = random.Random
Words = Sequence[str]


class Pair(NamedTuple):
    """Both sentences end with the same mark."""

    good: str
    bad: str


class Published(NamedTuple):
    """Shares of pairs in BLiMP's own sentences, from 0 to 1."""

    phenomenon: str
    one_person: float
    five_gram: float
    lstm: float
    transformer_xl: float
    gpt2_large: float


@dataclass(frozen=True)
class Paradigm:
    """A way to make pairs; `name` and `phenomenon` are BLiMP's, the bad one breaks the `rule`."""

    name: str
    phenomenon: str
    rule: str
    differs: Difference
    make: Callable[[Choice], Pair]


def published() -> dict[str, Published]:
    """BLiMP's results by paradigm, all 67."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return {
            row.pop("paradigm"): Published(
                row.pop("phenomenon"), **{who: float(share) for who, share in row.items()}
            )
            for row in csv.DictReader(file)
        }


def extremes(results: dict[str, Published]) -> dict[str, tuple[str, str]]:
    """Of each phenomenon the paradigms with GPT-2 large's highest and lowest share."""
    of: dict[str, list[str]] = {}
    for name, row in results.items():
        of.setdefault(row.phenomenon, []).append(name)
    return {
        phenomenon: (
            max(names, key=lambda name: results[name].gpt2_large),
            min(names, key=lambda name: results[name].gpt2_large),
        )
        for phenomenon, names in of.items()
    }


def minimal_pairs(paradigm: Paradigm, n: int, chooser: Choice) -> list[Pair]:
    """`n` different pairs. Raises ValueError if the paradigm has not so many."""
    found: dict[Pair, None] = {}
    for _ in range(TRIES * n):
        if len(found) == n:
            break
        found.setdefault(paradigm.make(chooser))
    if len(found) < n:
        raise ValueError(f"{paradigm.name}: {len(found)} different pairs found, not {n}")
    return list(found)


def difference(pair: Pair) -> Difference | None:
    """How the sentences of a pair differ; None if in more than any paradigm allows."""
    good, bad = (sentence.split() for sentence in pair)
    if len(good) != len(bad) or good == bad:
        return None
    if sum(one != other for one, other in zip(good, bad, strict=True)) == 1:
        return "word"
    # A word at the end carries the full stop, one at the beginning a capital letter.
    counts = [Counter(word.strip(".?").lower() for word in words) for words in (good, bad)]
    extra = (counts[0] - counts[1]).total()
    if extra == 0:
        return "order"
    return "noun" if extra == 1 else None


def shuffled_alike(pair: Pair, chooser: Choice) -> Pair:
    """Both sentences with their words in another order, the same for both.

    The control: what word frequency alone can tell stays, and grammar goes.
    """
    good, bad = (sentence.rstrip(".?").split() for sentence in pair)
    end = pair.good[-1]
    order = list(range(len(good)))
    while True:
        chooser.shuffle(order)
        if order != sorted(order):
            break
    return Pair(*(" ".join(words[at] for at in order) + end for words in (good, bad)))


# ruff: noqa: SIM905 - a hundred quotation marks would not read better
WOMEN = "Alice Amy Anna Emily Emma Helen Julia Karen Laura Linda Lisa Mary Nancy Rachel".split()
MEN = "Brian Daniel David Eric Frank George Henry Jason Kevin Mark Paul Peter Robert Simon".split()
PERSONS = (
    "actor customer dancer doctor driver farmer guest lawyer manager neighbor nurse painter "
    "singer student teacher waiter"
).split()
WOMANLY = {"woman": "women", "girl": "girls", "mother": "mothers", "daughter": "daughters"}
MANLY = {"man": "men", "boy": "boys", "father": "fathers", "son": "sons"}
THINGS = "book bottle box camera chair cup door key lamp letter picture table ticket window".split()
IRREGULAR = {
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
ADJECTIVES = "big black cheap clean dirty green large new old red small strange".split()
# Of people, by one to another: past tense and participle alike, never without an object.
ACTED = "admired blamed hired insulted praised trusted visited thanked".split()
ACTING = "admiring blaming hiring insulting praising trusting visiting thanking".split()
ACT = "admire blame hire insult praise trust visit thank".split()
INTRANSITIVE = "arrived coughed hesitated laughed sighed slept smiled vanished".split()
KNOWN = ("found out", "has learned", "knew", "remembered")


def plural(noun: str) -> str:
    known = IRREGULAR | WOMANLY | MANLY
    return known.get(noun) or f"{noun}{'es' if noun.endswith('x') else 's'}"


def _name(choose: Choice) -> str:
    return choose.choice(WOMEN + MEN)


def _two_names(choose: Choice) -> tuple[str, str]:
    one, other = choose.sample(WOMEN + MEN, 2)
    return one, other


def _woman_or_man(choose: Choice, women: Words = WOMEN, men: Words = MEN) -> tuple[str, bool]:
    is_woman = choose.random() < 0.5
    return choose.choice(women if is_woman else men), is_woman


def _self(is_woman: bool) -> str:
    return "herself" if is_woman else "himself"


def _filled(frame: str, good: str, bad: str) -> Pair:
    """A frame with one place, marked by an asterisk, that the two sentences fill differently."""
    return Pair(frame.replace("*", good), frame.replace("*", bad))


def _anaphor_gender(choose: Choice) -> Pair:
    name, is_woman = _woman_or_man(choose)
    verb = choose.choice(("blame", "defend", "describe", "hide", "hurt", "introduce", "trust"))
    auxiliary = choose.choice(("can", "could", "did not", "should", "will"))
    return _filled(f"{name} {auxiliary} {verb} *.", _self(is_woman), _self(not is_woman))


def _anaphor_number(choose: Choice) -> Pair:
    noun, is_woman = _woman_or_man(choose, list(WOMANLY), list(MANLY))
    one, many = _self(is_woman), "themselves"
    verb = choose.choice(("blame", "defend", "describe", "hide", "hurt", "introduce", "trust"))
    auxiliary = choose.choice(("can", "could", "did not", "should", "will"))
    if choose.random() < 0.5:
        return _filled(f"The {noun} {auxiliary} {verb} *.", one, many)
    return _filled(f"The {plural(noun)} {auxiliary} {verb} *.", many, one)


def _passive(choose: Choice) -> Pair:
    subject = choose.choice((_name(choose) + " was", f"The {plural(choose.choice(PERSONS))} were"))
    adverb = choose.choice(("", "not ", "often ", "never "))
    return _filled(f"{subject} {adverb}*.", choose.choice(ACTED), choose.choice(INTRANSITIVE))


def _inchoative(choose: Choice) -> Pair:
    thing = choose.choice(("box", "door", "gate", "curtain", "window", "drawer", "suitcase"))
    auxiliary = choose.choice(("had", "has", "might have", "must have"))
    return _filled(
        f"The {choose.choice(ADJECTIVES)} {thing} {auxiliary} *.",
        choose.choice(("opened", "closed", "moved", "changed", "burned")),
        choose.choice(("removed", "mentioned", "described", "carried", "praised", "bought")),
    )


def _case(choose: Choice) -> Pair:
    name, is_woman = _woman_or_man(choose)
    said = choose.choice(("thinks", "says", "believes", "explains", "knows"))
    other = choose.choice([one for one in WOMEN + MEN if one != name])
    end = f"{choose.choice(ACTED)} {other}"
    return _filled(f"{name} {said} that * {end}.", "she" if is_woman else "he", _self(is_woman))


def _reconstruction(choose: Choice) -> Pair:
    name, is_woman = _woman_or_man(choose)
    start = (
        f"{choose.choice(('It is', 'It was'))} {_self(is_woman)} {choose.choice(('that', 'who'))}"
    )
    verb = choose.choice(ACTED)
    return Pair(f"{start} {name} {verb}.", f"{start} {verb} {name}.")


def _subject_raising(choose: Choice) -> Pair:
    noun = choose.choice(PERSONS)
    doing = choose.choice(("waiting", "sleeping", "laughing", "complaining", "working", "singing"))
    auxiliary = choose.choice(("is", "was"))
    article = "an" if noun[0] in "aeiou" else "a"
    return _filled(
        f"There {auxiliary} * to be {article} {noun} {doing}.",
        choose.choice(("bound", "certain", "likely", "sure")),
        choose.choice(("able", "eager", "willing", "ready", "reluctant")),
    )


def _tough(choose: Choice) -> Pair:
    subject = choose.choice(
        (f"{_name(choose)} is", f"{_name(choose)} was", f"The {choose.choice(PERSONS)} was")
    )
    act = choose.choice(("argue with", "listen to", "live with", "rely on", "talk to", "work with"))
    return _filled(
        f"{subject} * to {act}.",
        choose.choice(("easy", "hard", "fun", "difficult", "pleasant")),
        choose.choice(("apt", "certain", "likely", "sure", "bound")),
    )


def _determiner(choose: Choice, nouns: Words, adjectives: Words) -> Pair:
    noun = choose.choice(nouns)
    is_one = choose.random() < 0.5
    determiner = choose.choice(("this", "that") if is_one else ("these", "those"))
    forms = (noun, plural(noun)) if is_one else (plural(noun), noun)
    adjective = choose.choice(adjectives)
    verb = choose.choice(("drew", "found", "saw", "noticed", "watched", "touched"))
    return _filled(f"{_name(choose)} {verb} {determiner}{adjective} *.", *forms)


def _ellipsis(choose: Choice, both_adjectives: bool) -> Pair:
    one, other = _two_names(choose)
    noun = plural(choose.choice(THINGS))
    verb = choose.choice(("bought", "found", "sold", "saw", "moved"))
    first, second = choose.sample(("two", "three", "four", "five", "six"), 2)
    adjective, another = choose.sample(ADJECTIVES, 2)
    start, then = f"{one} {verb} {first}", f"and {other} {verb} {second}"
    if both_adjectives:
        return Pair(
            f"{start} {noun} {then} {adjective} {noun}.",
            f"{start} {another} {noun} {then} {adjective}.",
        )
    return Pair(
        f"{start} {adjective} {noun} {then}.",
        f"{start} {noun} {then} {adjective}.",
    )


def _no_gap(choose: Choice) -> Pair:
    one, other = _two_names(choose)
    people = f"the {plural(choose.choice(PERSONS))} {choose.choice(ACTED)}"
    return _filled(f"{one} {choose.choice(KNOWN)} * {people} {other}.", "that", "who")


def _with_gap(choose: Choice) -> Pair:
    people = f"the {plural(choose.choice(PERSONS))} {choose.choice(ACTED)}"
    return _filled(f"{_name(choose)} {choose.choice(KNOWN)} * {people}.", "who", "that")


BROKEN = {
    "broken": ("broke", ("bottle", "chair", "cup", "window", "table")),
    "chosen": ("chose", ("book", "picture", "chair", "camera")),
    "forgotten": ("forgot", ("key", "letter", "ticket", "book")),
    "frozen": ("froze", ("bottle", "lake", "river", "window")),
    "hidden": ("hid", ("box", "door", "key", "letter", "camera")),
    "stolen": ("stole", ("camera", "picture", "ticket", "lamp")),
    "torn": ("tore", ("letter", "ticket", "picture", "shirt")),
    "worn": ("wore", ("shirt", "coat", "hat")),
    "written": ("wrote", ("letter", "book", "note")),
}


def _participle_before_noun(choose: Choice) -> Pair:
    participle = choose.choice(list(BROKEN))
    past, things = BROKEN[participle]
    end = f"{choose.choice(things)} {choose.choice(('is', 'was'))} {choose.choice(ADJECTIVES)}"
    return _filled(f"The * {end}.", participle, past)


def _participle_as_past(choose: Choice) -> Pair:
    participle = choose.choice(list(BROKEN))
    past, things = BROKEN[participle]
    subject = choose.choice((_name(choose), f"The {choose.choice(PERSONS)}"))
    determiner = choose.choice(("the", "that", "this"))
    return _filled(f"{subject} * {determiner} {choose.choice(things)}.", past, participle)


def _adjunct(choose: Choice) -> Pair:
    one, other = _two_names(choose)
    when = choose.choice(("after", "before", "while"))
    start = f"Who {choose.choice(('did', 'should', 'will'))} {one} {choose.choice(ACT)}"
    doing = choose.choice(ACTING)
    return Pair(f"{start} {when} {doing} {other}?", f"{start} {other} {when} {doing}?")


def _sentential_subject(choose: Choice) -> Pair:
    one, other = _two_names(choose)
    whose = choose.choice((f"{one}'s", f"the {choose.choice(PERSONS)}'s"))
    start = f"Who {choose.choice(('has', 'had'))} {whose} {choose.choice(ACTING)}"
    verb = choose.choice(("annoyed", "surprised", "shocked", "upset", "amused", "worried"))
    return Pair(f"{start} {other} {verb}?", f"{start} {verb} {other}?")


def _negation(choose: Choice) -> Pair:
    subject, auxiliary = choose.choice(
        (
            (_name(choose), "has"),
            (_name(choose), "had"),
            (f"The {plural(choose.choice(PERSONS))}", "have"),
            (f"The {plural(choose.choice(PERSONS))}", "had"),
        )
    )
    other = choose.choice([one for one in WOMEN + MEN if one != subject])
    return _filled(
        f"{subject} {auxiliary} * ever {choose.choice(ACTED)} {other}.",
        "not",
        choose.choice(("really", "probably", "certainly", "clearly")),
    )


def _npi(choose: Choice) -> Pair:
    one, other = _two_names(choose)
    subject = choose.choice((one, f"The {plural(choose.choice(PERSONS))}"))
    adverb = choose.choice(("really", "often", "also", "probably"))
    return _filled(f"{subject} * {choose.choice(ACTED)} {other}.", adverb, "ever")


def _doing(choose: Choice) -> str:
    return choose.choice(
        ("waiting", "sleeping", "laughing", "complaining", "working", "singing", "smiling")
    )


def _there(choose: Choice) -> Pair:
    noun = choose.choice([one for one in PERSONS if one[0] not in "aeiou"])
    auxiliary = choose.choice(("is", "was"))
    if choose.random() < 0.5:
        good, bad = choose.choice(("a", "no")), choose.choice(("each", "every"))
    else:
        good, bad = choose.choice(("some", "many", "few", "no")), choose.choice(("all", "most"))
        noun, auxiliary = plural(noun), {"is": "are", "was": "were"}[auxiliary]
    return _filled(f"There {auxiliary} * {noun} {_doing(choose)}.", good, bad)


def _quantifier_first(choose: Choice) -> Pair:
    noun, auxiliary = choose.choice(PERSONS), choose.choice(("is", "was"))
    quantifier = choose.choice(("each", "every", "all", "most"))
    if quantifier in ("all", "most"):
        noun, auxiliary = plural(noun), {"is": "are", "was": "were"}[auxiliary]
    doing = _doing(choose)
    return Pair(
        f"{quantifier.capitalize()} {noun} {auxiliary} there {doing}.",
        f"There {auxiliary} {quantifier} {noun} {doing}.",
    )


def _agreement(choose: Choice) -> Pair:
    noun = choose.choice(PERSONS)
    forms = choose.choice((("is", "are"), ("was", "were"), ("has", "have")))
    act = choose.choice(ACTED if forms[0] == "has" else ACTING)
    end = f"{act} {_name(choose)}"
    if choose.random() < 0.5:
        return _filled(f"The {noun} * {end}.", *forms)
    return _filled(f"The {plural(noun)} * {end}.", *reversed(forms))


def _distractor(choose: Choice) -> Pair:
    noun, other = choose.sample(PERSONS, 2)
    forms = choose.choice((("is", "are"), ("was", "were"), ("has", "have")))
    act = choose.choice(ACTED if forms[0] == "has" else ACTING)
    end = f"{act} {_name(choose)}"
    clause = f"{choose.choice(('that', 'who'))} {choose.choice(ACTED)}"
    if choose.random() < 0.5:
        return _filled(f"The {noun} {clause} the {plural(other)} * {end}.", *forms)
    return _filled(f"The {plural(noun)} {clause} the {other} * {end}.", *reversed(forms))


PARADIGMS = (
    Paradigm(
        "anaphor_gender_agreement",
        "anaphor_agreement",
        "a reflexive has the gender of the person whom it stands for",
        "word",
        _anaphor_gender,
    ),
    Paradigm(
        "anaphor_number_agreement",
        "anaphor_agreement",
        "a reflexive has the number of those whom it stands for",
        "word",
        _anaphor_number,
    ),
    Paradigm(
        "passive_2",
        "argument_structure",
        "only a verb that takes an object has a passive",
        "word",
        _passive,
    ),
    Paradigm(
        "inchoative",
        "argument_structure",
        "a door can open by itself, but not mention by itself",
        "word",
        _inchoative,
    ),
    Paradigm(
        "principle_A_case_1",
        "binding",
        "a reflexive is no subject",
        "word",
        _case,
    ),
    Paradigm(
        "principle_A_reconstruction",
        "binding",
        "a reflexive in front is read where it came from, below the one whom it stands for",
        "order",
        _reconstruction,
    ),
    Paradigm(
        "existential_there_subject_raising",
        "control_raising",
        "somebody can be eager; 'there' cannot",
        "word",
        _subject_raising,
    ),
    Paradigm(
        "tough_vs_raising_1",
        "control_raising",
        "who is easy to talk to is talked to; who is likely to talk needs somebody to talk to",
        "word",
        _tough,
    ),
    Paradigm(
        "determiner_noun_agreement_1",
        "determiner_noun_agreement",
        "a noun has the number of its determiner",
        "word",
        lambda choose: _determiner(choose, THINGS, ("",)),
    ),
    Paradigm(
        "determiner_noun_agreement_with_adj_irregular_1",
        "determiner_noun_agreement",
        "so does a noun with an irregular plural, after an adjective",
        "word",
        lambda choose: _determiner(choose, list(IRREGULAR), [f" {one}" for one in ADJECTIVES]),
    ),
    Paradigm(
        "ellipsis_n_bar_1",
        "ellipsis",
        "a noun is left out with the adjective that it was first given",
        "order",
        lambda choose: _ellipsis(choose, both_adjectives=False),
    ),
    Paradigm(
        "ellipsis_n_bar_2",
        "ellipsis",
        "a noun is not left out after an adjective of its own",
        "noun",
        lambda choose: _ellipsis(choose, both_adjectives=True),
    ),
    Paradigm(
        "wh_vs_that_no_gap",
        "filler_gap_dependency",
        "'who' needs a gap to fill",
        "word",
        _no_gap,
    ),
    Paradigm(
        "wh_vs_that_with_gap",
        "filler_gap_dependency",
        "a gap needs 'who' to fill it",
        "word",
        _with_gap,
    ),
    Paradigm(
        "irregular_past_participle_adjectives",
        "irregular_forms",
        "before a noun stands the participle",
        "word",
        _participle_before_noun,
    ),
    Paradigm(
        "irregular_past_participle_verbs",
        "irregular_forms",
        "without an auxiliary stands the past tense",
        "word",
        _participle_as_past,
    ),
    Paradigm(
        "adjunct_island",
        "island_effects",
        "'who' is not taken out of a clause that begins with after, before or while",
        "order",
        _adjunct,
    ),
    Paradigm(
        "sentential_subject_island",
        "island_effects",
        "'who' is not taken out of a subject that is itself a clause",
        "order",
        _sentential_subject,
    ),
    Paradigm(
        "sentential_negation_npi_licensor_present",
        "npi_licensing",
        "'ever' needs a negation before it",
        "word",
        _negation,
    ),
    Paradigm(
        "npi_present_2",
        "npi_licensing",
        "without a negation or a question there is no 'ever'",
        "word",
        _npi,
    ),
    Paradigm(
        "existential_there_quantifiers_1",
        "quantifiers",
        "'there is' takes a, no, some or many; not each, every, all or most",
        "word",
        _there,
    ),
    Paradigm(
        "existential_there_quantifiers_2",
        "quantifiers",
        "each, every, all and most stand before 'is there', not after 'there is'",
        "order",
        _quantifier_first,
    ),
    Paradigm(
        "regular_plural_subject_verb_agreement_1",
        "subject_verb_agreement",
        "a verb has the number of its subject",
        "word",
        _agreement,
    ),
    Paradigm(
        "distractor_agreement_relative_clause",
        "subject_verb_agreement",
        "also when another noun stands between",
        "word",
        _distractor,
    ),
)
