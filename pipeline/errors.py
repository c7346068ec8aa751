"""The error tree: everything a user can cause or mend is a TokenmillError, whose text names the thing, the value and what to do.

    TokenmillError
    ├── RecipeError        the recipe is wrong; carries every mistake found, each with its line
    ├── SourceError        a source can't be fetched, opened or decoded as a whole
    ├── StorageError       a file can't be written, or is not what its manifest says
    ├── PartsFailed        some tasks of a stage failed; the others are kept
    ├── GuardTripped       dedupe would remove more of a source than its guard allows
    ├── InfeasibleMix      the shares can't be met by the tokens there are
    └── ShardError         a packed shard is missing, damaged or of another kind

A bad *document* is never an error: it is a counted reason (see report.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TokenmillError(Exception):
    """Base of all errors a user can cause or mend; the command line prints its text without a traceback."""


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake in a recipe: 1-based line (0 when unknown), dotted path of the key, and what is wrong."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.path}: {self.message}"


class RecipeError(TokenmillError):
    """A recipe can't be run; `mistakes` holds all that were found, in the order of their lines."""

    def __init__(self, recipe: str, mistakes: Sequence[Mistake]) -> None:
        self.recipe = recipe
        self.mistakes = tuple(sorted(mistakes))
        listing = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        count = len(self.mistakes)
        super().__init__(f"{recipe}: {count} mistake{'s' if count != 1 else ''}\n{listing}")

    def __reduce__(self) -> tuple[type[RecipeError], tuple[str, tuple[Mistake, ...]]]:
        return (type(self), (self.recipe, self.mistakes))


class SourceError(TokenmillError):
    """A source can't be fetched, opened or decoded as a whole."""


class StorageError(TokenmillError):
    """A file can't be written, or what is read is not what its manifest says."""


class PartsFailed(TokenmillError):
    """Some tasks of a stage failed; the parts of the others are committed and a rerun continues from them."""

    def __init__(self, stage: str, failures: Sequence[tuple[str, str]], done: int) -> None:
        self.stage = stage
        self.failures = tuple(failures)
        self.done = done
        by_cause: dict[str, list[str]] = {}
        for task, cause in self.failures:
            by_cause.setdefault(cause, []).append(task)
        listing = "\n".join(f"  {', '.join(tasks)}: {cause}" for cause, tasks in by_cause.items())
        super().__init__(
            f"stage {stage}: {len(self.failures)} of {len(self.failures) + done} parts failed"
            f" ({done} kept; run again to continue)\n{listing}"
        )

    def __reduce__(self) -> tuple[type[PartsFailed], tuple[str, tuple[tuple[str, str], ...], int]]:
        return (type(self), (self.stage, self.failures, self.done))


class GuardTripped(TokenmillError):
    """Dedupe would remove more of a source than its guard allows; nothing downstream was written."""


class InfeasibleMix(TokenmillError):
    """The shares can't be met by the tokens there are; the text says which source is short and what total is feasible."""


class ShardError(TokenmillError):
    """A packed shard is missing, damaged, or not what its reader expected."""


class MissingInput(UserWarning):
    """Something asked for is not to be had (a package the mirror doesn't offer): said plainly, tolerated above the floor."""
