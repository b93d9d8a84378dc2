"""What attention heads look at on repeated random tokens, and what is lost without them.

On random tokens no grammar and no knowledge helps: whatever a model gets right in a second copy it
took from the first. Scores are named as in Olsson et al. 2022, arXiv:2209.11895. A head is a pair,
(layer, head), both counted from 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedTokenizerBase

Head = tuple[int, int]
Hook = tuple[str, Callable[..., Tensor]]
Pattern = Float[Tensor, "batch head query key"]


def ordinary_tokens(tokenizer: PreTrainedTokenizerBase) -> Int[Tensor, " token"]:
    """Every token of the vocabulary but those added to it as marks, such as the end of a text."""
    marks = {*tokenizer.get_added_vocab().values(), *tokenizer.all_special_ids}
    return torch.tensor([token for token in range(len(tokenizer)) if token not in marks])


def random_prompts(
    vocabulary: Int[Tensor, " token"],
    first: int,
    period: int,
    batch: int,
    seed: int,
    repeat: bool = True,
) -> Int[Tensor, "batch position"]:
    """The token `first`, then `period` random tokens, then the same again.

    Without `repeat` the second half is drawn anew: the control, in which there is nothing to copy.
    The first half is the same for both. No token occurs twice within a half.
    Raises ValueError if the vocabulary has fewer than 2 * period tokens.
    """
    if len(vocabulary) < 2 * period:
        raise ValueError(f"{2 * period} different tokens cannot be drawn from {len(vocabulary)}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(batch, len(vocabulary), generator=generator).argsort(dim=-1)
    drawn = vocabulary[order[:, : 2 * period]]
    half, other = drawn[:, :period], drawn[:, period:]
    return torch.cat([torch.full((batch, 1), first), half, half if repeat else other], dim=1)


def previous_token_scores(pattern: Pattern) -> Float[Tensor, " head"]:
    """Share of attention that each head pays to the token just before, from position 2 on.

    At position 1 the token before is the first of all, which many heads look at for another reason.
    """
    return pattern.diagonal(offset=-1, dim1=-2, dim2=-1)[..., 1:].mean(dim=(0, -1))


def duplicate_token_scores(pattern: Pattern, period: int) -> Float[Tensor, " head"]:
    """Share of attention from the second copy of a token to the first, on `random_prompts`."""
    return _second_half(pattern, period, back=period)


def induction_scores(pattern: Pattern, period: int) -> Float[Tensor, " head"]:
    """Share of attention from the second copy of a token to what followed the first.

    That is the token to come, `period - 1` positions back on `random_prompts`. The mean over the
    batch and the second half, from 0 to 1; Olsson et al. call it prefix matching.
    """
    return _second_half(pattern, period, back=period - 1)


def sink_scores(pattern: Pattern, queries: slice = slice(1, None)) -> Float[Tensor, " head"]:
    """Share of attention that each head pays to the first position, from the `queries`."""
    return pattern[:, :, queries, 0].mean(dim=(0, -1))


def _second_half(pattern: Pattern, period: int, back: int) -> Float[Tensor, " head"]:
    positions = pattern.shape[-1]
    if positions != 2 * period + 1:
        raise ValueError(f"a period of {period} needs {2 * period + 1} positions, not {positions}")
    looked_at = pattern.diagonal(offset=-back, dim1=-2, dim2=-1)  # one for each query from `back`
    return looked_at[..., -period:].mean(dim=(0, -1))


def chance(period: int) -> float:
    """What `duplicate_token_scores` or `induction_scores` gives a head that looks everywhere."""
    queries = range(period + 1, 2 * period + 1)
    return sum(1 / (query + 1) for query in queries) / period


def score_heads(
    model: TransformerBridge,
    tokens: Int[Tensor, "batch position"],
    scores: Mapping[str, Callable[[Pattern], Float[Tensor, " head"]]],
    hooks: Iterable[Hook] = (),
    stop_at_layer: int | None = None,
) -> dict[str, Float[Tensor, "layer head"]]:
    """Each score for all heads of the model, from one forward pass in which `hooks` act.

    With `stop_at_layer` only the layers before it are run and scored.
    """
    layers = range(model.cfg.n_layers if stop_at_layer is None else stop_at_layer)
    found: dict[str, list[Tensor]] = {name: [] for name in scores}

    def read(pattern: Tensor, hook: Any) -> Tensor:
        for name, score in scores.items():
            found[name].append(score(pattern))
        return pattern

    reading = [(f"blocks.{layer}.attn.hook_pattern", read) for layer in layers]
    with torch.no_grad():
        model.run_with_hooks(
            tokens,
            return_type=None,
            fwd_hooks=[*hooks, *reading],
            stop_at_layer=stop_at_layer,
        )
    return {name: torch.stack(rows) for name, rows in found.items()}


def strongest(scores: Float[Tensor, "layer head"], count: int) -> list[Head]:
    """The heads with the highest scores, the highest first."""
    n_heads = scores.shape[-1]
    places = scores.flatten().topk(count).indices.tolist()
    return [(place // n_heads, place % n_heads) for place in places]


def layer_matched(
    heads: Sequence[Head], n_heads: int, avoid: Iterable[Head], generator: torch.Generator
) -> list[Head]:
    """For each head another of its layer, at random and none twice: a control for removing it.

    Neither `heads` nor those to `avoid` are drawn. Raises ValueError if a layer has too few others.
    """
    taken = {*heads, *avoid}
    drawn = []
    for layer, _ in heads:
        free = [head for head in range(n_heads) if (layer, head) not in taken]
        if not free:
            raise ValueError(f"layer {layer} has no head left to draw")
        pick = free[int(torch.randint(len(free), (1,), generator=generator))]
        taken.add((layer, pick))
        drawn.append((layer, pick))
    return drawn


def mean_outputs(
    model: TransformerBridge, tokens: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer head d_head"]:
    """Each head's mean output (z, before W_O) over the batch and all positions but the first."""
    layers = range(model.cfg.n_layers)
    names = [f"blocks.{layer}.attn.hook_z" for layer in layers]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, return_type=None, names_filter=names)
    return torch.stack([cache[name][:, 1:].mean(dim=(0, 1)) for name in names])


def ablate(heads: Iterable[Head], outputs: Float[Tensor, "layer head d_head"]) -> list[Hook]:
    """Hooks that put a constant in place of what the heads write, at every position.

    With `mean_outputs` of other prompts it is a mean ablation, with zeros a zero ablation.
    """
    of_layer: dict[int, list[int]] = defaultdict(list)
    for layer, head in heads:
        of_layer[layer].append(head)

    def replace(layer: int, removed: list[int]) -> Callable[..., Tensor]:
        def hook_z(z: Tensor, hook: Any) -> Tensor:
            z = z.clone()
            z[:, :, removed] = outputs[layer, removed]
            return z

        return hook_z

    return [
        (f"blocks.{layer}.attn.hook_z", replace(layer, removed))
        for layer, removed in of_layer.items()
    ]


def token_losses(
    model: TransformerBridge, tokens: Int[Tensor, "batch position"], hooks: Iterable[Hook] = ()
) -> Float[Tensor, "batch position_minus_1"]:
    """Loss in nats of each token but the first, given those before it, while `hooks` act."""
    with torch.no_grad():
        logits = model.run_with_hooks(tokens, fwd_hooks=list(hooks))[:, :-1]
        right = logits.gather(-1, tokens[:, 1:, None])[..., 0]
        losses: Tensor = logits.logsumexp(dim=-1) - right
        return losses


def copying_scores(
    model: TransformerBridge, tokens: Int[Tensor, "batch position"], period: int
) -> Float[Tensor, "layer head"]:
    """How far each head by itself lifts the token to come over the other tokens of the prompt.

    On the second half of `random_prompts`: the logit that the head's output gives the right token
    minus the mean that it gives the other tokens of the same half, in logits, with the final norm's
    scale as it was. What later layers make of the output is not counted.
    Source: "copying" of Olsson et al. 2022, as a direct logit attribution.
    """
    layers = range(model.cfg.n_layers)
    names = [f"blocks.{layer}.attn.hook_z" for layer in layers]
    with torch.no_grad():
        _, cache = model.run_with_cache(
            tokens, return_type=None, names_filter=[*names, "ln_final.hook_scale"]
        )
        second = slice(period, 2 * period)  # the queries whose next token is of the second half
        answers = model.W_U[:, tokens[:, period + 1 :]].permute(1, 2, 0)  # (batch, query, d_model)
        others = (answers.sum(dim=1, keepdim=True) - answers) / (period - 1)
        direction = (answers - others) * model.ln_final.weight
        if str(model.cfg.normalization_type).startswith("LN"):  # it centres, RMSNorm does not
            direction = direction - direction.mean(dim=-1, keepdim=True)
        direction = direction / cache["ln_final.hook_scale"][:, second]
        rows = []
        for layer, name in zip(layers, names, strict=True):
            read = torch.einsum("bqm,hdm->bqhd", direction, model.blocks[layer].attn.W_O)
            rows.append((cache[name][:, second] * read).sum(dim=-1).mean(dim=(0, 1)))
    return torch.stack(rows)


def completes_earlier_pair(
    tokens: Int[Tensor, "batch position"],
) -> Bool[Tensor, "batch position_minus_1"]:
    """For each token but the first: did it follow the same token once before in this text?

    Those are the tokens that an induction head would predict. Aligned with `token_losses`.
    """
    vocabulary = int(tokens.max()) + 1
    pairs = tokens[:, :-1] * vocabulary + tokens[:, 1:]
    same = pairs.unsqueeze(-1) == pairs.unsqueeze(-2)  # (batch, this, earlier)
    return same.tril(diagonal=-1).any(dim=-1)
