"""What the benchmark of filters compares: each of our filters, and the block of datatrove that does the same, if there is one.

A filter is one row. A row without a block has our figure alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.documents import CORPUS
from pipeline.registry import Step, bind

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A filter and its arguments; datatrove's block with the same values; what about them is to be known.

    `words`: the block splits words, so that it can be given ours. `kernel`: it goes through the bytes of a text, whatever
    their shape.
    """

    filter: str
    block: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)
    words: bool = False
    kernel: bool = True


_C4_AS_OURS = {"min_num_sentences": 3, "min_words_per_line": 5, "filter_no_terminal_punct": False}  # its defaults are swapped
_EVALS = [str(CORPUS / "evals")]
#: Some 390 entries: made-up words, and twenty harmless ones that pages do hold.
_WORDS = [str(Path(__file__).with_name("listed_words.txt"))]

ROWS = (
    Row("gopher_repetition", "filters.GopherRepetitionFilter", words=True),
    Row("gopher_quality", "filters.GopherQualityFilter", words=True),
    Row("c4", "filters.C4QualityFilter", {"end_marks": False}, _C4_AS_OURS, words=True),
    Row("fineweb", "filters.FineWebQualityFilter", words=True),
    Row("refinedweb"),
    Row("length"),
    Row("code"),
    Row("pii", "formatters.PIIFormatter"),
    Row("decontaminate", args={"evals": _EVALS}),
    Row("toxicity", args={"words": _WORDS}),
    Row("url", kernel=False),  # datatrove brings lists of domains, and needs three packages for them
    Row("licence", args={"unknown": "keep"}, kernel=False),
    Row("language", kernel=False),
)
BY_NAME = {row.filter: row for row in ROWS}
#: FineWeb's filters, in the order that FineWeb was made in.
CHAIN = ("gopher_repetition", "gopher_quality", "c4", "fineweb")
KERNELS = tuple(row.filter for row in ROWS if row.kernel)


def ours(name: str) -> Step:
    """Our filter, bound."""
    return bind("filter", name, BY_NAME[name].args)[0]


def theirs(name: str, words: str) -> Step:
    """datatrove's block, with "whitespace" words (ours) or "datatrove"'s."""
    row = BY_NAME[name]
    return bind("filter", "datatrove", {"block": f"datatrove.pipeline.{row.block}", "args": row.theirs, "words": words})[0]


@dataclass(frozen=True)
class Timed(Generic[T]):
    """CPU seconds of the first call and of the best of the others, and what the last one gave."""

    first: float
    best: float
    value: T


def timed(call: Callable[[], T], repeats: int) -> Timed[T]:
    """Call once to compile and load what there is, then `repeats` times."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        value = call()
        seconds.append(time.process_time() - start)
    return Timed(seconds[0], min(seconds[1:]), value)
