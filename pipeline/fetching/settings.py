"""The recipe's `download` setting: how publishers are asked. None of it changes what a run writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.fetching.client import Client, Patience
from pipeline.fetching.store import Rules
from pipeline.registry import register

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[float, Field(gt=0)]


@register("setting", "download")
def download(
    *,
    per_host: Count = 4,
    interval: Seconds = 0.0,
    robots: Literal["obey", "ignore"] = "obey",
    private: bool = False,
    contact: str = "",
    attempts: Count = 6,
    stall: Annotated[float, Field(gt=0)] = 30.0,
    min_rate: Seconds = 1000.0,
    max_file_bytes: Bytes = 1e12,
    max_bytes: Bytes | None = None,
    recheck_hours: Seconds = 24.0,
) -> tuple[Client, Rules]:
    """How files are fetched from their publishers.

    `per_host` connections to a host at once, requests `interval` seconds apart (or what its robots.txt asks for). `private` allows
    addresses that aren't public, for a mirror in a network of one's own. `contact` is said in the User-Agent. A file is given up
    after `attempts` in a row that gained nothing; a connection is cut when it is slower than `min_rate` bytes/s over `stall` seconds.
    `max_bytes` bounds what one run fetches. Publishers are asked every `recheck_hours` whether what is held has changed.
    """
    client = Client(
        per_host=per_host,
        interval=interval,
        obey_robots=robots == "obey",
        private=private,
        contact=contact,
        patience=Patience(attempts=attempts, stall=stall, min_rate=min_rate),
    )
    rules = Rules(max_file_bytes=int(max_file_bytes), max_bytes=None if max_bytes is None else int(max_bytes), recheck=recheck_hours * 3600)
    return client, rules
