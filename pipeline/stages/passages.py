"""passages: runs of words that stand elsewhere too, cut from every document but the most preferred one.

The rule is one sentence: a run of `min_words` words is cut when the same run stands in a document that is preferred to this
one, or before it in this one. So of all runs that are equal the first stays; and whatever is cut, each byte of it stands
elsewhere, in a place that comes before it, up to one that is not cut. How the work is divided has no part in it.

Everything but the last step goes in rounds (see `pipeline.dedupe.passages`), whose files are removed when the stage is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.contracts import Task
from pipeline.dedupe import cutting, guard
from pipeline.dedupe import passages as found_in
from pipeline.dedupe.cutting import SPANS
from pipeline.dedupe.duplicates import Numbering
from pipeline.dedupe.keyed import SortedFiles, read_range
from pipeline.dedupe.passages import ANCHORS, COPIES, REPEATS, WINDOWS
from pipeline.dedupe.preference import source_rank
from pipeline.dedupe.steps import Step, Steps, docs_of, kept_texts, step_of
from pipeline.errors import StorageError
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.kernels.passages import Windows, anchors, exact_words, windows
from pipeline.registry import NotIdentity, stage
from pipeline.report import Report

#: Rows that a task looks at, and the most that it holds; their number changes nothing but memory.
ROWS_PER_TASK, HELD = 1 << 24, 1 << 21
_STEPS = Steps(
    (Step("anchors", ANCHORS, True), Step("repeats", REPEATS, False), Step("windows", WINDOWS, True), Step("copies", COPIES, False))
)

Ints = np.ndarray


def _parts(inputs: Inputs, _: Mapping[str, Any]) -> list[Task]:
    return [Task(file.part) for file in inputs.files("filter", "docs")]


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    return _STEPS.next_round(inputs, [task.name for task in _parts(inputs, args)], ROWS_PER_TASK)


@stage("passages", version=2, tasks=_parts, rounds=_rounds, finish=cutting.guarded("passages"), uses=("unicode",))
def passages(
    job: Job,
    *,
    min_words: Annotated[int, Field(ge=4)] = 50,
    min_left: Annotated[int, Field(ge=0)] = 20,
    priority: Sequence[str] = (),
    max_removed: Annotated[guard.Shares, NotIdentity] = guard.MAX_REMOVED,  # noqa: ARG001 - read by the guard, as is the next
    override_guard: Annotated[bool, NotIdentity] = False,  # noqa: ARG001
) -> Report:
    """Cut every run of at least `min_words` words that stands in a preferred document too, or before it in the same one.

    Words are those of `str.split()`, to the letter, Han ideographs and kana each for itself; 50 are RefinedWeb's. Runs are
    compared by 128 bits. Preferred is the source that stands first in `priority` (that of `dedupe` where none is given), then
    the newest date, the longest text, the smallest id: as in `dedupe`, but for its `prefer`. Documents left with fewer than
    `min_left` characters are dropped. Texts aren't written again: {part}.cuts says what is cut from whom, {part}.decisions who
    is dropped, and later stages read texts without it. The run stops with GuardTripped when a source would lose more than
    `max_removed` of its documents, characters or estimated tokens, as in `dedupe`, unless `override_guard`. A task's memory
    is that of HELD rows of 72 bytes, a few times over, and a part's anchors: one for 14 words or so.
    """
    if _STEPS.merged(job):
        return Report()
    find = {
        "anchors": lambda: _anchors(job, min_words),
        "repeats": lambda: _of_range(job, "anchors", found_in.repeats),
        "windows": lambda: _windows(job, min_words, priority),
        "copies": lambda: _of_range(job, "windows", found_in.copies),
    }
    if step_of(job):
        _STEPS.write(job, find[step_of(job)](), HELD)
        return Report()
    return cutting.cut(job, "passages", _copied(job), min_left)


def _of_range(job: Job, kind: str, find: Callable[[SortedFiles, int, int, int], Iterator[pa.Table]]) -> Iterator[pa.Table]:
    with SortedFiles(job.inputs.files(ROUND, kind)) as files:
        yield from find(files, job.task.payload["first"], job.task.payload["last"], HELD)


def _anchors(job: Job, least: int) -> Iterator[pa.Table]:
    docs = docs_of(job)
    start = Numbering.of(job.inputs).starts[docs.part]
    for rows, some in kept_texts(job.inputs, docs):
        which, places, keys = anchors(exact_words(some), least)
        yield pa.table({"key": keys, "document": rows[which] + start, "place": places}, schema=ANCHORS)


def _windows(job: Job, least: int, priority: Sequence[str]) -> Iterator[pa.Table]:
    """The runs of words around the repeated anchors of a part."""
    docs = docs_of(job)
    first, last = Numbering.of(job.inputs).span(docs.part)
    repeats = read_range(job.inputs.files(ROUND, "repeats"), REPEATS, first, last)
    documents, places = (column.to_numpy() for column in repeats.sort_by([(name, "ascending") for name in REPEATS.names]).columns)
    facts = _facts(job, docs, priority)
    for rows, some in kept_texts(job.inputs, docs, np.unique(documents - first)):
        mine = slice(*np.searchsorted(documents, [rows[0] + first, rows[-1] + first + 1]))
        which = np.searchsorted(rows + first, documents[mine])
        found = windows(exact_words(some), np.diff(some.offsets), which, places[mine], least)
        yield _window_rows(found, rows + first, facts.take(pa.array(rows)))


def _facts(job: Job, docs: PartFile, priority: Sequence[str]) -> pa.Table:
    """What the order of preference goes by, of every row of a part."""
    signed = job.inputs.file("signatures", "signatures", docs.part)
    if signed is None:
        raise StorageError(f"{docs.part}: the role 'signatures' has no file of it: run the stage that writes it again")
    facts = signed.table(["id", "characters", "date"])
    high, low = found_in.halves(facts.column("id"))
    dates = found_in.source_dates(source_rank(docs.source, priority), facts.column("date"))
    return pa.table({"source_date": dates, "characters": facts.column("characters"), "id_high": high, "id_low": low})


def _window_rows(found: Windows, documents: Ints, known: pa.Table) -> pa.Table:
    rows = known.take(pa.array(found.rows))
    columns = {
        "key": found.first, "check": found.second, **{name: rows.column(name) for name in rows.column_names},
        "document": documents[found.rows], "start": found.starts, "stop": found.stops,
    }  # fmt: skip
    return pa.table(columns, schema=WINDOWS)


def _copied(job: Job) -> pa.Table:
    """What is cut from the rows of a part: its copied runs, those that overlap or touch as one; `twin` is who keeps the first."""
    first, last = Numbering.of(job.inputs).span(job.task.name)
    with SortedFiles(job.inputs.files(ROUND, "copies")) as files:
        found = [found_in.joined(files.read(*span), first) for span in files.ranges(first, last, HELD)]
    return pa.concat_tables([SPANS.empty_table(), *found])
