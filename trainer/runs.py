"""What is done with a run afterwards: its model exported or asked for a text, the documents of a step listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from trainer import build, checkpoint, hf, lora
from trainer.config import ModelConfig, RunConfig
from trainer.decode import NAME
from trainer.documents import Piece, pieces_of
from trainer.errors import ConfigError, DataError
from trainer.mixture import open_training
from trainer.model import Decoder
from trainer.parallel import join


def read_run(out: str | Path) -> tuple[RunConfig, ModelConfig]:
    """The options and the model of the run in a folder."""
    path = Path(out) / "config.json"
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return RunConfig(**told["run"]), ModelConfig(**told["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} can't be read as what a run leaves: {error!r}") from error


def pieces_of_step(out: str | Path, step: int) -> Iterator[Piece]:
    """The pieces of documents that step 1, 2, ... of a run trains on; the data must still lie where the run found them."""
    config, _ = read_run(out)
    if not 1 <= step <= config.steps:
        raise ConfigError(f"step {step}: the run has steps 1 to {config.steps}")
    data, order = open_training(config.data, config.seed)
    rows = build.rows_per_step(config, data.seq_len)
    return pieces_of(data, order.at((step - 1) * rows, rows).tolist())


def load(out: str | Path) -> Decoder:
    """The model of a run's newest checkpoint, with its adapters; or that of a folder in the Hugging Face format."""
    folder = Path(out)
    if hf.is_model(folder):
        model = Decoder(hf.read_config(folder))
        hf.load_weights(model, folder)
        model.eval()
        return model
    config, shape = read_run(folder)
    found = checkpoint.every(folder / "checkpoints")
    if not found:
        raise DataError(f"{folder} holds no checkpoint yet")
    model = build.build_model(config, shape)
    checkpoint.load_weights(found[-1], model)
    model.eval()
    return model


def ready(folder: str, adapter: str | None, device: str) -> Decoder:
    """The model of a folder where it is to compute, with its adapters, and those of the folder `adapter`, added into its weights."""
    where = join(device, "ddp").device
    model = load(folder)
    if adapter:
        lora.load_adapter(model, Path(adapter))
    lora.merge(model)
    model.to(where)
    return model


def export(out: str, to: str, merge: bool, dtype: str, tokenizer: str | None) -> None:
    """Write a run's model as `transformers` reads it, or of a run with adapters, unless they are to be merged, those alone as PEFT does."""
    config, _ = read_run(out)
    model, folder = load(out), Path(to)
    if config.lora and not merge:
        lora.save_adapter(model, build.adapter_config(config), folder, str(config.init or ""))
        return
    lora.merge(model)
    beside = tokenizer or config.init or (config.tokenizer and str(Path(config.tokenizer).parent))
    state = lora.plain_state(model)
    hf.save(state, model.config, folder, getattr(torch, dtype), Path(beside) if beside else None)


def tokenizer_for(folder: str, given: str | None) -> Path:
    """The tokenizer.json of a model or a run; DataError when it isn't there, or not what the run's shards were made with."""
    path = Path(given) if given else tokenizer_of(folder)
    if not path.is_file():
        raise DataError(f"{path} is missing: pass --tokenizer")
    found = [] if hf.is_model(Path(folder)) else checkpoint.every(Path(folder) / "checkpoints")
    wanted = checkpoint.read_run(found[-1])["identity"].get("tokenizer") if found else None
    if wanted and hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
        raise DataError(f"{path} is not the tokenizer that {folder} was trained with: pass --tokenizer")
    return path


def tokenizer_of(folder: str) -> Path:
    """Where the tokenizer of a model or a run lies, if nobody moved it."""
    beside = Path(folder) / NAME
    if beside.is_file() or hf.is_model(Path(folder)):
        return beside
    config, _ = read_run(folder)
    if config.tokenizer or config.init:
        return Path(config.tokenizer or str(Path(str(config.init)) / NAME))
    return Path(config.data.split("=")[0]).resolve().parent / NAME
