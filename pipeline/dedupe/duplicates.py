"""What the stages that find duplicates hand to each other, and how they number documents.

    signatures   each part: what a document is compared by                       -> signatures, bands
    candidates   each range of keys: documents that share one                    -> links
    components   each span of documents: who hang together, directly or not      -> components
    gather       each part: texts of the documents that hang together            -> texts
    verify       each range of components: true Jaccard, who is kept for whom    -> removals, clusters
    dedupe       each part: decisions, row by row, once the guard is content     -> decisions, clusters

Where a stage's tasks would open too many files, a round of it merges them first (see `merging`); `components` goes in
rounds until nothing changes.

What hangs together is only a set of suspects: nothing is removed but by `verify`, for a document that stays.
Documents are numbered over all parts, in the order of the parts' names; no decision depends on that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipeline.job import Inputs

EXACT, NEAR = "exact_duplicate", "near_duplicate"


def _schema(**types: pa.DataType) -> pa.Schema:
    nullable = {"date", "text", "twin", "jaccard"}
    return pa.schema([pa.field(name, kind, nullable=name in nullable) for name, kind in types.items()])


#: Each row of a part, in its order. `text_hash`: 128 bits over the normalised words; `characters` of the text as it is.
#: `least`: a MinHash of one permutation, by which components too large to be judged at once are divided.
SIGNATURES = _schema(
    id=pa.string(), text_hash=pa.binary(16), words=pa.int64(), characters=pa.int64(), date=pa.string(), least=pa.uint32()
)  # fmt: skip
#: Band keys of a part, sorted: `row` of the part has a text with this key.
BANDS = _schema(key=pa.uint64(), row=pa.int64())
#: Band keys of several parts, sorted.
KEYS = _schema(key=pa.uint64(), document=pa.int64())
#: Documents that share a key with a smaller one, sorted: a forest over the documents of a range of keys.
LINKS = _schema(document=pa.int64(), hub=pa.int64())
#: The same, sorted by the smaller one.
HUBS = _schema(hub=pa.int64(), document=pa.int64())
#: Documents that hang together with others, sorted; a component is called by its smallest document.
COMPONENTS = _schema(document=pa.int64(), component=pa.int64())
#: Suspects of a part, sorted by place (see `lots`). `text` is null where the part has the same words in a more preferred document.
TEXTS = _schema(
    place=pa.uint64(), document=pa.int64(), id=pa.string(), part=pa.string(), text_hash=pa.binary(16), characters=pa.int64(),
    date=pa.string(), keys=pa.list_(pa.uint64()), text=pa.large_string(),
)  # fmt: skip
#: Documents to remove, sorted; `twin` is the id of the kept document that each was removed for.
REMOVALS = _schema(document=pa.int64(), reason=pa.string(), twin=pa.string(), jaccard=pa.float64())
#: The largest clusters of each source: a kept document, then some of those removed for it (see `clusters`).
CLUSTERS = _schema(
    cluster=pa.string(), size=pa.int64(), id=pa.string(), source=pa.string(), part=pa.string(), kept=pa.bool_(), twin=pa.string(),
    jaccard=pa.float64(), excerpt=pa.string(),
)  # fmt: skip


@dataclass(frozen=True)
class Numbering:
    """The numbers of documents: part P has starts[P] to starts[P] + rows[P] - 1, out of `total`."""

    starts: dict[str, int]
    rows: dict[str, int]
    total: int

    @classmethod
    def of(cls, inputs: Inputs) -> Numbering:
        """The numbering that follows from the parts of the role "signatures"."""
        starts: dict[str, int] = {}
        rows: dict[str, int] = {}
        total = 0
        for file in inputs.files("signatures", "signatures"):
            starts[file.part], rows[file.part] = total, file.entry.rows
            total += file.entry.rows
        return cls(starts, rows, total)

    def span(self, part: str) -> tuple[int, int]:
        """The first and the last number of a part; the last is smaller than the first when it is empty."""
        return self.starts[part], self.starts[part] + self.rows[part] - 1
