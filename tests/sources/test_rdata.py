"""The reader "rdata", on databases written here as R writes them (R Internals, section 1.8)."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest
from archive_kit import deb, input_file

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.rdata import rdata

HEADER = b"X\n" + struct.pack(">iii", 3, 0x040201, 0x030500) + struct.pack(">i", 5) + b"UTF-8"
HEADER_2 = b"X\n" + struct.pack(">iii", 2, 0x040201, 0x020300)
NULL = struct.pack(">i", 254)


def char(text: str | None, latin1: bool = False) -> bytes:
    if text is None:
        return struct.pack(">ii", 9, -1)
    data = text.encode("latin-1" if latin1 else "utf-8")
    return struct.pack(">ii", 9 | (1 << 14 if latin1 else 1 << 15), len(data)) + data


def strings(*texts: str | None, latin1: bool = False) -> bytes:
    return struct.pack(">ii", 16, len(texts)) + b"".join(char(text, latin1) for text in texts)


def integers(*values: int) -> bytes:
    return struct.pack(">ii", 13, len(values)) + struct.pack(f">{len(values)}i", *values)


def named(names_tag: bytes, **items: bytes) -> bytes:
    body = struct.pack(">ii", 19 | 1 << 9, len(items)) + b"".join(items.values())
    return body + struct.pack(">i", 2 | 1 << 10) + names_tag + strings(*items) + NULL


FIRST_NAMES = struct.pack(">i", 1) + char("names")
NAMES_AGAIN = struct.pack(">i", 255 | 1 << 8)


def database(objects: dict[str, bytes]) -> dict[str, bytes]:
    """The .rdx and .rdb of a package's data; the symbol `names` is written once and referred to after that."""
    data, places = b"", {}
    for name, item in objects.items():
        chunk = struct.pack(">i", len(item)) + zlib.compress(item)
        places[name] = integers(len(data), len(chunk))
        data += chunk
    index = HEADER + named(NAMES_AGAIN, variables=named(FIRST_NAMES, **places), references=integers(), compressed=integers(1))
    return {"lib/books/data/Rdata.rdx": gzip.compress(index), "lib/books/data/Rdata.rdb": data}


def package(tmp_path: Path, files: dict[str, bytes]) -> InputFile:
    (tmp_path / "r.deb").write_bytes(deb(files))
    return input_file(tmp_path / "r.deb", "deb:r")


def test_character_vectors_are_texts(tmp_path: Path) -> None:
    objects = {
        "tale": HEADER + strings("One.", None, "Três.", "It ends."),
        "old": HEADER_2 + strings("caf\xe9", "th\xe9", "lait", latin1=True),
        "numbers": HEADER + integers(1, 2, 3, 4),
        "short": HEADER + strings("Too short."),
        "function": HEADER + struct.pack(">i", 3) + b"whatever a closure holds",
    }
    documents = list(rdata(package(tmp_path, database(objects)), min_lines=3, format="gutenberg", lang="pt"))
    assert [(document.locator, document.content.decode()) for document in documents] == [
        ("lib/books/data/Rdata/tale", "One.\n\nTrês.\nIt ends."),
        ("lib/books/data/Rdata/old", "caf\xe9\nth\xe9\nlait"),
    ]
    assert {(document.format, document.lang) for document in documents} == {("gutenberg", "pt")}
    assert documents[0].meta == {"title": "tale"}


def test_only_selected_databases_are_read(tmp_path: Path) -> None:
    files = database({"tale": HEADER + strings("One.", "Two.")})
    files |= {name.replace("/data/", "/R/"): b"nonsense" for name in files}
    assert len(list(rdata(package(tmp_path, files), min_lines=1))) == 1


def test_what_a_database_decompresses_to_is_bounded(tmp_path: Path) -> None:
    """The index, one object, and many of them that share one small piece of the file."""
    files = database({f"tale{index}": HEADER + strings("x" * 5000) for index in range(2)})
    assert len(list(rdata(package(tmp_path, files), min_lines=1, max_bytes=20_000))) == 2
    for limit, where in ((100, "its index"), (5000, "tale0"), (8000, "tale1")):
        with pytest.raises(SourceError, match=rf"Rdata is no R database .*{where} brings it to more than max_bytes={limit}"):
            list(rdata(package(tmp_path, files), min_lines=1, max_bytes=limit))


@pytest.mark.parametrize(
    "harm",
    [
        lambda files: files | {"lib/books/data/Rdata.rdb": files["lib/books/data/Rdata.rdb"][:-5]},
        lambda files: files | {"lib/books/data/Rdata.rdx": b"nonsense"},
        lambda files: files | {"lib/books/data/Rdata.rdx": gzip.compress(HEADER + integers(1))},
        lambda files: files | {"lib/books/data/Rdata.rdx": gzip.compress(b"A\n text format")},
        lambda files: files | {"lib/books/data/Rdata.rdb": b"\0\0\0\0Z" + files["lib/books/data/Rdata.rdb"][5:]},
        lambda files: {"lib/books/data/Rdata.rdx": files["lib/books/data/Rdata.rdx"]},
    ],
)
def test_a_damaged_database_is_an_error_that_names_it(tmp_path: Path, harm: object) -> None:
    files = database({"tale": HEADER + strings(*(f"Line {index}." for index in range(200)))})
    with pytest.raises(SourceError, match=r"deb:r \(.*Rdata is no R database"):
        list(rdata(package(tmp_path, harm(files))))  # type: ignore[operator]
