"""A batch deduplicated against the index of an earlier run: the same as both together, without the earlier texts."""

from __future__ import annotations

import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from dedupe_kit import FREE, PHRASES, Dedupe, Doc, check, crowd, dedupe, edited, indexed, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dedupe import indexes
from pipeline.errors import GuardTripped, StorageError
from pipeline.storage import Folder

Parts = dict[str, list[Doc]]
URLS = [None, "https://a.org/1", "http://www.a.org/1#x", "https://a.org/2"]


def compare(out: Path, old: Parts, new: Parts, **args: Any) -> tuple[Dedupe, Dedupe]:
    """(the new parts against an index of the old ones, both together with the old ones before).

    Before the index is used, all that the earlier run had of its texts is removed.
    """
    priority = sorted({part.rpartition("-")[0] for part in old})
    earlier = dedupe(out / "old", old, **{**FREE, **args})
    indexed(earlier)
    for name in ("filter", "gather", "signatures", "candidates", "components", "verify"):
        earlier.stages.out.sub(name).remove()
    together = dedupe(out / "both", old | new, priority=priority, **{**FREE, **args})
    assert {name for name in together.kept if name in earlier.texts} == earlier.kept
    batch = dedupe(out / "new", new, against=[earlier], **{**FREE, **args})
    check(batch, args.get("threshold", 0.8))
    names = set(batch.decisions)
    assert batch.kept == together.kept & names
    assert {name: batch.decisions[name][0] for name in names} == {name: together.decisions[name][0] for name in names}
    return batch, together


def test_a_batch_against_an_index_decides_as_both_together_would(tmp_path: Path) -> None:
    base = {name: text(120, name) for name in ("kept", "both", "fresh", "near")}
    old: Parts = {
        "old-00000": [("kept", base["kept"]), ("copy", base["kept"]), ("near", base["near"])],
        "old-00001": [("both", base["both"]), ("gone", edited(base["near"], 3))],
    }
    new: Parts = {
        "web-00000": [("exact", base["both"].upper()), ("fresh", base["fresh"]), ("like", edited(base["kept"], 50))],
        "web-00001": [
            ("again", base["fresh"]),
            ("like the gone", edited(base["near"], 3, 9)),
            ("longer", base["kept"] + " and more words"),
        ],
    }
    batch, together = compare(tmp_path, old, new)
    assert batch.decisions["exact"] == ("exact_duplicate", "both", 1.0)
    assert batch.decisions["longer"][1] == "kept", "what an index has stays, though the new one is longer"
    assert batch.kept in ({"fresh"}, {"again"})
    assert {name: together.decisions[name] for name in batch.decisions} == batch.decisions
    report = batch.stages.committed["verify"].report.check()
    assert report.counts["web", "removed_for_an_index"] == 4
    assert set(report.read) == {"web"}
    assert set(batch.files) == {"web-00000.decisions.parquet", "web-00001.decisions.parquet", "dedupe.clusters.parquet"}


def test_what_an_index_has_hangs_together_with_new_documents_alone(tmp_path: Path) -> None:
    """Ten of an index that share bands, alike but not enough, and a batch that has to do with one other document of it."""
    drift = [(f"{n}", edited(text(100, "drift"), n)) for n in range(10)]
    earlier = dedupe(tmp_path / "old", {"old-00000": [*drift, ("other", text(100, "other"))]}, threshold=1.0, **FREE)
    batch = dedupe(tmp_path / "new", {"web-00000": [("a", text(100, "a")), ("copy", text(100, "other"))]}, against=[earlier], **FREE)
    joined = batch.stages.committed["components"]
    rows = [row for entry in joined.files("components") for row in joined.folder.table(entry.name).to_pylist()]
    assert [(row["document"], row["component"]) for row in rows] == [(1, 1), (2 + 10, 1)]
    assert batch.decisions["copy"] == ("exact_duplicate", "other", 1.0)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Parts, Parts]:
    """Old and new documents of few phrases at few addresses, in one to three parts each."""
    contents = st.lists(st.sampled_from(PHRASES), max_size=7).map(" ".join)
    names = iter(range(1000))
    one = st.tuples(contents, st.sampled_from(["2020", "2024"]), st.sampled_from(URLS))
    docs = st.lists(one.map(lambda doc: (str(next(names)), *doc)), max_size=8)
    old = {f"old-{n:05d}": draw(docs) for n in range(draw(st.integers(1, 3)))}
    return old, {f"web-{n:05d}": draw(docs) for n in range(draw(st.integers(1, 3)))}


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(batches(), st.sampled_from([0.5, 0.8, 1.0]), st.booleans())
def test_any_batch_decides_as_both_together_would(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[Parts, Parts], threshold: float, same_url: bool
) -> None:
    compare(tmp_path_factory.mktemp("any"), *case, threshold=threshold, same_url=same_url)


def families(seed: str, source: str, count: int, parts: int) -> Parts:
    """Texts of some families that old and new share, a few words changed in each."""
    draw = random.Random(f"{seed} {source}")
    docs: list[Doc] = []
    for n in range(count):
        base = text(60, f"{seed} {draw.randrange(count)}")
        docs.append((f"{source} {n}", edited(base, *draw.sample(range(60), draw.choice((0, 1, 2, 6))))))
    return {f"{source}-{part:05d}": docs[part::parts] for part in range(parts)}


def test_the_work_may_be_divided_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = families("divided", "old", 40, 3), families("divided", "web", 30, 2)
    whole, _ = compare(tmp_path / "whole", old, new)
    crowd(monkeypatch, 5)
    fine, _ = compare(tmp_path / "fine", old, new)
    assert fine.stages.rounds["candidates"] == 1
    assert fine.decisions == whole.decisions


def test_a_third_batch_is_told_from_the_two_before(tmp_path: Path) -> None:
    """Index after index, each of what its own run kept."""
    first, second, third = (families("chain", name, 25, 2) for name in ("a", "b", "c"))
    one = dedupe(tmp_path / "1", first, **FREE)
    two = dedupe(tmp_path / "2", second, against=[one], **FREE)
    three = dedupe(tmp_path / "3", third, against=[one, two], **FREE)
    check(three)
    together = dedupe(tmp_path / "all", first | second | third, priority=["a", "b", "c"], **FREE)
    assert together.kept == one.kept | two.kept | three.kept


def test_real_pages_in_two_halves(corpus: Path, tmp_path: Path) -> None:
    """Chapters of the Rust book that its editions share, half of them known before."""
    with tarfile.open(corpus / "curated" / "rust-book.tar.gz") as archive:
        files = [member for member in archive if member.isfile() and member.name.endswith(".md")]
        docs = [(member.name, archive.extractfile(member).read().decode("utf-8", "replace")) for member in files]
    batch, together = compare(tmp_path, {"old-00000": docs[::2]}, {"web-00000": docs[1::4], "web-00001": docs[3::4]})
    assert sum(reason == "near_duplicate" for reason, _, _ in batch.decisions.values()) >= 5
    assert {name: together.decisions[name] for name in batch.decisions} == batch.decisions


def test_the_guard_says_which_are_of_an_index_and_what_has_no_text(tmp_path: Path) -> None:
    earlier = dedupe(tmp_path / "old", {"web-00000": [("page", text(80, "page"))]}, **FREE)
    indexed(earlier)
    with pytest.raises(GuardTripped) as tripped:
        dedupe(tmp_path / "new", {"web-00000": [("near", edited(text(80, "page"), 40))]}, against=[earlier])
    assert "of web, in an index: (no text at hand)" in str(tripped.value)
    assert text(80, "page")[:50] in str(tripped.value)


def test_an_index_of_other_settings_is_refused_by_name(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    signed = indexes.signed_by({"step": "stage:signatures", "version": 3, "args": {"bands": 14}, "uses": {"unicode": "14"}})
    folder.write_json("manifest.json", {"stage": "index", "args": {"signed_by": signed}})
    assert indexes.checked(folder, signed) == folder.path("manifest.json")
    other = indexes.signed_by({"step": "stage:signatures", "version": 3, "args": {"bands": 26}, "uses": {"unicode": "15"}})
    with pytest.raises(StorageError) as refused:
        indexes.checked(folder, other)
    assert "signatures.args.bands is 14 there and 26 here" in str(refused.value)
    assert "signatures.uses.unicode is '14' there and '15' here" in str(refused.value)
    assert "version" not in str(refused.value)
