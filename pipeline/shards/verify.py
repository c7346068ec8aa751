"""Is a packed dataset what its manifest says? Every file hashed, everything counted again from the bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.errors import ShardError, StorageError
from pipeline.shards.layout import SPLIT_LIST, Manifest, dataset_digest
from pipeline.shards.read import Dataset, ShardReader, open_dataset
from pipeline.shards.text import beside, speller_of
from pipeline.shards.write import buffers_of
from pipeline.storage import Folder
from tokenizer.vocabulary import FILE


@dataclass(frozen=True)
class Verification:
    """What was looked at, and every problem found, each naming its file."""

    shards: int
    rows: int
    tokens: int
    digest: str
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


def verify(folder: Folder) -> Verification:
    """Check a dataset's folder from its bytes alone; raises ShardError only when there is no manifest to check against, or one that

    contradicts itself.
    """
    dataset = open_dataset(folder)
    manifest = dataset.manifest
    problems = [*_whole(manifest), *_tokenizer(dataset), *(problem for shard in dataset.shards for problem in _shard(dataset, shard))]
    return Verification(len(manifest.shards), manifest.rows, manifest.tokens, manifest.digest, tuple(problems))


def _whole(manifest: Manifest) -> Iterator[str]:
    """The manifest's totals against its shards, the shares against the quotas."""
    if manifest.digest != dataset_digest([shard.sha256 for shard in manifest.shards]):
        yield "manifest.json: the digest is not that of its shards"
    if (manifest.rows, manifest.tokens) != (sum(s.rows for s in manifest.shards), sum(s.tokens for s in manifest.shards)):
        yield "manifest.json: rows or tokens are not the sums of its shards'"
    sums = sum((Counter(shard.sources) for shard in manifest.shards), Counter())
    for stream in manifest.sources:
        if sums[stream["source"]] != stream["quota"]:
            yield f"manifest.json: {sums[stream['source']]:,} tokens of {stream['source']}, its quota is {stream['quota']:,}"


def _tokenizer(dataset: Dataset) -> Iterator[str]:
    """The tokenizer beside the splits is the manifest's; a split that was taken elsewhere on its own may be without."""
    if any(beside(dataset).exists(name) for name in (FILE, SPLIT_LIST)):
        try:
            speller_of(dataset)
        except (ShardError, StorageError) as error:
            yield str(error)


def _shard(dataset: Dataset, shard: ShardReader) -> Iterator[str]:
    """A shard whose bytes are not those that were written is not looked into."""
    damage = list(shard.damage())
    if damage:
        yield from damage
        return
    name = shard.facts.file
    try:
        for problem in (*_layout(shard), *shard.disorder(), *_rows(shard, dataset.manifest.tokenizer.vocab_size), *_documents(shard)):
            yield f"{name}: {problem}"
    except (ShardError, StorageError, pa.ArrowInvalid) as error:
        yield f"{name}: {error}"


def _layout(shard: ShardReader) -> Iterator[str]:
    """Arrow's readers and those that map by offset see the same arrays."""
    with shard.folder.open(shard.facts.file) as file:
        if buffers_of(pa.py_buffer(file.read())) != shard.facts.buffers:
            yield "the manifest gives other places for its arrays than Arrow does"


def _rows(shard: ShardReader, vocab_size: int) -> Iterator[str]:
    found, facts = int(shard.array("seq_lengths").sum()), shard.facts
    if found != facts.tokens:
        yield f"{found:,} tokens; the manifest has other numbers"
    yield from _targets(shard)
    if facts.rows and shard.input_ids.max() >= vocab_size:
        yield f"id {int(shard.input_ids.max())} is beyond the tokenizer's {vocab_size}"


def _targets(shard: ShardReader) -> Iterator[str]:
    """What is learnt is as much as the manifest says, of each source too; never padding, never the first token of a piece."""
    if any(shard.disorder()):  # said elsewhere: nothing can be counted by pieces that can't be
        return
    learnt, facts = shard.learnt(0, shard.facts.rows), shard.facts
    if int(learnt.sum()) != facts.loss_tokens:
        yield f"{int(learnt.sum()):,} tokens are learnt; the manifest says {facts.loss_tokens:,}"
    filled = shard.filled(0, facts.rows)
    if (learnt & ~filled).any() or learnt[shard.piece_rows, shard.piece_starts].any():
        yield "its loss_mask has padding learnt, or the first token of a piece"
        return
    owners = np.repeat(shard.array("doc_index"), shard.array("seq_lengths"))[learnt[filled]]
    docs = shard.docs.append_column("learnt", pa.array(np.bincount(owners, minlength=shard.docs.num_rows)))
    sums = docs.group_by("source").aggregate([("learnt", "sum")])
    found = dict(zip(sums["source"].to_pylist(), sums["learnt_sum"].to_pylist(), strict=True))
    if facts.trained and found != facts.trained:
        yield f"learnt tokens by source are {found}, the manifest says {dict(facts.trained)}"


def _documents(shard: ShardReader) -> Iterator[str]:
    """The pieces of each document are all its tokens in this shard, each once; sources add up to the manifest's."""
    index, offset, length = (shard.array(name) for name in ("doc_index", "doc_offset", "seq_lengths"))
    docs = shard.docs
    if not np.array_equal(np.unique(index), np.arange(docs.num_rows)):
        yield f"its pieces name other documents than the {docs.num_rows:,} of {shard.facts.docs.file}"
        return
    order = np.lexsort((offset, index))
    begins, ends = offset[order].astype(np.int64), offset[order].astype(np.int64) + length[order]
    first, tokens = docs.column("first_token").to_numpy(), docs.column("tokens").to_numpy()
    opens = np.diff(index[order], prepend=-1) > 0
    closes = np.diff(index[order], append=docs.num_rows) > 0
    due = np.where(opens, first[index[order]], np.roll(ends, 1))
    wrong = (begins != due) | (closes & (ends != (first + tokens)[index[order]]))
    if wrong.any():
        document = shard.origin(int(index[order][wrong.argmax()]))
        yield f"the pieces of document {document.id} are not its tokens {document.first_token} to {document.first_token + document.tokens}"
    sums = docs.group_by("source").aggregate([("tokens", "sum")])
    found = dict(zip(sums["source"].to_pylist(), sums["tokens_sum"].to_pylist(), strict=True))
    if found != shard.facts.sources:
        yield f"tokens by source are {found}, the manifest says {dict(shard.facts.sources)}"
