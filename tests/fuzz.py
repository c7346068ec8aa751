"""Broken and hostile input for every parser: real and small made files, changed by a seeded draw.

`PYTHONPATH=tests:tests/sources nice .venv/bin/python -m fuzz [--seconds 60] [--seed 0] [PARSER ...]` prints what was found, and leaves
each case in /tmp/tokenmill-fuzz. A parser may give documents, counted reasons or a SourceError; any other error, more than SECONDS for
an input, or more than MEMORY bytes is a finding. test_fuzz.py runs a few of the draws every time.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import fuzz_seeds as seeds
from archive_kit import ar, deb
from extract_kit import raw_batch

from pipeline.contracts import Extracted, InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.extract.conversation import conversation
from pipeline.extract.gutenberg import gutenberg
from pipeline.extract.html import html
from pipeline.extract.jats import jats
from pipeline.extract.latex import latex
from pipeline.extract.man import man
from pipeline.extract.plain import text as plain_text
from pipeline.extract.wikitext import wikitext
from pipeline.sources.conversations import conversations
from pipeline.sources.dictd import dictd
from pipeline.sources.jats import jats as journals
from pipeline.sources.jsonl import jsonl
from pipeline.sources.mediawiki import mediawiki
from pipeline.sources.pages import pages
from pipeline.sources.questions import dialogues, questions
from pipeline.sources.rdata import rdata
from pipeline.sources.stackexchange import stackexchange
from pipeline.sources.stardict import stardict
from pipeline.sources.table import table
from pipeline.sources.tex import tex
from pipeline.sources.warc import warc

SECONDS, MEMORY = 10, 6 << 30
#: The longest input that is made.
LONGEST = 200_000

_MARKS = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n",
    b"\t",
    b'"',
    b"\\ud800",
    b"9" * 30,
    b"-1",
    b"NaN",
    b"null",
    b"[]",
]
_MARKS += [
    b"{}",
    b"{" * 50,
    b"}",
    b"[" * 50,
    b"{{",
    b"{|",
    b"[[",
    b"]]",
    b"<ref>",
    b"<",
    b">",
    b"<table><tr><td>",
    b"<div>" * 30,
    b"</div>",
    b"<!--",
]
_MARKS += [
    b"&#xd800;",
    b"&#0;",
    b"&amp;",
    b"<![CDATA[",
    b"<svg><style>",
    b"<math>",
    b"<pre>",
    b"\\begin{",
    b"\\def\\a{\\a\\a}\\a",
    b"$$",
    b"\\newcommand{\\x}[9]{",
]
_MARKS += [
    b"\n.TS\n",
    b"\n.TE\n",
    b"\n.de x\n",
    b"\n.so x\n",
    b"\\f[",
    b"\\*(",
    b"\n.SH\n",
    b"***START OF THE PROJECT GUTENBERG EBOOK X***\n",
    b"\x1f\x8b\x08",
]
_MARKS += [
    b"C<< ",
    b"C<",
    b"&a [*a, *a]",
    b"0x" + b"f" * 5000,
    b"encoding='utf-7'",
    "\u00b2".encode(),
    b"PK\x03\x04",
    b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: br\r\n",
    b"charset=utf-7",
    b"\xff" * 8,
]


def changed(draw: random.Random, given: Sequence[bytes]) -> bytes:
    """One of `given`, changed in one to six places."""
    data = bytearray(draw.choice(given)[:LONGEST])
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        at, size = draw.randrange(len(data) + 1), draw.choice((1, 2, 8, 100, 2000))
        other = draw.choice(given)
        start = draw.randrange(len(other) + 1)
        kind = draw.randrange(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at : at + size] = other[start : start + size]
        elif kind == 3:
            data[at:at] = data[at : at + size] * draw.choice((2, 10, 200))
        elif kind == 4:
            del data[at : at + size]
        elif kind == 5:
            data[at : at + size] = draw.randbytes(min(size, 8))
        else:
            data[at:at] = draw.choice(_MARKS) * draw.choice((1, 1, 2, 50, 2000))
    return bytes(data[:LONGEST])


class Parser(NamedTuple):
    """`seeds(corpus)` are inputs that are well; `run(input, folder)` reads one, whatever its state."""

    seeds: Callable[[Path], list[bytes]]
    run: Callable[[bytes, Path], None]


def _of_extractor(step: Callable[..., Extracted], meta: dict[str, object] | None = None) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        found = step(raw_batch([data], meta))
        assert (found.text[0].as_py() is None) == (found.reasons[0].as_py() is not None)

    return run


def _of_reader(
    step: Callable[..., Iterator[RawDocument]], pack: Callable[[bytes], bytes] = bytes, **keys: object
) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        path = folder / "input"
        packed = pack(data)
        path.write_bytes(packed)
        try:
            for document in step(InputFile("input", str(path), "", len(packed)), **keys):
                assert isinstance(document.content, bytes)
                # what goes into the columns of RAW
                json.dumps(document.meta).encode()
                for value in (document.locator, document.url, document.lang, document.licence, document.date):
                    (value or "").encode()
        except SourceError:
            return

    return run


PARSERS: dict[str, Parser] = {
    "html": Parser(seeds.web_pages, _of_extractor(html)),
    "html_comments": Parser(seeds.web_pages, _of_extractor(lambda raw: html(raw, comments=True))),
    "wikitext": Parser(seeds.wiki_texts, _of_extractor(wikitext)),
    "latex": Parser(seeds.latex_files, _of_extractor(latex)),
    "jats": Parser(seeds.jats_files, _of_extractor(jats)),
    "gutenberg": Parser(seeds.books, _of_extractor(gutenberg)),
    "man": Parser(seeds.man_pages, _of_extractor(man)),
    "text": Parser(seeds.books, _of_extractor(plain_text, {"charset": "shift_jis"})),
    "conversation": Parser(seeds.chats, _of_extractor(conversation)),
    "conversations": Parser(seeds.chat_rows, _of_reader(conversations)),
    "jsonl": Parser(seeds.json_lines, _of_reader(jsonl, meta=["title"])),
    "table": Parser(seeds.tables, _of_reader(table)),
    "warc": Parser(seeds.warc_records, _of_reader(warc)),
    "warc_gz": Parser(seeds.warc_members, _of_reader(warc)),
    "archives": Parser(seeds.archives, _of_reader(pages)),
    "tar": Parser(seeds.tars, _of_reader(pages, gzip.compress)),
    "deb": Parser(seeds.tars, _of_reader(pages, lambda data: ar({"debian-binary": b"2.0\n", "data.tar": data}))),
    "tex": Parser(seeds.latex_tars, _of_reader(tex)),
    "sevenzip": Parser(seeds.sevenzips, _of_reader(stackexchange)),
    "sevenzip_header": Parser(seeds.sevenzip_headers, _of_reader(stackexchange, seeds.with_header)),
    "stackexchange": Parser(seeds.posts, _of_reader(stackexchange)),
    "mediawiki": Parser(seeds.wiki_dumps, _of_reader(mediawiki)),
    "journals": Parser(seeds.jats_files, _of_reader(journals)),
    "rdata_index": Parser(seeds.r_indexes, _of_reader(rdata, seeds.with_r_index, min_lines=1)),
    "rdata_object": Parser(seeds.r_objects, _of_reader(rdata, seeds.with_r_object, min_lines=1)),
    "dictd_index": Parser(seeds.dictd_indexes, _of_reader(dictd, seeds.with_dictd_index)),
    "dictd_text": Parser(seeds.dictd_texts, _of_reader(dictd, seeds.with_dictd_text)),
    "stardict_index": Parser(seeds.star_indexes, _of_reader(stardict, seeds.with_star_index)),
    "stardict_ifo": Parser(seeds.star_infos, _of_reader(stardict, seeds.with_star_info)),
    "questions": Parser(seeds.faqs, _of_reader(questions, question=r"^\d+\. (.*\?)$", pod=True)),
    "dialogues": Parser(seeds.dialogue_files, _of_reader(dialogues, lambda data: deb({"a.yml": data}), turns=1)),
    "dialogues_json": Parser(seeds.chats, _of_reader(dialogues, lambda data: deb({"a.json": data}), key="messages")),
}


def findings(name: str, corpus: Path, seed: int) -> Iterator[tuple[bytes, str] | None]:
    """Without end: None for an input that the parser `name` took well, else the input and what it raised."""
    parser, draw = PARSERS[name], random.Random(f"{name} {seed}")
    given = [data for data in parser.seeds(corpus) if data]
    with tempfile.TemporaryDirectory(prefix="tokenmill-fuzz-") as folder:
        while True:
            data = changed(draw, given)
            (Path(folder) / "last").write_bytes(data)
            signal.alarm(SECONDS)
            try:
                parser.run(data, Path(folder))
            except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
                yield data, traceback.format_exc()
            else:
                yield None
            finally:
                signal.alarm(0)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parsers", nargs="*", default=list(PARSERS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--out", type=Path, default=Path("/tmp/tokenmill-fuzz"))
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_slow)
    return sum(_searched(name, options) for name in options.parsers)


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _searched(name: str, options: argparse.Namespace) -> int:
    """Runs `name` for the seconds asked for; the number of different findings, each saved and printed once."""
    known: set[str] = set()
    end, count = time.monotonic() + options.seconds, 0
    for found in findings(name, options.corpus, options.seed):
        faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # a loop within C never sees the alarm
        count += 1
        if found:
            frames = [line.strip() for line in found[1].splitlines() if line.startswith("  File")]
            mark = frames[-1] + found[1].splitlines()[-1][:60]
            if mark not in known and len(known) < 20:
                known.add(mark)
                path = options.out / f"{name}-{len(known)}"
                path.write_bytes(found[0])
                print(f"{name}: {path}\n{found[1]}", flush=True)  # noqa: T201
        if time.monotonic() > end:
            break
    faulthandler.cancel_dump_traceback_later()
    print(f"{name}: {count} inputs, {len(known)} findings", flush=True)  # noqa: T201
    return len(known)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
