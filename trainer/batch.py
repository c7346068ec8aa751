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
from torch.nn.attention.flex_attention import BlockMask

from trainer.attention import Intervals, Masking, Pieces
from trainer.loss import IGNORE
from trainer.shards import PackedDataset, Row


@dataclass(frozen=True)
class Batch:
    """Rows, ready for the model: int64 tensors [rows, seq_len].

    `labels[r, t]` is the token to predict after `tokens[r, t]`, or IGNORE. `pieces` are the lengths of the pieces of each row,
    padding included: attention stays within them, as `mask` says. `places` [targets] are those labels, flat, that are not IGNORE:
    found here, because a GPU that looks for them makes the program wait.
    `numbers` are the rows' numbers in the dataset.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    places: torch.Tensor
    positions: torch.Tensor
    mask: Pieces | Intervals | BlockMask
    pieces: tuple[npt.NDArray[np.int64], ...]
    numbers: tuple[int, ...]

    @property
    def targets(self) -> int:
        """How many labels are not IGNORE."""
        return len(self.places)

    def to(self, device: torch.device) -> Batch:
        """The same batch with its tensors on `device`."""
        return self._with({name: tensor.to(device, non_blocking=True) for name, tensor in self._tensors.items()}, self.mask.to(device))

    def pinned(self) -> Batch:
        """The same batch in memory that a GPU can copy from while it computes."""
        mask = self.mask.pin_memory() if isinstance(self.mask, Intervals) else self.mask
        return self._with({name: tensor.pin_memory() for name, tensor in self._tensors.items()}, mask)

    @property
    def _tensors(self) -> dict[str, torch.Tensor]:
        return {"tokens": self.tokens, "labels": self.labels, "places": self.places, "positions": self.positions}

    def _with(self, tensors: dict[str, torch.Tensor], mask: Pieces | Intervals | BlockMask) -> Batch:
        return replace(self, **tensors, mask=mask)


def collate(rows: Sequence[Row], numbers: Sequence[int] = (), masking: Masking | None = None) -> Batch:
    """Stack rows of one length into a Batch, masked per piece unless `masking` says otherwise."""
    tokens = np.stack([row.tokens for row in rows]).astype(np.int64)
    seq_len = tokens.shape[1]
    pieces = tuple(piece_lengths(row, seq_len) for row in rows)
    labels = np.stack([_labels(row, ids) for row, ids in zip(rows, tokens, strict=True)])
    positions = np.stack([_positions(lengths) for lengths in pieces])
    return Batch(
        tokens=torch.from_numpy(tokens), labels=torch.from_numpy(labels), places=torch.from_numpy(np.flatnonzero(labels != IGNORE)),
        positions=torch.from_numpy(positions), mask=(masking or Masking())(pieces), pieces=pieces, numbers=tuple(numbers),
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


def split(data: PackedDataset, numbers: npt.NDArray[np.int64], rows_per_batch: int, masking: Masking | None = None) -> Iterator[Batch]:
    """These rows of the dataset, in batches."""
    for first in range(0, len(numbers), rows_per_batch):
        chosen = numbers[first : first + rows_per_batch]
        yield collate(data.rows(chosen), tuple(chosen.tolist()), masking)
