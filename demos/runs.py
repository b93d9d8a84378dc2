"""Forward passes to start from: what a change leaves as it was is not computed again.

A patch of layer l and position p changes nothing below l, and in a causal model nothing before p.
`Engine.run` keeps what one pass over a batch computes; `Engine.resume` goes on from any place of it
with many changed copies at once, whose unchanged keys and values come from the kept run.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from demos.forward import GPT, Block, Norm, rotate

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

# What a head is to read in place of what it would: by letter (q, k or v) and head.
Given = Mapping[tuple[str, int], Float[Tensor, "batch cell suffix d_head"]]
# How far the logits of an engine may lie from the model's own.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Run:
    """What a forward pass computed, by layer.

    `resid_pre` has one row more than there are layers: the last is what the final norm reads.
    `q` and `k` are those that are compared: past the rotation, where there is one.
    """

    tokens: Int[Tensor, "batch position"]
    resid_pre: list[Float[Tensor, "batch position d_model"]]
    resid_mid: list[Float[Tensor, "batch position d_model"]]
    q: list[Float[Tensor, "batch head position d_head"]]
    k: list[Float[Tensor, "batch head position d_head"]]
    v: list[Float[Tensor, "batch head position d_head"]]
    z: list[Float[Tensor, "batch head position d_head"]]

    def attn_out(self, layer: int) -> Float[Tensor, "batch position d_model"]:
        return self.resid_mid[layer] - self.resid_pre[layer]

    def mlp_out(self, layer: int) -> Float[Tensor, "batch position d_model"]:
        return self.resid_pre[layer + 1] - self.resid_mid[layer]


class Engine:
    """A model laid out for many forward passes over parts of it.

    Raises ValueError if the model has parts that `demos.forward.GPT` has not.
    """

    def __init__(self, model: "TransformerBridge") -> None:
        self.gpt = GPT.from_bridge(model)
        self.config = self.gpt.config
        self.blocks: list[Block] = list(self.gpt.blocks)
        # One matrix for queries, keys and values: three times fewer, larger products.
        self._W_QKV = [_side_by_side(block, "W_Q", "W_K", "W_V") for block in self.blocks]
        self._b_QKV = [_biases(block) for block in self.blocks]
        # Adding zeros takes as long as adding anything else, so such biases are left out.
        self._zero = {id(bias) for bias in (*_biases_of(self.gpt), *self._b_QKV) if not bias.any()}

    @property
    def n_layers(self) -> int:
        return self.config.n_layers

    def run(self, tokens: Int[Tensor, "batch position"]) -> Run:
        """A whole forward pass, short of the logits.

        Where gradients are enabled they flow back to everything that is kept.
        Raises ValueError if there are more positions than the model takes.
        """
        n_positions = tokens.shape[1]
        if n_positions > self.config.n_ctx:
            raise ValueError(f"{n_positions} positions; the model takes {self.config.n_ctx}")
        positions = torch.arange(n_positions, device=tokens.device)
        x = self.gpt.embed(tokens, positions).requires_grad_(torch.is_grad_enabled())
        kept = Run(tokens, [], [], [], [], [], [])
        for layer in range(self.n_layers):
            kept.resid_pre.append(x)
            q, k, v = self.queries_keys_values(layer, x, 0)
            z = self.pattern(q, k) @ v
            x = x + self.write(layer, z)
            for name, value in {"resid_mid": x, "q": q, "k": k, "v": v, "z": z}.items():
                getattr(kept, name).append(value)
            x = x + self.feed_forward(layer, x)
        kept.resid_pre.append(x)
        return kept

    def resume(
        self,
        run: Run,
        first: int,
        pre: Mapping[int, Float[Tensor, "batch cell suffix d_model"]],
        mid: Mapping[int, Float[Tensor, "batch cell suffix d_model"]],
        *,
        only_last: bool = True,
    ) -> Float[Tensor, "batch cell suffix d_model"]:
        """What the final norm reads in copies of a run that were changed from `first` on.

        `pre`, `mid`: by layer, the residual stream before its attention or before its feed-forward
        layer, at the positions from `first` to the last, in as many changed copies as there are
        cells; `pre` may also name what comes after the last layer. The cells come back in the
        order of layers, `pre` before `mid`; with `only_last` the last position alone.
        """
        x: Tensor | None = None
        last = self.n_layers - 1
        for layer in range(min([*pre, *mid]), self.n_layers):
            x = _join(x, pre.get(layer))
            ends_here = only_last and layer == last
            if x is not None:
                x = self.attend(run, layer, first, x, last_query_only=ends_here)
            changed = mid.get(layer)
            if ends_here and changed is not None:
                changed = changed[:, :, -1:]
            x = _join(x, changed)
            if x is not None:
                x = x + self.feed_forward(layer, x)
        after = pre.get(self.n_layers)
        if only_last:
            x = None if x is None else x[:, :, -1:]
            after = None if after is None else after[:, :, -1:]
        final = _join(x, after)
        assert final is not None
        return final

    def attend(
        self,
        run: Run,
        layer: int,
        first: int,
        x: Float[Tensor, "batch cell suffix d_model"],
        *,
        last_query_only: bool,
        given: Given = MappingProxyType({}),
    ) -> Float[Tensor, "batch cell query d_model"]:
        """The attention of one layer for many copies that share keys and values before `first`.

        A query, key or value that is `given` takes the place of what a head makes of the copies.
        """
        batch, cells, suffix, _ = x.shape
        q, k, v = self.queries_keys_values(layer, x.flatten(0, 1), first)
        for (letter, head), value in given.items():
            {"q": q, "k": k, "v": v}[letter][:, head] = value.flatten(0, 1)
        if last_query_only:
            q, x = q[:, :, -1:], x[:, :, -1:]
        queries = q.shape[2]
        scale = 1 / math.sqrt(self.config.d_head)
        own = q @ k.mT * scale  # (batch * cell, head, query, key)
        if queries > 1:
            own = own.masked_fill(_later(suffix, x.device), -math.inf)
        shared = _by_head(q, batch, cells) @ run.k[layer][:, :, :first].mT * scale
        scores = torch.cat([_by_cell(shared, cells, queries), own], dim=-1)
        pattern = scores.softmax(dim=-1)
        before = _by_head(pattern[..., :first], batch, cells) @ run.v[layer][:, :, :first]
        z = _by_cell(before, cells, queries) + pattern[..., first:] @ v
        return x + self.write(layer, z).unflatten(0, (batch, cells))

    def queries_keys_values(
        self, layer: int, resid_pre: Float[Tensor, "batch position d_model"], first: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Each (batch, head, position, d_head), rotated; the first row stands at `first`."""
        x = self._norm(self.blocks[layer].ln1, resid_pre)
        heads = self._affine(x, self._W_QKV[layer], self._b_QKV[layer]).unflatten(
            -1, (3, self.config.n_heads, self.config.d_head)
        )
        heads = heads.permute(2, 0, 3, 1, 4)
        q_and_k = self.rotated(heads[:2], first)
        return q_and_k[0], q_and_k[1], heads[2]

    def rotated(self, x: Float[Tensor, "*any position d_head"], first: int) -> Tensor:
        if self.config.positions != "rotary":
            return x
        positions = torch.arange(first, first + x.shape[-2], device=x.device)
        return rotate(x, positions, self.config.rotary_base)

    def pattern(
        self,
        q: Float[Tensor, "*any query d_head"],
        k: Float[Tensor, "*any key d_head"],
    ) -> Float[Tensor, "*any query key"]:
        scores = q @ k.mT / math.sqrt(self.config.d_head)
        return scores.masked_fill(_later(k.shape[-2], k.device), -math.inf).softmax(dim=-1)

    def write(
        self, layer: int, z: Float[Tensor, "batch head position d_head"]
    ) -> Float[Tensor, "batch position d_model"]:
        attention = self.blocks[layer].attn
        side_by_side = z.transpose(1, 2).flatten(2)
        return self._affine(side_by_side, attention.W_O.flatten(0, 1), attention.b_O)

    def feed_forward(
        self, layer: int, resid_mid: Float[Tensor, "*any d_model"]
    ) -> Float[Tensor, "*any d_model"]:
        block = self.blocks[layer]
        mlp = block.mlp
        x = self._norm(block.ln2, resid_mid)
        neurons = self._affine(x, mlp.W_in, mlp.b_in)
        if mlp.gated:
            neurons = mlp.act(self._affine(x, mlp.W_gate, mlp.b_gate)) * neurons
        else:
            neurons = mlp.act(neurons)
        return self._affine(neurons, mlp.W_out, mlp.b_out)

    def unembed(self, final: Float[Tensor, "*any d_model"]) -> Float[Tensor, "*any d_vocab"]:
        return self._affine(self._norm(self.gpt.ln_final, final), self.gpt.W_U, self.gpt.b_U)

    def _affine(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(x, weight.mT, None if id(bias) in self._zero else bias)

    def _norm(self, norm: Norm, x: Tensor) -> Tensor:
        """What `norm` computes, in one kernel."""
        shape = norm.weight.shape
        if norm.centred:
            return functional.layer_norm(x, shape, norm.weight, norm.bias, norm.eps)
        x = functional.rms_norm(x, shape, norm.weight, norm.eps)
        return x if id(norm.bias) in self._zero else x + norm.bias

    def unembed_to(
        self, final: Float[Tensor, "batch cell d_model"], tokens: Int[Tensor, "batch token"]
    ) -> Float[Tensor, "batch cell token"]:
        """The logits of a few tokens, for each example its own."""
        columns = self.gpt.W_U[:, tokens].transpose(0, 1)  # (batch, d_model, token)
        return self.gpt.ln_final(final) @ columns + self.gpt.b_U[tokens][:, None]


def check_engine(model: "TransformerBridge", engine: Engine, run: Run) -> None:
    """Raises ValueError if the engine does not compute what the model computes."""
    with torch.no_grad():
        theirs = model(run.tokens[:1])[:, -1]  # a model that differs does so on any example
        ours = engine.unembed(run.resid_pre[-1][:1, -1])
    gap = (theirs - ours).abs().max().item()
    if not gap < TOLERANCE * max(1.0, theirs.abs().max().item()):
        raise ValueError(
            f"{model.cfg.model_name} computes something that this code does not: "
            f"logits differ by {gap:.2g}"
        )


def _side_by_side(block: Block, *names: str) -> Float[Tensor, "d_model out"]:
    weights = [getattr(block.attn, name).transpose(0, 1).flatten(1) for name in names]
    return torch.cat(weights, dim=1)


def _biases(block: Block) -> Float[Tensor, " out"]:
    return torch.cat([getattr(block.attn, name).flatten() for name in ("b_Q", "b_K", "b_V")])


def _biases_of(gpt: GPT) -> list[Tensor]:
    return [b for name, b in gpt.named_parameters() if name.rpartition(".")[2].startswith("b")]


def _join(x: Tensor | None, more: Tensor | None) -> Tensor | None:
    if x is None or more is None:
        return more if x is None else x
    return torch.cat([x, more], dim=1)


def _later(size: int, device: torch.device) -> Tensor:
    return torch.ones(size, size, dtype=torch.bool, device=device).triu(1)


def _by_head(
    x: Float[Tensor, "batch_cell head query any"], batch: int, cells: int
) -> Float[Tensor, "batch head cell_query any"]:
    """All cells of an example in one matrix, to meet what they share."""
    return x.unflatten(0, (batch, cells)).transpose(1, 2).flatten(2, 3)


def _by_cell(
    x: Float[Tensor, "batch head cell_query any"], cells: int, queries: int
) -> Float[Tensor, "batch_cell head query any"]:
    return x.unflatten(2, (cells, queries)).transpose(1, 2).flatten(0, 1)
