"""Is a name referred to by what it is, or by where it stands? The counterfactuals that tell.

An IOI prompt says two names and then one of them again. What a head passes on about the repeated
name can be the name itself (a value) or which of the two it was (a pointer). Six prompts tell the
two apart: the name as it was, a random one, or the other one, each at the place as it was or at the
other place. Source: Wang et al. 2022, arXiv:2211.00593, appendix A.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.prompts import IOIPrompts

# (place, name) of the repeated name: +1 as in the prompt, -1 the other one, 0 a random name.
CELLS: tuple[tuple[int, int], ...] = ((1, 1), (1, 0), (1, -1), (-1, 1), (-1, 0), (-1, -1))


def counterfactuals(batch: IOIPrompts, seed: int) -> dict[tuple[int, int], IOIPrompts]:
    """The prompts of a batch with the repeated name's place and identity as each cell says.

    `io` and `s` stay those of the batch, to measure what the change does to its answer.
    """
    chooser = random.Random(seed)  # noqa: S311 - a seed, not a secret
    new = [
        chooser.sample([name for name in batch.name_tokens if name not in {one.io, one.s}], 2)
        for one in batch.sentences
    ]
    found = {}
    for place, name in CELLS:
        sentences = []
        for one, (random_first, random_second) in zip(batch.sentences, new, strict=True):
            first, second, actor = one.names
            which = (first, second).index(actor) if place == 1 else 1 - (first, second).index(actor)
            if name == 0:
                pair = (random_first, random_second)
            else:
                acting = actor if name == 1 else (first if actor == second else second)
                other = first if acting == second else second
                pair = (acting, other) if which == 0 else (other, acting)
            sentences.append(replace(one, names=(*pair, pair[which])))
        ids = [[batch.name_tokens[said] for said in one.names] for one in sentences]
        tokens = batch.tokens.scatter(1, batch.name_positions, torch.tensor(ids).to(batch.tokens))
        found[place, name] = replace(batch, sentences=tuple(sentences), tokens=tokens)
    return found


@dataclass(frozen=True)
class Fit:
    """Logit difference = intercept + place * its sign + name * its sign, for each prompt."""

    intercept: Float[Tensor, " prompt"]
    place: Float[Tensor, " prompt"]
    name: Float[Tensor, " prompt"]
    r2: float  # of the six means


def fit(cells: Float[Tensor, "cell prompt"]) -> Fit:
    """Least squares over CELLS, in their order. Raises ValueError for another number of cells.

    A mean over prompts of a coefficient is the coefficient of the means.
    """
    if len(cells) != len(CELLS):
        raise ValueError(f"{len(CELLS)} cells, as CELLS lists them, not {len(cells)}")
    signs = torch.tensor(CELLS, dtype=torch.float64)
    design = torch.cat([torch.ones(len(CELLS), 1, dtype=torch.float64), signs], dim=1)
    solved = torch.linalg.lstsq(design, cells.double()).solution  # (3, prompt)
    means = cells.double().mean(dim=1)
    left = (means - design @ solved.mean(dim=1)).pow(2).sum()
    spread = (means - means.mean()).pow(2).sum()
    r2 = 1 - (left / spread).item() if spread > 0 else 1.0
    return Fit(*solved.float(), r2)


def prefixed(
    tokens: Int[Tensor, "batch position"], prefix: Sequence[int]
) -> Int[Tensor, "batch longer"]:
    """The prompts behind some other tokens: every name moves, no distance between two changes."""
    row = torch.tensor(list(prefix), dtype=tokens.dtype, device=tokens.device)
    return torch.cat([row.expand(len(tokens), -1), tokens], dim=1)


def stretched(batch: IOIPrompts, inserted: Sequence[int]) -> Int[Tensor, "batch longer"]:
    """The prompts with some tokens put in behind the second name.

    The repeated name then stands further from both of its possible antecedents; which of the two
    names it repeats stays.
    """
    rows = []
    words = torch.tensor(list(inserted), dtype=batch.tokens.dtype, device=batch.tokens.device)
    for row, places in zip(batch.tokens, batch.name_positions, strict=True):
        after = int(places[1]) + 1
        rows.append(torch.cat([row[:after], words, row[after:]]))
    return torch.stack(rows)
