"""A data card: what a packed dataset holds, where it comes from, under which licences, and what was left out for which reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from pipeline.registry import export
from pipeline.report import Report, merged
from pipeline.runfiles import RunFiles
from pipeline.shards.read import Dataset, open_dataset
from pipeline.shards.run_of import run_of
from pipeline.storage import Folder

#: The stages that drop documents, in the order of their way.
DROPPING = ("extract", "filter", "dedupe", "lines", "passages", "quality", "tokenize", "mix")
NO_LICENCE = "none stated"


@export("card")
def export_card(dataset: Folder, target: Folder, *, name: str = "README.md") -> None:
    """Write a Markdown page from the run's reports: counts and shares by source, licences, drops by reason, tokenizer, digest.

    The dataset must lie in its run's folder.
    """
    opened = open_dataset(dataset)
    target.write(name, ("\n".join(_page(opened, run_of(opened))) + "\n").encode())


def _page(dataset: Dataset, run: RunFiles) -> Iterator[str]:
    manifest, facts = dataset.manifest, run.facts
    learnt, copies = sum(shard.loss_tokens for shard in manifest.shards), manifest.packing["documents"]
    licences = _documents(dataset)
    sources = list(_sources(dataset, licences))
    documents = sum(row[1] for row in sources)
    yield f"# {facts['recipe']}, profile {facts['profile'] or 'none'}: {manifest.split}"
    yield from ("", facts["about"].strip(), "")
    yield f"- {documents:,} documents, {copies:,} with those that come again"
    yield f"- {manifest.tokens:,} tokens, {learnt:,} of them learnt ({learnt / max(manifest.tokens, 1):.1%})"
    yield f"- rows of {manifest.seq_len:,} tokens, {manifest.packing['fill']:.2%} full"
    yield f"- tokenizer `{manifest.tokenizer.name}`, digest `{manifest.digest}`"
    yield from ("", "## Sources", "")
    yield from _table(("source", "documents", "tokens", "learnt", "share of tokens", "share of the learnt", "passes"), sources)
    yield ""
    yield from (f"- **{source}**: {about['about'].strip()}" for source, about in facts["sources"].items())
    yield from ("", "## Licences", "", "As the sources state them; nothing here is legal advice.", "")
    yield from _table(("source", "licence", "documents"), ((*key, number) for key, number in sorted(licences.items())))
    yield from ("", "## What was left out", "")
    yield from _table(("source", "stage", "reason", "documents", "of those read"), _drops(run))
    yield from ("", "## Inputs", "")
    columns = ("source", "name", "version", "licence", "size", "sha256")
    yield from _table(columns, [[item.get(key) or "" for key in columns] for item in facts["lock"]])


def _documents(dataset: Dataset) -> Counter[tuple[str, str]]:
    """How many documents there are by source and licence; of a document, its first copy counts, where its first token stands."""
    found: Counter[tuple[str, str]] = Counter()
    for shard in dataset.shards:
        begun = shard.docs.filter((pc.field("first_token") == 0) & (pc.field("epoch") == 0))
        counted = begun.group_by(["source", "licence"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            found[row["source"], row["licence"] or NO_LICENCE] += row["count_all"]
    return found


def _sources(dataset: Dataset, licences: Counter[tuple[str, str]]) -> Iterator[tuple[Any, ...]]:
    tokens, learnt, documents = Counter[str](), Counter[str](), Counter[str]()
    for shard in dataset.shards:
        tokens.update(shard.facts.sources)
        learnt.update(shard.facts.trained)
    for (source, _), number in licences.items():
        documents[source] += number
    for stream in dataset.manifest.sources:
        source = stream["source"]
        shares = (f"{counts[source] / max(counts.total(), 1):.2%}" for counts in (tokens, learnt))
        yield (source, documents[source], tokens[source], learnt[source], *shares, f"{stream.get('epochs', 0):.2f}")


def _drops(run: RunFiles) -> Iterator[Sequence[object]]:
    for stage in DROPPING:
        report: Report = merged(committed.report for committed in run.stages(stage))
        for (source, reason), number in sorted(report.dropped.items()):
            if number:
                yield source, stage, reason, number, f"{number / report.read[source]:.2%}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]] | Iterator[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell).replace('|', chr(92) + '|') for cell in row)} |"
