"""Heads knocked out, each at all positions or at some, with feed-forward layers left to respond.

A knocked-out head writes what it writes on average over other prompts (mean ablation), on one other
prompt (resampling), or nothing (zero ablation). This is the intervention of Wang et al. 2022,
arXiv:2211.00593, section 2.2: feed-forward layers are part of every circuit.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.attention_only import as_gpt
from demos.forward import GPT, Block

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

# Tokens that are run at a time, over all examples and sets; past some 2,000 nothing gets faster.
TOKENS_AT_ONCE = 2048


@torch.no_grad()
def head_outputs(
    model: "TransformerBridge | GPT", tokens: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer batch head position d_head"]:
    """What every head gathers (z) in a run on these tokens."""
    gpt = as_gpt(model)
    kept: list[Tensor] = []
    for rows in tokens.split(max(1, TOKENS_AT_ONCE // tokens.shape[1])):
        zs: list[Tensor] = []
        _finish(gpt, _embedded(gpt, rows), 0, lambda layer, z, to=zs: to.append(z) or z)
        kept.append(torch.stack(zs))
    return torch.cat(kept, dim=1)


def mean_head_outputs(
    model: "TransformerBridge | GPT",
    tokens: Int[Tensor, "sample position"],
    groups: Int[Tensor, " sample"] | None = None,
    of: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "layer batch head position d_head"]:
    """The mean of `head_outputs` over samples, position by position.

    `groups`: which group each sample is in, such as the template that it was made from; `of`: the
    group of each example that will be ablated. Without groups there is one mean, of batch size 1.
    Raises ValueError if an example's group has no sample.
    """
    zs = head_outputs(model, tokens)
    if groups is None or of is None:
        return zs.mean(dim=1, keepdim=True)
    means = {}
    for group in of.unique().tolist():
        if not (groups == group).any():
            raise ValueError(f"no sample of group {group} to take a mean over")
        means[group] = zs[:, groups == group].mean(dim=1)
    return torch.stack([means[group] for group in of.tolist()], dim=1)


def head_parts(
    model: "TransformerBridge | GPT",
    positions: Mapping[str, Int[Tensor, " batch"]] | None = None,
    n_positions: int | None = None,
) -> dict[tuple, Bool[Tensor, "batch layer head position"]]:
    """Every head as a part, or every head at every named position.

    Without `positions` the parts are (layer, head), at all positions; with them they are (layer,
    head, name), at one position of each example, which may differ between examples; `n_positions`,
    the length of the prompts, is then needed.
    """
    config = as_gpt(model).config
    heads = [(layer, head) for layer in range(config.n_layers) for head in range(config.n_heads)]
    parts = {}
    if positions is None:
        for layer, head in heads:
            where = torch.zeros(1, config.n_layers, config.n_heads, 1, dtype=torch.bool)
            where[:, layer, head] = True
            parts[layer, head] = where
        return parts
    if n_positions is None:
        raise ValueError("heads at positions need n_positions, the length of the prompts")
    for name, at in positions.items():
        here = torch.nn.functional.one_hot(at.long(), n_positions).bool()  # (batch, position)
        for layer, head in heads:
            where = torch.zeros(
                len(at), config.n_layers, config.n_heads, n_positions, dtype=torch.bool
            )
            where[:, layer, head] = here
            parts[layer, head, name] = where
    return parts


@dataclass(frozen=True)
class Knockouts:
    """A model and prompts, as `demos.faithfulness` asks about them.

    `metric`: takes the logits after the last token, (batch, d_vocab); gives a number for each
    example. `parts`: where each part is, as `head_parts` gives them. `reference`: what a head gives
    where it is knocked out, (layer, batch, head, position, d_head) with a batch or position of 1
    where all are alike: `head_outputs` of other prompts, `mean_head_outputs`, or zero.
    """

    model: "TransformerBridge | GPT"
    tokens: Int[Tensor, "batch position"]
    metric: Callable[[Float[Tensor, "batch d_vocab"]], Float[Tensor, " batch"]]
    parts: Mapping
    reference: Tensor | float = 0.0

    @cached_property
    def gpt(self) -> GPT:
        return as_gpt(self.model)

    def keep(self, sets: Sequence[Collection]) -> Float[Tensor, "set batch"]:
        """The metric when every head is knocked out wherever no part of a set is."""
        return self._measure([~self._where(one) for one in sets])

    def knock_out(self, sets: Sequence[Collection]) -> Float[Tensor, "set batch"]:
        """The metric when heads are knocked out where the parts of a set are."""
        return self._measure([self._where(one) for one in sets])

    def _where(self, parts: Collection) -> Bool[Tensor, "layer batch head position"]:
        batch, n_positions = self.tokens.shape
        shape = (batch, self.gpt.config.n_layers, self.gpt.config.n_heads, n_positions)
        where = torch.zeros(shape, dtype=torch.bool)
        for part in parts:
            if part not in self.parts:
                raise ValueError(f"{part} is no part; parts are such as {next(iter(self.parts))}")
            where |= self.parts[part]
        return where.transpose(0, 1).to(self.tokens.device)

    @torch.no_grad()
    def _measure(self, out: list[Tensor]) -> Float[Tensor, "set batch"]:
        size = max(1, TOKENS_AT_ONCE // self.tokens.numel())
        values = []
        for start in range(0, len(out), size):
            masks = torch.stack(out[start : start + size], dim=1)  # (layer, set, batch, ...)
            values += list(self._logits(masks))
        return torch.stack([self._value(logits) for logits in values])

    def _value(self, logits: Float[Tensor, "batch d_vocab"]) -> Float[Tensor, " batch"]:
        value = self.metric(logits)
        if value.shape != logits.shape[:1]:
            raise ValueError(f"the metric gives {tuple(value.shape)}, not one number an example")
        return value

    def _logits(
        self, out: Bool[Tensor, "layer set batch head position"]
    ) -> Float[Tensor, "set batch d_vocab"]:
        gpt, (n_sets, batch) = self.gpt, out.shape[1:3]
        reference = torch.as_tensor(self.reference, device=self.tokens.device)
        if reference.ndim == 0:
            reference = reference.expand(len(gpt.blocks), 1, 1, 1, 1)

        def replaced(layer: int, z: Tensor) -> Tensor:
            here = out[layer, : z.shape[0] // batch, ..., None]
            z = z.unflatten(0, (-1, batch))
            return torch.where(here, reference[layer], z).flatten(0, 1)

        # Up to the first layer in which the sets differ, they share one run.
        differ = (out != out[:, :1]).flatten(1).any(dim=1).tolist()
        first = differ.index(True) if True in differ else len(differ)
        x = _finish(gpt, _embedded(gpt, self.tokens), 0, replaced, stop=first)
        x = x.repeat(n_sets if first < len(differ) else 1, 1, 1)
        x = _finish(gpt, x, first, replaced)
        logits = gpt.ln_final(x[:, -1]) @ gpt.W_U + gpt.b_U
        return logits.unflatten(0, (-1, batch)).expand(n_sets, batch, -1)


class Together:
    """Several batches, such as prompts of different lengths, judged as one.

    The parts must have the same names in all of them.
    """

    def __init__(self, batches: Sequence[Knockouts]) -> None:
        self.batches = batches

    def keep(self, sets: Sequence[Collection]) -> Float[Tensor, "set example"]:
        return torch.cat([batch.keep(sets) for batch in self.batches], dim=1)

    def knock_out(self, sets: Sequence[Collection]) -> Float[Tensor, "set example"]:
        return torch.cat([batch.knock_out(sets) for batch in self.batches], dim=1)


def _embedded(gpt: GPT, tokens: Tensor) -> Tensor:
    return gpt.embed(tokens, torch.arange(tokens.shape[1], device=tokens.device))


def _finish(
    gpt: GPT,
    x: Float[Tensor, "batch position d_model"],
    first: int,
    change: Callable[[int, Tensor], Tensor],
    stop: int | None = None,
) -> Float[Tensor, "batch position d_model"]:
    """The residual stream run through the layers from `first` on; `change` may replace each z."""
    for layer in range(first, len(gpt.blocks) if stop is None else stop):
        block: Block = gpt.blocks[layer]
        z = change(layer, _mixed(block, block.ln1(x)))
        x = x + z.transpose(1, 2).flatten(2) @ block.attn.W_O.flatten(0, 1) + block.attn.b_O
        x = x + block.mlp(block.ln2(x))
    return x


def _mixed(
    block: Block, x: Float[Tensor, "batch position d_model"]
) -> Float[Tensor, "batch head position d_head"]:
    positions = torch.arange(x.shape[1], device=x.device)
    return block.attn.mix(x, positions)
