"""Two packed datasets side by side: what their manifests say, and which documents are in one of them alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.shards.layout import DOCS
from pipeline.shards.read import Dataset

#: Documents that are compared at a time; of more, those whose ids begin alike.
ROWS_AT_ONCE = 20_000_000
_HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Fact:
    """One thing that both datasets state."""

    name: str
    left: Any
    right: Any

    @property
    def same(self) -> bool:
        return bool(self.left == self.right)


@dataclass(frozen=True)
class Documents:
    """Documents of a source: in one dataset alone, in both with equal numbers of tokens, in both with others."""

    source: str
    only_left: int
    only_right: int
    same: int
    other_tokens: int


def facts(left: Dataset, right: Dataset) -> list[Fact]:
    """What the two manifests say, the digest first, tokens by source last."""
    found = [Fact(name, *(_stated(dataset)[name] for dataset in (left, right))) for name in _stated(left)]
    by_source = [_by_source(dataset) for dataset in (left, right)]
    sources = sorted({*by_source[0], *by_source[1]})
    return found + [Fact(f"tokens of {source}", *(tokens.get(source, 0) for tokens in by_source)) for source in sources]


def _stated(dataset: Dataset) -> dict[str, Any]:
    manifest = dataset.manifest
    names = ("digest", "seq_len", "dtype", "rows", "tokens")
    tokenizer = {"tokenizer": manifest.tokenizer.sha256, "vocabulary": manifest.tokenizer.vocab_size}
    return {**{name: getattr(manifest, name) for name in names}, "shards": len(manifest.shards), **tokenizer}


def _by_source(dataset: Dataset) -> dict[str, int]:
    names = {name for shard in dataset.manifest.shards for name in shard.sources}
    return {name: sum(shard.sources.get(name, 0) for shard in dataset.manifest.shards) for name in names}


def documents(left: Dataset, right: Dataset) -> list[Documents]:
    """Documents by source, told by their ids; tokens are those of all copies of a document, in all shards.

    Memory: some 100 bytes for each of ROWS_AT_ONCE documents.
    """
    counted: dict[str, list[int]] = {}
    for prefix in _prefixes(left, right):
        for source, *numbers in _counts(_tokens(left, prefix), _tokens(right, prefix)):
            known = counted.setdefault(source, [0, 0, 0, 0])
            counted[source] = [a + b for a, b in zip(known, numbers, strict=True)]
    return [Documents(source, *numbers) for source, numbers in sorted(counted.items())]


def _prefixes(*both: Dataset) -> list[str]:
    rows = sum(shard.facts.docs.rows for dataset in both for shard in dataset.shards)
    return [""] if rows <= ROWS_AT_ONCE else list(_HEX)


def _tokens(dataset: Dataset, prefix: str) -> pa.Table:
    """(source, id, tokens) of the documents whose ids begin with `prefix`."""
    schema = pa.schema([DOCS.field(name) for name in ("source", "id", "tokens")])
    tables = [schema.empty_table()]
    for shard in dataset.shards:
        table = shard.folder.table(shard.facts.docs.file, schema.names)
        tables.append(table.filter(pc.starts_with(table["id"], prefix)))
    return pa.concat_tables(tables).group_by(["source", "id"]).aggregate([("tokens", "sum")])


def _counts(left: pa.Table, right: pa.Table) -> Iterator[tuple[str, int, int, int, int]]:
    """(source, only left, only right, same, other tokens)."""
    joined = left.join(right, ["source", "id"], join_type="full outer", right_suffix="_right")
    here, there = joined["tokens_sum"], joined["tokens_sum_right"]
    both = pc.and_(here.is_valid(), there.is_valid())
    equal = pc.fill_null(pc.equal(here, there), False)
    columns = {
        "source": joined["source"],
        "only_left": there.is_null(),
        "only_right": here.is_null(),
        "same": pc.and_(both, equal),
        "other": pc.and_(both, pc.invert(equal)),
    }
    kinds = [name for name in columns if name != "source"]
    ones = pa.table({name: column if name == "source" else column.cast(pa.int64()) for name, column in columns.items()})
    for row in ones.group_by("source").aggregate([(name, "sum") for name in kinds]).to_pylist():
        yield row["source"], *(row[f"{name}_sum"] for name in kinds)
