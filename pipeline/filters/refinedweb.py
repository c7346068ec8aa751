"""RefinedWeb's corrections of lines (Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", appendix G.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Amount, Count, Phrase, Rules, ratio
from pipeline.kernels import refinedweb as kernel
from pipeline.kernels.arrow import Texts, encoded, large_strings, texts

#: What a counter counts ("3 likes"): the paper names likes, the others are DCLM's.
COUNTERS = (
    "likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks", "upvotes", "downvotes", "downloads", "views", "followers",
)  # fmt: skip

_LINE_EDITS = {"uppercase": kernel.UPPERCASE, "numeric": kernel.NUMERIC, "counter": kernel.COUNTER, "few_words": kernel.FEW_WORDS}


@registry.filter("refinedweb", uses=("unicode",))
def refinedweb(
    docs: pa.RecordBatch,
    *,
    max_uppercase: Amount | None = 0.5,
    max_numeric: Amount | None = 0.999999,
    counters: Sequence[Phrase] | None = COUNTERS,
    min_words_per_line: Count | None = 2,
    max_cut_words: Count | None = 10,
    cut_at_start: Sequence[Phrase] = ("sign-in",),
    cut_at_end: Sequence[Phrase] = ("read more...",),
    cut_anywhere: Sequence[Phrase] = ("items in cart",),
    max_newlines: Annotated[int, Field(ge=1)] | None = 2,
    max_removed: Amount | None = 0.05,
) -> Verdicts:
    """Drop lines in capitals, of digits, counters, single words; cut buttons; drop pages that lose many words (RefinedWeb). Edits.

    Lines end at newlines alone, and are measured without the white space around them. A line goes when more than
    `max_uppercase` of its characters are capitals, when more than `max_numeric` are digits, when it is a counter (a number
    such as 3, 1,204 or 1.5k and one of `counters`, with punctuation at most around them), or when it has fewer than
    `min_words_per_line` white space words. Of other lines of at most `max_cut_words` words, the phrases are cut: each of
    `cut_anywhere` with one white space before it, then one of `cut_at_end`, then one of `cut_at_start`; a line of which
    nothing is left goes. The case of ASCII letters doesn't count in phrases and counters. Of more than `max_newlines`
    newlines in a row the rest goes, as do empty lines at the ends of a page. The page is dropped when more than
    `max_removed` of its words went with lines and phrases.

    The paper gives the rules and the 5 %, an example of each kind of line and no values; those, and the order, are DCLM's
    (`dclm_baseline_refinedweb.yaml`), followed here with these differences. DCLM counts Unicode's words without
    punctuation for the share of words removed; the paper, all words of a line that was cut. DCLM reads "Read more..." as a
    pattern in which each dot is any character. It limits newlines before lines are dropped, here also where dropping made
    the gap. It measures lines with the white space at their ends, so that an indented number, or two words of capitals,
    stay.
    """
    if max_newlines is not None and max_newlines < 1:
        raise ValueError(f"refinedweb can't join lines with fewer than 1 newline (got max_newlines={max_newlines})")
    bounds = kernel.Bounds(
        float("inf") if max_uppercase is None else max_uppercase,
        float("inf") if max_numeric is None else max_numeric,
        min_words_per_line or 0,
        -1 if max_cut_words is None else max_cut_words,
        -1 if max_newlines is None else max_newlines,
    )
    wanted = kernel.Wanted(*map(_listed, map(tuple, (counters or (), cut_anywhere, cut_at_end, cut_at_start))))
    offsets, data, counts = kernel.correct_pages(texts(docs.column("text")), bounds, wanted)
    lines = counts[:, list(_LINE_EDITS.values())].sum(axis=1)
    measured = {"removed": ratio(counts[:, kernel.REMOVED], counts[:, kernel.WORDS]), "lines_dropped": lines}
    rules = Rules("refinedweb", docs.num_rows, measured)
    rules.at_most("removed", "removed", max_removed)
    edits = {**_LINE_EDITS, "cut": kernel.CUT, "newlines": kernel.NEWLINES}
    made = {name: int(counts[rules.kept, at].sum()) for name, at in edits.items()}
    return replace(rules.verdicts(), text=large_strings(offsets, data), edits=made)


@lru_cache(maxsize=16)
def _listed(phrases: tuple[str, ...]) -> Texts:
    """Phrases in lower case, longest first, so that none hides behind its own beginning."""
    if not all(phrase.strip() for phrase in phrases):
        raise ValueError(f"refinedweb can't look for an empty phrase (got {list(phrases)})")
    return encoded(sorted({phrase.strip().encode().lower().decode() for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase)))
