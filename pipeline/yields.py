"""How many files of each source a number of tokens takes: by the yields that a finished run of the same recipe measured.

A run of a few files is a sample of its sources; what a file of each gave, after every filter and dedupe, is taken for what the next
ones will give. Dedupe finds more among more files, so the yields of a small run are a little too good.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import TokenmillError
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder


@dataclass(frozen=True)
class SourceNeed:
    """What a source must bring: tokens of its own for its share, and the files and bytes that held as many in the run.

    `tokens` is the share divided by the passes that `max_epochs` allows. `measured_*` is what the run had of it.
    """

    source: str
    share: float
    tokens: int
    files: int
    download_bytes: int
    disk_bytes: int
    measured_files: int
    measured_bytes: int
    measured_tokens: int


@dataclass(frozen=True)
class Need:
    """The whole mix of `tokens` tokens."""

    tokens: int
    sources: tuple[SourceNeed, ...]
    download_bytes: int
    disk_bytes: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def needed(folder: Folder, tokens: int) -> Need:
    """What `tokens` tokens of a run's recipe take; TokenmillError where a source gave none, StorageError without a finished run."""
    run = RunFiles(folder)
    files, sizes = Counter[str](), Counter[str]()
    for row in run.facts["lock"]:
        files[row["source"]] += 1
        sizes[row["source"]] += row["size"]
    held = _tokens(run)
    dry = sorted(name for name, facts in run.facts["sources"].items() if facts["share"] > 0 and not held[name])
    if dry:
        raise TokenmillError(f"{folder.url}: {', '.join(dry)} gave no tokens: a yield can't be measured, give that run more files")
    disk = sum(size for entry in run.facts["stages"] for size in folder.sub(entry["folder"]).sizes().values()) / sum(sizes.values())
    sources = tuple(
        _need(name, facts["share"], facts["max_epochs"], tokens, (files[name], sizes[name], held[name]), disk)
        for name, facts in run.facts["sources"].items()
    )
    return Need(tokens, sources, sum(item.download_bytes for item in sources), sum(item.disk_bytes for item in sources))


def _need(name: str, share: float, epochs: float, tokens: int, measured: tuple[int, int, int], disk: float) -> SourceNeed:
    files, size, held = measured
    own = math.ceil(tokens * share / epochs)
    number = math.ceil(own * files / held) if own else 0
    download = math.ceil(number * size / files) if number else 0
    return SourceNeed(name, share, own, number, download, math.ceil(download * disk), files, size, held)


def _tokens(run: RunFiles) -> Counter[str]:
    """Tokens of each source before the mix took its share."""
    found: Counter[str] = Counter()
    for stage in run.stages("tokenize"):
        for (source, name), number in stage.report.counts.items():
            found[source] += number if name == "tokens" else 0
    return found
