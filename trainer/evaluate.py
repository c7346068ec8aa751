"""What a model is measured by: its loss on held-out rows, beside that of a model that knows only how often each token occurs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from trainer.batch import IGNORE, Batch, split
from trainer.errors import DataError
from trainer.loss import batch_loss
from trainer.model import Decoder
from trainer.order import RowOrder
from trainer.shards import PackedDataset

#: Tokens counted for the unigram model: enough to know the frequency of every token that matters.
COUNTED_TOKENS = 20_000_000


class HeldOut(NamedTuple):
    """The rows a model is measured on: the first `rows` of a dataset that no step trains on."""

    data: PackedDataset
    rows: int
    rows_per_batch: int

    def batches(self) -> Iterator[Batch]:
        return split(self.data, np.arange(self.rows), self.rows_per_batch)


def validation_loss(model: Decoder, held_out: HeldOut, device: torch.device, dtype: torch.dtype) -> float:
    """Mean -log p in nats over all targets of the held-out rows."""
    total, targets = 0.0, 0
    with torch.no_grad():
        for batch in held_out.batches():
            total += float(batch_loss(model, batch.to(device), dtype))
            targets += batch.targets
    return total / targets


def unigram_loss(train: PackedDataset, held_out: HeldOut, seed: int) -> float:
    """The same mean for a model that gives each token its share of the training tokens, whatever comes before it.

    Shares are counted over up to COUNTED_TOKENS tokens of training rows, in their order of training, and one more of every token of
    the vocabulary (Laplace). A trained model that is not below this has learned nothing from context. Raises DataError when the
    held-out rows have no targets.
    """
    labels = np.concatenate([batch.labels.numpy().ravel() for batch in held_out.batches()])
    targets = labels[labels != IGNORE]
    if not len(targets):
        raise DataError(f"{held_out.data.folder} has no targets in its first {held_out.rows} rows: nothing to measure on")
    counts = token_counts(train, seed) + 1
    return float(-np.log(counts[targets] / counts.sum()).mean())


def token_counts(train: PackedDataset, seed: int) -> npt.NDArray[np.int64]:
    """How often each token occurs in the first COUNTED_TOKENS tokens of the order of training, [vocab_size]."""
    rows = min(len(train), -(-COUNTED_TOKENS // train.seq_len))
    numbers = RowOrder(train.digest, seed, len(train)).at(0, rows)
    counts = np.zeros(train.vocab_size, dtype=np.int64)
    for first in range(0, rows, 256):
        block = train.rows(numbers[first : first + 256])
        tokens = np.concatenate([row.tokens[: row.lengths.sum()] for row in block])
        counts += np.bincount(tokens, minlength=train.vocab_size)
    return counts
