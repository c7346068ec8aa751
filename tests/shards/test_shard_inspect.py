"""Inspection: numbers from the rows, rows as text, tokens traced to their documents and documents found in rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from packing_kit import Line, ids_of
from tokenizers import Tokenizer

from pipeline.errors import ShardError
from pipeline.shards.inspect import Place, pieces, places, shares, source_tokens, summary, trace
from pipeline.shards.read import Dataset, Origin


@pytest.fixture(scope="session")
def tokenizer(line: Line) -> Tokenizer:
    return Tokenizer.from_str(line.out.read("tokenizer/tokenizer.json").decode())


def test_a_summary_counts_what_there_is(line: Line, dataset: Dataset) -> None:
    found = summary(dataset)
    assert (found.split, found.seq_len, found.shards, found.tokens) == ("train", 128, 8, 60_000)
    assert found.rows == sum(1 for _ in dataset.rows())
    assert found.pieces == sum(len(row.seq_lengths) for row in dataset.rows())
    assert found.fill == 60_000 / (found.rows * 128)
    assert found.bytes == sum(len(line.train.read(name)) for name in line.train.names() if name.endswith((".arrow", ".parquet")))


def test_tokens_of_sources_are_counted_by_row(dataset: Dataset) -> None:
    names = ["web", "books", "code"]
    shard = dataset.shards[1]
    counted = source_tokens(shard, names)
    for row in shard.rows():
        want = dict.fromkeys(names, 0)
        for length, index in zip(row.seq_lengths.tolist(), row.doc_index.tolist(), strict=True):
            want[shard.origin(index).source] += length
        assert counted[row.number].tolist() == list(want.values())


@pytest.mark.parametrize("window", [1, 7, 100, 10**6])
def test_shares_are_those_of_every_window_looked_at_one_by_one(dataset: Dataset, window: int) -> None:
    found = {share.source: share for share in shares(dataset, window)}
    counted = np.concatenate([source_tokens(shard, list(found)) for shard in dataset.shards])
    ends = [(shard.number, row) for shard in dataset.shards for row in range(shard.facts.rows)]
    size = min(window, len(counted))
    for column, (name, share) in enumerate(found.items()):
        off = {
            ends[stop - 1]: counted[stop - size : stop, column].sum() / counted[stop - size : stop].sum() - share.planned
            for stop in range(size, len(counted) + 1)
        }
        worst = max(abs(value) for value in off.values())
        assert share.window_difference == pytest.approx(off[share.worst_window])
        assert abs(share.window_difference) == pytest.approx(worst)
        tokens = [shard.facts.sources[name] / shard.facts.tokens - share.planned for shard in dataset.shards]
        assert share.shard_difference == pytest.approx(max(tokens, key=abs))
        assert share.tokens == counted[:, column].sum()
        assert abs(share.found - share.planned) * 60_000 < 1


def test_a_row_is_shown_as_text_piece_by_piece(dataset: Dataset, tokenizer: Tokenizer) -> None:
    shard, row = next((row.shard, row.number) for row in dataset.rows() if len(row.doc_index) > 2)
    found = pieces(dataset, shard, row, tokenizer.decode)
    ids = dataset.shards[shard].row(row).input_ids
    assert [piece.start for piece in found] == [0, *(piece.stop for piece in found)][:-1]
    for piece in found:
        assert piece.text == tokenizer.decode(ids[piece.start : piece.stop].tolist())
        assert piece.text.split()[0] == f"w{ids_of(piece.origin.id, piece.origin.n_tokens)[piece.offset]}"


def test_a_token_is_traced_to_the_same_words_in_its_document(dataset: Dataset, tokenizer: Tokenizer) -> None:
    def original(origin: Origin) -> str:
        text: str = tokenizer.decode(ids_of(origin.id, origin.n_tokens).tolist())
        return text

    draw = np.random.default_rng(0)
    padding = 0
    for _ in range(200):
        shard = int(draw.integers(len(dataset.shards)))
        row, token = int(draw.integers(dataset.shards[shard].facts.rows)), int(draw.integers(128))
        found = trace(dataset, shard, row, token)
        if found.origin is None or found.position is None:
            padding += 1
            assert token >= dataset.shards[shard].row(row).seq_lengths.sum()
            continue
        assert original(found.origin).split()[found.position] == tokenizer.decode([found.id])
    assert padding < 20


def test_positions_beyond_a_row_are_refused(dataset: Dataset) -> None:
    for token in (-1, 128):
        with pytest.raises(ShardError, match=f"no token {token}"):
            trace(dataset, 0, 0, token)


def test_a_document_is_found_wherever_it_is(dataset: Dataset) -> None:
    huge = next(o for s in dataset.shards for o in (s.origin(i) for i in range(s.docs.num_rows)) if o.n_tokens == 9000)

    def of_epoch(epoch: int) -> list[Place]:
        return sorted((place for place in places(dataset, huge.id) if place.epoch == epoch), key=lambda place: place.offset)

    first = of_epoch(0)
    assert len(first) == -(-9000 // 128)
    assert sum(place.stop - place.start for place in first) == 9000
    for place in first:
        ids: Sequence[int] = dataset.shards[place.shard].row(place.row).input_ids[place.start : place.stop].tolist()
        assert ids == ids_of(huge.id, 9000)[place.offset : place.offset + len(ids)].tolist()
    assert list(places(dataset, "no such document")) == []
