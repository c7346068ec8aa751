"""The documents that filters are measured on: web pages of the development corpus, or a folder of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text

from pipeline.schema import DOC, conform

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def pages() -> Iterator[tuple[str, str]]:
    """(text, address) of the corpus's web pages, their main text."""
    for path in sorted((CORPUS / "web").glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                text = extract_plain_text(record.reader.read().decode("utf-8", "replace"), main_content=True)
                yield text, record.headers.get("WARC-Target-URI", "")


def parquet_texts(folder: Path) -> Iterator[tuple[str, str]]:
    """(text, address) of every row of the files below `folder` that have a column `text`."""
    for path in sorted(folder.glob("**/*.parquet")) if folder.is_dir() else [folder]:
        names = pq.read_schema(path).names
        if "text" in names:
            table = pq.read_table(path, columns=[name for name in ("text", "url") if name in names])
            urls = table.column("url").to_pylist() if "url" in names else [""] * table.num_rows
            yield from zip(table.column("text").to_pylist(), urls, strict=True)


def documents(texts: Iterator[tuple[str, str]], megabytes: float) -> pa.RecordBatch:
    """The first documents, up to so many MB."""
    rows, size = [], 0
    for text, url in texts:
        if size >= megabytes * 1e6:
            break
        if text:
            rows.append({"id": str(len(rows)), "text": text, "source": "bench", "url": url or None})
            size += len(text.encode())
    return pa.RecordBatch.from_pylist(rows, schema=DOC)


def one_document(text: str) -> pa.RecordBatch:
    """A batch of a single document."""
    columns = [pa.array(values, pa.large_string()) for values in (["0"], [text], ["bench"])]
    return conform(pa.RecordBatch.from_arrays(columns, names=["id", "text", "source"]), DOC)


def size_of(docs: pa.RecordBatch) -> int:
    """Bytes of text."""
    return int(pc.sum(pc.binary_length(docs.column("text"))).as_py() or 0)
