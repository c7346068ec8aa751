"""Cross-entropy through the tied head, without ever holding the logits of a batch.

The head is most of a small model's work: 4096 positions times 16 thousand words are 268 MB of float32 logits, and as much
again for each thing derived from them. Here logits are made, used for the loss and its gradients, and dropped, a few hundred
positions at a time; that takes half the time of `F.cross_entropy(hidden @ weight.T)` on a CPU. Products are in the type of `hidden`,
the softmax and all sums in float32: torch 2.13's own F.linear_cross_entropy sums in bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch

from trainer.batch import IGNORE, Batch
from trainer.model import Decoder

#: Positions whose logits exist at one time: as many as fit a CPU's cache, or keep a GPU busy.
CHUNK = {"cpu": 256, "cuda": 16_384}


def batch_loss(model: Decoder, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    """The summed loss of a batch, with matrix products in `dtype` (float32 or bfloat16); divide it by targets."""
    with torch.autocast(batch.tokens.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        hidden = model(batch.tokens, batch.positions, batch.pieces)
    return loss_sum(hidden.to(dtype), model.embedding.weight, batch.labels, model.config.vocab_size)


def loss_sum(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Sum of -log p(label) in nats over the labels that are not IGNORE; a float32 scalar.

    hidden [..., width]; weight [padded vocabulary, width], whose rows from `vocab_size` on are padding and get no probability;
    labels [...]. Divide by the number of targets of the *whole step*, so that micro-batches of unequal counts weigh right.
    """
    valid = labels.flatten() != IGNORE
    learning = torch.is_grad_enabled()  # in the forward of a Function it is always off
    return _LinearCrossEntropy.apply(hidden.flatten(0, -2)[valid], weight, labels.flatten()[valid], vocab_size, learning)


class _LinearCrossEntropy(torch.autograd.Function):
    """Loss and gradients in one pass over chunks of positions; backward only scales what forward found."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, vocab_size: int, learning: bool
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float64)
        head = weight.to(hidden.dtype)
        d_hidden = torch.empty_like(hidden) if learning else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if learning else None
        size = CHUNK[hidden.device.type]
        for first in range(0, len(labels), size):
            part, wanted = hidden[first : first + size], labels[first : first + size, None]
            logits = (part @ head.T).float()
            logits[:, vocab_size:] = -torch.inf
            log_p = torch.log_softmax(logits, dim=1)
            total -= log_p.gather(1, wanted).sum()
            if d_hidden is not None and d_weight is not None:
                d_logits = log_p.exp_().scatter_add_(1, wanted, log_p.new_full(wanted.shape, -1.0)).to(hidden.dtype)
                torch.mm(d_logits, head, out=d_hidden[first : first + size])
                d_weight += d_logits.T @ part
        ctx.save_for_backward(d_hidden, d_weight)
        return total.float()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        d_hidden, d_weight = ctx.saved_tensors
        (scale,) = grads
        return d_hidden * scale.to(d_hidden.dtype), d_weight * scale, None, None, None
