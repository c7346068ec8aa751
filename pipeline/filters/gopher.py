"""Gopher's document quality rules (Rae et al. 2021, "Scaling Language Models", section A.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Amount, Count, Rules, ratio
from pipeline.kernels import words as kernel
from pipeline.kernels.arrow import encoded, texts

#: The paper's eight English words; a page needs two of them.
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
#: The kernel marks those that it has met in the bits of one number.
MOST_STOP_WORDS = 64


@registry.filter("gopher_quality", uses=("unicode",))
def gopher_quality(
    docs: pa.RecordBatch,
    *,
    min_words: Count | None = 50,
    max_words: Count | None = 100_000,
    min_mean_word: Amount | None = 3.0,
    max_mean_word: Amount | None = 10.0,
    max_hashes: Amount | None = 0.1,
    max_ellipses: Amount | None = 0.1,
    max_bullet_lines: Amount | None = 0.9,
    max_ellipsis_lines: Amount | None = 0.3,
    min_letter_words: Amount | None = 0.8,
    min_stop_words: Count | None = 2,
    stop_words: Annotated[Sequence[str], Field(max_length=MOST_STOP_WORDS)] = STOP_WORDS,
) -> Verdicts:
    """Keep documents of plausible length, word length, symbols, bullets and stop words (Gopher's quality rules).

    Words are white space words (see `pipeline.kernels.unicode`). `min_words`, `max_words` and the mean length count words
    with a character that is no punctuation, symbol or control, punctuation at their ends included in their length. The
    shares of "#", of ellipses ("..." and U+2026) and of words with a letter are per word of any kind. Bullet lines start
    with U+2022 or "-"; lines are those of `str.splitlines`. Stop words count once each, in their exact spelling.

    Where upstreams differ: datatrove's words are spaCy's tokens (fewer characters, more words); Dolma takes the median
    word length and "*" or "-" as bullets; DCLM counts every occurrence of a stop word; in datatrove a bound of 0 is off.
    The cap of 100,000 words drops books: set `max_words` to null for them.
    """
    if len(stop_words) > MOST_STOP_WORDS:
        raise ValueError(f"gopher_quality takes at most {MOST_STOP_WORDS} stop words (got {len(stop_words)})")
    counts = kernel.word_counts(texts(docs.column("text")), encoded(list(stop_words))).T
    words, lines, plain = counts[kernel.WORDS], counts[kernel.LINES], counts[kernel.PLAIN_WORDS]
    measured = {
        "words": plain,
        "mean_word": ratio(counts[kernel.PLAIN_CHARS], plain),
        "hashes": ratio(counts[kernel.HASHES], words),
        "ellipses": ratio(counts[kernel.ELLIPSES], words),
        "bullet_lines": ratio(counts[kernel.BULLET_LINES], lines),
        "ellipsis_lines": ratio(counts[kernel.ELLIPSIS_LINES], lines),
        "letter_words": ratio(counts[kernel.LETTER_WORDS], words),
        "stop_words": counts[kernel.STOP_WORDS],
    }
    rules = Rules("gopher_quality", docs.num_rows, measured)
    rules.at_least("short", "words", min_words)
    rules.at_most("long", "words", max_words)
    rules.at_least("short_words", "mean_word", min_mean_word)
    rules.at_most("long_words", "mean_word", max_mean_word)
    rules.at_most("hashes", "hashes", max_hashes)
    rules.at_most("ellipses", "ellipses", max_ellipses)
    rules.at_most("bullet_lines", "bullet_lines", max_bullet_lines)
    rules.at_most("ellipsis_lines", "ellipsis_lines", max_ellipsis_lines)
    rules.at_least("letter_words", "letter_words", min_letter_words)
    rules.at_least("stop_words", "stop_words", min_stop_words)
    return rules.verdicts()
