"""A text that lies beyond 2 GiB in its column, where 32 bits no longer name a byte, is measured as it is anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from texts import column

from pipeline.kernels import c4, lines, repetition, words
from pipeline.kernels.arrow import Texts, encoded, texts
from pipeline.kernels.phrases import flanked, phrases

TEXT = "Words of a page \u2014 some again, some again, some again, some again.\n\n- one… #\u3000two ...\n" * 30

MEASURES: dict[str, Callable[[Texts], Any]] = {
    "word_counts": lambda column: words.word_counts(column, encoded(["of", "the"])),
    "number_of_words": words.number_of_words,
    "line_counts": words.line_counts,
    "repetition_counts": repetition.repetition_counts,
    "line_shapes": lambda column: lines.line_shapes(column, 30),
    "clean_pages": lambda column: c4.clean_pages(column, c4.Rules(1, 3, 1000, 1), phrases({"{": c4.CURLY}), flanked([]))[2],
}


@pytest.fixture(scope="module")
def far() -> Texts:
    """The text at the end of 2 GiB, of which nothing else is ever touched, so that it takes no memory."""
    content = TEXT.encode()
    data = np.zeros((1 << 31) + 100 + len(content), np.uint8)
    data[-len(content) :] = np.frombuffer(content, np.uint8)
    offsets = np.array([len(data) - len(content), len(data)], np.int64)
    for array in (data, offsets):
        array.flags.writeable = False
    return Texts(offsets, data)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_text_far_into_its_column(measure: str, far: Texts) -> None:
    near = texts(column([TEXT]))
    assert np.array_equal(MEASURES[measure](far), MEASURES[measure](near))
