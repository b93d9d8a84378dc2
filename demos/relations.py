"""What the last position of a prompt is given by each layer, and the same added somewhere else.

All of it is read at the last position, from which the answer is predicted. Prompts may have any
lengths: those of one length are run together.

Source: Merullo et al. 2023, arXiv:2305.16130, and the authors' jmerullo/lm_vector_arithmetic. They
put one vector in place of several feed-forward layers; `add` adds it once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.relation_tasks import Asked
from demos.runs import Engine, Run

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

BATCH = 32  # prompts of one length of which all layers are kept at a time
Hook = tuple[str, Callable[..., Tensor]]


@dataclass(frozen=True)
class LastPosition:
    """The residual stream at the last position of each prompt.

    `pre` has one row more than there are layers: the last is what the final norm reads. `mid` is
    the stream between attention and feed-forward layer.
    """

    pre: Float[Tensor, "layer_plus_1 prompt d_model"]
    mid: Float[Tensor, "layer prompt d_model"]
    argument: Int[Tensor, " prompt"]
    answer: Int[Tensor, " prompt"]

    @property
    def attention(self) -> Float[Tensor, "layer prompt d_model"]:
        """What each layer's attention adds."""
        return self.mid - self.pre[:-1]

    @property
    def feed_forward(self) -> Float[Tensor, "layer prompt d_model"]:
        """What each feed-forward layer adds."""
        return self.pre[1:] - self.mid

    def of(self, chosen: Tensor) -> "LastPosition":
        """Some of the prompts: by a mask, or by their numbers."""
        return LastPosition(
            self.pre[:, chosen], self.mid[:, chosen], self.argument[chosen], self.answer[chosen]
        )


def last_position(engine: Engine, asked: Sequence[Asked]) -> LastPosition:
    """Runs the prompts, in batches of equal length, and keeps what stands at the last position."""
    width = engine.config.d_model
    pre = torch.empty(engine.n_layers + 1, len(asked), width)
    mid = torch.empty(engine.n_layers, len(asked), width)
    with torch.no_grad():
        for chosen in _same_lengths([one.tokens for one in asked], BATCH):
            run = engine.run(torch.tensor([asked[index].tokens for index in chosen]))
            pre[:, chosen] = torch.stack([state[:, -1] for state in run.resid_pre])
            mid[:, chosen] = torch.stack([state[:, -1] for state in run.resid_mid])
    argument, answer = ([getattr(one, word) for one in asked] for word in ("argument", "answer"))
    return LastPosition(pre, mid, torch.tensor(argument), torch.tensor(answer))


def final_logits(
    engine: Engine, final: Float[Tensor, "prompt d_model"]
) -> Float[Tensor, "prompt d_vocab"]:
    """Of the next token, from what the final norm reads."""
    with torch.no_grad():
        logits: Tensor = engine.unembed(final)
        return logits


def ranks(
    logits: Float[Tensor, "prompt d_vocab"], tokens: Int[Tensor, " prompt"]
) -> Float[Tensor, " prompt"]:
    """The place of a token in each prompt's ranking: 1 if no other token is likelier."""
    own = logits.gather(-1, tokens[:, None])
    return (logits > own).sum(dim=-1) + 1.0


def direct_effects(
    engine: Engine,
    writes: Float[Tensor, "layer prompt d_model"],
    final: Float[Tensor, "prompt d_model"],
    direction: Float[Tensor, "prompt d_model"],
) -> Float[Tensor, "layer prompt"]:
    """Direct logit attribution: what each write adds to the logits along a direction.

    `direction`: a difference of columns of `W_U`, such as answer minus argument, for each prompt.
    The final norm's scale is that of the whole stream, `final`, so that the effects of all writes
    and of the embedding sum to the difference of logits, less what the norm's bias adds. What later
    layers make of a write is not counted.
    """
    norm = engine.gpt.ln_final
    if norm.centred:
        final = final - final.mean(dim=-1, keepdim=True)
        writes = writes - writes.mean(dim=-1, keepdim=True)
    scale = (final.pow(2).mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    effects: Tensor = (writes * (direction * norm.weight / scale)).sum(dim=-1)
    return effects


def answer_over_others(
    unembedding: Float[Tensor, "d_model d_vocab"], answers: Int[Tensor, " prompt"]
) -> Float[Tensor, "prompt d_model"]:
    """The direction from the mean of the other prompts' answers to each prompt's own."""
    columns = unembedding[:, answers].T
    return columns - (columns.sum(dim=0) - columns) / (len(answers) - 1)


def add(
    engine: Engine, run: Run, layers: Iterable[int], vectors: Float[Tensor, "cell prompt d_model"]
) -> Float[Tensor, "cell prompt d_model"]:
    """What the final norm reads at the last position when a vector is added after a layer.

    `run`: of texts of one length. Cell c adds `vectors[c]` to the stream after the layer that
    `layers` names in its place. Nothing before the last position changes, so only that is run.
    Raises ValueError unless each vector has a layer.
    """
    layers = list(layers)
    if len(layers) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors for {len(layers)} layers")
    changed: dict[int, list[Tensor]] = defaultdict(list)
    order: dict[int, list[int]] = defaultdict(list)
    for cell, (layer, vector) in enumerate(zip(layers, vectors, strict=True)):
        changed[layer + 1].append(run.resid_pre[layer + 1][:, -1] + vector)
        order[layer + 1].append(cell)
    pre = {layer: torch.stack(cells, dim=1)[:, :, None] for layer, cells in changed.items()}
    with torch.no_grad():
        final = engine.resume(run, run.tokens.shape[1] - 1, pre, {})[:, :, 0].transpose(0, 1)
    # They come back in the order of layers.
    places = torch.tensor([cell for layer in sorted(order) for cell in order[layer]])
    return final[places.argsort()]


def random_like(
    vectors: Float[Tensor, "*any d_model"], generator: torch.Generator
) -> Float[Tensor, "*any d_model"]:
    """Vectors of random directions, each as long as the one in its place."""
    drawn = torch.randn(vectors.shape, generator=generator)
    return drawn * (vectors.norm(dim=-1, keepdim=True) / drawn.norm(dim=-1, keepdim=True))


def write_instead(
    layers: Iterable[int],
    vectors: Float[Tensor, "prompt d_model"] | float = 0.0,
    site: Literal["attn_out", "mlp_out"] = "mlp_out",
) -> list[Hook]:
    """Hooks that put a vector in place of what these layers' `site` adds at the last position.

    Zero, the default, removes it there. One vector for each prompt fits texts of one length only,
    which are run in the order in which they come.
    """

    def replace(written: Tensor, hook: Any) -> Tensor:
        written = written.clone()
        written[:, -1] = vectors
        return written

    return [(f"blocks.{layer}.hook_{site}", replace) for layer in layers]


def hooked_logits(
    model: "TransformerBridge", asked: Sequence[Asked], hooks: Sequence[Hook]
) -> Float[Tensor, "prompt d_vocab"]:
    """Of each prompt's next token, while `hooks` act."""
    logits = torch.empty(len(asked), model.cfg.d_vocab)
    with torch.no_grad():
        for chosen in _same_lengths([one.tokens for one in asked]):
            tokens = torch.tensor([asked[index].tokens for index in chosen])
            logits[chosen] = model.run_with_hooks(tokens, fwd_hooks=list(hooks))[:, -1]
    return logits


def _same_lengths(prompts: Sequence[Sequence[int]], most: int | None = None) -> Iterator[list[int]]:
    """The numbers of prompts that can be run together, at most so many at a time."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_length[len(prompt)].append(index)
    for places in by_length.values():
        step = most or len(places)
        for start in range(0, len(places), step):
            yield places[start : start + step]
