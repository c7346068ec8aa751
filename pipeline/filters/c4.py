"""C4's rules for a page and its lines (Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.filters.files import read_texts
from pipeline.filters.rules import Count, Phrase, Rules
from pipeline.kernels import c4 as kernel
from pipeline.kernels.arrow import large_strings, texts
from pipeline.kernels.phrases import Flanked, Phrases, flanked, phrases

#: A line with one of these is a notice about the site, not about its subject.
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")

_LINE_EDITS = {
    "long_word": kernel.LONG_WORD,
    "no_end_mark": kernel.NO_END_MARK,
    "few_words": kernel.FEW_WORDS,
    "javascript": kernel.JAVASCRIPT,
    "policy": kernel.POLICY,
}


@registry.filter("c4", uses=("unicode",))
def c4(
    docs: pa.RecordBatch,
    *,
    end_marks: bool = True,
    min_words_per_line: Count | None = 5,
    max_word_chars: Count | None = 1000,
    min_sentences: Count | None = 3,
    citations: bool = True,
    javascript: bool = True,
    policy: Sequence[Phrase] | None = POLICY,
    lorem_ipsum: bool = True,
    curly_bracket: bool = True,
    bad_words: registry.Paths = (),
) -> Verdicts:
    """Drop lines that are no sentences and pages with too few left, with code, filler or bad words (C4's rules). Edits.

    The text becomes its lines (`str.splitlines`, white space around each taken off) that have no word of more than
    `max_word_chars` characters, end in . ? ! or " but not in "..." (`end_marks`), have `min_words_per_line` words, and
    mention neither "javascript" nor a `policy` phrase. [1], [], [edit] and [citation needed] are removed (`citations`).
    The page is dropped when a line that passed so far has "lorem ipsum", "{" or one of the bad words, and when fewer than
    `min_sentences` sentences are left. `bad_words`: text files of one word or phrase a line, which counts where no
    letter from a to z stands beside it; none are given by default.

    Values and order are those of TensorFlow Datasets' `c4_utils.py`, which made C4. datatrove has them swapped (5
    sentences, 3 words a line), takes ' as an end mark too and counts a line's words before citations are removed.
    FineWeb ran these rules with `end_marks` off; "{" must be off for code, mathematics and LaTeX. Two differences
    from both: sentences are told by end mark and white space, so that "Mr. Smith" ends one (upstream asks NLTK or
    spaCy), and the case of letters outside ASCII counts. C4's cap of 190,000 characters is `length`'s to set.
    """
    column = texts(docs.column("text"))
    looked_for = _phrases(javascript, tuple(policy or ()), lorem_ipsum, curly_bracket)
    asked = kernel.Rules(int(end_marks), min_words_per_line or 0, max_word_chars or 0, int(citations))
    offsets, data, counts = kernel.clean_pages(column, asked, looked_for, _bad_words(tuple(bad_words)))
    measured = {"lines": counts[:, kernel.KEPT], "sentences": counts[:, kernel.SENTENCES]}
    measured["lines_dropped"] = counts[:, list(_LINE_EDITS.values())].sum(axis=1)
    rules = Rules("c4", docs.num_rows, measured)
    for rule, group in (("lorem_ipsum", kernel.LOREM), ("curly_bracket", kernel.CURLY), ("bad_words", kernel.BAD)):
        rules.drop(rule, counts[:, kernel.PAGE] == group)
    rules.at_least("few_sentences", "sentences", min_sentences)
    edits = {**_LINE_EDITS, "citations": kernel.CITATIONS}
    made = {name: int(counts[rules.kept, at].sum()) for name, at in edits.items()}
    return replace(rules.verdicts(), text=large_strings(offsets, data), edits=made)


@lru_cache(maxsize=16)
def _phrases(javascript: bool, policy: tuple[str, ...], lorem_ipsum: bool, curly_bracket: bool) -> Phrases:
    groups: dict[str, int] = dict.fromkeys(policy, kernel.ON_POLICY)
    chosen: Mapping[str, tuple[bool, int]] = {
        "javascript": (javascript, kernel.ON_JAVASCRIPT),
        "lorem ipsum": (lorem_ipsum, kernel.LOREM),
        "{": (curly_bracket, kernel.CURLY),
    }
    for phrase, (wanted, group) in chosen.items():
        if wanted:
            groups[phrase] = groups.get(phrase, 0) | group
    return phrases(groups)


@lru_cache(maxsize=4)
def _bad_words(paths: tuple[str, ...]) -> Flanked:
    listed = sorted({line.strip() for _, text in read_texts(paths) for line in text.splitlines()} - {""})
    if paths and not listed:
        raise SourceError(f"c4: there is no word in {', '.join(paths)}: one a line is needed")
    if short := [word for word in listed if len(word.encode()) < 2]:
        raise SourceError(f"c4: words of {', '.join(paths)} need two bytes or more: take {' '.join(short)} out")
    return flanked(listed)
