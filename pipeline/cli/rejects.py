"""`tokenmill rejects`: what was dropped and why, as counts or as samples with their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.text import Text

from pipeline.cli.numbers import number_lines
from pipeline.cli.output import console, print_json, print_table, say_if_stopped
from pipeline.errors import TokenmillError
from pipeline.rejects import Count, Sample, count_rejects, sample_rejects
from pipeline.storage import Folder

#: Samples when a reason is named and no number; characters of each that are shown.
SAMPLES, SHOWN = 5, 300


def show_rejects(folder: Folder, source: str | None, stage: str | None, reason: str | None, number: int | None, as_json: bool) -> None:
    """Print counts, or samples where a reason or a number of them is given."""
    counts = count_rejects(folder, source, stage, reason)
    say_if_stopped(folder)
    if not counts:
        raise TokenmillError(f"{folder.url}: nothing was dropped" + (f" of {source}" if source else "") + (f" by {stage}" if stage else ""))
    if reason is None and number is None:
        _show_counts(counts, as_json)
    else:
        _show_samples(counts, sample_rejects(folder, counts, number if number is not None else SAMPLES), as_json)


def _show_counts(counts: Sequence[Count], as_json: bool) -> None:
    if as_json:
        print_json([{**count._asdict(), "share": count.share} for count in counts])
        return
    rows = [(count.source, count.stage, count.reason, count.documents, _share(count)) for count in counts]
    print_table("documents dropped", ("source", "stage", "reason", "documents", "of those read"), rows)


def _show_samples(counts: Sequence[Count], samples: Sequence[Sample], as_json: bool) -> None:
    if as_json:
        print_json([sample.to_json() for sample in samples])
        return
    out = console()
    out.print(f"{len(samples)} of {sum(count.documents for count in counts):,} documents", soft_wrap=True)
    for sample in samples:
        out.print(Text(f"{sample.id}  {sample.source}  {sample.where}".rstrip(), style="bold"), soft_wrap=True)
        out.print(Text(f"  {sample.stage}  {sample.reason}" + (f"  twin {sample.twin}" if sample.twin else "")), soft_wrap=True)
        for line in number_lines(sample.numbers):
            out.print(line, soft_wrap=True)
        if sample.excerpt:
            out.print(Text("  " + json.dumps(sample.excerpt[:SHOWN], ensure_ascii=False)), soft_wrap=True)


def _share(count: Count) -> str:
    return f"{count.share:.2%}"
