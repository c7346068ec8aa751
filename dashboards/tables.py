"""The tables of a report: made once from the facts, drawn by the page and by its text twin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dashboards import human
from dashboards.cells import Cell, Column, Table, columns, digits, number, octets, portion, table, value, word
from dashboards.checks import CHAIN
from dashboards.model import (
    Check,
    Cluster,
    Counted,
    DedupeFacts,
    Funnel,
    InputFacts,
    Member,
    MixRow,
    RunFacts,
    ShardSet,
    SourceFacts,
    StageFacts,
    Step,
    TokenizerFacts,
)


def figures(facts: RunFacts) -> list[tuple[str, Cell]]:
    """The few numbers that stand above everything else."""
    read = [counted.read for stage in facts.of_stage("extract") for counted in stage.counted]
    duplicates = [counted.dropped for stage in facts.of_stage("dedupe") for counted in stage.counted]
    packed = [shards.tokens for shards in facts.shards]
    found = [
        ("documents read", number(sum(read)) if read else None),
        ("duplicates removed", number(sum(duplicates)) if duplicates else None),
        ("tokens packed", number(sum(packed)) if packed else None),
        ("worst share error", _worst_share(facts)),
        ("positions filled", portion(facts.shards[0].fill) if facts.shards else None),
        ("this run took", Cell(human.duration(facts.seconds), f"{facts.seconds:,.3f} s")),
    ]
    return [(label, cell or word("not run", "dim")) for label, cell in found]


def _worst_share(facts: RunFacts) -> Cell | None:
    """The largest distance between a share packed and its share in the recipe, over the sources."""
    total = facts.shards[0].tokens if facts.shards else 0
    if not total:
        return None
    worst = max(abs(facts.shards[0].by_source.get(source.name, 0) / total - source.share) for source in facts.sources)
    return Cell(human.share(worst), f"{worst * 100:.9f} percentage points")


def funnels(found: Sequence[Funnel]) -> Table:
    """Every step of every source, in documents, bytes of text and tokens."""
    rows = [_step(funnel.source, step, funnel.steps[0].documents) for funnel in found for step in funnel.steps]
    return table("What was left after each step", "Source, Step, #Documents, #Of read, #Text, #Tokens", rows)


def _step(source: str, step: Step, read: int | None) -> list[Cell]:
    done = step.documents is not None
    of_read = step.documents / read if read and step.documents is not None else None
    left = number(step.documents) if done else word("not run", "dim")
    return [word(source), word(step.name), left, portion(of_read), octets(step.bytes), number(step.tokens)]


def drops(stage: StageFacts, counted: Counted) -> Table:
    """Why one stage dropped documents of one source, the most frequent reason first."""
    ordered = sorted(counted.drops, key=lambda drop: (-drop.documents, drop.reason))
    rows = []
    for drop in ordered:
        fraction = drop.documents / counted.read if counted.read else None
        rows.append((word(drop.reason), number(drop.documents), portion(fraction, bar=True)))
    title = f"{stage.stage} dropped {human.count(counted.dropped)} of {human.count(counted.read)} documents"
    return Table(title, columns("Reason, #Documents, #Of those read"), tuple(rows), tuple(drop.samples for drop in ordered))


def drops_of(facts: RunFacts, source: str) -> list[Table]:
    """One table for each stage that dropped documents of a source, in the order of the stages.

    Only stages that hand documents on: what dedupe drops was counted by its helpers before.
    """
    rows = [(stage, counted) for stage in facts.stages if stage.stage in CHAIN for counted in stage.counted]
    return [drops(stage, counted) for stage, counted in rows if counted.source == source and counted.dropped]


def shares(facts: RunFacts) -> Table:
    """Tokens asked of each source and tokens packed, for the training split."""
    train = next((found for found in facts.shards if found.split == "train"), None)
    plan = {row.source: row for row in facts.mix}
    heads = "Source, #Recipe, #Packed, #Tokens asked, #Tokens packed, #Difference, #Tokens there, #Passes"
    return table("Shares of tokens, asked and packed", heads, [_share(source, plan.get(source.name), train) for source in facts.sources])


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


def packing(found: ShardSet) -> list[tuple[str, Cell]]:
    """What the manifest of a split notes: how it was packed, with which tokenizer."""
    return [(name, value(known)) for name, known in found.about.items()]


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


def tokenizer(found: TokenizerFacts) -> Table:
    """How many bytes a token holds, by source, and whatever else the evaluation measured."""
    extras = sorted({name for row in found.rows for name in row.numbers})
    rows = []
    for row in found.rows:
        ratio = row.bytes_per_token
        cells = [word(row.source), octets(row.bytes), number(row.tokens), word(f"{ratio:.3f}" if ratio is not None else "–")]
        rows.append((*cells, *(value(row.numbers[name]) if name in row.numbers else word("–") for name in extras)))
    heads = (*columns("Source, #Text, #Tokens, #Bytes per token"), *(Column(name, number=True) for name in extras))
    return Table("The tokenizer on held-out text", heads, tuple(rows))


def cluster_sizes(found: DedupeFacts) -> list[tuple[str, int]]:
    """Clusters by size, the sizes above five in doubling ranges."""
    ranges: dict[tuple[int, int], int] = defaultdict(int)
    for size, clusters in found.sizes.items():
        low = size if size <= 5 else max(6, 1 << (size.bit_length() - 1))
        high = size if size <= 5 else (1 << size.bit_length()) - 1
        ranges[low, high] += clusters
    return [(str(low) if low == high else f"{low}–{high}", clusters) for (low, high), clusters in sorted(ranges.items())]


def largest_clusters(found: DedupeFacts) -> Table:
    """A row for each document shown; the first of each cluster carries its name and size."""
    rows = [_member(cluster, member, first=index == 0) for cluster in found.largest for index, member in enumerate(cluster.members)]
    return table("The largest clusters", "Cluster, #Documents, Source, Fate, #Jaccard, Begins", rows)


def _member(cluster: Cluster, member: Member, first: bool) -> list[Cell]:
    return [
        Cell(cluster.id[:12], cluster.id) if first else word(""),
        number(cluster.size) if first else word(""),
        word(member.source),
        word("kept", "good") if member.kept else word("removed"),
        word(f"{member.jaccard:.3f}" if member.jaccard is not None else "–"),
        word(human.clean(member.excerpt, 200)),
    ]


def times(facts: RunFacts) -> Table:
    """Stages of one name run together, one per source: their wall time is that of the slowest."""
    groups: dict[str, list[StageFacts]] = defaultdict(list)
    for stage in facts.stages:
        groups[stage.stage].append(stage)
    longest = max((stage.seconds for stage in facts.stages), default=0.0) or 1.0
    heads = "Stage, State, #Tasks, #Wall, #Work, #At once, #Documents/s, #Written"
    return table("Time by stage", heads, [_time(name, group, longest) for name, group in groups.items()])


def _time(name: str, group: Sequence[StageFacts], longest: float) -> list[Cell]:
    wall, work = max(stage.seconds for stage in group), sum(stage.task_seconds for stage in group)
    read = sum(counted.read for stage in group for counted in stage.counted)
    state = _state(group)
    return [
        word(name),
        word(state, "" if state == "ran" else "dim"),
        number(sum(stage.tasks for stage in group)),
        Cell(human.duration(wall), f"{wall:,.3f} s", bar=wall / longest),
        Cell(human.duration(work), f"{work:,.3f} s"),
        word(f"{work / wall:.1f}" if wall else "–"),
        number(round(read / wall) if wall and read else None),
        octets(sum(stage.bytes for stage in group)),
    ]


def _state(group: Sequence[StageFacts]) -> str:
    if not all(stage.done for stage in group):
        return "not run"
    ran = sum(stage.ran for stage in group)
    return "ran" if ran == len(group) else f"{ran} of {len(group)} ran" if ran else "done before"


def stages(facts: RunFacts) -> Table:
    """Every stage of the plan, with the folder that holds what it made."""
    return table("Stages", "Stage, Folder, #Files, #Written, #Work", [_stage(stage) for stage in facts.stages])


def _stage(found: StageFacts) -> list[Cell]:
    work = Cell(human.duration(found.task_seconds), f"{found.task_seconds:,.3f} s")
    return [word(found.key), word(found.folder), number(found.files), octets(found.bytes), work]


def inputs_by_source(facts: RunFacts) -> Table:
    """Files and bytes of each source, and under which licences."""
    rows = [_source(source, [row for row in facts.inputs if row.source == source.name]) for source in facts.sources]
    return table("Inputs by source", "Source, #Files, #Size, Licences, About", rows)


def _source(source: SourceFacts, files: Sequence[InputFacts]) -> list[Cell]:
    licences = sorted({row.licence for row in files if row.licence})
    shown = ", ".join(licences[:6]) + (f" and {len(licences) - 6} more" if len(licences) > 6 else "")
    return [word(source.name), number(len(files)), octets(sum(row.size for row in files)), word(shown or "not stated"), word(source.about)]


def inputs(facts: RunFacts) -> Table:
    return table(
        "Every input file, as the lock pins it", "Source, Name, Version, #Size, Licence, SHA-256", [_input(row) for row in facts.inputs]
    )


def _input(row: InputFacts) -> list[Cell]:
    digest = Cell(row.sha256[:12], row.sha256)
    return [word(row.source), word(row.name), word(row.version), octets(row.size), word(row.licence or "not stated"), digest]


def checks(found: Sequence[Check]) -> Table:
    """The sums, those that don't agree first."""
    ordered = sorted(found, key=lambda check: check.holds)
    return table("Two counts of one thing", "Verdict, What, #One, #The other, #Difference", [_check(check) for check in ordered])


def _check(check: Check) -> list[Cell]:
    verdict = word("✓", "good") if check.holds else word("✗ WRONG", "bad")
    away = Cell(human.signed(check.left - check.right), tone="" if check.holds else "bad")
    return [verdict, word(check.name), digits(check.left), digits(check.right), away]
