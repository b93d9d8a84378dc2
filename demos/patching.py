"""Activation patching: what does the model say when one part of it is as in another run?

`sweep` asks that of every layer and position, or of every head. The values are those of a full
forward pass for each patch, at a fraction of its cost: see `demos.runs`.

Source: Vig et al. 2020, arXiv:2004.12265, for the method; Zhang and Nanda 2023, arXiv:2309.16042,
for its choices; the names of the sites are TransformerLens's.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from demos.blocks import Block, Job, Metric, Task, run_blocks, weights_of
from demos.measured import Measured
from demos.patch_sites import SITES, STREAM_SITES, Cell, Site
from demos.runs import Engine, check_engine
from demos.statistics import rank_correlation

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Direction = Literal["denoising", "noising"]
OF_ONE_TOKEN = ("resid_pre", "q", "k", "v")  # sites that in layer 0 depend on one token each
# Numbers that the copies of a block may hold at one time, in float32: 150 MB.
MOST_NUMBERS = 40_000_000


@dataclass(frozen=True, kw_only=True)
class Sweep(Measured):
    """The metric under every patch of a sweep.

    `values`: the metric of each cell, over the axes that `axes` names; with several metrics, the
    first one's. A cell that changes nothing has the value of the run that was patched.
    """

    site: Site
    direction: Direction
    axes: tuple[str, ...]
    approximate: bool = False

    def rank_correlation(self, other: "Sweep", metric: str | None = None) -> float:
        """Spearman's, over the cells that can change anything: of an estimate with the exact one.

        Raises ValueError for sweeps of another site or direction.
        """
        kinds = [(one.site, one.direction, one.axes) for one in (self, other)]
        if kinds[0] != kinds[1]:
            raise ValueError(f"two sweeps of one kind have an order in common, not {kinds}")
        name = self._name(metric)
        unchanged = {"denoising": self.corrupted, "noising": self.clean}[self.direction][name]
        able = [one.per_example(name) != unchanged for one in (self, other)]
        cells = (able[0] | able[1]).any(dim=-1)
        return rank_correlation(self.mean(name)[cells], other.mean(name)[cells])


def sweep(
    model: "TransformerBridge",
    clean: Int[Tensor, "batch position"] | Sequence[str],
    corrupted: Int[Tensor, "batch position"] | Sequence[str],
    metric: Metric | Mapping[str, Metric],
    site: Site = "resid_pre",
    *,
    by_position: bool | None = None,
    direction: Direction = "denoising",
    all_logits: bool = False,
    approximate: Literal["attribution"] | None = None,
    checkpoint: Path | str | None = None,
    progress: bool = False,
    executor: Executor | None = None,
    loader: Callable[[], "TransformerBridge"] | None = None,
) -> Sweep:
    """Patch every cell of a site and measure what the model says.

    `clean`, `corrupted`: tokens, or texts of equally many tokens; row i of one belongs to row i of
    the other.
    `metric`: takes the logits after the last token, (batch, d_vocab), or with `all_logits` those
    of all positions, (batch, position, d_vocab); gives a number for each example, or one for the
    batch. Several metrics go in by name and are measured on the same runs.
    `site`: `resid_pre`, `resid_mid`, `attn_out`, `mlp_out` by (layer, position); `z`, `q`, `k`,
    `v`, `pattern` by (layer, head) at all positions, or with `by_position` by (layer, position,
    head), where the position is that of the query, and that of the key for `k` and `v`.
    `direction`: denoising puts clean activations into the corrupted run and asks what suffices;
    noising puts corrupted ones into the clean run and asks what is needed.
    `approximate="attribution"` estimates every cell from one gradient: the patched run's, times
    the difference of the activations (Nanda 2023; Syed et al. 2023, arXiv:2310.10348). How far its
    order is that of the exact values says `Sweep.rank_correlation`.
    `checkpoint`: a folder in which finished blocks are kept, so that an interrupted sweep goes on
    where it stopped. `executor`: computes blocks elsewhere, in processes that load the model
    themselves, by name or with `loader`; metric and loader must be importable there.

    Raises ValueError for an unknown site, for batches of different shapes and for a model that
    this code does not know.
    """
    names = metric if isinstance(metric, Mapping) else {"metric": metric}
    clean, corrupted = token_pair(model, clean, corrupted)
    _check(site, direction, names, by_position)
    by_position = site in STREAM_SITES if by_position is None else by_position
    job = Job(
        model=model.cfg.model_name,
        clean=clean,
        corrupted=corrupted,
        site=site,
        direction=direction,
        metrics=dict(names),
        all_logits=all_logits,
        loader=loader,
        weights=weights_of(model) if checkpoint or executor else None,
    )
    with torch.no_grad():
        work = job.prepare(model)
        check_engine(model, work.engine, work.base)
    axes = ("layer", "position") if site in STREAM_SITES else ("layer", "head")
    if site not in STREAM_SITES and by_position:
        axes = ("layer", "position", "head")
    sweep_of = partial(
        Sweep,
        site=site,
        direction=direction,
        axes=axes,
        clean=work.clean_values,
        corrupted=work.corrupted_values,
    )
    if approximate is not None:
        from demos.attribution import estimate

        found = estimate(work, axes)
        return sweep_of(metrics=found, approximate=True)

    blocks = plan(work.engine, job, axes, work.first)
    done = run_blocks(job, work, blocks, checkpoint, progress, executor)
    shape = _shape(work.engine, clean, axes)
    found = {}
    for name, unchanged in work.base_values.items():
        values = unchanged.expand(*shape, -1).clone()
        for block, result in zip(blocks, done, strict=True):
            for cell, value in zip(block.cells, result[name], strict=True):
                values[index(cell, axes)] = value
        found[name] = values
    return sweep_of(metrics=found)


def plan(engine: Engine, job: Job, axes: tuple[str, ...], first: int) -> list[Block]:
    """The cells that can change anything, in blocks that fit into memory, the dearest first."""
    n_positions = job.clean.shape[1]
    heads = range(engine.config.n_heads) if "head" in axes else [None]
    starts = range(first, n_positions) if "position" in axes else [first]
    differs = (job.clean != job.corrupted).any(dim=0).tolist()
    blocks = []
    for start in starts:
        if start == n_positions:  # clean and corrupted are the same tokens
            continue
        position = start if "position" in axes else None
        # Below the first attention layer a position knows of its own token alone.
        same = position is not None and job.site in OF_ONE_TOKEN and not differs[position]
        layers = range(int(same), engine.n_layers)
        cells = [Cell(layer, position, head) for layer in layers for head in heads]
        size = cells_at_once(engine, job, n_positions - start)
        blocks += [Block(start, tuple(cells[at : at + size])) for at in range(0, len(cells), size)]
    return blocks


def cells_at_once(engine: Engine, job: Task, suffix: int) -> int:
    """How many copies fit into MOST_NUMBERS: stream, heads and neurons, then the logits."""
    config = engine.config
    widest = 4 * config.d_model + 6 * config.n_heads * config.d_head + 3 * config.d_mlp
    logits = 2 * config.d_vocab * (job.clean.shape[1] if job.all_logits else 1)
    return max(1, MOST_NUMBERS // (len(job.clean) * (suffix * widest + logits)))


def index(cell: Cell, axes: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(getattr(cell, axis) for axis in axes)


def _shape(engine: Engine, clean: Tensor, axes: tuple[str, ...]) -> list[int]:
    sizes = {
        "layer": engine.n_layers,
        "position": clean.shape[1],
        "head": engine.config.n_heads,
    }
    return [sizes[axis] for axis in axes]


def _check(
    site: str, direction: str, metrics: Mapping[str, Metric], by_position: bool | None
) -> None:
    if site not in SITES:
        raise ValueError(f"no site is named {site!r}; choose from {', '.join(SITES)}")
    if direction not in get_args(Direction):
        raise ValueError(f"{direction!r} is no direction; choose denoising or noising")
    if not metrics:
        raise ValueError("nothing to measure; give a metric")
    if site in STREAM_SITES and by_position is False:
        raise ValueError(f"{site} is patched by position; leave by_position out")


def token_pair(
    model: "TransformerBridge",
    clean: Int[Tensor, "batch position"] | Sequence[str],
    corrupted: Int[Tensor, "batch position"] | Sequence[str],
) -> tuple[Tensor, Tensor]:
    """Two batches of tokens of one shape. Raises ValueError if they are not."""
    pair = [
        _tokens(model, name, given) for name, given in (("clean", clean), ("corrupted", corrupted))
    ]
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"clean is {tuple(pair[0].shape)} tokens, corrupted {tuple(pair[1].shape)}: "
            "a patch needs the same prompts and positions in both"
        )
    return pair[0], pair[1]


def _tokens(model: "TransformerBridge", name: str, given: Tensor | Sequence) -> Tensor:
    """Equally long rows of tokens. Raises ValueError, naming the rows that are not."""
    if isinstance(given, Tensor):
        if given.ndim != 2 or given.is_floating_point() or given.numel() == 0:
            raise ValueError(f"{name}: tokens are integers, (batch, position), not {given.shape}")
        return given.to(model.cfg.device)
    texts = [given] if isinstance(given, str) else list(given)
    rows = [
        model.tokenizer(text)["input_ids"] if isinstance(text, str) else list(map(int, text))
        for text in texts
    ]
    lengths = [len(row) for row in rows]
    if len(set(lengths)) != 1 or not lengths[0]:
        odd = next(i for i, length in enumerate(lengths) if length != lengths[0] or not length)
        raise ValueError(
            f"{name}: row {odd} has {lengths[odd]} tokens, row 0 has {lengths[0]}; "
            "a batch holds prompts of one length, so group them by it"
        )
    return torch.tensor(rows, device=model.cfg.device)
