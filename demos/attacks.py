"""Search for a prompt after which a model says a chosen token, with the gradient or without it.

A prompt is a *slot*, tokens that may be replaced, in a *frame*, tokens that may not. A step
proposes replacements of one token at every place, reads them all, and keeps the best if it is
better. With the gradient, proposals are drawn from the replacements that a linear estimate likes
most; without it, from all that are allowed.

Source: Zou et al. 2023, arXiv:2307.15043, algorithm 1 (greedy coordinate gradient); the search of
Yao et al. 2023, arXiv:2310.01469, is the same in substance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from demos.runs import Engine, Run

By = Literal["gradient", "chance"]


@dataclass(frozen=True)
class Frame:
    """Tokens before and after a slot, the same for all prompts. What is predicted follows them."""

    before: Sequence[int]
    after: Sequence[int]

    def around(self, slot: Sequence[int]) -> list[int]:
        """The whole prompt."""
        return [*self.before, *slot, *self.after]


@dataclass(frozen=True)
class Reading:
    """What a model made of slots, with keys and values to go on from."""

    slots: Int[Tensor, "prompt position"]
    log_probs: Float[Tensor, "prompt d_vocab"]
    kept: Run

    @property
    def entropy(self) -> Float[Tensor, " prompt"]:
        """Of the next token, in nats."""
        return -(self.log_probs.exp() * self.log_probs).sum(dim=-1)


class Reader:
    """Reads slots in one frame. What stands before the slot is computed once.

    Raises ValueError if the frame has no token before the slot or none after it.
    """

    def __init__(self, engine: Engine, frame: Frame) -> None:
        if not frame.before or not frame.after:
            raise ValueError("a frame needs at least one token before the slot and one after it")
        self.engine, self.frame = engine, frame
        self.first = len(frame.before)
        self._after = torch.tensor(list(frame.after))
        with torch.no_grad():
            self._before = engine.run(torch.tensor([list(frame.before)]))

    def read(self, slots: Int[Tensor, "prompt position"]) -> Reading:
        with torch.no_grad():
            return self._read(slots, self._embed(slots, 0))

    def surprise(self, slots: Int[Tensor, "prompt position"]) -> Float[Tensor, " prompt"]:
        """How unlikely the model finds the tokens of each slot: nats a token, in the mean.

        The perplexity is its exponential.
        """
        with torch.no_grad():
            x, _ = self._states(self._embed(slots, 0))
            first = self._before.resid_pre[-1][:, -1:].expand(len(slots), -1, -1)
            before_each = torch.cat([first, x[:, : slots.shape[1] - 1]], dim=1)
            log_probs = self.engine.unembed(before_each).log_softmax(dim=-1)
        return -log_probs.gather(2, slots[..., None])[..., 0].mean(dim=1)

    def gradients(
        self, slots: Int[Tensor, "prompt position"], wanted: Int[Tensor, " prompt"]
    ) -> tuple[Reading, Float[Tensor, "prompt position d_vocab"]]:
        """Of the wanted token's log-probability, by the one-hot vector of each token of the slot.

        The entry of a token, less that of the token that stands there, is a linear estimate of what
        replacing it would gain.
        """
        with torch.enable_grad():
            x = self._embed(slots, 0).detach().requires_grad_()
            reading = self._read(slots, x)
            total = reading.log_probs.gather(1, wanted[:, None]).sum()
            (by_embedding,) = torch.autograd.grad(total, x)
        one_hot = by_embedding[:, : slots.shape[1]] @ self.engine.gpt.W_E.detach().T
        return _detached(reading), one_hot

    def of_replacements(
        self,
        reading: Reading,
        rows: Int[Tensor, " row"],
        place: int,
        by: Int[Tensor, "row cell"],
        wanted: Int[Tensor, " row"],
    ) -> Float[Tensor, "row cell"]:
        """Log-probability of the wanted token with one token of some prompts replaced.

        `rows`: which prompts of the reading. `by`: what stands at `place` instead, for each of them
        in as many copies as there are cells. Only what comes from `place` on is computed.
        """
        cells = by.shape[1]
        rest = reading.slots[rows, None, place + 1 :].expand(-1, cells, -1)
        first = self.first + place
        kept = _some(reading.kept, rows, first)
        with torch.no_grad():
            x = self._embed(torch.cat([by[..., None], rest], dim=2), place)
            final = self.engine.resume(kept, first, {0: x}, {})[:, :, 0]
            log_probs = self.engine.unembed(final).log_softmax(dim=-1)
        return log_probs.gather(2, wanted[:, None, None].expand(-1, cells, 1))[..., 0]

    def _embed(self, slots: Tensor, place: int) -> Float[Tensor, "*any suffix d_model"]:
        after = self._after.expand(*slots.shape[:-1], -1)
        suffix = torch.cat([slots, after], dim=-1)
        first = self.first + place
        return self.engine.gpt.embed(suffix, torch.arange(first, first + suffix.shape[-1]))

    def _read(self, slots: Tensor, x: Float[Tensor, "prompt suffix d_model"]) -> Reading:
        x, kept = self._states(x)
        return Reading(slots, self.engine.unembed(x[:, -1]).log_softmax(dim=-1), kept)

    def _states(self, x: Float[Tensor, "prompt suffix d_model"]) -> tuple[Tensor, Run]:
        """What the final norm reads, with keys and values from the first position on.

        All prompts are cells of one run: they share what stands before the slot.
        """
        engine, before = self.engine, self._before
        keys, values = [], []
        for layer in range(engine.n_layers):
            _, k, v = engine.queries_keys_values(layer, x, self.first)
            for kept, own, shared in ((keys, k, before.k), (values, v, before.v)):
                kept.append(torch.cat([shared[layer].expand(len(x), -1, -1, -1), own], dim=2))
            x = engine.attend(before, layer, self.first, x[None], last_query_only=False)[0]
            x = x + engine.feed_forward(layer, x)
        return x, _cache(keys, values)


@dataclass(frozen=True)
class Search:
    """What searches found: the best prompts at the start and after each step.

    `entropy`: of the next token, in nats. `says`: the likeliest next token. `evaluations`: how many
    replacements have been read by then. A search that has stopped stays as it is.
    """

    wanted: Int[Tensor, " prompt"]
    slots: Int[Tensor, "step prompt position"]
    log_prob: Float[Tensor, "step prompt"]
    entropy: Float[Tensor, "step prompt"]
    says: Int[Tensor, "step prompt"]
    evaluations: Int[Tensor, "step prompt"]

    @property
    def reached(self) -> Bool[Tensor, "step prompt"]:
        """Whether the wanted token is the likeliest, then or earlier."""
        return (self.says == self.wanted).cummax(dim=0).values

    @property
    def swaps(self) -> Int[Tensor, "step prompt"]:
        """Tokens that differ from the start."""
        return (self.slots != self.slots[0]).sum(dim=-1)

    @property
    def steps_needed(self) -> Int[Tensor, " prompt"]:
        """Steps until the wanted token was the likeliest; one more than there were if it never was.

        0 where it was so from the start.
        """
        return (~self.reached).sum(dim=0)

    def part(self, rows: slice) -> "Search":
        """Some of the searches."""
        columns = (self.slots, self.log_prob, self.entropy, self.says, self.evaluations)
        return Search(self.wanted[rows], *(column[:, rows] for column in columns))


def search(
    reader: Reader,
    slots: Int[Tensor, "prompt position"],
    wanted: Int[Tensor, " prompt"],
    *,
    by: By,
    steps: int,
    proposals: int,
    free: Bool[Tensor, "prompt position"],
    allowed: Bool[Tensor, "prompt d_vocab"],
    generator: torch.Generator,
    best: int = 256,
    further: int | None = None,
) -> Search:
    """Replace tokens, at most one a step, so that the wanted token becomes likely.

    `proposals`: replacements that a step reads at each free place. `free`: where tokens may be
    replaced; `allowed`: by which. `best`: from how many the gradient lets a place's proposals be
    drawn. `further`: a search stops so many steps after the wanted token has become the likeliest;
    without it, none stops early. But for rounding, no step makes the wanted token less likely.
    Raises ValueError if a prompt has nothing to propose.
    """
    _check(slots, free, allowed, proposals)
    slots = slots.clone()
    count = len(slots)
    own, entropy = torch.empty(2, count).unbind()
    says, spent = torch.zeros(2, count, dtype=torch.long).unbind()
    since = torch.full((count,), -1)  # steps since the wanted token was first the likeliest
    going = torch.arange(count)
    kept = []
    for step in range(steps + 1):
        estimate = None
        if by == "gradient" and step < steps and len(going):
            reading, estimate = reader.gradients(slots[going], wanted[going])
        else:
            reading = reader.read(slots[going])
        own[going] = reading.log_probs.gather(1, wanted[going, None])[:, 0]
        entropy[going], says[going] = reading.entropy, reading.log_probs.argmax(dim=-1)
        kept.append([column.clone() for column in (slots, own, entropy, says, spent)])
        since = torch.where((since >= 0) | (says == wanted), since + 1, since)
        on = torch.ones(len(going), dtype=torch.bool)
        if further is not None:
            on = since[going] < further
        if step < steps and on.any():
            open_places = free[going] & on[:, None]
            slots[going] = _step(
                reader,
                reading,
                wanted[going],
                own[going],
                open_places,
                lambda rows, place, reading=reading, estimate=estimate, going=going: _drawn(
                    reading.slots[rows, place],
                    allowed[going[rows]],
                    None if estimate is None else estimate[rows, place],
                    best,
                    proposals,
                    generator,
                ),
            )
            spent[going] += proposals * open_places.sum(dim=1)
        going = going[on]
    return Search(wanted, *(torch.stack(column) for column in zip(*kept, strict=True)))


def _step(
    reader: Reader,
    reading: Reading,
    wanted: Tensor,
    own: Tensor,
    free: Tensor,
    draw: Callable[[Tensor, int], Tensor],
) -> Tensor:
    """The slots after a step: each with the best replacement that was drawn, if it is better."""
    slots, reached = reading.slots.clone(), own.clone()
    for place in range(slots.shape[1]):
        rows = free[:, place].nonzero()[:, 0]
        if not len(rows):
            continue
        drawn = draw(rows, place)
        gained, cell = reader.of_replacements(reading, rows, place, drawn, wanted[rows]).max(dim=1)
        better = gained > reached[rows]
        changed = reading.slots[rows].clone()
        changed[:, place] = drawn[torch.arange(len(rows)), cell]
        slots[rows] = torch.where(better[:, None], changed, slots[rows])
        reached[rows] = torch.where(better, gained, reached[rows])
    return slots


def _drawn(
    there: Tensor,
    allowed: Tensor,
    estimate: Tensor | None,
    best: int,
    proposals: int,
    generator: torch.Generator,
) -> Tensor:
    """What to put at a place of each prompt instead of what stands there: (row, proposal)."""
    choices = allowed.clone()
    choices[torch.arange(len(there)), there] = False
    if estimate is not None:
        choices = _likeliest(estimate, choices, best)
    return torch.multinomial(choices.float(), proposals, replacement=True, generator=generator)


def _likeliest(estimate: Tensor, choices: Tensor, best: int) -> Tensor:
    """Of the choices of each row, the `best` that the estimate likes most."""
    estimate = estimate.masked_fill(~choices, -torch.inf)
    highest = estimate.topk(min(best, estimate.shape[1]), dim=1).indices
    return torch.zeros_like(choices).scatter(1, highest, True) & choices


def _some(kept: Run, rows: Tensor, first: int) -> Run:
    """Keys and values of some prompts, before a position."""
    return _cache(*([each[rows, :, :first] for each in cached] for cached in (kept.k, kept.v)))


def _detached(reading: Reading) -> Reading:
    kept = reading.kept
    cache = _cache(*([each.detach() for each in cached] for cached in (kept.k, kept.v)))
    return Reading(reading.slots, reading.log_probs.detach(), cache)


def _cache(keys: list[Tensor], values: list[Tensor]) -> Run:
    """A run of which only what later positions read is kept."""
    batch, _, positions, _ = keys[0].shape
    tokens = torch.zeros(batch, positions, dtype=torch.long)  # nothing later reads them
    return Run(tokens, [], [], [], keys, values, [])


def _check(slots: Tensor, free: Tensor, allowed: Tensor, proposals: int) -> None:
    if proposals < 1:
        raise ValueError(f"a step reads at least one proposal at a place, not {proposals}")
    for prompt in range(len(slots)):
        if not free[prompt].any():
            raise ValueError(f"prompt {prompt}: no token of its slot may be replaced")
        if (n := int(allowed[prompt].sum())) < 2:
            raise ValueError(f"prompt {prompt}: a replacement needs 2 allowed tokens, not {n}")


def plain_words(texts: Sequence[str]) -> Bool[Tensor, " token"]:
    """Which tokens are a space and at least two letters of English: what a search may put in.

    `texts`: what each token stands for. Words with spaces before them stay what they are when the
    prompt is written out and read again, and none can imitate the frame's punctuation.
    """
    return torch.tensor(
        [
            text[:1] == " " and len(text) > 2 and text[1:].isascii() and text[1:].isalpha()
            for text in texts
        ]
    )


def naming(texts: Sequence[str], names: Sequence[str]) -> Bool[Tensor, " token"]:
    """Which tokens would give a name away: they hold it, begin like it, or are a part of it.

    To begin like it is to share its first four letters; a part has three letters or more.
    """
    words = [text.strip().lower() for text in texts]
    told = [name.lower() for name in names]
    return torch.tensor(
        [
            any(
                name in word
                or (len(word) > 2 and word in name)
                or (len(word) > 3 and word[:4] == name[:4])
                for name in told
            )
            for word in words
        ]
    )
