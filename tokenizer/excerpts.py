"""A sample of a source: excerpts of its documents, drawn by hash, up to a number of bytes.

A document is cut into windows of `EXCERPT_BYTES`. Every document gives one window before any gives a second one, the
documents in the order of a hash of seed and id, the windows from a place that the same hash draws: so many documents
have their say, and neither title pages nor a few large books fill the sample.

So each window has a place in that order, and a sample is all windows up to some place. Which that is follows from the bytes at
each place, added up over all parts of the source: the sample depends on the documents alone, not on how they are dealt into
parts, as long as all parts are read. Of a source very much larger than its sample only some are.

Places are rounded: hashes that agree in their first ten binary digits, leading zeros apart, share one. A sample exceeds
what is wanted by one place at most: by 1/512 of it or by one window, whichever is more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.job import Inputs, PartFile
from pipeline.kernels.arrow import Bytes, Ints, texts
from pipeline.tokens import order_keys

#: Bytes of the longest excerpt.
EXCERPT_BYTES = 1 << 14
#: Parts are read until their files (compressed) hold this many times the bytes that are wanted.
READ_FOR_ONE = 64
#: One document in so many is held out of training, to evaluate on; so is one byte for so many trained on.
HOLD_OUT_ONE_IN = 11
#: Before every place.
NOWHERE = -1

#: The bytes at each place that a part has windows at, sorted; those of held-out documents apart.
MEASURED = pa.schema(
    [
        pa.field("held_out", pa.bool_(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
_NOTHING = pa.RecordBatch.from_pylist([], schema=MEASURED)

_DIGITS = 9
_ROUND = 16

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


class Windows(NamedTuple):
    """The windows of a batch: data[starts[i]:ends[i]] of the document in row rows[i], and each one's place."""

    data: Bytes
    rows: Ints
    starts: Ints
    ends: Ints
    places: Ints
    held_out: Mask

    def only(self, mask: Mask) -> Windows:
        """Some of them."""
        return Windows(self.data, self.rows[mask], self.starts[mask], self.ends[mask], self.places[mask], self.held_out[mask])

    @property
    def bytes(self) -> int:
        return int((self.ends - self.starts).sum())


def windows(batch: pa.RecordBatch, seed: int) -> Windows:
    """All windows of a batch with `id` and `text`."""
    views, keys = texts(batch.column("text")), order_keys(batch.column("id"), seed, "tokenizer")
    out = order_keys(batch.column("id"), seed, "tokenizer", "held out") % np.uint64(HOLD_OUT_ONE_IN) == 0
    number = -(-np.diff(views.offsets) // EXCERPT_BYTES)
    rows = np.repeat(np.arange(views.rows), number)
    turns = np.arange(len(rows)) - np.repeat(np.cumsum(number) - number, number)
    first = (keys % np.maximum(number, 1).astype(np.uint64)).astype(np.int64)
    cuts = views.offsets[rows] + (first[rows] + turns) % number[rows] * EXCERPT_BYTES
    ends = views.offsets[rows + 1]
    starts, stops = (_boundaries(views.data, places, ends) for places in (cuts, cuts + EXCERPT_BYTES))
    return Windows(views.data, rows, starts, stops, turns << _ROUND | rounded(keys)[rows], out[rows])


def _boundaries(data: Bytes, places: Ints, ends: Ints) -> Ints:
    """The first places from these on where a character starts, or the ends."""
    places = np.minimum(places, ends)
    for _ in range(3):
        inside = places < ends
        inside[inside] = data[places[inside]] & 0xC0 == 0x80
        places = places + inside
    return places


def rounded(keys: Keys) -> Ints:
    """Keys by their binary order of magnitude and the `_DIGITS` digits that follow: less than 2^16, in the order of the keys."""
    bits: Ints = keys.astype(np.float64).view(np.int64) >> (52 - _DIGITS)
    return np.maximum(bits - (1023 << _DIGITS), 0, dtype=np.int64)


def measure(found: Windows) -> pa.RecordBatch:
    """Windows as MEASURED, one by one."""
    columns = [pa.array(found.held_out), pa.array(found.places), pa.array(found.ends - found.starts)]
    return pa.RecordBatch.from_arrays(columns, schema=MEASURED)


def add_up(rows: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Rows of MEASURED with every place once, in order."""
    table = pa.Table.from_batches(rows, schema=MEASURED)
    summed = table.group_by(["held_out", "place"]).aggregate([("bytes", "sum")]).rename_columns({"bytes_sum": "bytes"})
    (out,) = summed.sort_by([("held_out", "ascending"), ("place", "ascending")]).combine_chunks().cast(MEASURED).to_batches() or [_NOTHING]
    return out


def last_place(measured: pa.RecordBatch, held_out: bool, wanted: int) -> int:
    """The place up to which windows hold `wanted` bytes, that of the last one where they hold fewer."""
    mine = measured.filter(pc.equal(measured.column("held_out"), held_out))
    filled = np.cumsum(mine.column("bytes").to_numpy())
    if wanted <= 0 or not len(filled):
        return NOWHERE
    return int(mine.column("place")[min(int(np.searchsorted(filled, wanted)), len(filled) - 1)].as_py())


def quotas(shares: Mapping[str, float], sources: set[str], size: int) -> dict[str, int]:
    """How many of `size` bytes each source gives, in proportion to the shares of those that there are."""
    wanted = {source: share for source, share in sorted(shares.items()) if share > 0 and source in sources}
    return {source: round(size * share / sum(wanted.values())) for source, share in wanted.items()}


def parts_to_read(inputs: Inputs, source: str, wanted: int) -> list[PartFile]:
    """The parts of a source in an order drawn by their names, as many as a sample of `wanted` bytes needs at most."""
    mine = [file for file in inputs.files("filter", "docs") if file.source == source]
    mine.sort(key=lambda file: hashlib.blake2b(file.part.encode(), digest_size=8).digest())
    before = np.cumsum([0, *(file.entry.bytes for file in mine)])
    return [file for file, held in zip(mine, before, strict=False) if held < READ_FOR_ONE * wanted]
