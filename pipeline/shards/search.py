"""Text looked for in packed rows, and pieces drawn at random to be read by a person."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ShardError
from pipeline.shards.inspect import Piece, pieces
from pipeline.shards.read import Dataset, Ints, Origin, ShardReader
from pipeline.shards.text import Speller

#: Tokens spelled out at a time: some megabytes of text.
TOKENS_AT_ONCE = 1 << 20
#: Bytes of text shown on each side of a match.
AROUND = 60


@dataclass(frozen=True)
class Match:
    """A text found: in tokens `start` to `stop` of a row, of the document `origin`, and as it stands among its neighbours."""

    shard: int
    row: int
    start: int
    stop: int
    origin: Origin
    before: str
    after: str


def find(dataset: Dataset, speller: Speller, text: str) -> Iterator[Match]:
    """Every place where the rows hold `text`, however it was cut into tokens, in their order.

    Within one piece: a match across two documents is none, nor is one across the cut of a document that fills several rows.
    """
    if not text:
        raise ShardError("the text to find is empty: give at least one character")
    try:
        wanted = re.compile(re.escape(text.encode()))
    except UnicodeEncodeError as error:
        raise ShardError(f"the text to find holds {text[error.start]!a}, half a character: give whole ones") from error
    for shard in dataset.shards:
        step = max(1, TOKENS_AT_ONCE // shard.seq_len)
        for first in range(0, shard.facts.rows, step):
            yield from _in_rows(shard, first, shard.input_ids[first : first + step], wanted, speller)


def _in_rows(shard: ShardReader, first: int, ids: Ints, wanted: re.Pattern[bytes], speller: Speller) -> Iterator[Match]:
    spelled = speller.spell(ids.reshape(-1))
    for found in wanted.finditer(spelled.data):
        start = int(np.searchsorted(spelled.offsets, found.start(), side="right")) - 1
        stop = int(np.searchsorted(spelled.offsets, found.end(), side="left"))
        row, place = divmod(start, shard.seq_len)
        piece = _piece_of(shard, first + row, place, place + stop - start)
        if piece is not None:
            before = spelled.data[max(0, found.start() - AROUND) : found.start()].decode(errors="replace")
            after = spelled.data[found.end() : found.end() + AROUND].decode(errors="replace")
            yield Match(shard.number, first + row, place, place + stop - start, shard.origin(piece), before, after)


def _piece_of(shard: ShardReader, row: int, start: int, stop: int) -> int | None:
    """The document that positions `start` to `stop` of a row are of, None where they aren't of one piece."""
    found = shard.row(row)
    stops = np.cumsum(found.seq_lengths)
    piece = int(np.searchsorted(stops, start, side="right"))
    return int(found.doc_index[piece]) if piece < len(stops) and stop <= stops[piece] else None


def sample(dataset: Dataset, speller: Speller, number: int, seed: int = 0) -> Iterator[tuple[int, int, Piece]]:
    """(shard, row, piece) of `number` tokens drawn at random, each with the piece it is of: what training sees, as often as it does.

    The same dataset and seed give the same pieces.
    """
    rows = np.array([0, *np.cumsum([shard.facts.rows for shard in dataset.shards])])
    if not rows[-1]:
        return
    digest = hashlib.blake2b(f"{dataset.manifest.digest}\0{seed}".encode(), digest_size=8).digest()
    draw = np.random.default_rng(int.from_bytes(digest, "big"))
    for place in draw.integers(0, int(rows[-1]) * dataset.manifest.seq_len, number).tolist():
        row, token = divmod(place, dataset.manifest.seq_len)
        shard = int(np.searchsorted(rows, row, side="right")) - 1
        row -= int(rows[shard])
        listed = pieces(dataset, shard, row, lambda ids: speller.text(np.array(ids, np.int64)))
        yield shard, row, next((piece for piece in listed if token < piece.stop), listed[-1])
