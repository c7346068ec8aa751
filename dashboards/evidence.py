"""What the Parquet files of a run show: sample rejects, histograms of measured numbers, clusters of near-duplicates.

Everything is streamed, and bounded: of a stage with more than MAX_FILES files of a kind, those with the smallest
content hashes are looked at, which is a choice by content, so the same run gives the same page anywhere.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dashboards.model import Cluster, DedupeFacts, Histogram, Member, Sample
from pipeline.job import Committed
from pipeline.writing import FileEntry

MAX_FILES = 32
#: Samples shown of each reason, clusters shown, members shown of a cluster, bins of a histogram, histograms of a source.
SAMPLES, CLUSTERS, MEMBERS, BINS, THRESHOLDS = 3, 8, 3, 40, 4
#: A bound is drawn when it refuses at least this share of the documents looked at.
TELLING = 0.01

Values = npt.NDArray[np.float64]


def chosen(files: Sequence[FileEntry]) -> list[FileEntry]:
    """At most MAX_FILES of `files`, chosen by content hash, in the order of their names."""
    return sorted(sorted(files, key=lambda entry: entry.sha256)[:MAX_FILES])


def reject_samples(stage: Committed) -> dict[str, tuple[Sample, ...]]:
    """Of each reason, the rejects with the smallest ids: ids are hashes, so this is a fair draw."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in chosen(stage.files("rejects")):
        for batch in stage.folder.batches(entry.name, ["id", "url", "step", "reason", "signals", "excerpt"]):
            for reason in pc.unique(batch.column("reason")).to_pylist():
                rows = _smallest(batch.filter(pc.equal(batch.column("reason"), reason)))
                found[reason] = sorted([*found[reason], *rows], key=lambda row: row["id"])[:SAMPLES]
    return {reason: tuple(_sample(row) for row in rows) for reason, rows in found.items()}


def decision_samples(stage: Committed, texts: Mapping[str, Committed]) -> dict[tuple[str, str], tuple[Sample, ...]]:
    """As `reject_samples` for a stage that leaves decisions, by source and reason; `texts` has each source's filter stage."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in chosen(stage.files("decisions")):
        source = entry.part.rpartition("-")[0]
        for batch in stage.folder.batches(entry.name):
            for reason in pc.unique(batch.column("reason")).drop_null().to_pylist():
                rows = [{**row, "part": entry.part} for row in _smallest(batch.filter(pc.equal(batch.column("reason"), reason)))]
                found[source, reason] = sorted([*found[source, reason], *rows], key=lambda row: row["id"])[:SAMPLES]
    wanted = [(source, row["part"], row["id"]) for (source, _), rows in found.items() for row in rows]
    begins = _beginnings(wanted, texts)
    return {key: tuple(_decided(row, begins.get(row["id"], "")) for row in rows) for key, rows in found.items()}


def _smallest(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    order = pc.select_k_unstable(batch, SAMPLES, [("id", "ascending")])
    rows: list[dict[str, Any]] = batch.take(order).to_pylist()
    return rows


def _sample(row: Mapping[str, Any]) -> Sample:
    """A reject with what the step that dropped it measured; `tokenmill explain` shows what those before it did."""
    signals = {name: value for name, value in json.loads(row["signals"] or "{}").items() if name.startswith(f"{row['step']}.")}
    return Sample(row["id"], row["excerpt"] or "", row["url"] or "", signals)


def _decided(row: Mapping[str, Any], text: str) -> Sample:
    return Sample(row["id"], text, signals={key: row[key] for key in ("value", "twin") if row[key] is not None})


def _beginnings(wanted: Iterable[tuple[str, str, str]], texts: Mapping[str, Committed]) -> dict[str, str]:
    """The first characters of the wanted (source, part, id) documents, from the parts they lie in."""
    by_part: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source, part, document in wanted:
        by_part[source, part].add(document)
    found: dict[str, str] = {}
    for (source, part), ids in sorted(by_part.items()):
        files = [entry for entry in texts[source].files("docs") if entry.part == part] if source in texts else []
        for entry in files:
            for batch in texts[source].folder.batches(entry.name, ["id", "text"]):
                rows = batch.filter(pc.is_in(batch.column("id"), pa.array(sorted(ids), pa.string())))
                begins = pc.utf8_slice_codeunits(rows.column("text"), 0, 300)
                found.update(zip(rows.column("id").to_pylist(), begins.to_pylist(), strict=True))
    return found


def thresholds(stage: Committed, source: str) -> tuple[Histogram, ...]:
    """Histograms of the numbers whose bounds dropped most, among those that a recipe key min_NAME or max_NAME bounds."""
    bounds = _bounds(stage.manifest["args"].get("steps", ()))
    docs, rejects = chosen(stage.files("docs")), chosen(stage.files("rejects"))
    dropped = _rejected_numbers(stage, rejects, bounds)
    refused = {name: _beyond(dropped[name], bounds[name]) for name in bounds}
    least = TELLING * sum(entry.rows for entry in [*docs, *rejects])
    telling = [name for name in sorted(bounds, key=lambda name: (-refused[name], name)) if refused[name] >= max(least, 1)][:THRESHOLDS]
    kept = _kept_numbers(stage, docs, telling)
    total = sum(entry.rows for kind in ("docs", "rejects") for entry in stage.files(kind))
    return tuple(_histogram(source, name, kept[name], dropped[name], bounds[name], total) for name in telling)


def _bounds(steps: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, float]]]:
    """The bounds in force, by "filter.signal"."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for step in steps:
        for key, value in step["args"].items():
            side, _, signal = key.partition("_")
            if side in ("min", "max") and isinstance(value, int | float) and not isinstance(value, bool):
                found[f"{step['name']}.{signal}"].append((key, float(value)))
    return dict(found)


def _beyond(values: Values, bounds: Sequence[tuple[str, float]]) -> int:
    """How many values a bound refuses."""
    refused = [values < bound if key.startswith("min_") else values > bound for key, bound in bounds]
    return int(np.logical_or.reduce(refused).sum()) if refused and len(values) else 0


def _rejected_numbers(stage: Committed, files: Sequence[FileEntry], wanted: Iterable[str]) -> dict[str, Values]:
    numbers: dict[str, list[float]] = {name: [] for name in wanted}
    for entry in files:
        for batch in stage.folder.batches(entry.name, ["signals"]):
            for text in batch.column("signals").drop_null().to_pylist():
                signals = json.loads(text)
                for name in numbers.keys() & signals.keys():
                    numbers[name].append(signals[name])
    return {name: _finite(found) for name, found in numbers.items()}


def _kept_numbers(stage: Committed, files: Sequence[FileEntry], names: Sequence[str]) -> dict[str, Values]:
    pieces: dict[str, list[Values]] = {name: [] for name in names}
    for entry in files if names else ():
        for batch in stage.folder.batches(entry.name, list(names)):
            for name in names:
                pieces[name].append(_finite(batch.column(name).drop_null().to_numpy(zero_copy_only=False)))
    return {name: np.concatenate(found) if found else np.empty(0) for name, found in pieces.items()}


def _finite(values: Any) -> Values:
    numbers = np.array([value for value in values if value is not None] if isinstance(values, list) else values, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def scores(stage: Committed, source: str) -> Histogram | None:
    """The histogram of a quality stage's scores; None when it scored nothing."""
    kept: list[Values] = [np.empty(0)]
    dropped: list[Values] = [np.empty(0)]
    for entry in chosen(stage.files("decisions")):
        for batch in stage.folder.batches(entry.name, ["reason", "value"]):
            keep = pc.is_null(batch.column("reason"))
            for into, mask in ((kept, keep), (dropped, pc.invert(keep))):
                into.append(_finite(batch.column("value").filter(mask).drop_null().to_numpy(zero_copy_only=False)))
    all_kept, all_dropped = np.concatenate(kept), np.concatenate(dropped)
    if not len(all_kept) + len(all_dropped):
        return None
    total = sum(entry.rows for entry in stage.files("decisions"))
    return _histogram(source, "score", all_kept, all_dropped, [], total)


def _histogram(source: str, name: str, kept: Values, dropped: Values, bounds: Sequence[tuple[str, float]], of: int) -> Histogram:
    """Bins over the middle 99 % of the values and the bounds that refuse any, evenly spaced in logarithms where values span decades."""
    every = np.concatenate([kept, dropped])
    marks = [bound for key, bound in bounds if _beyond(dropped, [(key, bound)])]
    low, high = min([np.quantile(every, 0.005), *marks]), max([np.quantile(every, 0.995), *marks])
    edges = _edges(float(low), float(high), whole=bool(np.all(every == np.round(every))))
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in (kept, dropped)]
    bins = [tuple(int(number) for number in found) for found in counts]
    shown = tuple((key, bound) for key, bound in bounds if edges[0] <= bound <= edges[-1])
    return Histogram(source, name, tuple(float(f"{edge:.6g}") for edge in edges), bins[0], bins[1], shown, len(every), of)


def _edges(low: float, high: float, whole: bool) -> Values:
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    if whole and high - low <= BINS:
        return np.arange(low, high + 2) - 0.5
    if 0 < 100 * low < high:
        return np.geomspace(low, high, BINS + 1)
    if low >= 0 and high > 50:
        return np.expm1(np.linspace(np.log1p(low), np.log1p(high), BINS + 1))
    return np.linspace(low, high, BINS + 1)


def clusters(stage: Committed) -> DedupeFacts | None:
    """The largest clusters, as the clusters' file lists them, and how many there are of each size; None without that file.

    A cluster is a kept document and those removed for it. Sizes are counted over all decisions, unless there are more
    than MAX_FILES files of them: then they are left out rather than guessed.
    """
    entries = stage.files("clusters")
    if not entries:
        return None
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        for row in stage.folder.table(entry.name).to_pylist():
            found[row["cluster"]].append(row)
    largest = sorted(found, key=lambda name: (-found[name][0]["size"], name))[:CLUSTERS]
    shown = tuple(Cluster(name, found[name][0]["size"], tuple(_member(row) for row in found[name][:MEMBERS])) for name in largest)
    return DedupeFacts(_sizes(stage), shown)


def _sizes(stage: Committed) -> dict[int, int]:
    """The number of clusters by their size."""
    files = stage.files("decisions")
    removed: Counter[str] = Counter()
    for entry in files if len(files) <= MAX_FILES else ():
        for batch in stage.folder.batches(entry.name, ["twin"]):
            counted = pc.value_counts(batch.column("twin").drop_null())
            removed.update(dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)))
    return dict(sorted(Counter(1 + number for number in removed.values()).items()))


def _member(row: Mapping[str, Any]) -> Member:
    return Member(row["id"], row["source"], row["kept"], row["jaccard"], row["excerpt"] or "")
