"""GSM8K (Cobbe et al. 2021): worked solutions of word problems; what counts is the last number.

Files as published: test.jsonl, and train.jsonl for the examples, each row a question and an answer that ends in "#### number". Without
train.jsonl the first questions of the test are the examples, and are not asked. `exact`: the number after "####" in what the model
wrote. `last_number`: if it never wrote "####", the last number at all counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from trainer.tasks.task import Item, Task, files, json_lines

MARK = "####"
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")


class Gsm8k(Task):
    name = "gsm8k"
    about = "word problems: the final number of a worked solution"
    shots = 5
    stop = ("\nQuestion:",)

    def read(self, paths: Sequence[Path], shots: int) -> list[Item]:
        training, rows = (_problems(files(paths, f"{split}.jsonl")) for split in ("train", "test"))
        if not training:
            training, rows = rows[:shots], rows[shots:]
        shown = "".join(f"Question: {row['question']}\nAnswer: {row['answer']}\n\n" for row in training[:shots])
        return [Item(f"{shown}Question: {row['question']}\nAnswer:", right=final(row["answer"])) for row in rows]

    def score(self, item: Item, answers: Sequence[str]) -> dict[str, float]:
        (text,) = answers
        exact = final(text) == item.right
        return {"exact": float(exact), "last_number": float(exact or (MARK not in text and last_number(text) == item.right))}


def _problems(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of this format, whose answers have a number: other sets call their files test.jsonl too."""
    rows = (row for path in paths for row in json_lines(path))
    return [row for row in rows if "question" in row and final(str(row.get("answer"))) is not None]


def final(answer: str) -> Decimal | None:
    """The number after the first ####; None where there is none."""
    found = _NUMBER.search(answer.partition(MARK)[2].partition("\n")[0])
    return _value(found.group()) if found else None


def last_number(text: str) -> Decimal | None:
    """The last number of a text; None where there is none."""
    found = _NUMBER.findall(text)
    return _value(found[-1]) if found else None


def _value(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
