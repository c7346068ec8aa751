"""What every command prints with: aligned tables on a terminal and in a pipe alike, and JSON for machines."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.runfiles import STOPPED_FILE, last_run
from pipeline.storage import Folder

#: Width of a table when nothing says how wide the screen is: a pipe must not cut columns.
PIPE_WIDTH = 200


def console() -> Console:
    """Standard output; plain, and wide enough, when piped."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_line(text: str | Text, style: str = "", *, to_stderr: bool = False) -> None:
    """One line, never wrapped or cut; styles show on a terminal only."""
    line = Text(text, style) if isinstance(text, str) else text
    (Console(stderr=True, highlight=False) if to_stderr else console()).print(line, soft_wrap=True)


def visible(text: str) -> str:
    """A text without what could command a terminal: control characters, but for tabs and newlines, as U+FFFD."""
    return "".join(char if char in "\t\n" or unicodedata.category(char) != "Cc" else "\ufffd" for char in text)


def say_if_stopped(folder: Folder) -> None:
    """One line beside the output when it is of a run that stopped."""
    if folder.exists(STOPPED_FILE):
        print_line(f"of a run that stopped: {last_run(folder).stopped}", "bold yellow", to_stderr=True)


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[str] = ()) -> None:
    """A table; columns whose values are numbers stand right, the first and those in `left` stand left."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    rows = [list(row) for row in rows]
    for index, name in enumerate(columns):
        numeric = index > 0 and name not in left and all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def size(number: float) -> str:
    """Bytes for people: 1,234,567 is "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(number) < 1000 or unit == "TB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")
