"""Documents that hold items of an evaluation: each hit with the name of the item and the matching text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from pipeline import registry
from pipeline.contracts import Bound, Verdicts
from pipeline.evals.items import read_items
from pipeline.evals.overlap import Overlap
from pipeline.evals.places import Place, pieces, places
from pipeline.evals.postings import Hits, pairs
from pipeline.evals.qa import QuestionAnswer
from pipeline.filters.rules import Rules
from pipeline.kernels.arrow import Texts, texts
from pipeline.kernels.hashing import Hashes

Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]

#: The n-grams of each method when the recipe names none.
NGRAM = {"ngrams": 13, "qa": 5}
#: decon leaves out items of fewer words.
MIN_WORDS = 8
#: In how many documents of a part each n-gram of the evaluations stands.
COUNTS = pa.schema([pa.field("ngram", pa.uint64(), nullable=False), pa.field("documents", pa.int64(), nullable=False)])
KINDS = {"overlap": pa.int64(), "score": pa.float64(), "hit": pa.string(), "matched": pa.string()}


@registry.filter("decontaminate", version=4, uses=("unicode",))
def decontaminate(
    docs: pa.RecordBatch,
    *,
    evals: registry.Paths = (),
    datasets: Sequence[str] = (),
    method: Literal["ngrams", "qa"] = "ngrams",
    ngram: Count | None = None,
    short: Count | None = 8,
    min_share: Share | None = 0.5,
    min_overlap: Count = 1,
    min_score: Share = 0.8,
    max_items: Count | None = 10,
    max_documents: Count | None = None,
    counts: registry.Paths = (),
    action: Literal["drop", "cut"] = "drop",
    margin: Annotated[int, Field(ge=0)] = 200,
    max_pieces: Count = 10,
) -> Verdicts:
    """Drop documents that hold an item of the evaluations in `evals` (files) and `datasets` (names), or cut it out of them.

    Words are the terms of `kernels/ngrams.py`: case, punctuation and layout don't matter. N-grams of more than `max_items`
    items are the template of a benchmark, and ignored. So are those that stand in more than `max_documents` documents of the
    source (GPT-3: 10), as extraction leaves them; they are counted in a pass of its own, and `counts` is filled in with its
    files. That frees texts that everybody quotes, and a benchmark that has leaked more often: so it is off.

    `ngrams`: a field (question, answer, choice, tests; not a passage, which has a source of its own) of at least `ngram`
    words (13: GPT-3, Marin; 8 is common too) is found when `min_share` of its n-grams (null: any) and `min_overlap` of them
    stand in the document. GPT-3 took one n-gram for a hit, but cut the text around it; where the document goes, half of the
    field is asked for, as Marin does. An exam may quote a page of a book: `cut` keeps the book. A question of `short`
    to `ngram` words is found when all of it stands there (8: GPT-3's least n; null: such ones aren't looked for), one of fewer
    words with its answer after it; an answer or choice as short is often a saying, or code that anyone would write.

    `qa`: AI2's decon, which cleaned Olmo 3: n-grams of a question (5) close together, its answer and passage near them, each
    weighed; the score must be `min_score` (.8), more for items of less than 50 words, all for those of up to 20.

    `cut` is GPT-3's: the matching text and `margin` characters on each side go, pieces shorter than `margin` too, and the
    document when more than `max_pieces` are left, or none. The others are joined by blank lines. A conversation is dropped all the same:
    a question or an answer with a hole teaches nothing.

    Signals: `overlap` (n-grams of the evaluations in the document), `score` (share of the field, or of the item, found best),
    `hit` (that item, see `evals/items.py`), `matched` (of dropped and cut documents: its longest matching text, up to 200
    characters). Without evaluations nothing is looked for: all null.
    """
    rules = Rules("decontaminate", docs.num_rows)
    if not evals and not datasets:
        return replace(rules.verdicts(), signals={name: pa.nulls(docs.num_rows, kind) for name, kind in KINDS.items()})
    bound = (min_share or 0.0) if method == "ngrams" else min_score
    ignored = _Ignored(max_items, max_documents, tuple(counts))
    index = _index(tuple(evals), tuple(datasets), method, ngram or NGRAM[method], short, bound, min_overlap, ignored)
    column = texts(docs.column("text"))
    hits = index.method.look_up(column)
    whole = np.asarray(pc.is_valid(docs.column("turns")), np.bool_) | (action == "drop")
    found = _Found(column, hits, whole, margin, max_pieces)
    rules.drop("overlap", hits.found & whole)
    rules.drop("pieces", found.scattered)
    hit = pa.array([index.names[item] if item >= 0 else None for item in hits.item.tolist()], pa.string())
    columns = (hits.overlap, hits.score, hit, pa.array(found.matched, pa.string()))
    signals = {name: pa.array(column) for name, column in zip(KINDS, columns, strict=True)}
    verdicts = replace(rules.verdicts(), signals=signals)
    if action == "drop":
        return replace(verdicts, bounds=(Bound("overlap", "score", "<", bound),))
    return replace(verdicts, text=pa.array(found.left, pa.large_string()), edits={"passages": found.cut})


class _Ignored(NamedTuple):
    """Which n-grams aren't looked for."""

    max_items: int | None
    max_documents: int | None = None
    counts: tuple[str, ...] = ()

    def hashes(self) -> Hashes:
        """Those that too many documents hold, by all files of counts together."""
        if not self.counts or self.max_documents is None:
            return np.zeros(0, np.uint64)
        table = pa.concat_tables([_read_counts(path) for path in self.counts])
        total = table.group_by("ngram").aggregate([("documents", "sum")])
        common = total.filter(pc.greater(total.column("documents_sum"), self.max_documents))
        return np.asarray(common.column("ngram").to_numpy(), np.uint64)


def _read_counts(path: str) -> pa.Table:
    with fsspec.open(path, "rb") as file:
        return pq.read_table(file, schema=COUNTS)


def wants_counts(step: registry.Step) -> bool:
    """Whether a filter is this one, and needs to know how many documents hold each n-gram."""
    args = step.args
    return step.name == "decontaminate" and args["max_documents"] is not None and bool(args["evals"] or args["datasets"])


def count_ngrams(batches: Sequence[pa.RecordBatch], step: registry.Step) -> pa.RecordBatch:
    """COUNTS of the documents in `batches`: only n-grams that stand in one of them."""
    args = step.args
    bound = (args["min_share"] or 0.0) if args["method"] == "ngrams" else args["min_score"]
    settings = (tuple(args["evals"]), tuple(args["datasets"]), args["method"], args["ngram"] or NGRAM[args["method"]], args["short"])
    index = _index(*settings, bound, args["min_overlap"], _Ignored(args["max_items"])).method
    total = np.zeros(len(index.postings.hashes), np.int64)
    for batch in batches:
        near = index.postings.find(texts(batch.column("text")), index.sizes)
        total += np.bincount(pairs(near.rows, near.grams)[1], minlength=len(total))
    there = np.flatnonzero(total)
    return pa.RecordBatch.from_arrays([pa.array(index.postings.hashes[there]), pa.array(total[there])], schema=COUNTS)


@dataclass(frozen=True)
class _Index:
    method: Overlap | QuestionAnswer
    names: tuple[str, ...]


@lru_cache(maxsize=2)
def _index(
    paths: tuple[str, ...],
    datasets: tuple[str, ...],
    method: str,
    ngram: int,
    short: int | None,
    bound: float,
    min_overlap: int,
    ignored: _Ignored,
) -> _Index:
    """The index of the items, built once per process."""
    items, common, max_items = read_items(paths, datasets), ignored.hashes(), ignored.max_items
    names = tuple(item.name for item in items)
    if method == "qa":
        return _Index(QuestionAnswer.of(items, common, ngram=ngram, min_words=MIN_WORDS, min_score=bound, max_items=max_items), names)
    overlap = Overlap.of(items, common, ngram=ngram, short=short, min_share=bound, min_overlap=min_overlap, max_items=max_items)
    return _Index(overlap, names)


class _Found:
    """The documents in which something was found: what, and what is left of those that don't go `whole`; a few among many."""

    def __init__(self, column: Texts, hits: Hits, whole: npt.NDArray[np.bool_], margin: int, max_pieces: int) -> None:
        self.matched: list[str | None] = [None] * column.rows
        self.left: list[str | None] = [None] * column.rows
        self.scattered = np.zeros(column.rows, np.bool_)
        self.cut = 0
        for place in places(column, hits.spans):
            self.matched[place.row] = place.matched
            if not whole[place.row]:
                self._cut(place, margin, max_pieces)

    def _cut(self, place: Place, margin: int, max_pieces: int) -> None:
        kept, passages = pieces(place, margin, max(margin, 1))
        self.scattered[place.row] = not 0 < len(kept) <= max_pieces
        if not self.scattered[place.row]:
            self.left[place.row] = "\n\n".join(kept)
            self.cut += passages
