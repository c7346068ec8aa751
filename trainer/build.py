"""A run's parts, made from its options and its data: each thing that doesn't go together is said here, before the first step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from trainer import hf, lora
from trainer.attention import BLOCK, Masking
from trainer.config import ModelConfig, RunConfig
from trainer.decode import NAME
from trainer.errors import ConfigError, DataError
from trainer.evaluate import HeldOut
from trainer.flops import peak_of
from trainer.model import Decoder
from trainer.parallel import World
from trainer.shards import PackedDataset, open_dataset

#: Tokens of one forward pass, where the run doesn't say.
MICRO_TOKENS = {"cpu": 4096, "cuda": 65_536}


def model_shape(config: RunConfig, data: PackedDataset) -> ModelConfig:
    """The shape of the preset for this data, or of the model that the run begins with."""
    if config.init is None:
        options = {"qk_norm": config.qk_norm, "window": config.window} | ({"tied": False} if config.untied else {})
        return config.preset.model(data.vocab_size, data.seq_len, **options)
    if config.qk_norm or config.untied or config.window:
        raise ConfigError("--qk-norm, --untied and --window shape a new model: the one that --init names has its own shape")
    shape, tokenizer = hf.read_config(Path(config.init)), Path(config.init) / NAME
    if tokenizer.is_file() and hashlib.sha256(tokenizer.read_bytes()).hexdigest() != data.tokenizer_sha256:
        raise DataError(
            f"{data.folder} was made with another tokenizer than {tokenizer}: encode the texts with that one (in a recipe: tokenizer.from)"
        )
    if shape.vocab_size < data.vocab_size or shape.context < data.seq_len:
        raise DataError(
            f"{config.init} has {shape.vocab_size:,} tokens and a context of {shape.context:,},"
            f" but {data.folder} has {data.vocab_size:,} tokens and rows of {data.seq_len:,}"
        )
    return shape


def build_model(config: RunConfig, shape: ModelConfig, world: World | None = None) -> Decoder:
    """The model before the first step, on the CPU: new or loaded, with its adapters, each block compiled where that is asked for.

    A new one that a `world` shares in shards has no weights yet: each process draws its own part of them (World.spread).
    """
    later = world is not None and world.size > 1 and world.mode == "fsdp" and not config.init and not config.lora
    with torch.device("meta" if later else "cpu"):
        model = Decoder(shape, config.seed)
    if config.init:
        hf.load_weights(model, Path(config.init))
    if config.lora:
        lora.adapt(model, adapter_config(config), config.seed)
    model.recompute = config.recompute
    for block in model.layers if config.compile else ():
        block.compile(dynamic=False, fullgraph=True)
    return model


def adapter_config(config: RunConfig) -> lora.LoraConfig:
    """The adapters that a run asks for."""
    return lora.LoraConfig(config.lora, config.lora_alpha, config.lora_dropout, config.projections)


def open_validation(config: RunConfig, data: PackedDataset, rows: int, masking: Masking) -> HeldOut | None:
    """The held-out rows, `rows` of them to a batch."""
    if config.validation is None:
        return None
    held = open_dataset(config.validation)
    data.check_same_pack(held)
    if {shard.sha256 for shard in held.shards} & {shard.sha256 for shard in data.shards}:
        raise DataError(f"{held.folder} holds the training data itself: give --validation the folder beside it")
    if config.verify:
        held.verify()
    return HeldOut(held, min(len(held), -(-config.eval_tokens // held.seq_len) or len(held)), rows, masking)


def masking_of(config: RunConfig, shape: ModelConfig, seq_len: int, device: torch.device) -> Masking:
    """FlexAttention on a GPU and calls per piece on a CPU, unless the run says otherwise."""
    flex = config.attention == "flex" or (config.attention == "auto" and device.type == "cuda" and seq_len % BLOCK == 0)
    if config.compile and not flex:
        raise ConfigError("--compile goes with FlexAttention, on a GPU: pieces of other lengths would be compiled anew in every step")
    if flex and device.type == "cpu":
        raise ConfigError("--attention is flex: torch can't train through FlexAttention on a CPU; pass --attention pieces")
    if flex and seq_len % BLOCK:
        raise ConfigError(f"--attention is flex: rows of {seq_len} are not a multiple of {BLOCK}; pack them so, or pass --attention pieces")
    return Masking(flex, shape.window)


def rows_per_step(config: RunConfig, seq_len: int, processes: int = 1) -> int:
    """Rows of an optimizer step; a preset's tokens are rounded up to whole rows, the user's must be. Processes share them evenly."""
    if config.batch_tokens and config.batch_tokens % seq_len:
        raise ConfigError(f"--batch-tokens is {config.batch_tokens}: it must be a multiple of the dataset's row length, {seq_len}")
    rows = -(-(config.batch_tokens or config.preset.batch_tokens) // seq_len)
    if rows % processes:
        raise ConfigError(f"a step of {rows} rows can't be dealt evenly to {processes} processes: change --batch-tokens")
    return rows


def rows_per_batch(config: RunConfig, seq_len: int, device: torch.device) -> int:
    """Rows of one forward pass, at least one."""
    return max(1, (config.micro_tokens or MICRO_TOKENS[device.type]) // seq_len)


def product_type(config: RunConfig, device: torch.device) -> torch.dtype:
    """The type of matrix products."""
    name = config.dtype if config.dtype != "auto" else "bfloat16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def device_tflops(config: RunConfig, device: torch.device) -> float | None:
    """The peak of a device, where it is told or known."""
    return config.peak_tflops or (peak_of(torch.cuda.get_device_name(device)) if device.type == "cuda" else None)
