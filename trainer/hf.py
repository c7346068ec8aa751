"""Models in the format of Hugging Face: model.safetensors and config.json, as `transformers` loads and saves them.

Our names are theirs, so a file is a state dict without the padding of the vocabulary. What a model is called depends on its options:
Llama; with normed queries and keys Qwen3; with a sliding window Mistral. What no such model can be is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer.config import ModelConfig
from trainer.errors import ConfigError, DataError
from trainer.model import Decoder

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
#: Matrices with a row per token.
VOCABULARY = ("embed_tokens.weight", "lm_head.weight")


def save(state: Mapping[str, torch.Tensor], config: ModelConfig, folder: Path, dtype: torch.dtype, tokenizer: Path | None) -> None:
    """Write a model that `transformers` loads; `tokenizer` is a folder whose tokenizer files are copied beside it."""
    told = describe(config) | {"torch_dtype": str(dtype).removeprefix("torch.")}
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _their_name(name): value[: config.vocab_size if name in VOCABULARY else None].to(dtype).cpu().contiguous()
        for name, value in state.items()
    }
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    for name in TOKENIZER_FILES:
        if tokenizer and (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def describe(config: ModelConfig) -> dict[str, Any]:
    """The config.json of a model."""
    if config.qk_norm and config.window:
        raise ConfigError("no architecture of transformers that this trainer knows has both normed queries and a sliding window")
    name = "Qwen3" if config.qk_norm else "Mistral" if config.window else "Llama"
    return {
        "architectures": [f"{name}ForCausalLM"], "model_type": name.lower(), "hidden_act": "silu",
        "vocab_size": config.vocab_size, "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers, "hidden_size": config.width, "intermediate_size": config.ffn,
        "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads, "head_dim": config.head_size,
        "rope_theta": config.rope_theta, "rms_norm_eps": config.norm_eps, "tie_word_embeddings": config.tied,
        "attention_bias": False, "attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": True,
        **({"sliding_window": config.window} if config.window else {}),
    }  # fmt: skip


def read_config(folder: Path) -> ModelConfig:
    """The shape told by a config.json; DataError when this trainer has no such model."""
    try:
        told = json.loads((folder / CONFIG).read_text("utf-8"))
        rope = told.get("rope_parameters") or told.get("rope_scaling") or {}
        kind, heads = told["model_type"], told["num_attention_heads"]
        found = ModelConfig(
            vocab_size=told["vocab_size"], context=told["max_position_embeddings"], layers=told["num_hidden_layers"],
            width=told["hidden_size"], heads=heads, kv_heads=told.get("num_key_value_heads") or heads, ffn=told["intermediate_size"],
            rope_theta=told.get("rope_theta") or rope.get("rope_theta", 10_000.0), norm_eps=told["rms_norm_eps"],
            tied=told.get("tie_word_embeddings", False), qk_norm=kind == "qwen3",
            window=(told.get("sliding_window") or 0) if kind == "mistral" else 0,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / CONFIG} can't be read as the configuration of a model: {error!r}") from error
    other = {
        f"model type {kind}": kind not in ("llama", "qwen3", "mistral"),
        f"rotary scaling {rope.get('rope_type', rope.get('type'))}": rope.get("rope_type", rope.get("type", "default")) != "default",
        f"activation {told.get('hidden_act')}": told.get("hidden_act", "silu") != "silu",
        f"heads of {told.get('head_dim')}": (told.get("head_dim") or found.head_size) != found.head_size,
        "biases": bool(told.get("attention_bias") or told.get("mlp_bias")),
        "a sliding window in some layers": bool(told.get("use_sliding_window")),
    }
    if any(other.values()):
        raise DataError(f"{folder} has {', '.join(name for name, is_so in other.items() if is_so)}: this trainer has no such model")
    return found


def load_weights(model: Decoder, folder: Path) -> None:
    """Copy a folder's weights into a model of its shape; DataError names what is missing or of another shape."""
    expected = dict(model.state_dict())
    for path in weight_files(folder):
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path} can't be read: {error}") from error
        for theirs, value in tensors.items():
            name = theirs.removeprefix("model.")
            if name == "lm_head.weight" and model.config.tied:
                continue
            if name not in expected:
                raise DataError(f"{path} holds {theirs}, which this model has not")
            target = expected.pop(name)
            padded = F.pad(value, (0, 0, 0, target.shape[0] - value.shape[0])) if name in VOCABULARY else value
            if padded.shape != target.shape:
                raise DataError(f"{path}: {theirs} is {list(value.shape)}, not {list(target.shape)}")
            target.copy_(padded)
    if expected:
        raise DataError(f"{folder} lacks {len(expected)} of the model's tensors, {next(iter(expected))} among them")


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model's weights."""
    return (folder / WEIGHTS).is_file() or (folder / INDEX).is_file()


def weight_files(folder: Path) -> list[Path]:
    """The files that a model's weights lie in, one or those of an index."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise DataError(f"{folder} holds neither {WEIGHTS} nor {INDEX}")
    return [folder / name for name in sorted(set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()))]


def digest(folder: Path) -> str:
    """SHA-256 over the hashes of the weight files: what a run that began with them is bound to."""
    whole = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _their_name(name: str) -> str:
    return name if name.startswith("lm_head.") else f"model.{name}"
