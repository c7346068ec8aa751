"""The sample of a source: every document before any twice, whole characters, a number of bytes, whatever part a document is in."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.job import Committed, Inputs, TaskResult
from pipeline.report import Report
from pipeline.schema import document_id
from pipeline.storage import Folder
from pipeline.writing import FileEntry
from tokenizer import excerpts
from tokenizer.excerpts import NOWHERE, add_up, last_place, measure, parts_to_read, quotas, rounded, windows

Documents = list[tuple[str, str]]
Sampled = dict[str, list[bytes]]


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "EXCERPT_BYTES", 100)


def documents(count: int, longest: int = 500) -> Documents:
    draw = random.Random(f"{count} {longest}")
    return [(document_id("web", str(n)), "".join(draw.choices("aé日😀 \n", k=draw.randrange(longest)))) for n in range(count)]


def batch(docs: Documents) -> pa.RecordBatch:
    return pa.record_batch(
        {"id": pa.array([name for name, _ in docs], pa.string()), "text": pa.array([text for _, text in docs], pa.large_string())}
    )


def sampled(docs: Documents, wanted: int, parts: int = 1, held_out: bool = False) -> Sampled:
    """The excerpts that are drawn, by document, when the documents are dealt over parts."""
    dealt = [batch(docs[n::parts]) for n in range(parts)]
    measured = add_up([add_up([measure(windows(part, 1))]) for part in dealt])
    limit, found = last_place(measured, held_out, wanted), defaultdict(list)
    for part in dealt:
        every = windows(part, 1)
        drawn = every.only((every.held_out == held_out) & (every.places <= limit))
        for row, start, end in zip(drawn.rows, drawn.starts, drawn.ends, strict=True):
            found[part.column("id")[int(row)].as_py()].append(every.data[start:end].tobytes())
    return dict(found)


def size(found: Sampled) -> int:
    return sum(len(text) for texts in found.values() for text in texts)


@pytest.mark.parametrize("wanted", [1, 1000, 10_000, 10**9])
def test_parts_make_no_difference(wanted: int) -> None:
    docs = documents(300)
    assert {name: sorted(texts) for name, texts in sampled(docs, wanted, 7).items()} == {
        name: sorted(texts) for name, texts in sampled(docs, wanted).items()
    }


def test_as_many_bytes_as_are_wanted() -> None:
    docs = documents(5000)
    total = size(sampled(docs, 10**9))
    for wanted in (1, 500, 5000, 50_000, 500_000):
        assert wanted <= size(sampled(docs, wanted)) <= wanted + max(wanted // 250, 400)
    assert size(sampled(docs, 0)) == 0
    assert total + size(sampled(docs, 10**9, held_out=True)) == sum(len(text.encode()) for _, text in docs)


def test_one_document_in_eleven_is_held_out_and_no_other() -> None:
    docs = [(name, text) for name, text in documents(4000) if text]
    training, held_out = set(sampled(docs, 10**9)), set(sampled(docs, 10**9, held_out=True))
    assert training | held_out == {name for name, _ in docs}
    assert not training & held_out
    assert 0.07 < len(held_out) / len(docs) < 0.12


@given(st.lists(st.text(alphabet="aé日😀", max_size=400), max_size=5))
def test_all_windows_make_up_the_documents(texts: list[str]) -> None:
    docs = [(document_id("web", str(n)), text) for n, text in enumerate(texts)]
    found = windows(batch(docs), 1)
    cut = defaultdict(list)
    for row, start, end in sorted(zip(found.rows.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)):
        cut[row].append(found.data[start:end].tobytes())
    assert [cut[row] for row in range(len(texts))] == [_cut(text) for text in texts]


def _cut(text: str) -> list[bytes]:
    """Windows of 100 bytes, each from the first character that starts in it."""
    if not text:
        return []
    data = text.encode()
    starts = [i for i in range(len(data)) if data[i] & 0xC0 != 0x80]
    edges = [next((i for i in starts if i >= cut), len(data)) for cut in range(0, len(data), 100)]
    return [data[a:b] for a, b in zip(edges, [*edges[1:], len(data)], strict=True)]


def test_every_document_gives_one_window_before_any_gives_two() -> None:
    docs = documents(50, longest=2000)
    assert {len(texts) for texts in sampled(docs, 3000).values()} == {1}
    found = sampled(docs, 12_000)
    assert {len(texts) for texts in found.values()} >= {2, 3}
    assert set(found) == set(sampled(docs, 10**9))


def test_windows_are_whole_characters_from_anywhere_in_a_document() -> None:
    docs = documents(200, longest=3000)
    found = {name: texts[0] for name, texts in sampled(docs, 15_000).items() if len(texts) == 1}
    places = [dict(docs)[name].encode().find(text) for name, text in found.items() if len(text) > 50]
    assert all(len(text) <= 103 and text.decode() for text in found.values())
    assert np.mean([place > 300 for place in places]) > 0.5


def test_rounded_keys_keep_their_order_and_a_five_hundredth_of_their_size() -> None:
    draw = np.random.default_rng(1)
    keys = np.sort(np.concatenate([draw.integers(0, 1 << bits, 1000, np.uint64, endpoint=False) for bits in range(1, 64, 6)]))
    keys = np.concatenate([keys, np.array([(1 << 64) - 1], np.uint64)])
    found = rounded(keys)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() < 1 << 16
    for place in np.unique(found[keys > 0]):
        together = keys[(found == place) & (keys > 0)].astype(float)
        assert together.max() <= together.min() * (1 + 1 / 500)


def test_quotas_are_those_of_the_sources_there_are() -> None:
    assert quotas({"web": 3, "code": 1, "books": 4, "none": 0}, {"web", "code", "none"}, 1000) == {"code": 250, "web": 750}


def test_nothing_at_all() -> None:
    assert last_place(add_up([]), False, 100) == NOWHERE
    assert sampled([], 100) == sampled([("aa", "")], 100) == {}


def test_of_a_large_source_some_parts_are_read_whatever_their_order() -> None:
    entries = [FileEntry(f"web-{n:05d}.docs.parquet", 10, 1000, "") for n in range(100)] + [FileEntry("code-00000.docs.parquet", 1, 1, "")]

    def chosen(order: list[FileEntry], wanted: int) -> list[str]:
        tasks = [TaskResult(entry.part, (entry,), Report()).to_json() for entry in order]
        stage = Committed(Folder("memory://nowhere"), {"stage": "filter", "tasks": tasks})
        return [file.part for file in parts_to_read(Inputs({"filter": (stage,)}), "web", wanted)]

    few = chosen(entries, 100)
    assert len(few) == -(-excerpts.READ_FOR_ONE * 100 // 1000)
    assert few == chosen(entries[::-1], 100)
    assert few != sorted(few)
    assert len(chosen(entries, 10**6)) == 100
