"""Bounds on a document's length."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Count, Rules
from pipeline.kernels.arrow import texts
from pipeline.kernels.words import number_of_words


@registry.filter("length", uses=("unicode",))
def length(
    docs: pa.RecordBatch,
    *,
    min_chars: Count | None = None,
    max_chars: Count | None = None,
    min_words: Count | None = None,
    max_words: Count | None = None,
) -> Verdicts:
    """Keep documents of `min_chars` to `max_chars` characters and `min_words` to `max_words` white space words.

    Nothing is bounded by default. Published bounds: 150 characters (Dolma 3's web pages), 190,000 (C4's pages), 25 words
    (Dolma's books and wiki).
    """
    text = docs.column("text")
    measured = {"chars": np.asarray(pc.utf8_length(text), np.int64), "words": number_of_words(texts(text))}
    rules = Rules("length", docs.num_rows, measured)
    rules.at_least("few_chars", "chars", min_chars)
    rules.at_most("many_chars", "chars", max_chars)
    rules.at_least("few_words", "words", min_words)
    rules.at_most("many_words", "words", max_words)
    return rules.verdicts()
