"""Some real pages for kernels to be tried on."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def some_pages(corpus: Path) -> list[str]:
    """A part of a crawl file with the tags taken out, in pieces, and the beginnings of books."""
    raw = gzip.decompress((corpus / "web" / "crawl-dolma-sample-0000.warc.gz").read_bytes()).decode("utf-8", "replace")
    bare = re.sub(r"<[^>]*>", "\n", raw)[:400_000]
    books = [gzip.decompress(path.read_bytes())[:20_000].decode("latin-1") for path in sorted((corpus / "books").glob("*.gz"))[:5]]
    return [bare[at : at + 8000] for at in range(0, len(bare), 8000)] + books
