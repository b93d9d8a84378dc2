"""What a model knows, what it says, and how sure it is: questions about facts in many formats.

A *format* turns an argument into a question, as in `demos.relation_tasks`. The same fact can be
asked for twice: does the model *say* the answer (its likeliest next token of all), and does it
*know* it (likeliest of all answers of the relation)? The second does not care for a format after
which the answer would stand later, or after an article.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.relation_tasks import Pair

if TYPE_CHECKING:
    from demos.runs import Engine

# Names of states that are none; made of syllables that names of states have.
INVENTED = tuple(
    """
    Abrenia Balkoria Cambala Dorvenia Eslovar Fandora Galmistan Harzegonia Iskaria Jelonia Kavistan
    Lurania Marovia Nabistan Orlandia Pelgaria Quintaria Rumelda Sorvania Tarkania Urvania Velmark
    Wendoria Zambora
    """.split()  # noqa: SIM905 - two dozen quotation marks would not read better
)
LANGUAGES = """
    Argentina:Spanish Austria:German Brazil:Portuguese China:Chinese Denmark:Danish Egypt:Arabic
    Finland:Finnish France:French Germany:German Greece:Greek Hungary:Hungarian Iceland:Icelandic
    Iran:Persian Israel:Hebrew Italy:Italian Japan:Japanese Mexico:Spanish Netherlands:Dutch
    Norway:Norwegian Poland:Polish Portugal:Portuguese Romania:Romanian Russia:Russian Spain:Spanish
    Sweden:Swedish Thailand:Thai Turkey:Turkish Ukraine:Ukrainian Vietnam:Vietnamese
    """
ELEMENTS = """
    Ag:silver Al:aluminum Ar:argon Au:gold Ba:barium Br:bromine Ca:calcium Cl:chlorine Co:cobalt
    Cr:chromium Cu:copper Fe:iron H:hydrogen He:helium Hg:mercury K:potassium Li:lithium
    Mg:magnesium N:nitrogen Na:sodium Ne:neon Ni:nickel O:oxygen P:phosphorus Pb:lead Pt:platinum
    S:sulfur Si:silicon Sn:tin Ti:titanium U:uranium W:tungsten Zn:zinc
    """


def languages() -> list[Pair]:
    """States and the language that most people there speak."""
    return _pairs(LANGUAGES)


def elements() -> list[Pair]:
    """Chemical symbols and the elements' names."""
    return _pairs(ELEMENTS)


def _pairs(listed: str) -> list[Pair]:
    return [Pair(*entry.split(":")) for entry in listed.split()]


def next_logits(
    engine: Engine, start: Sequence[int], questions: Sequence[Sequence[int]]
) -> Float[Tensor, "question d_vocab"]:
    """The logits after each question, all of which follow the same `start`.

    The start, such as examples, is computed once. Questions may differ in length.
    Raises ValueError if the start or a question is empty.
    """
    if not start or not all(questions):
        raise ValueError("the start and every question need a token at least")
    longest = max(map(len, questions))
    rows = [[*question, *[question[-1]] * (longest - len(question))] for question in questions]
    first = len(start)
    with torch.no_grad():
        shared = engine.run(torch.tensor([list(start)]))
        positions = torch.arange(first, first + longest)
        embedded = engine.gpt.embed(torch.tensor(rows), positions)
        final = engine.resume(shared, first, {0: embedded[None]}, {}, only_last=False)[0]
        ends = torch.tensor([len(question) - 1 for question in questions])
        return engine.unembed(final[torch.arange(len(ends)), ends])


@dataclass(frozen=True)
class Replies:
    """What a model would say first to each question, and what it holds of the possible answers."""

    said: Int[Tensor, " question"]  # the likeliest token of all
    confidence: Float[Tensor, " question"]  # its probability
    says: Bool[Tensor, " question"]  # it is the right answer's first token
    knows: Bool[Tensor, " question"]  # the right answer leads all others of the relation


def judge(
    logits: Float[Tensor, "question d_vocab"],
    right: Sequence[int],
    answers: Sequence[int],
) -> Replies:
    """Replies to questions, by the first tokens of the right answers and of all answers.

    Raises ValueError if a right answer is not among the answers.
    """
    if missing := set(right) - set(answers):
        raise ValueError(f"the right answer {min(missing)} is not among the answers")
    probabilities = logits.softmax(dim=-1)
    confidence, said = probabilities.max(dim=-1)
    wanted = torch.tensor(right)
    offered = torch.tensor(sorted(set(answers)))
    best = offered[logits[:, offered].argmax(dim=-1)]
    return Replies(said, confidence, said == wanted, best == wanted)


@dataclass(frozen=True)
class Bin:
    """Replies of like confidence."""

    low: float
    high: float
    n: int
    confidence: float  # the mean
    right: int


def calibration(
    confidence: Float[Tensor, " reply"], right: Bool[Tensor, " reply"], bins: int = 5
) -> list[Bin]:
    """Replies by confidence, in bins of equal width from 0 to 1; empty ones are left out."""
    at = (confidence * bins).long().clamp(max=bins - 1)
    found = []
    for n in range(bins):
        here = at == n
        if count := int(here.sum()):
            mean = confidence[here].mean().item()
            found.append(Bin(n / bins, (n + 1) / bins, count, mean, int(right[here].sum())))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance between confidence and share right, weighted by replies; 0 is calibrated.

    Source: expected calibration error as in Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.confidence - one.right / one.n) for one in bins) / total
