"""Indexes: what a run leaves of the documents that its dedupe kept, so that later ones are compared with them without their texts.

The stage `index` writes for each part {part}.documents (INDEXED), {part}.bands and {part}.urls (BANDS), rows numbered as in the
first. A later run names indexes under `dedupe: {against: ...}`. Their documents are numbered after its own, they stay,
and they come before its own wherever one is preferred. What a document is compared by has to be made in the same way:
`signed_by`, which an index holds, has to be equal.

An index takes 5.3 bytes for each shingle of a text, about as many as a text has words, and 350 or so for each document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from pipeline.errors import StorageError
from pipeline.job import MANIFEST, Committed, PartFile
from pipeline.storage import Folder

#: The layout of the files below, and of the hashes of shingles in them.
LAYOUT = 1

#: Kept documents of a part. `keys`: the band keys; `shingles`: the set as `shingle_sets` has it; the others as in signatures.
INDEXED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("text_hash", pa.binary(16), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("date", pa.string()),
        pa.field("least", pa.uint32(), nullable=False),
        pa.field("url_hash", pa.binary(16)),
        pa.field("score", pa.float64()),
        pa.field("keys", pa.list_(pa.uint64()), nullable=False),
        pa.field("shingles", pa.large_list(pa.uint64()), nullable=False),
    ]
)
#: How columns are encoded that a dictionary would not make smaller.
ENCODINGS = {"shingles.list.element": "BYTE_STREAM_SPLIT"}

_MARK = ":"


@dataclass(frozen=True)
class IndexFile(PartFile):
    """A file of an index, as a part that no source of a run can have: "0:web-00042" is one of the first index."""

    place: int

    @property
    def part(self) -> str:
        return f"{self.place}{_MARK}{self.entry.part}"


def index_files(against: Sequence[str], kind: str) -> list[IndexFile]:
    """The files of a kind of some indexes, given by their manifests, in this order and by name."""
    return [IndexFile(index.folder, entry, n) for n, index in enumerate(map(_opened, against)) for entry in index.files(kind)]


def origin(part: str) -> tuple[bool, str]:
    """Whether a part is of an index, and the source it belongs to."""
    _, mark, name = part.rpartition(_MARK)
    return bool(mark), name.rpartition("-")[0]


@lru_cache(maxsize=256)
def _opened(manifest: str) -> Committed:
    folder, _, name = manifest.rpartition("/")
    return Committed(Folder(folder), Folder(folder).read_json(name))


def signed_by(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """What an index says of how its documents were signed: `signatures` is the identity of that step."""
    return {"layout": LAYOUT, "signatures": dict(signatures)}


def checked(index: Folder, signed: Mapping[str, Any]) -> str:
    """The path of an index's manifest; StorageError when its documents were signed in another way."""
    theirs = index.read_json(MANIFEST)["args"]["signed_by"]
    if theirs != signed:
        differing = ", ".join(_differences(theirs, dict(signed)))
        raise StorageError(f"{index.url} can't be compared with: {differing}; sign alike, or index that run again")
    return index.path(MANIFEST) if index.is_local else f"{index.url}/{MANIFEST}"


def _differences(theirs: Any, ours: Any, name: str = "") -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = sorted({*theirs, *ours})
        return [line for key in keys for line in _differences(theirs.get(key), ours.get(key), f"{name}.{key}".lstrip("."))]
    return [] if theirs == ours else [f"{name} is {theirs!r} there and {ours!r} here"]
