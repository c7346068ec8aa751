"""tokenizer: a byte-level BPE trained on a sample in the recipe's proportions, or the user's own, and its evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import SourceError
from pipeline.job import Job
from pipeline.registry import Paths, stage
from pipeline.report import Report
from pipeline.storage import Folder, expand
from pipeline.survivors import survivors
from pipeline.tokens import order_keys
from tokenizer.encode import Encoder
from tokenizer.evaluate import Measure, table, train_reference, unused
from tokenizer.excerpts import Draw, Excerpt, parts_to_read
from tokenizer.special import CONFIG, Specials, config
from tokenizer.splits import MAX_DIGITS, Split
from tokenizer.train import train
from tokenizer.vocabulary import FILE, Vocabulary

#: One document in so many is held out of training, to evaluate on; so is one byte for so many trained on.
HOLD_OUT_ONE_IN = 11

_SAMPLE = pa.schema([("source", pa.string()), ("lang", pa.string()), ("text", pa.large_string())])


@stage("tokenizer", seeded=True, uses=("tokenizers", "unicode"))
def tokenizer(
    job: Job,
    *,
    shares: Mapping[str, Annotated[float, Field(ge=0)]],
    vocab_size: Annotated[int, Field(ge=300, lt=1 << 31)] = 16384,
    sample_bytes: Annotated[int, Field(gt=0)] = 20_000_000,
    split: Split = "gpt4",
    digits: Annotated[int, Field(ge=1, le=MAX_DIGITS)] = 2,
    min_frequency: Annotated[int, Field(ge=1)] = 2,
    eos_token: str = "<|endoftext|>",
    bos_token: str = "<|begin|>",
    pad_token: str = "<|pad|>",
    chat_roles: Sequence[str] = ("system", "user", "assistant", "tool"),
    chat_end: str = "<|end|>",
    reserved: Annotated[int, Field(ge=0)] = 5,
    reference: bool = True,
    file: Paths = (),
) -> Report:
    """Train a byte-level BPE on `sample_bytes` of what the sources keep, in `shares` of bytes, and evaluate it on other documents.

    `split` names the pieces that are never merged across: GPT-4's, with at most `digits` digits in one (3 is GPT-4's, 1 Qwen's;
    2 does best at 32k ids in nanochat's dev/LOG.md), or GPT-2's. `vocab_size` counts special tokens; up to 65536, ids take two
    bytes in the shards. `file` is a tokenizer.json to use instead, with its tokenizer_config.json if there is one; without,
    it must have `eos_token`. Writes tokenizer.json, tokenizer_config.json, and tokenizer.evaluation.json: by source and
    language, beside a `reference` vocabulary of the same size made by `ByteLevelBPETokenizer` with its defaults.
    """
    specials = Specials(eos_token, bos_token, pad_token, tuple(chat_roles), chat_end, reserved)
    training, held_out, report = _sample(job, shares, sample_bytes)
    if file:
        content, settings = _own(file, specials)
    else:
        content = train(_texts(training), vocab_size=vocab_size, split=split, digits=digits, specials=specials, min_frequency=min_frequency)
        settings = config(specials, Vocabulary.parse(content))
    plain = train_reference(_texts(training), vocab_size, specials.tokens()) if reference and not file else None
    kind = "the user's own" if file else f"byte-level BPE, {split}" + (f" with {digits} digits" if split == "gpt4" else "")
    found = {"kind": kind, "vocab_size_asked": vocab_size, **_evaluation(content, plain, training, held_out)}
    for name, data in ((FILE, content), (CONFIG, settings), ("tokenizer.evaluation.json", _json(found))):
        with job.create(name) as out:
            out.write(data)
    return report


def _sample(job: Job, shares: Mapping[str, float], size: int) -> tuple[pa.Table, pa.Table, Report]:
    """Excerpts to train on and excerpts of other documents to evaluate on, in proportion to the shares of the sources that have any."""
    there = {file.source for file in job.inputs.files("filter", "docs")}
    wanted = {source: share for source, share in sorted(shares.items()) if share > 0 and source in there}
    report = Report()
    drawn: list[list[tuple[str, Excerpt]]] = [[], []]
    for source, share in wanted.items():
        quota = round(size * share / sum(wanted.values()))
        for rows, draw in zip(drawn, _draw(job, source, quota, report), strict=True):
            rows += ((source, excerpt) for excerpt in draw.excerpts())
    if not drawn[0]:
        raise SourceError(f"tokenizer: none of the sources {', '.join(sorted(shares)) or '(none named)'} has text left to train on")
    return _table(drawn[0]), _table(drawn[1]), report


def _draw(job: Job, source: str, quota: int, report: Report) -> tuple[Draw, Draw]:
    """Draw from one source, for training and for evaluation."""
    training, held_out = Draw(quota), Draw(quota // (HOLD_OUT_ONE_IN - 1))
    for file in parts_to_read(job.inputs, source, quota):
        for batch in survivors(job.inputs, file, ["id", "lang", "text"]):
            ids = batch.column("id")
            keys = order_keys(ids, job.seed, "tokenizer")
            out = order_keys(ids, job.seed, "tokenizer", "held out") % np.uint64(HOLD_OUT_ONE_IN) == 0
            training.add(keys[~out], batch.filter(pa.array(~out)))
            held_out.add(keys[out], batch.filter(pa.array(out)))
            report.read[source] += len(ids)
            report.kept[source] += len(ids)
    for name, draw in (("bytes to train on", training), ("bytes held out", held_out)):
        report.count(source, name, sum(len(excerpt.text) for excerpt in draw.excerpts()))
    return training, held_out


def _table(rows: Sequence[tuple[str, Excerpt]]) -> pa.Table:
    columns = ([source for source, _ in rows], [row.lang for _, row in rows], [row.text.decode() for _, row in rows])
    return pa.Table.from_arrays([pa.array(column, field.type) for column, field in zip(columns, _SAMPLE, strict=True)], schema=_SAMPLE)


def _texts(sample: pa.Table) -> list[str]:
    return sample.column("text").to_pylist()  # type: ignore[no-any-return]


def _own(paths: Sequence[str], specials: Specials) -> tuple[bytes, bytes]:
    """The user's tokenizer.json as it is, and the tokenizer_config.json beside it, or one made of the names that were given."""
    named = {path.rpartition("/")[2]: path for path in expand(paths)}
    content_name = FILE if FILE in named else next((name for name in named if name != CONFIG), "")
    if not content_name:
        raise SourceError(f"tokenizer: no {FILE} among {', '.join(named.values())}")
    content = _read(named[content_name])
    vocabulary = Vocabulary.parse(content, named[content_name])
    if CONFIG in named:
        return content, _read(named[CONFIG])
    if specials.eos not in vocabulary.added:
        known = ", ".join(sorted(vocabulary.added)[:20]) or "none"
        raise SourceError(
            f"tokenizer: {named[content_name]} has no special token {specials.eos!r}; set eos_token to one of its own: {known}"
        )
    return content, config(specials, vocabulary)


def _read(path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    return Folder(folder or ".").read(name)


def _evaluation(content: bytes, plain: bytes | None, training: pa.Table, held_out: pa.Table) -> dict[str, Any]:
    """What tokenizer.evaluation.json says. A source without a held-out document is measured on what was trained on."""
    judged = pa.concat_tables([held_out, _of_others(training, held_out)])
    encoder = Encoder(content).checked(judged.column("text").combine_chunks())
    seen, by_source, by_language = Measure(encoder), Measure(encoder), Measure(encoder)
    seen.add(training, "source")
    by_source.add(judged, "source")
    by_language.add(judged, "lang")
    other = Measure(Encoder(plain)) if plain else None
    if other:
        other.add(judged, "source")
    seen.used += by_source.used
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "vocab_size": encoder.vocabulary.size,
        "unused_tokens": unused(seen),
        "not_restored": sum(found.not_restored for found in seen.groups.values()),
        "sampled_bytes": sum(found.bytes for found in seen.groups.values()),
        "sources": table(by_source, other),
        "languages": [{"language": name, **numbers} for name, numbers in table(by_language, None).items()],
    }


def _of_others(training: pa.Table, held_out: pa.Table) -> pa.Table:
    missing = pc.invert(pc.is_in(training.column("source"), value_set=pc.unique(held_out.column("source"))))
    return training.filter(missing)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
