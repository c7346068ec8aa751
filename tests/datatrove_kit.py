"""Our rules in datatrove's words, for tests that hold the one beside the other."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

BLOCKS = "datatrove.pipeline.filters."

REPETITION = {
    "dup_paragraphs": "dup_para_frac", "dup_paragraph_chars": "dup_para_char_frac", "dup_lines": "dup_line_frac",
    "dup_line_chars": "dup_line_char_frac", **{f"top_{n}gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"dup_{n}gram": f"duplicated_{n}_n_grams" for n in range(5, 11)},
}  # fmt: skip
QUALITY = {
    "short": "gopher_short_doc", "long": "gopher_long_doc", "short_words": "gopher_below_avg_threshold",
    "long_words": "gopher_above_avg_threshold", "hashes": "gopher_too_many_hashes", "ellipses": "gopher_too_many_ellipsis",
    "bullet_lines": "gopher_too_many_bullets", "ellipsis_lines": "gopher_too_many_end_ellipsis",
    "letter_words": "gopher_below_alpha_threshold", "stop_words": "gopher_enough_stop_words",
}  # fmt: skip
FINEWEB = {
    "empty": "empty", "ended_lines": "line_punct_ratio", "short_lines": "short_line_ratio", "dup_chars": "char_dup_ratio",
    "newlines": "list_ratio",
}  # fmt: skip
C4 = {"lorem_ipsum": "lorem_ipsum", "curly_bracket": "curly_bracket", "few_sentences": "too_few_sentences"}


def renamed(reasons: pa.Array, names: Mapping[str, str]) -> list[str | None]:
    """Our reasons in datatrove's words."""
    return [None if reason is None else f"datatrove:{names[reason.partition(':')[2]]}" for reason in reasons.to_pylist()]
