"""READOUT_MODEL: the same notebook runs on a checkpoint with the shape of GPT-2."""

import shutil

import jupytext
import pytest
import torch

from demos import execute, notebooks
from demos.ledger import collect
from tests.conftest import ROOT
from tests.test_models import save_checkpoint

NOTEBOOK = """\
# %% [markdown]
# # Does a head matter?

# %%
import torch

from demos import facts
from demos.figures import heatmap
from demos.ledger import Claim, ledger, verdict
from demos.lens import kl_to_final, read_logits, residual_stream
from demos.models import load_model
from demos.seeds import base_seed

model = load_model()
tokens = model.to_tokens("Mary gave a drink to")
layers, heads = model.cfg.n_layers, model.cfg.n_heads

# %%
residual = residual_stream(model, tokens)
divergence = kl_to_final(read_logits(model, residual))
with torch.no_grad():
    logits = model(tokens)[:, -1]
torch.testing.assert_close(read_logits(model, residual[-1]), logits)
facts.record("other-layers", layers)
facts.record("other-divergence", divergence[0].item(), 0.1, n=1, seed=base_seed(), unit="nats")

# %%
effects = torch.zeros(layers, heads)
for layer in range(layers):
    for head in range(heads):

        def ablate(z, hook, head=head):
            z[:, :, head] = 0
            return z

        hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
        with torch.no_grad():
            ablated = model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1]
        effects[layer, head] = (ablated - logits).norm()
heatmap(
    effects.tolist(),
    row_labels=[str(n) for n in range(layers)],
    column_labels=[str(n) for n in range(heads)],
    title="Ablation",
    x_title="head",
    y_title="layer",
    value_title="change (logits)",
)

# %%
ledger(
    Claim(
        says="Every head matters",
        source="this test",
        found=f"at least {effects.min():.2f} logits",
        control="none",
        verdict=verdict(effects.min() > 0),
        limits="how",
    )
)
"""


@pytest.fixture
def project(tmp_path):
    """The project's demos without its notebooks, and one that is small."""
    demos = tmp_path / "demos"
    shutil.copytree(
        ROOT / "demos", demos, ignore=shutil.ignore_patterns("executed", "__pycache__", "[0-9]*")
    )
    (demos / "00_small.py").write_text(NOTEBOOK)
    return tmp_path


def test_a_notebook_runs_on_a_checkpoint_shaped_like_gpt_2(project, monkeypatch):
    from transformers import GPT2Config, GPT2LMHeadModel

    checkpoint = project / "checkpoint"
    config = GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=8)
    save_checkpoint(checkpoint, GPT2LMHeadModel(config))
    monkeypatch.setenv("READOUT_MODEL", str(checkpoint))
    places = ["--demos", str(project / "demos"), "--executed", str(project / "executed")]

    assert execute.main(places) == 0

    result = notebooks.read_executed(project / "executed" / "00_small.ipynb")
    readout = result["metadata"]["readout"]
    assert readout["model"]["name"] == str(checkpoint)
    assert readout["facts"]["other-layers"]["value"] == 2
    assert readout["facts"]["other-divergence"]["value"] > 0
    assert [claim["verdict"] for claim in collect(result)] == ["reproduced"]


@pytest.mark.model
def test_the_notebook_on_the_forward_pass_follows_a_model_of_another_architecture(
    tmp_path, monkeypatch
):
    # Learned positions, LayerNorm, biases, a head for every key. Whatever the numbers come to,
    # which its asserts judge for the default model, each cell computes them.
    from transformers import GPT2Config, GPT2LMHeadModel

    from demos.models import load_model

    tokenizer = load_model().tokenizer
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=256, vocab_size=len(tokenizer))
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.setenv("READOUT_MODEL", str(tmp_path))
    script = ROOT / "demos" / "01_forward_pass.py"
    names: dict[str, object] = {"__name__": "__main__"}

    for cell in jupytext.read(script).cells:
        if cell.cell_type == "code":
            without_asserts = compile(cell.source, str(script), "exec", optimize=1)
            exec(without_asserts, names)

    assert names["gpt"].config.positions == "learned"
    assert str(tmp_path) in str(names["model"].cfg.model_name)
