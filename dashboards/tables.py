"""The tables of a report: made once from the facts, drawn by the page and by its text twin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dashboards import human
from dashboards.cells import Cell, Column, Table, columns, documents, octets, portion, table, value, word
from dashboards.checks import CHAIN
from dashboards.model import Check, Counted, DedupeFacts, Funnel, MixRow, RunFacts, ShardSet, SourceFacts, StageFacts, TokenizerFacts


def figures(facts: RunFacts) -> list[tuple[str, Cell]]:
    """The few numbers that stand above everything else."""
    read = [counted.read for stage in facts.of_stage("extract") for counted in stage.counted]
    duplicates = [counted.dropped for stage in facts.of_stage("dedupe") for counted in stage.counted]
    packed = [shards.tokens for shards in facts.shards]
    found = [
        ("documents read", documents(sum(read)) if read else None),
        ("duplicates removed", documents(sum(duplicates)) if duplicates else None),
        ("tokens packed", documents(sum(packed)) if packed else None),
        ("worst share error", _worst_share(facts)),
        ("positions filled", portion(facts.shards[0].fill) if facts.shards else None),
        ("took", Cell(human.duration(facts.seconds), f"{facts.seconds:,.3f} s")),
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
    rows = []
    for funnel in found:
        read = next((step.documents for step in funnel.steps if step.documents), None)
        for step in funnel.steps:
            of_read = step.documents / read if read and step.documents is not None else None
            state = documents(step.documents) if step.documents is not None else word("not run", "dim")
            rows.append([word(funnel.source), word(step.name), state, portion(of_read), octets(step.bytes), documents(step.tokens)])
    return table("What was left after each step", "Source, Step, #Documents, #Of read, #Text, #Tokens", rows)


def drops(stage: StageFacts, counted: Counted) -> Table:
    """Why one stage dropped documents of one source, the most frequent reason first."""
    ordered = sorted(counted.drops, key=lambda drop: (-drop.documents, drop.reason))
    rows = []
    for drop in ordered:
        fraction = drop.documents / counted.read if counted.read else None
        rows.append((word(drop.reason), documents(drop.documents), portion(fraction, bar=True)))
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
        documents(asked),
        documents(packed),
        word("–") if packed is None or asked is None else Cell(human.signed(packed - asked), tone="good" if packed == asked else "bad"),
        documents(plan.available if plan else None),
        word(f"{plan.epochs:.2f}" if plan and plan.epochs is not None else "–"),
    ]


def shard_sets(found: Sequence[ShardSet]) -> Table:
    rows = [[word(s.split), documents(len(s.shards)), documents(sum(x.rows for x in s.shards)), documents(s.seq_len), documents(s.tokens),
             portion(s.fill), unevenness(s), octets(sum(x.bytes for x in s.shards))] for s in found]  # fmt: skip
    return table("Splits", "Split, #Shards, #Rows, #Tokens per row, #Tokens, #Filled, #Unlike by, #Size", rows)


def packing(found: ShardSet) -> list[tuple[str, Cell]]:
    """What the manifest of a split notes: how it was packed, with which tokenizer."""
    return [(name, value(known)) for name, known in found.about.items()]


def unevenness(found: ShardSet) -> Cell:
    """The largest distance between a source's share of one shard and its share of all: nought when all are alike."""
    whole = found.by_source
    apart = [
        abs(shard.by_source.get(name, 0) / shard.tokens - whole[name] / found.tokens)
        for shard in found.shards
        for name in whole
        if shard.tokens
    ]
    return portion(max(apart, default=0.0))


def tokenizer(found: TokenizerFacts) -> Table:
    """How many bytes a token holds, by source, and whatever else the evaluation measured."""
    extras = sorted({name for row in found.rows for name in row.numbers})
    rows = []
    for row in found.rows:
        ratio = row.bytes_per_token
        cells = [word(row.source), octets(row.bytes), documents(row.tokens), word(f"{ratio:.3f}" if ratio is not None else "–")]
        rows.append((*cells, *(value(row.numbers[name]) if name in row.numbers else word("–") for name in extras)))
    heads = (*columns("Source, #Text, #Tokens, #Bytes per token"), *(Column(name, number=True) for name in extras))
    return Table("The tokenizer on held-out text", heads, tuple(rows))


def cluster_sizes(found: DedupeFacts) -> list[tuple[str, int]]:
    """Clusters by size, the sizes above five in doubling ranges."""
    ranges: dict[tuple[int, int], int] = defaultdict(int)
    for number, clusters in found.sizes.items():
        low = number if number <= 5 else max(6, 1 << (number.bit_length() - 1))
        high = number if number <= 5 else (1 << number.bit_length()) - 1
        ranges[low, high] += clusters
    return [(str(low) if low == high else f"{low}–{high}", clusters) for (low, high), clusters in sorted(ranges.items())]


def largest_clusters(found: DedupeFacts) -> Table:
    rows = []
    for cluster in found.largest:
        for index, member in enumerate(cluster.members):
            name, number = (Cell(cluster.id[:12], cluster.id), documents(cluster.size)) if index == 0 else (word(""), word(""))
            fate = word("kept", "good") if member.kept else word("removed")
            alike = word(f"{member.jaccard:.3f}" if member.jaccard is not None else "–")
            rows.append([name, number, word(member.source), fate, alike, word(human.clean(member.excerpt, 200))])
    return table("The largest clusters", "Cluster, #Documents, Source, Fate, #Jaccard, Begins", rows)


def times(facts: RunFacts) -> Table:
    """Stages of one name run together, one per source: their wall time is that of the slowest."""
    groups: dict[str, list[StageFacts]] = defaultdict(list)
    for stage in facts.stages:
        groups[stage.stage].append(stage)
    longest = max((stage.seconds for stage in facts.stages), default=0.0) or 1.0
    return table(
        "Time by stage",
        "Stage, State, #Tasks, #Wall, #Work, #At once, #Documents/s, #Written",
        [_time(name, group, longest) for name, group in groups.items()],
    )


def _time(name: str, group: Sequence[StageFacts], longest: float) -> list[Cell]:
    wall, work = max(stage.seconds for stage in group), sum(stage.task_seconds for stage in group)
    read = sum(counted.read for stage in group for counted in stage.counted)
    state = _state(group)
    return [
        word(name), word(state, "" if state == "ran" else "dim"), documents(sum(stage.tasks for stage in group)),
        Cell(human.duration(wall), f"{wall:,.3f} s", bar=wall / longest), Cell(human.duration(work), f"{work:,.3f} s"),
        word(f"{work / wall:.1f}" if wall else "–"), documents(round(read / wall)) if wall and read else word("–"),
        octets(sum(stage.bytes for stage in group)),
    ]  # fmt: skip


def _state(group: Sequence[StageFacts]) -> str:
    if not all(stage.done for stage in group):
        return "not run"
    ran = sum(stage.ran for stage in group)
    return "ran" if ran == len(group) else f"{ran} of {len(group)} ran" if ran else "done before"


def stages(facts: RunFacts) -> Table:
    """Every stage of the plan, with the folder that holds what it made."""
    rows = [
        [word(s.key), word(s.folder), documents(s.files), octets(s.bytes), Cell(human.duration(s.task_seconds), f"{s.task_seconds:,.3f} s")]
        for s in facts.stages
    ]
    return table("Stages", "Stage, Folder, #Files, #Written, #Work", rows)


def inputs_by_source(facts: RunFacts) -> Table:
    """Files and bytes of each source, and under which licences."""
    rows = []
    for source in facts.sources:
        mine = [found for found in facts.inputs if found.source == source.name]
        licences = sorted({found.licence for found in mine if found.licence})
        shown = ", ".join(licences[:6]) + (f" and {len(licences) - 6} more" if len(licences) > 6 else "")
        rows.append(
            [
                word(source.name),
                documents(len(mine)),
                octets(sum(found.size for found in mine)),
                word(shown or "not stated"),
                word(source.about),
            ]
        )
    return table("Inputs by source", "Source, #Files, #Size, Licences, About", rows)


def inputs(facts: RunFacts) -> Table:
    rows = [
        [word(i.source), word(i.name), word(i.version), octets(i.size), word(i.licence or "not stated"), Cell(i.sha256[:12], i.sha256)]
        for i in facts.inputs
    ]
    return table("Every input file, as the lock pins it", "Source, Name, Version, #Size, Licence, SHA-256", rows)


def checks(found: Sequence[Check]) -> Table:
    """The sums, those that don't agree first."""
    ordered = sorted(found, key=lambda check: check.holds)
    return table("Two counts of one thing", "Verdict, What, #One, #The other, #Difference", [_check(check) for check in ordered])


def _check(check: Check) -> list[Cell]:
    verdict = word("✓", "good") if check.holds else word("✗ WRONG", "bad")
    away = Cell(human.signed(check.left - check.right), tone="" if check.holds else "bad")
    return [verdict, word(check.name), Cell(human.exact(check.left)), Cell(human.exact(check.right)), away]
