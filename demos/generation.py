"""From next-token distributions to text: greedy, sampling, beam search, and what comes of them.

A text grows token by token. `choose` decides what is added; the model is asked once a step, and
remembers its keys and values where it can. Every log-probability here is the model's own: at
temperature 1, before anything was cut off.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Choose = Callable[[Float[Tensor, "row d_vocab"]], Int[Tensor, " row"]]


def distribution(
    logits: Float[Tensor, "*any d_vocab"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "*any d_vocab"]:
    """What a token is drawn from: temperature, then top-k, then top-p, as in transformers.

    Top-p keeps the smallest set of likeliest tokens whose probabilities reach p; what is kept is
    scaled to sum to 1. Raises ValueError if a setting is out of range.
    Sources: Fan et al. 2018, section 5.4; Holtzman et al. 2020, section 3.1.
    """
    if temperature <= 0:
        raise ValueError(f"a temperature is above 0, not {temperature}; greedy() is its limit")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top-k keeps 1 token or more, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top-p keeps a share above 0, up to 1, not {top_p}")
    probabilities = (logits / temperature).softmax(dim=-1)
    if top_k is not None:
        likeliest, tokens = probabilities.topk(min(top_k, probabilities.shape[-1]), dim=-1)
        probabilities = _only(likeliest, tokens, probabilities)
    if top_p is not None and top_p < 1:
        likeliest, tokens = _reaching(probabilities, top_p)
        before = likeliest.cumsum(dim=-1) - likeliest
        probabilities = _only(likeliest.where(before < top_p, 0), tokens, probabilities)
    return probabilities


def _reaching(
    probabilities: Float[Tensor, "*any d_vocab"], top_p: float
) -> tuple[Float[Tensor, "*any likeliest"], Int[Tensor, "*any likeliest"]]:
    """So many of the likeliest tokens, in order, that they reach p in every row.

    Sorting a whole vocabulary at each step would cost as much as the model does.
    """
    d_vocab, n = probabilities.shape[-1], 1024
    while True:
        likeliest, tokens = probabilities.topk(min(n, d_vocab), dim=-1)
        if n >= d_vocab or likeliest.sum(dim=-1).min() > top_p:
            return likeliest, tokens
        n *= 8


def _only(
    kept: Float[Tensor, "*any kept"],
    tokens: Int[Tensor, "*any kept"],
    probabilities: Float[Tensor, "*any d_vocab"],
) -> Float[Tensor, "*any d_vocab"]:
    """A distribution over these tokens alone, in proportion to what they have."""
    shares = kept / kept.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, tokens, shares)


def greedy(logits: Float[Tensor, "row d_vocab"]) -> Int[Tensor, " row"]:
    """The likeliest token of each row."""
    return logits.argmax(dim=-1)


def sampling(generator: torch.Generator, **settings: Any) -> Choose:
    """A token of each row drawn from `distribution` with these settings."""

    def choose(logits: Float[Tensor, "row d_vocab"]) -> Int[Tensor, " row"]:
        probabilities = distribution(logits, **settings)
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)

    return choose


def side_by_side(*chooses: Choose) -> Choose:
    """One method for each equal part of the rows: a step then reads the weights once for all."""

    def choose(logits: Float[Tensor, "row d_vocab"]) -> Int[Tensor, " row"]:
        parts = logits.split(len(logits) // len(chooses))
        return torch.cat([one(part) for one, part in zip(chooses, parts, strict=True)])

    return choose


@dataclass(frozen=True)
class Continuations:
    """What was added to each prompt, and the model's log-probability (nats) of each token of it."""

    tokens: Int[Tensor, "row new"]
    logprobs: Float[Tensor, "row new"]


def continue_texts(
    model: "TransformerBridge",
    prompts: Int[Tensor, "row position"],
    n_new: int,
    choose: Choose,
    banned: Sequence[int] = (),
) -> Continuations:
    """Add `n_new` tokens to each prompt. A banned token is never chosen; end-of-text, mostly."""
    tokens, logprobs = [], []
    with _reading(model, prompts, n_new) as read:
        logits = read(prompts)
        for step in range(n_new):
            chosen = choose(_without(logits, banned))
            tokens.append(chosen)
            logprobs.append(_of(logits.log_softmax(dim=-1), chosen))
            if step < n_new - 1:
                logits = read(chosen.unsqueeze(-1))
    return Continuations(torch.stack(tokens, dim=-1), torch.stack(logprobs, dim=-1))


@dataclass(frozen=True)
class Beams:
    """The partial texts that were kept at the end, the likeliest first.

    `best`: log-probability of the likeliest kept text after each step.
    """

    tokens: Int[Tensor, "prompt beam new"]
    logprobs: Float[Tensor, "prompt beam"]
    best: Float[Tensor, "prompt new"]


def beam_search(
    model: "TransformerBridge",
    prompts: Int[Tensor, "prompt position"],
    n_new: int,
    n_beams: int,
    banned: Sequence[int] = (),
) -> Beams:
    """Keep the `n_beams` likeliest continuations of each prompt at every step.

    Texts are compared by the sum of their log-probabilities, at equal length. While there are
    fewer continuations than beams, all are kept: with d_vocab ** n_new beams nothing is lost.
    """
    n_prompts = len(prompts)
    texts = prompts.new_zeros(n_prompts, 1, 0)
    scores = torch.zeros(n_prompts, 1, device=prompts.device)
    best = []
    with _reading(model, prompts, n_new) as read:
        logits = read(prompts)
        for step in range(n_new):
            kept = scores.shape[1]
            logprobs = _without(logits.log_softmax(dim=-1), banned)
            candidates = scores.unsqueeze(-1) + logprobs.view(n_prompts, kept, -1)
            d_vocab = candidates.shape[-1]
            scores, places = candidates.flatten(1).topk(min(n_beams, kept * d_vocab), dim=-1)
            parents, chosen = places // d_vocab, places % d_vocab
            inherited = texts.gather(1, parents.unsqueeze(-1).expand(-1, -1, step))
            texts = torch.cat([inherited, chosen.unsqueeze(-1)], dim=-1)
            best.append(scores[:, 0])
            if step < n_new - 1:
                rows = torch.arange(n_prompts, device=prompts.device).unsqueeze(-1) * kept + parents
                logits = read(chosen.reshape(-1, 1), rows.flatten())
    return Beams(texts, scores, torch.stack(best, dim=-1))


def text_logprobs(
    model: "TransformerBridge", texts: Int[Tensor, "row position"], n_prompt: int
) -> Float[Tensor, "row new"]:
    """The model's log-probability (nats) of each token of a text after its first `n_prompt`."""
    with torch.no_grad():
        logits = model(texts)[:, n_prompt - 1 : -1]
    return _of(logits.log_softmax(dim=-1), texts[:, n_prompt:])


def repeats_at_end(tokens: Sequence[int], longest: int = 90) -> list[int]:
    """How often the last phrase of 1, 2, ... `longest` tokens stands at the end, in a row."""
    counts = []
    for length in range(1, min(longest, len(tokens)) + 1):
        phrase, times = tokens[-length:], 1
        while tokens[-length * (times + 1) : -length * times] == phrase:
            times += 1
        counts.append(times)
    return counts


def repeats_itself(tokens: Sequence[int]) -> bool:
    """Whether a phrase of two tokens or more stands at least three times at the end.

    Source: the rule as Holtzman et al. 2020 state it, section 5.
    """
    return any(times >= 3 for times in repeats_at_end(tokens)[1:])


def repeats_itself_as_released(tokens: Sequence[int]) -> bool:
    """The rule of the authors' released code, which is another one.

    The phrase that is repeated most often counts: from three tokens on if it stands there twice, a
    shorter one only beyond fifty times.
    Source: metrics/repetition.py of github.com/ari-holtzman/degen.
    """
    counts = repeats_at_end(tokens)
    times = max(counts)
    return times > 1 and (counts.index(times) + 1 >= 3 or times > 50)


def repeated_share(tokens: Sequence[int], n: int = 4) -> float:
    """Share of a text's phrases of `n` tokens that stand in it before, from 0 to below 1.

    Says how far a text repeats itself where a loop says only whether. Raises ValueError if the text
    has no phrase of that length.
    Source: seq-rep-n of Welleck et al. 2020, arXiv:1908.04319.
    """
    phrases = [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    if not phrases:
        raise ValueError(f"{len(tokens)} tokens hold no phrase of {n}")
    return 1 - len(set(phrases)) / len(phrases)


def chi_square(
    counts: Int[Tensor, " d_vocab"], probabilities: Float[Tensor, " d_vocab"], least: float = 5.0
) -> tuple[float, int, float]:
    """Pearson's test of draws against a distribution: statistic, degrees of freedom, p-value.

    Tokens that are expected less than `least` times are counted together, the unlikeliest first, as
    the test's approximation asks. A draw that the distribution excludes gives a p-value of 0.
    """
    expected, order = (probabilities.double() * counts.sum()).sort(descending=True)
    observed = counts[order].double()
    if (observed[expected == 0] > 0).any():
        return float("inf"), 0, 0.0
    common = int((expected >= least).sum())
    cells = [(observed[:common], expected[:common])]
    if expected[common:].sum() > 0:
        cells.append((observed[common:].sum().view(1), expected[common:].sum().view(1)))
    observed, expected = (torch.cat(parts) for parts in zip(*cells, strict=True))
    statistic = ((observed - expected) ** 2 / expected).sum()
    freedom = len(expected) - 1
    if freedom == 0:
        return 0.0, 0, 1.0
    p_value = torch.special.gammaincc(torch.tensor(freedom / 2).double(), statistic / 2)
    return statistic.item(), freedom, p_value.item()


def listed(
    logits: Float[Tensor, " d_vocab"],
    name: Callable[[int], str],
    n_listed: int = 200,
    step: float = 0.01,
) -> dict[str, Any]:
    """A next-token distribution in small: the likeliest tokens by name, the others counted.

    `rest`: how many tokens have a log-probability within half a `step` (nats) of `top`, of
    `top - step`, and so on; one string of numbers, which a notebook stores in one line. Whatever is
    computed from it has the whole vocabulary in it, and no token's log-probability is off by more
    than half a step.
    """
    logprobs, order = logits.double().log_softmax(dim=-1).sort(descending=True)
    n_listed = min(n_listed, len(logprobs))
    top = round(logprobs[n_listed - 1].item(), 4)
    bins = ((top - logprobs[n_listed:]) / step).round().long()
    return {
        "tokens": [name(token) for token in order[:n_listed].tolist()],
        "logprobs": [round(value, 4) for value in logprobs[:n_listed].tolist()],
        "rest": {"top": top, "counts": " ".join(map(str, torch.bincount(bins).tolist()))},
    }


def unlisted(given: dict[str, Any], step: float = 0.01) -> Float[Tensor, " d_vocab"]:
    """The log-probabilities that `listed` stands for, in order; not quite normalized."""
    counts = torch.tensor([int(number) for number in given["rest"]["counts"].split()])
    levels = given["rest"]["top"] - step * torch.arange(len(counts), dtype=torch.double)
    named = torch.tensor(given["logprobs"], dtype=torch.double)
    return torch.cat([named, levels.repeat_interleave(counts)])


@contextmanager
def cached_attention(model: "TransformerBridge") -> Iterator[None]:
    """Hand the cache of transformers 5.24 on to attention layers that know it by its older name.

    Without this, TransformerLens 4.3 drops the cache in silence: each new token then sees itself
    only, and what is generated has nothing to do with the prompt.
    """

    def rename(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if kwargs.get("cache") is not None and kwargs.get("past_key_values") is None:
            kwargs = {**kwargs, "past_key_values": kwargs["cache"]}
        return args, kwargs

    handles = [
        block.attn.register_forward_pre_hook(rename, with_kwargs=True) for block in model.blocks
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


Read = Callable[..., Float[Tensor, "row d_vocab"]]


@contextmanager
def _reading(
    model: "TransformerBridge", prompts: Int[Tensor, "row position"], n_new: int
) -> Iterator[Read]:
    """A function that reads more tokens of each row and returns the logits of the next.

    `read(tokens, rows)`: the rows go on from those rows of before, which beam search needs.
    """
    from transformers import PreTrainedModel

    with torch.no_grad(), cached_attention(model):
        if isinstance(model.original_model, PreTrainedModel):
            yield _with_cache(model.original_model, prompts.shape[1] + n_new)
        else:  # a toy: it has no cache, and needs none
            yield _without_cache(model)


def _with_cache(hf_model: Any, longest: int) -> Read:
    from transformers import StaticCache

    cache = StaticCache(config=hf_model.config, max_cache_len=longest)

    def read(
        tokens: Int[Tensor, "row position"], rows: Int[Tensor, " row"] | None = None
    ) -> Float[Tensor, "row d_vocab"]:
        if rows is not None:
            _inherit(cache, rows)
        return hf_model(input_ids=tokens, cache=cache, use_cache=True, logits_to_keep=1).logits[
            :, -1
        ]

    return read


def _inherit(cache: Any, rows: Int[Tensor, " row"]) -> None:
    """Let each row of the cache go on from another; most go on from themselves and stay."""
    for layer in cache.layers:
        if len(rows) == len(layer.keys):
            moved = (rows != torch.arange(len(rows), device=rows.device)).nonzero().squeeze(-1)
            if len(moved):
                layer.keys[moved] = layer.keys[rows[moved]]
                layer.values[moved] = layer.values[rows[moved]]
        else:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]
            layer.max_batch_size = len(rows)


def _without_cache(model: "TransformerBridge") -> Read:
    texts: list[Tensor] = []

    def read(
        tokens: Int[Tensor, "row position"], rows: Int[Tensor, " row"] | None = None
    ) -> Float[Tensor, "row d_vocab"]:
        before = [text if rows is None else text[rows] for text in texts]
        texts[:] = [torch.cat([*before, tokens], dim=-1)]
        return model(texts[0])[:, -1]

    return read


def _without(
    logits: Float[Tensor, "row d_vocab"], banned: Sequence[int]
) -> Float[Tensor, "row d_vocab"]:
    if not banned:
        return logits
    kept = logits.clone()
    kept[:, list(banned)] = -torch.inf
    return kept


def _of(
    logprobs: Float[Tensor, "*any d_vocab"], tokens: Int[Tensor, "*any"]
) -> Float[Tensor, "*any"]:
    return logprobs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
