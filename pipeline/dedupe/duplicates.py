"""What the stages that find duplicates hand to each other, and how they number documents.

    signatures   each part: what a document is compared by                       -> signatures, bands, urls
    candidates   each range of keys: documents that share one                    -> links
    components   each span of documents: who hang together, directly or not      -> components
    gather       each part: texts of the documents that hang together            -> texts
    verify       each range of components: true Jaccard, who is kept for whom    -> removals, clusters
    dedupe       each part: decisions, row by row, once the guard is content     -> decisions, clusters
    index        each part: what later runs compare theirs with (see `indexes`)  -> documents, bands, urls

Where a stage's tasks would open too many files, a round of it merges them first (see `merging`); `components` goes in
rounds until nothing changes.

What hangs together is only a set of suspects: nothing is removed but by `verify`, for a document that stays.
Documents are numbered over all parts, in the order of the parts' names, and then those of indexes; no decision depends
on that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.dedupe.indexes import index_files
from pipeline.job import Inputs

EXACT, NEAR, SAME_URL = "exact_duplicate", "near_duplicate", "same_url"


def _schema(**types: pa.DataType) -> pa.Schema:
    nullable = {"date", "url_hash", "score", "text", "shingles", "twin", "jaccard"}
    return pa.schema([pa.field(name, kind, nullable=name in nullable) for name, kind in types.items()])


#: Each row of a part, in its order. `text_hash`: 128 bits over the normalised words; `characters` of the text as it is,
#: and about how many `tokens` it takes (see `kernels.estimated`).
#: `least`: a MinHash of one permutation, by which components too large to be judged at once are divided. `url_hash`: 128 bits of
#: the address without scheme and "www.", null where there is none.
SIGNATURES = _schema(
    id=pa.string(), text_hash=pa.binary(16), words=pa.int64(), characters=pa.int64(), tokens=pa.int64(), date=pa.string(),
    least=pa.uint32(), url_hash=pa.binary(16),
)  # fmt: skip
#: Band keys of a part, or the first halves of its `url_hash`, sorted: `row` of the part has a text with this key.
BANDS = _schema(key=pa.uint64(), row=pa.int64())
#: Band keys of several parts, sorted.
KEYS = _schema(key=pa.uint64(), document=pa.int64())
#: Documents that share a key with a smaller one, sorted: a forest over the documents of a range of keys.
LINKS = _schema(document=pa.int64(), hub=pa.int64())
#: The same, sorted by the smaller one.
HUBS = _schema(hub=pa.int64(), document=pa.int64())
#: Documents that hang together with others, sorted; a component is called by its smallest document.
COMPONENTS = _schema(document=pa.int64(), component=pa.int64())
#: Suspects of a part, sorted by place (see `lots`). `text` is null where the part has the same words in a more preferred document;
#: documents of an index have `shingles` in its stead. `url_hash` is null where the address of a document doesn't count.
TEXTS = _schema(
    place=pa.uint64(), document=pa.int64(), id=pa.string(), part=pa.string(), text_hash=pa.binary(16), characters=pa.int64(),
    tokens=pa.int64(), date=pa.string(), score=pa.float64(), url_hash=pa.binary(16), keys=pa.list_(pa.uint64()), text=pa.large_string(),
    shingles=pa.large_list(pa.uint64()),
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
    """The numbers of documents: part P has starts[P] to starts[P] + rows[P] - 1, out of `total`, of which `own` come first."""

    starts: dict[str, int]
    rows: dict[str, int]
    own: int
    total: int

    @classmethod
    def of(cls, inputs: Inputs, against: Sequence[str] = ()) -> Numbering:
        """The numbering that follows from the parts of the role "signatures", and of indexes, given by their manifests."""
        parts = inputs.files("signatures", "signatures")
        starts: dict[str, int] = {}
        rows: dict[str, int] = {}
        total = 0
        for file in (*parts, *index_files(against, "documents")):
            starts[file.part], rows[file.part] = total, file.entry.rows
            total += file.entry.rows
        return cls(starts, rows, sum(file.entry.rows for file in parts), total)

    def span(self, part: str) -> tuple[int, int]:
        """The first and the last number of a part; the last is smaller than the first when it is empty."""
        return self.starts[part], self.starts[part] + self.rows[part] - 1


def url_keys(hashes: pa.ChunkedArray) -> pa.Table:
    """BANDS rows of the `url_hash` of a part's documents."""
    rows = np.flatnonzero(hashes.is_valid().to_numpy())
    there = hashes.drop_null().combine_chunks()
    halves = np.frombuffer(there.buffers()[1] or b"", np.uint64)[2 * there.offset :][: 2 * len(there) : 2]
    return pa.table({"key": halves, "row": rows}, schema=BANDS)


def counts_url(same_url: bool | Sequence[str], source: str) -> bool:
    """Whether the address of a source's documents counts: `same_url` is True for all, or names the sources."""
    return same_url if isinstance(same_url, bool) else source in same_url


def keys_by_row(bands: pa.Table) -> pa.ListArray:
    """The keys of each row, of BANDS in which every row has the same number of them."""
    order = np.argsort(bands.column("row").to_numpy(), kind="stable")
    width = int(np.count_nonzero(bands.column("row").to_numpy() == 0))
    offsets = np.arange(len(bands) // max(width, 1) + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(bands.column("key").to_numpy()[order]))
