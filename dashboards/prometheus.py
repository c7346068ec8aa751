"""The counters of a run in Prometheus' text format, and what grafana.json draws of them.

`tokenmill report` writes them to metrics.prom: let a node exporter's textfile collector read that file (or push it), and
import grafana.json into Grafana. Every metric is a gauge of the last run of a recipe: a run is a batch job, and its
numbers don't grow while they are scraped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dashboards.model import RunFacts

#: Every metric by name, with the help text that Prometheus shows.
METRICS = {
    "tokenmill_documents_read": "Documents that a stage read, by stage and source.",
    "tokenmill_documents_kept": "Documents that a stage kept, by stage and source.",
    "tokenmill_documents_dropped": "Documents that a stage dropped, by stage, source and reason.",
    "tokenmill_text_bytes": "Bytes of text that a stage kept, by stage and source.",
    "tokenmill_tokens_packed": "Tokens in the packed shards, by split and source.",
    "tokenmill_share_recipe": "Share of tokens that the recipe asks for, by source.",
    "tokenmill_stage_wall_seconds": "Wall seconds of a stage.",
    "tokenmill_stage_work_seconds": "Seconds of a stage's tasks, added up.",
    "tokenmill_stage_bytes": "Bytes that a stage wrote.",
    "tokenmill_checks_failed": "Sums that must agree and do not.",
    "tokenmill_run_seconds": "Wall seconds of the run.",
    "tokenmill_run_info": "Always 1; the labels name the run.",
}
Labels = Mapping[str, str]


def render_metrics(facts: RunFacts) -> str:
    """All metrics of a run, grouped by name, in the text exposition format 0.0.4."""
    samples = list(_samples(facts))
    lines: list[str] = []
    for name, about in METRICS.items():
        mine = [f"{name}{_written({'recipe': facts.recipe, **labels})} {value}" for found, labels, value in samples if found == name]
        lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge", *mine] if mine else []
    return "\n".join(lines) + "\n"


def _samples(facts: RunFacts) -> Iterator[tuple[str, Labels, float]]:
    yield from _counters(facts)
    yield from _packed(facts)
    for stage in facts.stages:
        labels = {"stage": stage.stage, "source": stage.source or ""}
        yield "tokenmill_stage_wall_seconds", labels, stage.seconds
        yield "tokenmill_stage_work_seconds", labels, stage.task_seconds
        yield "tokenmill_stage_bytes", labels, stage.bytes
    yield "tokenmill_checks_failed", {}, len(facts.wrong)
    yield "tokenmill_run_seconds", {}, facts.seconds
    yield "tokenmill_run_info", {"profile": facts.profile, "digest": facts.digest, "version": facts.version}, 1


def _counters(facts: RunFacts) -> Iterator[tuple[str, Labels, float]]:
    for stage in facts.stages:
        for counted in stage.counted:
            labels = {"stage": stage.stage, "source": counted.source}
            yield "tokenmill_documents_read", labels, counted.read
            yield "tokenmill_documents_kept", labels, counted.kept
            for drop in counted.drops:
                yield "tokenmill_documents_dropped", {**labels, "reason": drop.reason}, drop.documents
            if "text_bytes" in counted.counts:
                yield "tokenmill_text_bytes", labels, counted.counts["text_bytes"]


def _packed(facts: RunFacts) -> Iterator[tuple[str, Labels, float]]:
    for source in facts.sources:
        yield "tokenmill_share_recipe", {"source": source.name}, source.share
    for found in facts.shards:
        for name, tokens in found.by_source.items():
            yield "tokenmill_tokens_packed", {"split": found.split, "source": name}, tokens


def _written(labels: Labels) -> str:
    """Labels as the format wants them: backslash, quote and newline escaped."""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    safe = value.encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8
    return safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
