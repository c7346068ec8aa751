"""What the rounds of the stage `passages` hand to each other, and which of several copies of a passage stays.

    anchors   each part: the hashes that a run of words can't repeat without (see kernels.passages)   -> anchors
    repeats   each range of hashes: the anchors that have one in common                               -> repeats
    windows   each part: the runs of words around those                                               -> windows
    copies    each range of hashes: the runs that stand somewhere else, where they are preferred      -> copies
    (each part: those joined, what is left judged                                                     -> cuts, decisions)

Documents are numbered as the other stages of dedupe number them; no decision depends on that number.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedupe.cutting import SPANS
from pipeline.dedupe.keyed import SortedFiles
from pipeline.kernels.passages import first_copies


def _schema(**types: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


#: Anchors, sorted: `place`: the words of the text before it.
ANCHORS = _schema(key=pa.uint64(), document=pa.int64(), place=pa.int64())
#: Anchors whose key occurs again, sorted.
REPEATS = _schema(document=pa.int64(), place=pa.int64())
#: Runs of words, sorted: 128 bits of hash (key, check), what the preference goes by, and the bytes of the text.
WINDOWS = _schema(
    key=pa.uint64(), check=pa.uint64(), source_date=pa.uint64(), characters=pa.int64(), id_high=pa.uint64(), id_low=pa.uint64(),
    document=pa.int64(), start=pa.int64(), stop=pa.int64(),
)  # fmt: skip
#: Runs of words that stand elsewhere too, sorted; there: the id of the document that keeps them.
COPIES = _schema(document=pa.int64(), start=pa.int64(), stop=pa.int64(), id_high=pa.uint64(), id_low=pa.uint64())

#: Digits of a date that count: up to the second.
_DIGITS = 14
_NO_DATE = np.uint64((1 << 48) - 1)


def source_dates(rank: int, dates: pa.ChunkedArray) -> np.ndarray:
    """uint64[rows]: less for what is preferred: a source that stands first, then the newest date; without one it stands last."""
    digits = pc.utf8_slice_codeunits(pc.replace_substring_regex(dates, r"[^0-9]", ""), 0, _DIGITS)
    age = pc.subtract(10**_DIGITS, pc.utf8_rpad(digits, _DIGITS, "0").cast(pa.int64()))
    found: np.ndarray = np.uint64(rank) << np.uint64(48) | pc.fill_null(age, int(_NO_DATE)).to_numpy().astype(np.uint64)
    return found


def halves(ids: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Document ids (32 hex digits) as two numbers each, which sort as they do."""
    every = np.frombuffer(bytes.fromhex("".join(ids.to_pylist())), ">u8").astype(np.uint64).reshape(-1, 2)
    return every[:, 0], every[:, 1]


def whole(high: np.ndarray, low: np.ndarray) -> pa.Array:
    """The ids that `halves` took apart."""
    every = np.stack([high, low], axis=1).astype(">u8").tobytes().hex()
    return pa.array([every[place : place + 32] for place in range(0, len(every), 32)], pa.string())


def repeats(anchors: SortedFiles, first: int, last: int, most: int) -> Iterator[pa.Table]:
    """REPEATS of a range of keys, at most so many at a time."""
    for low, high in anchors.ranges(first, last, most):
        if anchors.count(low, high) <= most:
            table = anchors.read(low, high)
            _, which, counts = np.unique(table.column("key").to_numpy(), return_inverse=True, return_counts=True)
            yield table.filter(pa.array((counts > 1)[which])).select(REPEATS.names)
        else:  # of one key
            yield from anchors.pieces(low, high, most, REPEATS.names)


def copies(windows: SortedFiles, first: int, last: int, most: int) -> Iterator[pa.Table]:
    """COPIES of a range of keys, at most so many at a time."""
    for low, high in windows.ranges(first, last, most):
        if windows.count(low, high) <= most:
            yield _copies(windows.read(low, high))
            continue
        leader = WINDOWS.empty_table()  # of the one key that has more
        for piece in windows.pieces(low, high, most):
            leader = _leader(pa.concat_tables([leader, piece]))
        for piece in windows.pieces(low, high, most):
            yield _copies(pa.concat_tables([leader, piece]))


def _copies(table: pa.Table) -> pa.Table:
    table = table.take(pa.array(np.argsort(table.column("key").to_numpy(), kind="stable"))).combine_chunks()
    leaders = _leaders(table)
    copied = np.flatnonzero(leaders >= 0)
    kept = table.select(["id_high", "id_low"]).take(pa.array(leaders[copied]))
    found = table.select(["document", "start", "stop"]).take(pa.array(copied))
    return pa.table([*found.columns, *kept.columns], schema=COPIES)


def _leader(table: pa.Table) -> pa.Table:
    """The row of least rank, of rows with one key."""
    order = np.lexsort(_ranks(table).T[::-1])
    return table.take(pa.array(order[:1]))


def _leaders(table: pa.Table) -> np.ndarray:
    return first_copies(table.column("key").to_numpy(), table.column("check").to_numpy(), _ranks(table))


def _ranks(table: pa.Table) -> np.ndarray:
    """The order of preference is that of documents in dedupe; in one document the first copy stays."""
    columns = [table.column(name).to_numpy().astype(np.uint64) for name in ("source_date", "characters", "id_high", "id_low", "start")]
    columns[1] = ~columns[1]  # the longest first
    return np.stack(columns, axis=1)


def joined(copied: pa.Table, first: int) -> pa.Table:
    """SPANS of COPIES, those that overlap or touch as one; rows are counted from the document `first`."""
    copied = copied.take(pa.array(np.lexsort((copied.column("start").to_numpy(), copied.column("document").to_numpy()))))
    documents, starts, stops = (copied.column(name).to_numpy() for name in ("document", "start", "stop"))
    heads = np.flatnonzero(np.append(True, (documents[1:] != documents[:-1]) | (starts[1:] > stops[:-1])))
    ends = np.append(heads[1:], len(stops)) - 1
    high, low = (copied.column(name).to_numpy()[heads] for name in ("id_high", "id_low"))
    columns = {"row": documents[heads] - first, "start": starts[heads], "stop": stops[ends], "twin": whole(high, low)}
    return pa.table(columns, schema=SPANS)
