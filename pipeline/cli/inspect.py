"""`tokenmill inspect`: packed shards as a summary, as shares, as rows of text, as matches of a text, as samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice

import numpy as np
from rich.text import Text

from pipeline.cli.output import print_json, print_line, print_table, size, visible
from pipeline.shards import inspect, search
from pipeline.shards.read import Dataset, Origin
from pipeline.shards.text import speller_of

#: Colours of sources, in the order of the recipe.
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")


def show_dataset(dataset: Dataset, shard: int | None, as_json: bool) -> None:
    """The dataset in numbers, and a line for each shard (or the one named)."""
    found = inspect.summary(dataset)
    shards = dataset.manifest.shards if shard is None else [dataset.shard(shard).facts]
    if as_json:
        print_json({**asdict(found), "files": [asdict(item) for item in shards]})
        return
    facts = {**asdict(found), "fill": f"{found.fill:.4%}", "bytes": size(found.bytes)}
    print_table(f"{found.split} of {dataset.folder.url}", ("", "value"), [(key.replace("_", " "), value) for key, value in facts.items()])
    sources = sorted({source for item in shards for source in item.sources})
    rows = [(item.file, item.rows, item.tokens, item.sha256[:12], *(item.sources.get(source, 0) for source in sources)) for item in shards]
    print_table("tokens by source", ("shard", "rows", "tokens", "sha256", *sources), rows)


def show_mix(dataset: Dataset, as_json: bool) -> None:
    """Shares as planned and as found: over all, in the worst shard, in the worst window of rows."""
    found = inspect.shares(dataset)
    if as_json:
        print_json([asdict(share) for share in found])
        return
    total, window = sum(share.tokens for share in found), inspect.window_rows(dataset)
    rows = [
        (
            share.source, f"{share.planned:.4%}", f"{share.found:.6%}", share.tokens, f"{share.tokens - share.planned * total:+.2f}",
            f"{share.shard_difference:+.3%} in {share.worst_shard}", f"{share.window_difference:+.2%}", f"±{share.tolerance:.2%}",
        )
        for share in found
    ]  # fmt: skip
    columns = ("source", "planned", "found", "tokens", "off by tokens", "worst shard", f"worst window of {window} rows", "allowed")
    print_table(f"{total:,} tokens, counted from the rows", columns, rows)


def show_row(dataset: Dataset, shard: int, row: int, as_json: bool) -> None:
    """A row as text: where each piece stands, whose it is, and what it says, in the colour of its source."""
    found = inspect.pieces(dataset, shard, row, _decoder(dataset))
    if as_json:
        print_json([asdict(piece) for piece in found])
        return
    print_line(f"shard {shard}, row {row}: {len(found)} pieces in {dataset.manifest.seq_len:,} tokens")
    for piece in found:
        _show_piece(piece, _colours(dataset))


def _show_piece(piece: inspect.Piece, colours: Mapping[str, str]) -> None:
    """A piece under its document's name. What is no target is dim: its first token, and what a loss mask leaves out."""
    part = "whole" if piece.stop - piece.start == piece.origin.n_tokens else f"tokens {piece.offset:,} on of {piece.origin.n_tokens:,}"
    print_line(f"  {piece.start}-{piece.stop} {piece.origin.source}  {name(piece.origin)} ({part})", "bold " + colours[piece.origin.source])
    text = Text()
    for run, learnt in piece.runs:
        text.append(visible(run), colours[piece.origin.source] if learnt else "dim")
    print_line(text)


def show_sample(dataset: Dataset, number: int, as_json: bool) -> None:
    """Pieces drawn at random, token by token."""
    found = list(search.sample(dataset, speller_of(dataset), number))
    if as_json:
        print_json([{"shard": shard, "row": row, **asdict(piece)} for shard, row, piece in found])
        return
    for shard, row, piece in found:
        print_line(f"shard {shard}, row {row}")
        _show_piece(piece, _colours(dataset))


def show_matches(dataset: Dataset, text: str, number: int, as_json: bool) -> None:
    """The first matches of a text, each between its neighbours."""
    found = list(islice(search.find(dataset, speller_of(dataset), text), number + 1))
    if as_json:
        print_json([asdict(match) for match in found[:number]])
        return
    for match in found[:number]:
        print_line(f"{match.shard}:{match.row}:{match.start}  {match.origin.source}  {name(match.origin)}", "bold")
        print_line(Text("  ").append(visible(match.before), "dim").append(visible(text), "bold yellow").append(visible(match.after), "dim"))
    more = f", the first {number}; -n shows more" if len(found) > number else ""
    print_line(f"{min(len(found), number):,} {'match' if min(len(found), number) == 1 else 'matches'}{more}")


def name(origin: Origin) -> str:
    """What to call a document on one line: its URL, or its place in its file."""
    meta = json.loads(origin.meta or "{}")
    return origin.url or f"{meta.get('file', '')} {meta.get('locator', '')}".strip() or origin.id


def _colours(dataset: Dataset) -> dict[str, str]:
    """A colour for each source, by the order of the recipe."""
    return {stream["source"]: COLOURS[number % len(COLOURS)] for number, stream in enumerate(dataset.manifest.sources)}


def _decoder(dataset: Dataset) -> Callable[[Sequence[int]], str]:
    speller = speller_of(dataset)
    return lambda ids: speller.text(np.array(ids, np.int64))
