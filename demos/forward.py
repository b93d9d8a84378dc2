"""A GPT in one page: from tokens to logits, with nothing between the weights and the reader.

The parts are those of Vaswani et al. 2017 as GPT-2 arranged them (Radford et al. 2019); two words
of the configuration turn them into a Llama: rotary positions (Su et al. 2021) and RMSNorm (Zhang
and Sennrich 2019), with a gated feed-forward layer. The names of the weights are TransformerLens's,
and `GPT.from_bridge` takes them from a loaded model as they are. A bias that a model does not have
is zero here, which is the same function.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT. As it stands here, without the sizes, it is a GPT-2."""

    n_layers: int
    n_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    norm: Literal["LN", "RMS"] = "LN"
    positions: Literal["learned", "rotary", "none"] = "learned"
    activation: str = "gelu_new"
    gated: bool = False
    causal: bool = True
    eps: float = 1e-5
    rotary_base: float = 10_000.0


class Norm(nn.Module):
    """Each position's vector brought to one scale; LayerNorm also takes away its mean."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.bias = nn.Parameter(torch.zeros(config.d_model))
        self.centred = config.norm == "LN"
        self.eps = config.eps

    def forward(self, x: Float[Tensor, "*any d_model"]) -> Float[Tensor, "*any d_model"]:
        if self.centred:
            x = x - x.mean(dim=-1, keepdim=True)
        scale = (x.pow(2).mean(dim=-1, keepdim=True) + self.eps).sqrt()
        return x / scale * self.weight + self.bias


def rotate(
    x: Float[Tensor, "*any position d_head"], positions: Int[Tensor, " position"], base: float
) -> Float[Tensor, "*any position d_head"]:
    """Turn coordinate i together with coordinate i + d_head/2, by position * base^(-2i/d_head).

    The product of two rotated vectors then depends on the distance of their positions only.
    Source: Su et al. 2021, section 3.2; this pairing of coordinates is Llama's.
    """
    half = x.shape[-1] // 2
    speed = base ** (-torch.arange(half, device=x.device) / half)  # radians per position
    angle = positions.to(x.dtype)[:, None] * speed  # (position, d_head / 2)
    first, second = x[..., :half], x[..., half:]
    return torch.cat(
        [
            first * angle.cos() - second * angle.sin(),
            second * angle.cos() + first * angle.sin(),
        ],
        dim=-1,
    )


class Attention(nn.Module):
    """Several heads, each with a question of its own, write into the stream together."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        heads, wide, narrow = config.n_heads, config.d_model, config.d_head
        self.W_Q, self.W_K, self.W_V = (_random(heads, wide, narrow) for _ in range(3))
        self.b_Q, self.b_K, self.b_V = (nn.Parameter(torch.zeros(heads, narrow)) for _ in range(3))
        self.W_O = _random(heads, narrow, wide)
        self.b_O = nn.Parameter(torch.zeros(wide))

    def pattern(
        self, x: Float[Tensor, "batch position d_model"], positions: Int[Tensor, " position"]
    ) -> Float[Tensor, "batch head query key"]:
        """How much each position takes from each other one; a row sums to 1."""
        x = x.unsqueeze(1)  # every head reads the whole stream
        q, k = x @ self.W_Q + self.b_Q[:, None], x @ self.W_K + self.b_K[:, None]
        if self.config.positions == "rotary":
            base = self.config.rotary_base
            q, k = rotate(q, positions, base), rotate(k, positions, base)
        scores = q @ k.mT / math.sqrt(self.config.d_head)
        if self.config.causal:
            later = torch.ones_like(scores, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        return scores.softmax(dim=-1)

    def mix(
        self, x: Float[Tensor, "batch position d_model"], positions: Int[Tensor, " position"]
    ) -> Float[Tensor, "batch head position d_head"]:
        """z: what each head has gathered, before it is written."""
        v = x.unsqueeze(1) @ self.W_V + self.b_V[:, None]
        return self.pattern(x, positions) @ v

    def forward(
        self, x: Float[Tensor, "batch position d_model"], positions: Int[Tensor, " position"]
    ) -> Float[Tensor, "batch position d_model"]:
        z = self.mix(x, positions)
        side_by_side = z.transpose(1, 2).flatten(2)  # (batch, position, head * d_head)
        return side_by_side @ self.W_O.flatten(0, 1) + self.b_O


class FeedForward(nn.Module):
    """Out to a wider layer, through a nonlinearity, and projected back: each position alone."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.act = ACTIVATIONS[config.activation]
        self.gated = config.gated
        self.W_in = _random(config.d_model, config.d_mlp)
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        if config.gated:
            self.W_gate = _random(config.d_model, config.d_mlp)
            self.b_gate = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_out = _random(config.d_mlp, config.d_model)
        self.b_out = nn.Parameter(torch.zeros(config.d_model))

    def neurons(self, x: Float[Tensor, "*any d_model"]) -> Float[Tensor, "*any d_mlp"]:
        """How strongly each neuron fires; neuron i then writes row i of `W_out` that often."""
        up = x @ self.W_in + self.b_in
        return self.act(x @ self.W_gate + self.b_gate) * up if self.gated else self.act(up)

    def forward(self, x: Float[Tensor, "*any d_model"]) -> Float[Tensor, "*any d_model"]:
        return self.neurons(x) @ self.W_out + self.b_out


class Block(nn.Module):
    """Read the stream, add to it; read it again, add again."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln1, self.attn = Norm(config), Attention(config)
        self.ln2, self.mlp = Norm(config), FeedForward(config)

    def forward(
        self, x: Float[Tensor, "batch position d_model"], positions: Int[Tensor, " position"]
    ) -> Float[Tensor, "batch position d_model"]:
        x = x + self.attn(self.ln1(x), positions)
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    """The whole model. New ones have small random weights and can be trained."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.W_E = _random(config.d_vocab, config.d_model)
        if config.positions == "learned":
            self.W_pos = _random(config.n_ctx, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.ln_final = Norm(config)
        self.W_U = _random(config.d_model, config.d_vocab)
        self.b_U = nn.Parameter(torch.zeros(config.d_vocab))

    def embed(
        self, tokens: Int[Tensor, "batch position"], positions: Int[Tensor, " position"]
    ) -> Float[Tensor, "batch position d_model"]:
        x = self.W_E[tokens]
        return x + self.W_pos[positions] if self.config.positions == "learned" else x

    def forward(
        self, tokens: Int[Tensor, "batch position"], first_position: int = 0
    ) -> Float[Tensor, "batch position d_vocab"]:
        """Logits of the next token at every position.

        `first_position`: the place that the model is told the first token stands at.
        """
        positions = first_position + torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embed(tokens, positions)
        for block in self.blocks:
            x = block(x, positions)
        return self.ln_final(x) @ self.W_U + self.b_U

    @classmethod
    def from_bridge(cls, model: "TransformerBridge", **changes: Any) -> "GPT":
        """The same model as a GPT of ours, sharing its weights, not to be trained.

        `changes`: fields of the configuration to set otherwise, to see what they were for.
        Raises ValueError if the model has parts that a GPT of this page has not.
        """
        config = config_of(model)
        with torch.device("meta"):  # shapes only: the weights come from the model
            gpt = cls(GPTConfig(**vars(config) | changes))
        weights = {name: _raw(model, name, like) for name, like in gpt.named_parameters()}
        gpt.load_state_dict(weights, assign=True)
        return gpt.requires_grad_(False).eval()


def config_of(model: "TransformerBridge") -> GPTConfig:
    """The configuration of a loaded model; ValueError if it has parts that `GPT` has not."""
    cfg = model.cfg
    # The bridge keeps the base of a Llama here; its `rotary_base` stays at the default, 10,000.
    rope = getattr(cfg, "rope_parameters", None) or {}
    # A new model of TransformerLens's own turns coordinates 2i and 2i + 1 together.
    is_native = cfg.architecture == "TransformerLensNative"
    rotary = cfg.positional_embedding_type == "rotary"
    has = {
        "normalization": cfg.normalization_type,
        "position code": cfg.positional_embedding_type,
        "rotation": "by neighbours" if rotary and is_native else rope.get("rope_type", "default"),
        "activation": cfg.act_fn,
        "arrangement": "parallel" if getattr(cfg, "parallel_attn_mlp", False) else "in turn",
    }
    known = {
        "normalization": {"LN", "RMS"},
        "position code": {"standard", "rotary"},
        "rotation": {"default"},
        "activation": set(ACTIVATIONS),
        "arrangement": {"in turn"},
    }
    for part, kind in has.items():
        if kind not in known[part]:
            raise ValueError(f"{part} {kind!r}: this GPT knows {', '.join(sorted(known[part]))}")
    return GPTConfig(
        n_layers=cfg.n_layers,
        n_heads=cfg.n_heads,
        d_model=cfg.d_model,
        d_head=cfg.d_head,
        d_mlp=cfg.d_mlp,
        d_vocab=cfg.d_vocab,
        n_ctx=cfg.n_ctx,
        norm=cfg.normalization_type,
        positions="rotary" if rotary else "learned",
        activation=cfg.act_fn,
        gated=bool(cfg.gated_mlp),
        eps=cfg.eps,
        rotary_base=rope.get("rope_theta", cfg.rotary_base),
    )


def _raw(model: "TransformerBridge", name: str, like: Tensor) -> Tensor:
    """A weight of the model by its name; a bias that it does not have is zero."""
    is_bias = name.rpartition(".")[2].startswith("b")
    try:
        found = attrgetter(name)(model)
    except AttributeError:
        if not is_bias:
            raise
        found = None
    return torch.zeros(like.shape, device=model.cfg.device) if found is None else found.detach()


def _random(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) / math.sqrt(shape[-2]))
