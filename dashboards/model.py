"""The facts of a run, as values: what the page, its text twin and the metrics all show.

`dashboards.facts.gather` fills them from a run's folder; nothing here reads a file. What a partial run doesn't know is
None or empty, and shown as "not run".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dashboards.token_model import MixRow, ShardSet, TokenizerFacts


@dataclass(frozen=True)
class Sample:
    """A dropped document: its id, where it came from, how it begins, and what was measured, by name."""

    id: str
    excerpt: str
    url: str = ""
    signals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop:
    """Documents of one source dropped by one stage for one reason ("gopher_quality:short")."""

    reason: str
    documents: int
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Counted:
    """What one stage counted of one source. `counts` are its free counters: text_bytes, tokens ..."""

    source: str
    read: int
    kept: int
    drops: tuple[Drop, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        return sum(drop.documents for drop in self.drops)

    @property
    def adds_up(self) -> bool:
        """Whether every document read was kept or dropped for a reason."""
        return self.read == self.kept + self.dropped


@dataclass(frozen=True)
class StageFacts:
    """One stage of the plan. `done` is false for one that was planned and not finished: it has no counts.

    `rows`: of its files, by their kind ("docs", "rejects", "decisions" ...).
    """

    key: str
    stage: str
    source: str | None
    folder: str
    fingerprint: str
    done: bool
    ran: bool
    seconds: float
    task_seconds: float
    tasks: int = 0
    files: int = 0
    bytes: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()


@dataclass(frozen=True)
class SourceFacts:
    """A source as the recipe states it: `share` is a fraction of the packed tokens."""

    name: str
    share: float
    about: str = ""
    max_epochs: float | None = None


@dataclass(frozen=True)
class InputFacts:
    """One locked input file."""

    source: str
    name: str
    version: str
    size: int
    licence: str
    sha256: str


@dataclass(frozen=True)
class Step:
    """One step of a source's funnel: what was left after it. None: not run, or not counted in that unit."""

    name: str
    documents: int | None
    bytes: int | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Funnel:
    """The way of one source's documents, from what was read to what was packed."""

    source: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Histogram:
    """Documents kept and dropped, by a measured number. `edges` has one more entry than the counts.

    The outer bins also hold everything beyond them. `bounds` are the thresholds by recipe key; `documents` is how many
    were looked at of `of` (large runs are sampled by part).
    """

    source: str
    name: str
    edges: tuple[float, ...]
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    bounds: tuple[tuple[str, float], ...] = ()
    documents: int = 0
    of: int = 0


@dataclass(frozen=True)
class Member:
    """One document of a cluster of near-duplicates; `jaccard` is its similarity to its twin."""

    id: str
    source: str
    kept: bool
    jaccard: float | None
    excerpt: str


@dataclass(frozen=True)
class Cluster:
    """A kept document and those removed for it: the kept one's id, how many they are, and the first few of them."""

    id: str
    size: int
    members: tuple[Member, ...]


@dataclass(frozen=True)
class DedupeFacts:
    """`sizes`: number of clusters by number of documents (empty when there were too many files to count); the largest clusters."""

    sizes: Mapping[int, int]
    largest: tuple[Cluster, ...]


@dataclass(frozen=True)
class ScoredSource:
    """A source that the quality model saw: its label ("positive", "negative", or none: only ranked), and its scores' percentiles."""

    name: str
    label: str
    trained_on: int
    held_out: int
    percentiles: Sequence[float]


@dataclass(frozen=True)
class QualityModel:
    """The quality classifier, judged by `held_out` documents that it was not trained on.

    `accuracy` at .5; `auc`: how often a positive document scores above a negative one. None where one label had none held out.
    """

    held_out: int
    accuracy: float | None
    auc: float | None
    sources: tuple[ScoredSource, ...]


@dataclass(frozen=True)
class Check:
    """Two numbers that must be equal, and whether they are."""

    name: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True)
class RunFacts:
    """Everything the report of one run shows."""

    recipe: str
    profile: str
    about: str
    seed: int
    digest: str
    version: str
    started: str
    seconds: float
    workers: int
    sources: tuple[SourceFacts, ...]
    stages: tuple[StageFacts, ...]
    inputs: tuple[InputFacts, ...] = ()
    missing: tuple[str, ...] = ()
    funnels: tuple[Funnel, ...] = ()
    thresholds: tuple[Histogram, ...] = ()
    quality: tuple[Histogram, ...] = ()
    quality_model: QualityModel | None = None
    dedupe: DedupeFacts | None = None
    tokenizer: TokenizerFacts | None = None
    mix: tuple[MixRow, ...] = ()
    shards: tuple[ShardSet, ...] = ()
    checks: tuple[Check, ...] = ()

    def of_stage(self, stage: str) -> Iterator[StageFacts]:
        """The finished stages of one name, one per source or one for all."""
        return (found for found in self.stages if found.stage == stage and found.done)

    def counted(self, stage: str, source: str) -> Counted | None:
        """What a stage counted of a source, or None when it didn't run."""
        return next((row for found in self.of_stage(stage) for row in found.counted if row.source == source), None)

    @property
    def train(self) -> ShardSet | None:
        """The shards to train on, once they are packed."""
        return next((found for found in self.shards if found.split == "train"), None)

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that don't hold: none, in a sound run."""
        return tuple(check for check in self.checks if not check.holds)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for machines."""
        return asdict(self)
