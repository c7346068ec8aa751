"""Wikipedia's dumps (dumps.wikimedia.org): the articles of a language's edition, in the parts that the dump has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from pipeline.contracts import Listing, RemoteFile
from pipeline.errors import SourceError
from pipeline.registry import publisher
from pipeline.remotes.listings import nothing_if, some, text_of, within

#: The articles in streams of a hundred, in parts where an edition is large, and the job that joins such parts.
JOB = "articlesmultistreamdump"

_PAGES = re.compile(r"-pages-articles-multistream\d*\.xml(?:-p\d+p\d+)?\.bz2$")


@publisher("wikipedia")
def wikipedia(
    listing: Listing,
    *,
    languages: Sequence[str],
    date: Annotated[str, Field(pattern=r"^\d{8}$")],
    files: Annotated[int, Field(ge=1)] | None = None,
    base: str = "https://dumps.wikimedia.org",
) -> list[RemoteFile]:
    """The article dumps of the editions in `languages` ("en", "zh-yue") of one `date` ("20251101"), with their SHA-1.

    `files` takes so many of each edition's parts. Raises SourceError for a dump that isn't finished, or is there no more:
    the last few months' are kept.
    """
    return [file for language in languages for file in _edition(listing, language, date, files, base)]


def _edition(listing: Listing, language: str, date: str, files: int | None, base: str) -> list[RemoteFile]:
    wiki = f"{language.replace('-', '_')}wiki"
    where = within(base, f"{wiki}/{date}/dumpstatus.json")
    try:
        job: Mapping[str, Any] = json.loads(text_of(listing(where), where))["jobs"][JOB]
        status, offered = job["status"], job.get("files", {})
        found = [(name, facts) for name, facts in sorted(offered.items()) if _PAGES.search(name)]
        parts = [_part(name, facts, base, date) for name, facts in some(found, files, lambda item: item[0])]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{where} is no dump's status as expected ({error!r})") from error
    if status != "done":
        raise SourceError(f"{where}: the dump of the articles is {status!r}: wait for it, or name an earlier date")
    nothing_if(not parts, where, JOB)
    return parts


def _part(name: str, facts: Mapping[str, Any], base: str, date: str) -> RemoteFile:
    checksum = next((f"{kind}:{facts[kind]}" for kind in ("sha1", "md5") if facts.get(kind)), "")
    size = int(facts["size"]) if facts.get("size") is not None else None
    return RemoteFile(f"wp:{name}", within(base, str(facts["url"]).lstrip("/")), size, checksum, date, "CC-BY-SA-4.0")
