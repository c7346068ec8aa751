"""Filter blocks of datatrove as steps of a recipe."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.schema import DOC_FACTS


@registry.filter("datatrove", uses=("datatrove",))
def datatrove(
    docs: pa.RecordBatch,
    *,
    block: str,
    args: Mapping[str, Any] | None = None,
    words: Literal["datatrove", "whitespace"] = "datatrove",
) -> Verdicts:
    """Run a filter block of datatrove, by dotted name ("datatrove.pipeline.filters.GopherQualityFilter"). May edit.

    `args` are the block's own. With `words: whitespace` it gets our words and sentences in place of a language's
    tokenizer, which for English would be spaCy's, to be installed besides. A document's metadata are its facts (url, date
    ..., and `language` for lang); a `language` that the block sets becomes the document's. Reasons are the block's, or
    its class's name. A block looks at one document at a time in Python: expect a twentieth of the speed of the filters
    here. Raises SourceError when there is no such block.
    """
    from datatrove.pipeline.filters.base_filter import get_filter_result  # here: no other step waits for datatrove's import

    instance = _instance(block, json.dumps(args or {}, sort_keys=True), words)
    documents = [_document(row) for row in docs.to_pylist()]
    texts = [document.text for document in documents]
    results = [get_filter_result(result) for result in instance.filter_batch(documents)]
    reasons = [None if keep else f"datatrove:{reason or type(instance).__name__}" for keep, reason in results]
    edited = [document.text if document.text != text else None for document, text in zip(documents, texts, strict=True)]
    lang = pa.array([document.metadata.get("language") for document in documents], pa.string())
    return Verdicts(pa.array(reasons, pa.string()), text=pa.array(edited, pa.large_string()), facts={"lang": lang})


def _document(row: Mapping[str, Any]) -> Any:
    from datatrove.data import Document

    facts = {"language" if name == "lang" else name: row[name] for name in DOC_FACTS if row[name] is not None and name != "id"}
    return Document(text=row["text"], id=row["id"], metadata=facts)


@lru_cache(maxsize=8)
def _instance(block: str, args: str, words: str) -> Any:
    """The block, made once per process."""
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.utils.word_tokenizers import WordTokenizer

    module, _, name = block.rpartition(".")
    if not module.startswith("datatrove."):  # a recipe is data: it can't have any module of this machine imported
        raise SourceError(f"datatrove: {block!r} is no block of datatrove: its name must begin with datatrove.pipeline.filters.")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise SourceError(f"datatrove: there is no block {block!r} ({error})") from error
    if not (isinstance(found, type) and issubclass(found, BaseFilter)):
        raise SourceError(f"datatrove: {block!r} is no filter block (a subclass of BaseFilter)")
    WordTokenizer.register(WhitespaceWords)
    return found(**json.loads(args), **({"language": WhitespaceWords()} if words == "whitespace" else {}))


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
