"""The readers of rows: "jsonl", "table", "datasets", and the fetcher "huggingface", on local files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from archive_kit import COMPRESS, input_file

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.columns import sound
from pipeline.sources.huggingface import datasets_, huggingface
from pipeline.sources.jsonl import jsonl
from pipeline.sources.table import table

ROWS = [
    {"body": "one", "key": "a", "info": {"url": "http://x.invalid/a", "lang": "en", "stars": 3}},
    {"body": "zwei ä", "key": "b", "info": {"url": None, "lang": "de", "stars": None}},
    {"body": None, "key": "c", "info": {"url": None, "lang": None, "stars": None}},
]
KEYS = {"text": "body", "id": "key", "url": "info.url", "lang": "info.lang", "meta": ["info.stars"]}
FOUND = [
    RawDocument("a", b"one", "text", "http://x.invalid/a", "en", meta={"stars": 3}),
    RawDocument("b", "zwei ä".encode(), "text", lang="de", meta={}),
    RawDocument("c", b"", "invalid", meta={"reason": "no_text"}),
]


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def written(path: Path, content: bytes) -> InputFile:
    path.write_bytes(content)
    return input_file(path)


@pytest.mark.parametrize("suffix", list(COMPRESS))
def test_json_lines_in_any_compression(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path / f"x.jsonl{suffix}", COMPRESS[suffix](lines(*ROWS)))
    assert list(jsonl(file, **KEYS)) == FOUND


def test_json_lines_by_default(tmp_path: Path) -> None:
    file = written(tmp_path / "x.jsonl", lines({"text": "one", "url": "u"}, {"text": "two"}).rstrip(b"\n"))
    assert list(jsonl(file)) == [RawDocument("row-1", b"one", "text", "u", meta={}), RawDocument("row-2", b"two", "text", meta={})]


def test_a_bad_line_is_one_bad_document(tmp_path: Path) -> None:
    bad = [b"{not json", b'"a string"', b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"text": 7}', b'{"other": 1}', b"{}", b""]
    found = list(jsonl(written(tmp_path / "x.jsonl", lines({"text": "a"}) + b"\n".join(bad) + b"\n" + lines({"text": "b"}))))
    assert [(item.meta or {}).get("reason") for item in found] == [None, *["bad_json"] * 5, *["no_text"] * 3, None]
    assert [item.locator for item in found][-3:] == ["row-8", "row-9", "row-11"]


def test_a_line_beyond_the_limit_is_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path / "x.jsonl", lines({"text": "a"}, {"text": "x" * 5_000_000}, {"text": "b"}))
    found = list(jsonl(file, max_line_bytes=1000))
    assert [(item.content, item.format) for item in found] == [(b"a", "text"), (b"", "invalid"), (b"b", "text")]
    assert (found[1].meta or {})["reason"] == "too_large"
    assert len(next(item for item in jsonl(file) if item.locator == "row-2").content) == 5_000_000


def test_surrogates_in_json_are_mended() -> None:
    assert sound("a\ud83d\ude00b\ud800c") == "a😀b\ufffdc"
    assert sound("plain ä") == "plain ä"


def test_surrogates_in_json_lines(tmp_path: Path) -> None:
    content = b'{"text": "\\ud83d\\ude00 \\ud800.", "url": "\\udc00", "k": ["\\udc00"]}\n'
    (found,) = jsonl(written(tmp_path / "x.jsonl", content), meta=["k"])
    assert found == RawDocument("row-1", "😀 \ufffd.".encode(), "text", "\ufffd", meta={"k": '["\\udc00"]'})


def test_a_json_array_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.json .* is a JSON array.*jq"):
        list(jsonl(written(tmp_path / "x.json", b'[{"text": "a"}]')))


def test_a_truncated_file_names_itself(tmp_path: Path) -> None:
    data = COMPRESS[".gz"](b"".join(lines({"text": str(number) * 9}) for number in range(3000)))
    with pytest.raises(SourceError, match=r"cut\.jsonl\.gz.*within the first \d+ bytes"):
        list(jsonl(written(tmp_path / "cut.jsonl.gz", data[:-20])))


def parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def feather(path: Path) -> None:
    pyarrow.feather.write_feather(pa.Table.from_pylist(ROWS), str(path))


def stream(path: Path) -> None:
    rows = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)


@pytest.mark.parametrize("write", [parquet, feather, stream])
@pytest.mark.parametrize("batch_rows", [1, 1000])
def test_tables(tmp_path: Path, write: Callable[[Path], None], batch_rows: int) -> None:
    write(tmp_path / "x.table")
    assert list(table(input_file(tmp_path / "x.table"), **KEYS, batch_rows=batch_rows)) == FOUND


def test_bytes_go_to_the_extractor_as_they_are(tmp_path: Path) -> None:
    pq.write_table(pa.table({"html": pa.array([b"\xff<p>"]), "n": [1]}), tmp_path / "x.parquet")
    (found,) = table(input_file(tmp_path / "x.parquet"), text="html", format="html", id="n")
    assert found == RawDocument("1", b"\xff<p>", "html", meta={})


def test_a_missing_column_names_those_there(tmp_path: Path) -> None:
    parquet(tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"x\.parquet .* has no column 'text'; it has body, key, info"):
        list(table(input_file(tmp_path / "x.parquet")))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"ARROW1" + bytes(50), b"no table at all"])
def test_a_damaged_table_names_itself(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"x\.parquet"):
        list(table(written(tmp_path / "x.parquet", content)))


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset folder with two splits, and the library kept off the network and out of the home folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "letters"
    folder.mkdir()
    for split, number in (("train", 0), ("train", 1), ("test", 0)):
        pq.write_table(pa.Table.from_pylist(ROWS), folder / f"{split}-{number:05}-of-00002.parquet")
    return folder


def test_a_dataset_is_pinned_file_by_file_and_streamed(dataset: Path, tmp_path: Path) -> None:
    files = huggingface(tmp_path / "cache", name=str(dataset), licence="CC0-1.0")
    assert [(file.name, file.licence, file.origin) for file in files] == [
        ("hf:letters/train-00000-of-00002.parquet", "CC0-1.0", "huggingface"),
        ("hf:letters/train-00001-of-00002.parquet", "CC0-1.0", "huggingface"),
    ]
    for file in files:
        assert (file.sha256, file.size) == (input_file(Path(file.path)).sha256, Path(file.path).stat().st_size)
        assert list(datasets_(file, **KEYS)) == FOUND
    assert len(huggingface(tmp_path / "cache", name=str(dataset), split="test")) == 1


def test_datasets_reads_what_the_library_reads(dataset: Path, tmp_path: Path) -> None:
    (row,) = datasets_(written(tmp_path / "x.csv", b"text;n\nhello;1\n"), id="n", options={"delimiter": ";"})
    assert row == RawDocument("1", b"hello", "text", meta={})
    packed = written(tmp_path / "x.jsonl.gz", COMPRESS[".gz"](lines({"text": "a", "n": 1})))
    assert [item.content for item in datasets_(packed)] == [b"a"]
    assert [item.content for item in datasets_(written(tmp_path / "x.dat", lines({"text": "a"})), builder="json")] == [b"a"]


def test_datasets_that_cant_be_read(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="its suffix says no kind"):
        list(datasets_(written(tmp_path / "x.dat", b"a")))
    with pytest.raises(SourceError, match=r"x\.parquet.* can't be read as parquet"):
        list(datasets_(written(tmp_path / "x.parquet", b"PAR1")))
    with pytest.raises(SourceError, match="has no column 'text'; it has body"):
        list(datasets_(input_file(next(dataset.glob("*.parquet")))))
    with pytest.raises(SourceError, match=r"has no split 'validation'; it has (test, train|train, test)"):
        huggingface(tmp_path / "cache", name=str(dataset), split="validation")
    with pytest.raises(SourceError, match="can't be had"):
        huggingface(tmp_path / "cache", name=str(tmp_path / "nowhere"))
