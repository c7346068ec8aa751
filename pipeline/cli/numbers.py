"""Measured numbers as aligned lines: what it was, what it had to be, and which of them decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from pipeline.evidence import Number


def number_lines(numbers: Sequence[Number], indent: int = 4) -> Iterator[Text]:
    """One line a number: "gopher_quality.words   12   needs >= 50   <- dropped here"."""
    cells = [(number.signal, _value(number), _needs(number)) for number in numbers]
    wide = [max((len(row[column]) for row in cells), default=0) for column in range(2)]
    for number, (signal, value, needs) in zip(numbers, cells, strict=True):
        line = "   ".join(filter(None, (f"{signal:<{wide[0]}}", f"{value:>{wide[1]}}", needs, "<- dropped here" if number.decided else "")))
        yield Text(f"{' ' * indent}{line}", style="bold" if number.decided else "")


def _needs(number: Number) -> str:
    asked = dict.fromkeys(f"{op} {_plain(value)}" for _, op, value in number.bounds)
    return f"needs {' and '.join(asked)}" if asked else ""


def _value(number: Number) -> str:
    """A number in four digits, or in as many as it takes to tell it from a bound that it isn't equal to."""
    if not isinstance(number.value, float):
        return _plain(number.value)
    near = [float(bound) for _, _, bound in number.bounds if not isinstance(bound, str)]
    for digits in range(4, 17):
        shown = f"{number.value:.{digits}g}"
        if all((float(shown) == bound) == (number.value == bound) for bound in near):
            return shown
    return repr(number.value)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
