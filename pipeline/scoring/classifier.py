"""A fastText classifier of documents: what it reads of a text, how it is trained, loaded and asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import TokenmillError
from pipeline.job import PartFile
from pipeline.storage import Folder

POSITIVE, NEGATIVE = "positive", "negative"
_LABEL = "__label__"

#: Words and single signs. The underscore is a sign, so no token can pass for one of fastText's labels.
_TOKENS = re.compile(r"[^\W_]+|[^\w\s]|_")


def excerpts(texts: pa.Array, characters: int) -> pa.Array:
    """The part of each text that the classifier reads: its beginning."""
    return pc.utf8_slice_codeunits(texts, 0, characters)


def lines(read: pa.Array) -> list[str]:
    """What fastText is shown of each excerpt: lower case, words and signs apart, on one line."""
    return [" ".join(_TOKENS.findall(excerpt.lower())) for excerpt in read.to_pylist()]


def train(examples: Iterable[tuple[str, str]], settings: Mapping[str, Any]) -> bytes:
    """The model file that a fresh process makes of (label, line) examples, in the order given; the same bytes each time.

    `settings` are fastText's. Raises TokenmillError with the last line the process said when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("examples.txt", "model.bin", "settings.json")}
        paths["examples.txt"].write_text("".join(f"{_LABEL}{label} {line}\n" for label, line in examples), "utf-8")
        given = {**settings, "input": str(paths["examples.txt"]), "output": str(paths["model.bin"])}
        paths["settings.json"].write_text(json.dumps(given), "utf-8")
        program = [sys.executable, "-P", str(Path(__file__).with_name("fasttext_training.py")), str(paths["settings.json"])]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise TokenmillError(f"training the classifier failed: {said} (with {dict(settings)}; a lower `lr` helps against NaN)")
        return paths["model.bin"].read_bytes()


def scores(model: fasttext.FastText._FastText, shown: Sequence[str]) -> np.ndarray:
    """float64[n]: the probability of the positive label for each line."""
    out = np.zeros(len(shown))
    for row, line in enumerate(shown):  # `predict` copies labels and breaks under NumPy 2 in some releases
        for probability, label in model.f.predict(line + "\n", 2, 0.0, "strict"):
            if label == _LABEL + POSITIVE:
                out[row] = min(probability, 1.0)
    return out


def open_model(file: PartFile) -> fasttext.FastText._FastText:
    """The model of a file; a process opens each only once."""
    return _open_model(file.folder.url, file.entry.name)


@lru_cache(maxsize=2)
def _open_model(url: str, name: str) -> fasttext.FastText._FastText:
    folder = Folder(url)
    if folder.is_local:
        return fasttext.load_model(folder.path(name))
    return model_of(folder.read(name))


def model_of(data: bytes) -> fasttext.FastText._FastText:
    """The model of a file's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(data)
        return fasttext.load_model(str(path))
