"""Views of Arrow columns: slices, nulls and other types give the same texts, and nothing can be written through them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from texts import any_rows, column

from pipeline.kernels.arrow import Texts, encoded, large_strings, texts


def decoded(views: Texts) -> list[str]:
    bounds = zip(views.offsets[:-1], views.offsets[1:], strict=True)
    return [bytes(views.data[start:end]).decode() for start, end in bounds]


@given(any_rows)
def test_views_of_a_slice_with_nulls_hold_its_texts(rows: list[str | None]) -> None:
    assert decoded(texts(column(rows))) == [row or "" for row in rows]


@given(any_rows)
def test_a_column_made_of_views_is_the_column(rows: list[str | None]) -> None:
    views = texts(column(rows))
    assert large_strings(views.offsets, views.data).to_pylist() == [row or "" for row in rows]


def test_what_lies_under_a_null_is_not_read() -> None:
    hidden = pa.LargeStringArray.from_buffers(3, *pa.array(["a", "hidden", "b"], pa.large_string()).buffers()[1:], pa.py_buffer(b"\x05"))
    assert hidden.to_pylist() == ["a", None, "b"]
    assert decoded(texts(hidden)) == ["a", "", "b"]


def test_short_strings_are_widened() -> None:
    assert decoded(texts(pa.array(["a", None, "日本"], pa.string()))) == ["a", "", "日本"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_no_rows(kind: pa.DataType) -> None:
    views = texts(pa.array([], kind))
    assert (views.rows, views.offsets.tolist(), len(views.data)) == (0, [0], 0)


def test_a_view_copies_nothing_and_is_read_only() -> None:
    array = pa.array(["some text", "more"], pa.large_string())
    views = texts(array)
    assert views.data.ctypes.data == array.buffers()[2].address
    for part in (views, encoded(["stop"]), texts(pa.array([], pa.large_string()))):
        assert not part.offsets.flags.writeable
        assert not part.data.flags.writeable
    assert views.offsets.dtype == np.int64
