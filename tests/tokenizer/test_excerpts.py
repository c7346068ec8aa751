"""Samples: excerpts drawn by hash alone, of many documents rather than of few, in whole characters."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from pipeline.job import Committed, Inputs, TaskResult
from pipeline.report import Report
from pipeline.storage import Folder
from pipeline.tokens import order_keys
from pipeline.writing import FileEntry
from tokenizer import excerpts
from tokenizer.excerpts import Draw, Excerpt, parts_to_read


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "EXCERPT_BYTES", 100)


def documents(count: int, longest: int = 1000) -> list[tuple[str, str]]:
    draw = random.Random(count)
    return [(f"{n:04d}", "".join(draw.choices("abcdé語😀 ", k=draw.randint(0, longest)))) for n in range(count)]


def drawn(docs: list[tuple[str, str]], wanted: int, batch: int = 10) -> list[Excerpt]:
    draw = Draw(wanted)
    for start in range(0, len(docs), batch):
        names, texts = zip(*docs[start : start + batch], strict=True)
        rows = pa.record_batch({"id": pa.array(names), "lang": pa.array(["en"] * len(names)), "text": pa.array(texts, pa.large_string())})
        draw.add(order_keys(rows.column("id"), "seed"), rows)
    return draw.excerpts()


@pytest.mark.parametrize("wanted", [1, 500, 5_000, 30_000])
def test_order_and_batches_leave_no_trace(wanted: int) -> None:
    docs = documents(120)
    shuffled = random.Random(1).sample(docs, len(docs))
    assert drawn(docs, wanted) == drawn(shuffled, wanted) == drawn(docs[::-1], wanted, batch=120) == drawn(docs, wanted, batch=1)


@pytest.mark.parametrize("wanted", [1, 500, 5_000, 30_000])
def test_as_many_bytes_as_wanted_and_no_excerpt_more(wanted: int) -> None:
    sizes = [len(excerpt.text) for excerpt in drawn(documents(120), wanted)]
    assert sum(sizes[:-1]) < wanted <= sum(sizes)


def test_no_bytes_wanted() -> None:
    assert drawn(documents(20), 0) == []


def test_a_source_that_is_too_small_is_taken_whole() -> None:
    docs = documents(30)
    found = drawn(docs, 10**9)
    for name, text in docs:
        windows = [excerpt for excerpt in found if excerpt.id == name]
        assert sum(len(excerpt.text) for excerpt in windows) == len(text.encode())
        assert sorted(excerpt.text for excerpt in windows) == sorted(_cut(text))


def _cut(text: str) -> list[bytes]:
    """Windows of 100 bytes, each from the first character that starts in it."""
    data = text.encode()
    starts = [i for i in range(len(data)) if data[i] & 0xC0 != 0x80]
    edges = [next((i for i in starts if i >= cut), len(data)) for cut in range(0, len(data), 100)]
    return [data[a:b] for a, b in zip(edges, [*edges[1:], len(data)], strict=True)]


def test_every_document_gives_one_window_before_any_gives_two() -> None:
    docs = documents(50, longest=2000)
    found = drawn(docs, 4000)
    assert len({excerpt.id for excerpt in found}) == len(found)
    found = drawn(docs, 12_000)
    assert {excerpt.id for excerpt in found if excerpt.round == 0} == {name for name, text in docs if text}
    assert {excerpt.round for excerpt in found} == {0, 1, 2}


def test_windows_are_whole_characters_from_anywhere_in_a_document() -> None:
    docs = documents(200, longest=3000)
    found = [excerpt for excerpt in drawn(docs, 10**9) if excerpt.round == 0]
    places = [dict(docs)[excerpt.id].encode().find(excerpt.text) for excerpt in found if len(excerpt.text) > 50]
    assert all(len(excerpt.text) <= 103 and excerpt.text.decode() for excerpt in found)
    assert np.mean([place > 300 for place in places]) > 0.5


def test_languages_go_along() -> None:
    assert {excerpt.lang for excerpt in drawn(documents(20), 1000)} == {"en"}


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
