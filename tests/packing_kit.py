"""Tokenized sources made up for tests of mixing, packing and shards: every token tells its document and its place in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.job import Committed, Inputs, Job, TaskResult
from pipeline.report import Report
from pipeline.schema import TOKENIZED, document_id
from pipeline.storage import Folder
from pipeline.tokens import order_keys, write_tokens
from pipeline.worker import LocalStage

VOCABULARY = 1000


def ids_of(name: str, length: int) -> np.ndarray:
    """The tokens of a document: they follow from its id and their number."""
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")
    return ((seed + np.arange(length, dtype=np.uint64) * 7919) % (VOCABULARY - 4) + 4).astype(np.uint32)


def lognormal(count: int, mean: float = 100, seed: int = 0) -> list[int]:
    """Lengths like those of web pages, around a mean."""
    return (np.random.default_rng(seed).lognormal(np.log(mean) - 0.5, 1.0, count).astype(int) + 1).tolist()


def rows_of(source: str, lengths: Sequence[int], first: int = 0) -> pa.Table:
    names = [document_id(source, str(first + number)) for number in range(len(lengths))]
    values = np.concatenate([np.zeros(0, np.uint32), *(ids_of(name, length) for name, length in zip(names, lengths, strict=True))])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = {
        "key": pa.array(order_keys(pa.array(names, pa.string()), 0, "mix"), pa.uint64()),
        "id": pa.array(names, pa.string()),
        "source": pa.array([source] * len(names), pa.string()),
        "url": pa.array([f"https://{source}.example/{number}" for number in range(len(names))], pa.string()),
        "licence": pa.array(["CC0"] * len(names), pa.string()),
        "n_tokens": pa.array(lengths, pa.int64()),
        "n_trained": pa.array([max(length - 1, 0) for length in lengths], pa.int64()),
        "mask": pa.nulls(len(names), TOKENIZED.field("mask").type),
        "ids": pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)),
    }
    missing = {name: pa.nulls(len(names), pa.string()) for name in ("lang", "date", "meta")}
    return pa.table({**columns, **missing}).select(TOKENIZED.names).cast(TOKENIZED)


def tokenized(out: Folder, sources: Mapping[str, Sequence[int]], parts: int = 3) -> list[Committed]:
    """A committed tokenize stage per source, its documents of the given lengths dealt over parts."""
    stages = []
    for source, lengths in sources.items():
        folder, results = out.sub(f"tokenize-{source}"), []
        rows = rows_of(source, lengths)
        for part in range(parts):
            job = Job(Task(f"{source}-{part:05d}"), Inputs({}), folder)
            write_tokens(job, rows.take(pa.array(range(part, len(lengths), parts), pa.int64())))
            results.append(TaskResult(job.task.name, tuple(job.written), Report()))
        stages.append(committed(folder, f"tokenize-{source}", results))
    return stages


def committed(folder: Folder, name: str, results: Sequence[TaskResult]) -> Committed:
    return Committed(folder, {"stage": name, "fingerprint": "test", "tasks": [result.to_json() for result in results], "finished": []})


def tokenizer(out: Folder, vocabulary: int = VOCABULARY) -> Committed:
    """A tokenizer whose tokens are the words w3, w4 ...; the first three ids are special."""
    special = ["<|bos|>", "<|eos|>", "<|pad|>"]
    words = {name: number for number, name in enumerate([*special, *(f"w{number}" for number in range(3, vocabulary))])}
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [{"id": words[name], "content": name, "special": True, **plain} for name in special]
    content = {"version": "1.0", "added_tokens": added, "model": {"type": "BPE", "vocab": words, "merges": []}}
    config = {"bos_token": special[0], "eos_token": special[1], "pad_token": special[2]}
    folder = out.sub("tokenizer")
    files = [
        folder.write(name, json.dumps(value).encode()) for name, value in (("tokenizer.json", content), ("tokenizer_config.json", config))
    ]
    return committed(folder, "tokenizer", [TaskResult("tokenizer", tuple(files), Report())])


class Line:
    """A run from tokenized sources to shards, in a folder."""

    def __init__(self, path: Path, sources: Mapping[str, Sequence[int]], parts: int = 3) -> None:
        self.out = Folder(str(path))
        self.stages = LocalStage(self.out)
        self.tokenized = tokenized(self.out, sources, parts)
        self.tokenizer = tokenizer(self.out)
        self.sources = sources

    def mix(self, shares: Mapping[str, float], max_epochs: Mapping[str, float] | None = None, **args: Any) -> Committed:
        settings = {"shares": shares, "max_epochs": max_epochs or {}, "holdout": 0.0, **args}
        return self.stages.run("mix", {"tokenize": self.tokenized}, **settings)

    def plan(self) -> dict[str, Any]:
        return self.out.read_json("mix/mix.plan.json")["pools"]

    def pack(self, seq_len: int = 128, **args: Any) -> Committed:
        inputs = {"tokenize": self.tokenized, "mix": self.stages.committed["mix"], "tokenizer": self.tokenizer}
        return self.stages.run("pack", inputs, seq_len=seq_len, **args)

    def pack_inputs(self) -> Inputs:
        return Inputs({"tokenize": tuple(self.tokenized), "mix": (self.stages.committed["mix"],), "tokenizer": (self.tokenizer,)})

    @property
    def train(self) -> Folder:
        return self.out.sub("pack/train")
