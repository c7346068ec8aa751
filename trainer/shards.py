"""Packed shards through `numpy.memmap`: manifest.json says at which byte of a file each array begins.

A row is `seq_len` token ids, padded only at its end, made of pieces of documents whose lengths are in `seq_lengths`.
The Arrow framing around the arrays is never parsed. Format: "tokenmill-packed" version 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

FORMAT, VERSION = "tokenmill-packed", 1
#: Types of token ids a shard may have.
TOKEN_DTYPES = ("uint16", "uint32")
#: Arrays every shard holds; "loss_mask" (one bit per token, lowest first) may be among them.
NEEDED = ("input_ids", "seq_lengths", "seq_lengths.offsets")


class Row(NamedTuple):
    """One row as it lies in the shard: ids [seq_len], the lengths of its pieces, and which tokens count as targets (None: all)."""

    tokens: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32]
    mask: npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class Shard:
    """One file of rows, opened by the first row that is read."""

    path: Path
    rows: int
    bytes: int
    sha256: str
    seq_len: int
    buffers: Mapping[str, Mapping[str, Any]]
    docs: Path

    def check_size(self) -> None:
        """Raise DataError unless the file is there, as long as the manifest says, and holds every array."""
        if not self.path.is_file():
            raise DataError(f"{self.path} is missing: the manifest beside it lists it; copy it again or rerun the pack stage")
        if (size := self.path.stat().st_size) != self.bytes:
            raise DataError(f"{self.path} has {size:,} bytes, not the {self.bytes:,} of its manifest: copy it again")
        for name in NEEDED:
            if name not in self.buffers:
                raise DataError(f"{self.path}: the manifest gives no place for {name!r}; the trainer needs {', '.join(NEEDED)}")
        for name, buffer in self.buffers.items():
            if buffer["offset"] + buffer["count"] * np.dtype(buffer["dtype"]).itemsize > self.bytes:
                raise DataError(f"{self.path}: the manifest places {name!r} past the end of the file")

    def check_hash(self) -> None:
        """Raise DataError unless the file's SHA-256 is the manifest's."""
        with self.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise DataError(
                f"{self.path} is damaged: its SHA-256 is {found[:12]}..., not the manifest's {self.sha256[:12]}...; copy it again"
            )

    def row(self, number: int) -> Row:
        """Row `number` of this shard; views of the mapped file, nothing copied but the mask."""
        begin, end = self._offsets[number], self._offsets[number + 1]
        mask = None
        if self._mask is not None:
            first = number * self.seq_len
            bits = np.unpackbits(self._mask[first // 8 : (first + self.seq_len + 7) // 8], bitorder="little")
            mask = bits[first % 8 : first % 8 + self.seq_len].astype(np.bool_)
        return Row(self.tokens[number], self._lengths[begin:end], mask)

    def documents(self, number: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """For each piece of a row: its document's row in the docs file, and the document's token that it begins with."""
        pieces = slice(self._offsets[number], self._offsets[number + 1])
        return self._array("doc_index")[pieces], self._array("doc_offset")[pieces]

    @property
    def masked(self) -> bool:
        """Whether it says which tokens are targets."""
        return "loss_mask" in self.buffers

    @cached_property
    def tokens(self) -> npt.NDArray[Any]:
        """All ids, [rows, seq_len]."""
        return self._array("input_ids").reshape(self.rows, self.seq_len)

    @cached_property
    def _lengths(self) -> npt.NDArray[Any]:
        return self._array("seq_lengths")

    @cached_property
    def _offsets(self) -> npt.NDArray[Any]:
        return self._array("seq_lengths.offsets")

    @cached_property
    def _mask(self) -> npt.NDArray[Any] | None:
        return self._array("loss_mask") if self.masked else None

    def _array(self, name: str) -> npt.NDArray[Any]:
        buffer = self.buffers[name]
        return np.memmap(self.path, mode="r", dtype=np.dtype(buffer["dtype"]), offset=buffer["offset"], shape=(buffer["count"],))


@dataclass(frozen=True)
class PackedDataset:
    """A folder of packed shards: rows numbered through all shards in the manifest's order."""

    folder: Path
    digest: str
    seq_len: int
    vocab_size: int
    tokenizer_sha256: str
    shards: Sequence[Shard]

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        return np.cumsum([shard.rows for shard in self.shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def rows(self, numbers: npt.ArrayLike) -> list[Row]:
        """The rows of these numbers, in their order; DataError names the shard whose row can't be one."""
        return [self._row(int(number)) for number in np.asarray(numbers)]

    def _row(self, number: int) -> Row:
        shard, inside = self.place(number)
        row = shard.row(inside)
        if row.tokens.max() >= self.vocab_size or row.lengths.min(initial=1) < 1 or row.lengths.sum() > self.seq_len:
            raise DataError(f"{shard.path} is damaged: row {number} holds an id or a length that can't be; run without --no-verify")
        return row

    def place(self, number: int) -> tuple[Shard, int]:
        """The shard of a row, and its number there."""
        index = int(np.searchsorted(self._ends, number, side="right"))
        shard = self.shards[index]
        return shard, number - int(self._ends[index]) + shard.rows

    def check_same_pack(self, other: PackedDataset) -> None:
        """Raise DataError unless both can go through one model: one tokenizer and one row length."""
        for name in ("tokenizer_sha256", "vocab_size", "seq_len"):
            here, there = getattr(self, name), getattr(other, name)
            if here != there:
                raise DataError(
                    f"{other.folder} has {name} {there}, but {self.folder} has {here}: they must be packed with one tokenizer and length"
                )

    def verify(self) -> None:
        """Raise DataError on the first shard whose content is not what the manifest says."""
        for shard in self.shards:
            shard.check_hash()


def open_dataset(folder: str | Path) -> PackedDataset:
    """Open the packed dataset in `folder`, checking its manifest and the size of each shard; DataError says what is wrong."""
    folder = Path(folder)
    manifest = _read_manifest(folder / "manifest.json")
    try:
        dataset = _from_manifest(folder, manifest)
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder / 'manifest.json'} lacks what version {VERSION} of the format demands: {error!r}") from error
    if not len(dataset.shards) or not len(dataset):
        raise DataError(f"{folder} holds no rows: give the pack stage more tokens, or leave this dataset out")
    digest = hashlib.sha256("".join(f"{shard.sha256}\n" for shard in dataset.shards).encode()).hexdigest()
    if digest != dataset.digest:
        raise DataError(f"{folder / 'manifest.json'} was edited: its digest is not that of the shards it lists")
    for shard in dataset.shards:
        shard.check_size()
    return dataset


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path.parent} is no packed dataset: it holds no manifest.json{_hint(path.parent)}")
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    found = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else (None, None)
    if found != (FORMAT, VERSION):
        known = f"this trainer reads {FORMAT!r} version {VERSION}"
        raise DataError(f"{path} describes format {found[0]!r} version {found[1]!r}: {known}{_hint(path.parent)}")
    return dict(manifest)


def _hint(folder: Path) -> str:
    return f"; did you mean {folder / 'train'}?" if (folder / "train" / "manifest.json").is_file() else ""


def _from_manifest(folder: Path, manifest: Mapping[str, Any]) -> PackedDataset:
    tokenizer, seq_len, dtype = manifest["tokenizer"], manifest["seq_len"], manifest["dtype"]
    if dtype not in TOKEN_DTYPES or tokenizer["vocab_size"] > 1 << (8 * np.dtype(dtype).itemsize):
        raise DataError(
            f"{folder}: ids of type {dtype} can't hold a vocabulary of {tokenizer['vocab_size']:,}; known: {', '.join(TOKEN_DTYPES)}"
        )
    shards = []
    for entry in manifest["shards"]:
        buffers = entry["buffers"]
        if np.dtype(buffers["input_ids"]["dtype"]) != np.dtype(dtype) or buffers["input_ids"]["count"] != entry["rows"] * seq_len:
            raise DataError(f"{folder / entry['file']}: the manifest's ids are not {entry['rows']} rows of {seq_len} {dtype}")
        shards.append(
            Shard(folder / entry["file"], entry["rows"], entry["bytes"], entry["sha256"], seq_len, buffers, folder / entry["docs"]["file"])
        )
    return PackedDataset(folder, manifest["digest"], seq_len, tokenizer["vocab_size"], tokenizer["sha256"], tuple(shards))
