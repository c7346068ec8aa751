"""lines: what a domain says on many of its pages (menus, notices, calls to subscribe), cut from all of them.

Lines are counted per domain: the host of a document's address, or its source where it has none. A paragraph that is repeated
is lines that are repeated. The published recipes that look for these (CCNet, RefinedWeb) compare lines within a shard, or the
first and last ones; here each domain is counted whole, whatever parts its documents lie in.

    occurrences  each part: the different lines of each document            -> occurrences
    repeated     each range of domains: lines in enough of its documents    -> repeated
    (each part: those cut, what is left judged                              -> cuts, decisions)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.contracts import Task
from pipeline.dedupe import cutting, guard
from pipeline.dedupe.cutting import SPANS
from pipeline.dedupe.duplicates import Numbering
from pipeline.dedupe.keyed import SortedFiles, read_range
from pipeline.dedupe.steps import Step, Steps, docs_of, kept_texts, step_of
from pipeline.errors import SourceError
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.kernels.arrow import texts
from pipeline.kernels.domainlines import Lines, domain_hashes, domain_lines
from pipeline.kernels.urls import addresses
from pipeline.registry import NotIdentity, stage
from pipeline.report import Report

#: A line of a document, once: half of `key` is its domain's hash, the other half its own, or 0 for the document itself.
OCCURRENCES = pa.schema([pa.field(name, kind, nullable=False) for name, kind in
                         (("key", pa.uint64()), ("line", pa.uint64()), ("document", pa.int64()))])  # fmt: skip
REPEATED = pa.schema([pa.field("document", pa.int64(), nullable=False), pa.field("line", pa.uint64(), nullable=False)])
#: Rows that a task looks at, and the most that it holds; their number changes nothing but memory.
ROWS_PER_TASK, HELD = 1 << 24, 1 << 21

_HALF = np.uint64(32)
_STEPS = Steps((Step("occurrences", OCCURRENCES, by_part=True), Step("repeated", REPEATED, by_part=False)), whole_bits=32)

Share = Annotated[float, Field(gt=0, le=1)]
Ints = np.ndarray


def _parts(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """The parts of the sources that are asked for."""
    files = inputs.files("filter", "docs")
    known = sorted({file.source for file in files})
    unknown = sorted(set(args["sources"]) - set(known))
    if unknown:
        raise SourceError(f"lines: no source is called {', '.join(unknown)}; there are: {', '.join(known)}")
    if not args["sources"]:
        raise SourceError(f"lines: say whose lines in the recipe, as `lines: {{sources: [web]}}`; there are: {', '.join(known)}")
    return [Task(file.part) for file in files if file.source in args["sources"]]


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    return _STEPS.next_round(inputs, [task.name for task in _parts(inputs, args)], ROWS_PER_TASK)


@stage("lines", version=2, tasks=_parts, rounds=_rounds, finish=cutting.guarded("lines"), uses=("unicode",))
def lines(
    job: Job,
    *,
    sources: Sequence[str] = (),  # noqa: ARG001 - read by _parts
    min_documents: Annotated[int, Field(ge=2)] = 10,
    min_share: Share = 0.2,
    min_words: Annotated[int, Field(ge=1)] = 2,
    min_left: Annotated[int, Field(ge=0)] = 20,
    max_removed: Annotated[guard.Shares, NotIdentity] = guard.MAX_REMOVED,  # noqa: ARG001 - read by the guard, as is the next
    override_guard: Annotated[bool, NotIdentity] = False,  # noqa: ARG001
) -> Report:
    """Cut lines that stand in at least `min_documents` documents of a domain and in a share `min_share` of them, everywhere.

    Of the documents of `sources`; lines of fewer than `min_words` words stay. Lines are compared without the white space around
    them, by 64 bits. Documents left with fewer than `min_left` characters are dropped. Writes {part}.cuts, {part}.decisions,
    and stops as `passages` does. A task's memory is that of HELD rows of 24 bytes, ten times over, and the lines of a document.
    """
    if _STEPS.merged(job):
        return Report()
    if step_of(job) == "occurrences":
        _STEPS.write(job, _occurrences(job, min_words), HELD)
    elif step_of(job) == "repeated":
        _STEPS.write(job, _repeated(job, min_documents, min_share), HELD)
    else:
        return cutting.cut(job, "lines", _spans(job, min_words), min_left)
    return Report()


def _occurrences(job: Job, min_words: int) -> Iterator[pa.Table]:
    docs = docs_of(job)
    start, domains = Numbering.of(job.inputs).starts[docs.part], _domains(docs)
    for rows, some in kept_texts(job.inputs, docs):
        found = domain_lines(some, domains[rows], min_words)
        once = np.unique(np.stack([found.rows.astype(np.uint64), found.hashes]), axis=1)
        which, hashes = once[0].astype(np.int64), once[1]
        keys = domains[rows[which]] >> _HALF << _HALF | hashes >> _HALF | np.uint64(1)
        themselves = domains[rows] >> _HALF << _HALF
        columns = {
            "key": np.concatenate([themselves, keys]),
            "line": np.concatenate([np.zeros(len(rows), np.uint64), hashes]),
            "document": np.concatenate([rows, rows[which]]) + start,
        }
        yield pa.table(columns, schema=OCCURRENCES)


def _domains(docs: PartFile) -> np.ndarray:
    """The hash of the host of each row of a part; of its source, which can't be a host's name, where it has none."""
    hosts = addresses(texts(docs.table(["url"]).column("url").combine_chunks())).hosts()
    named = pc.if_else(pc.equal(hosts, ""), pa.scalar(f"source {docs.source}", pa.large_string()), hosts)
    return domain_hashes(texts(named))


def _repeated(job: Job, min_documents: int, min_share: float) -> Iterator[pa.Table]:
    with SortedFiles(job.inputs.files(ROUND, "occurrences")) as files:
        for low, high in files.ranges(job.task.payload["first"], job.task.payload["last"], HELD):
            if files.count(low, high) <= HELD:
                table = files.read(low, high)
                yield _over_bounds(table, _documents(files, table, low), min_documents, min_share)
            elif low & 0xFFFFFFFF:  # one line, perhaps of several hashes, of a domain of very many documents
                there = files.count(low >> 32 << 32, low >> 32 << 32)
                known = _counts(piece.column("line").to_numpy() for piece in files.pieces(low, high, HELD))
                often = [line for line, number in known.items() if number >= max(min_documents, min_share * there)]
                for piece in files.pieces(low, high, HELD):
                    yield piece.filter(pc.is_in(piece.column("line"), pa.array(often, pa.uint64()))).select(REPEATED.names)


def _counts(pieces: Iterator[np.ndarray]) -> dict[int, int]:
    known: dict[int, int] = {}
    for piece in pieces:
        for line, number in zip(*np.unique(piece, return_counts=True), strict=True):
            known[int(line)] = known.get(int(line), 0) + int(number)
    return known


def _documents(files: SortedFiles, table: pa.Table, low: int) -> np.ndarray:
    """How many documents the domain of each row has; of the first one of a range, they may stand before it."""
    domains, which = np.unique(table.column("key").to_numpy() >> _HALF, return_inverse=True)
    there = np.bincount(which, table.column("line").to_numpy() == 0, len(domains)).astype(np.int64)
    if len(domains) and low & 0xFFFFFFFF and int(domains[0]) == low >> 32:
        there[0] = files.count(low >> 32 << 32, low >> 32 << 32)
    found: np.ndarray = there[which]
    return found


def _over_bounds(table: pa.Table, there: np.ndarray, min_documents: int, min_share: float) -> pa.Table:
    lines = table.column("line").to_numpy()
    _, which, counts = np.unique(lines, return_inverse=True, return_counts=True)
    often = (lines != 0) & (counts[which] >= min_documents) & (counts[which] >= min_share * there)
    return table.filter(pa.array(often)).select(REPEATED.names)


def _spans(job: Job, min_words: int) -> pa.Table:
    """What is cut from the rows of a part: its repeated lines, those that follow each other as one."""
    docs = docs_of(job)
    first, last = Numbering.of(job.inputs).span(docs.part)
    repeated = read_range(job.inputs.files(ROUND, "repeated"), REPEATED, first, last).sort_by("document")
    rows, hashes = repeated.column("document").to_numpy() - first, repeated.column("line").to_numpy()
    domains, spans = _domains(docs), [SPANS.empty_table()]
    for touched, some in kept_texts(job.inputs, docs, np.unique(rows)):
        mine = slice(*np.searchsorted(rows, [touched[0], touched[-1] + 1]))
        found = domain_lines(some, domains[touched], min_words)
        spans.append(_joined(found, touched, np.isin(found.hashes, hashes[mine])))
    return pa.concat_tables(spans)


def _joined(found: Lines, rows: Ints, cut: np.ndarray) -> pa.Table:
    which, starts, stops = found.rows[cut], found.starts[cut], found.stops[cut]
    heads = np.flatnonzero(np.append(True, (which[1:] != which[:-1]) | (starts[1:] != stops[:-1]))[: len(which)])
    ends = np.append(heads[1:], len(which))[: len(heads)] - 1
    columns = {"row": rows[which[heads]], "start": starts[heads], "stop": stops[ends], "twin": pa.nulls(len(heads), pa.string())}
    return pa.table(columns, schema=SPANS)
