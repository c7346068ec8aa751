"""Documents that hold the questions of an evaluation: found by n-grams, each hit with the name of the item."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Bound, Verdicts
from pipeline.errors import SourceError
from pipeline.filters.files import read_texts
from pipeline.filters.rules import Rules, ratio
from pipeline.kernels.arrow import Ints, Texts, encoded, texts
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.ngrams import find_ngrams, ngram_hashes, sketch


@registry.filter("decontaminate", uses=("unicode",))
def decontaminate(
    docs: pa.RecordBatch,
    *,
    evals: registry.Paths = (),
    ngram: int = 13,
    min_share: float | None = 0.5,
    min_overlap: int = 1,
    max_items: int | None = 10,
) -> Verdicts:
    """Drop documents that hold a text of the evaluation files in `evals` (jsonl, json, csv, txt, also .gz).

    Every text field of an item (a JSON value, a CSV cell, a line) of at least `ngram` words is looked for. Words are longest
    runs of letters, marks and numbers in lower case, punctuation and white space only part them; n-grams are compared by
    64-bit hashes. A field is found when `min_share` of its n-grams (null: any share) and `min_overlap` of them stand in the
    document. n-grams of more than `max_items` items are the template of a benchmark, and ignored.

    13 words are GPT-3's and Marin's. GPT-3 took one n-gram for a hit, but cut the text around it; here the document
    goes, so half of the field is asked for, as Marin does (.5 of a paragraph; decon and Olmo 3: .8 of a question): a book
    isn't dropped for a quotation that an exam quotes too. `min_share: null` gives the strict rule. Fields of fewer than
    `ngram` words, as short answers are, can't be told from everyday language and aren't looked for.

    Signals: `overlap` (n-grams of the evaluations in the document), `share` of the field found best, and `hit`, the item
    it belongs to (FILE:LINE; for a JSON list the position of the item). Without `evals` nothing is looked for: all null.
    """
    rules = Rules("decontaminate", docs.num_rows)
    if not evals:
        kinds = {"overlap": pa.int64(), "share": pa.float64(), "hit": pa.string()}
        return replace(rules.verdicts(), signals={name: pa.nulls(docs.num_rows, kind) for name, kind in kinds.items()})
    index = _index(tuple(evals), ngram, max_items)
    found = index.look_up(texts(docs.column("text")), min_share or 0.0, min_overlap)
    rules.drop("overlap", found.dropped)
    hit = pa.array([index.names[field] if field >= 0 else None for field in found.field.tolist()], pa.string())
    bounds = (Bound("overlap", "share", "<", min_share or 0.0),)
    return Verdicts(
        rules.verdicts().reasons, {"overlap": pa.array(found.overlap), "share": pa.array(found.share), "hit": hit}, bounds=bounds
    )


@dataclass(frozen=True)
class _Found:
    """Per document: matching n-grams, the field found best (-1: none), the share of it, and whether that is enough."""

    overlap: Ints
    field: Ints
    share: npt.NDArray[np.float64]
    dropped: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Index:
    """The n-grams of the fields: which fields hold `hashes[k]` is fields[starts[k]:starts[k + 1]]."""

    ngram: int
    hashes: Hashes
    bits: Hashes
    starts: Ints
    fields: Ints
    sizes: Ints  # of each field, its different n-grams
    names: tuple[str, ...]  # of each field, its item

    def look_up(self, column: Texts, min_share: float, min_overlap: int) -> _Found:
        near = find_ngrams(column, (self.ngram,), self.hashes, self.bits)
        grams = np.unique(np.stack([near.rows.astype(np.int64), np.searchsorted(self.hashes, near.hashes)]), axis=1)
        overlap = np.bincount(grams[0], minlength=column.rows)
        row, field, count = self._by_field(*grams)
        share = ratio(count, self.sizes[field])
        enough = (share >= min_share) & (count >= min_overlap)
        order = np.lexsort((-field, count, share, enough, row))  # the last of each row is its best
        best = order[np.flatnonzero(np.diff(row[order], append=-1))]
        out = _Found(overlap, np.full(column.rows, -1), np.zeros(column.rows), np.zeros(column.rows, np.bool_))
        out.field[row[best]], out.share[row[best]], out.dropped[row[best]] = field[best], share[best], enough[best]
        return out

    def _by_field(self, row: Ints, gram: Ints) -> tuple[Ints, Ints, Ints]:
        """(row, field, matching n-grams) from pairs of row and n-gram."""
        spread = np.diff(self.starts)[gram]
        first = np.repeat(self.starts[gram] - (np.cumsum(spread) - spread), spread)
        fields = self.fields[first + np.arange(spread.sum())]
        pairs, counts = np.unique(np.stack([np.repeat(row, spread), fields]), axis=1, return_counts=True)
        return pairs[0], pairs[1], counts


@lru_cache(maxsize=2)
def _index(paths: tuple[str, ...], ngram: int, max_items: int | None) -> _Index:
    """The index of the files behind `paths`, built once per process."""
    listed = [(name, text) for file, content in read_texts(paths) for name, text in _fields(file, content)]
    names = tuple(name for name, _ in listed)
    items = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1] if names else np.zeros(0, np.int64)
    found = ngram_hashes(encoded([text for _, text in listed]), ngram)
    hashes, gram = np.unique(found.hashes, return_inverse=True)
    pairs = np.unique(np.stack([gram, found.rows.astype(np.int64)]), axis=1)
    if max_items is not None:
        holders = np.unique(np.stack([pairs[0], items[pairs[1]]]), axis=1)[0]
        telling = np.bincount(holders, minlength=len(hashes)) <= max_items
        pairs = pairs[:, telling[pairs[0]]]
        hashes, renumbered = hashes[telling], np.cumsum(telling) - 1
        pairs[0] = renumbered[pairs[0]]
    starts = np.searchsorted(pairs[0], np.arange(len(hashes) + 1))
    return _Index(ngram, hashes, sketch(hashes), starts, pairs[1], np.bincount(pairs[1], minlength=len(names)), names)


def _fields(file: str, content: str) -> Iterator[tuple[str, str]]:
    """(FILE:LINE, text) of every text field of an evaluation file."""
    kind = file.removesuffix(".gz").rpartition(".")[2].lower()
    try:
        for line, value in _items(kind, content):
            yield from ((f"{file}:{line}", text) for text in _strings(value))
    except (ValueError, csv.Error) as error:
        raise SourceError(f"{file} can't be read as {kind} ({error}): mend it, or leave it out of evals") from error


def _items(kind: str, content: str) -> Iterator[tuple[int, Any]]:
    """(line or position, value) of every item. Lines end at "\\n": JSON may hold U+2028 and its like as they are."""
    if kind == "csv":
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    elif kind == "jsonl":
        yield from ((line, json.loads(text)) for line, text in enumerate(content.split("\n"), 1) if text.strip())
    elif kind == "json":
        value = json.loads(content)
        yield from enumerate(value if isinstance(value, list) else [value], 1)
    elif kind == "txt":
        yield from enumerate(content.split("\n"), 1)
    else:
        raise ValueError("evaluation files are jsonl, json, csv or txt, also with .gz")


def _strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
