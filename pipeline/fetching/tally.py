"""What is told of a download while it runs."""

from __future__ import annotations

from typing import Protocol


class Tally(Protocol):
    """Told how a download goes; never asked."""

    def begin(self, files: int, total: int | None) -> None:
        """`files` are to be fetched, `total` bytes in all (None: not known; lists without sizes: about so many)."""

    def bytes(self, number: int) -> None:
        """So many bytes came (fewer than none: they were thrown away)."""

    def file(self, name: str) -> None:
        """A file is there."""

    def end(self) -> None:
        """No more comes."""


class Quiet:
    """Says nothing."""

    def begin(self, files: int, total: int | None) -> None: ...

    def bytes(self, number: int) -> None: ...

    def file(self, name: str) -> None: ...

    def end(self) -> None: ...
