"""One document through an extractor, the way the extract stage gives it: a row of a RAW batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.schema import RAW


class Result(NamedTuple):
    """What an extractor made of one document: `text` or `reason` is None; `facts` without the nulls, `meta` decoded."""

    text: str | None
    reason: str | None
    facts: dict[str, Any]


def raw_batch(contents: Sequence[bytes], meta: Mapping[str, object] | None = None) -> pa.RecordBatch:
    rows = [
        {"id": f"{index:032}", "content": content, "format": "any", "source": "test", "meta": json.dumps(meta or {})}
        for index, content in enumerate(contents)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=RAW)


def results(found: Extracted) -> list[Result]:
    facts = {name: column.to_pylist() for name, column in found.facts.items()}
    return [
        Result(text, reason, {name: _decoded(name, values[row]) for name, values in facts.items() if values[row] is not None})
        for row, (text, reason) in enumerate(zip(found.text.to_pylist(), found.reasons.to_pylist(), strict=True))
    ]


def extract_one(
    extractor: Callable[..., Extracted], content: bytes | str, meta: Mapping[str, object] | None = None, **keys: object
) -> Result:
    data = content.encode() if isinstance(content, str) else content
    found = extractor(raw_batch([data], meta), **keys)
    assert found.text.type == pa.large_string()
    assert len(found.text) == len(found.reasons) == 1
    return results(found)[0]


def _decoded(name: str, value: str) -> Any:
    return json.loads(value) if name == "meta" else value
