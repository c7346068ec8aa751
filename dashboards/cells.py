"""Tables as values: cells that know their exact number, columns, and the ways a number becomes a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboards import human
from dashboards.model import Sample


@dataclass(frozen=True)
class Cell:
    """What a cell says, every digit of it where it was rounded, a tone (good, bad), and the length of a bar (0 to 1)."""

    text: str
    exact: str = ""
    tone: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """A column's head; numbers stand to the right."""

    head: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of one length under a title. `samples` has the sample documents of each row, where there are any."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    samples: tuple[tuple[Sample, ...], ...] = ()


def columns(heads: str) -> tuple[Column, ...]:
    """Columns from "Name, #Number": a # makes a number."""
    return tuple(Column(head.strip().removeprefix("#"), head.strip().startswith("#")) for head in heads.split(","))


def table(title: str, heads: str, rows: Iterable[Sequence[Cell]]) -> Table:
    return Table(title, columns(heads), tuple(tuple(row) for row in rows))


def word(text: str, tone: str = "") -> Cell:
    return Cell(text, tone=tone)


def number(known: int | None) -> Cell:
    """A count, rounded; every digit is in the title."""
    return Cell(human.count(known), human.exact(known))


def digits(known: int | None) -> Cell:
    """A number whose every digit matters."""
    return Cell(human.exact(known) or "–")


def octets(number: int | None) -> Cell:
    return Cell(human.size(number), f"{human.exact(number)} bytes" if number is not None else "")


def portion(fraction: float | None) -> Cell:
    return Cell(human.share(fraction), human.exact(fraction))


def elapsed(seconds: float) -> Cell:
    """A time; none at all is one that wasn't taken."""
    return Cell(human.duration(seconds), f"{seconds:,.3f} s") if seconds else word("–")


def value(known: object) -> Cell:
    """Any value that a manifest states or a filter measured."""
    if isinstance(known, bool) or not isinstance(known, int | float):
        return word(str(known))
    return number(known) if isinstance(known, int) else Cell(f"{known:.4g}", human.exact(known))
