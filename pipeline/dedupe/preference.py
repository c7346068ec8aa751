"""Which of several like documents stays: by source, then the newest, then the longest, then the smallest id.

Dates are compared as texts, as ISO 8601 is meant to be; a document without one stands after those with one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ORDER = [("rank", "ascending"), ("date", "descending"), ("characters", "descending"), ("id", "ascending"), ("document", "ascending")]


def source_rank(source: str, priority: Sequence[str]) -> int:
    """The place of a source in the order of preference; all that it doesn't name stand together, after the others."""
    return priority.index(source) if source in priority else len(priority)


def preferred_first(documents: pa.Table) -> np.ndarray:
    """The rows of a table (id, date, characters; perhaps rank, document) from the most preferred to the least."""
    keys = [(name, order, "at_end") for name, order in _ORDER if name in documents.schema.names]
    order: np.ndarray = pc.sort_indices(documents.select([key[0] for key in keys]), sort_keys=keys).to_numpy()
    return order


def originals(text_hashes: pa.ChunkedArray) -> np.ndarray:
    """int64[rows]: for each row the first one with the same hash, which may be itself."""
    codes: np.ndarray = text_hashes.combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    found: np.ndarray = first[codes]
    return found
