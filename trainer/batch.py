"""From rows to what a model is trained on: labels, positions, and where attention ends.

Inside a row each piece of a document is on its own: positions restart, attention doesn't cross, and its first token is never
a target, because nothing in the row precedes it. Padding is a piece without targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from trainer.order import RowOrder
from trainer.shards import PackedDataset, Row

#: The label of a position that has no target.
IGNORE = -100


@dataclass(frozen=True)
class Batch:
    """Rows, ready for the model: int64 tensors [rows, seq_len].

    `labels[r, t]` is the token to predict after `tokens[r, t]`, or IGNORE. `pieces` are the lengths of all pieces of all rows
    one after the other, padding included: they add up to rows x seq_len, and attention stays within them.
    `targets` counts the labels that are not IGNORE. `numbers` are the rows' numbers in the dataset.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    pieces: tuple[int, ...]
    targets: int
    numbers: tuple[int, ...]

    def to(self, device: torch.device) -> Batch:
        """The same batch with its tensors on `device`."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ("tokens", "labels", "positions")}
        return replace(self, **moved)


def collate(rows: Sequence[Row], numbers: Sequence[int] = ()) -> Batch:
    """Stack rows of one length into a Batch."""
    tokens = np.stack([row.tokens for row in rows]).astype(np.int64)
    seq_len = tokens.shape[1]
    pieces = [piece_lengths(row, seq_len) for row in rows]
    labels = np.stack([_labels(row, ids) for row, ids in zip(rows, tokens, strict=True)])
    positions = np.stack([_positions(lengths) for lengths in pieces])
    return Batch(
        tokens=torch.from_numpy(tokens), labels=torch.from_numpy(labels), positions=torch.from_numpy(positions),
        pieces=tuple(np.concatenate(pieces).tolist()), targets=int((labels != IGNORE).sum()), numbers=tuple(numbers),
    )  # fmt: skip


def piece_lengths(row: Row, seq_len: int) -> npt.NDArray[np.int64]:
    """Lengths of a row's pieces, with the padding as a last one where there is any; they add up to `seq_len`."""
    lengths = row.lengths.astype(np.int64)
    padding = seq_len - int(lengths.sum())
    return np.append(lengths, padding) if padding else lengths


def _positions(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    starts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) - np.repeat(starts, lengths)


def _labels(row: Row, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The next token, where it is of the same piece and counts as a target."""
    ends = np.cumsum(row.lengths)
    labels = np.full_like(tokens, IGNORE)
    labels[:-1] = tokens[1:] if row.mask is None else np.where(row.mask[1:], tokens[1:], IGNORE)
    labels[ends - 1] = IGNORE
    labels[ends[-1] if len(ends) else 0 :] = IGNORE
    return labels


def step_batches(data: PackedDataset, order: RowOrder, step: int, rows_per_step: int, rows_per_batch: int) -> list[Batch]:
    """The micro-batches of step 0, 1, ...: together always the same rows, however many each batch holds."""
    numbers = order.at(step * rows_per_step, rows_per_step)
    return list(split(data, numbers, rows_per_batch))


def split(data: PackedDataset, numbers: npt.NDArray[np.int64], rows_per_batch: int) -> Iterator[Batch]:
    """These rows of the dataset, in batches."""
    for first in range(0, len(numbers), rows_per_batch):
        chosen = numbers[first : first + rows_per_batch]
        yield collate(data.rows(chosen), tuple(chosen.tolist()))
