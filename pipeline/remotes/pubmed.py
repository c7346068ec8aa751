"""PubMed Central's open access articles in bulk (https://pmc.ncbi.nlm.nih.gov/tools/ftp): archives of JATS XML."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from pipeline.contracts import Listing, RemoteFile
from pipeline.registry import publisher
from pipeline.remotes.listings import nothing_if, some, text_of, within


@publisher("pubmed_central")
def pubmed_central(
    listing: Listing,
    *,
    group: Literal["oa_comm", "oa_noncomm", "oa_other"] = "oa_comm",
    incremental: bool = False,
    files: Annotated[int, Field(ge=1)] | None = None,
    base: str = "https://ftp.ncbi.nlm.nih.gov/pub/pmc/oa_bulk",
) -> list[RemoteFile]:
    """The archives of the latest baseline of a group of licences (oa_comm: commercial use allowed), by the folder's own index.

    `incremental` adds the articles that came since, of which some replace one of the baseline (dedupe keeps one). `files` takes
    so many archives, chosen by a hash of their names. Licences stand in the articles.
    """
    where = within(base, f"{group}/xml/")
    pattern = re.compile(rf'href="({group}_xml\.(?:[A-Za-z0-9]+\.)?(baseline|incr)\.(\d{{4}}-\d{{2}}-\d{{2}})\.tar\.gz)"')
    found = pattern.findall(text_of(listing(where), where))
    latest = max((date for _, kind, date in found if kind == "baseline"), default="")
    chosen = sorted(
        {(name, date) for name, kind, date in found if (date == latest if kind == "baseline" else incremental and date > latest)}
    )
    nothing_if(not chosen, where, f"a baseline of {group}")
    return [
        RemoteFile(f"pmc:{name}", within(base, f"{group}/xml/{name}"), version=date)
        for name, date in some(chosen, files, lambda item: item[0])
    ]
