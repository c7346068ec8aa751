"""The reader "warc": which records are documents, encodings and lies about them, damaged archives."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file
from fastwarc.stream_io import BrotliWriter

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.http import BadBody, decoded_body
from pipeline.sources.warc import warc

HTML = b"<html><body>hello</body></html>"


def record(kind: str, content: bytes, content_type: str, number: int = 1, **more: str) -> bytes:
    headers = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:0000-{number}>",
        "WARC-Target-URI": f"<http://x.invalid/{number}>" if number % 2 else f"http://x.invalid/{number}",
        "WARC-Date": "2024-05-01T00:00:00Z",
        "Content-Type": content_type,
        "Content-Length": str(len(content)),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"WARC/1.1\r\n{head}\r\n".encode() + content + b"\r\n\r\n"


def page(number: int, body: bytes = HTML, status: int = 200, headers: str = "Content-Type: text/html\r\n", **more: str) -> bytes:
    http = f"HTTP/1.1 {status} Said\r\n{headers}\r\n".encode() + body
    return record("response", http, "application/http; msgtype=response", number, **more)


def read(tmp_path: Path, *records: bytes, suffix: str = ".gz", **keys: object) -> list[RawDocument]:
    """The documents of an archive with one compressed member per record, as crawlers write them."""
    path = tmp_path / f"crawl.warc{suffix}"
    path.write_bytes(b"".join(COMPRESS[suffix](data) for data in records))
    return list(warc(input_file(path), **keys))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_pages_of_an_archive(tmp_path: Path, suffix: str) -> None:
    found = read(
        tmp_path,
        record("warcinfo", b"software: a test\r\n", "application/warc-fields", 1),
        record("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request", 2),
        page(3, headers="Content-Type: text/html; charset=ISO-8859-1\r\n"),
        page(4, b"plain", headers="content-type: Text/Plain;charset=utf-8\r\n", WARC_Truncated="length"),
        page(5, headers="Content-Type: application/xhtml+xml\r\n"),
        page(6, b"\x89PNG", headers="Content-Type: image/png\r\n"),
        page(7, b"gone", status=404),
        page(8, b"", status=301),
        record("revisit", b"HTTP/1.1 200 OK\r\n\r\n", "application/http", 9),
        record("metadata", b"fetchTimeMs: 9", "application/warc-fields", 10),
        record("conversion", "Größe".encode(), "text/plain", 11),
        record("resource", HTML, "text/html", 12),
        page(13, headers="", WARC_Identified_Payload_Type="text/html"),
        page(14, headers=""),
        suffix=suffix,
    )
    date = "2024-05-01T00:00:00Z"
    assert found == [
        RawDocument("0000-3", HTML, "html", "http://x.invalid/3", date=date, meta={"charset": "iso-8859-1"}),
        RawDocument("0000-4", b"plain", "text", "http://x.invalid/4", date=date, meta={"charset": "utf-8", "cut": "length"}),
        RawDocument("0000-5", HTML, "html", "http://x.invalid/5", date=date, meta={}),
        RawDocument("0000-11", "Größe".encode(), "text", "http://x.invalid/11", date=date, meta={}),
        RawDocument("0000-13", HTML, "html", "http://x.invalid/13", date=date, meta={}),
    ]


def test_the_kinds_of_record_are_chosen(tmp_path: Path) -> None:
    records = page(1), record("resource", HTML, "text/html", 2), record("conversion", b"x", "text/plain", 3)
    assert [found.locator for found in read(tmp_path, *records, records=["resource"])] == ["0000-2"]


def brotli(data: bytes) -> bytes:
    out = io.BytesIO()
    with BrotliWriter(out) as writer:
        writer.write(data)
    return out.getvalue()


def chunked(data: bytes) -> bytes:
    return b"7;ext=1\r\n" + data[:7] + b"\r\n%X\r\n" % (len(data) - 7) + data[7:] + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Encoding: gzip", gzip.compress(HTML)),
        ("Content-Encoding: X-GZIP", gzip.compress(HTML)),
        ("Content-Encoding: deflate", zlib.compress(HTML)),
        ("Content-Encoding: deflate", zlib.compress(HTML)[2:-4]),
        ("Content-Encoding: br", brotli(HTML)),
        ("Content-Encoding: zstd", COMPRESS[".zst"](HTML)),
        ("Content-Encoding: identity", HTML),
        ("Content-Encoding: UTF-8", HTML),
        ("Content-Encoding: gzip, br", brotli(gzip.compress(HTML))),
        ("Transfer-Encoding: chunked", chunked(HTML)),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(gzip.compress(HTML))),
        *((f"Content-Encoding: {name}", HTML) for name in ("gzip", "deflate", "br", "zstd")),
        ("Transfer-Encoding: chunked", HTML),
        ("X-Crawl-Content-Encoding: gzip", HTML),
    ],
)
def test_encodings_and_headers_that_lie(tmp_path: Path, headers: str, body: bytes) -> None:
    (found,) = read(tmp_path, page(1, body, headers=f"Content-Type: text/html\r\n{headers}\r\n"))
    assert (found.format, found.content) == ("html", HTML)


def test_a_body_that_cant_be_decoded_is_one_bad_document(tmp_path: Path) -> None:
    header = "Content-Type: text/html\r\nContent-Encoding: "
    bad = b"\x1f\x8b\x08" + bytes(range(200, 250))
    found = read(tmp_path, page(1), page(2, bad, headers=f"{header}gzip\r\n"), page(3, bad, headers=f"{header}br\r\n"), page(4))
    assert [item.format for item in found] == ["html", "invalid", "invalid", "html"]
    assert found[1].meta == {"reason": "bad_http_encoding"}


def test_a_body_cut_short_by_the_network_gives_what_came(tmp_path: Path) -> None:
    text = " ".join(str(number**3) for number in range(2000)).encode()
    whole = gzip.compress(text)
    (found,) = read(tmp_path, page(1, whole[: len(whole) // 2], headers="Content-Type: text/html\r\nContent-Encoding: gzip\r\n"))
    assert len(found.content) > 1000
    assert text.startswith(found.content)
    assert decoded_body(chunked(HTML)[:30], "chunked", None, 1000) == HTML[:15]


def test_large_and_exploding_bodies_are_bounded(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    encoded = "Content-Type: text/html\r\nContent-Encoding: gzip\r\n"
    found = read(tmp_path, page(1, bytes(2000)), page(2, bomb, headers=encoded), page(3), max_bytes=100_000)
    assert [item.meta for item in found] == [{}, {"reason": "too_large"}, {}]
    found = read(tmp_path, page(1, bytes(2000)), page(2), max_bytes=1000)
    assert [item.format for item in found] == ["invalid", "html"]
    with pytest.raises(BadBody, match="too_large"):
        decoded_body(bomb, None, "gzip", 1_000_000)


def test_a_bad_http_header_is_one_bad_document(tmp_path: Path) -> None:
    found = read(tmp_path, page(1, headers=f"Content-Type: text/html\r\nX: {'x' * 100_000}\r\n"), page(2))
    assert [(item.format, (item.meta or {}).get("reason")) for item in found] == [("invalid", "bad_http_header"), ("html", None)]
    assert read(tmp_path, record("response", b"no http at all", "application/http", 1), page(2))[-1].locator == "0000-2"


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("lost", [3, 60, 200, 420])
def test_an_archive_cut_short_fails_naming_the_place(tmp_path: Path, suffix: str, lost: int) -> None:
    path = tmp_path / f"cut.warc{suffix}"
    path.write_bytes(b"".join(COMPRESS[suffix](page(number)) for number in range(1, 6))[:-lost])
    with pytest.raises(SourceError, match=r"cut\.warc.*in or after the record at uncompressed byte \d+, within the first \d+ bytes"):
        list(warc(input_file(path)))


def test_a_cut_that_looks_like_an_end_is_noticed(tmp_path: Path) -> None:
    whole = page(2, b"<p>one\r\n\r\n<p>two</p>")
    with pytest.raises(SourceError, match=r"10 bytes of a record are missing"):
        read(tmp_path, page(1), whole[: whole.index(b"<p>two")], suffix="")


def test_damage_in_the_middle_names_the_place(tmp_path: Path) -> None:
    data = bytearray(b"".join(gzip.compress(page(number, HTML * 50), mtime=0) for number in range(1, 4)))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "bad.warc.gz").write_bytes(data)
    with pytest.raises(SourceError, match=r"bad\.warc\.gz.*within the first \d+ bytes"):
        list(warc(input_file(tmp_path / "bad.warc.gz")))


@pytest.mark.parametrize("content", [b"", b"<html>not an archive</html>\r\n\r\n", b"\x1f\x8b\x08 no gzip", bytes(100)])
def test_what_is_no_archive_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.warc.gz").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.warc\.gz"):
        list(warc(input_file(tmp_path / "x.warc.gz")))


def test_crawls_of_the_corpus(corpus: Path) -> None:
    counts = {}
    for path in sorted((corpus / "web").glob("c*warc*")):
        found = list(warc(InputFile(path.name, str(path), "", 0)))
        assert len({document.locator for document in found}) == len(found)
        assert all(document.url and document.date for document in found)
        counts[path.name] = {kind: sum(document.format == kind for document in found) for kind in ("html", "text", "invalid")}
    assert counts == {
        "commoncrawl-whirlwind.warc.wet.gz": {"html": 0, "text": 1, "invalid": 0},
        "crawl-archive.org-2008.warc.gz": {"html": 94, "text": 36, "invalid": 0},
        "crawl-commoncrawl-whirlwind.warc.gz": {"html": 1, "text": 0, "invalid": 0},
        "crawl-dolma-sample-0000.warc.gz": {"html": 22, "text": 0, "invalid": 0},
        "crawl-wget-iah.warc.gz": {"html": 2, "text": 1, "invalid": 0},
    }
