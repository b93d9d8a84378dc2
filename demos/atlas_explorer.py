"""Data of the atlas explorer: maps with their cells, what each says, and the states in it."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from demos.atlas import NONE, Cells

FINEST = 65535  # places are whole numbers from 0 to this; as a cell it stands for none


def map_data(
    name: str,
    cells: Cells,
    places: Float[Tensor, "state 2"],
    words: Sequence[Sequence[str]],
    *,
    unit: str,
    says: str,
    holds: str,
    names: Sequence[str] | None = None,
    icons: Float[Tensor, "cell row column"] | None = None,
) -> dict[str, Any]:
    """One map as `<readout-atlas>` reads it.

    `words`: what each cell says, the first of them drawn on it. `unit`: what a state is, such as
    "positions"; `says`, `holds`: what words and names are called. `names`: of the states; without
    them they are positions of the passages that `explorer_data` is given. `icons`: from 0 to 1.
    Raises ValueError unless each cell has words.
    """
    if len(words) != len(cells) or not all(words):
        raise ValueError(f"{name!r}: {len(cells)} cells need words, each at least one")
    grid = np.stack([each.numpy() for each in (cells.row, cells.column, cells.count)], axis=1)
    of = np.where(cells.of_state.numpy() == NONE, FINEST, cells.of_state.numpy())
    data: dict[str, Any] = {
        "name": name,
        "side": cells.side,
        "unit": unit,
        "says": says,
        "holds": holds,
        "cells": " ".join(map(str, grid.flatten().tolist())),
        "words": "\n".join("\t".join(map(shown, said)) for said in words),
        "places": _packed((places.numpy() * FINEST).round(), "<u2"),
        "of": _packed(of, "<u2"),
    }
    if names is not None:
        data["names"] = "\t".join(map(shown, names))
    if icons is not None:
        pixels = (icons.numpy() * 255).round()
        data["icons"] = {"side": icons.shape[-1], "pixels": _packed(pixels, "u1")}
    return data


def explorer_data(
    maps: Sequence[dict[str, Any]], passages: Sequence[Sequence[str]], first: int = 0
) -> dict[str, Any]:
    """All maps, and the passages whose positions are their states, all but the first of each.

    `first`: the map that is shown at first. Raises ValueError for passages of different lengths.
    """
    lengths = {len(passage) for passage in passages}
    if len(lengths) != 1:
        raise ValueError(f"passages have one length, not {sorted(lengths)}")
    tokens = "\t".join(shown(token, space="␣") for passage in passages for token in passage)
    return {"tokens": tokens, "length": lengths.pop(), "first": first, "maps": list(maps)}


def shown(token: str, space: str = "") -> str:
    """A token on one line; the space that begins a word as `space`, one that is alone as ␣."""
    if not token.strip(" "):
        return "␣"
    inner = token[1:] if token.startswith(" ") else token
    written = inner.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "⏎")
    return (space if token.startswith(" ") else "") + written


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values.astype(kind)).tobytes()).decode("ascii")
