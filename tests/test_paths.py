"""Path patching against a plain one that runs transformers' own model once for each sender."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformer_lens import patching as theirs
from transformers import AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from demos.metrics import LogitDifference
from demos.models import load_model, tiny_model
from demos.nodes import EMBED, LOGITS, Head, HeadInput, Mlp, senders
from demos.paths import path_patch
from demos.runs import Engine
from tests.test_models import llama, save_checkpoint
from tests.test_patching import D_VOCAB, Counted, difference, prompts

N_LAYERS = 3


class Plain:
    """A model of transformers whose heads and feed-forward layers can be told what to do.

    `z` and `mlp_out` take the place of what a node writes, `reads` of the query, key or value of a
    head, `mlp_in` of what a feed-forward layer reads; what was there is kept in `seen`.
    """

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        base = self.model.base_model
        self.blocks = base.h if hasattr(base, "h") else base.layers

    def __call__(self, tokens, *, embedded=None, z=(), mlp_out=(), reads=(), mlp_in=()):
        self.seen: dict[Any, torch.Tensor] = {}
        self.z, self.reads = dict(z), dict(reads)
        ALL_ATTENTION_FUNCTIONS.register("told", self._attention)
        self.model.set_attn_implementation("told")
        with ExitStack() as stack, torch.no_grad():
            for layer, block in enumerate(self.blocks):
                hooks = [
                    block.mlp.register_forward_pre_hook(self._read(layer, dict(mlp_in))),
                    block.mlp.register_forward_hook(self._write(layer, dict(mlp_out))),
                ]
                for hook in hooks:
                    stack.callback(hook.remove)
            embedding = self.model.get_input_embeddings()
            given = embedding(tokens if embedded is None else embedded)
            return self.model(inputs_embeds=given).logits

    def _attention(self, module, query, key, value, attention_mask, **_):
        layer = module.layer_idx
        repeats = query.shape[1] // key.shape[1]
        parts = {"q": query, "k": key, "v": value}
        for letter in "kv":
            parts[letter] = parts[letter].repeat_interleave(repeats, dim=1)
        for head, letter in itertools.product(range(query.shape[1]), "qkv"):
            node = HeadInput(layer, head, letter)
            self.seen[node] = parts[letter][:, head].clone()
            if node in self.reads:
                parts[letter] = parts[letter].clone()
                parts[letter][:, head] = self.reads[node]
        out = torch.nn.functional.scaled_dot_product_attention(
            parts["q"], parts["k"], parts["v"], is_causal=True
        )
        for head in range(query.shape[1]):
            self.seen[Head(layer, head)] = out[:, head].clone()
            if Head(layer, head) in self.z:
                out[:, head] = self.z[Head(layer, head)]
        return out.transpose(1, 2), None

    def _read(self, layer: int, told: dict) -> Callable:
        def hook(module, args):
            self.seen["in", layer] = args[0]
            return (told[layer],) if layer in told else args

        return hook

    def _write(self, layer: int, told: dict) -> Callable:
        def hook(module, args, output):
            self.seen[Mlp(layer)] = output
            return told.get(layer, output)

        return hook

    def path_patch(self, clean, corrupted, group, receivers, definition) -> torch.Tensor:
        """The final logits; by three forward passes, as the paper has it."""
        self(corrupted)
        new = self.seen
        self(clean)
        old = self.seen
        heads = {node: z for node, z in old.items() if isinstance(node, Head)}
        heads |= {node: new[node] for node in group if isinstance(node, Head)}
        mlps = {node.layer: new[node] for node in group if isinstance(node, Mlp)}
        if definition == "strict":
            mlps = {layer: old[Mlp(layer)] for layer in range(N_LAYERS)} | mlps
        embedded = corrupted if EMBED in group else clean
        logits = self(clean, embedded=embedded, z=heads, mlp_out=mlps)
        if receivers == [LOGITS]:
            return logits
        carried = self.seen
        return self(
            clean,
            reads={node: carried[node] for node in receivers if isinstance(node, HeadInput)},
            mlp_in={
                node.layer: carried["in", node.layer] for node in receivers if type(node) is Mlp
            },
        )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A Llama with shared keys and a GPT-2, as our code and as transformers loads them."""
    from transformers import GPT2Config, GPT2LMHeadModel

    gpt2 = GPT2Config(n_layer=N_LAYERS, n_head=4, n_embd=32, n_positions=16, vocab_size=D_VOCAB)
    made = {"gpt2": GPT2LMHeadModel(gpt2), "llama": llama(num_hidden_layers=N_LAYERS)}
    found = {}
    for name, hf_model in made.items():
        folder = tmp_path_factory.mktemp(name)
        save_checkpoint(folder, hf_model)
        with torch.no_grad():  # norms as wide as trained ones, so that a query matters
            for weight in hf_model.parameters():
                weight.copy_(1 + weight if weight.ndim == 1 else 2 * weight)
        hf_model.save_pretrained(folder)
        found[name] = load_model(str(folder)), Plain(folder)
    return found


RECEIVERS = {
    "logits": [LOGITS],
    "queries": [HeadInput(1, 2, "q"), HeadInput(2, 0, "q")],
    "keys": [HeadInput(2, 1, "k"), HeadInput(1, 0, "k"), HeadInput(1, 2, "k")],
    "values": [HeadInput(2, 3, "v")],
    "all of a head and layers": [*(HeadInput(1, 1, x) for x in "qkv"), Mlp(1), Mlp(2)],
    "a layer": [Mlp(2)],
    "the first layer": [Mlp(0)],
}


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("definition", ["ioi", "strict"])
@pytest.mark.parametrize("receivers", RECEIVERS)
def test_path_patching_has_the_values_of_the_plain_one(models, name, definition, receivers):
    model, plain = models[name]
    clean, corrupted = prompts(2)
    to = RECEIVERS[receivers]
    last = max(node.layer for node in to) if to != [LOGITS] else N_LAYERS
    groups = [(node,) for node in senders(last, model.cfg.n_heads)]
    groups += [(EMBED,), (EMBED, Head(0, 1), Mlp(0), Head(1, 3))][: 2 if last > 1 else 1]

    found = path_patch(model, clean, corrupted, groups, to, difference, definition)

    expected = torch.stack(
        [difference(plain.path_patch(clean, corrupted, group, to, definition)) for group in groups]
    )
    effects = expected - difference(plain(clean))
    assert (effects.abs().amax(dim=-1) > 0.01).float().mean() > 0.25
    torch.testing.assert_close(found.effects(), effects, rtol=1e-3, atol=5e-4)


def test_with_all_logits_a_metric_sees_every_position(models):
    model, plain = models["llama"]
    clean, corrupted = prompts(2)

    def of_all(logits):
        return logits[:, :, 3].sum(dim=1)

    for to in ([LOGITS], [HeadInput(2, 0, "v")]):
        found = path_patch(model, clean, corrupted, ["0.3"], to, of_all, all_logits=True)
        expected = plain.path_patch(clean, corrupted, [Head(0, 3)], to, "ioi")
        torch.testing.assert_close(found.per_example()[0], of_all(expected), rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("letter", ["q", "k", "v"])
def test_the_strict_edge_is_the_direct_path_of_transformer_lens(models, letter):
    model, _ = models["gpt2"]
    clean, corrupted = prompts(2)
    caches = [model.run_with_cache(tokens)[1] for tokens in (clean, corrupted)]

    def mean_difference(logits):
        return difference(logits).mean()

    expected = theirs.get_act_patch_direct_path(
        model, corrupted, *caches, mean_difference, 0, 1, component=letter, verbose=False
    )

    for layer, head in itertools.product((1, 2), range(4)):
        to = HeadInput(layer, head, letter)
        found = path_patch(
            model, clean, corrupted, "0.1", to, difference, "strict", direction="denoising"
        )
        torch.testing.assert_close(found.values[0], expected[layer, head], rtol=0, atol=1e-4)


def test_the_strict_edges_of_a_sender_add_up_to_all_that_it_changes(models):
    """In the stream, that is, before a norm or an attention pattern makes them work together."""
    from demos.path_effects import carry

    model, _ = models["llama"]
    engine = Engine(model)
    with torch.no_grad():
        clean, corrupted = map(engine.run, prompts(2))
        everyone = [(EMBED,), *((node,) for node in senders(N_LAYERS, model.cfg.n_heads))]
        carried = carry(engine, clean, corrupted, everyone, [LOGITS], 0, through_mlps=False)

    added = carried[LOGITS].sum(dim=1)
    change = corrupted.resid_pre[-1] - clean.resid_pre[-1]
    torch.testing.assert_close(added, change, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("definition", ["ioi", "strict"])
def test_all_senders_together_are_the_other_run(models, definition):
    model, _ = models["llama"]
    clean, corrupted = prompts(2)
    heads = [node for node in senders(N_LAYERS, model.cfg.n_heads) if isinstance(node, Head)]
    # When the feed-forward layers answer, embedding and heads are all there is to patch.
    together = [EMBED, *heads] if definition == "ioi" else [EMBED, *senders(N_LAYERS, 6)]

    found = path_patch(model, clean, corrupted, [together], LOGITS, difference, definition)

    torch.testing.assert_close(found.per_example()[0], found.corrupted["metric"], rtol=0, atol=1e-3)
    assert found.labels[0].startswith("embed + 0.0 + ")


def test_the_order_of_senders_and_the_company_of_others_change_nothing(models):
    model, _ = models["llama"]
    clean, corrupted = prompts(1)
    every = path_patch(model, clean, corrupted, "all", ["2.1 k", "2.4 v"], difference)
    shuffled = torch.randperm(
        len(every.senders), generator=torch.Generator().manual_seed(3)
    ).tolist()

    found = path_patch(
        model,
        clean,
        corrupted,
        [every.senders[number] for number in shuffled],
        ["2.4 v", "2.1 k"],
        difference,
    )

    torch.testing.assert_close(found.values, every.values[shuffled])
    alone = path_patch(model, clean, corrupted, (0, 5), ["2.1 k", "2.4 v"], difference)
    torch.testing.assert_close(alone.values[0], every.values[every.labels.index("0.5")])
    assert every.labels[:8] == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "mlp 0", "1.0"]
    table = every.by_head(N_LAYERS, 6)
    torch.testing.assert_close(table[0, 5], alone.effects().mean())
    assert (table[2] == 0).all()


def test_denoising_is_noising_with_the_prompts_exchanged(models):
    model, _ = models["llama"]
    clean, corrupted = prompts(2)

    denoised = path_patch(
        model, clean, corrupted, "heads", "mlp 1", difference, direction="denoising"
    )
    exchanged = path_patch(model, corrupted, clean, "heads", "mlp 1", difference)

    torch.testing.assert_close(denoised.values, exchanged.values)
    torch.testing.assert_close(denoised.base["metric"], exchanged.base["metric"])


def test_a_sender_can_be_patched_at_some_positions_only(models):
    model, _ = models["gpt2"]
    clean, corrupted = prompts(2)
    positions = torch.tensor([[2, 3], [4, 4], [5, 5]])
    everywhere = torch.arange(6).expand(3, 6)

    def patched(senders, at):
        return path_patch(
            model, clean, corrupted, senders, ["2.1 k", "mlp 1"], difference, positions=at
        )

    torch.testing.assert_close(
        patched("all", everywhere).values, patched("all", None).values, rtol=0, atol=1e-5
    )
    there = patched(["0.1", "mlp 0"], positions).per_example()
    for example in range(3):
        alone = path_patch(
            model,
            clean[example : example + 1],
            corrupted[example : example + 1],
            ["0.1", "mlp 0"],
            ["2.1 k", "mlp 1"],
            difference,
            positions=positions[example : example + 1, 0] if example else positions[:1],
        )
        torch.testing.assert_close(there[:, example], alone.values, rtol=0, atol=1e-5)
    before = patched(["0.1", "mlp 0"], torch.zeros(3, dtype=torch.long))
    assert (before.effects().abs() < 1e-5).all()  # nothing differs there


def test_a_metric_that_names_its_tokens_has_the_same_values(models):
    model, _ = models["gpt2"]
    clean, corrupted = prompts(0)
    named = LogitDifference(torch.tensor([3, 3, 3]), torch.tensor([5, 5, 5]))

    for to in ("logits", "2.1 q"):
        plain = path_patch(model, clean, corrupted, "all", to, difference)
        found = path_patch(
            model, clean, corrupted, "all", to, {"plain": difference, "named": named}
        )
        spared = path_patch(model, clean, corrupted, "all", to, named)
        torch.testing.assert_close(found.mean("named"), plain.values)
        torch.testing.assert_close(spared.per_example(), plain.per_example(), rtol=0, atol=1e-5)


def test_the_same_prompts_twice_change_nothing():
    model = tiny_model(d_vocab=D_VOCAB)
    clean, _ = prompts(3)

    found = path_patch(model, clean, clean, "heads", "logits", difference)

    assert (found.effects() == 0).all()
    assert len(found.senders) == 8


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.patching.MOST_NUMBERS", 20_000)
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(0)
    with pytest.raises(KeyboardInterrupt):
        path_patch(
            *(model, clean, corrupted, "all", "1.1 q", Counted(stops_after=5)), checkpoint=tmp_path
        )
    kept = len(list(tmp_path.glob("*.safetensors")))
    again = Counted()
    found = path_patch(model, clean, corrupted, "all", "1.1 q", again, checkpoint=tmp_path)

    assert kept > 0
    assert again.calls < 2 + len(found.senders)
    whole = path_patch(model, clean, corrupted, "all", "1.1 q", difference)
    torch.testing.assert_close(found.values, whole.values)
    with pytest.raises(ValueError, match="holds another sweep"):
        path_patch(model, clean, corrupted, "all", "1.1 k", again, checkpoint=tmp_path)


def test_blocks_can_be_computed_elsewhere(monkeypatch):
    monkeypatch.setattr("demos.patching.MOST_NUMBERS", 20_000)
    loader = partial(tiny_model, d_vocab=D_VOCAB)
    clean, corrupted = prompts(1)
    here = path_patch(loader(), clean, corrupted, "all", "1.2 v", difference, "strict")

    with ThreadPoolExecutor(1) as pool:
        elsewhere = path_patch(
            *(loader(), clean, corrupted, "all", "1.2 v", difference, "strict"),
            executor=pool,
            loader=loader,
        )

    torch.testing.assert_close(elsewhere.values, here.values)


def test_what_is_kept_for_some_tokens_is_not_taken_for_others(tmp_path):
    model = tiny_model(d_vocab=D_VOCAB)
    clean, corrupted = prompts(2)
    three, five = torch.full((3,), 3), torch.full((3,), 5)
    given = (model, clean, corrupted, "heads", "logits")
    path_patch(*given, LogitDifference(three, five), checkpoint=tmp_path)

    with pytest.raises(ValueError, match="holds another sweep"):
        path_patch(*given, LogitDifference(five, three), checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"senders": "1.2", "receivers": "1.0 q"},
            "no path leads from 1.2 to 1.0 q: a sender lies",
        ),
        ({"senders": ["0.1", "mlp 1"], "receivers": "mlp 1"}, "no path leads from mlp 1 to mlp 1"),
        ({"senders": "heads", "receivers": "0.1 q"}, "no sender comes before 0.1 q"),
        ({"senders": "0.9"}, "0.9: the model has layers 0 to 1 and heads 0 to 3"),
        ({"senders": "logits"}, "logits sends nothing; a sender is a head"),
        ({"senders": []}, "no sender; name one, such as '9.6'"),
        ({"receivers": "1.0"}, "1.0 reads q, k, v; write '1.0 q' for one of them"),
        ({"receivers": "embed"}, "embed receives nothing"),
        ({"receivers": ["logits", "mlp 1"]}, "logits read everything; leave out either logits or"),
        ({"receivers": []}, "no receiver; name one, such as 'logits'"),
        ({"definition": "direct"}, "'direct' is no definition; choose ioi or strict"),
        ({"direction": "both"}, "'both' is no direction; choose denoising or noising"),
        ({"metric": {}}, "nothing to measure; give a metric"),
        ({"clean": [[1, 2, 3], [4, 5]]}, "clean: row 1 has 2 tokens, row 0 has 3"),
        ({"clean": torch.ones(3, 5, dtype=torch.long)}, r"clean is \(3, 5\) tokens"),
        ({"positions": torch.tensor([[1], [2]])}, "positions: 3 rows of positions from 0"),
        ({"positions": torch.tensor([1, 2, 6])}, "positions: the prompts end at 5, not 6"),
    ],
)
def test_what_cannot_be_patched_is_refused_with_what_would_be_right(change, complaint):
    clean, corrupted = prompts(2)
    given = {
        "clean": clean,
        "corrupted": corrupted,
        "senders": "0.1",
        "receivers": "logits",
        "metric": difference,
    }

    with pytest.raises(ValueError, match=complaint):
        path_patch(tiny_model(d_vocab=D_VOCAB), **given | change)
