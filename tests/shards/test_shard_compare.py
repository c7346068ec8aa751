"""Two datasets compared: by what they state, and document by document."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from packing_kit import Line, lognormal

from pipeline.shards import compare
from pipeline.shards.read import Dataset, open_dataset


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Of the same web documents more, of its books none, of its code fewer copies; in longer rows."""
    sources = {"web": lognormal(400), "code": [0, *lognormal(150, 60, 2)], "wiki": [70, 80]}
    made = Line(tmp_path_factory.mktemp("other"), sources)
    made.mix({"web": 0.8, "code": 0.19, "wiki": 0.01}, {"code": 2, "wiki": 2}, shard_tokens=8000, tokens=30_000)
    made.pack(seq_len=256, window=100)
    return open_dataset(made.train)


def tokens(dataset: Dataset) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for shard in dataset.shards:
        for row in shard.docs.to_pylist():
            found[row["source"], row["id"]] += row["tokens"]
    return found


def test_a_dataset_is_like_itself(dataset: Dataset) -> None:
    assert all(fact.same for fact in compare.facts(dataset, dataset))
    for row in compare.documents(dataset, dataset):
        assert (row.only_left, row.only_right, row.other_tokens) == (0, 0, 0)
        assert row.same == sum(source == row.source for source, _ in tokens(dataset))


def test_differences_are_named(dataset: Dataset, other: Dataset) -> None:
    found = {fact.name: fact for fact in compare.facts(dataset, other)}
    assert {name for name, fact in found.items() if fact.same} == {"dtype", "tokenizer", "vocabulary"}
    assert next(iter(found)) == "digest"
    assert (found["seq_len"].left, found["seq_len"].right) == (128, 256)
    assert (found["tokens of wiki"].left, found["tokens of books"].right) == (0, 0)


@pytest.mark.parametrize("at_once", [100, 20_000_000])
def test_documents_are_told_by_their_ids(dataset: Dataset, other: Dataset, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "ROWS_AT_ONCE", at_once)
    left, right = tokens(dataset), tokens(other)
    found = {row.source: row for row in compare.documents(dataset, other)}
    assert list(found) == ["books", "code", "web", "wiki"]
    for name, row in found.items():
        mine, theirs = ({id_ for source, id_ in side if source == name} for side in (left, right))
        same = sum(left[name, id_] == right[name, id_] for id_ in mine & theirs)
        counted = (row.only_left, row.only_right, row.same, row.other_tokens)
        assert counted == (len(mine - theirs), len(theirs - mine), same, len(mine & theirs) - same)
    assert found["code"].other_tokens > 0


def test_a_dataset_of_nothing_is_compared_too(line: Line, dataset: Dataset, tmp_path: Path) -> None:
    nothing = open_dataset(line.out.sub("pack/validation"))
    assert all(row.only_right == row.same == row.other_tokens == 0 for row in compare.documents(dataset, nothing))
    assert compare.documents(nothing, nothing) == []
