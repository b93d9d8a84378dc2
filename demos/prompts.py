"""Prompts with one right answer, and the corrupted versions that serve as controls.

Indirect object identification (IOI): "When Mary and John went to the store, John gave a drink to"
asks for " Mary", the indirect object (IO); " John", the subject (S), is the wrong name. Templates,
places, objects and the two orders are those of Wang et al. 2022, arXiv:2211.00593, section 2 and
appendix E.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from jaxtyping import Int
from torch import Tensor

Order = Literal["ABBA", "BABA"]
ORDERS: tuple[Order, ...] = ("ABBA", "BABA")

# The names stand in the slots {first}, {second} and {actor}; the answer would follow the last word.
TEMPLATES = (
    "Then, {first} and {second} went to the {place}. {actor} gave a {object} to",
    "Then, {first} and {second} had a lot of fun at the {place}. {actor} gave a {object} to",
    "Then, {first} and {second} were working at the {place}. {actor} decided to give a {object} to",
    "Then, {first} and {second} were thinking about going to the {place}. "
    "{actor} wanted to give a {object} to",
    "Then, {first} and {second} had a long argument, and afterwards {actor} said to",
    "After {first} and {second} went to the {place}, {actor} gave a {object} to",
    "When {first} and {second} got a {object} at the {place}, {actor} decided to give it to",
    "When {first} and {second} got a {object} at the {place}, "
    "{actor} decided to give the {object} to",
    "While {first} and {second} were working at the {place}, {actor} gave a {object} to",
    "While {first} and {second} were commuting to the {place}, {actor} gave a {object} to",
    "After the lunch, {first} and {second} went to the {place}. {actor} gave a {object} to",
    "Afterwards, {first} and {second} went to the {place}. {actor} gave a {object} to",
    "Then, {first} and {second} had a long argument. Afterwards {actor} said to",
    "The {place} {first} and {second} went to had a {object}. {actor} gave it to",
    "Friends {first} and {second} found a {object} at the {place}. {actor} gave it to",
)
PLACES = ("store", "garden", "restaurant", "school", "hospital", "office", "house", "station")
OBJECTS = ("ring", "kiss", "bone", "basketball", "computer", "necklace", "drink", "snack")
# Our own choice of common first names; the paper has about a hundred of its own.
NAMES = tuple(
    """
    Aaron Adam Alan Alex Alice Amanda Amy Andrew Angela Anna Anne Anthony Arthur Ben Beth Bill Bob
    Brian Carl Carol Charles Chris Claire Colin Craig Daniel David Dean Diana Donald Dorothy Edward
    Elizabeth Ellen Emily Emma Eric Eva Frank Gary George Grace Greg Harry Helen Henry Howard Ian
    Jack Jacob James Jane Jason Jean Jeff Jennifer Jessica Jim Joan Joe John Joseph Julia Justin
    Karen Kate Keith Kelly Kevin Larry Laura Lauren Lee Linda Lisa Louis Lucy Luke Maria Mark Martha
    Martin Mary Matthew Max Melissa Michael Mike Nancy Neil Nick Oliver Oscar Patrick Paul Peter
    Philip Rachel Ralph Rebecca Richard Robert Roger Rose Roy Ruth Ryan Sam Samuel Sara Sarah Scott
    Simon Sophie Stephen Steve Susan Thomas Tim Tom Victor Victoria Walter William
    """.split()  # noqa: SIM905 - a hundred quotation marks would not read better
)


class Tokenizer(Protocol):
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...


@dataclass(frozen=True)
class Sentence:
    """One prompt before it is tokens.

    `names` are the names it says, in order: first, second, actor. `io` and `s` are the right and
    the wrong answer; a corrupted sentence keeps those of the sentence that it corrupts.
    `order` is ABBA when the indirect object is named first, BABA when the subject is.
    """

    template: int
    order: Order
    names: tuple[str, str, str]
    io: str
    s: str
    place: str
    object: str

    @property
    def text(self) -> str:
        first, second, actor = self.names
        return TEMPLATES[self.template].format(
            first=first, second=second, actor=actor, place=self.place, object=self.object
        )


@dataclass(frozen=True)
class IOIPrompts:
    """A batch of prompts with the same number of tokens: nothing is padded.

    The tokenizer adds no beginning-of-text token, and neither do we.
    """

    sentences: tuple[Sentence, ...]
    tokens: Int[Tensor, "batch position"]
    io: Int[Tensor, " batch"]
    s: Int[Tensor, " batch"]
    name_positions: Int[Tensor, "batch 3"]  # of the first, the second and the acting name
    name_tokens: Mapping[str, int]  # every name that this tokenizer has as one token

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def text(self) -> list[str]:
        return [sentence.text for sentence in self.sentences]

    @property
    def template(self) -> list[int]:
        return [sentence.template for sentence in self.sentences]

    @property
    def order(self) -> list[Order]:
        return [sentence.order for sentence in self.sentences]

    @property
    def positions(self) -> dict[str, Int[Tensor, " batch"]]:
        """Where each prompt has "IO", "S1", "S1+1", "S2" and "END", as the paper names them."""
        first, second, actor = self.name_positions.unbind(dim=1)
        io_first = torch.tensor([order == "ABBA" for order in self.order], device=first.device)
        s1 = torch.where(io_first, second, first)
        return {
            "IO": torch.where(io_first, first, second),
            "S1": s1,
            "S1+1": s1 + 1,
            "S2": actor,
            "END": torch.full_like(actor, self.tokens.shape[1] - 1),
        }

    def swapped(self) -> "IOIPrompts":
        """The other person acts in the last clause, so the other name is the right answer.

        Every token but that one stays, which makes the pair fit for activation patching.
        """
        flipped: dict[Order, Order] = {"ABBA": "BABA", "BABA": "ABBA"}
        sentences = tuple(
            replace(
                sentence,
                names=(*sentence.names[:2], sentence.io),
                order=flipped[sentence.order],
                io=sentence.s,
                s=sentence.io,
            )
            for sentence in self.sentences
        )
        return replace(self._renamed(sentences), io=self.s, s=self.io)

    def corrupted_abc(self, seed: int = 0) -> "IOIPrompts":
        """Three new, different names in each prompt: no name repeats, so nothing is asked.

        `io` and `s` stay those of the clean prompts, to measure what the corruption takes away.
        Source: the distribution p_ABC of Wang et al. 2022, section 2.1.
        """
        chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
        sentences = []
        for sentence in self.sentences:
            others = [name for name in self.name_tokens if name not in {sentence.io, sentence.s}]
            first, second, actor = chooser.sample(others, 3)
            sentences.append(replace(sentence, names=(first, second, actor)))
        return self._renamed(tuple(sentences))

    def _renamed(self, sentences: tuple[Sentence, ...]) -> "IOIPrompts":
        """The same tokens with the names of other sentences; each name is one token."""
        ids = [[self.name_tokens[name] for name in sentence.names] for sentence in sentences]
        tokens = self.tokens.scatter(1, self.name_positions, torch.tensor(ids).to(self.tokens))
        return replace(self, sentences=sentences, tokens=tokens)


def single_tokens(words: Iterable[str], tokenizer: Tokenizer) -> dict[str, int]:
    """The words that are one token with a space before them, each with its id."""
    encoded = {word: tokenizer.encode(f" {word}", add_special_tokens=False) for word in words}
    return {word: ids[0] for word, ids in encoded.items() if len(ids) == 1}


def ioi_sentences(
    tokenizer: Tokenizer,
    per_template: int,
    seed: int,
    templates: Sequence[int] = range(len(TEMPLATES)),
    orders: Sequence[Order] = ORDERS,
) -> list[Sentence]:
    """`per_template` sentences for each template and order, all drawn with one seed.

    Names, places and objects that are not one token are left out.
    Raises ValueError if the tokenizer leaves fewer than five names, or no place or object.
    """
    names = list(single_tokens(NAMES, tokenizer))
    places = list(single_tokens(PLACES, tokenizer))
    objects = list(single_tokens(OBJECTS, tokenizer))
    if len(names) < 5 or not places or not objects:  # two names, and three more to corrupt them
        raise ValueError(
            f"this tokenizer has {len(names)} names, {len(places)} places and {len(objects)} "
            "objects as single tokens; at least 5, 1 and 1 are needed"
        )
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
    sentences = []
    for template in templates:
        for order in orders:
            for _ in range(per_template):
                io, s = chooser.sample(names, 2)
                first, second = (io, s) if order == "ABBA" else (s, io)
                place, thing = chooser.choice(places), chooser.choice(objects)
                sentences.append(Sentence(template, order, (first, second, s), io, s, place, thing))
    return sentences


def ioi_batch(sentences: Sequence[Sentence], tokenizer: Tokenizer) -> IOIPrompts:
    """The sentences as one batch.

    Raises ValueError if their token counts differ, or if a name is not one token where it stands.
    """
    if not sentences:
        raise ValueError("a batch needs at least one sentence")
    encoded = [tokenizer.encode(one.text, add_special_tokens=False) for one in sentences]
    lengths = sorted({len(ids) for ids in encoded})
    if len(lengths) > 1:
        raise ValueError(
            f"prompts of {', '.join(map(str, lengths))} tokens do not fit in one batch; "
            "ioi_batches() groups them by length"
        )
    known = single_tokens(NAMES, tokenizer)
    for sentence in sentences:
        for name in {*sentence.names, sentence.io, sentence.s} - known.keys():
            raise ValueError(f"the name {name!r} is not one token, or not in NAMES")
    return IOIPrompts(
        sentences=tuple(sentences),
        tokens=torch.tensor(encoded),
        io=torch.tensor([known[one.io] for one in sentences]),
        s=torch.tensor([known[one.s] for one in sentences]),
        name_positions=torch.tensor(
            [
                _name_positions(ids, [known[name] for name in one.names])
                for ids, one in zip(encoded, sentences, strict=True)
            ]
        ),
        name_tokens=known,
    )


def ioi_batches(sentences: Iterable[Sentence], tokenizer: Tokenizer) -> list[IOIPrompts]:
    """The sentences in as few batches as their lengths allow, the shortest first."""
    by_length: dict[int, list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        by_length[len(tokenizer.encode(sentence.text, add_special_tokens=False))].append(sentence)
    return [ioi_batch(by_length[length], tokenizer) for length in sorted(by_length)]


def _name_positions(ids: Sequence[int], names: Sequence[int]) -> tuple[int, int, int]:
    """Positions of the two names that open the sentence, and of the one that acts at its end."""
    first, second, actor = names
    return ids.index(first), ids.index(second), len(ids) - 1 - list(reversed(ids)).index(actor)
