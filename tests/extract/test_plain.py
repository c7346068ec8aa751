"""The extractors "text", "markdown", "rst" and "code", and what all extractors do with a batch."""

from __future__ import annotations

import pytest
from extract_kit import extract_one, raw_batch, results

from pipeline.extract.invalid import invalid
from pipeline.extract.plain import code, markdown, rst, text


@pytest.mark.parametrize("extractor", [text, markdown, rst])
def test_prose_is_composed_and_kept_as_it_stands(extractor) -> None:
    assert extract_one(extractor, "# Cafe\u0301\r\n\r\n\r\n  two  spaces  \n").text == "# Café\n\n\n  two  spaces  \n"


def test_code_is_not_composed() -> None:
    assert extract_one(code, 'NAME = "e\u0301"\r\n').text == 'NAME = "e\u0301"\n'


def test_reasons() -> None:
    assert extract_one(text, b"").reason == "empty"
    assert extract_one(text, b" \n\t\n").reason == "empty"
    assert extract_one(text, b"\xef\xbb\xbf").reason == "empty"
    assert extract_one(code, b"\x7fELF\0\0\0" * 99).reason == "binary"
    assert extract_one(code, b"x" * 11, max_bytes=10).reason == "too_large"
    assert extract_one(text, b"", {"unreadable": "CRC check failed"}).reason == "unreadable"


def test_a_charset_in_the_meta_is_used() -> None:
    assert extract_one(text, "Pâté à l'œuf".encode("cp1252"), {"charset": "windows-1252"}).text == "Pâté à l'œuf"


def test_a_single_line_of_ten_megabytes() -> None:
    assert len(extract_one(text, b"word " * 2_000_000).text or "") == 10_000_000


def test_rows_keep_their_order_and_slices_their_rows() -> None:
    batch = raw_batch([b"zero", b"", b"two", b"\0\0\0\0", b"four"])
    assert [(row.text, row.reason) for row in results(text(batch.slice(1, 3)))] == [(None, "empty"), ("two", None), (None, "binary")]
    assert results(text(batch.slice(0, 0))) == []


def test_invalid_gives_the_readers_reason() -> None:
    assert extract_one(invalid, b"{...", {"reason": "bad_json"}) == (None, "bad_json", {})
    assert extract_one(invalid, b"").reason == "invalid"
