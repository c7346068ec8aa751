"""Columns of texts to ids: the ids of the `tokenizers` library, by a kernel that is many times as fast.

The kernel knows byte-level BPE behind the splits of GPT-4, Llama 3, Qwen and GPT-2. It is compared with `tokenizers` on some of the
very documents before its word is taken; any other tokenizer, and one on which the two differ, is left to `tokenizers`, with a
warning. Special tokens that stand in a text are ordinary text for both.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.errors import StorageError
from pipeline.kernels import bpe
from pipeline.kernels.arrow import Texts, texts
from pipeline.kernels.merging import merge_table
from tokenizer.splits import character_classes, scanned_as
from tokenizer.stretches import cut_long, runs
from tokenizer.vocabulary import FILE, Ids, Vocabulary

#: Bytes of the first documents on which the kernel is compared with `tokenizers`.
CHECKED_BYTES = 1 << 16
#: Bytes of text that the kernel encodes at once.
STRETCH_BYTES = 1 << 25
#: Bytes of text that `tokenizers` is given at once: it holds about a hundred bytes for each token.
_SLOW_BYTES = 1 << 22


class Encoded(NamedTuple):
    """The ids of a column of texts: those of row i are ids[offsets[i]:offsets[i + 1]]."""

    ids: Ids
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)


class SlowEncoding(UserWarning):
    """A tokenizer is left to the `tokenizers` library; the text says why."""


class Encoder:
    """Encodes with one tokenizer.json. `slow_because` says why the kernel can't be used; None when it is.

    An encoder remembers the pieces it has met: one serves one thread.
    """

    def __init__(self, content: bytes, name: str = FILE) -> None:
        """`name` is what messages call the file; StorageError when it is no tokenizer that the library loads."""
        self.vocabulary = Vocabulary.parse(content, name)
        try:
            self._reference = Tokenizer.from_str(content.decode())
        except Exception as error:  # the library knows no narrower one
            raise StorageError(f"{name} can't be loaded by `tokenizers` ({error}): give one that it has saved") from error
        self.slow_because = obstacle(self.vocabulary)
        self._reference.encode_special_tokens = True
        self._reference.no_truncation()  # a tokenizer.json may hold the settings of a model's input: a document is encoded whole
        self._reference.no_padding()
        byte_ids = self.vocabulary.byte_ids()
        if self.slow_because is None and byte_ids is not None:
            self._digits = scanned_as(self.vocabulary.spec["pre_tokenizer"]) or 0
            self._merges = bpe.Merges(character_classes(), byte_ids, merge_table(*self.vocabulary.merges()))
            self._memory = bpe.memory()

    def encode(self, column: pa.Array) -> Encoded:
        """The ids of a string column; nulls count as empty texts."""
        views = texts(column)
        return self._quick(views) if self.slow_because is None else self._slow(views)

    def checked(self, column: pa.Array) -> Encoder:
        """Itself, or one that encodes the slow way, when both ways differ on the first `CHECKED_BYTES` of the column's documents.

        The encoder stays as it was: what is found in one part is not held against the next, in whichever order they come.
        Warns (SlowEncoding) whenever the slow way is the one that is left.
        """
        found = self
        if self.slow_because is None and self._errs(_first(texts(column), CHECKED_BYTES)):
            found = copy(self)
            found.slow_because = "the kernel's ids differ from those of `tokenizers`"
        if found.slow_because is not None:
            warnings.warn(
                f"encoding is left to the `tokenizers` library, at a tenth of the speed: {found.slow_because}", SlowEncoding, stacklevel=2
            )
        return found

    def _errs(self, views: Texts) -> bool:
        quick, slow = self._quick(views), self._slow(views)
        return not (np.array_equal(quick.ids, slow.ids) and np.array_equal(quick.offsets, slow.offsets))

    def _quick(self, views: Texts) -> Encoded:
        """By the kernel, STRETCH_BYTES at a time: memory beyond texts and ids is four bytes for each of these."""
        stretches, begins = cut_long(views, STRETCH_BYTES)
        found = [self._stretch(run) for run in runs(stretches, STRETCH_BYTES)]
        if len(found) == 1:
            return Encoded(found[0].ids, found[0].offsets[begins])
        ids = np.concatenate([np.zeros(0, np.uint32), *(encoded.ids for encoded in found)])
        ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(encoded.lengths for encoded in found)]))
        return Encoded(ids, ends[begins])

    def _stretch(self, views: Texts) -> Encoded:
        size = int(views.offsets[-1] - views.offsets[0])
        ids = np.empty(size + 2, np.uint32)
        offsets = np.zeros(views.rows + 1, np.int64)
        done = 0
        while done < views.rows:
            done = bpe.encode(views.offsets, views.data, self._digits, self._merges, self._memory, ids, offsets[1:], done)
            if done < views.rows:  # stopped before a text with a piece longer than any so far
                self._memory = bpe.memory(longest=int(views.offsets[done + 1] - views.offsets[done]))
        return Encoded(ids[: offsets[-1]].copy(), offsets)

    def _slow(self, views: Texts) -> Encoded:
        found: list[Ids] = []
        for batch in _strings(views, _SLOW_BYTES):
            encodings = self._reference.encode_batch_fast(batch, add_special_tokens=False)
            found += (np.array(encoding.ids, np.uint32) for encoding in encodings)
        ids = np.concatenate(found) if found else np.zeros(0, np.uint32)
        return Encoded(ids, np.cumsum([0, *map(len, found)], dtype=np.int64))


def framed(encoded: Encoded, *, bos: int | None, eos: int | None) -> Encoded:
    """Each row with an id before its first and one after its last, where they are given."""
    extra = (bos is not None) + (eos is not None)
    if not extra:
        return encoded
    offsets = encoded.offsets + extra * np.arange(len(encoded.offsets))
    ids = np.empty(len(encoded.ids) + extra * (len(offsets) - 1), np.uint32)
    text = np.ones(len(ids), bool)
    for number, places in ((bos, offsets[:-1]), (eos, offsets[1:] - 1)):
        if number is not None:
            ids[places], text[places] = number, False
    ids[text] = encoded.ids
    return Encoded(ids, offsets)


def gathered(pool: Ids, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Encoded:
    """Stretches of a pool of ids, one after the other, a row each."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Encoded(pool[places], offsets)


def obstacle(vocabulary: Vocabulary) -> str | None:
    """Why the kernel can't encode with a tokenizer, or None when it can."""
    spec, model = vocabulary.spec, vocabulary.spec["model"]
    unknown = [
        key for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges", "byte_fallback") if model.get(key)
    ]
    if unknown:
        return f"the model sets {', '.join(unknown)}"
    if spec.get("normalizer"):
        return f"texts are normalised ({spec['normalizer'].get('type')})"
    if scanned_as(spec.get("pre_tokenizer") or {}) is None:
        return "the pieces that texts are split into are of another kind"
    if any(not token["special"] for token in spec.get("added_tokens") or ()):
        return "it has added tokens that are not special"
    if vocabulary.byte_ids() is None:
        return "some bytes have no token"
    return None


def _first(views: Texts, size: int) -> Texts:
    """The texts of the first `size` bytes, the last of them perhaps cut short."""
    end = min(int(views.offsets[0]) + size, int(views.offsets[-1]))
    while end < views.offsets[-1] and views.data[end] & 0xC0 == 0x80:
        end += 1
    rows = int(np.searchsorted(views.offsets, end))
    return Texts(np.minimum(views.offsets[: rows + 1], end), views.data)


def _strings(views: Texts, size: int) -> Iterator[list[str]]:
    """The texts in lists of about `size` bytes."""
    batch: list[str] = []
    held = 0
    for start, end in zip(views.offsets[:-1].tolist(), views.offsets[1:].tolist(), strict=True):
        batch.append(views.data[start:end].tobytes().decode())
        held += end - start
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
