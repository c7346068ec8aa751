"""What a fastText classifier of texts is shown of one, and the probability that it gives: the same wherever one is asked.

Trained by `pipeline.scoring`, asked by stages and filters: a model that is shown texts in another form than it was trained
on gives scores that mean nothing.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError

POSITIVE, NEGATIVE = "positive", "negative"
LABEL_MARK = "__label__"

#: Words and single signs. The underscore is a sign, so no token can pass for one of fastText's labels.
_TOKENS = re.compile(r"[^\W_]+|[^\w\s]|_")


def excerpts(texts: pa.Array, characters: int) -> pa.Array:
    """The part of each text that the classifier reads: its beginning."""
    return pc.utf8_slice_codeunits(texts, 0, characters)


def lines(read: pa.Array) -> list[str]:
    """What fastText is shown of each excerpt: lower case, words and signs apart, on one line; "" for a null."""
    return [" ".join(_TOKENS.findall((excerpt or "").lower())) for excerpt in read.to_pylist()]


def scores(model: Any, shown: Sequence[str], label: str = POSITIVE) -> np.ndarray:
    """float64[n]: the probability of a label for each line."""
    out = np.zeros(len(shown))
    labels = len(model.labels)
    for row, line in enumerate(shown):  # `predict` copies labels and breaks under NumPy 2 in some releases
        for probability, found in model.f.predict(line + "\n", labels, 0.0, "strict"):
            if found == LABEL_MARK + label:
                out[row] = min(probability, 1.0)
    return out


def model_of(data: bytes) -> Any:
    """The model of a file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(data)
        return fasttext.load_model(str(path))


@lru_cache(maxsize=2)
def load_model(path: str) -> Any:
    """The model of a local file, opened once by a process; SourceError names a file that is none."""
    try:
        return fasttext.load_model(path)
    except ValueError as error:
        raise SourceError(f"{path} is no fastText model ({error})") from error
