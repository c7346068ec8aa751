"""Project Gutenberg: books by its catalogue, from a mirror that is fit for it (https://www.gutenberg.org/policy/robot_access.html)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import nothing_if, some, text_of, within

_COLUMNS = ("Text#", "Type", "Language")


@publisher("gutenberg")
def gutenberg(
    listing: Listing,
    *,
    languages: Sequence[str] = (),
    books: Annotated[int, Field(ge=1)] | None = None,
    numbers: Sequence[int] = (),
    file: str = "cache/epub/{number}/pg{number}.txt",
    mirror: str = "https://aleph.pglaf.org",
    catalogue: str = "https://www.gutenberg.org/cache/epub/feeds/pg_catalog.csv",
) -> list[RemoteFile]:
    """The plain texts (UTF-8) of the books of the catalogue.

    `languages` by their codes (a book in several counts for each), `numbers` of single books; `books` so many of what is
    left, chosen by a hash of their numbers. `file` is a text's path on the mirror. The catalogue lists books without a
    plain text (scores, scans): those that aren't on the mirror are noted and passed over. Its licence: see the books' own.
    """
    rows = csv.DictReader(io.StringIO(text_of(listing(catalogue), catalogue)))
    lost = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if lost:
        raise SourceError(f"{catalogue} has no columns {', '.join(lost)}: it isn't the catalogue, or it has changed")
    found = [int(row["Text#"]) for row in rows if row["Type"] == "Text" and row["Text#"].isdigit() and _spoken(row["Language"], languages)]
    if numbers:
        found = [number for number in found if number in set(numbers)]
    found = sorted(set(found))
    nothing_if(not found, catalogue, f"languages {', '.join(languages) or 'any'}" + (f", numbers {list(numbers)}" if numbers else ""))
    return [RemoteFile(f"pg:{number}.txt", within(mirror, file.format(number=number)), optional=True) for number in some(found, books, str)]


def _spoken(stated: str, wanted: Sequence[str]) -> bool:
    return not wanted or bool({code.strip() for code in stated.split(";")} & set(wanted))
