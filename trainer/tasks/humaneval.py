"""HumanEval (Chen et al. 2021): the body of a Python function, judged by running its tests in a sandbox.

File as published: HumanEval.jsonl or HumanEval.jsonl.gz. The prompt is the row's, without examples; a text ends where the function does,
at the publication's stop sequences. pass@k is its unbiased estimator over the n texts of a problem, of which c are right:
1 - C(n - c, k) / C(n, k).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.errors import DataError
from trainer.sandbox import Limits, protections, run
from trainer.tasks.task import Item, Task, files, json_lines

FIELDS = ("task_id", "prompt", "test", "entry_point")
#: The k for which pass@k is told, as far as there are so many texts.
KS = (1, 10, 100)


class HumanEval(Task):
    name = "humaneval"
    about = "Python functions from their docstrings: pass@k"
    stop = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    tokens = 512
    samples = True

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._ended: Counter[str] = Counter()

    def read(self, paths: Sequence[Path], shots: int) -> list[Item]:  # noqa: ARG002 - a prompt is an example already
        return [_item(row, path) for path in files(paths, "HumanEval*.jsonl*") for row in json_lines(path)]

    def score(self, item: Item, answers: Sequence[str]) -> dict[str, float]:
        ended = [run(item.prompt + text + item.right, self.limits) for text in answers]
        self._ended.update(ended)
        return {f"pass@{k}": pass_at(len(answers), ended.count("passed"), k) for k in KS if k <= len(answers)}

    def facts(self) -> dict[str, Any]:
        return {"programs": dict(sorted(self._ended.items())), "sandbox": protections()}


def _item(row: dict[str, Any], path: Path) -> Item:
    if missing := [name for name in FIELDS if not isinstance(row.get(name), str)]:
        raise DataError(f"{path}: a row lacks {', '.join(missing)}")
    return Item(row["prompt"], right=f"\n{row['test']}\ncheck({row['entry_point']})\n")


def pass_at(texts: int, right: int, k: int) -> float:
    """The chance that k of `texts` texts, drawn without putting back, hold one of the `right` ones."""
    return 1.0 - math.comb(texts - right, k) / math.comb(texts, k)
