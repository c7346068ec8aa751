"""Packing: each shard gathers its documents, fills rows with them and says where every row comes from.

A task makes one shard: its rows, its provenance, and a small `TASK.shard.json` from which the manifests are made when all
shards are there. Rows are ordered by hashes of what they hold, so a shard's bytes depend on nothing but the plan.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.contracts import Task
from pipeline.errors import ShardError
from pipeline.job import Inputs, Job, TaskResult
from pipeline.kernels.packing import Packing, copy_keys, fill
from pipeline.kernels.packing import pack as pack_rows
from pipeline.mixing import Span, Stream
from pipeline.registry import NotIdentity, stage
from pipeline.report import Report
from pipeline.shards.gather import Documents, gather
from pipeline.shards.layout import DOCS, SPLITS, DocsFile, Manifest, Shard, Tokenizer, data_name, dataset_digest, docs_name, token_dtype
from pipeline.shards.write import buffers_of, shard_bytes, write_dataset_files, write_split_list
from pipeline.storage import Folder
from pipeline.writing import FileEntry
from tokenizer.special import CONFIG, special_id
from tokenizer.vocabulary import FILE, Vocabulary

ALGORITHM = "best-fit decreasing, documents longer than a row split into rows"
Flags = npt.NDArray[np.bool_]
#: There is always a first shard of the training pool; its task does what is done once.
FIRST = "train-00000"
RowLength = Annotated[int, Field(ge=1, le=1 << 22)]


def shard_tasks(inputs: Inputs, _args: Mapping[str, Any]) -> list[Task]:
    """One task per shard of the mix's plan: "train-00000" ..."""
    plan = json.loads(inputs.files("mix", "plan")[0].read())

    def payload(split: str, pool: Mapping[str, Any], number: int) -> dict[str, Any]:
        place = {"split": split, "number": number, "of": len(pool["shards"])}
        return {**place, "sources": pool["sources"], "spans": pool["shards"][number], "masked": plan["masked"]}

    return [
        Task(f"{split}-{number:05d}", payload(split, pool, number))
        for split, pool in plan["pools"].items()
        for number in range(len(pool["shards"]))
    ]


def write_manifests(folder: Folder, results: list[TaskResult], args: Mapping[str, Any]) -> list[FileEntry]:
    """Make each folder of shards a dataset, once all shards are there."""
    names = [entry.name for result in results for entry in result.files if entry.kind == "shard"]
    facts = sorted((folder.read_json(name) for name in names), key=lambda made: made["number"])
    manifests = [_manifest(split, [made for made in facts if made["split"] == split], args) for split in SPLITS]
    written = [entry for manifest in manifests for entry in write_dataset_files(folder, manifest)]
    return [*written, write_split_list(folder, SPLITS)]


@stage("pack", version=3, tasks=shard_tasks, finish=write_manifests, seeded=True)
def pack(
    job: Job,
    *,
    seq_len: RowLength = 2048,
    window: Annotated[int, Field(ge=1)] = 32_768,
    also: Annotated[Sequence[RowLength], NotIdentity] = (),  # noqa: ARG001 - read by the plan, which packs these too
) -> Report:
    """Pack one shard: rows of `seq_len` tokens, filled best-fit decreasing in windows of about `window` documents.

    A document longer than a row is split; a conversation never is (see `overlong` of tokenize), and with it goes which of its
    tokens are learnt.

    `also` lists other lengths: the same mix is packed once more for each, in a stage of its own (pack-8192).
    """
    todo = job.task.payload
    streams = {stream["source"]: Stream.from_json(stream) for stream in todo["sources"]}
    parts = {source: [file for file in job.inputs.files("tokenize", "tokens") if file.source == source] for source in streams}
    documents = gather(parts, streams, [Span.from_json(span) for span in todo["spans"]], seq_len)
    _check_whole(documents, seq_len)
    keys = copy_keys(documents.keys, documents.numbers("epoch"))
    sources = pc.index_in(documents.facts.column("source"), pa.array(sorted(streams))).to_numpy()
    packing = pack_rows(documents.numbers("tokens"), keys, sources.astype(np.int64), seq_len, window)
    tokenizer = read_tokenizer(job.inputs)
    docs = _write_docs(job, documents)
    if job.task.name == FIRST:
        _copy_tokenizer(job)
    rows, learnt = _filled(documents, packing, seq_len, tokenizer), _learnt(documents, packing, seq_len)
    facts = {
        "split": todo["split"],
        "number": todo["number"],
        "shard": asdict(_write_rows(job, documents, packing, rows, learnt, docs)),
        "counts": _counts(documents, seq_len),
        "tokenizer": asdict(tokenizer),
        "sources": todo["sources"],
        "seed": job.seed,
    }
    job.write("shard", "json", json.dumps(facts).encode())
    return _report(documents)


def _filled(documents: Documents, packing: Packing, seq_len: int, tokenizer: Tokenizer) -> np.ndarray:
    """The rows' ids; what no document fills holds the padding id, or 0 where the tokenizer has none."""
    largest = int(documents.ids.max(initial=0))
    if largest >= tokenizer.vocab_size:
        raise ShardError(f"id {largest} is beyond the tokenizer's {tokenizer.vocab_size}: the parts belong to another tokenizer; run again")
    rows = np.full((packing.rows, seq_len), tokenizer.pad_id or 0, token_dtype(tokenizer.vocab_size))
    fill(rows, packing, documents.ids, documents.starts)
    return rows


def _learnt(documents: Documents, packing: Packing, seq_len: int) -> Flags:
    """Which positions of the rows are targets: what the documents' masks say, but for the first token of each piece, and padding."""
    learnt = np.zeros((packing.rows, seq_len), np.uint8)
    fill(learnt, packing, documents.learnt.astype(np.uint32), documents.starts)
    rows = np.repeat(np.arange(packing.rows), np.diff(packing.row_starts))
    ends = np.cumsum(packing.length)
    learnt[rows, ends - packing.length - (ends - packing.length)[packing.row_starts[rows]]] = 0
    return learnt.astype(np.bool_)


def _check_whole(documents: Documents, seq_len: int) -> None:
    """No conversation is longer than a row: it would be split."""
    counted = np.concatenate([[0], np.cumsum(~documents.learnt)])
    lengths = documents.numbers("tokens")
    masked = counted[documents.starts + lengths] > counted[documents.starts]
    if (too_long := masked & (documents.numbers("n_tokens") > seq_len)).any():
        first = documents.facts.slice(int(too_long.argmax()), 1).to_pylist()[0]
        raise ShardError(
            f"conversation {first['id']} of {first['source']} has {first['n_tokens']:,} tokens and a row {seq_len:,}: say what becomes of"
            " such ones with `tokenize: {overlong: drop}` (or truncate), or give `pack` longer rows"
        )


def _write_docs(job: Job, documents: Documents) -> DocsFile:
    name = docs_name(job.task.payload["number"])
    facts = documents.facts.add_column(0, DOCS.field("doc_index"), pa.array(np.arange(documents.facts.num_rows)))
    with job.folder.parquet(f"{job.task.payload['split']}/{name}", DOCS) as sink:
        for batch in facts.cast(DOCS).combine_chunks().to_batches():
            sink.write(batch)
    entry = sink.entry()
    job.written.append(entry)
    return DocsFile(name, entry.rows, entry.bytes, entry.sha256)


def _write_rows(job: Job, documents: Documents, packing: Packing, rows: np.ndarray, learnt: Flags, docs: DocsFile) -> Shard:
    offset = documents.numbers("first_token")[packing.document] + packing.offset
    columns = {"seq_lengths": packing.length, "doc_index": packing.document, "doc_offset": offset}
    data = shard_bytes(rows, packing.row_starts, columns, learnt if job.task.payload["masked"] else None)
    name = data_name(job.task.payload["number"], job.task.payload["of"])
    path = f"{job.task.payload['split']}/{name}"
    with job.folder.create(path) as file:
        file.write(data)
    entry = file.entry(path, packing.rows)
    job.written.append(entry)
    return Shard(
        file=name,
        rows=packing.rows,
        tokens=int(packing.length.sum()),
        pieces=packing.pieces,
        loss_tokens=int(learnt.sum()),
        bytes=entry.bytes,
        sha256=entry.sha256,
        buffers=buffers_of(data),
        sources=_tokens_by_source(documents),
        docs=docs,
        trained=_trained_by_source(documents, packing, learnt),
    )


def _trained_by_source(documents: Documents, packing: Packing, learnt: Flags) -> dict[str, int]:
    """The targets of each source."""
    filled = np.arange(learnt.shape[1]) < np.add.reduceat(packing.length, packing.row_starts[:-1])[:, None] if packing.rows else learnt
    codes = pc.dictionary_encode(documents.facts.column("source").combine_chunks())
    names = codes.dictionary.to_pylist()
    owners = np.repeat(codes.indices.to_numpy()[packing.document], packing.length)
    return dict(sorted(zip(names, np.bincount(owners[learnt[filled]], minlength=len(names)).tolist(), strict=True)))


def _tokens_by_source(documents: Documents) -> dict[str, int]:
    sums = documents.facts.group_by("source").aggregate([("tokens", "sum")])
    return dict(sorted(zip(sums["source"].to_pylist(), sums["tokens_sum"].to_pylist(), strict=True)))


def _counts(documents: Documents, seq_len: int) -> dict[str, int]:
    """Documents that begin in this shard, those of them longer than a row, and the tokens of all of them, whole."""
    lengths = documents.numbers("n_tokens")[documents.numbers("first_token") == 0]
    return {"documents": len(lengths), "documents_split": int((lengths > seq_len).sum()), "document_tokens": int(lengths.sum())}


def _manifest(split: str, facts: list[dict[str, Any]], args: Mapping[str, Any]) -> Manifest:
    shards = [Shard.from_json(made["shard"]) for made in facts]
    tokenizer = Tokenizer(**facts[0]["tokenizer"])
    rows, tokens = sum(shard.rows for shard in shards), sum(shard.tokens for shard in shards)
    counts = sum((Counter(made["counts"]) for made in facts), Counter())
    packing = {
        "algorithm": ALGORITHM,
        "window": args["window"],
        "seed": facts[0]["seed"],
        "fill": tokens / (rows * args["seq_len"]) if rows else 1.0,
        "pieces": sum(shard.pieces for shard in shards),
        "documents": counts["documents"],
        "documents_split": counts["documents_split"],
        "tokens_beyond_quota": counts["document_tokens"] - tokens,
    }
    return Manifest(
        split=split,
        digest=dataset_digest([shard.sha256 for shard in shards]),
        seq_len=args["seq_len"],
        dtype=token_dtype(tokenizer.vocab_size),
        rows=rows,
        tokens=tokens,
        tokenizer=tokenizer,
        packing=packing,
        sources=facts[0]["sources"],
        shards=shards,
    )


def _report(documents: Documents) -> Report:
    """Documents are counted in the shard in which their first copy begins, all copies where they begin, tokens where they are."""
    report = Report()
    begins = documents.facts.filter(pc.equal(documents.facts.column("first_token"), 0))
    for source, copies in _by_source(begins).items():
        report.count(source, "copies", copies)
    for source, first_copies in _by_source(begins.filter(pc.equal(begins.column("epoch"), 0))).items():
        report.read[source] = report.kept[source] = first_copies
    for source, tokens in _tokens_by_source(documents).items():
        report.count(source, "tokens", tokens)
    return report


def _by_source(rows: pa.Table) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in rows.column("source").value_counts().to_pylist()}


def read_tokenizer(inputs: Inputs) -> Tokenizer:
    """What a manifest says of the tokenizer: the hash of its file, the size of its vocabulary, its special tokens."""
    (folder,) = (stage.folder for stage in inputs.roles["tokenizer"])
    content, config = folder.read(FILE), folder.read(CONFIG)
    vocabulary = Vocabulary.parse(content, folder.path(FILE))
    sha256 = hashlib.sha256(content).hexdigest()
    return Tokenizer(
        name=f"bpe-{vocabulary.size}-{sha256[:8]}",
        sha256=sha256,
        vocab_size=vocabulary.size,
        special_ids=dict(vocabulary.added),
        bos_id=special_id(config, vocabulary, "bos_token"),
        eos_id=special_id(config, vocabulary, "eos_token"),
        pad_id=special_id(config, vocabulary, "pad_token"),
    )


def _copy_tokenizer(job: Job) -> None:
    """Put the tokenizer beside the splits, so that the shards can be read wherever they are copied."""
    (folder,) = (stage.folder for stage in job.inputs.roles["tokenizer"])
    job.written.extend(job.folder.write(name, folder.read(name)) for name in (FILE, CONFIG))
