"""How well a tokenizer does on a sample: bytes per token, tokens per word, single bytes, entries never used, round trips.

A reference stands beside it: a vocabulary of the same size that `ByteLevelBPETokenizer` makes of the same texts with its
defaults, which is what one gets without thinking about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import ByteLevelBPETokenizer

from pipeline.kernels.arrow import texts
from tokenizer.encode import Encoded, Encoder
from tokenizer.vocabulary import Vocabulary

#: Documents that are encoded and compared at once; a comparison takes about thirty bytes for each of theirs.
_BATCH_ROWS = 256


@dataclass
class Measured:
    """What encoding some documents came to. A word is what `str.split` makes of a text."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    tokens: int = 0
    single_bytes: int = 0
    not_restored: int = 0

    def add(self, other: Measured) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def to_json(self) -> dict[str, int | float]:
        """Counts and rates; `not_restored` counts documents whose ids don't decode to the very same bytes."""
        return {
            "documents": self.documents,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "bytes_per_token": _rate(self.bytes, self.tokens),
            "tokens_per_word": _rate(self.tokens, self.words),
            "single_byte_share": _rate(self.single_bytes, self.tokens),
            "not_restored": self.not_restored,
        }


def _rate(value: int, by: int) -> float:
    return round(value / by, 4) if by else 0.0


@dataclass
class Measure:
    """Encodes documents and adds up what that comes to, by group.

    `used` int64[vocabulary] counts each id; `met` says of each group which ids it has.
    """

    encoder: Encoder
    groups: dict[str, Measured] = field(default_factory=dict)
    met: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    used: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        tokens = self.encoder.vocabulary.token_bytes
        self.used = np.zeros(len(tokens), np.int64)
        self._lengths = np.array([len(token) for token in tokens], np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._bytes = np.frombuffer(b"".join(tokens), np.uint8)

    def add(self, documents: pa.Table, by: str) -> None:
        """Encode the column `text` of some documents; rows without a value in the column `by` only count in `used`."""
        for start in range(0, documents.num_rows, _BATCH_ROWS):
            batch = documents.slice(start, _BATCH_ROWS).combine_chunks()
            text = batch.column("text").combine_chunks()
            encoded = self.encoder.encode(text)
            self.used += np.bincount(encoded.ids, minlength=len(self.used))
            rows = tuple(self._rows(text, encoded))
            for group in pc.unique(batch.column(by)).drop_null().to_pylist():
                chosen = pc.equal(batch.column(by), group).fill_null(False).to_numpy()
                self.groups.setdefault(group, Measured()).add(Measured(int(chosen.sum()), *(int(row[chosen].sum()) for row in rows)))
                self.met.setdefault(group, np.zeros(len(self.used), np.bool_))[encoded.ids[np.repeat(chosen, encoded.lengths)]] = True

    def _rows(self, text: pa.Array, encoded: Encoded) -> Iterator[npt.NDArray[np.int64]]:
        """By document: bytes, words, tokens, tokens of one byte, and 1 where the round trip fails; in the order of Measured."""
        views = texts(text)
        lengths = np.diff(views.offsets)
        words = np.array([len(document.split()) for document in text.to_pylist()], np.int64)
        single = _sums(self._lengths[encoded.ids] == 1, encoded.offsets)
        yield from (lengths, words, encoded.lengths, single, self._not_restored(text, encoded))

    def _not_restored(self, text: pa.Array, encoded: Encoded) -> npt.NDArray[np.int64]:
        """1 for each document whose tokens, put together, are not its bytes."""
        views = texts(text)
        sizes = self._lengths[encoded.ids]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes)
        joined = self._bytes[np.repeat(self._starts[encoded.ids], sizes) + within]
        found = ends[encoded.offsets]
        given = views.data[views.offsets[0] : views.offsets[-1]]
        if np.array_equal(joined, given) and np.array_equal(found, views.offsets - views.offsets[0]):
            return np.zeros(views.rows, np.int64)
        pairs = zip(found[:-1], found[1:], views.offsets[:-1], views.offsets[1:], strict=True)
        return np.array([not np.array_equal(joined[a:b], views.data[c:d]) for a, b, c, d in pairs], np.int64)


def _sums(values: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of each row; empty rows are 0."""
    total = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]], np.int64)


def train_reference(documents: Iterable[str], vocab_size: int, specials: list[str]) -> bytes:
    """A tokenizer.json of the same size by plain means: the defaults of `ByteLevelBPETokenizer`."""
    made = ByteLevelBPETokenizer()
    made.train_from_iterator(documents, vocab_size=vocab_size, special_tokens=specials, show_progress=False)
    return str(made.to_str()).encode()


def unused(vocabulary: Vocabulary, met: npt.NDArray[np.bool_]) -> int:
    """How many merged tokens were not met: special ones and single bytes, which every vocabulary has, apart."""
    merged = np.array([len(token) > 1 for token in vocabulary.token_bytes], np.bool_)
    merged[list(vocabulary.added.values())] = False
    return int((merged & ~met).sum())


def table(measure: Measure, reference: Measure | None) -> dict[str, dict[str, Any]]:
    """Group by group, sorted: what was measured, the merged tokens it had no use for, and the bytes per token of the reference."""
    out: dict[str, dict[str, Any]] = {name: dict(found.to_json()) for name, found in sorted(measure.groups.items())}
    for name, row in out.items():
        row["unused_tokens"] = unused(measure.encoder.vocabulary, measure.met[name])
        if reference is not None:
            row["reference_bytes_per_token"] = reference.groups[name].to_json()["bytes_per_token"]
    return out
