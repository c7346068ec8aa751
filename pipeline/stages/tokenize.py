"""tokenize: each document that is kept as token ids, in the order in which a mix takes documents."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa

from pipeline.errors import StorageError
from pipeline.job import Job, PartFile
from pipeline.kernels.arrow import texts
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.schema import DOC_FACTS, TOKENIZED
from pipeline.storage import Folder
from pipeline.survivors import survivors
from pipeline.tokens import order_keys, write_tokens
from tokenizer.encode import Encoded, Encoder, framed
from tokenizer.special import CONFIG, special_id
from tokenizer.vocabulary import FILE


class _Opened(NamedTuple):
    """A tokenizer ready to encode, and the ids of its marks."""

    encoder: Encoder
    bos: int | None
    eos: int | None


@stage("tokenize", each="filter", seeded=True, uses=("tokenizers",))
def tokenize(job: Job, *, add_eos: bool = True, add_bos: bool = False) -> Report:
    """Encode a part's documents, each with the tokenizer's EOS behind it (and BOS before it), and sort them by their key.

    Special tokens that stand in a text are encoded as ordinary text. Writes {part}.tokens (TOKENIZED, see pipeline.tokens) and
    {part}.histogram. Counts bytes and tokens, and the documents whose encoding was left to the slower library.
    """
    opened = _tokenizer(job)
    bos, eos = _mark(opened.bos, add_bos, "bos_token"), _mark(opened.eos, add_eos, "eos_token")
    encoder, report, tables = opened.encoder, Report(), [TOKENIZED.empty_table()]
    for batch in survivors(job.inputs, job.own_part("filter", "docs"), [*DOC_FACTS, "text"]):
        if len(tables) == 1:
            encoder = opened.encoder.checked(batch.column("text"))
        encoded = framed(encoder.encode(batch.column("text")), bos=bos, eos=eos)
        tables.append(_rows(job, batch, encoded))
        _count(report, job.source, batch, encoded, slow=encoder.slow_because is not None)
    write_tokens(job, pa.concat_tables(tables))
    return report


def _tokenizer(job: Job) -> _Opened:
    files = {file.entry.name: file for file in job.inputs.files("tokenizer", "")}
    if FILE not in files or CONFIG not in files:
        raise StorageError(f"the tokenizer stage left no {FILE} and {CONFIG}: run it again")
    return _open(*_place(files[FILE]), *_place(files[CONFIG]))


def _place(file: PartFile) -> tuple[str, str, str]:
    return file.folder.url, file.entry.name, file.entry.sha256


@lru_cache(maxsize=2)
def _open(url: str, name: str, _sha256: str, config_url: str, config_name: str, _config_sha256: str) -> _Opened:
    """A worker opens a tokenizer once, and keeps the words it has met."""
    encoder = Encoder(Folder(url).read(name))
    settings = Folder(config_url).read(config_name)
    return _Opened(encoder, *(special_id(settings, encoder.vocabulary, use) for use in ("bos_token", "eos_token")))


def _mark(found: int | None, wanted: bool, use: str) -> int | None:
    if wanted and found is None:
        raise StorageError(f"tokenize: {CONFIG} names no {use}: name one there, or set add_{use[:3]} to false")
    return found if wanted else None


def _rows(job: Job, batch: pa.RecordBatch, encoded: Encoded) -> pa.Table:
    """The batch as TOKENIZED rows."""
    facts = {name: batch.column(name) for name in DOC_FACTS}
    columns = {
        **facts,
        "key": pa.array(order_keys(batch.column("id"), job.seed, "mix")),
        "n_tokens": pa.array(encoded.lengths),
        "ids": pa.LargeListArray.from_arrays(pa.array(encoded.offsets), pa.array(encoded.ids)),
    }
    return pa.table({name: columns[name] for name in TOKENIZED.names}).cast(TOKENIZED)


def _count(report: Report, source: str, batch: pa.RecordBatch, encoded: Encoded, *, slow: bool) -> None:
    offsets = texts(batch.column("text")).offsets
    report.read[source] += batch.num_rows
    report.kept[source] += batch.num_rows
    report.count(source, "bytes", int(offsets[-1] - offsets[0]))
    report.count(source, "tokens", len(encoded.ids))
    if slow:
        report.count(source, "documents encoded the slow way", batch.num_rows)
