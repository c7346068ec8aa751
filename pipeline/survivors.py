"""The documents of a part that every decision so far has kept: what the stages after dedupe read."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StorageError
from pipeline.job import Inputs, PartFile

#: The roles whose DECISION files say which documents of a filtered part go on.
DECIDERS = ("dedupe", "quality")


def survivors(inputs: Inputs, docs: PartFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of a filtered part without the rows that dedupe or quality decided to drop.

    `docs` is a "docs" file of the role "filter"; decision files stand in its row order, which is checked by id.
    """
    keep = keep_mask(inputs, docs)
    start = 0
    for batch in docs.batches(columns):
        yield batch.filter(keep.slice(start, batch.num_rows))
        start += batch.num_rows


def keep_mask(inputs: Inputs, docs: PartFile) -> pa.BooleanArray:
    """One boolean per row of a filtered part: true for the documents that no decision drops."""
    ids = docs.table(["id"]).column("id").combine_chunks()
    keep = pc.is_valid(ids)
    for role in DECIDERS:
        decisions = inputs.file(role, "decisions", docs.part)
        if decisions is None:
            continue
        table = decisions.table(["id", "reason"])
        if not table.column("id").combine_chunks().equals(ids):
            raise StorageError(f"{decisions.folder.path(decisions.entry.name)} doesn't decide on the rows of {docs.entry.name}: run again")
        keep = pc.and_(keep, pc.is_null(table.column("reason").combine_chunks()))
    return keep
