"""Arrow columns as the kernels see them: (offsets, bytes) without a copy, and back.

A kernel reads row i of a column as data[offsets[i]:offsets[i + 1]], valid UTF-8. The views are read-only, whatever the
column was made of, so that a kernel is compiled once and no kernel can write into a batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Texts(NamedTuple):
    """A column of texts: `offsets` int64[rows + 1] into `data` uint8[...]; a null row is an empty text."""

    offsets: Ints
    data: Bytes

    @property
    def rows(self) -> int:
        return len(self.offsets) - 1


def texts(column: pa.Array) -> Texts:
    """The views of a string column; slices are honoured, nulls become empty texts, `string` is cast to `large_string`."""
    if column.type != pa.large_string():
        column = column.cast(pa.large_string())
    if column.null_count:
        column = pc.fill_null(column, "")
    _, offsets, data = column.buffers()
    if len(column) == 0 or offsets is None:
        return Texts(_frozen(np.zeros(1, np.int64)), _frozen(np.zeros(0, np.uint8)))
    every = np.frombuffer(offsets, np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return Texts(_frozen(every[column.offset : column.offset + len(column) + 1]), _frozen(content))


def encoded(values: list[str]) -> Texts:
    """A short list of texts (stop words, phrases) in the form that kernels take."""
    return texts(pa.array(values, pa.large_string()))


def large_strings(offsets: Ints, data: Bytes) -> pa.LargeStringArray:
    """The column whose row i is data[offsets[i]:offsets[i + 1]], which the caller has made of whole characters."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
