"""What stops a run between its waves, before work that would be for nothing is begun."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pipeline.errors import InfeasibleMix, SourceError
from pipeline.mixing import Stream, exact_shares, largest_total, shortage
from pipeline.waves import Run

#: Tokens are foretold from bytes, by what the tokenizer makes of the held-out text; a mix this much beyond that can't be made.
MARGIN = 1.2


def check_before_going_on(state: Run, step: str) -> None:
    """What has to hold once all stages of a step are done; raises what says why the run stops."""
    if step == "extract":
        check_floors(state)
    if step == "tokenizer":
        check_mix(state)


def check_floors(state: Run) -> None:
    """Stop when a source has less extracted text than its floor: a missing package is tolerated only above it."""
    short = []
    for source in state.plan.recipe.sources:
        found = state.stages[f"extract-{source.name}"].committed.report.counts[source.name, "text_bytes"]
        if found < source.floor:
            short.append(f"{source.name}: {found:,} bytes of text, its floor is {source.floor:,}")
    if short:
        missing = "; missing: " + "; ".join(state.lock.missing) if state.lock.missing else ""
        raise SourceError("too little text: " + "; ".join(short) + missing + "; lower `floor` in the recipe, or give more inputs")


def check_mix(state: Run) -> None:
    """Stop before anything is encoded when the mix can't be made, by far: a source has no documents, or not nearly the tokens asked.

    What each source has is foretold: the bytes that its filters kept, the share of their documents that dedupe and quality
    kept, and the bytes to a token of the evaluation. InfeasibleMix names the sources that are short and the feasible total;
    what is closer than MARGIN is decided by the stage `mix`, from counts.
    """
    asked = state.plan.stage("mix").step.args
    shares = exact_shares(asked["shares"])
    evaluated = json.loads(state.stages["tokenizer"].committed.folder.read("tokenizer.evaluation.json"))["sources"]
    foretold = {name: _foretold(state, name, evaluated.get(name)) for name in asked["shares"]}
    streams = [Stream(name, share, *foretold[name], asked["max_epochs"].get(name, 1.0)) for name, share in asked["shares"].items()]
    largest, scarcest = largest_total({stream.source: stream.capacity for stream in streams}, shares)
    if (asked["tokens"] or 1) > largest * MARGIN:
        raise InfeasibleMix("foretold before encoding: " + shortage(streams, shares, asked["tokens"], largest, scarcest))


def _foretold(state: Run, source: str, evaluation: Mapping[str, Any] | None) -> tuple[int, int]:
    """(documents, tokens) of a source, by what the tokenizer made of its held-out text."""
    reports = {key: run.committed.report for key, run in state.stages.items()}
    kept = reports[f"filter-{source}"].kept[source]
    after = [reports[key].kept[source] for key in ("dedupe", f"quality-{source}") if key in reports]
    documents = after[-1] if after else kept
    text = reports[f"filter-{source}"].counts[source, "text_bytes"] * documents / max(kept, 1)
    per_token = evaluation["bytes"] / evaluation["tokens"] if evaluation and evaluation["tokens"] else 1.0
    return documents, math.ceil(text / per_token) + documents
