# ruff: noqa: E501 - inputs are easier to read on one line
"""What fuzzing found stays found, a few draws for every parser, and input of the sizes that hurt."""

from __future__ import annotations

import resource
import struct
from itertools import islice
from pathlib import Path

import fuzz_seeds as seeds
import pyarrow as pa
import pytest
from archive_kit import input_file
from extract_kit import extract_one
from fuzz import PARSERS, findings
from test_rdata import FIRST_NAMES, HEADER, NULL, char, integers, named, strings
from test_warc import page

from pipeline.contracts import RawDocument
from pipeline.errors import SourceError
from pipeline.extract.html import html
from pipeline.extract.wikitext import wikitext
from pipeline.sources.dictd import dictd
from pipeline.sources.mediawiki import mediawiki
from pipeline.sources.questions import dialogues, questions
from pipeline.sources.rdata import rdata
from pipeline.sources.stackexchange import stackexchange
from pipeline.sources.table import table
from pipeline.sources.warc import warc


def found(step: object, path: Path, data: bytes, **keys: object) -> list[RawDocument]:
    path.write_bytes(data)
    return list(step(input_file(path), **keys))  # type: ignore[operator]


@pytest.mark.parametrize("name", PARSERS)
def test_changed_files(name: str, tmp_path: Path) -> None:
    """Of no corpus: the same draws everywhere."""
    assert [case for case in islice(findings(name, tmp_path, 0), 12) if case] == []


@pytest.mark.parametrize(
    "index",
    [
        b"X\n" + HEADER[2:14] + struct.pack(">i", 0),  # ends where the type should be
        HEADER + struct.pack(">i", 255 | 9 << 8),  # refers to a ninth symbol
        HEADER + struct.pack(">ii", 19 | 1 << 9, 0) + char("no names"),
        HEADER + struct.pack(">ii", 19 | 1 << 9, 1) + NULL + struct.pack(">i", 2 | 1 << 10) + struct.pack(">i", 1) + char("names") + strings("a", "b") + NULL,
        HEADER + named(FIRST_NAMES, variables=integers(1)),
        HEADER + named(FIRST_NAMES, variables=named(struct.pack(">i", 255 | 1 << 8), a=integers(1, 2, 3))),
    ],
    ids=["ends", "symbol", "names", "numbers", "list", "place"],
)  # fmt: skip
def test_indexes_of_r_that_point_anywhere(tmp_path: Path, index: bytes) -> None:
    with pytest.raises(SourceError, match="is no R database"):
        found(rdata, tmp_path / "r.deb", seeds.with_r_index(index))


def test_strings_of_r_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds what is no string"):
        found(rdata, tmp_path / "r.deb", seeds.with_r_object(HEADER + struct.pack(">ii", 16, 1) + NULL), min_lines=1)


def test_a_number_of_a_million_digits_in_an_index(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no headword, offset and length"):
        found(dictd, tmp_path / "d.deb", seeds.with_dictd_index(b"word\tA\t" + b"B" * 1_000_000 + b"\n"))


def test_offsets_of_arrow_that_lead_outside(tmp_path: Path) -> None:
    """Arrow reads them as they are: without a check the process dies."""
    out = pa.BufferOutputStream()
    rows = pa.table({"text": ["some", "texts", "here"]})
    with pa.ipc.new_file(out, rows.schema) as writer:
        writer.write_table(rows)
    good = out.getvalue().to_pybytes()
    offsets = struct.pack("<4i", 0, 4, 9, 13)
    assert offsets in good
    with pytest.raises(SourceError, match="can't be read to its end"):
        found(table, tmp_path / "t.arrow", good.replace(offsets, struct.pack("<4i", 0, 4, 1 << 30, 13)))


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000, "--5", "\u00b2"])
def test_numbers_that_are_none(tmp_path: Path, number: str) -> None:
    row = f'<posts><row Id="{number}" PostTypeId="1" Score="{number}" Body="Why?"/></posts>'.encode()
    assert [thread.locator for thread in found(stackexchange, tmp_path / "Posts.xml", row)] == ["0"]
    dump = f"<mediawiki><page><title>A</title><ns>{number}</ns><id>1</id></page></mediawiki>".encode()
    assert found(mediawiki, tmp_path / "dump.xml", dump) == []


@pytest.mark.parametrize("charset", ["utf-7", "shift_jis", "no-such"])
def test_xml_in_an_encoding_that_is_not_read(tmp_path: Path, charset: str) -> None:
    with pytest.raises(SourceError, match="not well-formed"):
        found(mediawiki, tmp_path / "dump.xml", f"<?xml version='1.0' encoding='{charset}'?><mediawiki>+ADw-</mediawiki>".encode())


@pytest.mark.parametrize("line", ["*a", "{a: b}"], ids=["alias", "mapping"])
def test_aliases_that_grow(tmp_path: Path, line: str) -> None:
    """Twenty levels of ten aliases are a few hundred bytes of YAML, and would be 10 ** 20 words."""
    levels = "".join(f"l{level}: &{chr(97 + level)} [{', '.join([f'*{chr(98 + level)}'] * 10)}]\n" for level in range(19, -1, -1))
    yaml = f"z: &u [x]\n{levels}conversations:\n- [Why, {line}]\n- [Why, So]\n".encode()
    bad, good = found(dialogues, tmp_path / "a.yml", yaml)
    assert bad.meta == {"reason": "no_dialogue"}
    assert good.format == "conversation"


def test_yaml_nested_too_deep(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read as YAML"):
        found(dialogues, tmp_path / "a.yml", b"conversations: " + b"[" * 1500)


def test_codes_left_open_thousands_of_times(tmp_path: Path) -> None:
    pod = b"1. Why?\n" + b"C<< " * 5_000 + b"B<" * 5_000 + b">" * 5_000
    (chat,) = found(questions, tmp_path / "a.pod", pod, question=r"^\d+\. (.*\?)$", pod=True)
    assert chat.format == "conversation"


@pytest.mark.parametrize("length", ["99999999999", "0", "-5", "1e9", "9" * 40])
def test_records_with_false_lengths(tmp_path: Path, length: str) -> None:
    """They make an archive damaged, or the record none; nothing is made up."""
    record = page(1)
    start = record.index(b"Content-Length: ") + 16
    false = record[:start] + length.encode() + record[record.index(b"\r\n", start) :]
    try:
        contents = [document.content for document in found(warc, tmp_path / "a.warc", page(3) + false + page(5))]
    except SourceError as error:
        assert "byte" in str(error)  # noqa: PT017 - either will do
    else:
        assert set(contents) == {b"<html><body>hello</body></html>"}


@pytest.mark.parametrize(
    ("piece", "size"), [(b"<div>", 50 << 20), (b"word <b>and</b> ", 20 << 20), (b"x" * 1000, 20 << 20)], ids=["divs", "line", "word"]
)
def test_pages_of_many_megabytes_are_refused_at_once(piece: bytes, size: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = extract_one(html, piece * (size // len(piece)))
    assert result.reason in ("too_large", "tangled")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 << 10  # KiB


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\xfd" * 1000, b"<meta charset=no-such><p>caf\xe9 \xff", b"<meta charset=utf-16><p>a", b"\xed\xa0\x80 text"]
)
def test_charsets_that_are_none(content: bytes) -> None:
    for step in (html, wikitext):
        for charset in ("no-such", "utf-7", "\x00", "idna"):
            result = extract_one(step, content, {"charset": charset})
            assert (result.text is None) != (result.reason is None)
