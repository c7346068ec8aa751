# ruff: noqa: E501 - files are easier to read as they are
"""What fuzz.py changes: small files made here, and pieces of the development corpus where it lies."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import tarfile
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from archive_kit import COMPRESS, deb, tar
from fastwarc.warc import ArchiveIterator, WarcRecordType
from test_archives import zipped
from test_dictionaries import ENTRIES, dict_files, star_files
from test_questions import DIALOGUES, FAQ, POD
from test_rdata import FIRST_NAMES, HEADER, NAMES_AGAIN, database, integers, named, strings
from test_sevenzip import BZIP2, LZMA2, rewritten
from test_stackexchange import POSTS
from test_warc import page, record

_FILES = {"docs/a.html": b"<p>a</p>" * 20, "b.txt": b"text " * 50, "c.py.gz": gzip.compress(b"print()\n" * 9)}
_PAGE = b"<!doctype html><html lang=en><head><meta charset=utf-8><title>T</title></head><body><h1>H</h1><p>Some text of a page.</p></body></html>"
_WIKI = b"'''A''' is [[b|c]].<ref>r</ref>\n{{Infobox|a={{b}}|c=d}}\n== H ==\n* one\n** two\n{| class=x\n|-\n! a !! b\n|-\n| c || d\n|}\n<math>x^2</math>\n"
_TEX = b"\\documentclass{article}\\newcommand{\\R}[1]{\\mathbb{R}^{#1}}\\begin{document}\\section{A}Text $\\R{2}$ % c\n\\begin{itemize}\\item a\\end{itemize}\\input{b}\\end{document}"
_JATS = b"<article><front><article-meta><title-group><article-title>T</article-title></title-group></article-meta></front><body><sec><title>S</title><p>Text <italic>it</italic>.</p></sec></body></article>"
_MAN = b'.TH A 1\n.SH NAME\na \\- b\n.SH DESCRIPTION\n.TP\n.B \\-x\nText \\fBbold\\fR.\n.TS\nl l.\na\tb\n.TE\n.nf\ncode\n.fi\n.de xx\n.IP "\\\\$1"\n..\n.xx q\n'
_MDOC = (
    b".Dd May 1, 2024\n.Dt A 1\n.Os\n.Sh NAME\n.Nm a\n.Nd b\n.Sh DESCRIPTION\nThe\n.Nm\nof\n.Fl x Ar y .\n.Bl -tag\n.It Fl x\nText.\n.El\n"
)
_DUMP = b'<mediawiki xml:lang="en"><siteinfo><namespaces><namespace key="0"/></namespaces></siteinfo><page><title>A</title><ns>0</ns><id>1</id><revision><id>2</id><timestamp>2024-01-01T00:00:00Z</timestamp><model>wikitext</model><text>Text</text></revision></page></mediawiki>'
_MESSAGES = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}


def _archive(path: Path, suffix: str, most: int = 20) -> list[bytes]:
    if not path.exists():
        return []
    with tarfile.open(path) as archive:
        chosen = (member for member in archive if member.isfile() and member.name.endswith(suffix) and 100 < member.size < 60_000)
        return [archive.extractfile(member).read() for member in islice(chosen, most)]  # type: ignore[union-attr]


def _start(path: Path, size: int = 60_000) -> list[bytes]:
    if not path.exists():
        return []
    with {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)(path, "rb") as file:
        return [file.read(size)]


def web_pages(corpus: Path) -> list[bytes]:
    path = corpus / "web/extraction-benchmarks.warc.gz"
    if not path.exists():
        return [_PAGE]
    with path.open("rb") as file:
        return [_PAGE, *(record.reader.read() for record in islice(ArchiveIterator(file, record_types=WarcRecordType.response), 60))]


def wiki_texts(corpus: Path) -> list[bytes]:
    dumps = [piece for path in sorted((corpus / "wikipedia").glob("*.xml.bz2"))[:8] for piece in _start(path)]
    return [_WIKI * 8, *dumps]


def wiki_dumps(corpus: Path) -> list[bytes]:
    return [_DUMP, *(piece + b"</text></revision></page></mediawiki>" for piece in wiki_texts(corpus)[1:4])]


def latex_files(corpus: Path) -> list[bytes]:
    return [_TEX, *_archive(corpus / "academic/stacks-project.tar.gz", ".tex"), *_archive(corpus / "academic/napkin.tar.gz", ".tex")]


def latex_tars(corpus: Path) -> list[bytes]:
    return [tar({"a.tex": _TEX, "b.tex": b"More \\input{a} text."}), gzip.compress(tar({"a.tex": _TEX, "b.tex": b"\\input{c}"})), _TEX]


def jats_files(corpus: Path) -> list[bytes]:
    return [_JATS, *_archive(corpus / "academic/pmc-articles.tar.gz", "xml")]


def books(corpus: Path) -> list[bytes]:
    started = [piece for path in sorted((corpus / "books").glob("*.txt.gz"))[:12] for piece in _start(path, 30_000)]
    book = (
        b"*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\nSome text\nin lines.\n\n*** END OF THE PROJECT GUTENBERG EBOOK A ***\nLicence\n"
    )
    return [book, *started]


def man_pages(corpus: Path) -> list[bytes]:
    return [_MAN, _MDOC, _MAN * 20]


def chats(corpus: Path) -> list[bytes]:
    return [
        json.dumps(_MESSAGES).encode(),
        json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "tools": [{}]}).encode(),
    ]


def chat_rows(corpus: Path) -> list[bytes]:
    rows = [
        _MESSAGES,
        {"instruction": "a", "input": "", "output": "b"},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    ]
    rows.append({"chosen": [{"role": "user", "content": "a"}], "rejected": "b", "prompt": "c"})
    rows.append(
        {
            "message_tree_id": "1",
            "prompt": {"role": "prompter", "text": "a", "replies": [{"role": "assistant", "text": "b", "rank": 0, "replies": []}]},
        }
    )
    made = [b"".join(json.dumps(row).encode() + b"\n" for _ in range(5)) for row in rows] + [json.dumps(rows[:1] * 3).encode()]
    real = [piece for path in sorted((corpus / "instruct").rglob("*.json*.gz"))[:30] for piece in _start(path, 20_000)]
    return made + real


def json_lines(corpus: Path) -> list[bytes]:
    real = [piece for path in sorted((corpus / "wikipedia").glob("*.jsonl.gz"))[:3] for piece in _start(path)]
    line = json.dumps({"text": "Some text", "url": "http://x.invalid", "title": "T"}).encode()
    return [(line + b"\n") * 5, gzip.compress((line + b"\n") * 5), *real]


def tables(corpus: Path) -> list[bytes]:
    rows = pa.table({"text": ["some", "texts", None] * 30, "url": ["a", "b", "c"] * 30})
    made = []
    for write in (pq.write_table, pyarrow.feather.write_feather):
        out = io.BytesIO()
        write(rows, out)
        made.append(out.getvalue())
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return [*made, stream.getvalue()]


def warc_records(corpus: Path) -> list[bytes]:
    chunks = b"5\r\nhello\r\n0\r\n\r\n"
    made = [
        page(1),
        page(2, chunks, headers="Transfer-Encoding: chunked\r\nContent-Type: text/html\r\n"),
        record("conversion", b"text", "text/plain"),
    ]
    made.append(page(3, gzip.compress(_PAGE), headers="Content-Encoding: gzip\r\nContent-Type: text/html; charset=x\r\n"))
    real = [piece for path in sorted((corpus / "web").glob("crawl-*.warc.gz"))[:4] for piece in _start(path)]
    return [b"".join(made), b"".join(made[::-1]), *real]


def warc_members(corpus: Path) -> list[bytes]:
    return [b"".join(COMPRESS[suffix](data) for data in (page(1), page(2), page(3))) for suffix in (".gz", ".zst", ".bz2", ".xz")]


def archives(corpus: Path) -> list[bytes]:
    packed = [deb(_FILES, suffix) for suffix in (".gz", ".xz", ".zst")]
    return [tar(_FILES), zipped(_FILES), *packed, *(COMPRESS[suffix](tar(_FILES)) for suffix in (".gz", ".bz2", ".xz", ".zst"))]


def tars(corpus: Path) -> list[bytes]:
    long = io.BytesIO()
    with tarfile.open(fileobj=long, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "ü"}) as archive:
        archive.addfile(tarfile.TarInfo("a/" * 80 + "ü.txt"))
    return [tar(_FILES), tar({"x" * 150: b"y" * 50}), long.getvalue()]


def sevenzips(corpus: Path) -> list[bytes]:
    return [BZIP2, LZMA2]


def sevenzip_headers(corpus: Path) -> list[bytes]:
    offset, size = struct.unpack("<QQ", BZIP2[12:28])
    return [BZIP2[32 + offset : 32 + offset + size], bytes.fromhex("01040600010901000b01000121010000")]


def with_header(header: bytes) -> bytes:
    return rewritten(BZIP2, header)


def posts(corpus: Path) -> list[bytes]:
    made = f"<posts>{''.join(POSTS)}</posts>".encode()
    return [made, *(piece + b'"/></posts>' for path in sorted((corpus / "code").glob("*Posts.xml.gz")) for piece in _start(path))]


_OBJECT = HEADER + strings("one", "two", "three")


def r_indexes(corpus: Path) -> list[bytes]:
    return [
        gzip.decompress(database({"a": _OBJECT, "b": HEADER + integers(1)})["lib/books/data/Rdata.rdx"]),
        HEADER + named(FIRST_NAMES, a=named(NAMES_AGAIN, b=integers(1, 2))),
    ]


def with_r_index(index: bytes) -> bytes:
    files = database({"a": _OBJECT, "b": HEADER + integers(1)})
    return deb(files | {"lib/books/data/Rdata.rdx": gzip.compress(index)}, ".gz")


def r_objects(corpus: Path) -> list[bytes]:
    return [_OBJECT, HEADER + named(FIRST_NAMES, a=strings("x"))]


def with_r_object(item: bytes) -> bytes:
    return deb(database({"a": item}), ".gz")


def _dictd(part: str, data: bytes) -> bytes:
    files = dict_files(ENTRIES)
    return deb(files | {f"usr/share/dictd/small.{part}": data}, ".gz")


def dictd_indexes(corpus: Path) -> list[bytes]:
    return [dict_files(ENTRIES)["usr/share/dictd/small.index"]]


def with_dictd_index(data: bytes) -> bytes:
    return _dictd("index", data)


def dictd_texts(corpus: Path) -> list[bytes]:
    return [gzip.decompress(dict_files(ENTRIES)["usr/share/dictd/small.dict.dz"])]


def with_dictd_text(data: bytes) -> bytes:
    return _dictd("dict.dz", gzip.compress(data))


def _star(suffix: str) -> tuple[str, dict[str, bytes]]:
    files = star_files(ENTRIES)
    return next(name for name in files if suffix in name), files


def _star_seed(suffix: str) -> list[bytes]:
    name, files = _star(suffix)
    return [gzip.decompress(files[name]) if files[name][:2] == b"\x1f\x8b" else files[name]]


def star_indexes(corpus: Path) -> list[bytes]:
    return _star_seed(".idx")


def star_infos(corpus: Path) -> list[bytes]:
    return _star_seed(".ifo")


def with_star_index(data: bytes) -> bytes:
    name, files = _star(".idx")
    return deb(files | {name: gzip.compress(data) if files[name][:2] == b"\x1f\x8b" else data}, ".gz")


def with_star_info(data: bytes) -> bytes:
    name, files = _star(".ifo")
    return deb(files | {name: data}, ".gz")


def faqs(corpus: Path) -> list[bytes]:
    return [FAQ.encode(), POD.encode(), b"1. What is it?\n\nThis.\n\n2. Why?\n\nSo.\n" * 20]


def dialogue_files(corpus: Path) -> list[bytes]:
    return [DIALOGUES, b"conversations:\n- - Hello\n  - Hi\n- &a [x, y]\n- *a\ncategories: [b]\n"]
