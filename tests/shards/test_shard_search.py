"""Ids as text, text found in rows, and pieces drawn from them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from packing_kit import Line

from pipeline.errors import ShardError
from pipeline.shards import search
from pipeline.shards.read import Dataset, open_dataset
from pipeline.shards.search import find, sample
from pipeline.shards.text import Speller, speller_of
from pipeline.storage import Folder


@pytest.fixture(scope="session")
def speller(dataset: Dataset) -> Speller:
    return speller_of(dataset)


def test_ids_are_spelled_token_by_token(speller: Speller) -> None:
    spelled = speller.spell(np.array([10, 1, 999], np.uint16))
    assert [spelled.data[a:b] for a, b in zip(spelled.offsets[:-1], spelled.offsets[1:], strict=True)] == [b"w10", b"<|eos|>", b"w999"]
    assert speller.text(np.array([], np.uint16)) == ""
    with pytest.raises(ShardError, match="id 1000 is beyond"):
        speller.spell(np.array([5, 1000]))


def test_a_tokenizer_that_is_not_the_datasets_is_refused(line: Line, tmp_path: Path) -> None:
    for name in line.train.names():
        if name == "manifest.json":
            Folder(str(tmp_path / "train")).write(name, line.train.read(name))
    moved = open_dataset(Folder(str(tmp_path / "train")))
    with pytest.raises(ShardError, match="is missing"):
        speller_of(moved)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ShardError, match="is not the tokenizer that"):
        speller_of(moved)


def occurrences(dataset: Dataset, speller: Speller, text: str) -> Counter[tuple[int, int, int]]:
    """The twin: every piece spelled alone, and searched as text."""
    found: Counter[tuple[int, int, int]] = Counter()
    for row in dataset.rows():
        ends = np.cumsum(row.seq_lengths)
        for start, end in zip((ends - row.seq_lengths).tolist(), ends.tolist(), strict=True):
            piece = speller.text(row.input_ids[start:end])
            at = piece.find(text)
            while at >= 0:
                found[row.shard, row.number, start] += 1
                at = piece.find(text, at + len(text))
    return found


@pytest.mark.parametrize("at_once", [1, 1 << 20])
@pytest.mark.parametrize("text", ["w17", "7w1", "w100w", "nowhere"])
def test_text_is_found_where_pieces_hold_it(
    text: str, at_once: int, dataset: Dataset, speller: Speller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TOKENS_AT_ONCE", at_once)
    found: Counter[tuple[int, int, int]] = Counter()
    for match in find(dataset, speller, text):
        row = dataset.shards[match.shard].row(match.row)
        ends = np.cumsum(row.seq_lengths)
        piece = int(np.searchsorted(ends, match.start, side="right"))
        assert match.origin == dataset.shards[match.shard].origin(int(row.doc_index[piece]))
        assert text in speller.text(row.input_ids[match.start : match.stop])
        assert text not in speller.text(row.input_ids[match.start + 1 : match.stop])
        found[match.shard, match.row, int(ends[piece] - row.seq_lengths[piece])] += 1
    assert found == occurrences(dataset, speller, text)
    assert bool(found) == (text != "nowhere")


def test_a_match_across_two_documents_is_none(dataset: Dataset, speller: Speller) -> None:
    row = next(row for row in dataset.rows() if len(row.seq_lengths) > 1)
    edge = int(row.seq_lengths[0])
    across = speller.text(row.input_ids[edge - 2 : edge + 2])
    assert not [match for match in find(dataset, speller, across) if match.row == row.number and match.start == edge - 2]
    assert [match for match in find(dataset, speller, speller.text(row.input_ids[edge - 3 : edge])) if match.stop == edge]


def test_a_match_shows_its_neighbours(dataset: Dataset, speller: Speller) -> None:
    row = dataset.shards[0].row(3)
    text = speller.text(row.input_ids[10:13])
    match = next(match for match in find(dataset, speller, text) if (match.shard, match.row, match.start) == (0, 3, 10))
    assert (match.before + text + match.after) in speller.text(dataset.shards[0].input_ids[2:6].reshape(-1))
    assert len(match.before) == len(match.after) == search.AROUND


def test_nothing_to_find_is_refused(dataset: Dataset, speller: Speller) -> None:
    with pytest.raises(ShardError, match="empty"):
        list(find(dataset, speller, ""))


def test_samples_follow_from_the_digest_and_the_seed(dataset: Dataset, speller: Speller) -> None:
    drawn = list(sample(dataset, speller, 40))
    assert drawn == list(sample(dataset, speller, 40))
    assert drawn != list(sample(dataset, speller, 40, seed=1))
    assert len({shard for shard, _, _ in drawn}) > 3
    for shard, row, piece in drawn:
        assert piece.text == speller.text(dataset.shards[shard].row(row).input_ids[piece.start : piece.stop])


def test_a_dataset_of_nothing_has_no_samples(line: Line, speller: Speller) -> None:
    assert list(sample(open_dataset(line.out.sub("pack/validation")), speller, 3)) == []
