"""Tasks put to a model, and what comes out: each measure with its standard error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trainer.errors import ConfigError
from trainer.generate import Sampling
from trainer.tasks import TASKS
from trainer.tasks.task import Item, Likelihood, Task


class Answering(Protocol):
    """What a task needs of a model (scorer.Scorer)."""

    counts: Counter[str]

    def likelihoods(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood]: ...

    def texts(self, prompt: str, tokens: int, stop: Sequence[str], how: Sampling, samples: int = 1) -> list[str]: ...


@dataclass(frozen=True)
class Questions:
    """How tasks are put: examples before each question (None: the task's), at most `limit` items (0: all), texts for each prompt."""

    shots: int | None = None
    limit: int = 0
    samples: int = 1
    how: Sampling = field(default_factory=lambda: Sampling(temperature=0))

    def __post_init__(self) -> None:
        if (self.shots or 0) < 0 or self.limit < 0 or self.samples < 1:
            raise ConfigError(f"--shots {self.shots}, --limit {self.limit}, --samples {self.samples}: at least 0, 0 and 1")
        if self.samples > 1 and not self.how.temperature:
            raise ConfigError(f"--samples {self.samples} at temperature 0 would all be the same: pass --temperature .8")


def chosen(names: str | None, paths: Sequence[Path], asked: Questions) -> dict[str, tuple[Task, list[Item]]]:
    """The tasks of these names with their items, or all that have files under `paths`; ConfigError where there are none."""
    wanted = names.split(",") if names else list(TASKS)
    found = {}
    for name in wanted:
        if name not in TASKS:
            raise ConfigError(f"--tasks names {name!r}: there are {', '.join(TASKS)}")
        task = TASKS[name]()
        items = task.read(paths, task.shots if asked.shots is None else asked.shots)
        if items:
            found[name] = (task, spread(items, asked.limit))
        elif names:
            raise ConfigError(f"--evals holds no files of {name}: {', '.join(map(str, paths))}")
    if not found:
        raise ConfigError(f"--evals holds no files of {', '.join(TASKS)}: {', '.join(map(str, paths))}")
    return found


def spread(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` items (0: all), evenly from the first to the last, so that every subject has its share."""
    count = min(limit, len(items)) or len(items)
    return [items[number * len(items) // count] for number in range(count)]


def evaluate(model: Answering, task: Task, items: Sequence[Item], asked: Questions) -> dict[str, Any]:
    """The measures of a task, each with its standard error; those of its groups where it has several, and what was cut."""
    before = dict(model.counts)
    scores = [task.score(item, given) for item, given in zip(items, _answers(model, task, items, asked), strict=True)]
    groups = sorted({item.group for item in items})
    by_group = {group: measures(s for s, item in zip(scores, items, strict=True) if item.group == group) for group in groups}
    counts = {name: count - before.get(name, 0) for name, count in sorted(model.counts.items())}
    told = {"items": len(items), "shots": task.shots if asked.shots is None else asked.shots, "measures": measures(scores), **counts}
    return told | task.facts() | ({"groups": by_group} if len(groups) > 1 else {})


def _answers(model: Answering, task: Task, items: Sequence[Item], asked: Questions) -> Iterator[list[Any]]:
    pairs = [(item.prompt, option) for item in items for option in item.options]
    likelihoods = iter(model.likelihoods(pairs) if pairs else ())
    for item in items:
        if item.options:
            yield [next(likelihoods) for _ in item.options]
        else:
            yield model.texts(item.prompt, task.tokens, task.stop, asked.how, asked.samples if task.samples else 1)


def measures(scores: Iterable[Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """The mean of each measure, and its standard error: the deviation over items / sqrt(items); None for a single item."""
    every = list(scores)
    found: dict[str, dict[str, float | None]] = {}
    for name in every[0] if every else ():
        values = np.array([score[name] for score in every])
        error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
        found[name] = {"value": float(values.mean()), "stderr": error}
    return found


def lines(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The results as a table."""
    yield f"{'task':<12} {'measure':<12} {'value':>8} {'stderr':>8} {'items':>7} {'shots':>6}  notes"
    for name, told in results.items():
        cut = f"{told['requests_cut']:,} of {told['requests']:,} requests cut to the context" if told.get("requests_cut") else ""
        missing = ", ".join(wall for wall, holds in told.get("sandbox", {}).items() if not holds)
        notes = "; ".join(filter(None, [cut, missing and f"sandbox without {missing}: not permitted here"]))
        for measure, score in told["measures"].items():
            error = "" if score["stderr"] is None else f"{score['stderr']:.4f}"
            yield f"{name:<12} {measure:<12} {score['value']:>8.4f} {error:>8} {told['items']:>7,} {told['shots']:>6}  {notes}".rstrip()
