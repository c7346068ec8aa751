"""Counts of pieces: those that the library's splitter makes, however they are put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from bpe_kit import MANY_TONGUES, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import prose

from pipeline.errors import StorageError
from pipeline.job import PartFile
from pipeline.kernels.arrow import texts
from pipeline.storage import Folder
from tokenizer import counts
from tokenizer.counts import PIECES, Counted, PieceCounter, count, put_together
from tokenizer.splits import Split, pre_tokenizer
from tokenizer.vocabulary import BYTE_OF

DOCUMENTS = [*MANY_TONGUES, *(prose(f"a book {n}", 4) for n in range(5)), "one " * 50]


def as_dict(found: Counted) -> dict[bytes, int]:
    pieces = [found.data[a:b].tobytes() for a, b in zip(found.bounds, found.bounds[1:], strict=False)]
    assert len(set(pieces)) == len(pieces) == len(found.counts)
    return dict(zip(pieces, found.counts.tolist(), strict=True))


def expected(documents: Sequence[str], split: Split = "gpt4", digits: int = 2) -> dict[bytes, int]:
    splitter = pre_tokenizer(split, digits)
    spelled = (piece for text in documents for piece, _ in splitter.pre_tokenize_str(text))
    return dict(Counter(bytes(BYTE_OF[char] for char in piece) for piece in spelled))


def part(folder: Folder, name: str, *batches: pa.RecordBatch) -> PartFile:
    with folder.parquet(f"{name}.pieces.parquet", PIECES) as sink:
        for batch in batches:
            sink.write(batch)
    return PartFile(folder, sink.entry())


def rows_of(documents: Sequence[str]) -> pa.RecordBatch:
    counter = PieceCounter()
    views = texts(pa.array(documents, pa.large_string()))
    counter.add_texts(views.data, views.offsets[:-1].copy(), views.offsets[1:].copy())
    return counter.rows()


@pytest.mark.parametrize(("split", "digits"), [("gpt2", 2), ("gpt4", 1), ("gpt4", 3)])
@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=4))
def test_pieces_are_those_of_the_library(split: Split, digits: int, documents: list[str]) -> None:
    assert as_dict(count(documents, split, digits)) == expected(documents, split, digits)


def test_many_pieces() -> None:
    words = [f"{n} word{'x' * (n % 30)}{n}" for n in range(9000)]
    assert as_dict(count([" ".join(words)])) == expected([" ".join(words)])


def test_rows_are_sorted_by_key() -> None:
    rows = rows_of(DOCUMENTS)
    assert rows.schema == PIECES
    assert dict(zip(rows.column("piece").to_pylist(), rows.column("count").to_pylist(), strict=True)) == expected(DOCUMENTS)
    assert np.all(np.diff(rows.column("key").to_numpy().astype(object)) > 0)


@pytest.mark.parametrize("rows_at_once", [1 << 20, 400])
def test_parts_and_runs_add_up(tmp_path: object, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(counts, "ROWS_AT_ONCE", rows_at_once)
    folder = Folder(str(tmp_path))
    files = [part(folder, f"web-0000{n}", rows_of(DOCUMENTS[n::4]), rows_of(DOCUMENTS[n::4])) for n in range(4)]
    found, least = put_together([*files, part(folder, "web-00009")], 10**6)
    assert least == 1
    assert as_dict(found) == as_dict(count(DOCUMENTS * 2))


@pytest.mark.parametrize("rows_at_once", [1 << 20, 100])
def test_of_too_many_pieces_the_rarest_go(tmp_path: object, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(counts, "ROWS_AT_ONCE", rows_at_once)
    every = expected(DOCUMENTS)
    file = part(Folder(str(tmp_path)), "web-00000", rows_of(DOCUMENTS))
    for at_most in (0, 1, 5, 50, len(every) - 1, len(every)):
        found, least = put_together([file], at_most)
        assert as_dict(found) == {piece: number for piece, number in every.items() if number >= least}
        assert len(found.counts) <= at_most
        assert least == 1 or sum(number >= least - 1 for number in every.values()) > at_most


def test_counts_are_64_bits_wide(tmp_path: object) -> None:
    rows = pa.record_batch(
        [pa.array([(1 << 64) - 1], pa.uint64()), pa.array([b"ab"], pa.large_binary()), pa.array([1 << 33])], schema=PIECES
    )
    found, _ = put_together([part(Folder(str(tmp_path)), f"web-0000{n}", rows) for n in range(3)], 10)
    assert as_dict(found) == {b"ab": 3 << 33}


def test_no_part_at_all() -> None:
    found, least = put_together([], 10)
    assert (as_dict(found), least) == ({}, 1)


def test_a_damaged_file_is_named(tmp_path: object) -> None:
    folder = Folder(str(tmp_path))
    file = part(folder, "web-00000", rows_of(DOCUMENTS))
    content = bytearray(folder.read(file.entry.name))
    content[4:200] = b"\0" * 196
    folder.write(file.entry.name, bytes(content))
    with pytest.raises(StorageError, match=r"web-00000\.pieces\.parquet is damaged"):
        put_together([file], 10)
