"""Sweeps against TransformerLens, which runs the whole model once for each patch."""

import multiprocessing
import os
import signal
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformer_lens import patching as theirs

from demos.attribution import estimate
from demos.blocks import Job
from demos.models import load_model, tiny_model
from demos.patch_sites import SITES, STREAM_SITES, Cell, copies
from demos.patching import index, plan, sweep
from demos.runs import Engine, Run
from demos.statistics import rank_correlation
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


def rename_heads(model, order: list[int]) -> None:
    """Head i becomes what head `order[i]` was, in every layer; the function stays the same."""
    for layer in model.original_model.layers:
        attention = layer.attn
        with torch.no_grad():
            for part in (attention.q, attention.k, attention.v):
                for parameter in part.parameters():
                    heads = parameter.unflatten(0, (len(order), -1))
                    parameter.copy_(heads[order].flatten(0, 1))
            W_O = attention.o.weight.unflatten(1, (len(order), -1))
            attention.o.weight.copy_(W_O[:, order].flatten(1))


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(4)), first=st.integers(0, N_POSITIONS - 1))
def test_heads_can_stand_in_any_order(order, first):
    """To rename the heads renames the cells, and changes nothing else."""
    clean, corrupted = prompts(first)
    model, renamed = tiny_model(d_vocab=D_VOCAB), tiny_model(d_vocab=D_VOCAB)
    rename_heads(renamed, order)

    for site in ("z", "q", "pattern"):
        found = sweep(model, clean, corrupted, difference, site)
        again = sweep(renamed, clean, corrupted, difference, site)
        torch.testing.assert_close(again.values, found.values[:, order], atol=1e-5, rtol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), first=st.integers(0, N_POSITIONS - 1))
def test_in_the_stream_the_patches_of_all_heads_add_up_to_that_of_their_layer(seed, first):
    """What comes behind it is not linear, so there the effects need not add up."""
    engine = Engine(tiny_model(d_vocab=D_VOCAB, seed=seed))
    clean, corrupted = prompts(first)
    base, source = engine.run(corrupted), engine.run(clean)
    positions = range(first, N_POSITIONS)

    def changes(site, heads):
        cells = [Cell(1, position, head) for position in positions for head in heads]
        made = copies(engine, base, source, site, cells, first).mid[1]
        return (made - base.resid_mid[1][:, None, first:]).unflatten(1, (len(positions), -1))

    of_heads = changes("z", range(engine.config.n_heads)).sum(dim=2)
    of_layer = changes("attn_out", [None])[:, :, 0]

    torch.testing.assert_close(of_heads, of_layer, atol=1e-5, rtol=0)
    assert of_layer.abs().max() > 1e-3


def test_an_estimate_is_compared_by_its_order_where_a_patch_can_change_anything():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(3)
    exact = sweep(model, clean, corrupted, difference, "z")
    estimated = sweep(model, clean, corrupted, difference, "z", approximate="attribution")
    by_position = sweep(model, clean, corrupted, difference)
    part = replace(by_position, metrics={"metric": -by_position.per_example()})

    expected = rank_correlation(exact.values.flatten(), estimated.values.flatten())
    assert exact.rank_correlation(estimated) == pytest.approx(expected)
    # Were the three positions before the first difference counted, they would tie.
    assert by_position.rank_correlation(part) == pytest.approx(-1)
    with pytest.raises(ValueError, match="two sweeps of one kind"):
        exact.rank_correlation(by_position)


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
        with pytest.warns(UserWarning, match="computing here what failed elsewhere: BrokenProcess"):
            elsewhere = sweep(loader(), clean, corrupted, metric, "z", executor=pool, loader=loader)

    assert not marker.exists()
    torch.testing.assert_close(elsewhere.values, here.values)


def test_workers_of_dask_give_the_same_values_though_one_is_killed(tmp_path: Path):
    from distributed import Client, LocalCluster

    clean, corrupted = prompts(1)
    loader = partial(tiny_model, d_vocab=D_VOCAB)
    here = sweep(loader(), clean, corrupted, difference)
    marker = tmp_path / "marker"
    marker.write_text(str(os.getpid()))
    metric = partial(dies_once, marker=str(marker))
    workers = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with workers, Client(workers) as client, warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing has to be computed here
        elsewhere = sweep(
            loader(),
            clean,
            corrupted,
            metric,
            checkpoint=tmp_path / "kept",
            executor=client.get_executor(),
            loader=loader,
        )

    assert not marker.exists()
    torch.testing.assert_close(elsewhere.values, here.values)
    assert len(list((tmp_path / "kept").glob("*.safetensors"))) == N_POSITIONS - 1


def test_workers_with_other_weights_are_not_believed():
    clean, corrupted = prompts(1)
    model = tiny_model(d_vocab=D_VOCAB, seed=1)
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.warns(UserWarning, match="the weights that are loaded here are others"),
    ):
        loader = partial(tiny_model, d_vocab=D_VOCAB, seed=2)
        found = sweep(model, clean, corrupted, difference, executor=pool, loader=loader)

    torch.testing.assert_close(found.values, sweep(model, clean, corrupted, difference).values)


def test_a_checkpoint_of_other_weights_is_refused(tmp_path: Path):
    clean, corrupted = prompts(1)
    models = [tiny_model(d_vocab=D_VOCAB, seed=seed) for seed in (1, 2)]
    sweep(models[0], clean, corrupted, difference, checkpoint=tmp_path)

    with pytest.raises(ValueError, match="holds another sweep"):
        sweep(models[1], clean, corrupted, difference, checkpoint=tmp_path)


def towards(right: int, wrong: int):
    """A metric made anew, as it is when a notebook is run again."""
    return lambda logits: max([logits], key=lambda _: 0)[:, right] - logits[:, wrong]


def test_a_job_is_known_by_what_its_metric_does():
    def digest(metric):
        return Job("tiny", *prompts(1), "denoising", {"metric": metric}, site="z").digest

    assert digest(towards(3, 5)) == digest(towards(3, 5))
    assert digest(towards(3, 5)) != digest(towards(3, 4))
    ones = torch.ones(3000)
    nearly = ones.index_fill(0, torch.tensor(1500), 1.00001)
    weighted = [partial(torch.mul, other) for other in (ones, ones.clone(), nearly)]
    assert digest(weighted[0]) == digest(weighted[1]) != digest(weighted[2])


def test_a_model_that_the_engine_does_not_know_is_refused():
    rotary = tiny_model(d_vocab=D_VOCAB, positional_embedding_type="rotary", rotary_dim=8)

    with pytest.raises(ValueError, match="rotation 'by neighbours'"):
        Engine(rotary)
