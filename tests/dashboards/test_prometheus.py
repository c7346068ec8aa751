"""Metrics that Prometheus can read, and a Grafana dashboard that asks for none that isn't there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from synthetic_documents import READ
from synthetic_run import QUOTA

import dashboards
from dashboards.model import RunFacts
from dashboards.prometheus import METRICS, render_metrics

SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DASHBOARD = json.loads((Path(dashboards.__file__).parent / "grafana.json").read_text("utf-8"))


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples of an exposition; a line that isn't one, a comment or a second sample of one name and labels is an error."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        key = match[1], frozenset(LABEL.findall(match[2]))
        assert key not in found, line
        found[key] = float(match[3])
    return found


def value(facts: RunFacts, name: str, **labels: str) -> float:
    return samples(render_metrics(facts))[name, frozenset({"recipe": facts.recipe, **labels}.items())]


def test_counters_are_those_of_the_run(facts: RunFacts) -> None:
    assert value(facts, "tokenmill_documents_read", stage="extract", source="web") == 2 * READ["web"]
    assert value(facts, "tokenmill_documents_dropped", stage="extract", source="web", reason="extract:empty") == 12
    assert value(facts, "tokenmill_tokens_packed", split="train", source="books") == QUOTA["books"]
    assert value(facts, "tokenmill_stage_wall_seconds", stage="pack", source="") == 19.0
    assert value(facts, "tokenmill_checks_failed") == 0


def test_every_metric_is_announced_before_its_samples(facts: RunFacts) -> None:
    lines = render_metrics(facts).splitlines()
    for name in METRICS:
        first = next(index for index, line in enumerate(lines) if line.startswith(name + "{"))
        assert lines[first - 2 : first] == [f"# HELP {name} {METRICS[name]}", f"# TYPE {name} gauge"]


def test_labels_are_escaped(facts: RunFacts) -> None:
    nasty = 'a"b\\c\nd \ud800'
    text = render_metrics(replace(facts, profile=nasty))
    assert r'profile="a\"b\\c\nd ?"' in text
    assert samples(text)


def test_the_dashboard_asks_for_metrics_that_exist(facts: RunFacts) -> None:
    exported = {name for name, _ in samples(render_metrics(facts))}
    asked = set(re.findall(r"tokenmill_\w+", json.dumps(DASHBOARD)))
    assert asked
    assert asked <= exported
    assert exported == set(METRICS)


def test_the_dashboard_asks_by_labels_that_exist(facts: RunFacts) -> None:
    known: dict[str, set[str]] = {}
    for name, labels in samples(render_metrics(facts)):
        known.setdefault(name, set()).update(label for label, _ in labels)
    for panel in DASHBOARD["panels"]:
        for name, labels in re.findall(r"(tokenmill_\w+)\{([^}]*)\}", panel["targets"][0]["expr"]):
            assert {label for label, _ in LABEL.findall(labels)} <= known[name]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
