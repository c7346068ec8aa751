"""What a run will hold and cost, before it runs: text, tokens, disk and core seconds from the sizes of its inputs.

Rates are constants measured on the sample (docs/plan.md says how); they are for deciding whether to start, not for
scheduling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.download import Lock
from pipeline.recipe import Recipe, Source

#: Bytes of extracted text for one byte of input file, by the file's ending: how much its packing hides.
TEXT_PER_INPUT: Mapping[str, float] = {
    ".deb": 2.6, ".tar": 0.95, ".tar.gz": 4.0, ".tgz": 4.0, ".tar.xz": 5.0, ".zip": 3.5, ".warc.gz": 1.2, ".wet.gz": 2.4,
    ".xml.bz2": 3.0, ".txt.gz": 2.6, ".jsonl.gz": 3.0, ".jsonl": 0.95, ".html": 0.35, ".warc": 0.2, ".parquet": 2.0,
}  # fmt: skip
#: Bytes of text for one token of the default tokenizer, over all sources.
BYTES_PER_TOKEN = 3.9
#: Share of the extracted text that is kept: of pages that pass FineWeb's rules, and of everything else.
KEPT_BY_FINEWEB = 0.4
KEPT = 0.95
#: Core seconds of the whole way for one million bytes of extracted text, extraction included.
CORE_SECONDS_PER_MB = 2.5
#: Bytes written to disk, over all stages, for one byte of extracted text.
DISK_PER_TEXT = 3.0


@dataclass(frozen=True)
class SourceEstimate:
    """One source: what its inputs hold, and what its share of the largest mix takes of it."""

    source: str
    share: float
    files: int
    input_bytes: int
    text_bytes: int
    tokens: int
    quota: int


@dataclass(frozen=True)
class Estimate:
    """The whole run; `binding` is the source that limits the mix."""

    sources: tuple[SourceEstimate, ...]
    total_tokens: int
    binding: str
    disk_bytes: int
    core_seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def estimate(recipe: Recipe, lock: Lock) -> Estimate:
    """The cost of a run from its locked inputs."""
    text = {source.name: sum(_text_bytes(item.file.path, item.file.size) for item in lock.of(source.name)) for source in recipe.sources}
    tokens = {source.name: int(text[source.name] * _kept(source) / BYTES_PER_TOKEN) for source in recipe.sources}
    reach = {s.name: tokens[s.name] * s.max_epochs / s.share for s in recipe.sources if s.share > 0}
    binding = min(reach, key=lambda name: (reach[name], name))
    total = int(reach[binding])
    rows = tuple(
        SourceEstimate(
            source=source.name,
            share=source.share,
            files=len(lock.of(source.name)),
            input_bytes=sum(item.file.size for item in lock.of(source.name)),
            text_bytes=text[source.name],
            tokens=tokens[source.name],
            quota=int(total * source.share),
        )
        for source in recipe.sources
    )
    everything = sum(text.values())
    return Estimate(rows, total, binding, int(everything * DISK_PER_TEXT), everything / 1e6 * CORE_SECONDS_PER_MB)


def _kept(source: Source) -> float:
    strict = any(step.name == "fineweb" for step in source.filters)
    dropped = source.quality.args["drop_lowest"] if source.quality is not None else 0.0
    return (KEPT_BY_FINEWEB if strict else KEPT) * (1.0 - dropped)


def _text_bytes(path: str, size: int) -> int:
    name = path.rsplit("/", 1)[-1]
    endings = sorted((ending for ending in TEXT_PER_INPUT if name.endswith(ending)), key=len)
    return int(size * (TEXT_PER_INPUT[endings[-1]] if endings else 1.0))
