"""Sweeps against TransformerLens, which runs the whole model once for each patch."""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from transformer_lens import patching as theirs

from demos.attribution import estimate
from demos.blocks import Job
from demos.models import load_model, tiny_model
from demos.patch_sites import SITES, STREAM_SITES
from demos.patching import index, plan, sweep
from demos.runs import Engine, Run
from tests.test_models import llama, save_checkpoint

AS_THEIRS = {
    ("resid_pre", False): theirs.get_act_patch_resid_pre,
    ("resid_mid", False): theirs.get_act_patch_resid_mid,
    ("attn_out", False): theirs.get_act_patch_attn_out,
    ("mlp_out", False): theirs.get_act_patch_mlp_out,
    ("z", False): theirs.get_act_patch_attn_head_out_all_pos,
    ("q", False): theirs.get_act_patch_attn_head_q_all_pos,
    ("k", False): theirs.get_act_patch_attn_head_k_all_pos,
    ("v", False): theirs.get_act_patch_attn_head_v_all_pos,
    ("pattern", False): theirs.get_act_patch_attn_head_pattern_all_pos,
    ("z", True): theirs.get_act_patch_attn_head_out_by_pos,
    ("q", True): theirs.get_act_patch_attn_head_q_by_pos,
    ("k", True): theirs.get_act_patch_attn_head_k_by_pos,
    ("v", True): theirs.get_act_patch_attn_head_v_by_pos,
    ("pattern", True): theirs.get_act_patch_attn_head_pattern_by_pos,
}
N_POSITIONS, D_VOCAB = 6, 8


def difference(logits, right=3, wrong=5):
    """Of each example, at the last position."""
    last = logits if logits.ndim == 2 else logits[:, -1]
    return last[:, right] - last[:, wrong]


def mean_difference(logits):
    return difference(logits).mean()


def prompts(first: int, only: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Three pairs of prompts that differ from position `first` on, or there `only`."""
    generator = torch.Generator().manual_seed(1)
    clean = torch.randint(D_VOCAB, (3, N_POSITIONS), generator=generator)
    corrupted = clean.clone()
    if not only:
        corrupted[:, first:] = torch.randint(D_VOCAB, (3, N_POSITIONS - first), generator=generator)
    corrupted[:, first] = (clean[:, first] + 1) % D_VOCAB
    return clean, corrupted


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A Llama and a GPT-2 with large random weights, loaded as any other model."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    gpt2 = GPT2Config(
        n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=D_VOCAB, initializer_range=0.3
    )
    made = {"gpt2": GPT2LMHeadModel(gpt2), "llama": llama(initializer_range=0.3)}
    folders = {name: tmp_path_factory.mktemp(name) for name in made}
    for name, hf_model in made.items():
        save_checkpoint(folders[name], hf_model)
    return {name: load_model(str(folder)) for name, folder in folders.items()}


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize(("site", "by_position"), AS_THEIRS)
def test_a_sweep_has_the_values_of_one_forward_pass_for_each_patch(models, name, site, by_position):
    model = models[name]
    for first in (0, 3) if site == "resid_pre" else (3,):
        clean, corrupted = prompts(first)
        _, clean_cache = model.run_with_cache(clean)
        expected = AS_THEIRS[site, by_position](model, corrupted, clean_cache, mean_difference)
        if site == "pattern" and by_position:
            expected = expected.mT  # theirs is by head, then by query

        found = sweep(model, clean, corrupted, difference, site, by_position=by_position or None)

        gap = (found.clean["metric"] - found.corrupted["metric"]).mean().abs().item()
        torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-4 * gap)
        alone = sweep(
            model, clean[1:2], corrupted[1:2], difference, site, by_position=by_position or None
        )
        torch.testing.assert_close(found.per_example()[..., 1], alone.values, atol=1e-4, rtol=0)


def test_noising_is_denoising_with_the_prompts_exchanged():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(2)

    noised = sweep(model, clean, corrupted, difference, "z", direction="noising")
    exchanged = sweep(model, corrupted, clean, difference, "z")

    torch.testing.assert_close(noised.values, exchanged.values)
    torch.testing.assert_close(noised.clean["metric"], exchanged.corrupted["metric"])
    assert noised.axes == ("layer", "head")


def test_a_patch_of_all_that_differs_is_the_other_run():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(3, only=True)

    found = sweep(model, clean, corrupted, difference)

    normal = found.normalized()
    assert normal[0, 3] == pytest.approx(1, abs=1e-5)
    # What comes before the token that differs is the same in both: no change at all.
    assert (normal[:, :3] == 0).all()


def test_the_same_prompts_twice_change_nothing():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, _ = prompts(3)

    found = sweep(model, clean, clean, difference, "mlp_out")

    assert (found.values == found.corrupted["metric"].mean()).all()
    with pytest.raises(ValueError, match="clean and corrupted agree in 'metric'"):
        found.normalized()


def test_several_metrics_come_from_the_same_runs_and_have_intervals():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(2)
    metrics = {"difference": difference, "mean": mean_difference}

    found = sweep(model, clean, corrupted, metrics, "attn_out")

    torch.testing.assert_close(found.mean("difference"), found.mean("mean"))
    low, high = found.interval("difference")
    assert (low <= found.mean("difference") + 1e-6).all()
    assert (found.mean("difference") <= high + 1e-6).all()
    with pytest.raises(ValueError, match="several examples"):
        found.interval("mean")


def test_a_metric_of_all_logits_sees_those_before_the_patch_too():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(2)
    seen = []

    def of_all(logits):
        seen.append(logits.shape)
        return logits[:, :, 3].sum(dim=1)

    found = sweep(model, clean, corrupted, of_all, "resid_pre", all_logits=True)

    assert set(seen) == {(3, N_POSITIONS, D_VOCAB)}
    _, cache = model.run_with_cache(clean)
    expected = theirs.get_act_patch_resid_pre(
        model, corrupted, cache, lambda logits: of_all(logits).mean()
    )
    torch.testing.assert_close(found.values, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"site": "resid"}, "no site is named 'resid'; choose from resid_pre, resid_mid"),
        ({"direction": "both"}, "'both' is no direction; choose denoising or noising"),
        ({"metric": {}}, "nothing to measure; give a metric"),
        ({"clean": [[1, 2, 3], [4, 5]]}, "clean: row 1 has 2 tokens, row 0 has 3"),
        ({"clean": torch.ones(3, 5, dtype=torch.long)}, r"clean is \(3, 5\) tokens"),
        ({"clean": torch.ones(3, 6)}, "clean: tokens are integers"),
        ({"metric": lambda logits: logits}, r"metric 'metric' gives \(3, 8\)"),
    ],
)
def test_what_cannot_be_swept_is_refused_with_what_would_be_right(change, complaint):
    clean, corrupted = prompts(2)
    given = {"clean": clean, "corrupted": corrupted, "metric": difference} | change

    with pytest.raises(ValueError, match=complaint):
        sweep(tiny_model(d_vocab=D_VOCAB), **given)


@pytest.mark.parametrize("site", SITES)
def test_attribution_is_the_derivative_of_the_exact_values(site):
    """When the other run lies ten times nearer, the two agree ten times better."""
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(3)
    job = Job("tiny", clean, corrupted, "denoising", {"difference": difference}, site=site)
    axes = ("layer", "position") if site in STREAM_SITES else ("layer", "head")
    work = job.prepare(model)
    far = work.source

    def gap(step):
        between = {
            name: [a + step * (b - a) for a, b in zip(getattr(work.base, name), kept, strict=True)]
            for name, kept in vars(far).items()
            if name != "tokens"
        }
        work.source = Run(far.tokens, **between)
        estimated = estimate(work, axes)["difference"]
        blocks = plan(work.engine, job, axes, work.first)
        exact = torch.cat([work.compute(block)["difference"] for block in blocks])
        cells = [cell for block in blocks for cell in block.cells]
        there = torch.stack([estimated[index(cell, axes)] for cell in cells])
        return ((exact - there).norm() / (exact - work.base_values["difference"]).norm()).item()

    with torch.no_grad():
        assert gap(0.01) < 0.2 * gap(0.1) + 1e-3
        assert gap(0.01) < 0.05


class Counted:
    """A metric that is interrupted after so many calls."""

    def __init__(self, stops_after: int | None = None) -> None:
        self.calls, self.stops_after = 0, stops_after

    def __call__(self, logits):
        self.calls += 1
        if self.stops_after is not None and self.calls > self.stops_after:
            raise KeyboardInterrupt
        return difference(logits)


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path):
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(0)
    counted = Counted(stops_after=8)
    with pytest.raises(KeyboardInterrupt):
        sweep(model, clean, corrupted, counted, checkpoint=tmp_path)
    kept = len(list(tmp_path.glob("*.safetensors")))
    again = Counted()
    found = sweep(model, clean, corrupted, again, checkpoint=tmp_path)

    n_cells = 2 * N_POSITIONS
    assert 0 < kept < N_POSITIONS
    assert again.calls == 2 + n_cells - 2 * kept  # both runs, and what was not kept
    whole = sweep(model, clean, corrupted, difference)
    torch.testing.assert_close(found.values, whole.values)
    with pytest.raises(ValueError, match="holds another sweep; name another folder, or delete it"):
        sweep(model, corrupted, clean, again, checkpoint=tmp_path)


def dies_once(logits, marker):
    """A metric during which a worker is killed, the first time."""
    path = Path(marker)
    if path.exists() and path.read_text() != str(os.getpid()):
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return difference(logits)


def test_a_killed_worker_loses_nothing(tmp_path: Path):
    clean, corrupted = prompts(1)
    loader = partial(tiny_model, d_vocab=D_VOCAB)
    here = sweep(loader(), clean, corrupted, difference, "z")
    marker = tmp_path / "marker"
    marker.write_text(str(os.getpid()))

    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        metric = partial(dies_once, marker=str(marker))
        elsewhere = sweep(loader(), clean, corrupted, metric, "z", executor=pool, loader=loader)

    assert not marker.exists()
    torch.testing.assert_close(elsewhere.values, here.values)


def test_a_model_that_the_engine_does_not_know_is_refused():
    rotary = tiny_model(d_vocab=D_VOCAB, positional_embedding_type="rotary", rotary_dim=8)

    with pytest.raises(ValueError, match="rotation 'by neighbours'"):
        Engine(rotary)
