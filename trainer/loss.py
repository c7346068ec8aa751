"""Cross-entropy through the head, without ever holding the logits of a batch.

The head is most of a small model's work: 4096 positions times 16 thousand words are 268 MB of float32 logits, and as much
again for each thing derived from them. Here logits are made, used for the loss and its gradients, and dropped, a few hundred
positions at a time; that takes half the time of `F.cross_entropy(hidden @ weight.T)` on a CPU. Products are in the type of `hidden`,
the softmax and all sums in float32: torch 2.13's own F.linear_cross_entropy sums in bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch

#: The label of a position that has no target.
IGNORE = -100
#: Positions whose logits exist at one time: as many as fit a CPU's cache, or keep a GPU busy.
CHUNK = {"cpu": 256, "cuda": 16_384}


def loss_sum(
    hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, vocab_size: int, places: torch.Tensor | None = None
) -> torch.Tensor:
    """Sum of -log p(label) in nats over the labels that are not IGNORE; a float32 scalar.

    hidden [..., width]; weight [padded vocabulary, width], whose rows from `vocab_size` on are padding and get no probability;
    labels [...]; `places` are the flat numbers of those that are not IGNORE, looked for where they aren't given, which makes a
    program wait for its GPU. Divide by the number of targets of the *whole step*, so that micro-batches of unequal counts weigh right.
    """
    valid = (labels.flatten() != IGNORE).nonzero()[:, 0] if places is None else places
    learning = torch.is_grad_enabled()  # in the forward of a Function it is always off
    chosen, wanted = hidden.flatten(0, -2).index_select(0, valid), labels.flatten().index_select(0, valid)
    return _LinearCrossEntropy.apply(chosen, weight, wanted, vocab_size, learning)


def position_losses(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """-log p(label) in nats of every position, 0 where there is no target: float32, shaped as `labels`. Makes no gradients."""
    losses = torch.zeros_like(labels, dtype=torch.float32)
    valid = labels != IGNORE
    with torch.no_grad():
        parts = [
            -_log_p(part, weight.to(hidden.dtype), vocab_size).gather(1, wanted[:, None])[:, 0]
            for part, wanted in zip(
                hidden[valid].split(CHUNK[hidden.device.type]), labels[valid].split(CHUNK[hidden.device.type]), strict=True
            )
        ]
    losses[valid] = torch.cat(parts)
    return losses


def _log_p(hidden: torch.Tensor, head: torch.Tensor, vocab_size: int) -> torch.Tensor:
    logits = (hidden @ head.T).float()
    logits[:, vocab_size:] = -torch.inf
    return torch.log_softmax(logits, dim=1)


class _LinearCrossEntropy(torch.autograd.Function):
    """Loss and gradients in one pass over chunks of positions; backward only scales what forward found."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, vocab_size: int, learning: bool
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float64)
        head = weight.to(hidden.dtype)
        d_hidden = torch.empty_like(hidden) if learning else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if learning and ctx.needs_input_grad[1] else None
        size = CHUNK[hidden.device.type]
        for first in range(0, len(labels), size):
            part, wanted = hidden[first : first + size], labels[first : first + size, None]
            log_p = _log_p(part, head, vocab_size)
            total -= log_p.gather(1, wanted).sum()
            if d_hidden is not None:
                d_logits = log_p.exp_().scatter_add_(1, wanted, log_p.new_full(wanted.shape, -1.0)).to(hidden.dtype)
                torch.mm(d_logits, head, out=d_hidden[first : first + size])
                if d_weight is not None:
                    d_weight += d_logits.T @ part
        ctx.save_for_backward(d_hidden, d_weight)
        return total.float()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        d_hidden, d_weight = ctx.saved_tensors
        (scale,) = grads
        return d_hidden * scale.to(d_hidden.dtype), None if d_weight is None else d_weight * scale, None, None, None
