"""tokenize: each document that is kept as token ids, in the order in which a mix takes documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import StorageError
from pipeline.job import Job, PartFile
from pipeline.kernels.arrow import texts
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.schema import DOC_FACTS, REJECT, TOKENIZED
from pipeline.stages.chats import Overlong, encode_chats, open_chats
from pipeline.storage import Folder
from pipeline.survivors import survivors
from pipeline.tokens import order_keys, tokenized, write_tokens
from tokenizer.conversations import ChatEncoder
from tokenizer.encode import Encoded, Encoder, framed
from tokenizer.infilling import DRAWS, Infilling, Marks, encode_infilled
from tokenizer.special import CONFIG, INFILLING, special_id
from tokenizer.vocabulary import FILE

Share = Annotated[float, Field(ge=0, le=1)]


class _Opened(NamedTuple):
    """A tokenizer ready to encode, and the ids of its marks."""

    encoder: Encoder
    bos: int | None
    eos: int | None
    infilling: Marks | None
    chats: Callable[[], ChatEncoder]


@stage("tokenize", version=4, each="filter", seeded=True, uses=("tokenizers",))
def tokenize(
    job: Job,
    *,
    add_eos: bool = True,
    add_bos: bool = False,
    infill: Mapping[str, Share] | None = None,
    infill_spm: Share = 0.5,
    overlong: Overlong | None = None,
    max_tokens: Annotated[int, Field(ge=1)] | None = None,
) -> Report:
    """Encode a part's documents, each with the tokenizer's EOS behind it (and BOS before it), and sort them by their key.

    `infill` gives sources a share of documents that are told for fill-in-the-middle ({code: .5}), `infill_spm` of them with the
    suffix first (see tokenizer.infilling). Special tokens that stand in a text are encoded as ordinary text.

    A conversation is written by the tokenizer's chat template, which alone says where BOS and EOS stand, with a mask of what is
    learnt: every answer and its end (see tokenizer.templates). One of more than `max_tokens` (the shortest row that it is packed
    into) is dropped, or loses its last turns until it fits, as `overlong` says. One that can't be written is dropped
    for a reason, one that would teach nothing or everything is an error with its id.

    Writes {part}.tokens (TOKENIZED, see pipeline.tokens), {part}.histogram and, of conversations, {part}.rejects (REJECT).
    Counts bytes and tokens, documents infilled, and those whose encoding was left to the slower library.
    """
    opened = _tokenizer(job)
    bos, eos = _mark(opened.bos, add_bos, "bos_token"), _mark(opened.eos, add_eos, "eos_token")
    encoder, report, tables, rejects = opened.encoder, Report(), [TOKENIZED.empty_table()], []
    checked = False
    how = _infilling(opened, (infill or {}).get(job.source, 0.0), infill_spm)
    for rows in survivors(job.inputs, job.own_part("filter", "docs"), [*DOC_FACTS, "text", "turns", "tools"]):
        spoken = pc.is_valid(rows.column("turns"))
        chats, batch = rows.filter(spoken), rows.filter(pc.invert(spoken))
        if chats.num_rows:
            table, dropped = encode_chats(job, opened.chats(), chats, report, overlong, max_tokens)
            tables.append(table)
            rejects.append(dropped)
        if not batch.num_rows:
            continue
        if not checked:
            checked = True
            encoder = opened.encoder.checked(batch.column("text"))
        encoded, infilled = _encode(job, encoder, batch, how)
        encoded = framed(encoded, bos=bos, eos=eos)
        if how is not None:
            report.count(job.source, "documents infilled", infilled)
        tables.append(tokenized(batch, job.seed, encoded.ids, encoded.offsets))
        _count(report, job.source, batch, encoded, slow=encoder.slow_because is not None)
    write_tokens(job, pa.concat_tables(tables))
    if rejects:
        with job.parquet("rejects", REJECT) as sink:
            for dropped in rejects:
                sink.write(dropped)
    return report


def _infilling(opened: _Opened, rate: float, spm: float) -> Infilling | None:
    """How a source is infilled; None where it isn't."""
    if rate == 0:
        return None
    if opened.infilling is None:
        raise StorageError(f"tokenize: `infill` needs the special tokens {', '.join(INFILLING)}, and this tokenizer has not all of them")
    return Infilling(rate, spm, opened.infilling)


def _encode(job: Job, encoder: Encoder, batch: pa.RecordBatch, how: Infilling | None) -> tuple[Encoded, int]:
    """The ids of a batch's texts, and how many of them are infilled."""
    if how is None:
        return encoder.encode(batch.column("text")), 0
    draws = [order_keys(batch.column("id"), job.seed, "infill", str(number)) for number in range(DRAWS)]
    return encode_infilled(batch.column("text"), np.stack(draws, axis=1), how, encoder.encode)


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
    found = [encoder.vocabulary.added.get(token) for token in INFILLING]
    marks = None if None in found else Marks(*(id_ for id_ in found if id_ is not None))
    bos, eos = (special_id(settings, encoder.vocabulary, use) for use in ("bos_token", "eos_token"))
    return _Opened(encoder, bos, eos, marks, cache(lambda: open_chats(encoder, settings)))


def _mark(found: int | None, wanted: bool, use: str) -> int | None:
    if wanted and found is None:
        raise StorageError(f"tokenize: {CONFIG} names no {use}: name one there, or set add_{use[:3]} to false")
    return found if wanted else None


def _count(report: Report, source: str, batch: pa.RecordBatch, encoded: Encoded, *, slow: bool) -> None:
    offsets = texts(batch.column("text")).offsets
    report.read[source] += batch.num_rows
    report.kept[source] += batch.num_rows
    report.count(source, "bytes", int(offsets[-1] - offsets[0]))
    report.count(source, "tokens", len(encoded.ids))
    if slow:
        report.count(source, "documents encoded the slow way", batch.num_rows)
