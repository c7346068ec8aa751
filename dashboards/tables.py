"""The tables of a report: made once from the facts, drawn by the page and by its text twin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from dashboards import human
from dashboards.cells import Cell, Table, columns, digits, elapsed, number, octets, portion, table, word
from dashboards.checks import CHAIN
from dashboards.model import (
    Check,
    Cluster,
    Counted,
    DedupeFacts,
    Drop,
    Funnel,
    InputFacts,
    Member,
    QualityModel,
    RunFacts,
    ScoredSource,
    SourceFacts,
    StageFacts,
    Step,
)
from dashboards.token_tables import off_shares


def figures(facts: RunFacts) -> list[tuple[str, Cell]]:
    """The few numbers that stand above everything else."""
    read = [counted.read for stage in facts.of_stage("extract") for counted in stage.counted]
    duplicates = [counted.dropped for stage in facts.of_stage("dedupe") for counted in stage.counted]
    packed = [shards.tokens for shards in facts.shards]
    found = [
        ("documents read", number(sum(read)) if read else None),
        ("duplicates removed", number(sum(duplicates)) if duplicates else None),
        ("tokens packed", number(sum(packed)) if packed else None),
        ("tokens off the shares", off_shares(facts)),
        ("positions filled", portion(facts.train.fill) if facts.train else None),
        ("this run took", elapsed(facts.seconds)),
    ]
    return [(label, cell or word("not run", "dim")) for label, cell in found]


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
    """Why one stage dropped documents of one source, the most frequent reason first; bars are relative to that one."""
    ordered = sorted(counted.drops, key=lambda drop: (-drop.documents, drop.reason))
    rows = tuple(_drop(drop, counted.read, ordered[0].documents) for drop in ordered)
    title = f"{stage.stage} dropped {human.count(counted.dropped)} of {human.count(counted.read)} documents"
    return Table(title, columns("Reason, #Documents, #Of those read"), rows, tuple(drop.samples for drop in ordered))


def _drop(drop: Drop, read: int, most: int) -> tuple[Cell, ...]:
    share = portion(drop.documents / read if read else None)
    return (word(drop.reason), number(drop.documents), replace(share, bar=drop.documents / most))


def drops_of(facts: RunFacts, source: str) -> list[Table]:
    """One table for each stage that dropped documents of a source, in the order of the stages.

    Only stages that hand documents on: what dedupe drops was counted by its helpers before.
    """
    rows = [(stage, counted) for stage in facts.stages if stage.stage in CHAIN for counted in stage.counted]
    return [drops(stage, counted) for stage, counted in rows if counted.source == source and counted.dropped]


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
        word(human.clean(member.excerpt, 140)),
    ]


def quality_model(found: QualityModel) -> Table:
    """What the classifier was trained on, how it judges what it was not, and how its scores lie in each source."""
    judged = f"{human.share(found.accuracy)} right, AUC {found.auc:.3f}" if found.auc is not None else "of one label: not judged"
    title = f"Quality model: {human.count(found.held_out)} held out, {judged}"
    heads = "Source, Label, #Trained on, #Held out, #Score at 10 %, #at 50 %, #at 90 %"
    return table(title, heads, [_scored(row) for row in found.sources])


def _scored(row: ScoredSource) -> list[Cell]:
    scores = (word(f"{row.percentiles[place]:.3f}") for place in (10, 50, 90))
    return [word(row.name), word(row.label or "ranked only"), number(row.trained_on), number(row.held_out), *scores]


def times(facts: RunFacts) -> Table:
    """Stages of one name run together, one per source: their wall time is that of the slowest."""
    groups: dict[str, list[StageFacts]] = defaultdict(list)
    for stage in facts.stages:
        groups[stage.stage].append(stage)
    longest = max((stage.seconds for stage in facts.stages), default=0.0) or 1.0
    heads = "Stage, State, #Tasks, #Wall, #Work, #At once, #Documents per second of work, #Written"
    return table("Time by stage", heads, [_time(name, group, longest) for name, group in groups.items()])


def _time(name: str, group: Sequence[StageFacts], longest: float) -> list[Cell]:
    wall, work = max(stage.seconds for stage in group), sum(stage.task_seconds for stage in group)
    timed = [stage for stage in group if stage.task_seconds]
    read = sum(counted.read for stage in timed for counted in stage.counted)
    state = _state(group)
    return [
        word(name),
        word(state, "" if state == "ran" else "dim"),
        number(sum(stage.tasks for stage in group)),
        replace(elapsed(wall), bar=wall / longest),
        elapsed(work),
        word(f"{work / wall:.1f}" if wall else "–"),
        number(round(read / work) if work and read else None),
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
    return [word(found.key), word(found.folder), number(found.files), octets(found.bytes), elapsed(found.task_seconds)]


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
