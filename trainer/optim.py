"""AdamW with decay on matrices only, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math

import torch

from trainer.config import OptimConfig


def adamw(model: torch.nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) in torch's fused form; gains of norms are not decayed."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)


def learning_rate(step: int, config: OptimConfig) -> float:
    """The rate of step 0, 1, ...: linear to `lr` over the warm-up, then by the schedule.

    cosine: half a wave from lr to floor x lr at the last step (Loshchilov and Hutter 2017). inverse-sqrt: lr x sqrt(warmup / (step + 1)),
    which needs no end (Vaswani et al. 2017). constant: lr.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "inverse-sqrt":
        return config.lr * math.sqrt(max(1, config.warmup) / (step + 1))
    if config.schedule == "constant":
        return config.lr
    done = min(1.0, (step - config.warmup) / max(1, config.steps - 1 - config.warmup))
    return config.lr * (config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * done)))


def clip(model: torch.nn.Module, limit: float) -> float:
    """Scale the gradients down to a norm of `limit` where it is greater; returns the norm before, inf and nan included."""
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), limit))
