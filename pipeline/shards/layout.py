"""Names, schemas and the manifest of a packed dataset: all that its writer and its readers agree on.

A row is `seq_len` token ids, padded only at its end. It is made of pieces of documents, one after the other:
`seq_lengths` says how long each is, `doc_index` which document it is of (its row in the shard's docs file) and
`doc_offset` how many tokens of that document come before it (0: the piece begins the document).

Where a dataset holds conversations, `loss_mask` says of every token whether it is a target, a bit each, the lowest first. Without
it every token is one. The first of each piece, which no token precedes, never is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ShardError
from pipeline.job import MANIFEST
from pipeline.storage import Folder

FORMAT = "tokenmill-packed"
VERSION = 1
SPLITS = ("train", "validation")
#: What `datasets.load_from_disk` needs beside the splits.
SPLIT_LIST = "dataset_dict.json"
#: NumPy's types of the arrays that a shard's file holds: ids by the manifest's `dtype`, and one value per piece.
ID_TYPES = {"uint16": "<u2", "uint32": "<u4"}
PIECE_TYPES = {"seq_lengths": "<i4", "doc_index": "<i8", "doc_offset": "<i4"}
#: The column that says which tokens are targets, where not all are.
MASK = "loss_mask"
#: What readers look up in the manifest's `packing` and in each of its `sources`.
PACKING_KEYS = frozenset({"pieces", "documents", "documents_split", "fill"})
SOURCE_KEYS = frozenset({"source", "share", "quota"})

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


def row_schema(seq_len: int, dtype: str, masked: bool = False) -> pa.Schema:
    """The schema of rows; `dtype` is "uint16" or "uint32", `masked` whether they have a `loss_mask`."""
    mask = [pa.field(MASK, pa.list_(pa.field("item", pa.bool_()), seq_len))] if masked else []
    return pa.schema(
        [
            pa.field("input_ids", pa.list_(pa.field("item", pa.type_for_alias(dtype)), seq_len)),
            pa.field("seq_lengths", pa.list_(pa.field("item", pa.int32()))),
            pa.field("doc_index", pa.list_(pa.field("item", pa.int64()))),
            pa.field("doc_offset", pa.list_(pa.field("item", pa.int32()))),
            *mask,
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
    and, under NAME.offsets, where each row's begin (rows + 1 values); "loss_mask", where there is one, in bytes of eight tokens.
    `sources`: tokens of each source; `trained`: those of them that are targets."""

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
    trained: Mapping[str, int] = field(default_factory=dict)

    @property
    def masked(self) -> bool:
        """Whether it says which tokens are targets."""
        return MASK in self.buffers

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
    def from_json(cls, data: Any) -> Manifest:
        """Raises ShardError on another format or version, and on a value that is missing or of another kind."""
        found = (data.get("format"), data.get("version")) if isinstance(data, Mapping) else (None, None)
        if found != (FORMAT, VERSION):
            raise ShardError(f"not a packed dataset of version {VERSION}: format {found[0]!r}, version {found[1]!r}")
        try:
            return _form().validate_python(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise ShardError(f"{'.'.join(map(str, first['loc']))}: {first['msg']} (got {first['input']!r:.60})") from error


@lru_cache(maxsize=1)
def _form() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def read_manifest(folder: Folder) -> Manifest:
    """The manifest of a dataset's folder; ShardError when there is none, one of something else, or one that contradicts itself."""
    if not folder.exists(MANIFEST):
        raise ShardError(f"{folder.url} holds no packed dataset: there is no {MANIFEST}")
    try:
        manifest = Manifest.from_json(folder.read_json(MANIFEST))
    except ShardError as error:
        raise ShardError(f"{folder.path(MANIFEST)}: {error}") from error
    for contradiction in contradictions(manifest):
        raise ShardError(f"{folder.path(MANIFEST)} was changed or damaged: {contradiction}; copy the dataset again or run its pack stage")
    return manifest


def contradictions(manifest: Manifest) -> Iterator[str]:
    """What no dataset can be, whatever its files hold: readers rely on the opposite."""
    if manifest.seq_len < 1 or manifest.dtype not in ID_TYPES:
        yield f"rows of {manifest.seq_len} {manifest.dtype}"
        return
    if lacking := PACKING_KEYS - manifest.packing.keys():
        yield f"`packing` lacks {', '.join(sorted(lacking))}"
    for stream in manifest.sources:
        if lacking := SOURCE_KEYS - stream.keys():
            yield f"one of `sources` lacks {', '.join(sorted(lacking))}"
    if len({shard.masked for shard in manifest.shards}) > 1:
        yield f"some of its shards have a {MASK}, others none"
    named = {stream.get("source") for stream in manifest.sources}
    for shard in manifest.shards:
        if "/" in shard.file + shard.docs.file:
            yield f"{shard.file} and {shard.docs.file} are not both in its folder"
        if unknown := shard.sources.keys() - named:
            yield f"{shard.file} has tokens of {', '.join(sorted(unknown))}, which is none of `sources`"
        yield from (f"{shard.file}: {problem}" for problem in _misplaced(shard, manifest))


def _misplaced(shard: Shard, manifest: Manifest) -> Iterator[str]:
    """Arrays that are of another type or length than the shard's numbers ask for, or reach beyond its file."""
    due = {"input_ids": (ID_TYPES[manifest.dtype], shard.rows * manifest.seq_len)}
    due |= {name: (type_, shard.pieces) for name, type_ in PIECE_TYPES.items()}
    if shard.rows:
        due |= {f"{name}.offsets": ("<i4", shard.rows + 1) for name in PIECE_TYPES}
    if shard.masked:
        due[MASK] = ("|u1", -(-shard.rows * manifest.seq_len // 8))
    for name, (type_, count) in due.items():
        place = shard.buffers.get(name)
        if place is None or (place.dtype, place.count) != (type_, count):
            yield f"{name} is not said to be {count:,} values of type {type_}"
        elif not 0 <= place.offset <= shard.bytes - count * int(type_[-1]):
            yield f"{name} would begin at byte {place.offset:,} of {shard.bytes:,}"


def dataset_digest(sha256s: Sequence[str]) -> str:
    """The one hash of a dataset: SHA-256 over the hexadecimal SHA-256 of its shards, in order, a line each."""
    return hashlib.sha256("".join(f"{name}\n" for name in sha256s).encode()).hexdigest()
