"""Lots: every suspect in one of them, whole components as long as they fit, halves that depend on the component alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dedupe_kit import dedupe, edited, text

from pipeline.contracts import Task
from pipeline.dedupe import lots
from pipeline.dedupe.keyed import LAST_KEY, SortedFiles, write_sorted
from pipeline.dedupe.lots import COMPONENT_SHIFT, Lot, places
from pipeline.errors import StorageError
from pipeline.job import Inputs, Job, PartFile
from pipeline.schema import document_id
from pipeline.storage import Folder

EVERYTHING = Lot(0, LAST_KEY)


def ids(count: int) -> pa.Array:
    return pa.array([document_id("web", str(n)) for n in range(count)])


def suspects(folder: Path, components: list[int], hashes: list[bytes], characters: list[int], least: list[int]) -> PartFile:
    job = Job(Task("web-00000"), Inputs({}), Folder(str(folder)))
    found = places(np.array(components), np.array(least, np.uint32), ids(len(components)))
    write_sorted(job, "texts", pa.table({"place": found, "text_hash": hashes, "characters": characters}))
    return PartFile(job.folder, job.written[0])


def test_places_keep_components_apart_and_like_texts_near() -> None:
    found = places(np.array([0, 0, 1, 2, 1 << 39]), np.array([7, 7, 7, 9, 7], np.uint32), ids(5))
    assert len(set((found >> np.uint64(COMPONENT_SHIFT)).tolist())) == 4
    assert found[0] >> np.uint64(lots.ID_BITS) == found[1] >> np.uint64(lots.ID_BITS)
    assert found[0] != found[1]
    with pytest.raises(StorageError, match="documents: dedupe can't number them"):
        places(np.array([1 << 40]), np.array([7], np.uint32), ids(1))


@pytest.mark.parametrize(
    ("lot", "divided", "by_id", "middle"),
    [
        (Lot(0, LAST_KEY), False, False, 1 << 63),
        (Lot(0, (3 << 24) - 1), False, False, 1 << 24),
        (Lot(5 << 24, (6 << 24) - 1), False, False, (5 << 24) + (1 << 23)),
        (Lot(256, 511), True, False, 384),
        (Lot(256, 383), True, True, 320),
    ],
)
def test_a_lot_knows_what_it_is_and_how_to_halve(lot: Lot, divided: bool, by_id: bool, middle: int) -> None:
    assert (lot.divided, lot.by_id) == (divided, by_id)
    assert lot.halves() == (Lot(lot.first, middle - 1), Lot(middle, lot.last))


def test_components_are_divided_only_when_they_alone_are_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty components of a document each fit by ten; one of forty documents doesn't, and is halved by MinHash."""
    monkeypatch.setattr(lots, "MOST_DOCUMENTS", 10)
    draw = np.random.default_rng(0).integers(0, 1 << 32, 40).tolist()
    hashes = [str(n).encode() for n in range(40)]
    with SortedFiles([suspects(tmp_path / "many", list(range(40)), hashes, [1] * 40, draw)]) as files:
        found = list(lots.lots(files, EVERYTHING))
        assert not any(lot.divided for lot in found)
        assert sum(files.count(lot.first, lot.last) for lot in found) == 40
        assert all(files.count(lot.first, lot.last) <= 10 for lot in found)
    with SortedFiles([suspects(tmp_path / "one", [3] * 40, hashes, [1] * 40, draw)]) as files:
        found = list(lots.lots(files, EVERYTHING))
        assert all(lot.divided and not lot.by_id for lot in found)
        assert sum(files.count(lot.first, lot.last) for lot in found) == 40


def test_the_same_words_count_once_and_a_single_text_is_never_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "MOST_CHARACTERS", 100)
    with SortedFiles([suspects(tmp_path / "same", [5] * 50, [b"same"] * 50, [1000] * 50, [4] * 50)]) as files:
        assert [lot.divided for lot in lots.lots(files, EVERYTHING)] == [False]
    with SortedFiles([suspects(tmp_path / "unlike", [5] * 3, [b"a", b"b", b"c"], [60] * 3, [1, 2, 3])]) as files:
        found = list(lots.lots(files, EVERYTHING))
        assert len(found) >= 2
        assert all(lot.divided for lot in found)


def test_more_copies_than_a_lot_holds_are_divided_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stays of each lot, every copy of a lot names it, and the report says how many documents were judged so."""
    monkeypatch.setattr(lots, "MOST_DOCUMENTS", 16)
    same = text(60, "same")
    docs = [(f"{n}", same) for n in range(100)] + [("other", edited(same, 30))]
    kept = []
    for parts in ({"web-00000": docs}, {"web-00000": docs[::2], "web-00001": docs[1::2]}):
        run = dedupe(tmp_path / str(len(parts)), parts, max_removed=1.0)
        twins = {twin for _, twin, _ in run.decisions.values()}
        assert twins - {None} <= run.kept
        assert 2 <= len(run.kept) <= 30
        assert run.stages.committed["verify"].report.counts["web", "in_divided_components"] == 101
        kept.append(run.kept)
    assert kept[0] == kept[1]
