"""The reader "tex": LaTeX sources, one document for each paper or book, put together from the files it inputs."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Literal

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.archives import Member, members

_SUFFIXES = (".tex", ".ltx", ".latex")
#: arXiv's name for a paper: "2301.00001", "hep-th9901001" (in the bulk archives, without the slash).
_PAPER = re.compile(r"(?:^|/)(?P<id>\d{4}\.\d{4,5}|(?P<archive>[a-z-]+)(?:\.[A-Z]{2})?(?P<number>\d{7}))(?:v\d+)?$")
_INPUT = re.compile(rb"\\(?:input|include|subfile)\s*(?:\{([^{}\n]{1,200})\}|([^\s{}\\%]{1,200}))")
_COMMENT_BEFORE = re.compile(rb"(?<!\\)%")
_BEGIN = rb"\begin{document}"
_MAIN = re.compile(re.escape(_BEGIN))
#: Files that input files that input files: TeX itself opens fifteen at a time.
_MAX_INPUTS = 50


@reader("tex", version=2)
def tex(file: InputFile, *, unit: Literal["project", "file"] = "project", max_bytes: int = 64 << 20) -> Iterator[RawDocument]:
    """Papers of a LaTeX archive: a source tree, an arXiv bulk archive (a .gz for each paper), or one .tex file.

    unit "project": a document for each main file of a tree (one with \\begin{document}), with all it inputs in place; a
    file that several mains input counts for the largest. unit "file": a document for each .tex file. A tree's .tex files are
    held in memory: more than `max_bytes` of them is a SourceError.
    """
    tree: dict[str, bytes] = {}
    for member in members(file, known=_is_source, max_member_bytes=max_bytes):
        paper = _PAPER.search(member.name)
        if not member.name.endswith(_SUFFIXES) and paper and member.inside:
            yield from _paper(file, member, paper, unit, max_bytes)
        elif not member.inside:
            yield RawDocument("", member.data, "latex")
        else:
            tree[member.name] = member.data
            if sum(map(len, tree.values())) > max_bytes:
                raise SourceError(
                    f"{file.name} ({file.path}): one tree of more than max_bytes={max_bytes} of LaTeX; read it with unit: file"
                )
    yield from (RawDocument(name, content, "latex") for name, content in _documents(tree, unit))


def _is_source(name: str) -> bool:
    return name.endswith(_SUFFIXES) or bool(_PAPER.search(name))


def _paper(file: InputFile, member: Member, paper: re.Match[str], unit: str, max_bytes: int) -> Iterator[RawDocument]:
    """The documents of one arXiv paper: a tar of its files, or its only file; PDF alone is no source."""
    name, data = member.name, member.data
    url = "https://arxiv.org/abs/" + (f"{paper['archive']}/{paper['number']}" if paper["archive"] else paper["id"])
    try:
        files = _untarred(file, name, data, max_bytes) if data[257:262] == b"ustar" else {"": data}
    except (tarfile.TarError, EOFError, zlib.error) as error:
        yield RawDocument(name, b"", "invalid", url=url, meta={"reason": "broken_archive", "cause": str(error)})
        return
    for part, content in _documents(files, unit):
        if content.startswith(b"%PDF"):
            yield RawDocument(name, b"", "invalid", url=url, meta={"reason": "pdf_only"})
        else:
            yield RawDocument(posixpath.join(name, part) if part else name, content, "latex", url=url)


def _untarred(file: InputFile, paper: str, data: bytes, max_bytes: int) -> dict[str, bytes]:
    """The LaTeX files of a paper's tar. Raises SourceError for a member whose size is a claim: sparse, or above `max_bytes` in sum."""
    files: dict[str, bytes] = {}
    total = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for info in tar:
            if not (info.isreg() and info.name.endswith(_SUFFIXES)):
                continue
            total += info.size
            if info.issparse() or total > max_bytes:
                why = "is sparse" if info.issparse() else f"brings the paper's LaTeX to {total} bytes, above max_bytes={max_bytes}"
                raise SourceError(f"{file.name} ({file.path}): member {info.name!r} of {paper} {why}")
            found = tar.extractfile(info)
            files[posixpath.normpath(info.name)] = found.read() if found else b""
    if data[tar.offset : tar.offset + 512] != bytes(512):  # type: ignore[attr-defined]  # tarfile takes any damage for the end
        raise EOFError(f"broken tar header at byte {tar.offset}")  # type: ignore[attr-defined]
    return files


def _documents(tree: Mapping[str, bytes], unit: str) -> Iterator[tuple[str, bytes]]:
    if unit == "file" or len(tree) < 2:
        yield from sorted(tree.items())
        return
    mains = _mains(tree)
    by_size = sorted(mains, key=lambda name: (-len(_resolved(name, tree, set())), name))
    used: set[str] = set(mains)
    whole = {name: _resolved(name, tree, used) for name in by_size}
    yield from sorted(whole.items())


def _mains(tree: Mapping[str, bytes]) -> list[str]:
    """The files that are documents; in a tree of mere parts, those that nothing inputs."""
    mains = [name for name, content in tree.items() if any(_live(_MAIN, content))]
    if mains:
        return mains
    inputs = {target for name, content in tree.items() for _, target in _inputs(name, content, tree)}
    return [name for name in tree if name not in inputs]


def _resolved(main: str, tree: Mapping[str, bytes], used: set[str]) -> bytes:
    """A file with its inputs in place, each once, as deep as `_MAX_INPUTS`.

    What the text inputs is added to `used`, and not put in if it is there; what the preamble inputs (macros) belongs to every main.
    """
    seen = {main}

    def expand(name: str, in_text: bool, depth: int) -> bytes:
        content, out, done = tree[name], [], 0
        begin = content.find(_BEGIN)
        for match, target in _inputs(main, content, tree):
            out.append(content[done : match.start()])
            done = match.end()
            text_now = in_text or 0 <= begin < match.start()
            if target in seen or (text_now and target in used) or depth > _MAX_INPUTS:
                continue
            seen.add(target)
            if text_now:
                used.add(target)
            out.append(expand(target, text_now, depth + 1))
        return b"".join([*out, content[done:]])

    return expand(main, False, 1)


def _inputs(main: str, content: bytes, tree: Mapping[str, bytes]) -> Iterator[tuple[re.Match[bytes], str]]:
    """The live input commands of a file whose target is in the tree; LaTeX looks from the main file's folder."""
    for match in _live(_INPUT, content):
        path = posixpath.join(posixpath.dirname(main), (match[1] or match[2]).decode("latin-1").strip())
        target = next((name for name in (posixpath.normpath(path), posixpath.normpath(path) + ".tex") if name in tree), None)
        if target:
            yield match, target


def _live(pattern: re.Pattern[bytes], content: bytes) -> Iterator[re.Match[bytes]]:
    """The matches before which no comment sign stands in their line; each byte is looked at once, however long the lines."""
    done, commented = 0, False
    for match in pattern.finditer(content):
        line = content.rfind(b"\n", done, match.start()) + 1
        done, commented = max(done, line), commented and not line
        commented = commented or bool(_COMMENT_BEFORE.search(content, done, match.start()))
        done = match.start()
        if not commented:
            yield match
