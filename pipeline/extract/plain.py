"""The extractors of formats that are read as they stand: "text", "markdown" and "rst", and source code ("code")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import clean, decode
from pipeline.extract.documents import Found, extracted
from pipeline.registry import extractor


@extractor("text", uses=("resiliparse", "unicode"))
def text(raw: pa.RecordBatch, *, max_bytes: int = 64 << 20) -> Extracted:
    """Plain text, decoded and in the normal form. Reasons: "empty", "too_large", "binary", "undecodable"."""
    return _as_it_stands(raw, max_bytes, compose=True)


@extractor("markdown", uses=("resiliparse", "unicode"))
def markdown(raw: pa.RecordBatch, *, max_bytes: int = 64 << 20) -> Extracted:
    """Markdown, its marks kept. Reasons as of "text"."""
    return _as_it_stands(raw, max_bytes, compose=True)


@extractor("rst", uses=("resiliparse", "unicode"))
def rst(raw: pa.RecordBatch, *, max_bytes: int = 64 << 20) -> Extracted:
    """reStructuredText, its marks kept. Reasons as of "text"."""
    return _as_it_stands(raw, max_bytes, compose=True)


@extractor("code", uses=("resiliparse", "unicode"))
def code(raw: pa.RecordBatch, *, max_bytes: int = 1 << 20) -> Extracted:
    """Source code, its characters not composed (string literals are data). Reasons as of "text"; minified files are a filter's."""
    return _as_it_stands(raw, max_bytes, compose=False)


def _as_it_stands(raw: pa.RecordBatch, max_bytes: int, *, compose: bool) -> Extracted:
    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        return Found(clean(decode(content, meta.get("charset")), compose=compose))

    return extracted(raw, read, max_bytes=max_bytes)
