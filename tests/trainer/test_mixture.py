"""Several datasets with weights: exact shares, each dataset's rows once per epoch of its own, any split of a step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_kit import random_rows, write_dataset

pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.errors import ConfigError, DataError
from trainer.mixture import open_training
from trainer.order import MIX_BLOCK, MixedOrder, RowOrder, shared

ORDERS = (RowOrder("a", 0, 10), RowOrder("b", 0, 300), RowOrder("c", 0, 7))


@settings(max_examples=30)
@given(first=st.integers(0, 5000), count=st.integers(0, 1500))
def test_any_split_reads_the_same_rows(first: int, count: int) -> None:
    order = MixedOrder(ORDERS, (0.5, 0.3, 0.2))
    cut = count // 3
    assert [*order.at(first, cut), *order.at(first + cut, count - cut)] == order.at(first, count).tolist()


def test_shares_are_exact_and_each_dataset_keeps_its_order() -> None:
    order = MixedOrder(ORDERS, (5, 3, 2))
    found = order.at(0, 3 * MIX_BLOCK)
    which = np.digitize(found, [10, 310])
    for block in which.reshape(3, MIX_BLOCK):
        assert [Counter(block.tolist())[number] for number in range(3)] == shared(MIX_BLOCK, (5, 3, 2)).tolist() == [512, 307, 205]
    for number, (alone, begin) in enumerate(zip(ORDERS, (0, 10, 310), strict=True)):
        of_it = np.sort((found[which == number] - begin).reshape(3, -1), axis=1)
        wanted = np.sort(alone.at(0, of_it.size).reshape(3, -1), axis=1)
        assert of_it.tolist() == wanted.tolist()
    assert set(which[:20].tolist()) == {0, 1, 2}


@given(total=st.integers(0, 500), shares=st.lists(st.floats(0.01, 10), min_size=1, max_size=8))
def test_what_is_dealt_adds_up(total: int, shares: list[float]) -> None:
    counts = shared(total, shares)
    assert counts.sum() == total
    assert np.abs(counts - total * np.array(shares) / sum(shares)).max() < 1 + 1e-9


def test_the_order_is_pinned() -> None:
    """Resuming an old run depends on these never changing."""
    assert MixedOrder(ORDERS[:2], (1, 1)).at(0, 8).tolist() == PINNED


def test_opened_as_one(tmp_path: Path) -> None:
    rows = {name: random_rows(count, 12, 50, seed) for seed, (name, count) in enumerate({"a": 3, "b": 4}.items())}
    for name, made in rows.items():
        write_dataset(tmp_path / name, made, seq_len=12, vocab_size=50, rows_per_shard=2)
    data, order = open_training(f"{tmp_path / 'a'}=3,{tmp_path / 'b'}=1", 0)
    every = [[token for piece in row for token in piece] for name in "ab" for row in rows[name]]
    assert [row.tokens[: row.lengths.sum()].tolist() for row in data.rows(range(7))] == every
    assert sum(number < 3 for number in order.at(0, MIX_BLOCK)) == MIX_BLOCK * 3 // 4
    other, _ = open_training(f"{tmp_path / 'a'}=2,{tmp_path / 'b'}=1", 0)
    assert len({data.digest, other.digest, open_training(str(tmp_path / "a"), 0)[0].digest}) == 3


def test_what_does_not_go_together(tmp_path: Path) -> None:
    for name, vocab in (("a", 50), ("b", 60)):
        write_dataset(tmp_path / name, random_rows(3, 12, 50), seq_len=12, vocab_size=vocab)
    with pytest.raises(DataError, match="vocab_size 60"):
        open_training(f"{tmp_path / 'a'}=3,{tmp_path / 'b'}=1", 0)
    for spec in ("a=0.5,b", "a=x,b=1", "a=0,b=1", "=1,b=1", "a=-1,b=2", "a=inf,b=1"):
        with pytest.raises(ConfigError, match=r"A=0\.7,B=0\.3"):
            open_training(spec, 0)
    with pytest.raises(ConfigError, match="none would come"):
        open_training("a=1,b=0.0001", 0)


PINNED = [3, 228, 85, 6, 299, 1, 116, 2]
