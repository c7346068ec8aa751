"""Gopher's repetition rules (Rae et al. 2021, "Scaling Language Models", table A1)."""

from __future__ import annotations

import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Amount, Rules, ratio
from pipeline.kernels import repetition as kernel
from pipeline.kernels.arrow import texts


@registry.filter("gopher_repetition", uses=("unicode",))
def gopher_repetition(
    docs: pa.RecordBatch,
    *,
    max_dup_paragraphs: Amount | None = 0.30,
    max_dup_paragraph_chars: Amount | None = 0.20,
    max_dup_lines: Amount | None = 0.30,
    max_dup_line_chars: Amount | None = 0.20,
    max_top_2gram: Amount | None = 0.20,
    max_top_3gram: Amount | None = 0.18,
    max_top_4gram: Amount | None = 0.16,
    max_dup_5gram: Amount | None = 0.15,
    max_dup_6gram: Amount | None = 0.14,
    max_dup_7gram: Amount | None = 0.13,
    max_dup_8gram: Amount | None = 0.12,
    max_dup_9gram: Amount | None = 0.11,
    max_dup_10gram: Amount | None = 0.10,
) -> Verdicts:
    """Drop documents that repeat themselves: lines, paragraphs, or n-grams of words (Gopher's repetition rules).

    Paragraphs are parted by two newlines or more (after white space around the text is taken off), lines by one or more.
    `max_dup_*` bounds the share of pieces that occur before in the text, or of its characters in such pieces;
    `max_top_Ngram` the characters of the most frequent n-gram (words joined by single spaces) times its occurrences;
    `max_dup_Ngram` the characters of n-grams read greedily that occurred before (words joined without spaces: after a hit
    reading goes on behind it). Every share is of all characters of the text, white space included.

    Where upstreams differ: datatrove, followed here, takes the first occurrence as no duplicate and divides by all
    characters, and its words are spaCy's (ours: white space words). NeMo Curator loosens lines and paragraphs to .70 (.80
    of characters), and keeps the n-gram values.
    """
    counts = kernel.repetition_counts(texts(docs.column("text"))).T
    chars = counts[kernel.CHARS]
    measured = {
        "dup_paragraphs": ratio(counts[kernel.DUP_PARAGRAPHS], counts[kernel.PARAGRAPHS]),
        "dup_paragraph_chars": ratio(counts[kernel.DUP_PARAGRAPH_CHARS], chars),
        "dup_lines": ratio(counts[kernel.DUP_LINES], counts[kernel.LINES]),
        "dup_line_chars": ratio(counts[kernel.DUP_LINE_CHARS], chars),
        **{f"top_{size}gram": ratio(counts[kernel.TOP + k], chars) for k, size in enumerate(kernel.TOP_SIZES)},
        **{f"dup_{size}gram": ratio(counts[kernel.DUPLICATE + k], chars) for k, size in enumerate(kernel.DUPLICATE_SIZES)},
    }
    bounds = {
        "dup_paragraphs": max_dup_paragraphs,
        "dup_paragraph_chars": max_dup_paragraph_chars,
        "dup_lines": max_dup_lines,
        "dup_line_chars": max_dup_line_chars,
        "top_2gram": max_top_2gram,
        "top_3gram": max_top_3gram,
        "top_4gram": max_top_4gram,
        "dup_5gram": max_dup_5gram,
        "dup_6gram": max_dup_6gram,
        "dup_7gram": max_dup_7gram,
        "dup_8gram": max_dup_8gram,
        "dup_9gram": max_dup_9gram,
        "dup_10gram": max_dup_10gram,
    }
    rules = Rules("gopher_repetition", docs.num_rows, measured)
    for rule, bound in bounds.items():
        rules.at_most(rule, rule, bound)
    return rules.verdicts()
