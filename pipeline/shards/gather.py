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

    What the shard holds of document d is `ids[starts[d] : starts[d] + tokens[d]]`, `tokens` being a column of the facts. `learnt`
    says of each id whether it is learnt.
    """

    facts: pa.Table
    keys: npt.NDArray[np.uint64]
    starts: Ints
    ids: npt.NDArray[np.uint32]
    learnt: npt.NDArray[np.bool_]

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
        np.concatenate([np.zeros(0, np.bool_), *(documents.learnt for documents, _ in found)]),
    )
    progress = [_progress(documents, span, stream) for (documents, stream), span in zip(found, spans, strict=True)]
    order = np.argsort(np.concatenate([np.zeros(0), *progress]), kind="stable")
    return Documents(whole.facts.take(pa.array(order)), whole.keys[order], whole.starts[order], whole.ids, whole.learnt)


def _progress(documents: Documents, span: Span, stream: Stream) -> npt.NDArray[np.float64]:
    """The fraction of the stream's quota that comes before each document of a span."""
    tokens = documents.numbers("tokens")
    before = np.cumsum(tokens) - tokens
    return (span.epoch * stream.tokens + span.first + before) / stream.quota


class _Chosen(NamedTuple):
    """The documents of a span: keys, places among all documents from the first key on, and what is taken."""

    keys: npt.NDArray[np.uint64]
    places: Ints
    first_token: Ints
    tokens: Ints


def _read(parts: Sequence[PartFile], span: Span, seq_len: int) -> Documents:
    """The documents of one span, its first and last cut as `mixing.cut` says."""
    chosen = _choose(parts, span, seq_len)
    rows = _content(parts, chosen)
    ids = rows.column("ids").combine_chunks()
    added = {"epoch": np.full(len(chosen.keys), span.epoch), "first_token": chosen.first_token, "tokens": chosen.tokens}
    facts = pa.table({**{name: rows.column(name) for name in FACTS.names if name not in added}, **added})
    starts = ids.offsets.to_numpy()[:-1] - ids.offsets[0].as_py() + chosen.first_token
    return Documents(facts.select(FACTS.names).cast(FACTS), chosen.keys, starts, ids.flatten().to_numpy(), _learnt(rows))


def _learnt(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Of each id of the rows, whether it is learnt: all of a document without a mask."""
    masks, lengths = rows.column("mask").combine_chunks(), rows.column("n_tokens").to_numpy()
    learnt = np.ones(int(lengths.sum()), np.bool_)
    if masks.null_count < len(masks):
        masked = np.repeat(pc.is_valid(masks).to_numpy(zero_copy_only=False), lengths)
        learnt[masked] = masks.flatten().to_numpy(zero_copy_only=False)
    return learnt


def _choose(parts: Sequence[PartFile], span: Span, seq_len: int) -> _Chosen:
    """Find the documents that lie between the cuts, by the lengths of all documents in the span's buckets."""
    index = _rows(parts, bucket_start(span.buckets[0]), bucket_start(span.buckets[1]), INDEX)
    index = index.take(_order(index))
    keys, lengths = index.column("key").to_numpy(), index.column("n_tokens").to_numpy()
    ends = span.start + np.cumsum(lengths)
    starts = ends - lengths
    low, high = (cut(position, ends, lengths, span.limit, seq_len) for position in (span.first, span.last))
    tokens = np.minimum(ends, high) - np.maximum(starts, low)
    places = np.flatnonzero(tokens > 0)
    if tokens[places].sum() != high - low:
        raise StorageError(f"{span.source}: its tokenized parts don't hold what their histograms say: remove them and run again")
    first = np.searchsorted(keys, keys[places[:1]])
    return _Chosen(keys[places], places - first, np.maximum(low - starts, 0)[places], tokens[places])


def _content(parts: Sequence[PartFile], chosen: _Chosen) -> pa.Table:
    """Whole rows of the chosen documents, out of those between the first key and the last."""
    if not len(chosen.keys):
        return TOKENIZED.empty_table()
    rows = _rows(parts, int(chosen.keys[0]), int(chosen.keys[-1]) + 1, TOKENIZED.names)
    return rows.take(_order(rows).take(pa.array(chosen.places)))


def _rows(parts: Sequence[PartFile], first: int, last: int, columns: list[str]) -> pa.Table:
    return pa.concat_tables([read_token_range(part, first, last, columns) for part in parts])


def _order(rows: pa.Table) -> pa.Array:
    """The order of a stream over rows of several parts: by key, then id."""
    return pc.sort_indices(rows, sort_keys=[("key", "ascending"), ("id", "ascending")])
