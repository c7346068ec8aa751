"""quality_model: a fastText classifier that tells the sources one trusts from those one doesn't, by the documents kept so far."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import PositiveFloat, PositiveInt

from pipeline.classifying import NEGATIVE, POSITIVE, excerpts, lines, model_of, scores
from pipeline.errors import SourceError
from pipeline.job import Inputs, Job, PartFile
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.scoring.classifier import train
from pipeline.scoring.judging import judgement
from pipeline.survivors import survivors
from pipeline.tokens import order_keys

#: One document in so many is held out of training: by these the model is judged, and the scores of a source are ranked.
HOLD_OUT_ONE_IN = 5
#: Documents of a source that no label claims are sampled too, this many, so that the source's scores can be ranked.
RANKED = 2000
#: A source is sampled from the first parts, by the hash of their names, that hold so many documents for each one wanted.
READ_FOR_ONE = 20
#: Fewer held-out documents than this rank a source badly: then all of its sample does.
FEWEST_HELD_OUT = 50


class Example(NamedTuple):
    """A sampled document: its place in the hash order, its source and label (None: only ranked), whether it is held out."""

    key: int
    source: str
    label: str | None
    held_out: bool
    line: str


@stage("quality_model", seeded=True, uses=("fasttext-community", "unicode"))
def quality_model(
    job: Job,
    *,
    positive: Sequence[str],
    negative: Sequence[str],
    max_documents: PositiveInt = 100_000,
    excerpt_chars: PositiveInt = 4000,
    dim: PositiveInt = 100,
    epochs: PositiveInt = 5,
    lr: PositiveFloat = 0.1,
    word_ngrams: PositiveInt = 2,
    min_count: PositiveInt = 1,
    buckets: PositiveInt = 2_000_000,
) -> Report:
    """Train a classifier on documents of the `positive` sources against those of the `negative` ones.

    Each label has at most `max_documents`, the same number from each of its sources where they have that many, chosen by
    the hash of their ids; of each document the first `excerpt_chars` are read. The other keys are fastText's, their values
    DCLM's (its best model: bigrams, 200,000 examples, dim 100, lr .1, 5 epochs, every word): a model of 0.8 GB, which each
    worker holds; fewer `buckets` and a smaller `dim` make it small. Writes quality_model.model.bin, and quality_model.card.json:
    what it was made of, how well it tells held-out documents apart, and the percentiles of each source's scores.
    SourceError names sources that are unknown, claimed by both labels, or without documents.
    """
    labels = _labels(job.inputs, positive, negative)
    wanted = {
        source: max_documents // max(1, len(positive if label == POSITIVE else negative)) for source, label in labels.items() if label
    }
    examples = sorted(
        example for source, label in labels.items() for example in _examples(job, source, label, wanted.get(source, RANKED), excerpt_chars)
    )
    training = [example for example in examples if example.label and not example.held_out]
    _check_both(training, positive, negative)
    settings = {
        "dim": dim, "epoch": epochs, "lr": lr, "wordNgrams": word_ngrams, "minCount": min_count, "bucket": buckets,
        "seed": _seed(job.seed),
    }  # fmt: skip
    model = train(((example.label or "", example.line) for example in training), settings)
    found = scores(model_of(model), [example.line for example in examples])
    job.write("model", "bin", model)
    card = {"settings": {**settings, "excerpt_chars": excerpt_chars}, "sha256": hashlib.sha256(model).hexdigest(), **_card(examples, found)}
    job.write("card", "json", (json.dumps(card, indent=1, sort_keys=True) + "\n").encode())
    return Report()


def _labels(inputs: Inputs, positive: Sequence[str], negative: Sequence[str]) -> dict[str, str | None]:
    """The label of every source there is, None for those of neither list."""
    known = sorted({file.source for file in inputs.files("filter", "docs")})
    unknown = sorted({*positive, *negative} - set(known))
    if unknown:
        raise SourceError(f"quality_model: no source is called {', '.join(unknown)}; there are: {', '.join(known)}")
    both = sorted(set(positive) & set(negative))
    if both:
        raise SourceError(f"quality_model: {', '.join(both)} can't be positive and negative at once")
    return {source: POSITIVE if source in positive else NEGATIVE if source in negative else None for source in known}


def _check_both(training: Sequence[Example], positive: Sequence[str], negative: Sequence[str]) -> None:
    for label, sources in ((POSITIVE, positive), (NEGATIVE, negative)):
        if not any(example.label == label for example in training):
            named = ", ".join(sources) or "none named"
            raise SourceError(
                f"quality_model: no document is left to train on in the {label} sources ({named}): name others, or filter less"
            )


def _seed(seed: int) -> int:
    """fastText's seed, from the run's."""
    return int.from_bytes(hashlib.blake2b(f"quality_model\0{seed}".encode(), digest_size=3).digest(), "big")


def _examples(job: Job, source: str, label: str | None, wanted: int, excerpt_chars: int) -> Iterator[Example]:
    """The sample of a source, each document told by its id alone to be of it and to be held out."""
    sample = _Sample(wanted)
    for file in _some_parts(job.inputs, source, wanted):
        for batch in survivors(job.inputs, file, ["id", "text"]):
            keys = order_keys(batch.column("id"), job.seed, "quality_model")
            sample.add(keys, batch.column("id"), excerpts(batch.column("text"), excerpt_chars))
    for keys, ids, read in sample.rows:
        held_out = order_keys(ids, job.seed, "quality_model", "held out") % np.uint64(HOLD_OUT_ONE_IN) == 0
        for key, out, line in zip(keys.tolist(), held_out.tolist(), lines(read), strict=True):
            yield Example(key, source, label, out, line)


def _some_parts(inputs: Inputs, source: str, wanted: int) -> list[PartFile]:
    """The parts to sample a source from: enough for the sample, however large the source is."""
    mine = [file for file in inputs.files("filter", "docs") if file.source == source]
    mine.sort(key=lambda file: hashlib.blake2b(file.part.encode(), digest_size=8).digest())
    before = np.cumsum([0, *(file.entry.rows for file in mine)])
    return [file for file, rows in zip(mine, before, strict=False) if rows < READ_FOR_ONE * wanted]


@dataclass
class _Sample:
    """The documents with the smallest keys of all that were added: batches of (keys, ids, excerpts)."""

    wanted: int
    rows: list[tuple[np.ndarray, pa.Array, pa.Array]] = field(default_factory=list)

    def add(self, keys: np.ndarray, ids: pa.Array, read: pa.Array) -> None:
        self.rows.append((keys, ids, read))
        every = np.concatenate([known for known, _, _ in self.rows])
        if len(every) > self.wanted:
            self._keep_up_to(np.partition(every, self.wanted - 1)[self.wanted - 1])

    def _keep_up_to(self, last: np.uint64) -> None:
        masked = [(keys <= last, keys, ids, read) for keys, ids, read in self.rows]
        self.rows = [
            (keys[mask], ids.filter(pa.array(mask)), read.filter(pa.array(mask))) for mask, keys, ids, read in masked if mask.any()
        ]


def _card(examples: Sequence[Example], found: np.ndarray) -> dict[str, Any]:
    """Counts by source, how held-out documents are told apart, and percentiles of scores by source."""
    labels = np.array([example.label or "" for example in examples])
    sources = np.array([example.source for example in examples])
    held_out = np.array([example.held_out for example in examples], np.bool_)
    card: dict[str, Any] = {"sources": {}, "percentiles": {}, "held_out": judgement(found[held_out], labels[held_out])}
    for source in sorted(set(sources.tolist())):
        mine = sources == source
        judged = mine & held_out if (mine & held_out).sum() >= FEWEST_HELD_OUT else mine
        card["sources"][source] = {
            "label": str(labels[mine][0]) or None,
            "trained_on": int((mine & ~held_out).sum()) if labels[mine][0] else 0,
            "held_out": int((mine & held_out).sum()),
        }
        card["percentiles"][source] = np.quantile(found[judged], np.linspace(0, 1, 101)).tolist()
    return card
