"""What an evaluation is: items read from published files, and how answers to them are scored. No model, no torch.

An item with `options` is answered by the log-likelihood of each of them after the prompt; one without, by texts that a model writes.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import ConfigError, DataError


class Likelihood(NamedTuple):
    """log p of a continuation in nats, how many tokens it is, and whether each of them was the likeliest."""

    nats: float
    tokens: int
    greedy: bool


@dataclass(frozen=True)
class Item:
    """One question: what the model is shown, the continuations to compare (none: it writes), what is right, and its group."""

    prompt: str
    options: tuple[str, ...] = ()
    right: Any = None
    group: str = ""


class Task(ABC):
    """An evaluation. `shots` examples stand before each question unless the user says otherwise; texts end before any of `stop`."""

    name: str
    about: str
    shots: int = 0
    stop: tuple[str, ...] = ()
    tokens: int = 256
    #: Whether several texts of one prompt can be scored.
    samples: bool = False

    @abstractmethod
    def read(self, paths: Sequence[Path], shots: int) -> list[Item]:
        """All items in the files under `paths`, in the order of names and lines; empty where there are none."""

    @abstractmethod
    def score(self, item: Item, answers: Sequence[Any]) -> dict[str, float]:
        """Each measure of one item, from 0 to 1; answers are Likelihoods of the options, or texts."""

    def facts(self) -> dict[str, Any]:
        """What else belongs to the result."""
        return {}


def files(paths: Sequence[Path], pattern: str) -> list[Path]:
    """The files of a name under `paths` (folders or files), sorted within each; ConfigError on a path that isn't there."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f"--evals names {path}: there is no such file or folder")
        found += sorted(path.rglob(pattern)) if path.is_dir() else [path] if path.match(pattern) else []
    return list(dict.fromkeys(found))  # of a folder and one within it


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """DataError where a file can't be read: not permitted, cut short, no UTF-8, or no CSV."""
    try:
        yield
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise DataError(f"{path} can't be read: {error}") from error


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a .jsonl or .jsonl.gz file; DataError with the line that is none."""
    unpack = gzip.open if path.suffix == ".gz" else open
    with readable(path), unpack(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error})") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}: a row must be an object")
            yield row


def best(answers: Sequence[Likelihood]) -> int:
    """The option with the greatest log-likelihood; the first of equals."""
    return max(range(len(answers)), key=lambda number: answers[number].nats)
