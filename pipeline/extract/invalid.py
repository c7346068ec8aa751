"""The extractor "invalid": records whose reader found that they can't be read, and said why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.registry import extractor


@extractor("invalid")
def invalid(raw: pa.RecordBatch) -> Extracted:
    """No text, for the reason that the reader put into the document's meta under `reason` ("bad_json", "too_large" ...)."""
    return extracted(raw, _refuse, max_bytes=1 << 62)


def _refuse(_: bytes, meta: Mapping[str, Any]) -> Found:
    raise NoText(meta.get("reason", "invalid"))
