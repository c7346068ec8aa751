"""Looking into packed datasets: sizes, shares, rows as text, and where a token or a document is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ShardError
from pipeline.shards.read import Dataset, Origin, ShardReader

#: The windows in which shares are looked at are this part of all rows.
WINDOW = 100
#: A window has so many rows at least, where there are as many: of fewer, a share says nothing.
FEWEST_ROWS = 32
#: How many standard deviations a window may be off.
DEVIATIONS = 4.0
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """A dataset in numbers. `fill`: the fraction of positions that hold a token; `bytes`: of shards and their docs files."""

    split: str
    digest: str
    tokenizer: str
    seq_len: int
    shards: int
    rows: int
    tokens: int
    pieces: int
    documents: int
    documents_split: int
    loss_tokens: int
    fill: float
    bytes: int


@dataclass(frozen=True)
class SourceShare:
    """A source's share of tokens: as planned, as found, and the greatest difference in any shard and any window of rows.

    Differences are found minus planned, fractions of 1. A window is named by the shard and row in which it ends. `tolerance`:
    what a window may be off. Rows lie in an order of hashes, so a window is a sample of its shard's rows, and a row is of one
    source at the most: DEVIATIONS times the standard deviation of that many draws, and what the shard itself is off.
    """

    source: str
    planned: float
    found: float
    tokens: int
    worst_shard: int
    shard_difference: float
    worst_window: tuple[int, int]
    window_difference: float
    tolerance: float


@dataclass(frozen=True)
class Piece:
    """A piece of a row: positions `start` to `stop` in it, `offset` tokens into its document, its text and its first token's.

    `runs`: the text again, in stretches, each with whether its tokens are targets.
    """

    start: int
    stop: int
    offset: int
    origin: Origin
    text: str
    first: str
    runs: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Trace:
    """One token and its document; `position` is its number in the document. No origin: it is padding."""

    shard: int
    row: int
    token: int
    id: int
    position: int | None
    origin: Origin | None


@dataclass(frozen=True)
class Place:
    """Where a piece of a document is: shard, row, positions `start` to `stop` in it."""

    shard: int
    row: int
    start: int
    stop: int
    offset: int
    epoch: int


def summary(dataset: Dataset) -> Summary:
    """The manifest in numbers."""
    manifest = dataset.manifest
    return Summary(
        split=manifest.split,
        digest=manifest.digest,
        tokenizer=manifest.tokenizer.name,
        seq_len=manifest.seq_len,
        shards=len(manifest.shards),
        rows=manifest.rows,
        tokens=manifest.tokens,
        pieces=manifest.packing["pieces"],
        documents=manifest.packing["documents"],
        documents_split=manifest.packing["documents_split"],
        loss_tokens=sum(shard.loss_tokens for shard in manifest.shards),
        fill=manifest.packing["fill"],
        bytes=sum(shard.bytes + shard.docs.bytes for shard in manifest.shards),
    )


def window_rows(dataset: Dataset) -> int:
    """Rows of a window: one per cent of all, FEWEST_ROWS at least."""
    return max(1, min(dataset.manifest.rows, max(FEWEST_ROWS, dataset.manifest.rows // WINDOW)))


def shares(dataset: Dataset, window: int | None = None) -> list[SourceShare]:
    """Each source's share, counted from the rows: over all, in every shard, and in every window of so many rows (`window_rows`)."""
    names = [stream["source"] for stream in dataset.manifest.sources]
    planned = np.array([stream["share"] for stream in dataset.manifest.sources])
    total, in_shards, in_windows = np.zeros(len(names), np.int64), _Worst(planned), _Worst(planned)
    size = max(1, min(window or window_rows(dataset), dataset.manifest.rows))
    tail = np.zeros((0, len(names)), np.int64)
    for shard in dataset.shards:
        counted = source_tokens(shard, names)
        total += counted.sum(axis=0)
        in_shards.see(counted.sum(axis=0, keepdims=True), shard.number, 0)
        run = np.concatenate([tail, counted])
        in_windows.see(_sums_of_windows(run, size), shard.number, size - 1 - len(tail))
        tail = run[max(0, len(run) - size + 1) :]
    found = total / max(int(total.sum()), 1)
    columns = zip(
        names, planned, found, total, in_shards.places, in_shards.differences, in_windows.places, in_windows.differences, strict=True
    )
    return [
        SourceShare(name, float(plan), float(share), int(tokens), shard, float(off), end, float(far), _tolerance(plan, size) + abs(off))
        for name, plan, share, tokens, (shard, _), off, end, far in columns
    ]


def _tolerance(share: float, rows: int) -> float:
    return float(DEVIATIONS * np.sqrt(share * (1 - share) / rows))


class _Worst:
    """The greatest difference from the planned shares seen so far, and its place (shard, row), per source."""

    def __init__(self, planned: Floats) -> None:
        self.planned = planned
        self.differences: Floats = np.zeros(len(planned))
        self.greatest: Floats = np.full(len(planned), -1.0)
        self.places: list[tuple[int, int]] = [(0, 0)] * len(planned)

    def see(self, counts: Ints, shard: int, first_row: int) -> None:
        """Look at tokens by source (one line each for places of one shard, from `first_row` on)."""
        sums = counts.sum(axis=1, keepdims=True)
        differences = np.where(sums > 0, counts / np.maximum(sums, 1) - self.planned, 0.0)
        greatest = np.abs(differences).max(axis=0, initial=-1.0)
        for column in np.flatnonzero(greatest > self.greatest):
            line = int(np.abs(differences[:, column]).argmax())
            self.greatest[column] = greatest[column]
            self.differences[column] = differences[line, column]
            self.places[column] = (shard, first_row + line)


def _sums_of_windows(counts: Ints, size: int) -> Ints:
    """Sums over every `size` consecutive lines; none when there are fewer."""
    before = np.concatenate([np.zeros((1, counts.shape[1]), np.int64), np.cumsum(counts, axis=0)])
    return before[size:] - before[: len(before) - size] if len(counts) >= size else counts[:0]


def source_tokens(shard: ShardReader, names: Sequence[str]) -> Ints:
    """Tokens of each source in each row: rows x sources."""
    shard.check()
    codes = pc.index_in(shard.docs.column("source"), pa.array(names, pa.string())).to_numpy()
    cells = shard.piece_rows * len(names) + codes[shard.array("doc_index")]
    counts = np.bincount(cells.astype(np.int64), shard.array("seq_lengths"), shard.facts.rows * len(names))
    return counts.reshape(shard.facts.rows, len(names)).astype(np.int64)


def pieces(dataset: Dataset, shard: int, row: int, decode: Callable[[Sequence[int]], str]) -> list[Piece]:
    """The pieces of a row, each decoded on its own, with the documents they are of."""
    reader = dataset.shard(shard)
    found = reader.row(row)
    learnt = reader.learnt(row, row + 1)[0]
    stops = np.cumsum(found.seq_lengths)
    columns = (stops - found.seq_lengths, stops, found.doc_offset, found.doc_index)

    def text(start: int, stop: int) -> str:
        return decode(found.input_ids[start:stop].tolist())

    return [
        Piece(start, stop, offset, reader.origin(index), text(start, stop), text(start, start + 1), tuple(_runs(learnt, start, stop, text)))
        for start, stop, offset, index in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _runs(learnt: npt.NDArray[np.bool_], start: int, stop: int, text: Callable[[int, int], str]) -> Iterator[tuple[str, bool]]:
    """Stretches of positions that are all targets, or none."""
    edges = [start, *(start + 1 + np.flatnonzero(np.diff(learnt[start:stop]))).tolist(), stop]
    yield from ((text(first, last), bool(learnt[first])) for first, last in pairwise(edges))


def trace(dataset: Dataset, shard: int, row: int, token: int) -> Trace:
    """Which document a token is of, and its number in it; ShardError when the row has no such position."""
    reader = dataset.shard(shard)
    found = reader.row(row)
    if not 0 <= token < len(found.input_ids):
        raise ShardError(f"a row has no token {token}: it has {len(found.input_ids):,}, numbered from 0")
    stops = np.cumsum(found.seq_lengths)
    piece = int(np.searchsorted(stops, token, side="right"))
    id_ = int(found.input_ids[token])
    if piece == len(stops):
        return Trace(shard, row, token, id_, None, None)
    position = int(found.doc_offset[piece]) + token - int(stops[piece] - found.seq_lengths[piece])
    return Trace(shard, row, token, id_, position, reader.origin(int(found.doc_index[piece])))


def places(dataset: Dataset, document: str) -> Iterator[Place]:
    """Every piece of a document (by its id), in the order of shards, rows and positions."""
    for shard in dataset.shards:
        numbers = np.flatnonzero(pc.equal(shard.docs.column("id"), document).to_numpy())
        found = np.flatnonzero(np.isin(shard.array("doc_index"), numbers))
        columns = (shard.piece_rows, shard.piece_starts, shard.array("seq_lengths"), shard.array("doc_offset"), shard.array("doc_index"))
        for row, start, length, offset, index in zip(*(column[found].tolist() for column in columns), strict=True):
            yield Place(shard.number, row, start, start + length, offset, shard.origin(index).epoch)
