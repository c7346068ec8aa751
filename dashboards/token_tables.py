"""The tables of a report about tokens: shares, shards, the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards import human
from dashboards.cells import Cell, Column, Table, columns, digits, number, octets, portion, table, value, word
from dashboards.model import RunFacts, SourceFacts
from dashboards.token_model import MixRow, ShardSet, TokenizerRow


def off_shares(facts: RunFacts) -> Cell | None:
    """The largest difference between tokens asked of a source and tokens packed: 0 in a sound run."""
    if facts.train is None or not facts.mix:
        return None
    worst = max(abs(facts.train.by_source.get(row.source, 0) - row.quota) for row in facts.mix)
    return Cell(human.count(worst), human.exact(worst), tone="bad" if worst else "")


def shares(facts: RunFacts) -> Table:
    """Tokens asked of each source and tokens packed, for the training split."""
    plan = {row.source: row for row in facts.mix}
    heads = "Source, #Recipe, #Packed, #Tokens asked, #Tokens packed, #Difference, #Tokens there, #Passes"
    return table(
        "Shares of tokens, asked and packed", heads, [_share(source, plan.get(source.name), facts.train) for source in facts.sources]
    )


def _share(source: SourceFacts, plan: MixRow | None, train: ShardSet | None) -> list[Cell]:
    packed = train.by_source.get(source.name, 0) if train else None
    asked = plan.quota if plan else None
    return [
        word(source.name),
        portion(source.share),
        portion(packed / train.tokens if train and train.tokens and packed is not None else None),
        digits(asked),
        digits(packed),
        word("–") if packed is None or asked is None else Cell(human.signed(packed - asked), tone="good" if packed == asked else "bad"),
        number(plan.available if plan else None),
        word(f"{plan.epochs:.2f}" if plan and plan.epochs is not None else "–"),
    ]


def shard_sets(found: Sequence[ShardSet]) -> Table:
    heads = "Split, #Shards, #Rows, #Tokens per row, #Tokens, #Filled, #Unlike by, #Size"
    return table("Splits", heads, [_shard_set(split) for split in found])


def _shard_set(found: ShardSet) -> list[Cell]:
    return [
        word(found.split),
        number(len(found.shards)),
        number(sum(shard.rows for shard in found.shards)),
        number(found.seq_len),
        number(found.tokens),
        portion(found.fill),
        unevenness(found),
        octets(sum(shard.bytes for shard in found.shards)),
    ]


def stated(known: Mapping[str, str | int | float]) -> list[tuple[str, Cell]]:
    """What a manifest or an evaluation says in single values, under their names."""
    return [(name.replace("_", " "), value(what)) for name, what in known.items()]


def unevenness(found: ShardSet) -> Cell:
    """The largest distance between a source's share of one shard and its share of all: nought when all are alike."""
    together = found.by_source
    apart = [
        abs(shard.by_source.get(name, 0) / shard.tokens - together[name] / found.tokens)
        for shard in found.shards
        for name in together
        if shard.tokens
    ]
    return portion(max(apart, default=0.0))


def tokenizer(found: Sequence[TokenizerRow], by: str) -> Table:
    """How many bytes a token holds, by source or language, and whatever else the evaluation measured."""
    extras = list(dict.fromkeys(name for row in found for name in row.numbers))
    heads = (*columns(f"{by}, #Text, #Tokens, #Bytes per token"), *(Column(name.replace("_", " "), number=True) for name in extras))
    return Table(f"The tokenizer on held-out text, by {by.lower()}", heads, tuple(_evaluated(row, extras) for row in found))


def _evaluated(row: TokenizerRow, extras: Sequence[str]) -> tuple[Cell, ...]:
    rate = word(f"{row.bytes_per_token:.3f}" if row.bytes_per_token is not None else "–")
    others = (value(row.numbers[name]) if name in row.numbers else word("–") for name in extras)
    return (word(row.name), octets(row.bytes), number(row.tokens), rate, *others)
