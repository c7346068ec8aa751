"""Components by rounds of stars over small spans: those of the plain twin, for any links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import reference_minhash as plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts import Task
from pipeline.dedupe.duplicates import LINKS
from pipeline.dedupe.keyed import write_sorted
from pipeline.job import Inputs, Job, TaskResult
from pipeline.report import Report
from pipeline.stages import components
from pipeline.storage import Folder
from pipeline.worker import LocalStage, commit_round
from pipeline.writing import FileEntry

DOCUMENTS = 24
PAIRS = st.tuples(st.integers(0, DOCUMENTS - 1), st.integers(0, DOCUMENTS - 1)).filter(lambda pair: pair[0] != pair[1])


def joined(folder: Path, links: list[tuple[int, int]], files: int = 2) -> tuple[list[int], int]:
    """The component of each document (its own number for one that hangs together with none), and how many rounds it took."""
    out = Folder(str(folder))
    numbered = TaskResult("web-00000", (FileEntry("web-00000.signatures.parquet", DOCUMENTS, 0, ""),), Report())
    signed = commit_round(out.sub("signatures"), "signatures", "local", [numbered])
    results = []
    for number in range(files):
        job = Job(Task(f"candidates-{number:05d}"), Inputs({}), out.sub("candidates"))
        pairs = np.array([(max(pair), min(pair)) for pair in links[number::files]], np.int64).reshape(-1, 2)
        write_sorted(job, "links", pa.table([pairs[:, 0], pairs[:, 1]], schema=LINKS))
        results.append(TaskResult(job.task.name, tuple(job.written), Report()))
    stages = LocalStage(out)
    linked = commit_round(out.sub("candidates"), "candidates", "local", results)
    done = stages.run("components", {"signatures": signed, "candidates": linked})
    found = list(range(DOCUMENTS))
    for entry in done.files("components"):
        for row in done.folder.table(entry.name).to_pylist():
            found[row["document"]] = row["component"]
    return found, stages.rounds["components"]


def divide(patch: pytest.MonkeyPatch, links: int, span: int) -> None:
    patch.setattr(components, "LINKS_PER_TASK", links)
    patch.setattr(components, "DOCUMENTS_PER_TASK", span)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(links=st.lists(PAIRS, min_size=1, max_size=40), most=st.integers(1, 12), span=st.integers(3, 20))
def test_stars_come_to_the_twin_s_components(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, int]], most: int, span: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        divide(patch, most, span)
        found, _ = joined(tmp_path_factory.mktemp("stars"), links)
    assert found == plain.components(DOCUMENTS, links)


def test_more_links_of_one_document_than_a_portion_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    divide(monkeypatch, 1, 5)
    found, _ = joined(tmp_path, [(3, 15), (14, 15), (20, 12), (6, 3), (15, 0)])
    assert found == plain.components(DOCUMENTS, [(3, 15), (14, 15), (20, 12), (6, 3), (15, 0)])


def test_a_path_over_many_spans_takes_rounds_and_is_one_component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first small star each document has one hub, which has another one itself: that is not the end."""
    path = [(n, n - 1) for n in range(1, DOCUMENTS)]
    assert joined(tmp_path / "whole", path) == ([0] * DOCUMENTS, 0)
    divide(monkeypatch, 6, 6)
    found, rounds = joined(tmp_path / "rounds", path)
    assert found == [0] * DOCUMENTS
    assert rounds >= 4
