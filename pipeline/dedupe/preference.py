"""Which of several like documents stays: by source, then the best score, then the newest, the longest, the smallest id.

Documents of an index come before all others. Dates are compared as texts, as ISO 8601 is meant to be. A document without a
score, or without a date, stands after those with one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedupe.indexes import origin

_ORDER = [
    ("rank", "ascending"), ("score", "descending"), ("date", "descending"), ("characters", "descending"), ("id", "ascending"),
    ("document", "ascending"),
]  # fmt: skip


def source_rank(source: str, priority: Sequence[str]) -> int:
    """The place of a source in the order of preference; all that it doesn't name stand together, after the others."""
    return priority.index(source) if source in priority else len(priority)


def part_rank(part: str, priority: Sequence[str]) -> int:
    """The place of a part's source in the order of preference; below 0 for a part of an index."""
    indexed, source = origin(part)
    return source_rank(source, priority) - (len(priority) + 1 if indexed else 0)


def preferred_first(documents: pa.Table) -> np.ndarray:
    """The rows of a table (id, date, characters; perhaps rank, score, document) from the most preferred to the least."""
    keys = [(name, order, "at_end") for name, order in _ORDER if name in documents.schema.names]
    order: np.ndarray = pc.sort_indices(documents.select([key[0] for key in keys]), sort_keys=keys).to_numpy()
    return order


def originals(text_hashes: pa.ChunkedArray) -> np.ndarray:
    """int64[rows]: for each row the first one with the same hash, which may be itself."""
    codes: np.ndarray = text_hashes.combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    found: np.ndarray = first[codes]
    return found
