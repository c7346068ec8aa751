"""The report of a run as one HTML file that needs nothing else: styles and drawings inside it, no script, no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import charts, human, tables, token_tables
from dashboards.cells import Table, value
from dashboards.model import RunFacts
from dashboards.token_model import Shard, ShardSet

#: The sections by anchor, in the page's order: both the contents and the headings.
SECTIONS = {
    "funnel": "The way of the documents",
    "drops": "What was dropped, and why",
    "thresholds": "Where the bounds lie",
    "dedupe": "Near-duplicates",
    "quality": "Quality scores",
    "tokenizer": "Tokenizer",
    "shares": "Shares of tokens",
    "shards": "Packed shards",
    "time": "Time",
    "inputs": "Inputs",
    "checks": "Sums that must agree",
}
#: Colours of sources, in the recipe's order; the last is shared by all sources beyond.
COLOURS = 8
#: At most this many columns in the drawing of the shards; neighbours are joined beyond.
MOST_COLUMNS = 120


def render_page(facts: RunFacts) -> str:
    """The page of a run: the same facts, the same bytes."""
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((here / "page.css").read_text("utf-8"))
    return environment.get_template("page.html").render(style=style, **_context(facts))


def _finalize(value: object) -> object:
    """What every expression of the template goes through before it is escaped."""
    return human.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _context(facts: RunFacts) -> dict[str, Any]:
    colours = {source.name: f"s{min(index, COLOURS - 1)}" for index, source in enumerate(facts.sources)}
    return {
        "facts": facts,
        "sections": SECTIONS,
        "figures": tables.figures(facts),
        "colours": colours,
        "shares": {source.name: human.share(source.share) for source in facts.sources},
        "source_legend": [(colours[source.name], source.name) for source in facts.sources],
        "funnels": [(found.source, charts.funnel(found, colours[found.source])) for found in facts.funnels],
        "drops": [(source.name, found) for source in facts.sources if (found := tables.drops_of(facts, source.name))],
        "thresholds": [(found, charts.histogram(found)) for source in colours for found in facts.thresholds if found.source == source],
        "quality": [(found, charts.histogram(found)) for source in colours for found in facts.quality if found.source == source],
        "sizes": charts.sizes(tables.cluster_sizes(facts.dedupe)) if facts.dedupe and facts.dedupe.sizes else "",
        "tokenizer_about": token_tables.stated(facts.tokenizer.about) if facts.tokenizer else [],
        "stacked": _stacked(facts, colours),
        "columns": [(found, charts.columns(list(_columns(found, colours)))) for found in facts.shards if len(found.shards) > 1],
        "packing": [(found.split, token_tables.stated(found.about)) for found in facts.shards],
        "tables": _tables(facts),
        "bar": charts.bar,
        "value": value,
        "count": human.count,
        "plural": human.plural,
    }


def _tables(facts: RunFacts) -> dict[str, Table | None]:
    """The page's tables; None for those of stages that have not run."""
    languages = facts.tokenizer.languages if facts.tokenizer else ()
    return {
        "funnels": tables.funnels(facts.funnels),
        "quality_model": tables.quality_model(facts.quality_model) if facts.quality_model else None,
        "clusters": tables.largest_clusters(facts.dedupe) if facts.dedupe else None,
        "tokenizer": token_tables.tokenizer(facts.tokenizer.sources, "Source") if facts.tokenizer else None,
        "languages": token_tables.tokenizer(languages, "Language") if languages else None,
        "shares": token_tables.shares(facts),
        "shards": token_tables.shard_sets(facts.shards),
        "times": tables.times(facts),
        "stages": tables.stages(facts),
        "sources": tables.inputs_by_source(facts),
        "inputs": tables.inputs(facts),
        "checks": tables.checks(facts.checks),
    }


def _stacked(facts: RunFacts, colours: dict[str, str]) -> Markup | None:
    """The recipe's shares above those of each split; None before anything is packed."""
    rows: list[tuple[str, charts.Parts]] = [("recipe", [(source.name, colours[source.name], source.share) for source in facts.sources])]
    rows += [(found.split, _parts(found.by_source, colours)) for found in facts.shards if found.tokens]
    return charts.stacked(rows) if len(rows) > 1 else None


def _columns(found: ShardSet, colours: dict[str, str]) -> Iterator[tuple[str, charts.Parts]]:
    """The shards as columns, as many neighbours joined as it takes to have few enough."""
    step = -(-len(found.shards) // MOST_COLUMNS) or 1
    for start in range(0, len(found.shards), step):
        group = found.shards[start : start + step]
        label = group[0].name if len(group) == 1 else f"{group[0].name} to {group[-1].name}"
        yield label, _parts(_added(group), colours)


def _added(shards: tuple[Shard, ...]) -> dict[str, int]:
    names = {name for shard in shards for name in shard.by_source}
    return {name: sum(shard.by_source.get(name, 0) for shard in shards) for name in names}


def _parts(tokens: dict[str, int], colours: dict[str, str]) -> charts.Parts:
    """Each source's fraction of all tokens, in the recipe's order."""
    total = sum(tokens.values()) or 1
    return [(name, colour, tokens.get(name, 0) / total) for name, colour in colours.items()]
