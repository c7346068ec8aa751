"""MMLU (Hendrycks et al. 2021): four choices, answered by the likeliest of the letters " A" to " D" after "Answer:".

Files as published: SUBJECT_test.csv, and SUBJECT_dev.csv with five examples, in any folders; columns are question, four choices, and
the answer's letter. Copies with a header, or with a number from 0 for the answer, are read too. The prompt is the publication's.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import ConfigError, DataError
from trainer.tasks.task import Item, Likelihood, Task, best, files, readable

LETTERS = "ABCD"


class Mmlu(Task):
    name = "mmlu"
    about = "57 subjects, four choices, by the letter's log-likelihood"
    shots = 5

    def read(self, paths: Sequence[Path], shots: int) -> list[Item]:
        examples = {_subject(path): path for path in files(paths, "*_dev.csv")}
        items: list[Item] = []
        for path in files(paths, "*_test.csv"):
            subject = _subject(path)
            if shots and subject not in examples:
                raise ConfigError(
                    f"{path}: its {shots} examples should be in {subject}_dev.csv, which isn't under --evals; or pass --shots 0"
                )
            shown = [_question(row) + f" {_letter(row)}\n\n" for row in _rows(examples[subject])[:shots]] if shots else []
            head = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n" + "".join(shown)
            options = tuple(f" {letter}" for letter in LETTERS)
            items += [Item(head + _question(row), options, LETTERS.index(_letter(row)), subject) for row in _rows(path)]
        return items

    def score(self, item: Item, answers: Sequence[Likelihood]) -> dict[str, float]:
        return {"accuracy": float(best(answers) == item.right)}


def _subject(path: Path) -> str:
    return path.stem.rpartition("_")[0]


def _rows(path: Path) -> list[list[str]]:
    with readable(path), path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and rows[0][0] == "question" and rows[0][-1] == "answer":
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) != 6 or row[5].strip() not in (*LETTERS, "0", "1", "2", "3"):
            raise DataError(f"{path}, question {number}: not a question, four choices and a letter or number, but {row}")
    return rows


def _letter(row: Sequence[str]) -> str:
    right = row[5].strip()
    return right if right in LETTERS else LETTERS[int(right)]


def _question(row: Sequence[str]) -> str:
    choices = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, row[1:5], strict=True))
    return f"{row[0]}{choices}\nAnswer:"
