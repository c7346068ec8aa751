"""Filters and formatters of datatrove as steps of a recipe."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.schema import DOC_FACTS


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    """What is wrong with a block, told before the run begins: the filters come after hours of extraction."""
    try:
        _instance(args["block"], json.dumps(args["args"] or {}, sort_keys=True), args["words"])
    except SourceError as error:
        return [str(error).removeprefix("datatrove: ")]
    return []


@registry.filter("datatrove", version=2, uses=("datatrove",), check=_mistakes)
def datatrove(
    docs: pa.RecordBatch,
    *,
    block: str,
    args: Mapping[str, Any] | None = None,
    words: Literal["datatrove", "whitespace"] = "datatrove",
) -> Verdicts:
    """Run a filter or formatter of datatrove, by dotted name ("datatrove.pipeline.filters.GopherQualityFilter"). May edit.

    `args` are the block's own. With `words: whitespace` it gets our words and sentences in place of a language's
    tokenizer, which for English would be spaCy's, to be installed besides. A document's metadata are its facts (url, date
    ..., and `language` for lang); a `language` that a filter sets becomes the document's. Reasons are the block's, or
    its class's name; `edited` counts the documents that it edited and kept. Nothing depends on the documents before:
    each meets a formatter as it was made, and a block that draws (SamplerFilter) draws by its seed and the document's id.

    A block looks at one document at a time in Python: expect a twentieth of the speed of the filters here. Raises
    SourceError when there is no such block, when it refuses `args`, and when it needs packages that aren't installed
    (their releases are no part of the step's identity, datatrove's is).
    """
    from datatrove.pipeline.formatters.base import BaseFormatter  # here: no other step waits for datatrove's import

    given = dict(args or {})
    instance = _instance(block, json.dumps(given, sort_keys=True), words)
    try:
        return _formatted(instance, docs) if isinstance(instance, BaseFormatter) else _filtered(instance, docs, given.get("seed"))
    except ImportError as error:  # the tokenizer of a language is looked for at the first words
        hint = "" if words == "whitespace" else "; or set `words: whitespace`"
        raise SourceError(f"datatrove: {block} needs what is not installed: {error}{hint}") from error


def _formatted(instance: Any, docs: pa.RecordBatch) -> Verdicts:
    texts = docs.column("text").to_pylist()
    # a copy for each: PIIFormatter goes on in its list of replacements from one document to the next
    return _verdicts([None] * len(texts), texts, [copy.deepcopy(instance).format(text) for text in texts])


def _filtered(instance: Any, docs: pa.RecordBatch, seed: object) -> Verdicts:
    from datatrove.pipeline.filters.base_filter import get_filter_result

    documents, reasons = [_document(row) for row in docs.to_pylist()], []
    for document in documents:
        _seed(instance, f"{seed} {document.id}")
        ((keep, reason),) = map(get_filter_result, instance.filter_batch([document]))
        reasons.append(None if keep else f"datatrove:{reason or type(instance).__name__}")
    verdicts = _verdicts(reasons, docs.column("text").to_pylist(), [document.text for document in documents])
    lang = pa.array([document.metadata.get("language") for document in documents], pa.string())
    return replace(verdicts, facts={"lang": lang})


def _verdicts(reasons: Sequence[str | None], before: Sequence[str], after: Sequence[str]) -> Verdicts:
    edited = [new if new != old else None for new, old in zip(after, before, strict=True)]
    number = sum(text is not None and reason is None for text, reason in zip(edited, reasons, strict=True))
    return Verdicts(pa.array(reasons, pa.string()), text=pa.array(edited, pa.large_string()), edits={"edited": number})


def _document(row: Mapping[str, Any]) -> Any:
    from datatrove.data import Document

    facts = {"language" if name == "lang" else name: row[name] for name in DOC_FACTS if row[name] is not None and name != "id"}
    return Document(text=row["text"], id=row["id"], metadata=facts)


def _seed(instance: Any, name: str) -> None:
    """Let the block's random generator, where it has one, begin at a place that follows from a name."""
    for value in vars(instance).values():
        generator = getattr(value, "__self__", None)
        if isinstance(generator, np.random.Generator):
            digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
            generator.bit_generator.state = np.random.default_rng(int.from_bytes(digest)).bit_generator.state


@lru_cache(maxsize=8)
def _instance(block: str, args: str, words: str) -> Any:
    """The block, made once per process."""
    found = _class(block)
    takes = inspect.signature(found).parameters
    given = json.loads(args)
    if words == "whitespace" and "language" in takes:
        given["language"] = WhitespaceWords()
    try:
        return found(**given)
    except ImportError as error:
        raise SourceError(f"datatrove: {block} needs what is not installed: {error}") from error
    except (TypeError, ValueError, re.error) as error:
        raise SourceError(f"datatrove: {block} refuses its args ({error}); it takes {', '.join(takes) or 'none'}") from error


def _class(block: str) -> Any:
    """The class of a dotted name, which must be a filter or a formatter of datatrove."""
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.pipeline.formatters.base import BaseFormatter
    from datatrove.utils.word_tokenizers import WordTokenizer

    module, _, name = block.rpartition(".")
    if not module.startswith("datatrove."):  # a recipe is data: it can't have any module of this machine imported
        raise SourceError(f"datatrove: {block!r} is no block of datatrove: its name must begin with datatrove.pipeline.")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        if isinstance(error, ImportError) and not (error.name or "datatrove").startswith("datatrove"):
            raise SourceError(f"datatrove: {block} needs what is not installed: install {error.name!r}") from error
        raise SourceError(f"datatrove: there is no block {block!r} ({error})") from error
    if not (isinstance(found, type) and issubclass(found, BaseFilter | BaseFormatter)):
        raise SourceError(f"datatrove: {block!r} is no block that filters or formats (a BaseFilter or BaseFormatter)")
    WordTokenizer.register(WhitespaceWords)
    return found


class WhitespaceWords:
    """Our definition of words and sentences, as a word tokenizer of datatrove."""

    language = "whitespace"

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return [text[start:end] for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        ends = list(_sentence_ends(text))
        return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []


def _sentence_ends(text: str) -> Iterator[int]:
    """Where the sentences of a line end: as `kernels.c4.count_sentences` counts them."""
    words, ended = False, False
    for i, char in enumerate(text):
        if char in ".?!":
            ended = words
        elif char.isspace():
            if ended:
                yield i
            words, ended = words and not ended, False
        elif not (ended and char in "\"')]}’”"):
            words, ended = True, False
    if words:
        yield len(text)
