"""Labels, positions and pieces, on rows small enough to read."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.attention import Pieces
from trainer.batch import IGNORE, collate
from trainer.shards import Row

X = IGNORE


def row(tokens: list[int], lengths: list[int], mask: list[int] | None = None) -> Row:
    bits = None if mask is None else np.array(mask, dtype=bool)
    return Row(np.array(tokens, dtype=np.uint16), np.array(lengths, dtype=np.int32), bits)


CASES = {
    "one document": (row([5, 6, 7, 8], [4]), [6, 7, 8, X], [0, 1, 2, 3], (4,)),
    "two documents": (row([5, 6, 7, 8], [1, 3]), [X, 7, 8, X], [0, 0, 1, 2], (1, 3)),
    "padding": (row([5, 6, 0, 0], [2]), [6, X, X, X], [0, 1, 0, 1], (2, 2)),
    "nothing but padding": (row([0, 0, 0, 0], []), [X, X, X, X], [0, 1, 2, 3], (4,)),
    "single tokens": (row([5, 6, 7, 0], [1, 1, 1]), [X, X, X, X], [0, 0, 0, 0], (1, 1, 1, 1)),
    "the padding id inside a document": (row([5, 0, 7, 8], [4]), [0, 7, 8, X], [0, 1, 2, 3], (4,)),
    "masked targets": (row([5, 6, 7, 8], [4], [1, 0, 0, 1]), [X, X, 8, X], [0, 1, 2, 3], (4,)),
    "a mask on a first token changes nothing": (row([5, 6, 7, 8], [2, 2], [1, 1, 1, 1]), [6, X, 8, X], [0, 1, 0, 1], (2, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_row(name: str) -> None:
    given, labels, positions, pieces = CASES[name]
    batch = collate([given])
    assert batch.tokens.tolist() == [given.tokens.tolist()]
    assert batch.labels.tolist() == [labels]
    assert batch.positions.tolist() == [positions]
    assert batch.pieces[0].tolist() == list(pieces)
    assert batch.mask == Pieces(pieces)
    assert batch.targets == sum(label != X for label in labels)


def test_a_continued_document_restarts() -> None:
    """A document cut at a row's end goes on in the next row as a piece of its own: its first token there has no context."""
    batch = collate([row([5, 6, 7, 8], [4]), row([9, 10, 11, 0], [2, 1])])
    assert batch.labels.tolist() == [[6, 7, 8, X], [10, X, X, X]]
    assert batch.positions.tolist() == [[0, 1, 2, 3], [0, 1, 0, 0]]
    assert batch.mask == Pieces((4, 2, 1, 1))
    assert batch.targets == 4


def test_rows_are_copied_not_changed() -> None:
    given = row([5, 6, 0, 0], [2])
    given.tokens.flags.writeable = False
    batch = collate([given])
    batch.tokens[0, 0] = 1
    assert given.tokens.tolist() == [5, 6, 0, 0]
