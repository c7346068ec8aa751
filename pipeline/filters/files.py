"""The files a filter is given by path: lists of words, evaluation sets."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence

import fsspec

from pipeline.errors import SourceError
from pipeline.storage import expand


def read_texts(paths: Sequence[str]) -> list[tuple[str, str]]:
    """(name, text) of every file behind paths, folders and globs, ".gz" undone, sorted by name and then by content.

    Names are without folders: what is made of the files doesn't depend on where they lie. Raises SourceError naming a
    file that can't be read, and StorageError naming a path where none is.
    """
    return sorted(_read(path) for path in (expand(paths) if paths else ()))


def _read(path: str) -> tuple[str, str]:
    try:
        with fsspec.open(path, "rb") as file:
            data = file.read()
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        return os.path.basename(path), data.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} can't be read as text in UTF-8 ({error}): replace it, or leave it out") from error
