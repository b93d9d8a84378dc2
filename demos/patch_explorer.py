"""Data of the patching explorer: what a model says next under every patch of a few prompts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.blocks import Job, Workspace
from demos.patch_sites import Cell, Site
from demos.patching import plan, token_pair
from demos.runs import Engine

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

LISTED = 4  # likeliest tokens that are named
DIRECTIONS = ("denoising", "noising")


@dataclass(frozen=True)
class Pair:
    """Two texts of equally many tokens, and the token that each asks for."""

    name: str
    clean: str
    corrupted: str
    answers: tuple[str, str]


def patched_logits(
    engine: Engine,
    clean: Int[Tensor, "1 position"],
    corrupted: Int[Tensor, "1 position"],
    site: Site,
    direction: str,
) -> Iterator[tuple[Cell, Float[Tensor, " d_vocab"]]]:
    """The logits after the last token under each patch that can change them."""
    job = Job("", clean, corrupted, direction, metrics={}, site=site)
    with torch.no_grad():
        work = Workspace(job, engine)
        for block in plan(work.engine, job, ("layer", "position"), work.first):
            final = work.final(block)[0, :, -1]
            yield from zip(block.cells, work.engine.unembed(final), strict=True)


def explorer_data(
    model: "TransformerBridge", pairs: Sequence[Pair], sites: Sequence[Site]
) -> dict[str, Any]:
    """What `<readout-patching>` reads. Probabilities are in thousandths.

    A cell is `[difference, probability, [token, probability, ...]]`: logit difference between the
    clean and the corrupted answer, in hundredths; probability of the clean answer; the likeliest
    tokens, as places in `vocabulary`.
    """
    vocabulary: dict[int, int] = {}

    def said(logits: Tensor, answers: Int[Tensor, " 2"]) -> list[Any]:
        whole = logits.logsumexp(dim=-1)
        best, tokens = logits.topk(LISTED)
        shares = (best - whole).exp()
        difference = logits[answers[0]] - logits[answers[1]]
        listed = [
            number
            for token, share in zip(tokens.tolist(), shares.tolist(), strict=True)
            for number in (vocabulary.setdefault(token, len(vocabulary)), round(1000 * share))
        ]
        share = (logits[answers[0]] - whole).exp().item()
        return [round(100 * difference.item()), round(1000 * share), listed]

    engine = Engine(model)
    made = [_of_pair(model, engine, pair, sites, said) for pair in pairs]
    return {
        "model": model.cfg.model_name,
        "n_layers": model.cfg.n_layers,
        "pairs": made,
        "vocabulary": [model.tokenizer.decode([token]) for token in vocabulary],
    }


def _of_pair(
    model: "TransformerBridge", engine: Engine, pair: Pair, sites: Sequence[Site], said: Any
) -> dict[str, Any]:
    clean, corrupted = token_pair(model, [pair.clean], [pair.corrupted])
    ids = [model.tokenizer.encode(one, add_special_tokens=False) for one in pair.answers]
    if any(len(one) != 1 for one in ids):
        raise ValueError(f"{pair.name}: the answers {pair.answers} are not one token each")
    answers = torch.tensor(ids)[:, 0]
    cells: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for site in sites:
        cells[site] = {}
        for direction in DIRECTIONS:
            patched = patched_logits(engine, clean, corrupted, site, direction)
            cells[site][direction] = {
                f"{cell.layer},{cell.position}": said(logits, answers) for cell, logits in patched
            }
    with torch.no_grad():
        ends = [said(model(tokens)[0, -1], answers) for tokens in (clean, corrupted)]
    return {
        "name": pair.name,
        "answers": list(pair.answers),
        "clean": {"tokens": _words(model, clean), "says": ends[0]},
        "corrupted": {"tokens": _words(model, corrupted), "says": ends[1]},
        "first": int((clean != corrupted)[0].int().argmax()),
        "cells": cells,
    }


def _words(model: "TransformerBridge", tokens: Tensor) -> list[str]:
    return [model.tokenizer.decode([token]) for token in tokens[0].tolist()]
