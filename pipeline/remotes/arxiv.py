"""arXiv's sources: the bulk archives by their manifest (https://info.arxiv.org/help/bulk_data_s3.html)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import nothing_if, some, within, xml_of

Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]


@publisher("arxiv")
def arxiv(
    listing: Listing,
    *,
    first: Month | None = None,
    last: Month | None = None,
    files: Annotated[int, Field(ge=1)] | None = None,
    base: str = "s3://arxiv",
    manifest: str = "src/arXiv_src_manifest.xml",
) -> list[RemoteFile]:
    """The archives arXiv_src_YYMM_NNN.tar of the months `first` to `last` ("2024-01"), with their MD5; `files` so many of them.

    The bucket lets whoever reads it pay, about half a gigabyte a file: your AWS credentials are asked for. `base` may name a copy
    of it. The licences are the papers' own.
    """
    where = within(base, manifest)
    rows = [{child.tag: child.text or "" for child in row} for row in xml_of(listing(where), where).iter("file")]
    try:
        chosen = [row for row in rows if (first or "") <= _month(row["yymm"]) <= (last or "9999-99")]
        nothing_if(not chosen, where, f"{first or 'the first month'} to {last or 'the last'}")
        return [
            RemoteFile(f"arxiv:{row['filename']}", within(base, row["filename"]), int(row["size"]), f"md5:{row['md5sum']}", row["yymm"])
            for row in some(chosen, files, lambda row: row["filename"])
        ]
    except (KeyError, ValueError) as error:
        raise SourceError(f"{where}: a file without {error}: it isn't arXiv's manifest, or it has changed") from error


def _month(yymm: str) -> str:
    """ "9108" as "1991-08": arXiv began in 1991."""
    return f"{'19' if yymm >= '9000' else '20'}{yymm[:2]}-{yymm[2:]}"
