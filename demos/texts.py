"""English that every checkout has: what Python's own help says about the language.

`data/english.txt` is a snapshot of the prose in `pydoc_data.topics` of Python 3.11.7, made by
`python -m demos.texts_snapshot`; the text is under the PSF licence, which lies beside it. A
document is one topic of the help. Some documents are held out: no sentence of theirs, and no run of
twelve words, stands in those to fit on.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Part = Literal["fit", "held-out"]
PARTS = ("fit", "held-out")
SNAPSHOT = Path(__file__).parent / "data" / "english.txt"
SNAPSHOT_SHA256 = "f19c807d5e1e6f691334e738f8f6df088e8b0e507d3a0968e481b0c6d08603de"
HEADING = "== "  # begins the line above a document: `== fit: specialnames`


class TextError(RuntimeError):
    """The snapshot is missing, or is not the one that results were measured on."""


def english_documents(part: Part = "fit") -> dict[str, str]:
    """The documents of a part by name: paragraphs of one line each, with an empty line between.

    Raises TextError if the snapshot is not the one of SNAPSHOT_SHA256.
    """
    if part not in PARTS:
        raise ValueError(f"a part of the text is {' or '.join(PARTS)}, not {part!r}")
    documents = {}
    for block in _read().removeprefix(HEADING).split(f"\n\n{HEADING}"):
        heading, _, text = block.partition("\n\n")
        of_part, _, name = heading.partition(": ")
        if of_part == part:
            documents[name] = text.strip()
    return documents


def english_tokens(
    tokenizer: "PreTrainedTokenizerBase", part: Part = "fit"
) -> "Int[Tensor, ' position']":
    """A part of the text as tokens, one document after the other with an empty line between.

    No special token is put in. Which tokens there are depends on the tokenizer alone.
    """
    import torch

    text = "\n\n".join(english_documents(part).values())
    # It is longer than any context, of which the tokenizer would warn.
    return torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


@cache
def _read() -> str:
    try:
        content = SNAPSHOT.read_bytes()
    except OSError as error:
        raise TextError(f"{SNAPSHOT} cannot be read: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != SNAPSHOT_SHA256:
        raise TextError(
            f"{SNAPSHOT} is not the text that results were measured on: its SHA-256 is {found}, "
            f"not {SNAPSHOT_SHA256}; take it from the repository again"
        )
    return content.decode("utf-8")
