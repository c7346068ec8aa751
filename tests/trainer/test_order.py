"""The order of rows: a bijection, and one that every split of a batch agrees on."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.order import ROUNDS, Permutation, RowOrder

WORD = (1 << 64) - 1


def plain(key: str, size: int, place: int) -> int:
    """The permutation in Python's integers, one number at a time."""
    digest = hashlib.sha512(key.encode()).digest()
    keys = [int.from_bytes(digest[8 * n : 8 * n + 8], "little") for n in range(ROUNDS)]
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    while True:
        left, right = place >> half, place & ((1 << half) - 1)
        for round_key in keys:
            x = right ^ round_key
            x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
            x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
            left, right = right, left ^ ((x ^ (x >> 31)) & ((1 << half) - 1))
        place = (left << half) | right
        if place < size:
            return place


@given(size=st.integers(1, 3000), key=st.text(max_size=20))
def test_every_row_comes_once(size: int, key: str) -> None:
    images = Permutation(key, size)(np.arange(size))
    assert sorted(images.tolist()) == list(range(size))


@given(size=st.integers(1, 1 << 40), key=st.text(max_size=20), data=st.data())
def test_the_plain_twin_agrees(size: int, key: str, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=8))
    assert Permutation(key, size)(places).tolist() == [plain(key, size, place) for place in places]


@given(rows=st.integers(1, 50), counts=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_any_split_reads_the_same_rows(rows: int, counts: list[int]) -> None:
    order = RowOrder("digest", 1, rows)
    starts = np.cumsum([0, *counts])
    pieces = [order.at(int(start), count).tolist() for start, count in zip(starts[:-1], counts, strict=True)]
    assert [row for piece in pieces for row in piece] == order.at(0, sum(counts)).tolist()


def test_each_epoch_seed_and_dataset_has_its_own_order() -> None:
    first, second = np.split(RowOrder("digest", 1, 100).at(0, 200), 2)
    others = [RowOrder("digest", 2, 100).at(0, 100), RowOrder("other", 1, 100).at(0, 100)]
    assert sorted(second.tolist()) == list(range(100))
    assert all((first != other).any() for other in (second, *others))


def test_the_order_is_spread_evenly() -> None:
    """Of 64 draws, each place sends a row to every quarter of the dataset about a quarter of the time."""
    images = np.stack([Permutation(f"key {n}", 1000)(np.arange(1000)) for n in range(64)])
    quarters = np.stack([((images // 250) == quarter).mean(axis=0) for quarter in range(4)])
    assert quarters.mean(axis=1) == pytest.approx(0.25, abs=1e-9)
    assert quarters.min() > 0.0
    assert quarters.max() < 0.6


def test_the_order_is_pinned() -> None:
    """Resuming an old run depends on these never changing."""
    assert RowOrder("0" * 64, 0, 10).at(0, 12).tolist() == PINNED


PINNED = [9, 8, 4, 7, 2, 1, 5, 0, 3, 6, 9, 5]
