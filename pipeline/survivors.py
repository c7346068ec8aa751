"""The documents of a part that every decision so far has kept, without what was cut from them: what stages read from dedupe on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StorageError
from pipeline.job import Inputs, PartFile
from pipeline.kernels.arrow import texts
from pipeline.kernels.passages import without

#: The roles whose DECISION files say which documents of a filtered part go on.
DECIDERS = ("dedupe", "lines", "passages", "quality")
#: The roles whose "cuts" files say what is cut from their texts, each from what the one before has left.
CUTTERS = ("lines", "passages")


class Rows(NamedTuple):
    """A batch of a filtered part with its texts as they are now: its first row in the part, and which rows are kept."""

    start: int
    batch: pa.RecordBatch
    keep: pa.BooleanArray


def survivors(inputs: Inputs, docs: PartFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of a filtered part without the rows that some stage decided to drop, and without what was cut from texts.

    `docs` is a "docs" file of the role "filter"; decision files stand in its row order, which is checked by id.
    """
    for rows in all_rows(inputs, docs, columns):
        yield rows.batch.filter(rows.keep)


def all_rows(inputs: Inputs, docs: PartFile, columns: list[str] | None = None) -> Iterator[Rows]:
    """The same with the dropped rows, which are told by `keep`."""
    keep = keep_mask(inputs, docs)
    cuts = [_cuts(file) for role in CUTTERS if (file := inputs.file(role, "cuts", docs.part)) is not None]
    start = 0
    for batch in docs.batches(columns):
        for rows, starts, stops in cuts if "text" in batch.schema.names else ():
            mine = slice(*np.searchsorted(rows, [start, start + batch.num_rows]))
            if mine.start < mine.stop:
                left = without(texts(batch.column("text")), rows[mine] - start, starts[mine], stops[mine])
                batch = batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), left)
        yield Rows(start, batch, keep.slice(start, batch.num_rows))
        start += batch.num_rows


def _cuts(file: PartFile) -> list[np.ndarray]:
    table = file.table(["row", "start", "stop"])
    return [column.to_numpy() for column in table.columns]


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
