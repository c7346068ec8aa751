"""Input that was made or damaged to hurt: every reader answers with documents, counted reasons or a SourceError, and soon."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from archive_kit import input_file, link, tar

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.dictd import dictd
from pipeline.sources.jats import jats
from pipeline.sources.mediawiki import mediawiki
from pipeline.sources.pages import pages
from pipeline.sources.rdata import rdata
from pipeline.sources.stackexchange import stackexchange
from pipeline.sources.tex import tex
from pipeline.sources.warc import warc


def stored(tmp_path: Path, data: bytes, name: str = "case") -> InputFile:
    (tmp_path / name).write_bytes(data)
    return input_file(tmp_path / name)


def zipped(name: str, data: bytes) -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), data)
    return bytearray(out.getvalue())


def test_a_zip_whose_list_of_members_is_damaged_is_an_error_that_names_it(tmp_path: Path) -> None:
    good = zipped("a.txt", b"text" * 99)
    entry = good.index(b"PK\1\2")
    harms = {6: b"\x80", 8: b"\0\x08", 28: b"\0\0"}  # the version that can read it, names in UTF-8, the length of a name
    for place, harm in harms.items():
        data = good.copy()
        data[entry + place : entry + place + len(harm)] = harm
        data[entry + 46] = 0xA5 if place == 8 else data[entry + 46]
        with pytest.raises(SourceError, match=r"case \(.*case\)"):
            list(pages(stored(tmp_path, bytes(data)), format="text"))


def test_a_zip_that_holds_itself_out_as_small_is_not_believed(tmp_path: Path) -> None:
    """The directory says 4 bytes where 20 MB come out: no more than those are inflated, and the check sum fails."""
    data = zipped("a.txt", bytes(20 << 20))
    for at in (data.index(b"PK\3\4") + 22, data.index(b"PK\1\2") + 24):
        data[at : at + 4] = struct.pack("<I", 4)
    with pytest.raises(SourceError, match="can't be read to its end"):
        list(pages(stored(tmp_path, bytes(data))))


def test_a_bomb_of_gzip_in_a_tar_names_the_member(tmp_path: Path) -> None:
    inner = gzip.compress(bytes(80 << 20))
    with pytest.raises(SourceError, match=r"bomb\.txt.*max_ratio"):
        list(pages(stored(tmp_path, gzip.compress(tar({"bomb.txt.gz": inner})), "case.tar.gz")))


def test_members_outside_links_and_absolute_paths(tmp_path: Path) -> None:
    files = tar({"/etc/a.txt": b"one"}, [link("b.txt", "/etc/passwd"), link("c.txt", "../../x")])
    assert [(found.locator, found.content) for found in pages(stored(tmp_path, files, "case.tar"))] == [("etc/a.txt", b"one")]
    with pytest.raises(SourceError, match="leads out of the archive"):
        list(pages(stored(tmp_path, tar({"a/../../b.txt": b"two"}), "case.tar")))


LAUGHS = '<!DOCTYPE {0} [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


def test_xml_that_declares_entities_is_not_expanded(tmp_path: Path) -> None:
    for reader, root in ((mediawiki, "mediawiki"), (stackexchange, "posts")):
        bomb = f"{LAUGHS.format(root)}<{root}>&b;</{root}>".encode()
        with pytest.raises(SourceError, match="declares entities"):
            list(reader(stored(tmp_path, bomb)))
    (found,) = jats(stored(tmp_path, f"{LAUGHS.format('article')}<article>&b;</article>".encode(), "a.nxml"))
    assert b"&b;" in found.content  # the extractor refuses it, unread


def record(length: object, body: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>") -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body + b"\r\n\r\n"


@pytest.mark.parametrize("length", ["999999", "9" * 30, "-1", "x", "", "3"])
def test_records_with_false_lengths(tmp_path: Path, length: str) -> None:
    """A length that isn't so takes no document that doesn't stand there, no memory, and no other way out than an error or a reason."""
    file = stored(tmp_path, record(length) + record(55))
    try:
        found = list(warc(file))
    except SourceError:
        found = []
    assert all(page.content in (b"<p>Hello</p>", b"") for page in found)


def test_a_body_that_is_shorter_than_its_own_length(tmp_path: Path) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99999\r\n\r\n<p>Hello</p>"
    (found,) = warc(stored(tmp_path, record(len(body), body)))
    assert found.content == b"<p>Hello</p>"


@pytest.mark.parametrize("number", ["\u00b2", "--5", "9" * 5000, "1e9", str(1 << 70), ""])
def test_numbers_that_are_none(tmp_path: Path, number: str) -> None:
    posts = (
        f'<posts><row Id="1" PostTypeId="1" Score="{number}" Title="T" Body="B"/><row Id="2" PostTypeId="2" ParentId="{number}"/></posts>'
    )
    assert "1" in {found.locator for found in stackexchange(stored(tmp_path, posts.encode()))}
    dump = f"<mediawiki><siteinfo><namespaces><namespace key='{number}'>N</namespace></namespaces></siteinfo>"
    dump += f"<page><title>N:A</title><ns>{number}</ns><id>1</id></page><page><title>B</title><ns>0</ns><id>2</id></page></mediawiki>"
    assert "2" in {found.locator for found in mediawiki(stored(tmp_path, dump.encode()))}


def test_an_index_of_a_dictionary_with_endless_numbers(tmp_path: Path) -> None:
    files = {"a.index": b"well\tA\t" + b"/" * 5000 + b"\n", "a.dict": b"text"}
    with pytest.raises(SourceError, match="no headword, offset and length"):
        list(dictd(stored(tmp_path, tar(files), "case.tar")))


def words(*values: int | bytes) -> bytes:
    return b"".join(struct.pack(">ii", 9, len(value)) + value if isinstance(value, bytes) else struct.pack(">i", value) for value in values)


R_HEAD = b"X\n" + words(2, 0, 0)


@pytest.mark.parametrize(
    "index",
    [
        R_HEAD + words(255 | 9 << 8),
        R_HEAD + words(19 | 512, 1, 13, 0, 16, 1, b"x", 254),
        R_HEAD + words(19 | 512, 1, 13, 0, 2 | 1024, 1, b"names", 16, 2, b"variables", b"more", 254),
        R_HEAD + words(19, 1) * 5000,
        R_HEAD,
    ],
    ids=["reference", "attributes", "names", "deep", "end"],
)
def test_an_r_database_that_says_what_cannot_be(tmp_path: Path, index: bytes) -> None:
    files = {"a/data/x.rdx": gzip.compress(index), "a/data/x.rdb": b""}
    with pytest.raises(SourceError, match=r"a/data/x is no R database"):
        list(rdata(stored(tmp_path, tar(files), "case.tar")))


def test_an_r_vector_of_other_things_than_strings(tmp_path: Path) -> None:
    chunk = words(0) + zlib.compress(R_HEAD + words(16, 1, 13, 0))
    index = R_HEAD + words(19 | 512, 1, 19 | 512, 1, 13, 2, 0, len(chunk), 2 | 1024, 1, b"names", 16, 1, b"tale", 254)
    index += words(2 | 1024, 255 | 1 << 8, 16, 1, b"variables", 254)
    files = {"a/data/x.rdx": gzip.compress(index), "a/data/x.rdb": chunk}
    with pytest.raises(SourceError, match="holds what is no string"):
        list(rdata(stored(tmp_path, tar(files), "case.tar"), min_lines=1))


def project(tmp_path: Path, files: dict[str, bytes]) -> list[RawDocument]:
    return list(tex(stored(tmp_path, tar(files), "case.tar")))


def test_a_chain_of_inputs_is_followed_so_far(tmp_path: Path) -> None:
    files = {f"f{n}.tex": f"<{n}>\\input{{f{n + 1}}}".encode() for n in range(3000)}
    (found,) = project(tmp_path, files | {"main.tex": b"\\begin{document}\\input{f0}"})
    assert b"<20>" in found.content


def test_many_inputs_on_one_line(tmp_path: Path) -> None:
    line = b"\\input{b}{}" * 10_000
    (found,) = project(
        tmp_path, {"a.tex": b"\\begin{document}" + line + b"% \\input{c}\n\\input{d}", "b.tex": b"B", "c.tex": b"C", "d.tex": b"D"}
    )
    assert (found.content.count(b"B"), found.content[-2:]) == (1, b"\nD")
    assert b"% \\input{c}" in found.content
