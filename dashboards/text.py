"""The report's twin for terminals and pipes, and the facts as JSON for machines: the same tables as the page's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dashboards import human, tables, token_tables
from dashboards.cells import Table
from dashboards.model import Check, RunFacts

#: Widest cell of a piped table: what is cut here is whole on the page and in the JSON.
WIDEST = 60
STYLES = {"good": "green", "bad": "bold red", "dim": "dim"}


def to_json(facts: RunFacts) -> dict[str, Any]:
    """Everything that is known of a run, as plain JSON values."""
    known: dict[str, Any] = json.loads(json.dumps(facts.to_json()))
    return known


def print_facts(facts: RunFacts, stream: TextIO) -> None:
    """Print the report: coloured tables on a terminal, plain aligned text in a pipe."""
    if not stream.isatty():
        stream.write(render_text(facts))
        return
    console = Console(file=stream, highlight=False)
    console.print(Text(_head(facts)))
    for table in _tables(facts):
        console.print(_rich(table))
    console.print(Text(_verdict(facts), style=STYLES["bad" if facts.wrong else "good"]))


def render_text(facts: RunFacts) -> str:
    """The report as plain text, columns aligned, one blank line between tables."""
    blocks = [_head(facts), *(_plain(table) for table in _tables(facts)), _verdict(facts)]
    return "\n\n".join(blocks) + "\n"


def _head(facts: RunFacts) -> str:
    name = f"{facts.recipe} ({facts.profile})" if facts.profile else facts.recipe
    lines = [_line(name), *(f"missing input: {_line(text)}" for text in facts.missing)]
    lines += [f"  {label:<22} {_line(cell.text)}" for label, cell in tables.figures(facts)]
    return "\n".join([*lines, f"  {'digest':<22} {facts.digest}"] if facts.digest else lines)


def _verdict(facts: RunFacts) -> str:
    if not facts.checks:
        return "No stage has finished: there are no sums to check."
    if not facts.wrong:
        return f"✓ all {len(facts.checks)} sums agree"
    return "\n".join([f"✗ {len(facts.wrong)} of {len(facts.checks)} sums DO NOT AGREE:", *(_wrong(check) for check in facts.wrong)])


def _wrong(check: Check) -> str:
    return f"  {_line(check.name)}: {check.left:,} is not {check.right:,} ({human.signed(check.left - check.right)})"


def _tables(facts: RunFacts) -> Iterator[Table]:
    """The page's tables without the longest ones: single input files, clusters, and the sums that do agree."""
    yield tables.funnels(facts.funnels)
    for source in facts.sources:
        for found in tables.drops_of(facts, source.name):
            yield Table(f"{source.name}: {found.title}", found.columns, found.rows)
    if facts.quality_model:
        yield tables.quality_model(facts.quality_model)
    if facts.tokenizer:
        yield token_tables.tokenizer(facts.tokenizer.sources, "Source")
    yield token_tables.shares(facts)
    if facts.shards:
        yield token_tables.shard_sets(facts.shards)
    yield tables.times(facts)
    yield tables.inputs_by_source(facts)


def _plain(table: Table) -> str:
    """A title, a head, and rows; columns as wide as their widest cell."""
    cells = [[column.head for column in table.columns], *([_line(cell.text) for cell in row] for row in table.rows)]
    widths = [max(cell_len(row[index]) for row in cells) for index in range(len(table.columns))]
    lines = [
        "  ".join(_padded(cell, width, column.number) for cell, width, column in zip(row, widths, table.columns, strict=True))
        for row in cells
    ]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([_line(table.title), lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:])])


def _padded(cell: str, width: int, number: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if number else cell + space


def _line(text: str) -> str:
    """A text on one line, harmless to a terminal, and cut to what a column can hold."""
    flat = " ".join(human.clean(text).split())
    return flat if len(flat) <= WIDEST else flat[: WIDEST - 1] + "…"


def _rich(table: Table) -> RichTable:
    drawn = RichTable(title=Text(_line(table.title)), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        drawn.add_column(column.head, justify="right" if column.number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(_line(cell.text), style=STYLES.get(cell.tone, "")) for cell in row))
    return drawn
