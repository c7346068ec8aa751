"""The readers "dictd" and "stardict"."""

from __future__ import annotations

import base64
import gzip
import struct
from pathlib import Path

import pytest
from archive_kit import deb, input_file

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.dictd import dictd
from pipeline.sources.stardict import stardict

ENTRIES = {
    "00-database-info": "About this dictionary.\n",
    "well": "well\nspring\n\n   <water> A hole dug for\n   {water}, or a\n   {spring\n   (of water)}.\n\n   Compare: {river}.\n",
    "loop": "loop\n\n   An example:\n\n      while true\n        turn\n\n   (2001)\n",
    "brook": "brook\n\n   A small river.\n",
}


def number(value: int) -> str:
    """dictd's numbers: base64 digits of a big-endian number, without zeros before them."""
    digits = base64.b64encode(value.to_bytes(6, "big")).decode()
    return digits.lstrip("A") or "A"


def dict_files(entries: dict[str, str], more: tuple[tuple[str, str], ...] = ()) -> dict[str, bytes]:
    text, places = b"", {}
    for headword, entry in entries.items():
        places[headword] = (len(text), len(entry.encode()))
        text += entry.encode()
    lines = [(headword, headword) for headword in places] + list(more)
    index = "".join(f"{word}\t{number(places[entry][0])}\t{number(places[entry][1])}\n" for word, entry in sorted(lines))
    return {"usr/share/dictd/small.dict.dz": gzip.compress(text), "usr/share/dictd/small.index": index.encode()}


def package(tmp_path: Path, files: dict[str, bytes]) -> InputFile:
    (tmp_path / "dict.deb").write_bytes(deb(files))
    return input_file(tmp_path / "dict.deb", "deb:dict")


def test_dictd_entries_in_the_order_of_the_text(tmp_path: Path) -> None:
    documents = list(dictd(package(tmp_path, dict_files(ENTRIES)), lang="en"))
    assert [(document.locator, document.meta) for document in documents] == [
        (f"small/{word}", {"title": word}) for word in ("well", "loop", "brook")
    ]
    assert {(document.format, document.lang) for document in documents} == {("text", "en")}


def test_dictd_layout_is_undone(tmp_path: Path) -> None:
    well, loop, _ = dictd(package(tmp_path, dict_files(ENTRIES)))
    assert well.content.decode() == "well\nspring\n\n<water> A hole dug for water, or a spring (of water).\n\nCompare: river."
    assert loop.content.decode() == "loop\n\nAn example:\n\n   while true\n     turn\n\n(2001)"


def test_dictd_headwords_that_share_an_entry_make_one_document(tmp_path: Path) -> None:
    documents = list(dictd(package(tmp_path, dict_files(ENTRIES, (("a spring", "well"), ("zoo", "well"))))))
    assert [document.locator for document in documents] == ["small/a spring", "small/loop", "small/brook"]


def test_dictd_equal_headwords_are_told_apart(tmp_path: Path) -> None:
    files = dict_files({"a": "one\n", "b": "two\n"})
    files["usr/share/dictd/small.index"] = files["usr/share/dictd/small.index"].replace(b"b\t", b"a\t")
    assert [document.locator for document in dictd(package(tmp_path, files))] == ["small/a", "small/a#2"]


@pytest.mark.parametrize(
    ("index", "cause"),
    [
        (b"well\tA\tzzzz\n", "the index points to bytes"),
        (b"well\tA\t?\n", "a line of the index is no headword"),
        (b"well\n", "a line of the index is no headword"),
    ],
)
def test_dictd_a_wrong_index_is_an_error(tmp_path: Path, index: bytes, cause: str) -> None:
    files = dict_files(ENTRIES) | {"usr/share/dictd/small.index": index}
    with pytest.raises(SourceError, match=f"deb:dict: small: {cause}"):
        list(dictd(package(tmp_path, files)))


@pytest.mark.parametrize("reader", [dictd, stardict])
def test_an_archive_without_a_whole_dictionary_is_an_error(tmp_path: Path, reader: object) -> None:
    files = {"a.index": b"", "b.dict": b"", "a.ifo": b"", "a.idx": b""}
    with pytest.raises(SourceError, match="holds no dictionary"):
        list(reader(package(tmp_path, files)))  # type: ignore[operator]


def star_files(entries: dict[str, str], kind: str = "m", wide: bool = False) -> dict[str, bytes]:
    text, idx = b"", b""
    for word, meaning in entries.items():
        data = meaning.encode()
        idx += word.encode() + b"\0" + struct.pack(">QL" if wide else ">LL", len(text), len(data))
        text += data
    ifo = f"StarDict's dict ifo file\nversion=3.0.0\nsametypesequence={kind}\n" + ("idxoffsetbits=64\n" if wide else "")
    return {"dic/star.ifo": ifo.encode(), "dic/star.idx": idx, "dic/star.dict.dz": gzip.compress(text)}


@pytest.mark.parametrize("wide", [False, True])
def test_stardict_neighbours_make_one_document(tmp_path: Path, wide: bool) -> None:
    words = {f"slovo{index}": f"význam\n číslo {index}" for index in range(7)}
    documents = list(stardict(package(tmp_path, star_files(words, wide=wide)), per_document=3, lang="cs"))
    assert [document.locator for document in documents] == ["star/000000", "star/000001", "star/000002"]
    assert documents[0].content.decode() == "slovo0: význam číslo 0\nslovo1: význam číslo 1\nslovo2: význam číslo 2"
    assert documents[2].content.decode() == "slovo6: význam číslo 6"
    assert (documents[1].meta, documents[1].lang, documents[1].format) == ({"title": "slovo3"}, "cs", "text")


def test_stardict_markup_is_taken_out(tmp_path: Path) -> None:
    (document,) = stardict(package(tmp_path, star_files({"voda": "  [<i>water</i>]\n\n<b>a &lt; b</b>"}, "g")))
    assert document.content.decode() == "voda: [water] a < b"


def test_stardict_errors_name_the_dictionary(tmp_path: Path) -> None:
    files = star_files({"voda": "water"})
    with pytest.raises(SourceError, match=r"deb:dict: star has entries of type 'W'"):
        list(stardict(package(tmp_path, star_files({"voda": "x"}, "W"))))
    with pytest.raises(SourceError, match=r"deb:dict: star: the index is cut short at byte 0"):
        list(stardict(package(tmp_path, files | {"dic/star.idx": files["dic/star.idx"][:-1]})))
    with pytest.raises(SourceError, match=r"deb:dict: star: the index points to bytes 0-5 of 2"):
        list(stardict(package(tmp_path, files | {"dic/star.dict.dz": gzip.compress(b"wa")})))
