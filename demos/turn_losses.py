"""How well a model foresees a turn of a conversation, whole or with heads taken out.

Nothing is padded on the left, and what is padded on the right a causal model does not see, so turns
of different length can be run side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from demos.heads import Hook

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

AT_ONCE = 6  # conversations; their logits over the whole vocabulary have to fit in memory


def reply_losses(
    model: TransformerBridge,
    said: Sequence[Sequence[int]],
    replies: Sequence[Sequence[int]],
    hooks: Iterable[Hook] = (),
) -> list[Float[Tensor, " token"]]:
    """For each reply the loss (nats) of each of its tokens, after what was said, while hooks act.

    Raises ValueError unless something was said before every reply.
    """
    if len(said) != len(replies) or not all(said):
        raise ValueError("before each of the replies something has to be said")
    rows = [[*before, *reply] for before, reply in zip(said, replies, strict=True)]
    losses = []
    for n, logits in _logits(model, rows, hooks):
        start, reply = len(said[n]), torch.tensor(list(replies[n]))
        judged = logits[start - 1 : start - 1 + len(reply)]
        losses.append(judged.logsumexp(dim=-1) - judged.gather(-1, reply[:, None])[:, 0])
    return losses


def logits_after(
    model: TransformerBridge, said: Sequence[Sequence[int]], hooks: Iterable[Hook] = ()
) -> Float[Tensor, "conversation d_vocab"]:
    """The logits of the next token after each conversation, while hooks act."""
    return torch.stack(
        [logits[len(said[n]) - 1].clone() for n, logits in _logits(model, said, hooks)]
    )


def _logits(
    model: TransformerBridge, rows: Sequence[Sequence[int]], hooks: Iterable[Hook]
) -> Iterator[tuple[int, Float[Tensor, "position d_vocab"]]]:
    """The logits of each row in turn, with its number."""
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        longest = max(map(len, batch))
        tokens = torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in batch])
        with torch.no_grad():
            logits = model.run_with_hooks(tokens, fwd_hooks=list(hooks))
        yield from enumerate(logits, start=start)
