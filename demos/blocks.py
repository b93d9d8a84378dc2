"""A long sweep in blocks: each can be computed anywhere, kept, and taken up again.

A block names its model and its inputs; no weights travel with it. A process that computes one
loads the model once and keeps the two runs that all blocks of a job start from.
"""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from demos.patch_sites import Site, copies
from demos.runs import Engine, Run

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Metric = Callable[[Tensor], Tensor | float]
Values = dict[str, Float[Tensor, "*cells example"]]
MANIFEST = "sweep.json"
# Positions that are unembedded at a time: enough for a product at full speed, few enough to hold.
ROWS = 256


class Block(NamedTuple):
    """Cells that are computed together; none changes anything before position `first`."""

    first: int
    cells: tuple[Any, ...]  # what JSON can write


@dataclass(frozen=True)
class Task:
    """What all blocks have in common, whatever is patched. It can be sent to another process."""

    model: str
    clean: Int[Tensor, "batch position"]
    corrupted: Int[Tensor, "batch position"]
    direction: str
    metrics: Mapping[str, Metric]
    all_logits: bool = False
    loader: "Callable[[], TransformerBridge] | None" = None
    weights: str | None = None  # SHA-256, where the job leaves this process or is kept

    def prepare(self, model: "TransformerBridge") -> "TwoRuns":
        raise NotImplementedError

    def load(self) -> "TransformerBridge":
        """Raises ValueError if what is loaded here are other weights than the job is about."""
        from demos.models import load_model

        model = load_model(self.model) if self.loader is None else self.loader()
        if self.weights not in (None, weights_of(model)):
            raise ValueError(f"{self.model}: the weights that are loaded here are others")
        return model

    @cached_property
    def digest(self) -> str:
        """SHA-256 of model, inputs and what is patched, and of the code of the metrics."""
        named = {field.name: _code(getattr(self, field.name)) for field in fields(self)}
        del named["loader"]
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def weights_of(model: "TransformerBridge") -> str:
    """SHA-256."""
    from demos.models import fingerprint

    return fingerprint(model)["sha256"]


@dataclass(frozen=True)
class Job(Task):
    """A sweep over the cells of a site."""

    site: Site = "resid_pre"

    def prepare(self, model: "TransformerBridge") -> "Workspace":
        return Workspace(self, Engine(model))


class TwoRuns:
    """A model's engine with the two runs of a task, and what the metrics say of them."""

    def __init__(self, job: Task, engine: Engine) -> None:
        self.job, self.engine = job, engine
        runs = {"clean": engine.run(job.clean), "corrupted": engine.run(job.corrupted)}
        names = ("corrupted", "clean") if job.direction == "denoising" else ("clean", "corrupted")
        self.base, self.source = (runs[name] for name in names)
        self.clean_values = self.measure(self.logits(runs["clean"]))
        self.corrupted_values = self.measure(self.logits(runs["corrupted"]))
        self.base_values = getattr(self, f"{names[0]}_values")
        differs = (job.clean != job.corrupted).any(dim=0)
        n_positions = job.clean.shape[1]
        # No position before the first that differs can change anything.
        self.first = int(differs.int().argmax()) if differs.any() else n_positions

    def logits(self, run: Run) -> Tensor:
        final = run.resid_pre[-1]
        return self.engine.unembed(final if self.job.all_logits else final[:, -1])

    def measure(self, logits: Tensor) -> Values:
        return {name: _measured(name, metric, logits) for name, metric in self.job.metrics.items()}

    @cached_property
    def _base_logits(self) -> Tensor:
        return self.logits(self.base)

    def measure_copies(
        self, final: Float[Tensor, "batch cell suffix d_model"], first: int
    ) -> Values:
        """The metrics of each cell, from what the final norm reads at the positions from `first`.

        Without `all_logits` only the last of these positions counts.
        """
        job = self.job
        if not job.all_logits and all(hasattr(metric, "tokens") for metric in job.metrics.values()):
            last = final[:, :, -1]
            return {
                name: metric.of(self.engine.unembed_to(last, metric.tokens).transpose(0, 1))  # type: ignore[attr-defined]
                for name, metric in job.metrics.items()
            }
        measured: dict[str, list[Tensor]] = {name: [] for name in job.metrics}
        of_cells = (final if job.all_logits else final[:, :, -1:]).transpose(0, 1)
        together = max(1, ROWS // of_cells[0, ..., 0].numel())
        for some in of_cells.split(together):
            for logits in self.engine.unembed(some):
                if job.all_logits:
                    logits = torch.cat([self._base_logits[:, :first], logits], dim=1)
                else:
                    logits = logits[:, -1]
                for name, value in self.measure(logits).items():
                    measured[name].append(value)
        return {name: torch.stack(values) for name, values in measured.items()}

    def compute(self, block: Block) -> Values:
        """The metrics of each cell of a block, in its order."""
        raise NotImplementedError


class Workspace(TwoRuns):
    """The two runs of a sweep."""

    job: Job

    def compute(self, block: Block) -> Values:
        return self.measure_copies(self.final(block), block.first)

    def final(self, block: Block) -> Float[Tensor, "batch cell suffix d_model"]:
        """What the final norm reads in each copy; short of `all_logits` at the last position."""
        job, first = self.job, block.first
        made = copies(self.engine, self.base, self.source, job.site, block.cells, first)
        return self.engine.resume(
            self.base, first, made.pre, made.mid, only_last=not job.all_logits
        )


def _measured(name: str, metric: Metric, logits: Tensor) -> Float[Tensor, " example"]:
    value = torch.as_tensor(metric(logits), device=logits.device)
    if value.ndim > 1 or (value.ndim == 1 and len(value) != len(logits)):
        raise ValueError(
            f"metric {name!r} gives {tuple(value.shape)}; "
            f"a number for each of the {len(logits)} examples, or one for all, is needed"
        )
    return value.reshape(-1)


def run_blocks(
    job: Task,
    work: TwoRuns,
    blocks: Sequence[Block],
    checkpoint: Path | str | None,
    progress: bool,
    executor: Executor | None,
) -> list[Values]:
    """Every block's values, in order: those that are kept, and the others computed now.

    What an executor does not give back, because a worker of it died, is computed here.
    """
    store = Store(Path(checkpoint), job, blocks) if checkpoint is not None else None
    done: dict[int, Values] = store.read() if store else {}
    waiting = [number for number in range(len(blocks)) if number not in done]
    with _bar(len(blocks), len(done), progress) as bar:
        for number, values in _computed(job, work, blocks, waiting, executor):
            done[number] = values
            if store:
                store.write(number, values)
            bar.update()
    return [done[number] for number in range(len(blocks))]


def _computed(
    job: Task,
    work: TwoRuns,
    blocks: Sequence[Block],
    waiting: Sequence[int],
    executor: Executor | None,
) -> Iterator[tuple[int, Values]]:
    missing = set(waiting)
    if executor is not None:
        for number, values in _elsewhere(job, blocks, waiting, executor):
            missing.remove(number)
            yield number, values
    with torch.no_grad():
        for number in sorted(missing):
            yield number, work.compute(blocks[number])


def _elsewhere(
    job: Task, blocks: Sequence[Block], waiting: Sequence[int], executor: Executor
) -> Iterator[tuple[int, Values]]:
    """What the executor computes, in the order in which it is done."""
    sent: dict[Future[Values], int] = {}
    failed = []
    try:
        for number in waiting:
            sent[executor.submit(compute, job, blocks[number])] = number
        for future in as_completed(sent):
            if error := future.exception():
                failed.append(error)
            else:
                yield sent[future], future.result()
    except (BrokenExecutor, CancelledError) as error:
        failed.append(error)
    finally:
        for future in sent:
            future.cancel()
    if failed:  # a worker died; if it is the metric that is wrong, it will say so here too
        warnings.warn(f"computing here what failed elsewhere: {failed[0]!r}", stacklevel=2)


_workspaces: dict[str, TwoRuns] = {}  # of this process; the job at hand


def compute(job: Task, block: Block) -> Values:
    """Compute a block in whatever process this is."""
    with torch.no_grad():
        if job.digest not in _workspaces:
            _workspaces.clear()
            _workspaces[job.digest] = job.prepare(job.load())
        return _workspaces[job.digest].compute(block)


class Store:
    """Finished blocks in a folder, one file each. Raises ValueError if another sweep is there."""

    def __init__(self, folder: Path, job: Task, blocks: Sequence[Block]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        plan = json.dumps([[block.first, block.cells] for block in blocks])
        mine = {"sweep": job.digest, "plan": hashlib.sha256(plan.encode()).hexdigest()}
        manifest = folder / MANIFEST
        if not manifest.exists():
            _replace(manifest, json.dumps(mine).encode())
        elif json.loads(manifest.read_text("utf-8")) != mine:
            raise ValueError(f"{folder} holds another sweep; name another folder, or delete it")

    def read(self) -> dict[int, Values]:
        from safetensors.torch import load

        return {
            int(path.stem): load(path.read_bytes())
            for path in sorted(self.folder.glob("*.safetensors"))
        }

    def write(self, number: int, values: Values) -> None:
        from safetensors.torch import save

        data = save({name: value.contiguous().cpu() for name, value in values.items()})
        _replace(self.folder / f"{number:05d}.safetensors", data)


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _code(value: Any) -> Any:
    """What a function does, as far as its own code and what it is given say it; JSON."""
    if isinstance(value, Tensor):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, partial):
        return [_code(value.func), _code(value.args), _code(value.keywords)]
    if isinstance(value, FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return [_code(value.__code__), _code(held), _code(value.__defaults__)]
    if isinstance(value, CodeType):
        return [value.co_code.hex(), value.co_names, _code(value.co_consts)]
    if is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return [type(value).__qualname__, _code(held)]
    if isinstance(value, Mapping):
        return [[str(name), _code(one)] for name, one in sorted(value.items())]
    if isinstance(value, list | tuple):
        return [_code(one) for one in value]
    return repr(type(value) if callable(value) else value)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def _bar(total: int, done: int, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="block", desc="Patching", disable=not shown)
