"""`tokenmill explain`: a document's way through a run, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from pipeline.cli.numbers import number_lines
from pipeline.cli.output import console, print_json
from pipeline.explain import MOST, Story


def show_stories(stories: Sequence[Story], as_json: bool) -> None:
    """Print each document's events, a line for every number that a stage decided by, then the beginning of its text."""
    if as_json:
        print_json([story.to_json() for story in stories])
        return
    out = console()
    for story in stories:
        out.print(Text(f"{story.id}  {story.source}  {story.url or story.meta.get('locator', '')}", style="bold"), soft_wrap=True)
        out.print(Text(f"  {story.verdict}"), soft_wrap=True)
        for event in story.events:
            told = "  ".join(filter(None, (event.reason, _facts(event.facts))))
            out.print(Text(f"  {event.stage:<10} {event.verdict:<8} {told}".rstrip()), soft_wrap=True)
            for line in number_lines(event.numbers):
                out.print(line, soft_wrap=True)
        out.print(Text("  " + json.dumps(story.excerpt[:160], ensure_ascii=False)), soft_wrap=True)
    if len(stories) == MOST:
        out.print(f"These are the first {MOST} found, there may be more: be more exact.", soft_wrap=True)


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items())
