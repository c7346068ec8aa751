"""The documents of one shard, read from tokenized parts by ranges of keys: no part is read whole, none is sorted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StorageError
from pipeline.job import PartFile
from pipeline.mixing import Span, Stream, cut
from pipeline.schema import TOKENIZED
from pipeline.shards.layout import DOCS
from pipeline.tokens import bucket_start, read_token_range

Ints = npt.NDArray[np.int64]

#: What a span's documents are chosen by: small columns, read for whole buckets.
INDEX = ["key", "id", "n_tokens"]
#: What is known of a document here: DOCS, before documents are numbered.
FACTS = pa.schema([field for field in DOCS if field.name != "doc_index"])


class Documents(NamedTuple):
    """Documents in the order of the mix: their facts (FACTS), keys, and tokens.

    What the shard holds of document d is `ids[starts[d] : starts[d] + tokens[d]]`, `tokens` being a column of the facts.
    """

    facts: pa.Table
    keys: npt.NDArray[np.uint64]
    starts: Ints
    ids: npt.NDArray[np.uint32]

    def numbers(self, column: str) -> Ints:
        """An integer column of the facts."""
        return self.facts.column(column).to_numpy()  # type: ignore[no-any-return]


def gather(parts: Mapping[str, Sequence[PartFile]], streams: Mapping[str, Stream], spans: Sequence[Span], seq_len: int) -> Documents:
    """Read the spans of a shard from the parts of each source, and merge the streams.

    Documents stand by how much of its stream's quota comes before them, so that every stretch holds the shares.
    """
    found = [(_read(parts[span.source], span, seq_len), streams[span.source]) for span in spans]
    bases = np.cumsum([0, *(len(documents.ids) for documents, _ in found)])
    whole = Documents(
        pa.concat_tables([FACTS.empty_table(), *(documents.facts for documents, _ in found)]).combine_chunks(),
        np.concatenate([np.zeros(0, np.uint64), *(documents.keys for documents, _ in found)]),
        np.concatenate([np.zeros(0, np.int64), *(d.starts + base for (d, _), base in zip(found, bases, strict=False))]),
        np.concatenate([np.zeros(0, np.uint32), *(documents.ids for documents, _ in found)]),
    )
    progress = [_progress(documents, span, stream) for (documents, stream), span in zip(found, spans, strict=True)]
    order = np.argsort(np.concatenate([np.zeros(0), *progress]), kind="stable")
    return Documents(whole.facts.take(pa.array(order)), whole.keys[order], whole.starts[order], whole.ids)


def _progress(documents: Documents, span: Span, stream: Stream) -> npt.NDArray[np.float64]:
    """The fraction of the stream's quota that comes before each document of a span."""
    tokens = documents.numbers("tokens")
    before = np.cumsum(tokens) - tokens
    return (span.epoch * stream.tokens + span.first + before) / stream.quota


def _read(parts: Sequence[PartFile], span: Span, seq_len: int) -> Documents:
    """The documents of one span, its first and last cut as `mixing.cut` says."""
    index = _rows(parts, bucket_start(span.buckets[0]), bucket_start(span.buckets[1]), INDEX)
    index = index.take(_order(index))
    keys, lengths = index.column("key").to_numpy(), index.column("n_tokens").to_numpy()
    ends = span.start + np.cumsum(lengths)
    low, high = (cut(position, ends, lengths, span.limit, seq_len) for position in (span.first, span.last))
    chosen = np.flatnonzero((ends > low) & (ends - lengths < high) & (lengths > 0))
    first_token = np.maximum(low - (ends - lengths)[chosen], 0)
    tokens = np.minimum(ends[chosen], high) - (ends - lengths)[chosen] - first_token
    if tokens.sum() != high - low:
        raise StorageError(f"{span.source}: its tokenized parts don't hold what their histograms say: remove them and run again")
    rows = _content(parts, keys, chosen)
    ids = rows.column("ids").combine_chunks()
    added = {"epoch": np.full(len(chosen), span.epoch), "first_token": first_token, "tokens": tokens}
    facts = pa.table({**{name: rows.column(name) for name in FACTS.names if name not in added}, **added})
    starts = ids.offsets.to_numpy()[:-1] - ids.offsets[0].as_py() + first_token
    return Documents(facts.select(FACTS.names).cast(FACTS), keys[chosen], starts, ids.flatten().to_numpy())


def _content(parts: Sequence[PartFile], keys: npt.NDArray[np.uint64], chosen: Ints) -> pa.Table:
    """Whole rows of the chosen documents; `keys` are those of all documents around them, in order."""
    if not len(chosen):
        return TOKENIZED.empty_table()
    rows = _rows(parts, int(keys[chosen[0]]), int(keys[chosen[-1]]) + 1, TOKENIZED.names)
    first = int(np.searchsorted(keys, keys[chosen[0]]))
    return rows.take(_order(rows).take(pa.array(chosen - first)))


def _rows(parts: Sequence[PartFile], first: int, last: int, columns: list[str]) -> pa.Table:
    return pa.concat_tables([read_token_range(part, first, last, columns) for part in parts])


def _order(rows: pa.Table) -> pa.Array:
    """The order of a stream over rows of several parts: by key, then id."""
    return pc.sort_indices(rows, sort_keys=[("key", "ascending"), ("id", "ascending")])
