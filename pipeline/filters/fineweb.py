"""FineWeb's own quality rules (Penedo et al. 2024, "The FineWeb Datasets", section 3.6)."""

from __future__ import annotations

import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Amount, Count, Rules, ratio
from pipeline.kernels import lines as kernel
from pipeline.kernels.arrow import texts


@registry.filter("fineweb", uses=("unicode",))
def fineweb(
    docs: pa.RecordBatch,
    *,
    min_ended_lines: Amount | None = 0.12,
    max_short_lines: Amount | None = 0.67,
    short_chars: Count = 30,
    max_dup_chars: Amount | None = 0.01,
    max_newlines: Amount | None = 0.3,
) -> Verdicts:
    """Drop documents made of list entries, menus and repeated lines (FineWeb's custom rules).

    Lines are parted by newlines, blank ones left out. `min_ended_lines`: share of lines whose very last character ends a
    sentence (Unicode's Sentence_Terminal: . ? ! and those of other scripts; a closing quote or a space after it doesn't
    count). `max_short_lines`: share of lines of at most `short_chars` characters. `max_dup_chars`: characters in lines
    that occur before, of all characters but newlines. `max_newlines`: newlines per white space word.

    Where upstreams differ: datatrove keeps a list of end marks of its own (U+2024 and some newer scripts are missing, three
    Khmer signs that end no sentence are in it), and counts spaCy's words. FineWeb ran this after C4's rules without
    their end mark rule.
    """
    counts = kernel.line_shapes(texts(docs.column("text")), short_chars).T
    lines = counts[kernel.SHAPE_LINES]
    measured = {
        "ended_lines": ratio(counts[kernel.ENDED_LINES], lines),
        "short_lines": ratio(counts[kernel.SHORT_LINES], lines),
        "dup_chars": ratio(counts[kernel.DUP_CHARS], counts[kernel.TEXT_CHARS]),
        "newlines": ratio(counts[kernel.NEWLINES], counts[kernel.SHAPE_WORDS]),
    }
    rules = Rules("fineweb", docs.num_rows, measured)
    rules.drop("empty", lines == 0)
    rules.at_least("ended_lines", "ended_lines", min_ended_lines)
    rules.at_most("short_lines", "short_lines", max_short_lines)
    rules.at_most("dup_chars", "dup_chars", max_dup_chars)
    rules.at_most("newlines", "newlines", max_newlines)
    return rules.verdicts()
