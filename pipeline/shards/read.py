"""Reading packed datasets: rows by memory map, and the documents that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import ShardError, StorageError
from pipeline.shards.layout import DOCS, MASK, Manifest, Shard, read_manifest
from pipeline.storage import Folder, measured

Ints = npt.NDArray[np.integer]


class Row(NamedTuple):
    """One row: `input_ids` (seq_len of them, padding at the end), and a value per piece in the other three."""

    shard: int
    number: int
    input_ids: Ints
    seq_lengths: Ints
    doc_index: Ints
    doc_offset: Ints


@dataclass(frozen=True)
class Origin:
    """A document in a shard: a row of its docs file (see layout.DOCS)."""

    doc_index: int
    id: str
    source: str
    url: str | None
    licence: str | None
    lang: str | None
    date: str | None
    meta: str | None
    epoch: int
    n_tokens: int
    first_token: int
    tokens: int


@dataclass(frozen=True)
class ShardReader:
    """One shard, mapped when first touched. Arrays are views of the file: read-only, and as long as the file lies there."""

    folder: Folder
    facts: Shard
    number: int
    seq_len: int

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        try:
            data = _mapped(self.folder, self.facts.file)
        except (OSError, StorageError, ValueError) as error:
            raise ShardError(f"{self.folder.path(self.facts.file)} can't be read ({error}): run the pack stage again") from error
        if len(data) != self.facts.bytes:
            raise ShardError(
                f"{self.folder.path(self.facts.file)}: {len(data):,} bytes, its manifest says {self.facts.bytes:,}: pack again"
            )
        return data

    def array(self, name: str) -> Ints:
        """One of the arrays that the manifest lists under `buffers`, flat."""
        place = self.facts.buffers[name]
        size = place.count * np.dtype(place.dtype).itemsize
        return self._bytes[place.offset : place.offset + size].view(place.dtype)

    @property
    def input_ids(self) -> Ints:
        """All rows: rows x seq_len."""
        return self.array("input_ids").reshape(-1, self.seq_len)

    @property
    def row_starts(self) -> Ints:
        """Where each row's pieces begin among all pieces (rows + 1 values)."""
        return self.array("seq_lengths.offsets") if self.facts.rows else np.zeros(1, np.int32)

    @property
    def piece_rows(self) -> Ints:
        """The row of each piece."""
        return np.repeat(np.arange(self.facts.rows), np.diff(self.row_starts))

    @property
    def piece_starts(self) -> Ints:
        """The position in its row at which each piece begins."""
        lengths = self.array("seq_lengths").astype(np.int64)
        before = np.cumsum(lengths) - lengths
        return before - np.take(before, self.row_starts[self.piece_rows])

    def learnt(self, start: int, stop: int) -> npt.NDArray[np.bool_]:
        """Which positions of the rows from `start` to `stop` are targets: as `loss_mask` says, or all that hold a token but the first
        of each piece.
        """
        if self.facts.masked:
            return self._masks(start, stop)
        learnt = self.filled(start, stop)
        pieces = slice(*self.row_starts[[start, stop]])
        learnt[self.piece_rows[pieces] - start, self.piece_starts[pieces]] = False
        return learnt

    def filled(self, start: int, stop: int) -> npt.NDArray[np.bool_]:
        """Which positions of the rows hold a token."""
        pieces = slice(*self.row_starts[[start, stop]])
        tokens = np.bincount(self.piece_rows[pieces] - start, self.array("seq_lengths")[pieces], stop - start)
        return np.arange(self.seq_len) < tokens[:, None]

    def _masks(self, start: int, stop: int) -> npt.NDArray[np.bool_]:
        first, last = start * self.seq_len, stop * self.seq_len
        held: npt.NDArray[np.uint8] = self.array(MASK).view(np.uint8)[first // 8 : (last + 7) // 8]
        bits = np.unpackbits(held, bitorder="little")[first % 8 : first % 8 + last - first]
        learnt: npt.NDArray[np.bool_] = bits.view(np.bool_).reshape(-1, self.seq_len)
        return learnt

    def damage(self) -> Iterator[str]:
        """What is wrong with its two files: hashed, so all of their bytes are read."""
        for name, sha256 in ((self.facts.file, self.facts.sha256), (self.facts.docs.file, self.facts.docs.sha256)):
            try:
                with self.folder.open(name) as file:
                    _, found = measured(file)
            except StorageError as error:
                yield str(error)
                continue
            if found != sha256:
                yield f"{self.folder.path(name)}: damaged: its SHA-256 is {found[:16]}…, the manifest says {sha256[:16]}…"

    def disorder(self) -> Iterator[str]:
        """What no rows can be: how these are made of pieces, and of which documents. The tokens are not read."""
        starts, lengths, index = self.row_starts, self.array("seq_lengths"), self.array("doc_index")
        if starts[0] or starts[-1] != len(lengths) or np.diff(starts).min(initial=0) < 0:
            yield f"its rows don't share out its {len(lengths):,} pieces"
            return
        filled = np.bincount(self.piece_rows, lengths, self.facts.rows)
        if lengths.min(initial=1) < 1:
            yield "a piece has no tokens"
        if filled.max(initial=0) > self.seq_len:
            yield f"row {int(filled.argmax())}: its pieces add up to {int(filled.max()):,} tokens, a row has {self.seq_len:,}"
        if index.min(initial=0) < 0 or index.max(initial=-1) >= self.facts.docs.rows:
            yield f"its pieces name other documents than the {self.facts.docs.rows:,} of {self.facts.docs.file}"

    def check(self) -> None:
        """Raise ShardError for rows that can't be, before they are relied on. Damaged tokens pass: only `damage` finds these."""
        if self._first_disorder:
            raise ShardError(f"{self.folder.path(self.facts.file)} is damaged: {self._first_disorder}; copy it again or pack again")

    @cached_property
    def _first_disorder(self) -> str:
        return next(self.disorder(), "")

    def row(self, number: int) -> Row:
        """One row; ShardError when there is none of that number, or when the shard's rows can't be what they are."""
        if not 0 <= number < self.facts.rows:
            raise ShardError(f"{self.facts.file} has no row {number}: it has {self.facts.rows:,}, numbered from 0")
        self.check()
        pieces = slice(*self.row_starts[number : number + 2])
        columns = (self.array(name)[pieces] for name in ("seq_lengths", "doc_index", "doc_offset"))
        return Row(self.number, number, self.input_ids[number], *columns)

    def rows(self) -> Iterator[Row]:
        return (self.row(number) for number in range(self.facts.rows))

    @cached_property
    def docs(self) -> pa.Table:
        """The documents in this shard (layout.DOCS); ShardError when the file is of another shard, or no such file."""
        found = self.folder.table(self.facts.docs.file)
        if found.schema.names != DOCS.names or found.num_rows != self.facts.docs.rows:
            raise ShardError(
                f"{self.folder.path(self.facts.docs.file)} is damaged: {found.num_rows:,} rows of {', '.join(found.schema.names)};"
                f" its manifest says {self.facts.docs.rows:,} of {', '.join(DOCS.names)}; copy it again or pack again"
            )
        return found

    def origin(self, doc_index: int) -> Origin:
        """The document of a number; ShardError when there is none."""
        if not 0 <= doc_index < self.docs.num_rows:
            raise ShardError(f"{self.facts.docs.file} has no document {doc_index}: it has {self.docs.num_rows:,}")
        return Origin(**self.docs.slice(doc_index, 1).to_pylist()[0])


@dataclass(frozen=True)
class Dataset:
    """A packed dataset: the folder of a split."""

    folder: Folder
    manifest: Manifest

    @cached_property
    def shards(self) -> tuple[ShardReader, ...]:
        return tuple(ShardReader(self.folder, facts, n, self.manifest.seq_len) for n, facts in enumerate(self.manifest.shards))

    def shard(self, number: int) -> ShardReader:
        """One shard; ShardError when there is none of that number."""
        if not 0 <= number < len(self.shards):
            raise ShardError(f"{self.folder.url} has no shard {number}: it has {len(self.shards)}, numbered from 0")
        return self.shards[number]

    def rows(self) -> Iterator[Row]:
        """All rows, in the order written."""
        return (row for shard in self.shards for row in shard.rows())


def open_dataset(folder: Folder) -> Dataset:
    """Open the folder of a split (`.../train`); ShardError says what is wrong with it. Nothing but its manifest is read."""
    return Dataset(folder, read_manifest(folder))


def open_intact(folder: Folder) -> Dataset:
    """Open a split whose shards others will be trained on: every file is hashed first. ShardError names those that are damaged."""
    dataset = open_dataset(folder)
    if found := [problem for shard in dataset.shards for problem in (*shard.damage(), *shard.disorder())]:
        raise ShardError("nothing is made of damaged shards: " + "\n".join(found) + "\ncopy these files again, or run the pack stage again")
    return dataset


def _mapped(folder: Folder, name: str) -> npt.NDArray[np.uint8]:
    if not folder.is_local:
        return np.frombuffer(folder.read(name), np.uint8)
    return np.asarray(np.memmap(folder.path(name), np.uint8, "r"))
