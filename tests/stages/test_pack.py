"""The pack stage: every token of every stream in its place, exact shares, the same bytes whoever packs in whatever order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packing_kit import Line, ids_of, lognormal, rows_of, tokenizer

from pipeline.errors import ShardError, StorageError
from pipeline.shards.inspect import shares
from pipeline.shards.read import Dataset, open_dataset
from pipeline.shards.verify import verify
from pipeline.stages.pack import shard_tasks

Copy = tuple[int, str]
#: Documents of a packing window; some shards of these tests have several.
WINDOW = 200


def stretches(dataset: Dataset) -> Iterator[tuple[str, int, str, int, list[int]]]:
    """(source, epoch, id, first token, tokens) of every piece, as its row holds them."""
    for row in dataset.rows():
        shard, start = dataset.shards[row.shard], 0
        for length, index, offset in zip(row.seq_lengths, row.doc_index, row.doc_offset, strict=True):
            origin = shard.origin(int(index))
            yield origin.source, origin.epoch, origin.id, int(offset), row.input_ids[start : start + length].tolist()
            start += length


def put_together(dataset: Dataset) -> dict[str, dict[Copy, list[int]]]:
    """The tokens of every copy of every document, by source, from their pieces; a gap or an overlap is an error."""
    pieces: dict[str, dict[Copy, list[tuple[int, list[int]]]]] = defaultdict(lambda: defaultdict(list))
    for source, epoch, name, offset, tokens in stretches(dataset):
        pieces[source][epoch, name].append((offset, tokens))
    out: dict[str, dict[Copy, list[int]]] = defaultdict(dict)
    for source, copies in pieces.items():
        for copy, found in copies.items():
            tokens: list[int] = []
            for offset, some in sorted(found):
                assert offset == len(tokens), f"{copy}: a gap or an overlap at {offset}"
                tokens += some
            out[source][copy] = tokens
    return out


def due(source: str, lengths: Sequence[int], quota: int) -> dict[Copy, list[int]]:
    """What a quota takes of a source: its documents in the order of (key, id), again and again, the last one cut."""
    rows = rows_of(source, lengths).sort_by([("key", "ascending"), ("id", "ascending")])
    out: dict[Copy, list[int]] = {}
    epoch = 0
    while quota:
        for name, length in zip(rows["id"].to_pylist(), rows["n_tokens"].to_pylist(), strict=True):
            taken = min(length, quota)
            quota -= taken
            if taken:
                out[epoch, name] = ids_of(name, length)[:taken].tolist()
        epoch += 1
    return out


def packed(
    path: Path, sources: Mapping[str, Sequence[int]], shares: Mapping[str, float], parts: int = 3, seq_len: int = 64, **mix: Any
) -> Line:
    line = Line(path, sources, parts)
    line.mix(shares, **mix)
    line.pack(seq_len=seq_len, window=WINDOW)
    return line


CASES: dict[str, tuple[dict[str, list[int]], dict[str, float], dict[str, Any]]] = {
    "three sources": (
        {"web": lognormal(300), "books": lognormal(20, 700, 1), "code": lognormal(90, 50, 2)},
        {"web": 0.6, "books": 0.25, "code": 0.15},
        {"shard_tokens": 3000},
    ),
    "a prime total over many epochs": (
        {"web": lognormal(80), "books": [5, 9, 33]},
        {"web": 0.7, "books": 0.3},
        {"tokens": 9973, "max_epochs": {"web": 2, "books": 100}, "shard_tokens": 1500},
    ),
    "one huge document": (
        {"web": lognormal(100), "books": [30_000]},
        {"web": 0.2, "books": 0.8},
        {"tokens": 20_011, "shard_tokens": 2000, "max_epochs": {"books": 3}},
    ),
    "documents of exactly a row": ({"web": [64] * 50 + [128] * 10}, {"web": 1}, {"tokens": 3001, "shard_tokens": 300}),
    "documents of one token, and of none": ({"web": [1, 0] * 100, "code": [0, 3]}, {"web": 0.9, "code": 0.1}, {"shard_tokens": 7}),
    "more shards than tokens of a source": ({"web": lognormal(50), "code": [40]}, {"web": 0.999, "code": 0.001}, {"shard_tokens": 100}),
    "shards smaller than rows": ({"web": lognormal(12), "books": [700]}, {"web": 0.5, "books": 0.5}, {"shard_tokens": 25, "tokens": 800}),
    "a single token": ({"web": [7, 8], "code": [9]}, {"web": 0.5, "code": 0.5}, {"tokens": 1}),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Line, dict[str, float]]:
    """A packed run of each case, and the shares asked for."""
    sources, wanted, mix = CASES[request.param]
    return packed(tmp_path_factory.mktemp("case"), sources, wanted, **mix), wanted


def test_every_stream_is_in_the_shards_exactly_up_to_its_quota(case: tuple[Line, dict[str, float]]) -> None:
    line, wanted = case
    dataset = open_dataset(line.train)
    found = put_together(dataset)
    for stream in line.plan()["train"]["sources"]:
        name = stream["source"]
        assert found.get(name, {}) == due(name, line.sources[name], stream["quota"])
        assert abs(stream["quota"] - dataset.manifest.tokens * wanted[name] / sum(wanted.values())) < 1
    assert verify(line.train).problems == ()
    assert verify(line.out.sub("pack/validation")).problems == ()


def test_no_document_that_fits_into_a_row_is_cut_and_others_lie_in_as_few_rows_as_can_be(case: tuple[Line, dict[str, float]]) -> None:
    line, _ = case
    pieces: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    for source, epoch, name, _, tokens in stretches(open_dataset(line.train)):
        pieces[source, epoch, name].append(len(tokens))
    for copy, lengths in pieces.items():
        assert len(lengths) == -(-sum(lengths) // 64), copy


def test_every_shard_and_every_window_holds_the_shares(tmp_path: Path) -> None:
    sources = {"web": lognormal(3000), "books": lognormal(40, 2000, 1), "code": lognormal(900, 60, 2)}
    line = Line(tmp_path, sources)
    line.mix({"web": 0.6, "books": 0.25, "code": 0.15}, shard_tokens=30_000)
    line.pack(seq_len=128)
    dataset = open_dataset(line.train)
    assert len(dataset.shards) > 4
    for share in shares(dataset, window=100):
        assert abs(share.found - share.planned) * dataset.manifest.tokens < 1
        assert abs(share.shard_difference) < 2 * 128 / 30_000
        assert abs(share.window_difference) < 0.05
    for share in shares(dataset):
        assert abs(share.window_difference) <= share.tolerance
        assert share.tolerance < 0.4


def test_copies_of_a_document_are_far_apart(tmp_path: Path) -> None:
    mix = {"tokens": 40_000, "max_epochs": {"code": 5}, "shard_tokens": 2000}
    line = packed(tmp_path, {"web": lognormal(500), "code": lognormal(60, 60, 2)}, {"web": 0.7, "code": 0.3}, **mix)
    code = next(source for source in line.plan()["train"]["sources"] if source["source"] == "code")
    assert code["epochs"] > 2
    where: dict[str, list[int]] = defaultdict(list)
    for shard in open_dataset(line.train).shards:
        for row in shard.docs.select(["id", "source", "first_token"]).to_pylist():
            if row["source"] == "code" and not row["first_token"]:
                where[row["id"]].append(shard.number)
    apart = len(line.plan()["train"]["shards"]) / code["epochs"]
    assert min(later - earlier for shards in where.values() for earlier, later in pairwise(shards)) >= int(apart) - 1


def test_the_digest_depends_neither_on_the_order_of_tasks_nor_on_parts(tmp_path: Path) -> None:
    sources, wanted, mix = CASES["three sources"]
    line = packed(tmp_path / "one", sources, wanted, **mix)
    digest = line.train.read_json("manifest.json")["digest"]
    inputs = line.pack_inputs()
    tasks = list(reversed(shard_tasks(inputs, {})))
    assert len(tasks) > 3
    line.out.sub("pack").remove()
    line.pack(seq_len=64, window=WINDOW, tasks=tasks)
    assert line.train.read_json("manifest.json")["digest"] == digest
    other = packed(tmp_path / "other", sources, wanted, parts=7, **mix)
    for name in line.train.names():
        assert other.train.read(name) == line.train.read(name)


def test_the_digest_depends_on_what_is_packed_and_how(tmp_path: Path) -> None:
    sources, wanted, mix = CASES["three sources"]
    digests = {
        packed(tmp_path / str(number), sources, {**wanted, **more}, seq_len=seq_len, **mix).train.read_json("manifest.json")["digest"]
        for number, (more, seq_len) in enumerate([({}, 64), ({}, 128), ({"web": 0.7}, 64)])
    }
    assert len(digests) == 3


def test_held_out_documents_are_in_validation_whole_and_never_in_training(tmp_path: Path) -> None:
    sources = {"web": lognormal(300), "code": lognormal(100, 50, 2)}
    line = packed(tmp_path, sources, {"web": 0.7, "code": 0.3}, holdout=0.1, shard_tokens=3000)
    train, held = (put_together(open_dataset(line.out.sub(f"pack/{split}"))) for split in ("train", "validation"))
    for source in sources:
        assert held[source]
        assert not {name for _, name in train[source]} & {name for _, name in held[source]}
        assert all(epoch == 0 and tokens == ids_of(name, len(tokens)).tolist() for (epoch, name), tokens in held[source].items())
    assert line.train.read_json("manifest.json")["split"] == "train"
    counted_once(line)


def counted_once(line: Line) -> None:
    """Pack's report names each document of the shards once, and as many as the mix keeps of those that have tokens."""
    planned, report = line.stages.committed["mix"].report, line.stages.committed["pack"].report
    found = [put_together(open_dataset(line.out.sub(f"pack/{split}"))) for split in ("train", "validation")]
    for source, lengths in line.sources.items():
        distinct = {name for split in found for _, name in split.get(source, {})}
        assert report.read[source] == report.kept[source] == len(distinct)
        assert report.counts[source, "copies"] == sum(len(split.get(source, {})) for split in found)
        assert planned.read[source] == len(lengths)
        if all(lengths):
            assert planned.kept[source] == len(distinct)


def test_every_document_that_the_mix_keeps_is_packed_and_counted_once(case: tuple[Line, dict[str, float]]) -> None:
    counted_once(case[0])


def test_the_report_counts_documents_where_they_begin(tmp_path: Path) -> None:
    sources, wanted, mix = CASES["one huge document"]
    line = packed(tmp_path, sources, wanted, **mix)
    report = line.stages.committed["pack"].report
    assert report.read["books"] == report.kept["books"] == 1
    assert {name: report.counts[name, "tokens"] for name in sources} == {s["source"]: s["quota"] for s in line.plan()["train"]["sources"]}
    assert line.train.read_json("manifest.json")["packing"]["tokens_beyond_quota"] > 30_000 - 20_011


def test_ids_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    line = Line(tmp_path, {"web": lognormal(20)})
    line.mix({"web": 1})
    line.tokenizer = tokenizer(line.out, vocabulary=500)
    with pytest.raises(ShardError, match="beyond the tokenizer's 500"):
        line.pack()


def test_parts_that_changed_since_the_mix_are_refused(tmp_path: Path) -> None:
    line = Line(tmp_path, {"web": [50] * 20})
    line.mix({"web": 1})
    line.tokenized = Line(tmp_path / "other", {"web": [49] * 20}).tokenized
    with pytest.raises(StorageError, match="don't hold what their histograms say"):
        line.pack()


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_are_as_wide_as_the_vocabulary_needs(tmp_path: Path, vocabulary: int, dtype: type) -> None:
    line = Line(tmp_path, {"web": lognormal(20)})
    line.mix({"web": 1})
    line.tokenizer = tokenizer(line.out, vocabulary)
    line.pack()
    dataset = open_dataset(line.train)
    assert next(dataset.rows()).input_ids.dtype == dtype
    assert verify(line.train).sound
