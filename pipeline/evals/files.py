"""The rows of an evaluation file: JSON lines, JSON, CSV, TSV, plain text, Parquet; all but Parquet also with .gz."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.evals.published import ANSWERS, FORMATS, PASSAGES, QUESTIONS

Rows = Iterator[tuple[str, Mapping[str, Any]]]


def rows_of_file(path: str) -> tuple[str, Rows]:
    """The name of a file, without folders, and (line, row) of each of its items; for JSON and Parquet the item's position.

    Raises SourceError, now or while rows are taken, naming a file that can't be read.
    """
    name = os.path.basename(path)
    kind = name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in KINDS:
        raise SourceError(f"{path}: evaluation files are {', '.join(KINDS)}, also with .gz; leave it out of evals")
    return name, _rows(path, kind)


def _rows(path: str, kind: str) -> Rows:
    try:
        with fsspec.open(path, "rb") as file:
            data = file.read()
        yield from ((str(place), row) for place, row in KINDS[kind](gzip.decompress(data) if path.endswith(".gz") else data))
    except (OSError, EOFError, ValueError, RecursionError, zlib.error, csv.Error, pa.ArrowException) as error:
        raise SourceError(f"{path} can't be read as {kind} ({error}): mend it, or leave it out of evals") from error


def _jsonl(data: bytes) -> Iterator[tuple[int, Any]]:
    """Lines end at "\\n": JSON may hold U+2028 and its like as they are."""
    return ((line, _row(json.loads(text))) for line, text in enumerate(data.decode("utf-8-sig").split("\n"), 1) if text.strip())


def _json(data: bytes) -> Iterator[tuple[int, Any]]:
    value = json.loads(data)
    return ((place, _row(item)) for place, item in enumerate(value if isinstance(value, list) else [value], 1))


def _txt(data: bytes) -> Iterator[tuple[int, Any]]:
    return ((line, _row(text)) for line, text in enumerate(data.decode("utf-8-sig").split("\n"), 1))


def _csv(data: bytes, delimiter: str = ",") -> Iterator[tuple[int, Any]]:
    """Rows by the line they start at; the columns are called "0", "1" and so on where the first row names none that we know."""
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    for row in reader:
        if line == 1 and _names_columns(row):
            header = [cell.strip() for cell in row]
        elif row:
            yield line, {header[k] if k < len(header) else str(k): cell for k, cell in enumerate(row)}
        line = reader.line_num + 1


def _names_columns(row: list[str]) -> bool:
    """Whether a first row names columns that we know; an item of a set without names may hold such words, as MMLU's answer "A"."""
    is_item = any(form.recognises({str(k): cell for k, cell in enumerate(row)}) for form in FORMATS)
    return not is_item and any(cell.strip().lower() in QUESTIONS | ANSWERS | PASSAGES for cell in row)


def _tsv(data: bytes) -> Iterator[tuple[int, Any]]:
    return _csv(data, "\t")


def _parquet(data: bytes) -> Iterator[tuple[int, Any]]:
    return enumerate(pq.read_table(pa.BufferReader(data)).to_pylist(), 1)


def _row(value: Any) -> Mapping[str, Any]:
    """An item that is no object is one text, or several: a question and what belongs to it."""
    return value if isinstance(value, dict) else {"question": value}


#: The reader of each kind of file, by its suffix.
KINDS: dict[str, Callable[[bytes], Iterator[tuple[int, Any]]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "tsv": _tsv,
    "txt": _txt,
    "parquet": _parquet,
}
