"""The packer: equal to its plain twin, loses nothing, cuts nothing that fits, fills rows, and shuffles by content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_packing import best_fit as plain_best_fit

from pipeline.kernels.packing import Packing, best_fit, copy_keys, fill, pack

LENGTHS = st.lists(st.integers(0, 70) | st.sampled_from([0, 1, 16, 17, 32, 33, 64]), max_size=80)


def keys_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, dtype=np.uint64)


def packed(lengths: list[int], seq_len: int, window: int = 1000, keys: np.ndarray | None = None) -> Packing:
    groups = np.zeros(len(lengths), np.int64)
    return pack(np.array(lengths, np.int64), keys_of(len(lengths)) if keys is None else keys, groups, seq_len, window)


@given(LENGTHS, st.sampled_from([1, 2, 7, 16, 32, 33]))
@settings(max_examples=300, deadline=None)
def test_kernel_and_twin_place_the_same_pieces(lengths: list[int], seq_len: int) -> None:
    got = list(zip(*(column.tolist() for column in best_fit(np.array(lengths, np.int64), seq_len)), strict=True))
    assert got == plain_best_fit(lengths, seq_len)


@given(LENGTHS, st.sampled_from([1, 2, 7, 16, 32]), st.sampled_from([1, 3, 10, 1000]))
@settings(max_examples=200, deadline=None)
def test_every_token_is_placed_once_and_no_row_overflows(lengths: list[int], seq_len: int, window: int) -> None:
    packing = packed(lengths, seq_len, window)
    places = [
        (int(packing.document[piece]), int(packing.offset[piece]) + index)
        for piece in range(packing.pieces)
        for index in range(int(packing.length[piece]))
    ]
    assert sorted(places) == [(document, token) for document, length in enumerate(lengths) for token in range(length)]
    sizes = [int(packing.length[a:b].sum()) for a, b in zip(packing.row_starts, packing.row_starts[1:], strict=False)]
    assert all(0 < size <= seq_len for size in sizes)
    assert packing.row_starts[-1] == packing.pieces


@given(LENGTHS, st.sampled_from([1, 7, 16, 32]))
@settings(max_examples=200, deadline=None)
def test_documents_are_cut_into_full_rows_and_a_remainder(lengths: list[int], seq_len: int) -> None:
    packing = packed(lengths, seq_len)
    for document, length in enumerate(lengths):
        mine = packing.document == document
        pieces = sorted(zip(packing.offset[mine].tolist(), packing.length[mine].tolist(), strict=True))
        assert pieces == [(offset, min(seq_len, length - offset)) for offset in range(0, length, seq_len)]


def test_rows_are_nearly_full_on_lengths_like_those_of_web_pages() -> None:
    lengths = np.random.default_rng(3).lognormal(6.3, 1.2, 10_000).astype(np.int64) + 1
    packing = packed(lengths.tolist(), 2048, 1 << 20)
    assert lengths.sum() / (packing.rows * 2048) > 0.9995
    windowed = packed(lengths.tolist(), 2048, 1000)
    assert lengths.sum() / (windowed.rows * 2048) > 0.99


def test_order_of_rows_follows_content_not_position() -> None:
    lengths, keys = [9, 3, 14, 20, 8, 8, 1], keys_of(7)
    order = np.array([4, 2, 6, 0, 5, 1, 3])
    one = packed(lengths, 10, keys=keys)
    other = packed([lengths[i] for i in order], 10, keys=keys[order])
    single = [i for i, length in enumerate(lengths) if length >= 9]

    def rows(packing: Packing, names: np.ndarray) -> list[list[int]]:
        return [names[packing.document[a:b]].tolist() for a, b in zip(packing.row_starts, packing.row_starts[1:], strict=False)]

    def alone(found: list[list[int]]) -> list[int]:
        return [row[0] for row in found if len(row) == 1 and row[0] in single]

    assert alone(rows(one, np.arange(7))) == alone(rows(other, order))


def test_rows_and_pieces_of_a_row_are_shuffled() -> None:
    lengths = [10] * 200 + [6, 3, 1] * 100
    packing = packed(lengths, 10)
    sizes = np.diff(packing.row_starts)
    assert packing.rows == 300
    assert 0.5 < (sizes[:150] == 1).mean() < 0.85
    firsts = packing.length[packing.row_starts[:-1]][sizes == 3]
    assert set(firsts.tolist()) == {6, 3, 1}


def test_runs_of_rows_hold_the_sources_in_proportion_better_than_a_shuffle_does() -> None:
    draw = np.random.default_rng(5)
    lengths = draw.lognormal(4.5, 1.0, 6000).astype(np.int64) + 1
    groups = draw.choice(3, 6000, p=[0.7, 0.2, 0.1])
    packing = pack(lengths, keys_of(6000), groups, 100, 1 << 20)
    rows = np.repeat(np.arange(packing.rows), np.diff(packing.row_starts))
    tokens = np.bincount(rows * 3 + groups[packing.document], packing.length, packing.rows * 3).reshape(-1, 3)

    def worst(order: np.ndarray) -> float:
        windows = np.diff(np.cumsum(tokens[order], axis=0)[::100], axis=0)
        return float(np.abs(windows / windows.sum(axis=1, keepdims=True) - tokens.sum(axis=0) / tokens.sum()).max())

    assert worst(np.arange(packing.rows)) < 0.5 * worst(draw.permutation(packing.rows))


def test_windows_keep_the_order_of_documents() -> None:
    packing = packed([5] * 100, 10, window=20)
    windows = packing.document // 20
    assert (np.diff(windows) >= 0).all()
    assert packing.rows == 50


def test_copies_of_a_document_have_keys_of_their_own() -> None:
    keys = copy_keys(np.array([7, 7, 8], np.uint64), np.array([0, 1, 0], np.int64))
    assert len(set(keys.tolist())) == 3


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_tokens_come_to_their_places_and_padding_stays(dtype: type) -> None:
    lengths = np.array([3, 25, 0, 10, 7], np.int64)
    ids = np.arange(100, 100 + lengths.sum(), dtype=np.uint32)
    starts = np.cumsum(lengths) - lengths
    packing = packed(lengths.tolist(), 10)
    rows = np.full((packing.rows, 10), 9, dtype)
    fill(rows, packing, ids, starts)
    want = [
        np.concatenate([ids[starts[d] + o : starts[d] + o + n] for d, o, n in zip(*(c[a:b] for c in packing[1:]), strict=True)])
        for a, b in zip(packing.row_starts, packing.row_starts[1:], strict=False)
    ]
    for row, expected in zip(rows, want, strict=True):
        assert row.tolist() == [*expected.tolist(), *[9] * (10 - len(expected))]


def test_nothing_gives_no_rows() -> None:
    for lengths in ([], [0, 0]):
        packing = packed(lengths, 8)
        assert (packing.rows, packing.pieces) == (0, 0)
