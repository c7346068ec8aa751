"""Names, schemas and the manifest of a packed dataset: all that its writer and its readers agree on.

A row is `seq_len` token ids, padded only at its end. It is made of pieces of documents, one after the other:
`seq_lengths` says how long each is, `doc_index` which document it is of (its row in the shard's docs file) and
`doc_offset` how many tokens of that document come before it (0: the piece begins the document). There is no loss
mask because every token is a target, except the first of each piece, which no token precedes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from pipeline.errors import ShardError
from pipeline.job import MANIFEST
from pipeline.storage import Folder

FORMAT = "tokenmill-packed"
VERSION = 1
SPLITS = ("train", "validation")

#: One document in a shard. `n_tokens` is the length of the whole document; of these the shard holds `tokens`, from
#: number `first_token` on. A document used in several epochs has a row for each.
DOCS = pa.schema(
    [
        pa.field("doc_index", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("date", pa.string()),
        pa.field("meta", pa.string()),
        pa.field("epoch", pa.int64(), nullable=False),
        pa.field("n_tokens", pa.int64(), nullable=False),
        pa.field("first_token", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)


def row_schema(seq_len: int, dtype: str) -> pa.Schema:
    """The schema of rows; `dtype` is "uint16" or "uint32"."""
    return pa.schema(
        [
            pa.field("input_ids", pa.list_(pa.field("item", pa.type_for_alias(dtype)), seq_len)),
            pa.field("seq_lengths", pa.list_(pa.field("item", pa.int32()))),
            pa.field("doc_index", pa.list_(pa.field("item", pa.int64()))),
            pa.field("doc_offset", pa.list_(pa.field("item", pa.int32()))),
        ]
    )


def token_dtype(vocab_size: int) -> str:
    """The narrowest type of ids that holds the vocabulary."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def data_name(number: int, of: int) -> str:
    return f"data-{number:05d}-of-{of:05d}.arrow"


def docs_name(number: int) -> str:
    return f"docs-{number:05d}.parquet"


@dataclass(frozen=True)
class Buffer:
    """An array in a shard's file: it starts at byte `offset` and holds `count` values of NumPy's `dtype`."""

    offset: int
    dtype: str
    count: int


@dataclass(frozen=True)
class DocsFile:
    """The provenance file of a shard."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Shard:
    """One shard. `buffers`: "input_ids" (rows x seq_len values), and per list column its values under the column's name
    and, under NAME.offsets, where each row's begin (rows + 1 values). `sources`: tokens of each source."""

    file: str
    rows: int
    tokens: int
    pieces: int
    loss_tokens: int
    bytes: int
    sha256: str
    buffers: Mapping[str, Buffer]
    sources: Mapping[str, int]
    docs: DocsFile

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Shard:
        buffers = {name: Buffer(**buffer) for name, buffer in data["buffers"].items()}
        return cls(**{**data, "buffers": buffers, "docs": DocsFile(**data["docs"])})


@dataclass(frozen=True)
class Tokenizer:
    """The tokenizer the ids belong to: `sha256` of its tokenizer.json, and the ids of its added tokens by their text."""

    name: str
    sha256: str
    vocab_size: int
    special_ids: Mapping[str, int]
    bos_id: int | None = None
    eos_id: int | None = None
    pad_id: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What manifest.json holds. `packing`: algorithm, window, seed and statistics; `sources`: each one's share and quota."""

    split: str
    digest: str
    seq_len: int
    dtype: str
    rows: int
    tokens: int
    tokenizer: Tokenizer
    packing: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]]
    shards: Sequence[Shard]

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Raises ShardError on another format or version."""
        if data.get("format") != FORMAT or data.get("version") != VERSION:
            raise ShardError(f"not a packed dataset of version {VERSION}: format {data.get('format')!r}, version {data.get('version')!r}")
        fields = {name: data[name] for name in cls.__dataclass_fields__}
        shards = [Shard.from_json(shard) for shard in data["shards"]]
        return cls(**{**fields, "tokenizer": Tokenizer(**data["tokenizer"]), "shards": shards})


def read_manifest(folder: Folder) -> Manifest:
    """The manifest of a dataset's folder; ShardError says when there is none, or one of something else."""
    if not folder.exists(MANIFEST):
        raise ShardError(f"{folder.url} holds no packed dataset: there is no {MANIFEST}")
    try:
        return Manifest.from_json(folder.read_json(MANIFEST))
    except (ShardError, KeyError, TypeError) as error:
        raise ShardError(f"{folder.path(MANIFEST)}: {error}") from error


def dataset_digest(sha256s: Sequence[str]) -> str:
    """The one hash of a dataset: SHA-256 over the hexadecimal SHA-256 of its shards, in order, a line each."""
    return hashlib.sha256("".join(f"{name}\n" for name in sha256s).encode()).hexdigest()
