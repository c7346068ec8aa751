"""Rules for source code (Li et al. 2023, "StarCoder", section 3; Chen et al. 2021, "Codex", section 3.1)."""

from __future__ import annotations

import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Rules, ratio
from pipeline.kernels import words as kernel
from pipeline.kernels.arrow import texts


@registry.filter("code", uses=("unicode",))
def code(
    docs: pa.RecordBatch,
    *,
    max_longest_line: int | None = 1000,
    max_mean_line: float | None = 100.0,
    min_alnum: float | None = 0.25,
) -> Verdicts:
    """Drop files with very long lines, or few letters and digits: data, minified and generated code (StarCoder's rules).

    Lines are those of `str.splitlines`; lengths are in characters without the line end; `min_alnum` is the share of
    letters and digits (`str.isalnum`) of all characters. The values are bigcode's and RedPajama's, and NeMo Curator's too.
    """
    counts = kernel.line_counts(texts(docs.column("text"))).T
    measured = {
        "longest_line": counts[kernel.LONGEST_LINE],
        "mean_line": ratio(counts[kernel.LINE_CHARS], counts[kernel.TEXT_LINES]),
        "alnum": ratio(counts[kernel.ALNUM_CHARS], counts[kernel.CHARS]),
    }
    rules = Rules("code", docs.num_rows, measured)
    rules.at_most("long_line", "longest_line", max_longest_line)
    rules.at_most("long_lines", "mean_line", max_mean_line)
    rules.at_least("few_alnum", "alnum", min_alnum)
    return rules.verdicts()
