"""`tokenmill inspect`: packed shards as a summary, as shares, as rows of text, as one token with its document."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.text import Text
from tokenizers import Tokenizer

from pipeline.cli.output import console, print_json, print_table, size
from pipeline.errors import ShardError
from pipeline.runfiles import RunFiles
from pipeline.shards import inspect
from pipeline.shards.read import Dataset, Origin, open_dataset
from pipeline.storage import Folder

#: Characters of a piece's text that are shown on its line.
SHOWN = 100
SPLITS = ("train", "validation")


def show(folder: Folder, split: str, shard: int | None, row: int | None, token: int | None, mix: bool, as_json: bool) -> None:
    """Show a dataset, its mix, a shard's rows, a row's pieces, or a token's document, by how much was named."""
    if split not in SPLITS:
        raise ShardError(f"--split {split}: there are {' and '.join(SPLITS)}")
    run = RunFiles(folder)
    dataset = open_dataset(next(run.stages("pack")).folder.sub(split))
    if token is not None:
        show_token(dataset, shard or 0, row or 0, token, _decoder(run), as_json)
    elif row is not None:
        show_row(dataset, shard or 0, row, _decoder(run), as_json)
    elif mix:
        show_mix(dataset, as_json)
    else:
        show_dataset(dataset, shard, as_json)


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
    total = sum(share.tokens for share in found)
    rows = [
        (
            share.source, f"{share.planned:.4%}", f"{share.found:.6%}", share.tokens, f"{share.tokens - share.planned * total:+.2f}",
            f"{share.shard_difference:+.3%} in {share.worst_shard}", f"{share.window_difference:+.2%}",
        )
        for share in found
    ]  # fmt: skip
    columns = ("source", "planned", "found", "tokens", "off by tokens", "worst shard", f"worst window of {inspect.WINDOW_ROWS} rows")
    print_table(f"{total:,} tokens, counted from the rows", columns, rows)


def show_row(dataset: Dataset, shard: int, row: int, decode: Callable[[Sequence[int]], str], as_json: bool) -> None:
    """The pieces of a row: where they stand, whose they are, how they begin."""
    found = inspect.pieces(dataset, shard, row, decode)
    if as_json:
        print_json([asdict(piece) for piece in found])
        return
    console().print(f"shard {shard}, row {row}: {len(found)} pieces in {dataset.manifest.seq_len:,} tokens", soft_wrap=True)
    for piece in found:
        part = "whole" if piece.stop - piece.start == piece.origin.n_tokens else f"tokens {piece.offset:,} on"
        console().print(
            Text(f"  {piece.start:>6}-{piece.stop:<6} {piece.origin.source:<10} {name(piece.origin)} ({part})", "bold"), soft_wrap=True
        )
        console().print(Text(f"  {'':<13} {json.dumps(piece.text[:SHOWN], ensure_ascii=False)}"), soft_wrap=True)


def show_token(dataset: Dataset, shard: int, row: int, token: int, decode: Callable[[Sequence[int]], str], as_json: bool) -> None:
    """One token, and the document and file that it comes from."""
    found = inspect.trace(dataset, shard, row, token)
    if as_json:
        print_json({**asdict(found), "text": decode([found.id])})
        return
    out = console()
    out.print(Text(f"shard {shard}, row {row}, token {token}: id {found.id} {json.dumps(decode([found.id]), ensure_ascii=False)}", "bold"))
    if found.origin is None:
        out.print("  padding")
        return
    facts = {**asdict(found.origin), **json.loads(found.origin.meta or "{}")}
    out.print(Text(f"  token {found.position:,} of {found.origin.n_tokens:,} of document {found.origin.id}"), soft_wrap=True)
    for key in ("source", "file", "version", "locator", "url", "licence", "lang", "epoch"):
        if facts.get(key) is not None:
            out.print(Text(f"  {key:<8} {facts[key]}"), soft_wrap=True)


def name(origin: Origin) -> str:
    """What to call a document on one line: its URL, or its place in its file."""
    meta = json.loads(origin.meta or "{}")
    return origin.url or f"{meta.get('file', '')} {meta.get('locator', '')}".strip() or origin.id


def _decoder(run: RunFiles) -> Callable[[Sequence[int]], str]:
    tokenizer = Tokenizer.from_str(next(run.stages("tokenizer")).folder.read("tokenizer.json").decode())

    def decode(ids: Sequence[int]) -> str:
        text: str = tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    return decode
