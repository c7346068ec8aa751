"""What a task counted: documents read, kept, and dropped by reason. Reports merge, so totals never depend on who counted.

The invariant every report keeps, per source: read = kept + sum of dropped by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from pipeline.errors import StorageError


@dataclass
class Report:
    """Counters of one task, or of many merged: every key is (source, name)."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Anything else worth adding up, as (source, name): bytes of text, tokens, pages with a guessed charset ...
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def drop(self, source: str, reason: str, number: int = 1) -> None:
        """Count `number` documents of `source` dropped for `reason`."""
        self.dropped[source, reason] += number

    def count(self, source: str, name: str, number: int) -> None:
        """Add `number` to the free counter `name` of `source`."""
        self.counts[source, name] += number

    def merge(self, other: Report) -> None:
        """Add what `other` counted."""
        self.read.update(other.read)
        self.kept.update(other.kept)
        self.dropped.update(other.dropped)
        self.counts.update(other.counts)

    def check(self) -> Self:
        """Raise StorageError unless every document read was either kept or dropped for a reason."""
        lost = Counter(self.read)
        lost.subtract(self.kept)
        for (source, _), number in self.dropped.items():
            lost[source] -= number
        wrong = {source: number for source, number in sorted(lost.items()) if number}
        if wrong:
            raise StorageError(f"documents unaccounted for (read - kept - dropped), by source: {wrong}")
        return self

    def to_json(self) -> dict[str, object]:
        """A plain, sorted form: {"read": {source: n}, "kept": ..., "dropped": {source: {reason: n}}, "counts": ...}."""
        return {
            "read": dict(sorted(self.read.items())),
            "kept": dict(sorted(self.kept.items())),
            "dropped": _nested(self.dropped),
            "counts": _nested(self.counts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping]) -> Report:  # type: ignore[type-arg]
        """The report whose `to_json` gave `data`."""
        return cls(
            read=Counter(data["read"]),
            kept=Counter(data["kept"]),
            dropped=_flat(data["dropped"]),
            counts=_flat(data["counts"]),
        )


def merged(reports: Iterable[Report]) -> Report:
    """One report that adds up all of `reports`."""
    total = Report()
    for report in reports:
        total.merge(report)
    return total


def _nested(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for (source, name), number in sorted(counter.items()):
        out.setdefault(source, {})[name] = number
    return out


def _flat(nested: Mapping[str, Mapping[str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(source, name): number for source, names in nested.items() for name, number in names.items()})
