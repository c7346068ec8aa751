"""The commands about packed shards: `tokenmill inspect | trace | diff | verify | export`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.arguments import DataArg, JsonOpt, OutOpt, SetOpt, SplitOpt, dataset_of, pairs, run_of


def inspect(
    data: DataArg,
    out: OutOpt = "out",
    split: SplitOpt = "train",
    shard: Annotated[int | None, typer.Option(help="Show one shard.")] = None,
    row: Annotated[int | None, typer.Option(help="Show a row of a shard as text, piece by piece.")] = None,
    find: Annotated[str | None, typer.Option(help="Find a text in the rows.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Show so many pieces, drawn at random.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="At most so many matches.")] = 20,
    mix: Annotated[bool, typer.Option("--mix", help="Shares of every shard and of windows, against the recipe.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Look into packed shards: their numbers, shares, rows as text, matches of a text, samples."""
    from pipeline.cli import inspect as shown

    dataset = dataset_of(data, out, split)
    if find is not None:
        shown.show_matches(dataset, find, number, as_json)
    elif sample is not None:
        shown.show_sample(dataset, sample, as_json)
    elif row is not None:
        shown.show_row(dataset, shard or 0, row, as_json)
    elif mix:
        shown.show_mix(dataset, as_json)
    else:
        shown.show_dataset(dataset, shard, as_json)


def trace(
    data: DataArg,
    place: Annotated[str, typer.Argument(help="SHARD:ROW:TOKEN, each a number from 0.")],
    out: OutOpt = "out",
    split: SplitOpt = "train",
    as_json: JsonOpt = False,
) -> None:
    """Say which document a token is from: its file, licence, place, and its way through the run."""
    from pipeline.cli.trace import show_trace

    show_trace(dataset_of(data, out, split), run_of(data, out), place, as_json)


def diff(
    left: DataArg,
    right: DataArg,
    out: OutOpt = "out",
    split: SplitOpt = "train",
    as_json: JsonOpt = False,
) -> None:
    """Compare two packed datasets: what they state, and which documents are in one alone. Exit status 1 when they differ."""
    from pipeline.cli.diff import show_differences

    if not show_differences(dataset_of(left, out, split), dataset_of(right, out, split), as_json):
        raise typer.Exit(1)


def verify(data: DataArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Hash every file again and recount the shards from their bytes; of a run, check that every document is accounted for."""
    from pipeline.cli.verify import show_verification

    if not show_verification(data, out, as_json):
        raise typer.Exit(1)


def export(
    data: DataArg,
    format: Annotated[str, typer.Argument(help="See `tokenmill steps export`.")],  # noqa: A002
    target: Annotated[str, typer.Argument(help="Folder or URL to write to.")],
    out: OutOpt = "out",
    split: SplitOpt = "train",
    settings: SetOpt = None,
) -> None:
    """Write the packed shards in another trainer's format."""
    from pipeline.cli.export import export_dataset

    export_dataset(dataset_of(data, out, split), format, target, pairs(settings, "--set"))


COMMANDS = (inspect, trace, diff, verify, export)
