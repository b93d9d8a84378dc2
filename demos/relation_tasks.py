"""Words in a relation, and the prompts that ask for it.

A *pair* is an argument and its answer: Poland and Warsaw, walk and walked, bread and Bread. A
*format* turns a pair into a prompt; the same knowledge asked in another format is another
experiment. Nothing here imports torch.

Source: Merullo et al. 2023, arXiv:2305.16130, section 2.2, for the three relations; lists and
formats are our own. `data/capitals.csv`: 147 states and their capitals, compared with GeoNames;
left out are states with several seats of government or a disputed one, and most small ones.
"""

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from demos.prompts import Tokenizer
from demos.texts import english_documents

CAPITALS = Path(__file__).parent / "data" / "capitals.csv"
REGULAR_VERBS = tuple(
    """
    accept add agree allow answer appear apply arrive ask attempt believe call carry change check
    claim clean close collect compare complain complete connect consider contain continue cook cover
    create cry dance decide deliver depend describe design destroy develop discover discuss end
    enjoy enter examine exist expect explain express fail fill finish follow force gain happen help
    hope identify imagine improve include increase indicate inform introduce invite involve join
    jump kick kill laugh learn like limit listen live look love manage marry measure mention miss
    move need notice obtain offer open order own paint pass perform place play point prepare present
    press prevent produce promise protect prove publish pull push raise reach realize receive record
    reduce reflect refuse remain remember remove repeat replace reply report represent require rest
    result return reveal save seem serve share shout show smile sound start state stay study succeed
    suffer suggest supply support suppose talk test thank touch train travel treat try turn use
    visit wait walk want warn wash watch wish wonder work worry
    """.split()  # noqa: SIM905 - a hundred quotation marks would not read better
)
IRREGULAR_PAST = """
    become:became begin:began break:broke bring:brought build:built buy:bought catch:caught
    choose:chose come:came drink:drank drive:drove eat:ate fall:fell feel:felt fight:fought
    find:found fly:flew forget:forgot get:got give:gave go:went grow:grew hear:heard hold:held
    keep:kept know:knew lead:led leave:left lose:lost make:made mean:meant meet:met pay:paid run:ran
    say:said see:saw sell:sold send:sent sing:sang sit:sat sleep:slept speak:spoke spend:spent
    stand:stood steal:stole swim:swam take:took teach:taught tell:told think:thought throw:threw
    wake:woke wear:wore win:won write:wrote
    """


class Pair(NamedTuple):
    argument: str
    answer: str


@dataclass(frozen=True)
class Format:
    """How a relation is asked: `question` has {x}; `example`, put before it, has {x} and {y}."""

    name: str
    question: str
    example: str

    def prompt(self, argument: str, examples: Iterable[Pair] = ()) -> str:
        shown = "".join(self.example.format(x=one.argument, y=one.answer) for one in examples)
        return shown + self.question.format(x=argument)


class Asked(NamedTuple):
    """A prompt as tokens, with the first token of its argument and of its answer."""

    pair: Pair
    tokens: list[int]
    argument: int
    answer: int


def capitals() -> list[Pair]:
    """States and their capitals."""
    with CAPITALS.open(encoding="utf-8", newline="") as file:
        return [Pair(row["country"], row["capital"]) for row in csv.DictReader(file)]


def regular_past() -> list[Pair]:
    return [Pair(verb, past_tense(verb)) for verb in REGULAR_VERBS]


def irregular_past() -> list[Pair]:
    return [Pair(*entry.split(":")) for entry in IRREGULAR_PAST.split()]


def past_tense(verb: str) -> str:
    """Of a regular verb whose last consonant is not doubled."""
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}ed"


def upper_case(words: Iterable[str]) -> list[Pair]:
    return [Pair(word, word.capitalize()) for word in words]


def ordinary_words(tokenizer: Tokenizer) -> list[str]:
    """Lower-case words of at least four letters in our English text that are one token, sorted."""
    text = " ".join(english_documents("fit").values())
    words = sorted(set(re.findall(r"(?<= )[a-z]{4,}(?= )", text)))
    return [word for word in words if len(word_tokens(word, tokenizer)) == 1]


def word_tokens(word: str, tokenizer: Tokenizer) -> list[int]:
    """The tokens of a word as it stands in the middle of a text: with a space before it."""
    return tokenizer.encode(f" {word}", add_special_tokens=False)


def told_apart(
    pairs: Sequence[Pair],
    tokenizer: Tokenizer,
    *,
    short_argument: bool = False,
    short_answer: bool = False,
) -> list[Pair]:
    """The pairs whose first tokens say which word is meant.

    Left out are those whose argument and answer begin with the same token, where a model that
    repeats the argument looks as if it had answered, and those whose answer begins like another
    pair's. `short_argument`, `short_answer`: also those of which it is not one token.
    """
    encoded = [[word_tokens(word, tokenizer) for word in pair] for pair in pairs]
    begun = Counter(answer[0] for _, answer in encoded)
    return [
        pair
        for pair, (argument, answer) in zip(pairs, encoded, strict=True)
        if argument[0] != answer[0]
        and begun[answer[0]] == 1
        and not (short_argument and len(argument) > 1)
        and not (short_answer and len(answer) > 1)
    ]


def ask(
    pairs: Sequence[Pair],
    fmt: Format,
    examples: int,
    known: Sequence[Pair],
    tokenizer: Tokenizer,
    chooser: random.Random,
) -> list[Asked]:
    """A prompt for each pair, with so many examples drawn from the other `known` pairs."""
    asked = []
    for pair in pairs:
        shown = chooser.sample([other for other in known if other != pair], examples)
        prompt = tokenizer.encode(fmt.prompt(pair.argument, shown), add_special_tokens=False)
        asked.append(_asked(pair, prompt, tokenizer))
    return asked


def tell(pairs: Sequence[Pair], fmt: Format, tokenizer: Tokenizer) -> list[Asked]:
    """A prompt for each pair in which the one example is the pair itself, to be copied."""
    return [
        _asked(
            pair,
            tokenizer.encode(fmt.prompt(pair.argument, [pair]), add_special_tokens=False),
            tokenizer,
        )
        for pair in pairs
    ]


def unrelated(
    pairs: Sequence[Pair],
    words: Sequence[str],
    tokenizer: Tokenizer,
    chooser: random.Random,
    repeats: int = 3,
) -> list[Asked]:
    """Three random words and the argument, again and again; the argument comes next.

    Nothing in such a text hints at the relation. All are equally long where the arguments are one
    token. Source: Merullo et al. 2023, section 4.1; their text repeats twice.
    """
    contexts = []
    for pair in pairs:
        drawn = chooser.sample([word for word in words if word not in pair], 3)
        start = [word_tokens(word, tokenizer)[0] for word in drawn]
        round_of = [*start, *word_tokens(pair.argument, tokenizer)]
        contexts.append(_asked(pair, round_of * repeats + start, tokenizer))
    return contexts


def _asked(pair: Pair, prompt: list[int], tokenizer: Tokenizer) -> Asked:
    argument, answer = (word_tokens(word, tokenizer)[0] for word in pair)
    return Asked(pair, prompt, argument, answer)
