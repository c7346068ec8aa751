"""Answers that say the same again and again: within one, or one after the other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.pieces import ASSISTANT, Pieces, pieces_of
from pipeline.filters.rules import Amount, Count, Rules, ratio
from pipeline.kernels import repetition as kernel
from pipeline.kernels.arrow import texts


@registry.filter("chat_repetition", uses=("unicode",))
def chat_repetition(
    docs: pa.RecordBatch,
    *,
    max_dup_10gram: Amount | None = 0.4,
    max_same_answers: Amount | None = 0.5,
    same_answers_from: Count = 3,
    min_chars: Count = 200,
) -> Verdicts:
    """Drop conversations whose answers repeat themselves.

    `dup_10gram`: the largest share of one answer's characters that lies in runs of ten words which occurred before in it (as
    gopher_repetition counts them; code and tables repeat more than prose, so the bound is wider), answers below `min_chars` characters
    apart: a refrain is no fault. `same_answers`: the share of answers that
    say what an earlier one says, in conversations with `same_answers_from` answers or more.
    """
    said = pieces_of(docs)
    answers = said.only(said.roles == ASSISTANT)
    counts = kernel.repetition_counts(texts(answers.text)).T
    share = ratio(counts[kernel.DUPLICATE + kernel.DUPLICATE_SIZES.index(10)], counts[kernel.CHARS])
    share[counts[kernel.CHARS] < min_chars] = 0.0
    measured = {"dup_10gram": answers.largest(share), "same_answers": _same(answers, same_answers_from)}
    rules = Rules("chat_repetition", docs.num_rows, measured)
    rules.at_most("dup_10gram", "dup_10gram", max_dup_10gram)
    rules.at_most("same_answers", "same_answers", max_same_answers)
    return rules.verdicts()


def _same(answers: Pieces, least: int) -> np.ndarray:
    """Per document, the share of its answers that an earlier one of it equals."""
    number = answers.per_document(np.full(len(answers.rows), True))
    codes = pc.dictionary_encode(answers.text).indices.to_numpy()
    pairs = np.stack([answers.rows, codes], axis=1)
    different = (
        np.bincount(np.unique(pairs, axis=0)[:, 0].astype(np.int64), minlength=answers.documents) if len(pairs) else np.zeros_like(number)
    )
    return np.where(number >= max(least, 1), ratio(number - different, number), 0.0)
