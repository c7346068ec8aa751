"""Evaluations from local files in their published formats, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trainer.tasks.gsm8k import Gsm8k
from trainer.tasks.humaneval import HumanEval
from trainer.tasks.mmlu import Mmlu
from trainer.tasks.task import Task
from trainer.tasks.truthfulqa import TruthfulQa

TASKS: Mapping[str, Callable[[], Task]] = {"mmlu": Mmlu, "truthfulqa": TruthfulQa, "gsm8k": Gsm8k, "humaneval": HumanEval}
