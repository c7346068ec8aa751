"""The published formats of evaluation sets, one small function each: which texts of a row are question, answer, passage.

A format is recognised by the names of a row's columns, so the same function reads the set's own file and the rows that the
`datasets` library gives for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

Row = Mapping[str, Any]


class Parts(NamedTuple):
    """The texts of an item, by what they are; `id` where the row has one of its own."""

    question: str
    answers: tuple[str, ...] = ()
    passage: str = ""
    others: tuple[str, ...] = ()
    id: str = ""


class Format(NamedTuple):
    """A published format: the name of its set, whether a row is of it, and the parts of such a row."""

    name: str
    recognises: Callable[[Row], bool]
    parts: Callable[[Row], Parts]


_CALCULATION = re.compile(r"<<[^<>]*>>")
_LETTERS = "ABCD"
#: MMLU's columns where they have no names, and in copies.
_PLACES = ("0", "1", "2", "3", "4", "5")
_COPIED = ("question", "choice0", "choice1", "choice2", "choice3", "answer")


def mmlu(row: Row) -> Parts:
    """MMLU: question, four choices, and the right one by letter or number.

    The test files have no header (columns 0 to 5, answers A to D); copies have choice0 to choice3; the Hub has a list.
    """
    if "choices" in row:
        question, choices, right = row["question"], list(row["choices"]), row["answer"]
    else:
        question, *choices, right = (row[name] for name in (_COPIED if "answer" in row else _PLACES))
    at = _LETTERS.index(right) if right in tuple(_LETTERS) else int(right)
    return Parts(question, (choices[at],), others=tuple(choices[:at] + choices[at + 1 :]))


def _is_mmlu(row: Row) -> bool:
    if set(row) == set(_PLACES):
        return _texts(*_PLACES)(row) and row["5"] in tuple(_LETTERS)
    if set(row) == set(_COPIED):
        return _texts(*_COPIED)(row) and row["answer"] in ("0", "1", "2", "3", *_LETTERS)
    choices, right = row.get("choices"), row.get("answer")
    return _are_texts(choices) and isinstance(right, int) and right in range(len(choices)) and isinstance(row.get("question"), str)


def humaneval(row: Row) -> Parts:
    """HumanEval: the prompt (signature and docstring) is the question, the canonical solution its answer; and the tests."""
    return Parts(row["prompt"], (row["canonical_solution"],), others=(row["test"],), id=row["task_id"])


def gsm8k(row: Row) -> Parts:
    """GSM8K: a worked solution, also without its <<calculations>>, and the number after ####."""
    solution, _, number = row["answer"].rpartition("####")
    return Parts(row["question"], (row["answer"], _CALCULATION.sub("", solution), number))


def truthfulqa(row: Row) -> Parts:
    """TruthfulQA: the best answer and the other correct ones, parted by semicolons; and the incorrect ones."""
    return Parts(row["Question"], (row["Best Answer"], *_listed(row["Correct Answers"])), others=_listed(row["Incorrect Answers"]))


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(answer.strip() for answer in cell.split(";"))


def mt_bench(row: Row) -> Parts:
    """MT-Bench: the turns of a conversation, and reference answers where there are any."""
    first, *later = row["turns"]
    return Parts(first, tuple(strings(row.get("reference"))), others=tuple(later), id=str(row["question_id"]))


def _is_mt_bench(row: Row) -> bool:
    return "question_id" in row and _are_texts(row.get("turns")) and len(row["turns"]) > 0


def _is_gsm8k(row: Row) -> bool:
    return set(row) == {"question", "answer"} and _texts("question", "answer")(row) and "\n#### " in row["answer"]


def _are_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _texts(*columns: str) -> Callable[[Row], bool]:
    """Whether a row has these columns, with a text in each."""
    return lambda row: all(isinstance(row.get(column), str) for column in columns)


FORMATS = (
    Format("mmlu", _is_mmlu, mmlu),
    Format("humaneval", _texts("task_id", "prompt", "canonical_solution", "test"), humaneval),
    Format("gsm8k", _is_gsm8k, gsm8k),
    Format("truthfulqa", _texts("Question", "Best Answer", "Correct Answers", "Incorrect Answers"), truthfulqa),
    Format("mt_bench", _is_mt_bench, mt_bench),
)

#: What other sets call their columns, in lower case.
QUESTIONS = frozenset(("question", "prompt", "query", "problem", "instruction", "input", "goal", "turns", "q"))
ANSWERS = frozenset(("answer", "answers", "target", "solution", "output", "response", "completion", "canonical_solution", "reference", "a"))
PASSAGES = frozenset(("passage", "context", "article", "story", "document", "paragraph", "support"))


def parts_of_any(row: Row) -> Parts:
    """Columns by their usual names: the first of QUESTIONS asks, ANSWERS are alternatives; texts of other columns are `others`."""
    found: dict[str, list[str]] = {"question": [], "answer": [], "passage": [], "other": []}
    for column, value in row.items():
        name = column.lower()
        kind = "question" if name in QUESTIONS else "answer" if name in ANSWERS else "passage" if name in PASSAGES else "other"
        found[kind] += strings(value)
    question, *more = found["question"] or [""]
    return Parts(question, tuple(found["answer"]), "\n".join(found["passage"]), (*more, *found["other"]))


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
