"""The guard of dedupe: it stops a run that would remove more of a source than was allowed, and shows what it would remove."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.dedupe.clusters import merge
from pipeline.dedupe.indexes import origin
from pipeline.errors import GuardTripped
from pipeline.job import Inputs
from pipeline.report import Report, merged

#: The share of a source that may go where the recipe says nothing else.
MAX_REMOVED = 0.5
#: Such a share, or shares by source.
Share = Annotated[float, Field(ge=0, le=1)]
Shares = Share | Mapping[str, Share]
#: Clusters shown when the guard trips, and removed documents of each.
SHOWN, SAMPLES = 5, 3


@dataclass(frozen=True)
class Loss:
    """What one source would lose, each as (this, out of all it has), and the share it may lose.

    There is no tokenizer yet where dedupe stands: tokens are those of `kernels.estimated`, and are called an estimate.
    """

    source: str
    documents: tuple[int, int]
    characters: tuple[int, int]
    tokens: tuple[int, int]
    allowed: float

    @property
    def share(self) -> float:
        """The greatest of the shares of documents, of characters and of tokens."""
        return max(_share(*lost) for lost in (self.documents, self.characters, self.tokens))

    @property
    def too_much(self) -> bool:
        return self.share > self.allowed

    def __str__(self) -> str:
        kinds = {"documents": self.documents, "characters": self.characters, "tokens, estimated": self.tokens}
        shares = ", ".join(f"{lost[0]:,} of {lost[1]:,} {kind} ({_share(*lost):.1%})" for kind, lost in kinds.items())
        return f"{self.source}: {shares}; allowed {self.allowed:.1%}{'  <- too much' if self.too_much else ''}"


def _share(some: int, every: int) -> float:
    return some / max(every, 1)


def check(inputs: Inputs, max_removed: float | Mapping[str, float]) -> None:
    """Raise GuardTripped when a source would lose more than its share of documents, of characters or of tokens.

    Reads the reports of the roles "signatures" (what there is) and "verify" (what would go), and samples from the latter.
    """
    losses = list(losses_of(_report(inputs, "signatures"), _report(inputs, "verify"), max_removed))
    stop("dedupe", losses, lambda tripped: _shown(inputs, tripped))


def stop(stage: str, losses: Sequence[Loss], shown: Callable[[Sequence[str]], Sequence[str]]) -> None:
    """Raise GuardTripped when one of the losses of a stage is too much; `shown` gives lines about such sources, as samples."""
    tripped = [loss.source for loss in losses if loss.too_much]
    if tripped:
        raise GuardTripped(_text(stage, losses, tripped, shown(tripped)))


def losses_of(there: Report, going: Report, max_removed: float | Mapping[str, float]) -> Iterable[Loss]:
    """The loss of every source, by name."""
    for source in sorted(there.read):
        allowed = max_removed if isinstance(max_removed, int | float) else max_removed.get(source, MAX_REMOVED)
        removed = sum(number for (name, _), number in going.dropped.items() if name == source)
        weights = [(going.counts[source, f"{kind}_removed"], there.counts[source, kind]) for kind in ("characters", "tokens_estimated")]
        yield Loss(source, (removed, there.read[source]), weights[0], weights[1], allowed)


def _report(inputs: Inputs, role: str) -> Report:
    return merged(stage.report for stage in inputs.roles.get(role, ()))


def _text(stage: str, losses: Sequence[Loss], tripped: Sequence[str], shown: Sequence[str]) -> str:
    lines = [f"{stage} would remove more of {', '.join(tripped)} than its guard allows; nothing was written"]
    lines += [f"  {loss}" for loss in losses]
    lines += shown
    example = f"max_removed: {{{tripped[0]}: {min(1.0, next(loss.share for loss in losses if loss.source == tripped[0]) + 0.01):.2f}}}"
    lines.append(f"If that is right, allow it in the recipe under `{stage}`: `{example}`, or `override_guard: true` for all sources.")
    return "\n".join(lines)


def _shown(inputs: Inputs, tripped: Sequence[str]) -> list[str]:
    """The largest clusters with documents of some sources."""
    clusters = merge(file.table() for file in inputs.files("verify", "clusters"))
    by_cluster: dict[str, list[dict]] = {}
    for row in clusters.to_pylist():
        by_cluster.setdefault(row["cluster"], []).append(row)
    hit = [rows for rows in by_cluster.values() if any(not row["kept"] and row["source"] in tripped for row in rows)]
    lines = ["largest clusters with documents of these sources:"]
    for rows in hit[:SHOWN]:
        kept, *removed = rows
        indexed, source = origin(kept["part"])
        whose = f"{source}, in an index" if indexed else source
        lines.append(f"  {kept['size']:,} documents, kept {kept['id']} of {whose}: {_excerpt(kept)}")
        lines += [f"    removed {row['id']} of {row['part']}, {_likeness(row['jaccard'])}: {_excerpt(row)}" for row in removed[:SAMPLES]]
    return lines


def _excerpt(row: Mapping[str, str]) -> str:
    return repr(row["excerpt"]) if row["excerpt"] else "(no text at hand)"


def _likeness(jaccard: float | None) -> str:
    return "the same URL" if jaccard is None else f"Jaccard {jaccard:.3f}"
