"""tokenizer: a byte-level BPE trained on a sample in the recipe's proportions, or the user's own, and its evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import SourceError, StorageError
from pipeline.job import Job
from pipeline.registry import Paths, stage
from pipeline.report import Report, merged
from pipeline.storage import Folder, expand
from tokenizer.counts import put_together
from tokenizer.encode import Encoder
from tokenizer.evaluate import Measure, table, train_reference, unused
from tokenizer.special import CONFIG, Specials, config, special_id, with_template
from tokenizer.splits import MAX_DIGITS, Split
from tokenizer.templates import ChatTemplate, read_template
from tokenizer.train import tokens_within, train_on_counts
from tokenizer.vocabulary import FILE, Vocabulary

#: Where newer tokenizers keep their chat template.
JINJA = "chat_template.jinja"
Share = Annotated[float, Field(ge=0)]


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    """What is known to fail before a document is read."""
    found = ["`shares` add up to nothing: give a source more than 0"] if args["shares"] and not any(args["shares"].values()) else []
    try:
        if not args["file"]:
            tokens_within(args["vocab_size"], _specials(args))
    except StorageError as error:
        found.append(str(error))
    return found


def _specials(args: Mapping[str, Any]) -> Specials:
    names = ("eos_token", "bos_token", "pad_token", "chat_roles", "chat_end", "reserved")
    return replace(Specials(*(args[name] for name in names)), chat=args["chat"] or "roles")


@stage("tokenizer", version=3, uses=("tokenizers", "unicode"), check=_mistakes)
def tokenizer(
    job: Job,
    *,
    vocab_size: Annotated[int, Field(ge=300, lt=1 << 31)] = 16384,
    sample_bytes: Annotated[int, Field(gt=0)] = 20_000_000,  # noqa: ARG001 - read by `excerpts`, which is given it by the plan, as is the next
    shares: Mapping[str, Share] | None = None,  # noqa: ARG001
    split: Split = "gpt4",
    digits: Annotated[int, Field(ge=1, le=MAX_DIGITS)] = 2,
    min_frequency: Annotated[int, Field(ge=1)] = 2,
    max_pieces: Annotated[int, Field(ge=1)] = 20_000_000,
    eos_token: str = "<|endoftext|>",
    bos_token: str = "<|begin|>",
    pad_token: str = "<|pad|>",
    chat_roles: Sequence[str] = ("system", "user", "assistant", "tool"),
    chat_end: str = "<|end|>",
    chat: Literal["roles", "chatml", "llama3"] | None = None,
    chat_template: Paths = (),
    reserved: Annotated[int, Field(ge=0)] = 5,
    reference: bool = True,
    file: Paths = (),
) -> Report:
    """Train a byte-level BPE on `sample_bytes` of what the sources keep, in `shares` of bytes, and evaluate it on other documents.

    `shares` are those of the recipe, or others. `split` names the pieces that are never merged across: GPT-4's, with at most
    `digits` digits in one (3 is GPT-4's, 1 Qwen's; 2 does best at 32k ids in nanochat's dev/LOG.md), or GPT-2's. `vocab_size`
    counts special tokens; up to 65536, ids take two bytes in the shards. `file` is a tokenizer.json to use instead, with its
    tokenizer_config.json if there is one; without, it must have `eos_token`. `from` names another run in the same folder, whose
    tokenizer it is then.

    Chats are written by the built-in template that `chat` names, or by the Jinja of `chat_template` (a file, or a
    tokenizer_config.json); with neither, by the one that the tokenizer has, `roles` for one that is trained here.

    Memory follows from the number of different pieces, up to 500 bytes for each, not from `sample_bytes`. Beyond `max_pieces`
    (10 GB) the rarest are left out, and the evaluation says so. The library trains the reference on 128 MiB at most.

    Writes tokenizer.json, tokenizer_config.json, and tokenizer.evaluation.json: by source and language, beside a `reference`
    vocabulary of the same size that `ByteLevelBPETokenizer` makes, with its defaults, of what is kept of the sample as text.
    """
    specials = Specials(eos_token, bos_token, pad_token, tuple(chat_roles), chat_end, reserved, chat=chat or "roles")
    facts: dict[str, Any] = {"kind": "the user's own", "vocab_size_asked": vocab_size}
    if file:
        content, settings = _own(file, specials)
        settings = _chatting(settings, Vocabulary.parse(content), specials, chat)
    else:
        counted, least = put_together(job.inputs.files("pieces", "pieces"), max_pieces)
        facts |= {"kind": _kind(split, digits), "pieces": int(counted.counts.sum()), "different_pieces": len(counted.counts)}
        facts |= {"left_out_below": least} if least > 1 else {}
        content = train_on_counts(
            counted, vocab_size=vocab_size, split=split, digits=digits, specials=specials, min_frequency=min_frequency
        )
        settings = config(specials, Vocabulary.parse(content))
    settings = _templated(settings, Vocabulary.parse(content), chat_template)
    training, held_out = _shown(job, held_out=False), _shown(job, held_out=True)
    plain = train_reference(training.column("text").to_pylist(), vocab_size, specials.tokens()) if reference and not file else None
    sampled = _sampled(job)
    facts |= {"sampled_bytes": sum(sampled.values()), **_evaluation(content, plain, training, held_out)}
    for source, numbers in facts["sources"].items():
        numbers["trained_on_bytes"] = sampled.get(source, 0)
    for name, data in ((FILE, content), (CONFIG, settings), ("tokenizer.evaluation.json", _json(facts))):
        with job.create(name) as out:
            out.write(data)
    return Report()


def _kind(split: Split, digits: int) -> str:
    return f"byte-level BPE, {split}" + (f" with {digits} digits" if split == "gpt4" else "")


def _sampled(job: Job) -> dict[str, int]:
    """The bytes of each source that were counted."""
    counted = merged(stage.report for stage in job.inputs.roles["pieces"]).counts
    return {source: size for (source, name), size in sorted(counted.items()) if name == "bytes to train on" and size}


def _shown(job: Job, *, held_out: bool) -> pa.Table:
    """The excerpts that are trained on, or held out, as they stand in the texts; in one order, whatever parts they come from."""
    files = job.inputs.files("pieces", "shown")
    mine = pc.equal(pc.field("held_out"), held_out)
    table = pa.concat_tables(file.table().filter(mine) for file in files)
    return table.sort_by([(name, "ascending") for name in ("source", "place", "id")])


def _own(paths: Sequence[str], specials: Specials) -> tuple[bytes, bytes]:
    """The user's tokenizer.json as it is, and the tokenizer_config.json beside it, or one made of the names that were given."""
    named = {path.rpartition("/")[2]: path for path in expand(paths)}
    content_name = FILE if FILE in named else next((name for name in named if name != CONFIG), "")
    if not content_name:
        raise SourceError(f"tokenizer: no {FILE} among {', '.join(named.values())}")
    content = _read(named[content_name])
    vocabulary = Encoder(content, named[content_name]).vocabulary
    if CONFIG in named:
        settings = _read(named[CONFIG])
        for use in ("bos_token", "eos_token", "pad_token"):
            special_id(settings, vocabulary, use)
        return content, with_template(settings, _read(named[JINJA]).decode()) if JINJA in named else settings
    if specials.eos not in vocabulary.added:
        known = ", ".join(sorted(vocabulary.added)[:20]) or "none"
        raise SourceError(
            f"tokenizer: {named[content_name]} has no special token {specials.eos!r}; set eos_token to one of its own: {known}"
        )
    return content, config(specials, vocabulary)


def _chatting(settings: bytes, vocabulary: Vocabulary, specials: Specials, chat: str | None) -> bytes:
    """The settings of a user's tokenizer with the built-in template that is asked for; it must have that's special tokens."""
    if chat is None:
        return settings
    if lacking := [token for token in specials.speaking() if token not in vocabulary.added]:
        raise SourceError(f"tokenizer: chat {chat!r} needs special tokens that the tokenizer hasn't ({', '.join(lacking)})")
    return with_template(settings, specials.chat_template())


def _templated(settings: bytes, vocabulary: Vocabulary, paths: Sequence[str]) -> bytes:
    """The settings with the template of a file, tried before a conversation is met."""
    files = expand(paths)
    if len(files) > 1:
        raise SourceError(f"tokenizer: chat_template names {len(files)} files, and one is used: {', '.join(files)}")
    for path in files:
        source = read_template(_read(path), path)
        ChatTemplate(source, path, list(vocabulary.added), {})
        settings = with_template(settings, source)
    return settings


def _read(path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    return Folder(folder or ".").read(name)


def _evaluation(content: bytes, plain: bytes | None, training: pa.Table, held_out: pa.Table) -> dict[str, Any]:
    """What tokenizer.evaluation.json says. A source without a held-out document is measured on what was trained on."""
    judged = pa.concat_tables([held_out, _of_others(training, held_out)])
    encoder = Encoder(content).checked(judged.column("text").combine_chunks())
    seen = Measure(encoder)
    seen.add(training, "source")
    by_source, by_language = (_measured(encoder, judged, by) for by in ("source", "lang"))
    others = [_measured(Encoder(plain), judged, by) if plain else None for by in ("source", "lang")]
    seen.used += by_source.used
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "vocab_size": encoder.vocabulary.size,
        "unused_tokens": unused(encoder.vocabulary, seen.used > 0),
        "not_restored": sum(found.not_restored for found in seen.groups.values()),
        "shown_bytes": sum(found.bytes for found in seen.groups.values()),
        "sources": table(by_source, others[0]),
        "languages": [{"language": name, **numbers} for name, numbers in table(by_language, others[1]).items()],
    }


def _measured(encoder: Encoder, documents: pa.Table, by: str) -> Measure:
    measure = Measure(encoder)
    measure.add(documents, by)
    return measure


def _of_others(training: pa.Table, held_out: pa.Table) -> pa.Table:
    missing = pc.invert(pc.is_in(training.column("source"), value_set=pc.unique(held_out.column("source"))))
    return training.filter(missing)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
