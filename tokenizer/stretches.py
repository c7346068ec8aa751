"""Texts in stretches of bounded size: what is encoded at once, whatever the length of a document.

A long text is cut before a space that stands between two letters of ASCII. Each of the splits that the kernel knows ends a piece
there, whatever comes before, and begins the next with the space: so the ids of the stretches, one after the other, are those
of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from pipeline.kernels.arrow import Ints, Texts

_SAFE = re.compile(rb"[A-Za-z](?= [A-Za-z])")


def cut_long(views: Texts, size: int) -> tuple[Texts, Ints]:
    """The texts, those of more than `size` bytes in stretches, and for each text the stretch with which it begins (and the end).

    A text that holds no place to be cut at stays whole.
    """
    long = np.flatnonzero(np.diff(views.offsets) > size)
    cuts = [(row, place) for row in long.tolist() for place in _places(views, row, size)]
    rows = np.array([row for row, _ in cuts], np.int64)
    offsets = np.insert(views.offsets, rows + 1, np.array([place for _, place in cuts], np.int64))
    begins = np.arange(len(views.offsets)) + np.searchsorted(rows, np.arange(len(views.offsets)))
    return Texts(offsets, views.data), begins


def _places(views: Texts, row: int, size: int) -> Iterator[int]:
    """Where a text is cut: behind a letter, `size` bytes or a little more from the cut before."""
    start, end, data = int(views.offsets[row]), int(views.offsets[row + 1]), views.data.data
    while end - start > size:
        found = _SAFE.search(data, start + size - 1, end)
        if found is None:
            return
        start = found.end()
        yield start


def runs(views: Texts, size: int) -> Iterator[Texts]:
    """Neighbouring texts of `size` bytes together, or a single longer one."""
    first = 0
    while first < views.rows:
        last = max(first + 1, int(np.searchsorted(views.offsets, views.offsets[first] + size, side="right")) - 1)
        yield Texts(views.offsets[first : last + 1], views.data)
        first = last
