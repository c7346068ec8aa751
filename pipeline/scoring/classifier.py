"""A fastText classifier of documents: how it is trained, and how the model that a stage left is opened."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import fasttext

from pipeline.classifying import LABEL_MARK, model_of
from pipeline.errors import TokenmillError
from pipeline.job import PartFile
from pipeline.storage import Folder


def train(examples: Iterable[tuple[str, str]], settings: Mapping[str, Any]) -> bytes:
    """The model file that a fresh process makes of (label, line) examples, in the order given; the same bytes each time.

    `settings` are fastText's. Raises TokenmillError with the last line the process said when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("examples.txt", "model.bin", "settings.json")}
        paths["examples.txt"].write_text("".join(f"{LABEL_MARK}{label} {line}\n" for label, line in examples), "utf-8")
        given = {**settings, "input": str(paths["examples.txt"]), "output": str(paths["model.bin"])}
        paths["settings.json"].write_text(json.dumps(given), "utf-8")
        program = [sys.executable, "-P", str(Path(__file__).with_name("fasttext_training.py")), str(paths["settings.json"])]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise TokenmillError(f"training the classifier failed: {said} (with {dict(settings)}; a lower `lr` helps against NaN)")
        return paths["model.bin"].read_bytes()


def open_model(file: PartFile) -> fasttext.FastText._FastText:
    """The model of a file; a process opens each only once."""
    return _open_model(file.folder.url, file.entry.name)


@lru_cache(maxsize=2)
def _open_model(url: str, name: str) -> fasttext.FastText._FastText:
    folder = Folder(url)
    if folder.is_local:
        return fasttext.load_model(folder.path(name))
    return model_of(folder.read(name))
