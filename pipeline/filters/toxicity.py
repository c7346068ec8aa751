"""Toxicity: how many words of a list a document has, and what a classifier makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pydantic import PositiveInt

from pipeline import registry
from pipeline.classifying import POSITIVE, excerpts, lines, load_model, scores
from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.filters.files import read_texts
from pipeline.filters.rules import Amount, Count, Numbers, Rules, ratio
from pipeline.kernels.arrow import texts
from pipeline.kernels.listed import Listed, listed, occurrences
from pipeline.kernels.words import number_of_words
from pipeline.storage import expand


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    """A filter that looks for nothing is a trap: it is a mistake, not a filter that keeps everything."""
    return [] if args["words"] or args["model"] else ["name a list of words (`words`), a classifier (`model`), or both to look for"]


@registry.filter("toxicity", uses=("fasttext-community", "unicode"), check=_mistakes)
def toxicity(
    docs: pa.RecordBatch,
    *,
    words: registry.Paths = (),
    max_words: Count | None = None,
    max_words_share: Amount | None = 0.01,
    model: registry.Paths = (),
    label: str = POSITIVE,
    max_score: Amount | None = 0.4,
    excerpt_chars: PositiveInt = 4000,
) -> Verdicts:
    """Drop documents with too many words of a list, or that a fastText classifier scores as toxic; give `words` or `model`, or both.

    `words`: text files of one word or phrase a line. They count in lower case (Unicode's) where no letter, mark or number
    stands beside them; beside letters of scripts without spaces (Chinese, Japanese, Thai) always. `max_words` bounds
    their number (C4 drops a page with any: 0), `max_words_share` their number per white space word (.01 is ours).

    `model`: a fastText classifier as `tokenmill classifier` trains it. The score is its probability of `label`, of the first
    `excerpt_chars` characters in the form it was trained on (`pipeline.classifying`); models trained on another
    form aren't served by it. Dolma 1.6 takes out what scores .4 or more, hence `max_score`. None measures only.

    Signals: `word_hits`, `word_share`, `score`; null where no list, or no model, is given. Raises SourceError when neither is
    given, or one can't be read.
    """
    if mistakes := _mistakes({"words": words, "model": model}):
        raise SourceError(f"toxicity: {mistakes[0]}")
    measured: dict[str, Numbers] = {}
    if words:
        column = texts(docs.column("text"))
        hits = occurrences(column, _listed(tuple(words)))
        measured |= {"word_hits": hits, "word_share": ratio(hits, number_of_words(column))}
    if model:
        measured["score"] = scores(_model(tuple(model), label), lines(excerpts(docs.column("text"), excerpt_chars)), label)
    rules = Rules("toxicity", docs.num_rows, measured)
    bounds = {"word_hits": ("many_words", max_words), "word_share": ("words", max_words_share), "score": ("score", max_score)}
    for signal, (rule, bound) in bounds.items():
        if signal in measured:
            rules.at_most(rule, signal, bound)
    verdicts = rules.verdicts()
    return replace(verdicts, signals=_with_nulls(verdicts.signals, docs.num_rows))


def _with_nulls(signals: Mapping[str, pa.Array], rows: int) -> dict[str, pa.Array]:
    """The signals, and nulls for those that weren't measured: the columns don't depend on what is given."""
    types = {"word_hits": pa.int64(), "word_share": pa.float64(), "score": pa.float64()}
    return {name: signals.get(name, pa.nulls(rows, type)) for name, type in types.items()}  # noqa: A001 - Arrow's word for it


@lru_cache(maxsize=4)
def _listed(paths: tuple[str, ...]) -> Listed:
    found = {line.strip() for _, text in read_texts(paths) for line in text.splitlines()} - {""}
    if not found:
        raise SourceError(f"toxicity: there is no word in {', '.join(paths)}: one a line is needed")
    return listed(found)


def _model(paths: Sequence[str], label: str) -> Any:
    found = expand(paths)
    if len(found) != 1:
        raise SourceError(f"toxicity: one model is needed, {list(paths)} names {len(found)} files")
    model = load_model(found[0])
    known = [name.removeprefix("__label__") for name in model.labels]
    if label not in known:
        raise SourceError(f"toxicity: {found[0]} has no label {label!r}; it has {', '.join(sorted(known))}")
    return model
