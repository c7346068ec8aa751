"""How much memory a step takes, so that a size that can't fit is refused before the first one, and not by the system during it."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from trainer.config import ModelConfig, RunConfig
from trainer.errors import ConfigError
from trainer.loss import CHUNK
from trainer.parallel import World

#: float32 weights, and for those that learn gradients and AdamW's two moments.
FROZEN, LEARNING = 4, 16


def parameters(shape: ModelConfig) -> int:
    """Weights of a model of this shape."""
    attention = shape.width * shape.head_size * (2 * shape.heads + 2 * shape.kv_heads)
    norms = 2 * shape.width + (2 * shape.head_size if shape.qk_norm else 0)
    block = attention + 3 * shape.width * shape.ffn + norms
    return shape.layers * block + shape.width + shape.padded_vocab * shape.width * (1 if shape.tied else 2)


def needed(config: RunConfig, shape: ModelConfig, tokens: int, world: World, product_bytes: int) -> int:
    """Bytes that a step of `tokens` tokens a pass takes on the device of one process: weights, gradients, moments, activations.

    Of activations those are counted that every block must keep for going backward; so the truth is rather more.
    """
    weights = parameters(shape) * (FROZEN if config.lora else LEARNING)
    if config.parallel == "fsdp":
        weights //= world.size
    kept = 3 * shape.width + 2 * shape.head_size * (shape.heads + shape.kv_heads) + 3 * shape.ffn
    blocks = kept + shape.layers * shape.width if config.recompute else shape.layers * kept
    logits = min(tokens, CHUNK[world.device.type]) * shape.padded_vocab * 4
    return weights + tokens * blocks * product_bytes + logits


def available(device: torch.device) -> int | None:
    """Free bytes of a GPU, or of this machine or what of it this process may use; None where that can't be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_free_memory(Path("/proc/meminfo")), _left_of_limit(Path("/sys/fs/cgroup"))]
    return min((free for free in found if free is not None), default=None)


def check(config: RunConfig, shape: ModelConfig, tokens: int, world: World, dtype: torch.dtype) -> None:
    """Raise ConfigError when a step can't fit into what is free now; processes on one machine's memory share it."""
    together = world.size if world.device.type == "cpu" and int(os.environ.get("LOCAL_WORLD_SIZE", "1")) == world.size else 1
    need, free = needed(config, shape, tokens, world, dtype.itemsize) * together, available(world.device)
    if free is not None and need > free:
        raise ConfigError(
            f"a model of {parameters(shape):,} parameters, {tokens:,} tokens a pass, needs {need / 1e9:.1f} GB at the least, and"
            f" {world.device.type} has {free / 1e9:.1f} GB free: take a smaller --model or --micro-tokens, --recompute,"
            " --lora, or --parallel fsdp on more devices"
        )


def _free_memory(path: Path) -> int | None:
    lines = path.read_text("ascii").splitlines() if path.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left_of_limit(folder: Path) -> int | None:
    """What the limit of a control group (version 2) leaves; the page cache, which gives way, counts as free."""
    limit, used, stat = (folder / f"memory.{name}" for name in ("max", "current", "stat"))
    if not limit.is_file() or not used.is_file() or limit.read_text("ascii").strip() == "max":
        return None
    lines = stat.read_text("ascii").splitlines() if stat.is_file() else []
    cached = next((int(line.split()[1]) for line in lines if line.startswith("file ")), 0)
    return int(limit.read_text("ascii")) - int(used.read_text("ascii")) + cached
