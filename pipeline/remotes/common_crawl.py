"""Common Crawl: the archives of a crawl, by its lists of paths (https://commoncrawl.org/get-started)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import lines_of, nothing_if, some, within

_CRAWL = re.compile(r"CC-[A-Z]+[A-Za-z0-9-]*(?:/\d{4}/\d{2})?")


@publisher("common_crawl")
def common_crawl(
    listing: Listing,
    *,
    crawl: str,
    kind: Literal["warc", "wet", "wat"] = "warc",
    files: Annotated[int, Field(ge=1)] | None = None,
    segments: Sequence[str] = (),
    base: str = "https://data.commoncrawl.org",
) -> list[RemoteFile]:
    """The files of a crawl ("CC-MAIN-2025-38"): WARC (pages) or WET (their texts).

    `segments` takes those of these segments alone ("1757047532641.12"); `files` so many of them, chosen by a hash of their
    paths, so that a larger number holds those of a smaller one. `base` may be s3://commoncrawl. The list gives no sizes.
    """
    if not _CRAWL.fullmatch(crawl):
        raise SourceError(f"{crawl!r} is no crawl's name: CC-MAIN-2025-38, or CC-NEWS/2025/09")
    where = within(base, f"crawl-data/{crawl}/{kind}.paths.gz")
    paths = lines_of(listing(where), where)
    if segments:
        paths = [path for path in paths if set(path.split("/")) & set(segments)]
    nothing_if(not paths, where, f"segments {', '.join(segments)}" if segments else crawl)
    return [RemoteFile(f"cc:{path.removeprefix('crawl-data/')}", within(base, path), version=crawl) for path in some(paths, files, str)]
