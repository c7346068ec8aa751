"""A sample of a source: excerpts of its documents, drawn by hash, up to a number of bytes.

A document is cut into windows of `EXCERPT_BYTES`. Every document gives one window before any gives a second one, the
documents in the order of a hash of seed and id, the windows from a place that the same hash draws: so many documents
have their say, and neither title pages nor a few large books fill the sample. Which excerpts are drawn depends on the
documents alone, not on how they are dealt into parts, as long as all parts are read: of a source very much larger than
its sample only some are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.job import Inputs, PartFile
from pipeline.kernels.arrow import Bytes, texts

#: Bytes of the longest excerpt.
EXCERPT_BYTES = 1 << 14
#: Parts are read until their files (compressed) hold this many times the bytes that are wanted.
READ_FOR_ONE = 64

Keys = npt.NDArray[np.uint64]


class Excerpt(NamedTuple):
    """One window of a document; excerpts are taken from the least up."""

    round: int
    key: int
    id: str
    lang: str | None
    text: bytes


@dataclass
class Draw:
    """The least excerpts that together hold `wanted` bytes, of all documents that were added in whatever order."""

    wanted: int
    _kept: list[Excerpt] = field(default_factory=list)
    _held: int = 0
    _limit: Excerpt | None = None

    def add(self, keys: Keys, batch: pa.RecordBatch) -> None:
        """Offer the documents of a batch with `id`, `lang` and `text`; `keys` are the hashes that order them."""
        views = texts(batch.column("text"))
        windows = -(-np.diff(views.offsets) // EXCERPT_BYTES)
        for turn in range(int(windows.max(initial=0))):
            if self._limit is not None and turn > self._limit.round:
                break
            for row in np.flatnonzero(self._may_enter(turn, keys) & (windows > turn)).tolist():
                place = (int(keys[row]) + turn) % int(windows[row])
                text = _window(views.data, int(views.offsets[row]), int(views.offsets[row + 1]), place)
                excerpt = Excerpt(turn, int(keys[row]), batch.column("id")[row].as_py(), batch.column("lang")[row].as_py(), text)
                self._kept.append(excerpt)
                self._held += len(text)
            if self._held > 2 * self.wanted:
                self._prune()

    def excerpts(self) -> list[Excerpt]:
        """What was drawn, in order; the last one brings it to `wanted` bytes."""
        self._prune()
        return self._kept

    def _may_enter(self, turn: int, keys: Keys) -> npt.NDArray[np.bool_]:
        if self._limit is None or turn < self._limit.round:
            return np.ones(len(keys), bool)
        return keys <= np.uint64(self._limit.key)

    def _prune(self) -> None:
        self._kept.sort(key=lambda excerpt: excerpt[:3])
        filled = np.cumsum([0, *(len(excerpt.text) for excerpt in self._kept)])
        needed = int(np.searchsorted(filled, self.wanted))
        if needed <= len(self._kept):
            self._kept, self._held = self._kept[:needed], int(filled[needed])
            self._limit = self._kept[-1] if self._kept else Excerpt(-1, 0, "", None, b"")


def _window(data: Bytes, start: int, end: int, place: int) -> bytes:
    """Window number `place` of the text data[start:end], whole characters."""
    first = _boundary(data, start + place * EXCERPT_BYTES, end)
    return data[first : _boundary(data, start + (place + 1) * EXCERPT_BYTES, end)].tobytes()


def _boundary(data: Bytes, i: int, end: int) -> int:
    """The first place from `i` on where a character starts."""
    while i < end and data[i] & 0xC0 == 0x80:
        i += 1
    return min(i, end)


def parts_to_read(inputs: Inputs, source: str, wanted: int) -> list[PartFile]:
    """The parts of a source in an order drawn by their names, as many as a sample of `wanted` bytes needs at most."""
    mine = [file for file in inputs.files("filter", "docs") if file.source == source]
    mine.sort(key=lambda file: hashlib.blake2b(file.part.encode(), digest_size=8).digest())
    before = np.cumsum([0, *(file.entry.bytes for file in mine)])
    return [file for file, held in zip(mine, before, strict=False) if held < READ_FOR_ONE * wanted]
