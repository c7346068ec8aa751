"""AdamW with decay on matrices only, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math

import torch
from torch.distributed.tensor import DTensor

from trainer.config import OptimConfig


def adamw(model: torch.nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) in torch's fused form, over what is not frozen; gains of norms are not decayed."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)


def learning_rate(step: int, config: OptimConfig) -> float:
    """The rate of step 0, 1, ...: linear to `lr` over the warm-up, then by the schedule.

    cosine: half a wave from lr to floor x lr at the last step (Loshchilov and Hutter 2017). linear: a line between the same two.
    wsd: lr, and in the last `cooldown` of all steps a line to floor x lr (Hu et al. 2024, MiniCPM). inverse-sqrt:
    lr x sqrt(warmup / (step + 1)), which needs no end (Vaswani et al. 2017). constant: lr.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "inverse-sqrt":
        return config.lr * math.sqrt(max(1, config.warmup) / (step + 1))
    if config.schedule == "constant":
        return config.lr
    begin = max(config.warmup, round(config.steps * (1 - config.cooldown))) if config.schedule == "wsd" else config.warmup
    done = min(1.0, max(0, step - begin) / max(1, config.steps - 1 - begin))
    left = 0.5 * (1 + math.cos(math.pi * done)) if config.schedule == "cosine" else 1 - done
    return config.lr * (config.floor + (1 - config.floor) * left)


def clip(model: torch.nn.Module, limit: float) -> float:
    """Scale the gradients down to a norm of `limit` where it is greater; returns the norm before, inf and nan included."""
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
