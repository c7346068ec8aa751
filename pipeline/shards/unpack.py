"""Packed rows taken apart again: whole documents, for trainers that pack on their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.errors import ShardError
from pipeline.shards.read import Dataset, ShardReader

Tokens = npt.NDArray[np.integer]
Lengths = npt.NDArray[np.int64]


def check_unmasked(dataset: Dataset) -> None:
    """Raise ShardError for a dataset that says which tokens are learnt, where a format has no place for that."""
    if any(shard.facts.masked for shard in dataset.shards):
        raise ShardError(
            f"{dataset.folder.url} holds conversations, of which answers alone are learnt, and this format can't say so: export `parquet`"
            " with labels=true, `mds`, or the `messages` of the run"
        )


def documents(dataset: Dataset) -> Iterator[tuple[Tokens, Lengths]]:
    """All documents, many at a time: their tokens one after the other, and the length of each.

    A document that spans shards is put together again; it stands after those of the shard that holds its end. A document
    used in several epochs comes as often.
    """
    waiting: dict[tuple[str, str, int], list[Tokens]] = {}
    for shard in dataset.shards:
        tokens, lengths = _unpacked(shard), shard.docs.column("tokens").to_numpy()
        whole = lengths == shard.docs.column("n_tokens").to_numpy()
        yield tokens[np.repeat(whole, lengths)], lengths[whole]
        ends = np.cumsum(lengths)
        for number in np.flatnonzero(~whole):
            origin = shard.origin(int(number))
            name = (origin.source, origin.id, origin.epoch)
            waiting.setdefault(name, []).append(tokens[ends[number] - lengths[number] : ends[number]])
            if origin.first_token + origin.tokens == origin.n_tokens:
                yield _joined(waiting.pop(name))
    for stretches in waiting.values():
        yield _joined(stretches)


def _joined(stretches: list[Tokens]) -> tuple[Tokens, Lengths]:
    return np.concatenate(stretches), np.array([sum(map(len, stretches))])


def _unpacked(shard: ShardReader) -> Tokens:
    """A shard's tokens in the order of its documents, without padding."""
    order = np.lexsort((shard.array("doc_offset"), shard.array("doc_index")))
    lengths = shard.array("seq_lengths")[order].astype(np.int64)
    begins = (shard.piece_rows * shard.seq_len + shard.piece_starts)[order]
    places = np.arange(lengths.sum()) + np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
    tokens: Tokens = np.take(shard.input_ids, places)
    return tokens
