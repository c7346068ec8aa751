"""`tokenmill trace`: a token's document, and that document's way through the run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.text import Text

from pipeline.cli.explain import show_stories
from pipeline.cli.output import print_json, print_line, visible
from pipeline.errors import ShardError, TokenmillError
from pipeline.explain import Story, explain
from pipeline.shards import inspect
from pipeline.shards.read import Dataset, Origin
from pipeline.shards.text import speller_of
from pipeline.storage import Folder


def show_trace(dataset: Dataset, run: Folder | None, place: str, as_json: bool) -> None:
    """Print the token at SHARD:ROW:TOKEN, the document that it is of, and, where the run is at hand, what each stage said of it."""
    found = inspect.trace(dataset, *_numbers(place))
    text = speller_of(dataset).vocabulary.token_bytes[found.id].decode(errors="replace")
    stories = _stories(run, found.origin)
    if as_json:
        print_json({**asdict(found), "text": text, "stories": [story.to_json() for story in stories]})
        return
    print_line(f"shard {found.shard}, row {found.row}, token {found.token}: id {found.id} {json.dumps(text, ensure_ascii=False)}", "bold")
    if found.origin is None:
        print_line("  padding")
        return
    print_line(f"  token {found.position:,} of {found.origin.n_tokens:,} of document {found.origin.id}")
    facts: dict[str, Any] = {**asdict(found.origin), **json.loads(found.origin.meta or "{}")}
    for key in ("source", "file", "version", "locator", "url", "licence", "lang", "epoch"):
        if facts.get(key) not in (None, ""):
            print_line(Text(f"  {key:<8} {visible(str(facts[key]))}"))
    if stories:
        print_line("")
        show_stories(stories, as_json=False)


def _numbers(place: str) -> tuple[int, int, int]:
    try:
        shard, row, token = (int(number) for number in place.split(":"))
    except ValueError as error:
        raise ShardError(f"{place!r} names no token: write SHARD:ROW:TOKEN, three numbers from 0") from error
    return shard, row, token


def _stories(run: Folder | None, origin: Origin | None) -> list[Story]:
    """The document's way, of a run that still has its files."""
    if run is None or origin is None:
        return []
    try:
        return explain(run, origin.id)
    except TokenmillError as error:
        print_line(f"its way through the run is not at hand: {error}", "dim", to_stderr=True)
        return []
