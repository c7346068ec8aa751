from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.contracts import Listing
from pipeline.errors import SourceError


@pytest.fixture
def lists() -> Callable[[dict[str, bytes]], Listing]:
    """Publishers' lists by address."""

    def make(content: dict[str, bytes]) -> Listing:
        def listing(url: str) -> bytes:
            if url not in content:
                raise SourceError(f"{url}: status 404")
            return content[url]

        return listing

    return make
