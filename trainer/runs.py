"""What is done with a run afterwards: its model exported or asked for a text, the documents of a step listed."""

from __future__ import annotations

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
from trainer.generate import Sampling, stream
from trainer.mixture import open_training
from trainer.model import Decoder


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


def texts(folder: str, adapter: str | None, tokenizer: str | None, prompt: str, tokens: int, how: Sampling) -> Iterator[str]:
    """What a model makes of a prompt, piece by piece as it is made."""
    from tokenizers import Tokenizer  # here alone: to train, and to show samples, decode.py is enough

    path = Path(tokenizer) if tokenizer else tokenizer_of(folder)
    if not path.is_file():
        raise DataError(f"{path} is missing: pass --tokenizer")
    coder, model = Tokenizer.from_file(str(path)), load(folder)
    if adapter:
        lora.load_adapter(model, Path(adapter))
        lora.merge(model)
    ids, shown = coder.encode(prompt).ids, ""
    made: list[int] = []
    yield prompt
    for number in stream(model, ids, tokens, how):
        made.append(number)
        text = coder.decode(made, skip_special_tokens=False)
        if not text.endswith("\ufffd"):  # a character's bytes may lie in several tokens
            yield text[len(shown) :]
            shown = text


def tokenizer_of(folder: str) -> Path:
    """Where the tokenizer of a model or a run lies, if nobody moved it."""
    beside = Path(folder) / NAME
    if beside.is_file() or hf.is_model(Path(folder)):
        return beside
    config, _ = read_run(folder)
    if config.tokenizer or config.init:
        return Path(config.tokenizer or str(Path(str(config.init)) / NAME))
    return Path(config.data.split("=")[0]).resolve().parent / NAME
