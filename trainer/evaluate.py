"""What a model is measured by: its loss on held-out rows, per source, beside that of a model that only knows how often tokens occur."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from trainer.attention import Masking
from trainer.batch import Batch, split
from trainer.decode import TextDecoder
from trainer.documents import piece_sources
from trainer.errors import DataError
from trainer.loss import IGNORE
from trainer.order import MixedOrder, RowOrder
from trainer.parallel import World
from trainer.shards import PackedDataset

#: Tokens counted for the unigram model: enough to know the frequency of every token that matters.
COUNTED_TOKENS = 20_000_000


class HeldOut(NamedTuple):
    """The rows a model is measured on: the first `rows` of a dataset that no step trains on."""

    data: PackedDataset
    rows: int
    rows_per_batch: int
    masking: Masking = Masking()

    def batches(self, rank: int = 0, size: int = 1) -> list[tuple[Batch, bool]]:
        """This process's batches, as many as each other's: the last may come again, and then doesn't count."""
        firsts = range(0, self.rows, self.rows_per_batch)
        found = []
        for turn in range(-(-len(firsts) // size)):
            number = min(turn * size + rank, len(firsts) - 1)
            rows = np.arange(firsts[number], min(self.rows, firsts[number] + self.rows_per_batch))
            (batch,) = split(self.data, rows, self.rows_per_batch, self.masking)
            found.append((batch, turn * size + rank < len(firsts)))
        return found


@dataclass(frozen=True)
class Score:
    """Nats over `targets` tokens; `spelled` of them over those that spell text, `bytes` of it (0: not known)."""

    nats: float
    targets: int
    spelled: float
    bytes: int

    @property
    def loss(self) -> float:
        return self.nats / max(1, self.targets)

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float | None:
        """Comparable between tokenizers, as the loss per token is not. Special tokens, which spell no text, don't count."""
        return self.spelled / math.log(2) / self.bytes if self.bytes else None


class Validation:
    """Measures a model on the held-out rows; what is needed of them besides their tokens is read once."""

    def __init__(self, held_out: HeldOut, text: TextDecoder | None) -> None:
        """Without a tokenizer there are no bytes; without pyarrow, or docs files, no sources but "all"."""
        self.held_out = held_out
        self.sources, self._of_row = piece_sources(held_out.data, range(held_out.rows))
        self._bytes = np.zeros(held_out.data.vocab_size, dtype=np.int64)
        if text:
            self._bytes = np.array([text.spelled(number) for number in range(len(self._bytes))])

    def scores(self, learner: nn.Module, world: World, dtype: torch.dtype) -> dict[str, Score]:
        """The score of each source, and of "all" of them."""
        sums = np.zeros((len(self.sources), 4))
        learner.eval()
        with torch.no_grad():
            for batch, counts in self.held_out.batches(world.rank, world.size):
                moved = batch.to(world.device)
                with torch.autocast(world.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                    losses = learner(moved.tokens, moved.positions, moved.mask, moved.labels, each=True)
                if counts:
                    self._add(sums, batch, losses.double().cpu().numpy())
        learner.train()
        sums = world.sums(sums)
        return {name: _score(line) for name, line in zip((*self.sources, "all"), (*sums, sums.sum(axis=0)), strict=True)}

    def _add(self, sums: npt.NDArray[np.float64], batch: Batch, losses: npt.NDArray[np.float64]) -> None:
        """Add nats, targets, nats of what spells text, and its bytes, of each piece to the line of its source."""
        labels = batch.labels.numpy()
        valid = labels != IGNORE
        sizes = np.where(valid, self._bytes[labels * valid], 0)
        values = np.stack([losses, valid, np.where(sizes, losses, 0.0), sizes], axis=-1)
        for row, lengths in enumerate(batch.pieces):
            starts = np.cumsum(lengths) - lengths
            of_piece = self._of_row[batch.numbers[row]]
            np.add.at(sums, of_piece, np.add.reduceat(values[row], starts)[: len(of_piece)])


def _score(line: npt.NDArray[np.float64]) -> Score:
    nats, targets, spelled, size = line.tolist()
    return Score(nats, int(targets), spelled, int(size))


def unigram_loss(train: PackedDataset, order: RowOrder | MixedOrder, held_out: HeldOut) -> float:
    """The mean loss of a model that gives each token its share of the training tokens, whatever comes before it.

    Shares are counted over up to COUNTED_TOKENS tokens of training rows, in their order of training, and one more of every token of
    the vocabulary (Laplace). A trained model that is not below this has learned nothing from context. Raises DataError when the
    held-out rows have no targets.
    """
    labels = np.concatenate([batch.labels.numpy().ravel() for batch, _ in held_out.batches()])
    targets = labels[labels != IGNORE]
    if not len(targets):
        raise DataError(f"{held_out.data.folder} has no targets in its first {held_out.rows} rows: nothing to measure on")
    counts = token_counts(train, order) + 1
    return float(-np.log(counts[targets] / counts.sum()).mean())


def token_counts(train: PackedDataset, order: RowOrder | MixedOrder) -> npt.NDArray[np.int64]:
    """How often each token occurs in the first COUNTED_TOKENS tokens of the order of training, [vocab_size]."""
    rows = min(len(train), -(-COUNTED_TOKENS // train.seq_len))
    numbers = order.at(0, rows)
    counts = np.zeros(train.vocab_size, dtype=np.int64)
    for first in range(0, rows, 256):
        block = train.rows(numbers[first : first + 256])
        tokens = np.concatenate([row.tokens[: row.lengths.sum()] for row in block])
        counts += np.bincount(tokens, minlength=train.vocab_size)
    return counts
