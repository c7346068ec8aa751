"""The items of evaluation sets, from files given by path and from datasets given by name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SourceError
from pipeline.evals.files import rows_of_file
from pipeline.evals.hub import rows_of_dataset
from pipeline.evals.published import FORMATS, parts_of_any
from pipeline.storage import expand


@dataclass(frozen=True)
class Item:
    """One item of an evaluation set.

    `name` says which, as SET:ITEM: a published set by its name and its own id or FILE:LINE ("humaneval:HumanEval/3",
    "mmlu:anatomy_test.csv:7"), any other by FILE:LINE. `answers` are alternatives: any of them answers `question`. `passage`
    is the text a question is about, often taken from a known source. `others`: its other texts (wrong choices, tests).
    """

    name: str
    question: str = ""
    answers: tuple[str, ...] = ()
    passage: str = ""
    others: tuple[str, ...] = ()


def read_items(paths: Sequence[str], datasets: Sequence[str] = ()) -> list[Item]:
    """The items of all files behind `paths` and of `datasets` (see `rows_of_dataset`), sorted; their texts in Unicode's NFC.

    Names hold no folders, so that what is made of the items doesn't depend on where the files lie. Raises SourceError
    naming a file or dataset that can't be read or holds no text, and StorageError naming a path where no file is.
    """
    sets = {path: rows_of_file(path) for path in (expand(paths) if paths else ())}
    sets |= {name: rows_of_dataset(name) for name in datasets}
    found = {where: list(_items(*rows)) for where, rows in sets.items()}
    empty = [where for where, items in found.items() if not items]
    if empty:
        raise SourceError(f"{', '.join(empty)}: no text to look for; mend it, or leave it out of decontaminate")
    every = {item for items in found.values() for item in items}
    return sorted(every, key=lambda item: (item.name, item.question, item.answers, item.passage, item.others))


def _items(file: str, rows: Iterator[tuple[str, Mapping[str, Any]]]) -> Iterator[Item]:
    for place, row in rows:
        known = next((form for form in FORMATS if form.recognises(row)), None)
        parts = known.parts(row) if known else parts_of_any(row)
        name = f"{known.name}:{parts.id or f'{file}:{place}'}" if known else f"{file}:{place}"
        texts = (_clean(parts.question), _cleaned(parts.answers), _clean(parts.passage), _cleaned(parts.others))
        if any(texts):
            yield Item(name, *texts)


def _cleaned(texts: Sequence[str]) -> tuple[str, ...]:
    """The different texts that aren't empty, in their order."""
    return tuple(dict.fromkeys(filter(None, map(_clean, texts))))


def _clean(text: str) -> str:
    """As one text of Unicode: JSON may escape one half of a surrogate pair, which no encoding has."""
    return unicodedata.normalize("NFC", text.encode(errors="replace").decode()).strip()
